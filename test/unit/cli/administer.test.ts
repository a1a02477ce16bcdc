import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sha256 } from '../../../src/crypto/hash.ts'
import { encodeHex } from '../../../src/base/bytes.ts'
import type { ReadingService } from '../../../src/cli/composition.ts'
import type { Service, TenantView } from '../../../src/decisions/service.ts'
import type { ApiKeyView } from '../../../src/wire/decision.ts'
import { FakeService } from '../../support/fake-service.ts'
import { run, type Around, type Ran } from './harness.ts'

const caller = { type: 'local', id: 'cli', owner: expect.any(String) as string }

const apiKey: ApiKeyView = {
  id: '5f2b9c0d1e3a4b57',
  owner: 'pay\u001bbot',
  scopes: ['decisions:submit'],
  createdAt: 0,
  revokedAt: null,
}

const tenant: TenantView = {
  name: 'default',
  origin: 'log.example/default',
  profile: 'each',
  public: false,
  createdAt: 0,
  size: 20,
}

interface Seen {
  calls: unknown[][]
  closed: number
  slots: { provider: string }[]
}

/** A composition of which every call is written down. */
function watched(): Seen & Around {
  const seen: Seen = { calls: [], closed: 0, slots: [] }
  const note = (...call: unknown[]): void => void seen.calls.push(call)
  const service = {
    close: () => {
      seen.closed++
      return Promise.resolve()
    },
    createApiKey: (...args: unknown[]) => {
      note('createApiKey', ...args)
      return Promise.resolve({ apiKey, token: 'csk_token' })
    },
    createTenant: (...args: unknown[]) => {
      note('createTenant', ...args)
      return Promise.resolve(tenant)
    },
    erase: (...args: unknown[]) => {
      note('erase', ...args)
      return Promise.resolve({ index: 9 })
    },
    exportDossier: (_: string, stream: string) => Promise.resolve(Buffer.from(`dossier ${stream}`)),
    listPolicies: () => Promise.resolve([{ id: 'more', sha256: 'ab', version: '1' }]),
    keyStatus: () => Promise.resolve({ slots: seen.slots }),
    listApiKeys: () => Promise.resolve([apiKey, { ...apiKey, revokedAt: 86_400_000 }]),
    listTenants: () => Promise.resolve([tenant]),
    publishTrustRoot: () => Promise.resolve(Buffer.from('{"published":true}')),
    readTrustRoot: (_: string, version?: number) =>
      Promise.resolve(Buffer.from(`{"version":${version ?? 'null'}}`)),
    revokeApiKey: (...args: unknown[]) => {
      note('revokeApiKey', ...args)
      return Promise.resolve({ ...apiKey, revokedAt: 86_400_000 })
    },
  }
  return Object.assign(seen, {
    composition: {
      openReading: () => Promise.resolve(service as unknown as ReadingService),
      openService: () => Promise.resolve(service as unknown as Service),
    },
  })
}

describe('apikey', () => {
  const create = [
    'apikey',
    'create',
    '--owner',
    'pay\u001bbot',
    '--scope',
    'decisions:submit',
    'log:read',
  ]

  it('prints a new token alone, so that a shell can take it', async () => {
    const around = watched()
    const { code, stderr, stdout } = await run(create, around)
    expect([code, stdout]).toEqual([0, 'csk_token\n'])
    expect(stderr).toContain('API key 5f2b9c0d1e3a4b57 of pay\\u001bbot')
    expect(stderr).not.toContain('csk_token')
    expect(around.calls).toEqual([
      ['createApiKey', 'default', 'pay\u001bbot', ['decisions:submit', 'log:read'], caller],
    ])
    expect(around.closed).toBe(1)
  })

  it('binds a token to policies and an environment', async () => {
    const around = watched()
    const bound = ['--policy', 'strict', 'more', '--environment', 'production']
    const { code, stderr } = await run([...create, ...bound], around)
    expect(code).toBe(0)
    expect(stderr).toMatch(/No policy registered is called that, .*: strict\n$/)
    expect(stderr).not.toContain(': more')
    expect(around.calls[0]?.[5]).toEqual({
      environment: 'production',
      policies: ['strict', 'more'],
    })
  })

  it('lists without tokens, and says what is revoked', async () => {
    const { stdout } = await run(['apikey', 'list'], watched())
    expect(stdout).toContain('5f2b9c0d1e3a4b57  pay\\u001bbot  valid ')
    expect(stdout).toContain('revoked 1970-01-02T00:00:00.000Z')
    expect(stdout).not.toContain('csk_')
  })

  it('lists what a key is bound to', async () => {
    const bound = { ...apiKey, environment: 'production', policies: ['strict', 'mo\u001bre'] }
    const openReading = () =>
      Promise.resolve({
        close: () => Promise.resolve(),
        listApiKeys: () => Promise.resolve([apiKey, bound]),
      } as unknown as ReadingService)
    const { stdout } = await run(['apikey', 'list'], { composition: { openReading } })
    const [head, free, tied] = stdout.split('\n')
    expect(head).toMatch(/scopes +policies +environment$/)
    expect(free).toMatch(/decisions:submit +- +-$/)
    expect(tied).toMatch(/decisions:submit {2}strict,mo\\u001bre {2}production$/)
  })

  it('revokes in the tenant named', async () => {
    const around = watched()
    expect((await run(['apikey', 'revoke', 'abc', '--tenant', 'acme'], around)).code).toBe(0)
    expect(around.calls).toEqual([['revokeApiKey', 'acme', 'abc', caller]])
  })
})

describe('tenant', () => {
  it('is made with its profile, private unless asked for', async () => {
    const around = watched()
    expect(await run(['tenant', 'create', 'acme'], around)).toMatchObject({
      code: 0,
      stdout: 'default  log.example/default\n',
    })
    await run(['tenant', 'create', 'open', '--profile', 'checkpoint', '--public'], around)
    expect(around.calls).toEqual([
      ['createTenant', 'acme', { profile: 'each', public: false }, caller],
      ['createTenant', 'open', { profile: 'checkpoint', public: true }, caller],
    ])
  })

  it('is told to have no break-glass slot where others have one', async () => {
    const around = watched()
    expect((await run(['tenant', 'create', 'acme'], around)).stderr).toBe('')
    around.slots.push({ provider: 'environment' }, { provider: 'passphrase' })
    const { code, stderr } = await run(['tenant', 'create', 'acme'], around)
    expect([code, stderr]).toEqual([0, expect.stringContaining('run countersign keys break-glass')])
    // Nobody else is there to have one.
    expect((await run(['tenant', 'create', 'default'], around)).stderr).toBe('')
  })

  it('is listed with the size of its log', async () => {
    const { stdout } = await run(['tenant', 'list'], watched())
    expect(stdout.split('\n')[1]).toBe('default  each     private  20       log.example/default')
    expect(JSON.parse((await run(['tenant', 'list', '--json'], watched())).stdout)).toEqual({
      cursor: null,
      tenants: [tenant],
    })
  })
})

describe('erase', () => {
  it('says which entry proves it', async () => {
    const around = watched()
    const { code, stdout } = await run(['erase', 'some-id', '--reason', 'asked for'], around)
    expect([code, stdout]).toEqual([0, 'erased  some-id  proved by entry 9\n'])
    expect(around.calls).toEqual([
      [
        'erase',
        expect.objectContaining({ tenant: 'default', caller }),
        'some-id',
        'asked for',
        undefined,
      ],
    ])
  })

  it('is done under the action that was named', async () => {
    const around = watched()
    await run(['erase', 'some-id', '--reason', 'asked for', '--action', 'the-action'], around)
    expect(around.calls[0]?.at(-1)).toBe('the-action')
  })
})

describe('what is written to a file', () => {
  const within = async (
    argv: readonly string[],
    prepare?: (cwd: string) => void,
  ): Promise<Ran & { cwd: string }> => {
    const cwd = mkdtempSync(join(tmpdir(), 'countersign-write-'))
    onTestFinished(() => {
      rmSync(cwd, { recursive: true })
    })
    prepare?.(cwd)
    return { cwd, ...(await run(argv, { ...watched(), cwd })) }
  }

  it('is a dossier, and standard output stays empty', async () => {
    const { code, cwd, stdout } = await within(['dossier', 'export', 'trust', '-o', 'd.json'])
    expect([code, stdout]).toEqual([0, ''])
    expect(readFileSync(join(cwd, 'd.json'), 'utf8')).toBe('dossier trust')
  })

  it('is a trust root, and its fingerprint is printed as sha256sum prints it', async () => {
    const { code, cwd, stdout } = await within(['trust-root', '--version', '3', '-o', 't.json'])
    const file = readFileSync(join(cwd, 't.json'))
    expect([code, file.toString()]).toEqual([0, '{"version":3}'])
    expect(stdout).toBe(`${encodeHex(sha256(file))}  t.json\n`)
  })

  it('takes the place of what was there, whole', async () => {
    const { cwd } = await within(['trust-root', 'publish', '-o', 't.json'], (directory) => {
      writeFileSync(join(directory, 't.json'), 'longer than what comes now')
    })
    expect(readFileSync(join(cwd, 't.json'), 'utf8')).toBe('{"published":true}')
    expect(readdirSync(cwd)).toEqual(['t.json'])
  })

  it('is nothing where a directory has that name', async () => {
    const { code, cwd } = await within(['dossier', 'export', 'id', '-o', 'd'], (directory) => {
      mkdirSync(join(directory, 'd'))
    })
    expect([code, readdirSync(cwd)]).toEqual([2, ['d']])
  })

  it('is nothing where there is no such directory', async () => {
    const { code, cwd, stderr } = await within(['dossier', 'export', 'id', '-o', 'no/d.json'])
    expect(code).toBe(2)
    expect(stderr).toContain('File cannot be written (ENOENT): no/d.json')
    expect(readdirSync(cwd)).toEqual([])
  })

  it('goes to standard output when no file is named', async () => {
    for (const argv of [
      ['dossier', 'export', 'id'],
      ['dossier', 'export', 'id', '-o', '-'],
    ])
      expect((await run(argv, watched())).stdout).toBe('dossier id')
    expect((await run(['trust-root'], watched())).stdout).toBe('{"version":null}')
  })
})

it('closes the data directory when a command fails', async () => {
  const service = new FakeService()
  let closed = 0
  service.close = () => {
    closed++
    return Promise.resolve()
  }
  expect(
    (await run(['erase', 'unknown', '--tenant', 'acme', '--reason', 'x'], { service })).code,
  ).toBe(1)
  expect((await run(['dossier', 'export', 'unknown', '--tenant', 'acme'], { service })).code).toBe(
    1,
  )
  expect(closed).toBe(2)
})

import { execFileSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { formatCheckpoint } from '../../../src/merkle/checkpoint.ts'
import { formatNote } from '../../../src/merkle/note.ts'
import { entryBundle, tilePath } from '../../../src/merkle/tiles.ts'
import { fingerprint } from '../../../src/dossier/trust-root.ts'
import { forgeDossier, type Published } from '../../support/forge-dossier.ts'
import { createWorld, streams, type World } from '../../support/forge-world.ts'
import { run, type Ran } from './harness.ts'

let cwd: string
let world: World

const write = (name: string, content: Uint8Array | string): void => {
  mkdirSync(dirname(join(cwd, name)), { recursive: true })
  writeFileSync(join(cwd, name), content)
}

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'countersign-verify-'))
  world = createWorld()
  const { each, seen, trustFile } = world
  write('trust.json', trustFile)
  write('allow.json', forgeDossier(each, streams.allow))
  write('block.json', forgeDossier(each, streams.block))
  write('erased.json', forgeDossier(each, streams.erased))
  write('seen.json', forgeDossier(seen, streams.block))
  const bytes = Buffer.from(forgeDossier(each, streams.block))
  bytes.writeUInt8(bytes.readUInt8(200) ^ 1, 200)
  write('flipped.json', bytes)
})

afterAll(() => {
  rmSync(cwd, { recursive: true })
})

const noComposition = {
  openReading: () => Promise.reject(new Error('verify opens nothing')),
  openService: () => Promise.reject(new Error('verify opens nothing')),
}

const verify = (...args: string[]): Promise<Ran> =>
  run(['verify', ...args], { cwd, composition: noComposition })

const trusting = (...args: string[]): Promise<Ran> => verify(...args, '--trust', 'trust.json')

describe('verify', () => {
  it('prints one line a file and exits 0 when all are valid', async () => {
    const { code, stderr, stdout } = await trusting('allow.json', 'block.json', 'seen.json')
    expect(code).toBe(0)
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^valid {9}allow\.json {2}ALLOW {2}assurance operator {2}complete no$/),
      expect.stringMatching(/^valid {9}block\.json {2}BLOCK {2}assurance operator {2}complete no$/),
      expect.stringMatching(/^valid {9}seen\.json {3}BLOCK {2}assurance witnessed\(2\)/),
      '',
    ])
    expect(stderr).toContain(`trust root ${fingerprint(world.trustFile)}  trust.json  version 1\n`)
    // What is not so of all is told of those of which it is.
    expect(stderr.match(/^note: .*No witness/gm)).toEqual([
      'note: allow.json, block.json: No witness',
    ])
    expect(stderr.match(/^note: Later entries/gm)).toHaveLength(1)
  })

  it('names three files of those that a note is about, and counts the rest', async () => {
    const few = ['allow.json', 'block.json', 'allow.json', 'block.json', 'seen.json']
    const { stderr } = await trusting(...few)
    expect(stderr).toContain('note: allow.json, block.json, allow.json and 1 more: No witness')
    expect((await trusting('allow.json', 'block.json')).stderr).toContain('note: No witness')
  })

  it('exits 3 when some are bad and says which check failed first', async () => {
    const { code, stdout } = await trusting('erased.json', 'flipped.json', 'allow.json')
    expect(code).toBe(3)
    const lines = stdout.split('\n')
    expect(lines[0]).toMatch(/^erased {8}erased\.json {3}stream\.erasure: /)
    expect(lines[1]).toMatch(/^invalid {7}flipped\.json {2}[a-z].*: /)
    expect(lines[2]).toMatch(/^valid /)
  })

  it('exits 4 when none is bad but one is erased', async () => {
    expect((await trusting('allow.json', 'erased.json')).code).toBe(4)
  })

  it('exits 4 when the witnesses are missing, which is not proof of anything bad', async () => {
    write(
      'unseen.json',
      forgeDossier({ ...world.seen, note: noteWithoutWitnesses() }, streams.block),
    )
    const { code, stdout } = await trusting('unseen.json')
    expect([code, stdout]).toEqual([4, expect.stringMatching(/^unprovable {4}unseen\.json {2}/)])
  })

  it('exits 4 when the trust root is too old to know the keys', async () => {
    const later = createWorld(60)
    write('later.json', forgeDossier(later.each, streams.block))
    const { code, stderr, stdout } = await trusting('later.json')
    expect([code, stdout]).toEqual([4, expect.stringMatching(/^inconclusive {2}later\.json {2}/)])
    expect(stderr).toContain('inconclusive: ask for a newer trust root')
    expect((await trusting('erased.json')).stderr).not.toContain('inconclusive:')
  })

  it('demands the fingerprint of the trust root where one is given', async () => {
    const good = fingerprint(world.trustFile)
    expect((await trusting('allow.json', '--trust-sha256', good.toUpperCase())).code).toBe(0)
    const wrong = good.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))
    const { code, stdout } = await trusting('allow.json', '--trust-sha256', wrong)
    expect([code, stdout]).toEqual([3, expect.stringContaining('trust-root.fingerprint: ')])
    expect((await trusting('allow.json', '--trust-sha256', good.slice(1))).code).toBe(2)
  })

  it('finds everything bad under a file that is no trust root', async () => {
    const { code, stdout } = await verify('allow.json', '--trust', 'block.json')
    expect([code, stdout]).toEqual([3, expect.stringMatching(/^invalid .*trust-root\.format: /)])
  })

  it('prints one JSON object a file, with all that the report says', async () => {
    const { code, stderr, stdout } = await trusting('allow.json', 'flipped.json', '--json')
    expect([code, stderr]).toEqual([3, ''])
    const [good, bad] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(good).toMatchObject({
      file: 'allow.json',
      ok: true,
      verdict: 'valid',
      status: 'ALLOW',
      trustRoot: fingerprint(world.trustFile),
      dev: false,
    })
    expect(bad).toMatchObject({ file: 'flipped.json', ok: false, verdict: 'invalid' })
    expect(bad?.['checks']).toContainEqual({
      name: expect.any(String) as string,
      ok: false,
      outcome: 'fail',
      reason: expect.any(String) as string,
    })
  })

  it.each([
    ['a file is missing', ['allow.json', 'missing.json', '--trust', 'trust.json']],
    ['the trust root is missing', ['allow.json', '--trust', 'missing.json']],
    ['no trust root is named', ['allow.json']],
    ['a directory is named', ['.', '--trust', 'trust.json']],
    ['there is no copy of the log', ['allow.json', '--trust', 'trust.json', '--entries', '.']],
  ])('exits 2 and judges nothing when %s', async (_, args) => {
    const { code, stdout } = await verify(...args)
    expect([code, stdout]).toEqual([2, ''])
  })

  it('says how standard input is called here', async () => {
    const { code, stderr } = await trusting('-')
    expect([code, stderr]).toEqual([2, expect.stringContaining('/dev/stdin for standard input: -')])
  })

  it('shows the name of a file so that it cannot pass for another', async () => {
    const name = 'x\u001b[2K\rvalid  other.json\n.json'
    write(name, 'nonsense')
    const { stdout } = await trusting(name)
    expect(stdout).toMatch(/^invalid {7}x\\u001b\[2K\\u000dvalid {2}other\.json\\u000a\.json {2}/)
    expect(stdout.trimEnd()).not.toContain('\n')
  })
})

describe('verify with a copy of the log', () => {
  const copy = (directory: string, leaves: readonly Uint8Array[]): void => {
    const place = tilePath('entries', 0, leaves.length)
    write(join(directory, 'tile', place), entryBundle(leaves))
  }

  it('says up to which size the stream is complete', async () => {
    copy('log', leavesOf(world.each))
    const { code, stdout } = await trusting('allow.json', '--entries', 'log')
    expect(code).toBe(0)
    expect(stdout).toContain(`complete as of size ${world.each.log.size}`)
  })

  it('takes the widest of several partial bundles', async () => {
    copy('grown', leavesOf(world.each).slice(0, 3))
    copy('grown', leavesOf(world.each))
    expect((await trusting('allow.json', '--entries', 'grown')).code).toBe(0)
  })

  it('exits 3 when the dossier leaves an entry out, and when the copy is not of this log', async () => {
    const cut = forgeDossier(world.each, streams.allow, {
      dossier(draft) {
        draft.entries.pop()
      },
    })
    write('cut.json', cut)
    copy('whole', leavesOf(world.each))
    expect((await trusting('cut.json')).code).toBe(0)
    const left = await trusting('cut.json', '--entries', 'whole')
    expect([left.code, left.stdout]).toEqual([3, expect.stringContaining('complete.stream: ')])
    copy('other', leavesOf(world.fast))
    const other = await trusting('allow.json', '--entries', 'other')
    expect([other.code, other.stdout]).toEqual([3, expect.stringContaining('complete.log: ')])
  })
})

describe('verify with a copy of the log that is fetched', () => {
  /** Serves a log, and lets copies be laid where nothing else is; gives its URL and that place. */
  async function serve(listener: RequestListener): Promise<[url: string, copies: string]> {
    const server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const copies = mkdtempSync(join(tmpdir(), 'countersign-copies-'))
    vi.stubEnv('TMPDIR', copies)
    onTestFinished(() => {
      vi.unstubAllEnvs()
      server.closeAllConnections()
      server.close()
      rmSync(copies, { recursive: true })
    })
    return [`http://127.0.0.1:${(server.address() as AddressInfo).port}/log`, copies]
  }

  it('is as with one that is there, and leaves nothing', async () => {
    const leaves = leavesOf(world.each)
    const place = `/log/tile/${tilePath('entries', 0, leaves.length)}`
    const [url, copies] = await serve((request, response) => {
      response.writeHead(request.url === place ? 200 : 404).end(entryBundle(leaves))
    })
    const { code, stdout } = await trusting('allow.json', '--entries', url)
    expect([code, stdout]).toEqual([0, expect.stringContaining('complete as of size')])
    expect(readdirSync(copies)).toEqual([])
  })

  it.each([
    ['at a later size alone', 1, 1, 0],
    ['with a full bundle', 256, 256, 0],
    ['without the bundle of its checkpoint', 2, 1, 2],
    ['at an earlier size alone', -1, -1, 2],
  ])(
    'finds a dossier’s leaves in a tree that was published %s',
    async (_, told, held, expected) => {
      const leaves = leavesOf(world.each)
      const later = Array.from({ length: 256 }, () => Buffer.from('later'))
      const sizeOf = (more: number): number => Math.min(256, leaves.length + more)
      const bundle = entryBundle([...leaves, ...later].slice(0, sizeOf(held)))
      const checkpoint = { origin: 'o', size: leaves.length + told, root: new Uint8Array(32) }
      const line = { name: 'o', keyId: 1, signature: new Uint8Array(64) }
      const files = new Map<string | undefined, Uint8Array | string>([
        [`/log/tile/${tilePath('entries', 0, sizeOf(held))}`, bundle],
        ['/log/checkpoint', formatNote(formatCheckpoint(checkpoint), [line])],
      ])
      const [url] = await serve(({ url }, response) => {
        response.writeHead(files.has(url) ? 200 : 404).end(files.get(url))
      })
      const { code, stderr } = await trusting('allow.json', '--entries', url)
      expect(code).toBe(expected)
      expect(stderr.includes('Log does not have its entries 0 to ')).toBe(expected === 2)
    },
  )

  it('says why the log cannot be read, and leaves nothing', async () => {
    const [url, copies] = await serve((request) => request.socket.destroy())
    const cut = await trusting('allow.json', '--entries', url)
    expect([cut.code, cut.stderr]).toEqual([
      2,
      expect.stringMatching(/Log cannot be read \((?:UND_ERR_SOCKET|ECONNRESET)\): http/),
    ])
    const nobody = await trusting('allow.json', '--entries', 'http://127.0.0.1:1/log')
    expect(nobody.stderr).toMatch(/Log cannot be read \([^)]+\): http/)
    expect(readdirSync(copies)).toEqual([])
  })

  it('ends by a signal with what the shell expects, and leaves nothing', async () => {
    const signals = new EventEmitter()
    const [url, copies] = await serve(() => signals.emit('SIGTERM', 'SIGTERM'))
    const argv = ['verify', 'allow.json', '--trust', 'trust.json', '--entries', url]
    const { code, stderr } = await run(argv, { composition: noComposition, cwd, signals })
    expect([code, stderr]).toEqual([143, expect.stringContaining('Interrupted')])
    expect(readdirSync(copies)).toEqual([])
    expect(signals.listenerCount('SIGINT')).toBe(0)
  })

  it('takes no pipe, which it would have to read twice', async () => {
    execFileSync('mkfifo', [join(cwd, 'pipe')])
    const { code, stderr } = await trusting('pipe', '--entries', 'http://127.0.0.1:1/log')
    expect([code, stderr]).toEqual([2, expect.stringContaining('which a pipe cannot be: pipe')])
  })
})

const leavesOf = ({ log }: Published): Uint8Array[] => log.sealed.map(({ leaf }) => leaf)

const noteWithoutWitnesses = (): string =>
  world.seen.note
    .split('\n')
    .filter((line) => !line.includes('witness.example'))
    .join('\n')

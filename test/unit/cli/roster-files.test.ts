import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { run, type Ran } from './harness.ts'

const passphrase = 'correct horse battery'

const directory = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'countersign-roster-'))
  onTestFinished(() => {
    rmSync(path, { recursive: true })
  })
  return path
}

const keygen = (cwd: string): Promise<Ran> =>
  run(['roster', 'keygen', '--out', 'ann.key', '--passphrase-file', '-'], {
    cwd,
    input: `${passphrase}\n`,
  })

it('roster keygen makes a file for its owner alone, whatever the mask', async () => {
  const cwd = directory()
  const before = process.umask(0)
  try {
    expect(await keygen(cwd)).toMatchObject({ code: 0 })
  } finally {
    process.umask(before)
  }
  expect(statSync(join(cwd, 'ann.key')).mode & 0o777).toBe(0o600)
  expect(readdirSync(cwd)).toEqual(['ann.key'])
})

it('roster keygen takes no name that something has, and asks for no passphrase then', async () => {
  const cwd = directory()
  writeFileSync(join(cwd, 'ann.key'), 'the only one')
  chmodSync(join(cwd, 'ann.key'), 0)
  const { code, stderr } = await run(['roster', 'keygen', '--out', 'ann.key'], { cwd })
  expect([code, stderr]).toEqual([1, expect.stringContaining('File exists already: ann.key')])
  chmodSync(join(cwd, 'ann.key'), 0o600)
  expect(readFileSync(join(cwd, 'ann.key'), 'utf8')).toBe('the only one')
})

it('a pasted signature is no longer than one can be', async () => {
  const key = (await keygen(directory())).stdout.trim()
  const sign = (length: number): Promise<Ran> => {
    const cwd = directory()
    const person = (id: string, role: string, text: string): object => ({
      id,
      keys: [{ key: text, kind: 'Ed25519', notAfter: null, notBefore: 0, revoked: false }],
      roles: [role],
    })
    const roster = {
      people: [person('ann', 'risk_lead', key), person('bob', 'security_lead', other)],
      previous: null,
      recovery: null,
      v: 1,
      version: 1,
    }
    const proposal = { endorsements: [], instance: 'i', origin: 'o', roster, tenant: 'default' }
    writeFileSync(join(cwd, 'roster.json'), JSON.stringify(proposal))
    return run(['roster', 'sign', 'roster.json', '--signature', '-', '--public-key', key], {
      cwd,
      input: 'A'.repeat(length),
    })
  }
  const other = (await keygen(directory())).stdout.trim()
  expect((await sign(16_384)).stderr).toContain('Signature is not good')
  const more = await sign(16_385)
  expect([more.code, more.stderr]).toEqual([2, expect.stringContaining('longer than a signature')])
})

const fingerprintOf = (text: string): string => /^Roster: (.*)$/m.exec(text)?.[1] ?? ''

it('roster sign tells who is in the roster, of which the text has but the digest', async () => {
  const cwd = directory()
  const key = (await keygen(cwd)).stdout.trim()
  const other = (await keygen(directory())).stdout.trim()
  const write = (place: object): void => {
    const keyOf = (text: string): object => ({ key: text, kind: 'Ed25519' })
    const person = (id: string, role: string, text: string, revoked: boolean): object => ({
      id,
      keys: [{ ...keyOf(text), notAfter: null, notBefore: 0, revoked }],
      roles: [role],
    })
    const roster = {
      people: [
        person('ann', 'risk_lead', key, false),
        person('mallory', 'security_lead', other, true),
      ],
      previous: null,
      recovery: null,
      v: 1,
      version: 1,
    }
    const proposal = { endorsements: [], instance: 'i', origin: 'o', tenant: 'default', ...place }
    writeFileSync(join(cwd, 'roster.json'), JSON.stringify({ ...proposal, roster }))
  }
  const sign = (): Promise<Ran> =>
    run(['roster', 'sign', 'roster.json', '--key', 'ann.key', '--passphrase-file', '-'], {
      cwd,
      input: passphrase,
    })
  write({})
  const { code, stderr } = await sign()
  expect(code).toBe(0)
  const lines = stderr.split('\n')
  expect(lines).toContain('  person         ann: risk_lead')
  expect(lines).toContain('  person         mallory: security_lead')
  expect(lines).toContain(`  key            Ed25519 ${key}`)
  expect(lines).toContain(`  key            revoked, Ed25519 ${other}`.slice(0, 78))
  expect(fingerprintOf(stderr)).toMatch(/^[0-9a-f]{64}$/)
  expect(stderr.indexOf('mallory')).toBeLessThan(stderr.indexOf('Countersign roster v1'))
  // What could move the cursor over it is no proposal.
  for (const text of ['i\nRoster: 00', 'i\u001b[2J', ''])
    for (const name of ['instance', 'origin', 'tenant']) {
      write({ [name]: text })
      const refused = await sign()
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringContaining(`Not a proposal of a roster: /${name} `),
      ])
    }
})

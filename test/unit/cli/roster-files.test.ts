import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { makeApproverKey } from '../../../src/cli/approver-key.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import type { Roster } from '../../../src/dossier/roster.ts'
import { FakeService } from '../../support/fake-service.ts'
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
  expect(lines).toContain('  person         ann')
  expect(lines).toContain('  person         mallory')
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

const start = 1_790_000_000_000
const day = (n: number): number => start + n * 86_400_000
const dated = (n: number): string => new Date(day(n)).toISOString()
/** The last instant that has a date. */
const last = 8_640_000_000_000_000

it('roster sign and roster show tell when each key counts, and all of what is signed', async () => {
  const cwd = directory()
  const keys: string[] = []
  for (let n = 0; n < 4; n++) keys.push((await keygen(directory())).stdout.trim())
  using passphrase = new Secret(Buffer.from('correct horse battery'))
  const long = (await makeApproverKey('id-MLDSA65-Ed25519-SHA512', passphrase)).publicKey
  const keyOf = (n: number, change: object = {}) => ({
    ...{ key: keys[n] ?? '', kind: 'Ed25519' as const },
    ...{ notAfter: null, notBefore: 0, revoked: false, ...change },
  })
  const forging = 'x'.repeat(130) + '\n  roles          risk_lead\u202e'
  const roster = {
    people: [
      {
        id: 'ann',
        keys: [
          keyOf(0, { notBefore: 1 }),
          { ...keyOf(1, { notAfter: last }), key: long, kind: 'id-MLDSA65-Ed25519-SHA512' },
        ],
        roles: ['risk_lead'],
      },
      {
        id: forging,
        keys: [keyOf(2, { notAfter: day(7), notBefore: start, revoked: true })],
        roles: ['security_lead'],
      },
      { id: 'zoe', keys: [keyOf(3, { notAfter: last + 1 })], roles: [] },
    ],
    previous: null,
    recovery: null,
    v: 1,
    version: 1,
  }
  const proposal = { endorsements: [], instance: 'i', origin: 'o', roster, tenant: 'default' }
  writeFileSync(join(cwd, 'roster.json'), JSON.stringify(proposal))
  const sign = ['roster', 'sign', 'roster.json', '--signature', '-', '--public-key', keys[0] ?? '']
  const { stderr } = await run(sign, { cwd, input: 'none' })
  const [briefing = ''] = stderr.split('Countersign roster v1')
  expect(briefing).not.toMatch(/[^\P{C}\n]|[^\n]{79}|not shown/u)
  expect(briefing.match(/^ {2}roles .*$/gm)).toEqual([
    '  roles          risk_lead',
    '  roles          security_lead',
    '  roles          none',
  ])
  const told = briefing.replaceAll(/\n {15}\| /g, '')
  expect(told).toContain(`  person         ${'x'.repeat(130)}\\u000a`)
  const digest = createHash('sha256').update(long).digest('hex')
  const counts = {
    ann: `from ${new Date(1).toISOString()}`,
    bob: `from ${dated(0)} until ${dated(7)}`,
    last: `until ${new Date(last).toISOString()}`,
    never: `until ${last + 1} ms since 1970`,
  }
  expect(told.match(/(?<=^ {2}(?:key|counts) +)\S.*$/gm)).toEqual([
    ...[`Ed25519 ${keys[0]}`, counts.ann],
    `id-MLDSA65-Ed25519-SHA512 ${long.slice(0, 64)}… (${long.length} characters, SHA-256 ${digest})`,
    ...[counts.last, `revoked, Ed25519 ${keys[2]}`, counts.bob],
    ...[`Ed25519 ${keys[3]}`, counts.never],
  ])

  const service = new FakeService()
  const current = { from: 1, roster: roster as Roster, sha256: '00'.repeat(32), time: start }
  const place = { asked: [], current, instance: 'i', origin: 'o', tenant: 'default' }
  service.readRoster = () => Promise.resolve(place)
  const shown = (await run(['roster', 'show'], { service })).stdout
  expect(shown).toContain(`  Ed25519 (revoked) ${counts.bob} `)
  expect(shown).toContain(`  Ed25519 ${counts.ann} `)
})

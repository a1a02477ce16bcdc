import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { encodeHex } from '../../src/base/bytes.ts'
import { Failure } from '../../src/base/failure.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { LocalService } from '../../src/decisions/local-service.ts'
import type { KeyOrderDone, KeyStatus } from '../../src/wire/keys.ts'
import { runCountersign, type Ran } from '../support/cli.ts'
import { runHere } from '../support/cli-here.ts'

let cwd: string

/** Paths below the directory of the test. */
const at = (...names: string[]): string => join(cwd, ...names)

const runIn = (...args: string[]): Promise<Ran> => runHere(args, { cwd })

const runAlone = (args: readonly string[], input = ''): Promise<Ran> =>
  runCountersign(args, { cwd, input })

async function cs(...args: string[]): Promise<string> {
  const { code, stderr, stdout } = await runIn(...args)
  expect(code, `${args.join(' ')}\n${stderr}`).toBe(0)
  return stdout
}

async function refused(code: number, said: string, ...args: string[]): Promise<void> {
  const ran = await runIn(...args)
  expect([ran.code, ran.stdout, ran.stderr]).toEqual([code, '', expect.stringContaining(said)])
}

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'countersign-break-glass-'))
  await cs('init', '--origin', 'log.example')
  await cs('tenant', 'create', 'payments')
})

afterAll(() => {
  rmSync(cwd, { recursive: true, force: true })
})

const decision = (n: number): string =>
  JSON.stringify({ intent: { actor: { id: 'bot' }, action: { type: 'pay', n } }, status: 'ALLOW' })

/** Notarises one decision and leaves its dossier. */
async function notarise(n: number, ...flags: string[]): Promise<string> {
  writeFileSync(at('decision.json'), decision(n))
  const { id } = JSON.parse(await cs('notarise', 'decision.json', ...flags)) as { id: string }
  const file = `${n}.dossier.json`
  await cs('dossier', 'export', id, '-o', file, ...flags)
  return file
}

/** A file as a secret must lie. */
function secretFile(name: string, text: string): string {
  writeFileSync(at(name), text, { mode: 0o600 })
  return name
}

/** Another character in the place of the first, and the check character that fits. */
function otherPassphrase(passphrase: string): string {
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  const digits = Array.from(passphrase.replaceAll('-', ''), (char) => alphabet.indexOf(char))
  for (let last = 0; last < 32; last++) {
    digits[28] = last
    const check = digits.slice(0, 29).reduce((rest, digit) => (rest * 32 + digit) % 37, 0)
    if (check < 32 && check !== digits[29]) {
      digits[29] = check
      return digits.map((digit) => alphabet[digit]).join('')
    }
  }
  throw new Error('No other passphrase')
}

const statusOf = async (): Promise<KeyStatus> =>
  JSON.parse(await cs('keys', 'status', '--json')) as KeyStatus

const passphraseSlots = async (): Promise<number> =>
  (await statusOf()).slots.filter(({ provider }) => provider === 'passphrase').length

describe('a passphrase on paper', () => {
  const kekFile = (): string => at('keys', 'countersign.kek')
  const recover = (name: string, ...flags: string[]): readonly string[] => [
    ...['keys', 'recover', '--passphrase-file', name],
    ...flags,
  ]
  let before: string
  let passphrase: string

  it('is made for every master key, beside the slots that are there', async () => {
    before = await notarise(1)
    const { stdout: first } = await runAlone(['keys', 'break-glass'])
    expect(first).toMatch(/^([0-9A-HJKMNP-TV-Z]{5}-){5}[0-9A-HJKMNP-TV-Z]{5}\n$/)
    const again = JSON.parse(await cs('keys', 'break-glass', '--json')) as {
      passphrase: string
      tenants: string[]
    }
    passphrase = again.passphrase
    expect(again.tenants).toEqual(['default', 'payments'])
    // The older one was replaced.
    expect((await statusOf()).slots.map(({ provider }) => provider).toSorted()).toEqual([
      'environment',
      'passphrase',
    ])
    await refused(1, 'another passphrase', ...recover(secretFile('old', first)))
  })

  it('is needed when the KEK file is lost: nothing starts, and a wrong one opens nothing', async () => {
    renameSync(kekFile(), at('lost.kek'))
    const { code, stderr } = await runAlone(['serve', '--port', '0'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('CONFIG_INVALID')])
    await refused(2, 'INPUT_INVALID', ...recover(secretFile('typo', passphrase.replace(/.$/, '?'))))
    const other = otherPassphrase(passphrase)
    await refused(1, 'OPEN_FAILED', ...recover(secretFile('other', other)))
    // A wrong one leaves no KEK file behind that would be taken for the right one.
    expect(readdirSync(at('keys'))).not.toContain('countersign.kek')
  })

  it('lets a new KEK file open everything, and what was signed before and after verifies', async () => {
    const told = await cs(...recover(secretFile('paper', `${passphrase}\n`)))
    expect(told.match(/^recovered {2}\S+ {2}opened by environment {2}index \d+$/gm)).toHaveLength(2)
    expect(statSync(kekFile()).mode & 0o777).toBe(0o600)
    expect(readFileSync(kekFile())).not.toEqual(readFileSync(at('lost.kek')))
    const after = await notarise(2)
    const payment = await notarise(3, '--tenant', 'payments')
    await cs('trust-root', '-o', 'trust.json')
    await cs('trust-root', '-o', 'payments.json', '--tenant', 'payments')
    await cs('verify', before, after, '--trust', 'trust.json')
    await cs('verify', payment, '--trust', 'payments.json')
    copyFileSync(at('lost.kek'), at('found.kek'))
    const found = await runCountersign(['notarise', '-'], {
      cwd,
      env: { COUNTERSIGN_KEK_FILE: at('found.kek') },
      input: decision(4),
    })
    expect([found.code, found.stderr]).toEqual([1, expect.stringContaining('OPEN_FAILED')])
  })

  it('may be used again, and typed in lower case without hyphens', async () => {
    const typed = passphrase.replaceAll('-', '').toLowerCase()
    const { code } = await runAlone(recover('-', '--drop-others'), typed)
    expect(code).toBe(0)
  })

  it('is taken up again where it was cut off, and drops other providers only when told to', async () => {
    const putSlots = vi.spyOn(LocalService.prototype, 'putSlots')
    const drops = (): boolean[] =>
      (['environment', 'hsm', 'passphrase'] as const).map(
        (kind) => putSlots.mock.lastCall?.[2](kind) ?? false,
      )
    await cs(...recover('paper'))
    expect(drops()).toEqual([true, false, false])
    await cs(...recover('paper', '--drop-others'))
    expect(drops()).toEqual([true, true, false])
    putSlots.mockRejectedValueOnce(new Failure('STORE_FULL', 'Disk is full'))
    await refused(75, 'Disk is full', ...recover('paper'))
    await cs(...recover('paper'))
  })

  it('is lost by a new master key only where that is said, and its tenant holds up no other', async () => {
    const rotate = ['keys', 'rotate-master']
    await refused(1, 'countersign keys rotate-master --drop-break-glass', ...rotate)
    expect(await passphraseSlots()).toBe(1)
    const { code, stderr } = await runIn(...rotate, '--drop-break-glass')
    expect([code, stderr]).toEqual([0, expect.stringContaining('OPENS NOTHING ANY MORE')])
    expect(await passphraseSlots()).toBe(0)
    expect((await statusOf()).next.join()).toContain('No break-glass slot: ')

    const ran = await runIn(...recover('paper'))
    expect(ran.code).toBe(1)
    expect(ran.stdout).toMatch(/^recovered {2}payments {2}opened by environment {2}index \d+\n$/)
    expect(ran.stderr).toMatch(
      /not recovered {2}default {2}its master key has no break-glass slot.*\(INPUT_NOT_FOUND\)/,
    )
    await cs('notarise', 'decision.json')
    await cs('notarise', 'decision.json', '--tenant', 'payments')
  })

  it('opens nothing where no tenant has a slot of it', async () => {
    await cs('keys', 'rotate-master', '--drop-break-glass', '--tenant', 'payments')
    await refused(1, 'Passphrase opens nothing. default: its master key', ...recover('paper'))
  })

  it('is not printed when a master key did not get its slot, and what that costs is said', async () => {
    const put = Reflect.get<LocalService, 'putSlots'>(LocalService.prototype, 'putSlots')
    vi.spyOn(LocalService.prototype, 'putSlots').mockImplementation(function (
      this: LocalService,
      tenant,
      ...rest
    ) {
      return tenant === 'payments'
        ? Promise.reject(new Failure('STORE_FULL', 'Disk is full'))
        : put.call(this, tenant, ...rest)
    })
    await refused(75, 'make one again: default (STORE_FULL)', 'keys', 'break-glass')
  })
})

describe('a key that was made while the master key was sealed', () => {
  it('is admitted by its SHA-256 and rotated to; what is signed with it verifies', async () => {
    const { sha256: made } = JSON.parse(
      await cs('keys', 'offer', 'evidence', '--json', '--kek', 'kms'),
    ) as { sha256: string }
    const [instance = ''] = readdirSync(at('keys')).filter((name) => /^[0-9a-f-]{36}$/.test(name))
    const offer = at('keys', instance, `default.${made}.offer.json`)
    expect(statSync(offer).mode & 0o777).toBe(0o600)
    expect(encodeHex(sha256(readFileSync(offer)))).toBe(made)
    const before = await notarise(10)
    const admitted = JSON.parse(await cs('keys', 'admit', made, '--json')) as KeyOrderDone
    expect(admitted.steps.map(({ event }) => event)).toEqual(['prepared'])
    const rotated = JSON.parse(await cs('keys', 'rotate', 'evidence', '--json')) as KeyOrderDone
    expect(rotated.steps.some(({ keyId }) => keyId === admitted.steps[0]?.keyId)).toBe(true)
    const after = await notarise(11)
    await cs('trust-root', '-o', 'trust.json')
    await cs('verify', before, after, '--trust', 'trust.json')
  })

  it('is refused when it was made for another installation or tenant', async () => {
    const other = ['--data', 'else', '--keys', 'else-keys']
    await cs('init', ...other)
    const [instance = ''] = readdirSync(at('keys')).filter((name) => /^[0-9a-f-]{36}$/.test(name))
    for (const flags of [other, ['--tenant', 'payments']]) {
      const { file, sha256: made } = JSON.parse(
        await cs('keys', 'offer', 'fast', '--json', ...flags),
      ) as { file: string; sha256: string }
      copyFileSync(file, at('keys', instance, `default.${made}.offer.json`))
      await refused(1, 'Key is of another', 'keys', 'admit', made)
    }
    await refused(1, 'No key was offered', 'keys', 'admit', '0'.repeat(64))
  })
})

describe('a new trust root', () => {
  it('is taken step by step, each with its own proof', async () => {
    const newest = (JSON.parse(await cs('trust-root')) as { version: number }).version
    await cs('keys', 'rotate', 'log')
    await cs('keys', 'rotate', 'evidence')
    const last = (JSON.parse(await cs('trust-root')) as { version: number }).version
    expect(last).toBeGreaterThanOrEqual(newest + 2)
    const root = (version: number): string => `trust-${version}.json`
    for (let version = newest; version <= last; version++)
      await cs('trust-root', '--version', String(version), '-o', root(version))
    for (let version = newest + 1; version <= last; version++) {
      const proof = `proof-${version}.dossier.json`
      await cs('trust-root', 'proof', '--version', String(version), '-o', proof)
      const step = ['trust-root', 'update', root(version - 1), root(version), '--dossier']
      expect(await cs(...step, proof)).toMatch(/^valid /)
    }
    const jump = ['trust-root', 'update', root(newest), root(last), '--dossier']
    expect((await runIn(...jump, `proof-${last}.dossier.json`)).code).toBe(3)
    await refused(1, 'No such trust root', 'trust-root', 'proof', '--version', String(last + 1))
  })
})

describe('a dossier whose log key was revoked', () => {
  it('is unprovable, and valid again once it was refreshed', async () => {
    const old = await notarise(20)
    const held = JSON.parse(await cs('trust-root', '-o', 'held.json', '--json')) as {
      version: number
    }
    const { keys } = await statusOf()
    const log = keys.find(({ purpose, state }) => purpose === 'log' && state === 'active')
    const { stderr } = await runIn('keys', 'revoke', log?.keyId ?? '', '--reason', 'stolen')
    expect(stderr).toContain('counts no more from the entry that says so')
    await cs('trust-root', '-o', 'trust.json')
    const before = await runIn('verify', old, '--trust', 'trust.json')
    expect([before.code, before.stdout]).toEqual([4, expect.stringMatching(/^unprovable /)])
    await cs('dossier', 'refresh', old, '-o', 'fresh.json')
    await cs('verify', 'fresh.json', '--trust', 'trust.json')

    // The step in which the key is revoked is taken by the SHA-256 alone.
    let version = held.version
    for (let next = version + 1; ; next++) {
      const name = `r${next}.json`
      const ran = await runIn('trust-root', '--version', String(next), '-o', name)
      if (ran.code !== 0) break
      version = next
    }
    copyFileSync(at('held.json'), at(`r${held.version}.json`))
    const codes: (number | null)[] = []
    for (let next = held.version + 1; next <= version; next++) {
      await cs('trust-root', 'proof', '--version', String(next), '-o', 'proof.json')
      const step = ['trust-root', 'update', `r${next - 1}.json`, `r${next}.json`]
      step.push('--dossier', 'proof.json')
      codes.push((await runIn(...step)).code)
      const told = encodeHex(sha256(readFileSync(at(`r${next}.json`))))
      await cs(...step, '--sha256', told)
      expect((await runIn(...step, '--sha256', '0'.repeat(64))).code).toBe(3)
      expect((await runIn(...step, '--sha256', '0')).code).toBe(2)
    }
    expect(codes).toContain(4)
    expect(codes).not.toContain(3)
  })
})

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Notarised } from '../../src/wire/decision.ts'
import type { OverrideView } from '../../src/wire/overrides.ts'
import type { RosterApplied } from '../../src/wire/roster.ts'
import { runHere } from '../support/cli-here.ts'
import { blockedRequest } from '../support/leads.ts'
import { needSshKeygen } from '../support/ssh-keygen.ts'

beforeAll(needSshKeygen, 120_000)

const dayMs = 86_400_000

describe('a roster of keys that stock ssh-keygen made', () => {
  let cwd: string
  const cs = (args: readonly string[], input = '') => runHere(args, { cwd, input })
  const done = async (...args: string[]): Promise<string> => {
    const { code, stderr, stdout } = await cs(args)
    expect([args, code, code === 0 ? '' : stdout + stderr]).toEqual([args, 0, ''])
    return stdout
  }
  const shell = (command: string, input = '') =>
    spawnSync('sh', ['-c', command], { cwd, encoding: 'utf8', input })

  beforeAll(async () => {
    cwd = mkdtempSync(join(tmpdir(), 'countersign-recovery-'))
    for (const name of ['ann', 'ann2', 'bob', 'safe1', 'safe2', 'thief'])
      shell(`ssh-keygen -q -t ed25519 -N '' -C ${name} -f ${name}`)
    await done('init', '--origin', 'log.example', '--profile', 'checkpoint')
    await done('roster', 'propose', '--out', 'one.json')
    for (const [person, role] of [
      ['ann', 'risk_lead'],
      ['bob', 'security_lead'],
    ] as const)
      await done(
        ...['roster', 'enrol', 'one.json', '--person', person],
        ...['--role', role, '--ssh', person],
      )
    for (const safe of ['safe1', 'safe2'])
      await done(
        ...['roster', 'enrol', 'one.json', '--recovery'],
        ...['--threshold', '2', '--ssh', safe],
      )
    for (const signer of ['ann', 'bob', 'safe1', 'safe2'])
      await done('roster', 'sign', 'one.json', '--ssh', signer)
    await done('roster', 'apply', 'one.json')
  }, 60_000)
  afterAll(() => {
    rmSync(cwd, { force: true, recursive: true })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('takes the signature of a lead who has nothing but a shell and the printed challenge', async () => {
    writeFileSync(join(cwd, 'request.json'), blockedRequest(1))
    const { id } = JSON.parse(await done('notarise', 'request.json')) as Notarised
    await done('override', 'open', id, '--justification', 'Customer waits')
    const printed = await done('override', 'challenge', id)
    const sign = (text: string, namespace = 'countersign/override/v1', key = 'bob'): string => {
      const signed = shell(`ssh-keygen -q -Y sign -f ${key} -n ${namespace}`, text)
      expect([signed.status, signed.stdout.split('\n')[0]]).toEqual([
        0,
        '-----BEGIN SSH SIGNATURE-----',
      ])
      return signed.stdout
    }
    const deliver = (signature: string, ...more: string[]) =>
      cs(
        [
          ...['override', 'sign', id, '--role', 'security_lead', '--person', 'bob'],
          ...['--signature', '-', '--json', ...more],
        ],
        signature,
      )
    for (const wrong of [
      sign(printed.trimEnd()),
      sign(printed.replace('Customer waits', 'Customer begs')),
      sign(printed, 'file'),
      sign(printed, 'countersign/roster/v1'),
      sign(printed, 'countersign/override/v1', 'thief'),
    ]) {
      const refused = await deliver(wrong)
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('bob')])
    }
    const { code, stdout } = await deliver(sign(printed))
    expect(code).toBe(0)
    expect(JSON.parse(stdout) as OverrideView).toMatchObject({
      signatures: [{ person: 'bob', role: 'security_lead' }],
      status: 'partial',
    })
  })

  it('is not taken over by one who has a single key of it', async () => {
    await done('roster', 'propose', '--out', 'thief.json')
    await done('roster', 'enrol', 'thief.json', '--person', 'ann', '--ssh', 'thief')
    for (const signer of ['ann', 'thief', 'safe1'])
      await done('roster', 'sign', 'thief.json', '--ssh', signer)
    expect(await cs(['roster', 'apply', 'thief.json'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'No security_lead of version 1 has signed, nor have enough recovery keys',
      ) as string,
    })
  })

  it('gets a lost lead back by the recovery keys, seven days after they asked and not before', async () => {
    const now = Date.now()
    vi.useFakeTimers({ now, toFake: ['Date'] })
    await done('roster', 'propose', '--out', 'two.json')
    await done('roster', 'enrol', 'two.json', '--person', 'ann', '--ssh', 'ann2')
    for (const signer of ['ann2', 'safe1', 'safe2'])
      await done('roster', 'sign', 'two.json', '--ssh', signer)
    const asked = JSON.parse(await done('roster', 'apply', 'two.json', '--json')) as RosterApplied
    expect(asked).toMatchObject({ event: 'recovery', version: 2 })
    expect(asked.countsFrom).toBeGreaterThanOrEqual(now + 7 * dayMs)
    expect(await done('roster', 'show')).toMatch(/^version 1 .*Recovery keys ask for /s)
    vi.setSystemTime(asked.countsFrom - 1000)
    expect(await cs(['roster', 'apply', 'two.json'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Recovery counts from') as string,
    })
    vi.setSystemTime(asked.countsFrom)
    expect(await done('roster', 'apply', 'two.json')).toMatch(/^version {2}2 /)
    expect(await done('roster', 'show')).toMatch(/^version 2 /)
    await done('dossier', 'export', 'roster', '-o', 'roster-dossier.json')
    await done('trust-root', '-o', 'trust.json')
    await done('verify', 'roster-dossier.json', '--trust', 'trust.json')
  }, 60_000)
})

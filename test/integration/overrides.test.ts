import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { labels } from '../../src/crypto/labels.ts'
import { verifyDossier } from '../../src/verify/index.ts'
import type { Notarised } from '../../src/wire/decision.ts'
import type { OverrideView } from '../../src/wire/overrides.ts'
import type { RosterView } from '../../src/wire/roster.ts'
import type { Ran } from '../support/cli.ts'
import { runHere } from '../support/cli-here.ts'
import { firstRoster } from '../support/forge-override.ts'
import { blockedRequest, proposalOf, signing } from '../support/leads.ts'
import { foundServed, startServed, type Served, type ServedPlace } from '../support/served.ts'
import { needSshKeygen } from '../support/ssh-keygen.ts'

type DecisionJson = Readonly<Record<'by' | 'inForce' | 'status', string>>

beforeAll(needSshKeygen, 120_000)

describe('two leads at the command line', () => {
  let cwd: string
  const cs = (...args: string[]): Promise<Ran> => runHere(args, { cwd })
  const done = async (...args: string[]): Promise<string> => {
    const { code, stderr, stdout } = await cs(...args)
    expect([args, code, code === 0 ? '' : stdout + stderr]).toEqual([args, 0, ''])
    return stdout
  }
  const told = async (...args: string[]): Promise<OverrideView> =>
    JSON.parse(await done('override', ...args, '--json')) as OverrideView
  const ssh = (...args: string[]): void => {
    expect(spawnSync('ssh-keygen', args, { cwd }).status).toBe(0)
  }
  const passphrase = ['--passphrase-file', 'passphrase']

  beforeAll(async () => {
    cwd = mkdtempSync(join(tmpdir(), 'countersign-overrides-'))
    writeFileSync(join(cwd, 'passphrase'), 'correct horse battery\n', { mode: 0o600 })
    writeFileSync(join(cwd, 'wrong'), 'correct horse batterie\n', { mode: 0o600 })
    writeFileSync(join(cwd, 'short'), 'too short\n', { mode: 0o600 })
    ssh('-q', '-t', 'ed25519', '-N', '', '-C', 'bob', '-f', 'bob')
    await done('init', '--origin', 'log.example', '--profile', 'checkpoint')
  })
  afterAll(() => {
    rmSync(cwd, { force: true, recursive: true })
  })

  it('make keys under a passphrase, which open by no other and for nobody else', async () => {
    const made = (await done('roster', 'keygen', '--out', 'ann.key', ...passphrase)).trim()
    expect(statSync(join(cwd, 'ann.key')).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(join(cwd, 'ann.key'), 'utf8'))).toMatchObject({
      kind: 'Ed25519',
      publicKey: made,
    })
    expect(await cs('roster', 'keygen', '--out', 'ann.key', ...passphrase)).toMatchObject({
      code: 1,
    })
    const short = await cs('roster', 'keygen', '--out', 'x.key', '--passphrase-file', 'short')
    expect(short).toMatchObject({ code: 2 })
    expect(existsSync(join(cwd, 'x.key'))).toBe(false)
  })

  it('found a roster: each enrols and signs the same text, by whichever tool', async () => {
    await done('roster', 'propose', '-o', 'roster.json')
    expect(await cs('roster', 'show', 'roster.json')).toMatchObject({ code: 2 })
    const [ann, bob] = [
      ['--person', 'ann', '--role', 'risk_lead', '--key', 'ann.key'],
      ['--person', 'bob', '--role', 'security_lead', '--ssh', 'bob'],
    ]
    const enrolled = await cs('roster', 'enrol', 'roster.json', ...ann)
    expect(enrolled.stderr).toBe('ann is enrolled: risk_lead\n')
    await done('roster', 'enrol', 'roster.json', ...bob)
    const borrowed = ['--person', 'cyd', '--role', 'reviewer', '--ssh', 'bob']
    expect(await cs('roster', 'enrol', 'roster.json', ...borrowed)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('of another person: bob') as string,
    })
    await done('roster', 'enrol', 'roster.json', ...bob)
    expect(await cs('roster', 'apply', 'roster.json')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Nobody has signed the proposal') as string,
    })
    expect(await done('roster', 'show', 'roster.json')).toContain('Countersign roster v1\n')
    const wrong = ['--key', 'ann.key', '--passphrase-file', 'wrong']
    expect(await cs('roster', 'sign', 'roster.json', ...wrong)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Decryption failed') as string,
    })
    await done('roster', 'sign', 'roster.json', '--key', 'ann.key', ...passphrase)
    expect(await cs('roster', 'apply', 'roster.json')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('New key has not signed') as string,
    })
    const signed = await cs('roster', 'sign', 'roster.json', '--ssh', 'bob')
    expect(signed).toMatchObject({ code: 0 })
    expect(signed.stderr).not.toContain('Signing data')
    expect(await done('roster', 'apply', 'roster.json')).toMatch(/^version {2}1 /)
    expect(await done('roster', 'show')).toContain('security_lead')
  })

  it('overrule, one by a key file, the other by nothing but ssh-keygen and the printed text', async () => {
    writeFileSync(join(cwd, 'request.json'), blockedRequest(1))
    const { id } = JSON.parse(await done('notarise', 'request.json')) as Notarised
    const justification = 'Checked by phone \u202e000,1'
    expect(await told('open', id, '--justification', justification)).toMatchObject({
      status: 'pending',
    })
    const role = (name: string) => ['--role', name]
    const byAnn = ['--key', 'ann.key', ...passphrase]
    const swapped = await cs('override', 'sign', id, ...role('security_lead'), ...byAnn)
    expect(swapped).toMatchObject({ code: 1 })
    expect(swapped.stderr).toContain('holds the role security_lead')
    expect(await told('sign', id, ...role('risk_lead'), ...byAnn)).toMatchObject({
      status: 'partial',
    })
    await done('override', 'challenge', id, '--out', 'challenge.txt')
    const text = readFileSync(join(cwd, 'challenge.txt'), 'utf8')
    expect(text).toContain('Justification: "Checked by phone \\u202e000,1"\n')
    ssh('-q', '-Y', 'sign', '-f', 'bob', '-n', labels.override, 'challenge.txt')
    const pasted = ['--signature', 'challenge.txt.sig']
    expect(await cs('override', 'sign', id, ...role('security_lead'), ...pasted)).toMatchObject({
      code: 2,
    })
    expect(
      await told('sign', id, ...role('security_lead'), ...pasted, '--person', 'bob'),
    ).toMatchObject({ status: 'approved' })
    expect(await told('execute', id)).toMatchObject({ status: 'executed' })
    expect(await cs('override', 'execute', id)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Request is over: executed') as string,
    })
    expect(await done('override', 'show', id)).toContain('executed')

    expect(await done('decision', 'list', '--in-force', 'ALLOW', '--by', 'override')).toMatch(
      new RegExp(`^${id} .* BLOCK +ALLOW by override +executed +- +agent-1 +transfer$`, 'm'),
    )
    expect(await done('decision', 'list', '--override', 'open')).toBe('')
    const shown = await done('decision', 'show', id)
    expect(shown).toMatch(/^because +\S+/m)
    expect(shown).toMatch(/^made as +BLOCK\nin force +ALLOW by override\noverride +executed$/m)
    const view = JSON.parse(await done('decision', 'show', id, '--json')) as DecisionJson
    expect(view).toMatchObject({ by: 'override', inForce: 'ALLOW', status: 'BLOCK' })
    expect(await cs('decision', 'list', '--by', 'nobody')).toMatchObject({ code: 2 })

    await done('dossier', 'export', id, '-o', 'dossier.json')
    await done('trust-root', '-o', 'trust.json')
    const verified = await cs('verify', 'dossier.json', '--trust', 'trust.json')
    expect(verified).toMatchObject({ code: 0 })
    expect(verified.stdout).toContain('ALLOW by override')
    expect(verified.stderr).toContain('ann as risk_lead and bob as security_lead')
    await done('dossier', 'export', 'roster', '-o', 'roster-dossier.json')
    await done('verify', 'roster-dossier.json', '--trust', 'trust.json')
    await done('audit', 'export', '-o', 'all.period.jsonl')
    expect(await done('verify', 'all.period.jsonl', '--trust', 'trust.json')).toMatch(/^valid/)
    const period = ['verify', 'all.period.jsonl', '--trust', 'trust.json', '--json'] as const
    expect(JSON.parse(await done(...period))).toMatchObject({
      inForce: { 'ALLOW by override': 1 },
      statuses: { BLOCK: 1 },
    })
    await done('log', 'fsck')
  })

  it('take a request back, with a reason', async () => {
    const { id } = JSON.parse(await done('notarise', 'request.json')) as Notarised
    await told('open', id, '--justification', 'Try', '--approve-within', '60')
    const listed = await done('override', 'list')
    expect(listed.split('\n')[1]).toContain(id)
    expect(listed.split('\n')[2]).toContain('executed')
    expect(await cs('override', 'reject', id, '--reason', 'No')).toMatchObject({ code: 1 })
    expect(await told('revoke', id, '--reason', 'Done otherwise')).toMatchObject({
      status: 'revoked',
    })
  })
})

describe('two leads over HTTP', () => {
  let place: ServedPlace
  let served: Served
  const tokens = new Map<string, string>()

  const ask = async (
    owner: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly told: Record<string, unknown> }> => {
    const response = await fetch(served.url + path, {
      ...(body === undefined ? {} : { body: JSON.stringify(body), method: 'POST' }),
      headers: {
        Authorization: `Bearer ${tokens.get(owner) ?? ''}`,
        'Content-Type': 'application/json',
      },
    })
    return {
      status: response.status,
      told: (await response.json()) as Record<string, unknown>,
    }
  }
  const sign = (id: string, lead: 'ann' | 'bob', text: string) => {
    const act = signing(lead, lead === 'ann' ? 'risk_lead' : 'security_lead', text)
    return ask('carl', `/v1/overrides/${id}/sign`, act.act === 'sign' ? act.signing : {})
  }

  beforeAll(async () => {
    place = await foundServed()
    served = await startServed(place)
    for (const owner of ['alice', 'carl', 'ann']) {
      const scopes = [
        'decisions:submit',
        'decisions:read',
        'overrides:request',
        'overrides:sign',
        'roster:manage',
      ]
      const { stdout } = await runHere(
        [
          ...['apikey', 'create', '--owner', owner, '--scope', ...scopes, '--json'],
          ...['--data', place.data, '--keys', place.keys],
        ],
        { cwd: place.home },
      )
      tokens.set(owner, (JSON.parse(stdout) as { token: string }).token)
    }
  })
  afterAll(async () => {
    await served.end('SIGTERM')
    place.remove()
  })

  it('overrule with a server that is killed between the two signatures, once of fifty times', async () => {
    const roster = (await ask('carl', '/v1/roster')).told as unknown as RosterView
    const proposal = proposalOf(roster, firstRoster, 'ann', 'bob')
    expect((await ask('carl', '/v1/roster', proposal)).status).toBe(201)

    const submitted = await ask('alice', '/v1/decisions', JSON.parse(blockedRequest(1)))
    const id = String(submitted.told['id'])
    const opening = { decision: id, justification: 'Customer waits' }
    const opened = (await ask('carl', '/v1/overrides', opening)).told as unknown as OverrideView
    expect((await sign(id, 'ann', opened.challenge)).told).toMatchObject({ status: 'partial' })

    await served.end('SIGKILL')
    served = await startServed(place)

    expect((await ask('carl', `/v1/overrides/${id}`)).told).toMatchObject({
      challenge: opened.challenge,
      signatures: [{ person: 'ann', role: 'risk_lead' }],
    })
    expect((await sign(id, 'bob', opened.challenge)).told).toMatchObject({ status: 'approved' })
    const executed = await Promise.all(
      Array.from({ length: 50 }, () => ask('carl', `/v1/overrides/${id}/execute`, {})),
    )
    expect(executed.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(executed.filter(({ status }) => status === 409)).toHaveLength(49)
    const file = async (path: string): Promise<Uint8Array> => {
      const headers = { Authorization: `Bearer ${tokens.get('carl') ?? ''}` }
      return new Uint8Array(await (await fetch(served.url + path, { headers })).arrayBuffer())
    }
    const report = verifyDossier(
      await file(`/v1/decisions/${id}/dossier`),
      await file('/v1/trust-root'),
    )
    expect(report).toMatchObject({ status: 'ALLOW by override', verdict: 'valid' })
  })

  it('may not sign what their own API keys have asked for, whatever the body says', async () => {
    const submitted = await ask('alice', '/v1/decisions', JSON.parse(blockedRequest(2)))
    const id = String(submitted.told['id'])
    const opening = { decision: id, justification: 'Customer waits' }
    const named = await ask('ann', '/v1/overrides', { ...opening, requesters: ['alice'] })
    expect(named.status).toBe(422)
    const opened = (await ask('ann', '/v1/overrides', opening)).told as unknown as OverrideView
    const refused = await sign(id, 'ann', opened.challenge)
    expect(refused).toMatchObject({ status: 409, told: { code: 'OVERRIDE_REFUSED' } })
    expect(refused.told['detail']).toContain('Whoever asked may not sign')
  })
})

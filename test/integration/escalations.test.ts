import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../src/api/app.ts'
import { listen } from '../../src/api/server.ts'
import { connectService } from '../../src/decisions/service-client.ts'
import { hostService } from '../../src/decisions/service-host.ts'
import type { Service } from '../../src/decisions/service.ts'
import { verifyDossier } from '../../src/verify/index.ts'
import type { Notarised } from '../../src/wire/decision.ts'
import type { EscalationView } from '../../src/wire/escalations.ts'
import type { GatewayAnswer } from '../../src/wire/gateway.ts'
import type { RosterView } from '../../src/wire/roster.ts'
import type { Ran } from '../support/cli.ts'
import { runHere } from '../support/cli-here.ts'
import { firstRoster, leadKey, leadSign } from '../support/forge-override.ts'
import { proposalOf } from '../support/leads.ts'
import { heldRequest, reviewerKey, reviewerSign } from '../support/reviewers.ts'
import { foundServed, startServed, type Served, type ServedPlace } from '../support/served.ts'
import { founder, foundTestService } from '../support/service.ts'
import { replacing } from '../support/replacing.ts'
import { needSshKeygen } from '../support/ssh-keygen.ts'

const policy = {
  bundle_id: 'payments',
  dialect: 'native',
  policies: [
    {
      id: 'limits',
      rules: [
        {
          effect: 'deny',
          id: 'wipe',
          description: 'Never',
          when: { field: 'intent.action.type', kind: 'eq', value: 'payments.wipe' },
        },
        {
          effect: 'escalate',
          id: 'large',
          description: 'Large payments want a person',
          when: { field: 'parameters.amount', kind: 'gt', value: 100 },
        },
        { effect: 'allow', id: 'small', when: { kind: 'always' } },
      ],
    },
  ],
  version: '1',
}

describe('reviewers over HTTP', () => {
  let place: ServedPlace
  let served: Served
  const tokens = new Map<string, string>()

  const ask = async (
    owner: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = { Authorization: `Bearer ${tokens.get(owner) ?? ''}` },
  ): Promise<{ readonly status: number; readonly told: Record<string, unknown> }> => {
    const response = await fetch(served.url + path, {
      ...(body === undefined ? {} : { body: JSON.stringify(body), method: 'POST' }),
      headers: { ...headers, 'Content-Type': 'application/json' },
    })
    const told = (await response.json()) as Record<string, unknown>
    return { status: response.status, told }
  }
  const submit = async (change = {}): Promise<string> => {
    const { told } = await ask('alice', '/v1/decisions', JSON.parse(heldRequest(1, change)))
    return String(told['id'])
  }
  const decide = (owner: string, id: string, answer: string, more = {}) =>
    ask(owner, `/v1/escalations/${id}/decide`, { answer, reason: 'Checked', ...more })
  const execute = async (parameters: object, key?: string, path = '/v1/gateway/execute') => {
    const body = {
      action: 'payments.refund',
      agent_id: 'agent-7',
      decision: 'ALLOW',
      parameters,
      session_id: 'sess_0123456789abcdef',
      ...(key === undefined ? {} : { idempotency_key: key }),
    }
    const headers = { 'X-PROVENANCE-API-KEY': tokens.get('client') ?? '' }
    const { status, told } = await ask('client', path, body, headers)
    return { status, told: told as unknown as GatewayAnswer }
  }
  const newest = async (): Promise<string> => {
    const { told } = await ask('alice', '/v1/escalations?status=pending&limit=1')
    return String((told['escalations'] as { id: string }[])[0]?.id)
  }
  const reportOf = async (id: string) => {
    const file = async (path: string): Promise<Uint8Array> => {
      const headers = { Authorization: `Bearer ${tokens.get('alice') ?? ''}` }
      return new Uint8Array(await (await fetch(served.url + path, { headers })).arrayBuffer())
    }
    return verifyDossier(await file(`/v1/decisions/${id}/dossier`), await file('/v1/trust-root'))
  }

  beforeAll(async () => {
    place = await foundServed()
    const at = ['--data', place.data, '--keys', place.keys]
    const run = async (...args: string[]): Promise<string> => {
      const { code, stderr, stdout } = await runHere([...args, ...at], { cwd: place.home })
      expect([args, code, code === 0 ? '' : stderr]).toEqual([args, 0, ''])
      return stdout
    }
    const granted = {
      alice: ['decisions:submit', 'decisions:read', 'escalations:decide', 'roster:manage'],
      client: ['decisions:evaluate'],
      cyd: ['decisions:read', 'escalations:decide'],
    }
    for (const [owner, scopes] of Object.entries(granted)) {
      const made = await run('apikey', 'create', '--owner', owner, '--scope', ...scopes, '--json')
      tokens.set(owner, (JSON.parse(made) as { token: string }).token)
    }
    writeFileSync(join(place.home, 'policy.json'), JSON.stringify(policy))
    await run('policy', 'push', 'policy.json', '--activate')
    served = await startServed(place)
    const view = (await ask('alice', '/v1/roster')).told as unknown as RosterView
    const founding = proposalOf(view, firstRoster, 'ann', 'bob')
    expect((await ask('alice', '/v1/roster', founding)).status).toBe(201)
  }, 60_000)
  afterAll(async () => {
    await served.end('SIGTERM')
    place.remove()
  })

  it('tell who waits, and are not who asked, whatever the body says', async () => {
    const id = await submit({ decideWithinSeconds: 600 })
    const waiting = ask('alice', `/v1/escalations/${id}?wait=60`)
    expect(await decide('alice', id, 'approve')).toMatchObject({
      status: 409,
      told: { code: 'ESCALATION_REFUSED' },
    })
    expect((await decide('cyd', id, 'approve', { approver_id: 'ann' })).status).toBe(422)
    expect((await decide('client', id, 'approve')).status).toBe(403)
    const refused = await decide('cyd', id, 'approve')
    expect(refused.told['detail']).toContain('Nobody of this id in the roster')
    const { told } = await ask(
      'alice',
      `/v1/escalations/${id}/challenge?answer=approve&reason=Checked`,
    )
    // Not in the roster yet: the two leads are.
    const signature = reviewerSign(String(told['challenge']))
    const early = await decide('cyd', id, 'approve', { signature: { key: reviewerKey, signature } })
    expect(early.told['detail']).toContain('Key is not in the roster')
    expect((await ask('alice', `/v1/escalations/${id}?wait=61`)).status).toBe(422)
    expect((await ask('alice', `/v1/escalations/${id}`)).told).toMatchObject({ status: 'pending' })
    expect((await decide('bob', id, 'approve')).status).toBe(401)
    const lead = await ask('alice', `/v1/escalations/${id}/challenge?answer=reject&reason=No`)
    const byLead = leadSign('ann', String(lead.told['challenge']))
    const rejected = await ask('cyd', `/v1/escalations/${id}/decide`, {
      answer: 'reject',
      reason: 'No',
      signature: { key: leadKey('ann'), signature: byLead },
    })
    expect(rejected).toMatchObject({ status: 200, told: { person: 'ann', status: 'rejected' } })
    expect((await waiting).told).toMatchObject({ person: 'ann', status: 'rejected' })
    expect(await reportOf(id)).toMatchObject({ status: 'BLOCK by escalation', verdict: 'valid' })
  })

  it('at the gateway: the policy decides, never the hint', async () => {
    expect(await execute({ amount: 7 })).toMatchObject({
      status: 200,
      told: { decision: 'ALLOW', escalation_id: null },
    })
    const wipe = await ask(
      'client',
      '/api/v1/gateway/execute',
      {
        action: 'payments.wipe',
        agent_id: 'a',
        decision: 'ALLOW',
        parameters: {},
        session_id: 's',
      },
      { 'X-PROVENANCE-API-KEY': tokens.get('client') ?? '' },
    )
    expect(wipe).toMatchObject({ status: 200, told: { decision: 'BLOCK', escalation_id: null } })
    const unknown = await ask(
      'client',
      '/v1/gateway/execute',
      { action: 'x', agent_id: 'a', session_id: 's', tenant_policy_id: 'other' },
      { 'X-PROVENANCE-API-KEY': tokens.get('client') ?? '' },
    )
    expect(unknown.told).toMatchObject({
      decision: 'BLOCK',
      event_id: null,
      reason: 'tenant_policy_id not found',
    })
    const headers = { 'X-PROVENANCE-API-KEY': tokens.get('alice') ?? '' }
    expect((await ask('alice', '/v1/gateway/execute', {}, headers)).status).toBe(403)
    expect((await ask('nobody', '/v1/gateway/execute', {}, {})).status).toBe(401)
  })

  it('answer a request that is held while the server is killed, and started again', async () => {
    const held = execute({ amount: 500 }, 'refund-1').catch((error: unknown) => error)
    await expect.poll(newest, { timeout: 10_000 }).not.toBe('undefined')
    const id = await newest()
    await served.end('SIGKILL')
    expect(await held).toBeInstanceOf(TypeError)
    served = await startServed(place)
    const again = execute({ amount: 500 }, 'refund-1')
    expect((await ask('alice', `/v1/escalations/${id}`)).told).toMatchObject({ status: 'pending' })
    const { told } = await ask(
      'alice',
      `/v1/escalations/${id}/challenge?answer=approve&reason=Checked`,
    )
    const signature = leadSign('bob', String(told['challenge']))
    const approved = await decide('cyd', id, 'approve', {
      signature: { key: leadKey('bob'), signature },
    })
    expect(approved.status).toBe(200)
    const answer = {
      actor_human_id: 'bob',
      decision: 'ALLOW',
      escalation_id: id,
      event_id: id,
      reason: 'Escalation APPROVED by bob',
    }
    expect(await again).toEqual({ status: 200, told: answer })
    expect((await execute({ amount: 500 }, 'refund-1')).told).toEqual(answer)
    expect((await execute({ amount: 501 }, 'refund-1')).status).toBe(409)
    const report = await reportOf(id)
    expect(report).toMatchObject({ status: 'ALLOW by escalation', verdict: 'valid' })
  }, 40_000)

  it('answer 64 who are held at once, while decisions go on', async () => {
    const held = Array.from({ length: 64 }, (_, n) => execute({ amount: 500 + n }, `many-${n}`))
    const ids = async (): Promise<readonly string[]> => {
      const { told } = await ask('alice', '/v1/escalations?status=pending&limit=200')
      return (told['escalations'] as { id: string }[]).map(({ id }) => id)
    }
    await expect.poll(async () => (await ids()).length, { timeout: 20_000 }).toBe(64)
    const decisions = Array.from({ length: 100 }, () =>
      ask('alice', '/v1/decisions', {
        intent: { action: { type: 'pay' }, actor: { id: 'agent-1' } },
        status: 'ALLOW',
      }),
    )
    expect((await Promise.all(decisions)).every(({ status }) => status === 201)).toBe(true)
    for (const [n, id] of (await ids()).entries()) {
      const said = `answer=${n % 2 === 0 ? 'approve' : 'reject'}&reason=Checked`
      const { told } = await ask('alice', `/v1/escalations/${id}/challenge?${said}`)
      const signature = leadSign('ann', String(told['challenge']))
      const answer = n % 2 === 0 ? 'approve' : 'reject'
      await decide('cyd', id, answer, { signature: { key: leadKey('ann'), signature } })
    }
    const answers = (await Promise.all(held)).map(({ told }) => told.decision)
    expect(answers.filter((decision) => decision === 'ALLOW')).toHaveLength(32)
    expect(answers.filter((decision) => decision === 'BLOCK')).toHaveLength(32)
  }, 60_000)

  it('are not waited for when the server ends: who is held is told to be blocked', async () => {
    const held = execute({ amount: 900 }, 'refund-2')
    await expect.poll(newest, { timeout: 10_000 }).not.toBe('undefined')
    const waiting = ask('alice', `/v1/escalations/${await newest()}?wait=60`)
    // Until it has begun to wait.
    await ask('alice', '/v1/escalations?limit=1')
    await served.end('SIGTERM')
    expect(await held).toMatchObject({
      status: 200,
      told: { decision: 'BLOCK', reason: expect.stringContaining('ending') as string },
    })
    expect((await waiting).told).toMatchObject({ status: 'pending' })
    served = await startServed(place)
  }, 40_000)
})

describe('a client that leaves while it waits', () => {
  it('makes room for another at once', async () => {
    const at = await foundTestService({ mostWaits: 1 })
    const { port1, port2 } = new MessageChannel()
    let waits = 0
    const readEscalation: Service['readEscalation'] = (...asked) => {
      const [, , waitMs] = asked
      if (waitMs > 0) waits++
      return at.service.readEscalation(...asked)
    }
    hostService(replacing<Service>(at.service, { readEscalation }), port2)
    const service = connectService(port1)
    onTestFinished(() => {
      port1.close()
    })
    const logger = pino({ level: 'silent' })
    const requestTimeoutMs = 30_000
    const app = createApp({ clock: Date.now, logger, requestTimeoutMs, service, version: '0' })
    const server = await listen(app, { port: 0, requestTimeoutMs })
    onTestFinished(() => server.close())
    const { token } = await at.service.createApiKey('default', 'eve', ['decisions:read'], founder)
    const { id } = await at.notarise(heldRequest(1, { decideWithinSeconds: 600 }))
    const wait = async (seconds: number, signal?: AbortSignal): Promise<number | undefined> => {
      const headers = { Authorization: `Bearer ${token}` }
      const asking = get(`${server.url}/v1/escalations/${id}?wait=${seconds}`, {
        // A connection for each request, which is gone with it.
        agent: false,
        headers,
        ...(signal === undefined ? {} : { signal }),
      })
      const [answer] = (await once(asking, 'response')) as [IncomingMessage]
      answer.resume()
      return answer.statusCode
    }
    for (let n = 0; n < 2; n++) {
      const leaver = new AbortController()
      const before = waits
      const waiting = wait(60, leaver.signal)
      await expect.poll(() => waits).toBe(before + 1)
      expect(await wait(1)).toBe(503)
      leaver.abort()
      await expect(waiting).rejects.toThrow('aborted')
      await expect.poll(() => wait(1), { timeout: 10_000 }).toBe(200)
    }
  })
})

describe('reviewers at the command line', () => {
  let cwd: string
  const cs = (...args: string[]): Promise<Ran> => runHere(args, { cwd })
  const done = async (...args: string[]): Promise<string> => {
    const { code, stderr, stdout } = await cs(...args)
    expect([args, code, code === 0 ? '' : stdout + stderr]).toEqual([args, 0, ''])
    return stdout
  }
  const told = async (...args: string[]): Promise<EscalationView> =>
    JSON.parse(await done('escalation', ...args, '--json')) as EscalationView
  const held = async (): Promise<string> =>
    (JSON.parse(await done('notarise', 'request.json')) as Notarised).id

  beforeAll(async () => {
    needSshKeygen()
    cwd = mkdtempSync(join(tmpdir(), 'countersign-escalations-'))
    writeFileSync(join(cwd, 'request.json'), heldRequest(1, { decideWithinSeconds: 3600 }))
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', 'cyd'], { cwd })
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', 'bob'], { cwd })
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', 'ann'], { cwd })
    await done('init', '--origin', 'log.example', '--profile', 'checkpoint')
  }, 60_000)
  afterAll(() => {
    rmSync(cwd, { force: true, recursive: true })
  })

  it('are not who asked, list what waits, and sign by nothing but ssh-keygen', async () => {
    const id = await held()
    const own = await cs('escalation', 'approve', id, '--reason', 'Mine')
    expect(own).toMatchObject({ code: 1 })
    expect(own.stderr).toContain('Whoever asked')
    const signing = ['sign', id, '--answer', 'approve', '--reason', 'Checked', '--ssh', 'cyd']
    expect((await cs('escalation', ...signing)).stderr).toContain('There is no roster')
    await done('roster', 'propose', '--out', 'roster.json')
    for (const [person, role] of [
      ['ann', 'risk_lead'],
      ['bob', 'security_lead'],
      ['cyd', 'reviewer'],
    ] as const)
      await done(
        ...['roster', 'enrol', 'roster.json', '--person', person, '--role', role, '--ssh', person],
      )
    for (const person of ['ann', 'bob', 'cyd'])
      await done('roster', 'sign', 'roster.json', '--ssh', person)
    await done('roster', 'apply', 'roster.json')
    expect((await done('escalation', 'list', '--status', 'pending')).split('\n')[1]).toContain(id)
    const challenge = ['challenge', id, '--answer', 'approve', '--reason', 'Checked']
    expect(await done('escalation', ...challenge)).toContain('Answer: approve\nReason: "Checked"\n')
    expect(await told(...signing)).toMatchObject({
      person: 'cyd',
      status: 'approved',
      vouchedBy: 'signature',
    })
    expect(await done('escalation', 'show', id)).toContain('cyd, signed')
    const wrong = await cs('escalation', 'reject', await held(), '--reason', 'No')
    expect(wrong.stderr).toContain(userInfo().username === 'cyd' ? '' : 'Whoever asked')

    await done('dossier', 'export', id, '-o', 'dossier.json')
    await done('trust-root', '-o', 'trust.json')
    const verified = await cs('verify', 'dossier.json', '--trust', 'trust.json')
    expect(verified).toMatchObject({ code: 0 })
    expect(verified.stdout).toContain('ALLOW by escalation')
    expect(verified.stderr).toContain('approved by cyd, by a signature of a key in the roster')
    await done('audit', 'export', '-o', 'all.period.jsonl')
    expect(await done('verify', 'all.period.jsonl', '--trust', 'trust.json')).toContain(
      '1 escalation approved, 1 escalation open',
    )
    const page = readFileSync(join(cwd, 'all.period.jsonl.html'), 'utf8')
    expect(page).toContain(`<td>escalation</td><td>approved</td><td>${id}</td>`)
    const index = readFileSync(join(cwd, 'all.period.jsonl.csv'), 'utf8')
    expect(index).toMatch(new RegExp(`,escalation,${id},2,.*,approved\r\n`))
    await done('log', 'fsck')
  }, 60_000)
})

import { describe, expect, it } from 'vitest'
import { asFailure } from '../../../src/base/failure.ts'
import { verifyDossier } from '../../../src/verify/index.ts'
import type { EscalationView } from '../../../src/wire/escalations.ts'
import type { GatewayRequest } from '../../../src/wire/gateway.ts'
import { requester, signing } from '../../support/leads.ts'
import {
  decideByName,
  foundReviewers,
  heldRequest,
  reviewer,
  reviewerKey,
  reviewerSign,
} from '../../support/reviewers.ts'
import {
  founder,
  foundTestService,
  principalOf,
  requestOf,
  type ServiceOptions,
  type TestService,
} from '../../support/service.ts'

const start = 1_790_000_000_000
const minute = 60_000

async function founded(
  options: ServiceOptions = {},
): Promise<{ at: TestService; clock: { now: number } }> {
  const clock = { now: start }
  return { at: await foundTestService({ clock: () => clock.now, ...options }), clock }
}

/** With a roster, in which Cyd reviews. */
async function foundedWithRoster() {
  const made = await founded()
  await foundReviewers(made.at)
  return made
}

const approving = { answer: 'approve' as const, reason: 'Checked by phone' }
const rejecting = { answer: 'reject' as const, reason: 'Not before the audit' }

const refused = (why: string) => ({
  code: 'ESCALATION_REFUSED',
  message: expect.stringContaining(why) as string,
})

async function held(at: TestService, change = {}): Promise<string> {
  return (await at.notarise(heldRequest(1, change))).id
}

const read = ({ service }: TestService, id: string, waitMs = 0): Promise<EscalationView> =>
  service.readEscalation('default', id, waitMs)

async function reportOf({ service }: TestService, stream: string) {
  return verifyDossier(
    await service.exportDossier('default', stream),
    await service.readTrustRoot('default'),
  )
}

describe('a decision that wants a reviewer', () => {
  it.each(['ESCALATE', 'REVIEW_REQUIRED'])(
    'is held from the commit on that has it in the log: %s',
    async (status) => {
      for (const profile of ['checkpoint', 'each'] as const) {
        const at = await foundTestService({ profile })
        const before = (await at.service.listTenants())[0]?.size ?? 0
        const made = await at.notarise(heldRequest(1, { status }))
        expect(made).toMatchObject({ index: before, status })
        // One checkpoint for both.
        expect(made.checkpoint.split('\n')[1]).toBe(String(before + 2))
        expect(await read(at, made.id)).toMatchObject({
          deadline: made.time + minute,
          endedAt: null,
          index: before + 1,
          openedAt: made.time,
          status: 'pending',
        })
        const report = await reportOf(at, made.id)
        expect(report).toMatchObject({
          escalation: { answered: null, status: 'pending' },
          status,
          verdict: 'valid',
        })
      }
    },
  )

  it('is not held where it said something else, or permits nothing anyhow', async () => {
    const { at } = await founded()
    for (const change of [{ status: 'ALLOW' }, { status: 'BLOCK' }, { mode: 'shadow' }]) {
      const id = await held(at, change)
      await expect(read(at, id)).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' })
    }
  })

  it('keeps its place in a batch of others, each with the one that is its own', async () => {
    const { at } = await founded()
    const made = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        at.notarise(n % 3 === 0 ? heldRequest(n) : requestOf(n)),
      ),
    )
    for (const [n, { id, index }] of made.entries()) {
      expect(await reportOf(at, id)).toMatchObject({ verdict: 'valid' })
      if (n % 3 === 0) expect(await read(at, id)).toMatchObject({ index: index + 1 })
    }
  })

  it('is held as long as the request says, within bounds', async () => {
    const { at } = await founded()
    const id = await held(at, { decideWithinSeconds: 5 })
    const { deadline, openedAt } = await read(at, id)
    expect(deadline - openedAt).toBe(5000)
  })

  it('allows one use once it is approved, and says by whom and by whose word', async () => {
    const { at } = await foundedWithRoster()
    const id = await held(at)
    await expect(at.service.claim(reviewer, id, {})).rejects.toMatchObject({
      code: 'INPUT_NOT_CLAIMABLE',
    })
    expect(await at.service.decideEscalation(reviewer, id, approving)).toMatchObject({
      person: 'cyd',
      reason: 'Checked by phone',
      status: 'approved',
      vouchedBy: 'service',
    })
    expect(await at.service.claim(requester, id, {})).toMatchObject({ maxUses: 1, use: 1 })
    await expect(at.service.claim(requester, id, {})).rejects.toMatchObject({
      code: 'INPUT_CLAIMED',
    })
    const report = await reportOf(at, id)
    expect(report).toMatchObject({
      escalation: { answered: { person: 'cyd', roster: 2 }, status: 'approved' },
      status: 'ALLOW by escalation',
      verdict: 'valid',
    })
    expect(report.notes.join()).toContain('approved by cyd, by the word of the service')
    expect(await at.service.readDecision('default', id)).toMatchObject({
      by: 'escalation',
      escalation: 'approved',
      inForce: 'ALLOW',
    })
  })

  it('is blocked once it is rejected, and stays so', async () => {
    const { at } = await founded()
    const id = await held(at)
    expect(await at.service.decideEscalation(reviewer, id, rejecting)).toMatchObject({
      status: 'rejected',
    })
    await expect(at.service.decideEscalation(reviewer, id, approving)).rejects.toMatchObject(
      refused('not open'),
    )
    await expect(at.service.claim(requester, id, {})).rejects.toMatchObject({
      code: 'INPUT_NOT_CLAIMABLE',
    })
    expect(await reportOf(at, id)).toMatchObject({
      status: 'BLOCK by escalation',
      verdict: 'valid',
    })
    expect(await at.service.readDecision('default', id)).toMatchObject({ inForce: 'BLOCK' })
  })

  it('is announced at each step to whoever wants to hear of it', async () => {
    const { at, clock } = await founded()
    const hook = { kinds: ['escalation.*'], url: 'https://hooks.example.com/' }
    await at.service.addWebhook('default', hook, founder)
    const [one, two] = [await held(at), await held(at)]
    await at.service.decideEscalation(reviewer, one, rejecting)
    clock.now += 2 * minute
    await read(at, two)
    const due = await at.service.takeDeliveries(9)
    const told = due.map(({ body }) => JSON.parse(body) as { data: object; type: string })
    expect(told.map(({ data, type }) => [type, data])).toEqual([
      ['escalation.opened', { decision: one, escalation: one }],
      ['escalation.opened', { decision: two, escalation: two }],
      ['escalation.rejected', { decision: one, escalation: one }],
      ['escalation.timed-out', { decision: two, escalation: two }],
    ])
  })

  it('is answered by a key of the roster, whoever delivers the signature', async () => {
    const { at } = await foundedWithRoster()
    const id = await held(at)
    const { challenge } = await at.service.challengeEscalation('default', id, approving)
    expect(challenge).toMatch(/^Countersign escalation v1\n/)
    const signature = { key: reviewerKey, signature: reviewerSign(challenge) }
    const stranger = principalOf('checkpoint', 'zoe')
    const other = { ...approving, reason: 'Checked by mail', signature }
    await expect(at.service.decideEscalation(stranger, id, other)).rejects.toMatchObject(
      refused('Signature of cyd'),
    )
    expect(
      await at.service.decideEscalation(stranger, id, { ...approving, signature }),
    ).toMatchObject({ person: 'cyd', status: 'approved', vouchedBy: 'signature' })
    const report = await reportOf(at, id)
    expect(report).toMatchObject({ status: 'ALLOW by escalation', verdict: 'valid' })
    expect(report.notes.join()).toContain('by a signature of a key in the roster')
  })

  it('in a log without a roster is answered by whoever has the scope, and the report says so', async () => {
    const at = await foundTestService()
    const id = await held(at)
    const signature = { person: 'zoe', signature: 'AAAA' }
    const zoe = principalOf('checkpoint', 'zoe')
    await expect(
      at.service.decideEscalation(zoe, id, { ...approving, signature }),
    ).rejects.toMatchObject(refused('no roster'))
    await at.service.decideEscalation(zoe, id, approving)
    const report = await reportOf(at, id)
    expect(report).toMatchObject({ status: 'ALLOW by escalation', verdict: 'valid' })
    expect(report.notes.join()).toContain('there was no roster')
  })
})

describe('an answer is refused', () => {
  it.each([
    ['whoever asked for the decision', 'alice', 'Whoever asked'],
    ['the actor', 'cyd', 'Whoever asked'],
    ['a stranger', 'zoe', 'Nobody of this id'],
  ])('of %s', async (_, owner, why) => {
    const { at } = await foundedWithRoster()
    const intent = { action: { type: 'pay' }, actor: { id: 'cyd' } }
    const id = (await at.notarise(heldRequest(1, { intent }))).id
    await expect(
      at.service.decideEscalation(principalOf('checkpoint', owner), id, approving),
    ).rejects.toMatchObject(refused(why))
    expect(await read(at, id)).toMatchObject({ status: 'pending' })
  })

  it('at the command line of a log with a roster, whatever the user is called', async () => {
    const { at } = await foundedWithRoster()
    const id = await held(at)
    const caller = { id: 'cli', owner: 'cyd', type: 'local' as const }
    await expect(
      at.service.decideEscalation({ ...reviewer, caller }, id, approving),
    ).rejects.toMatchObject(refused('by an API key or is signed'))
    const alone = await foundTestService()
    const other = await held(alone)
    expect(
      await alone.service.decideEscalation({ ...reviewer, caller }, other, approving),
    ).toMatchObject({ person: 'cyd', vouchedBy: 'service' })
  })

  it('behind the deadline, which is the last moment that is good', async () => {
    const { at, clock } = await founded()
    const [first, second] = [await held(at), await held(at)]
    const { deadline } = await read(at, first)
    clock.now = deadline
    expect(await at.service.decideEscalation(reviewer, first, approving)).toMatchObject({
      status: 'approved',
    })
    clock.now = deadline + 1
    await expect(at.service.decideEscalation(reviewer, second, approving)).rejects.toMatchObject(
      refused('timed-out'),
    )
    expect(await reportOf(at, second)).toMatchObject({
      escalation: { deadline, endedAt: deadline + 1, status: 'timed-out' },
      status: 'BLOCK by escalation',
      verdict: 'valid',
    })
  })

  it('by the time that the log gives, whenever the clock moves on while it is being signed', async () => {
    const clock = { now: start, reads: Infinity }
    const at = await foundTestService({
      clock: () => (clock.reads-- > 0 ? clock.now : clock.now + 1),
    })
    const ends: string[] = []
    for (let reads = 0; reads < 6; reads++) {
      const id = await held(at)
      const { deadline } = await read(at, id)
      clock.now = deadline
      clock.reads = reads
      const end = at.service.decideEscalation(reviewer, id, approving).then(({ status }) => status)
      ends.push(await end.catch((error: unknown) => asFailure(error).code))
      clock.now += 1
      clock.reads = Infinity
      await read(at, id)
      const { escalation, verdict } = await reportOf(at, id)
      expect([reads, verdict, escalation?.status]).toEqual([
        reads,
        'valid',
        ends.at(-1) === 'approved' ? 'approved' : 'timed-out',
      ])
    }
    expect(new Set(ends)).toEqual(new Set(['ESCALATION_REFUSED', 'approved']))
  })

  it('of a clock that was set back behind a time-out, or behind what the log has seen', async () => {
    const { at, clock } = await founded()
    const [told, unseen] = [await held(at), await held(at)]
    const { deadline } = await read(at, told)
    clock.now = deadline + 1
    expect(await read(at, told)).toMatchObject({ status: 'timed-out' })
    clock.now = deadline - 1000
    expect(await read(at, told)).toMatchObject({ status: 'timed-out' })
    for (const id of [told, unseen])
      await expect(at.service.decideEscalation(reviewer, id, approving)).rejects.toMatchObject(
        refused('timed-out'),
      )
    clock.now = deadline - 10_000
    await expect(at.service.decideEscalation(reviewer, told, approving)).rejects.toMatchObject(
      refused('timed-out'),
    )
  })

  it('once two leads have overruled, and they may not once it was approved', async () => {
    const { at } = await foundedWithRoster()
    const [one, two] = [await held(at), await held(at)]
    const opening = (decision: string) => ({ decision, justification: 'Customer waits' })
    const asked = await at.service.openOverride(requester, opening(one))
    for (const [lead, role] of [
      ['ann', 'risk_lead'],
      ['bob', 'security_lead'],
    ] as const)
      await at.service.actOnOverride(requester, one, signing(lead, role, asked.challenge))
    await at.service.actOnOverride(requester, one, { act: 'execute' })
    await expect(at.service.decideEscalation(reviewer, one, approving)).rejects.toMatchObject(
      refused('overruled already'),
    )
    expect(await reportOf(at, one)).toMatchObject({
      status: 'ALLOW by override',
      verdict: 'valid',
    })
    await at.service.decideEscalation(reviewer, two, approving)
    await expect(at.service.openOverride(requester, opening(two))).rejects.toMatchObject({
      code: 'OVERRIDE_REFUSED',
    })
  })

  it('in a tenant that is closed, where the gateway blocks', async () => {
    const { at, clock } = await founded({ decideGateway: decideByName })
    const id = await held(at)
    await at.service.closeTenant('default', 'Moved', founder)
    await expect(at.service.decideEscalation(reviewer, id, approving)).rejects.toMatchObject({
      code: 'TENANT_CLOSED',
    })
    const asked = { action: 'a', agent_id: 'b', session_id: 'c', tenant_policy_id: 'allow' }
    expect(await at.service.executeGateway(at.principal, asked)).toMatchObject({
      decision: 'BLOCK',
      event_id: null,
    })
    clock.now += 2 * minute
    expect(await read(at, id)).toMatchObject({ status: 'timed-out' })
  })

  it('once what was decided is erased', async () => {
    const { at, clock } = await founded()
    const id = await held(at)
    await at.service.erase(requester, id, 'asked for')
    await expect(at.service.decideEscalation(reviewer, id, approving)).rejects.toMatchObject({
      code: 'INPUT_ERASED',
    })
    clock.now += 2 * minute
    await expect(read(at, id)).rejects.toMatchObject({ code: 'INPUT_ERASED' })
    expect(await reportOf(at, id)).toMatchObject({ verdict: 'erased' })
    const { escalations } = await at.service.listEscalations('default', { limit: 5 })
    expect(escalations).toMatchObject([{ id, status: null }])
  })

  it('of all but one, where many answer at once', async () => {
    const { at } = await founded()
    const id = await held(at)
    const tried = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) =>
        at.service.decideEscalation(reviewer, id, n % 2 === 0 ? approving : rejecting),
      ),
    )
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const { entries, verdict } = await reportOf(at, id)
    expect([entries.length, verdict]).toEqual([3, 'valid'])
  })
})

describe('who waits', () => {
  it('is told when it is answered', async () => {
    const { at } = await founded()
    const id = await held(at)
    const waiting = read(at, id, minute)
    await at.service.decideEscalation(reviewer, id, approving)
    expect(await waiting).toMatchObject({ status: 'approved' })
  })

  it('is told when time is up, by the timer of the service', async () => {
    const at = await foundTestService()
    const id = await held(at, { decideWithinSeconds: 1 })
    expect(await read(at, id, minute)).toMatchObject({ status: 'timed-out' })
    expect((await reportOf(at, id)).entries).toHaveLength(3)
  })

  it('is told what is known when his own time is up', async () => {
    const { at } = await founded()
    expect(await read(at, await held(at), 5)).toMatchObject({ status: 'pending' })
  })

  it('is told what is known when the service ends', async () => {
    const { at } = await founded()
    const waiting = read(at, await held(at), minute)
    // Until the wait has begun.
    await read(at, await held(at))
    await at.service.endWaits()
    expect(await waiting).toMatchObject({ status: 'pending' })
  })

  it('is one of so many at most', async () => {
    const { at } = await founded({ mostWaits: 2 })
    const id = await held(at)
    const waiting = [read(at, id, minute), read(at, id, minute)]
    await expect(read(at, id, minute)).rejects.toMatchObject({ code: 'LOG_BUSY' })
    expect(await read(at, id)).toMatchObject({ status: 'pending' })
    await at.service.decideEscalation(reviewer, id, approving)
    expect(await Promise.all(waiting)).toMatchObject([
      { status: 'approved' },
      { status: 'approved' },
    ])
  })

  it('is one of 64, while decisions go on', async () => {
    const { at } = await founded()
    const ids = await Promise.all(Array.from({ length: 64 }, () => held(at)))
    const waiting = ids.map((id) => read(at, id, minute))
    const others = Array.from({ length: 200 }, (_, n) => at.notarise(requestOf(n)))
    for (const [n, id] of ids.entries())
      await at.service.decideEscalation(reviewer, id, n % 2 === 0 ? approving : rejecting)
    expect((await Promise.all(others)).every(({ status }) => status === 'ALLOW')).toBe(true)
    const ended = await Promise.all(waiting)
    expect(ended.map(({ status }) => status)).toEqual(
      ids.map((_, n) => (n % 2 === 0 ? 'approved' : 'rejected')),
    )
  }, 20_000)
})

describe('after a restart', () => {
  it('what was held is held, and what ran out meanwhile has timed out', async () => {
    const clock = { now: start }
    const at = await foundTestService({ clock: () => clock.now })
    const [early, late] = [await held(at), await held(at, { decideWithinSeconds: 3600 })]
    clock.now += 2 * minute
    const again = await at.reopen()
    await expect
      .poll(async () => (await again.service.readDecision('default', early)).inForce)
      .toBe('BLOCK')
    expect((await reportOf(again, early)).entries).toHaveLength(3)
    expect(await again.service.decideEscalation(reviewer, late, approving)).toMatchObject({
      status: 'approved',
    })
  })
})

describe('the list of escalations', () => {
  it('has the newest first, by their states, page by page', async () => {
    const { at, clock } = await founded()
    const ids = [await held(at), await held(at), await held(at)]
    await at.notarise(requestOf(1))
    await at.service.decideEscalation(reviewer, ids[0] ?? '', approving)
    const listed = async (change = {}) =>
      (await at.service.listEscalations('default', { limit: 10, ...change })).escalations.map(
        ({ id, status }) => [ids.indexOf(id), status],
      )
    expect(await listed()).toEqual([
      [2, 'pending'],
      [1, 'pending'],
      [0, 'approved'],
    ])
    expect(await listed({ status: 'pending' })).toEqual([
      [2, 'pending'],
      [1, 'pending'],
    ])
    const first = await at.service.listEscalations('default', { limit: 2 })
    expect(first.escalations).toHaveLength(2)
    expect(await listed({ cursor: first.cursor ?? '' })).toEqual([[0, 'approved']])
    clock.now += 2 * minute
    expect(await listed({ status: 'timed-out' })).toEqual([
      [2, 'timed-out'],
      [1, 'timed-out'],
    ])
    await expect(listed({ cursor: 'x' })).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})

describe('the gateway', () => {
  const asking = (change: Partial<GatewayRequest> = {}): GatewayRequest => ({
    action: 'payments.refund',
    agent_id: 'agent-1',
    decision: 'ALLOW',
    parameters: { amount: 7 },
    session_id: 'sess_1',
    tenant_policy_id: 'hold',
    ...change,
  })

  it('allows nothing without a policy, whatever the client suggests', async () => {
    const at = await foundTestService()
    const before = await at.service.listTenants()
    const ask = (policy: string | null) =>
      at.service.executeGateway(at.principal, asking({ tenant_policy_id: policy }))
    const nothing = { actor_human_id: null, decision: 'BLOCK', escalation_id: null, event_id: null }
    expect(await ask(null)).toEqual({ ...nothing, reason: 'tenant_policy_id is required' })
    expect(await ask('any')).toEqual({ ...nothing, reason: 'tenant_policy_id not found' })
    expect(await at.service.listTenants()).toEqual(before)
  })

  it.each([
    ['allow', 'ALLOW'],
    ['block', 'BLOCK'],
  ])('answers at once what policy %s says: %s', async (policy, decision) => {
    const { at } = await founded({ decideGateway: decideByName })
    const answer = await at.service.executeGateway(
      at.principal,
      asking({ tenant_policy_id: policy }),
    )
    expect(answer).toMatchObject({ decision, escalation_id: null, reason: `Policy ${policy}` })
    const report = await reportOf(at, answer.event_id ?? '')
    expect(report).toMatchObject({ status: decision, verdict: 'valid' })
    expect(report.notes.join()).not.toContain('submitted')
  })

  it.each([
    ['approve', 'ALLOW', 'Escalation APPROVED by cyd'],
    ['reject', 'BLOCK', 'Escalation REJECT — action blocked'],
  ] as const)('holds until somebody answers: %s', async (answer, decision, reason) => {
    const { at } = await founded({ decideGateway: decideByName })
    const held = at.service.executeGateway(at.principal, asking())
    await expect
      .poll(async () => (await at.service.listEscalations('default', { limit: 1 })).escalations)
      .toHaveLength(1)
    const { escalations } = await at.service.listEscalations('default', { limit: 1 })
    const id = escalations[0]?.id ?? ''
    await at.service.decideEscalation(reviewer, id, { answer, reason: 'Seen' })
    expect(await held).toEqual({
      actor_human_id: 'cyd',
      decision,
      escalation_id: id,
      event_id: id,
      reason,
    })
  })

  it('blocks when nobody answers in time, and tells who asks again the same', async () => {
    const at = await foundTestService({
      decideGateway: async (...args) => {
        const made = await decideByName(...args)
        return 'refused' in made ? made : { decided: { ...made.decided, decideWithinSeconds: 1 } }
      },
    })
    const request = asking({ idempotency_key: 'once' })
    const first = await at.service.executeGateway(at.principal, request)
    expect(first).toMatchObject({
      decision: 'BLOCK',
      reason: 'Escalation TIMEOUT — action blocked',
    })
    const guess = { ...request, decision: 'BLOCK' }
    expect(await at.service.executeGateway(at.principal, guess)).toEqual(first)
    await expect(
      at.service.executeGateway(at.principal, { ...request, parameters: { amount: 8 } }),
    ).rejects.toMatchObject({ code: 'INPUT_CONFLICT' })
  })

  it('goes on holding what the same caller was told of, and nothing else', async () => {
    const { at } = await founded({ decideGateway: decideByName, mostWaits: 1 })
    const first = at.service.executeGateway(at.principal, asking())
    await expect
      .poll(async () => (await at.service.listEscalations('default', { limit: 1 })).escalations)
      .toHaveLength(1)
    // One is held, so that all others are told at once how it stands.
    const { escalations } = await at.service.listEscalations('default', { limit: 1 })
    const again = asking({ escalation_id: escalations[0]?.id ?? '' })
    const resumed = (request: GatewayRequest, owner = 'alice') =>
      at.service.executeGateway(principalOf('checkpoint', owner), request)
    expect(await resumed(again)).toMatchObject({ escalation_id: again.escalation_id })
    const before = await at.service.listTenants()
    for (const [request, owner] of [
      [{ ...again, parameters: { amount: 8 } }],
      [{ ...again, action: 'payments.pay' }],
      [again, 'mallory'],
      [{ ...again, escalation_id: 'none' }],
    ] as const)
      expect(await resumed(request, owner)).toMatchObject({
        decision: 'BLOCK',
        event_id: null,
        reason: 'escalation_id is not of this request',
      })
    const small = asking({ tenant_policy_id: 'allow' })
    const { event_id: allowed } = await at.service.executeGateway(at.principal, small)
    expect(await resumed({ ...small, escalation_id: allowed })).toMatchObject({ event_id: null })
    await at.service.decideEscalation(reviewer, again.escalation_id ?? '', approving)
    expect(await first).toMatchObject({ decision: 'ALLOW' })
    expect((await resumed(again, 'mallory')).decision).toBe('BLOCK')
    // One decision, its escalation, the answer to it and its one use.
    expect((await at.service.listTenants())[0]?.size).toBe((before[0]?.size ?? 0) + 3)
  })

  it('lets one approval do for one action, whoever asks how often, but for the same idempotency key', async () => {
    const { at } = await founded({ decideGateway: decideByName, mostWaits: 1 })
    const ask = (change: Partial<GatewayRequest>) =>
      at.service.executeGateway(at.principal, asking(change))
    const newest = async (): Promise<string> =>
      (await at.service.listEscalations('default', { limit: 1 })).escalations[0]?.id ?? ''
    const approve = async (id: string): Promise<unknown> =>
      at.service.decideEscalation(reviewer, id, approving)

    // Held by nobody when it is approved: the first who asks again has it.
    await at.service.endWaits()
    await ask({})
    const escalation_id = await newest()
    await approve(escalation_id)
    const all = await Promise.all([1, 2, 3].map(() => ask({ escalation_id })))
    expect(all.map(({ decision }) => decision).toSorted()).toEqual(['ALLOW', 'BLOCK', 'BLOCK'])
    expect((await ask({ escalation_id })).reason).toContain('was used')
    const report = await reportOf(at, escalation_id)
    expect(report).toMatchObject({ status: 'ALLOW by escalation', verdict: 'valid' })

    // Who repeats a request under its key is told the same, and uses it up for others.
    await ask({ idempotency_key: 'K' })
    const keyed = await newest()
    await approve(keyed)
    for (let n = 0; n < 2; n++)
      expect(await ask({ idempotency_key: 'K' })).toMatchObject({ decision: 'ALLOW' })
    expect(await ask({ escalation_id: keyed })).toMatchObject({ decision: 'BLOCK' })

    // What was claimed by itself is claimed.
    await ask({ session_id: 'sess_2' })
    const claimed = await newest()
    await approve(claimed)
    await at.service.claim(at.principal, claimed, {})
    expect(await ask({ escalation_id: claimed, session_id: 'sess_2' })).toMatchObject({
      decision: 'BLOCK',
    })
  })

  it.each<[string, (at: TestService, id: string) => Promise<unknown>]>([
    ['another owner', async (at, id) => at.service.claim(principalOf('checkpoint', 'bob'), id, {})],
    [
      'another owner in the words of the gateway',
      async (at, id) =>
        at.service.claim(principalOf('checkpoint', 'bob'), id, {
          note: 'Answered to a client that was held',
        }),
    ],
    ['its own claim', async (at, id) => at.service.claim(at.principal, id, {})],
    [
      'who named the escalation',
      async (at, id) => at.service.executeGateway(at.principal, asking({ escalation_id: id })),
    ],
  ])('does not tell a repeated request of a use that %s has had', async (_, use) => {
    const { at } = await founded({ decideGateway: decideByName, mostWaits: 1 })
    const ask = () => at.service.executeGateway(at.principal, asking({ idempotency_key: 'K' }))
    await at.service.endWaits()
    const { escalation_id: id } = await ask()
    await at.service.decideEscalation(reviewer, id ?? '', approving)
    await use(at, id ?? '')
    const size = async () => (await at.service.listTenants())[0]?.size
    const before = await size()
    expect(await ask()).toMatchObject({
      decision: 'BLOCK',
      reason: expect.stringContaining('was used') as string,
    })
    expect(await size()).toBe(before)
  })

  it('holds for nobody who has left, and uses no approval up for them', async () => {
    const { at } = await founded({ decideGateway: decideByName, mostWaits: 1 })
    const leaver = new AbortController()
    const left = at.service.executeGateway(at.principal, asking(), leaver.signal)
    const newest = async () =>
      (await at.service.listEscalations('default', { limit: 1 })).escalations[0]?.id
    await expect.poll(newest).toBeDefined()
    const escalation_id = (await newest()) ?? ''
    leaver.abort()
    expect(await left).toMatchObject({ decision: 'BLOCK', escalation_id })
    const size = async () => (await at.service.listTenants())[0]?.size ?? 0
    const before = await size()
    await at.service.decideEscalation(reviewer, escalation_id, approving)
    const gone = await at.service.executeGateway(
      at.principal,
      asking({ escalation_id }),
      leaver.signal,
    )
    expect(gone).toMatchObject({ decision: 'BLOCK' })
    expect(await size()).toBe(before + 1)
    const there = await at.service.executeGateway(at.principal, asking({ escalation_id }))
    expect(there).toMatchObject({ decision: 'ALLOW' })
  })

  it('blocks, and says so, where too many are held or the service ends', async () => {
    const { at } = await founded({ decideGateway: decideByName, mostWaits: 1 })
    const first = at.service.executeGateway(at.principal, asking())
    await expect
      .poll(async () => (await at.service.listEscalations('default', { limit: 1 })).escalations)
      .toHaveLength(1)
    expect(await at.service.executeGateway(at.principal, asking())).toMatchObject({
      decision: 'BLOCK',
      reason: expect.stringContaining('too many are held') as string,
    })
    await at.service.endWaits()
    expect(await first).toMatchObject({
      decision: 'BLOCK',
      reason: expect.stringContaining('service is ending') as string,
    })
  })
})

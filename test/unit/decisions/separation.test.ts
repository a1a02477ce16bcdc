import { describe, expect, it } from 'vitest'
import { canonicalize } from '../../../src/base/canonical-json.ts'
import type { Principal } from '../../../src/decisions/service.ts'
import { isNamesake } from '../../../src/decisions/namesakes.ts'
import { rosterDigest, type Roster } from '../../../src/dossier/roster.ts'
import type { Notarised } from '../../../src/wire/decision.ts'
import { firstRoster } from '../../support/forge-override.ts'
import { blockedRequest, foundRoster, proposalOf, requester, signing } from '../../support/leads.ts'
import { foundReviewers, heldRequest, reviewer } from '../../support/reviewers.ts'
import { founder, foundTestService, principalOf, type TestService } from '../../support/service.ts'

const as = (owner: string): Principal => principalOf('checkpoint', owner)
const approving = { answer: 'approve' as const, reason: 'Checked' }
const rejecting = { answer: 'reject' as const, reason: 'Not now' }
const intentOf = (id: string) => ({ action: { type: 'pay' }, actor: { id } })

const spellings = [
  'Cyd',
  ' cyd',
  'CYD',
  'ｃｙｄ',
  'c\u00adyd',
  'cyd\u200b',
  'user:cyd',
  'User:CYD',
  'idp/staff/Cyd',
]

async function activate({ service }: TestService, bundle: object): Promise<void> {
  const record = canonicalize({ bundle, dialect: 'native' })
  const { sha256 } = await service.registerPolicy('default', record, founder)
  await service.activatePolicy('default', sha256, {}, founder)
}

describe('a name', () => {
  it.each([...spellings, 'cyd'])('is that of a person in another spelling: %j', (name) => {
    expect(isNamesake(name, 'cyd')).toBe(true)
    expect(isNamesake('cyd', name)).toBe(true)
  })

  it.each(['cydney', 'cy d', 'c', '', 'cyd:', 'cyd:other', 'other', 'ćyd'])(
    'is that of somebody else: %j',
    (name) => {
      expect(isNamesake(name, 'cyd')).toBe(false)
    },
  )

  it('is no other by the case of letters that have several small ones', () => {
    expect(isNamesake('Straße', 'STRASSE')).toBe(true)
    expect(isNamesake('ΝΙΚΟΣ', 'νικοσ')).toBe(true)
    expect(isNamesake(':', '/')).toBe(false)
  })
})

describe('whoever asked, in another spelling', () => {
  it('does not review, neither as the actor nor as the owner of the API key', async () => {
    const at = await foundTestService()
    await foundReviewers(at)
    const decide = (id: string, said: typeof approving | typeof rejecting) =>
      at.service.decideEscalation(reviewer, id, said)
    const refused = { code: 'ESCALATION_REFUSED' }
    for (const name of spellings) {
      const { id } = await at.notarise(heldRequest(1, { intent: intentOf(name) }))
      for (const said of [approving, rejecting])
        await expect(decide(id, said)).rejects.toMatchObject(refused)
    }
    const owned = await at.notarise(heldRequest(1), undefined, as('CYD'))
    await expect(decide(owned.id, approving)).rejects.toMatchObject(refused)
    const free = await at.notarise(heldRequest(1, { intent: intentOf('user:cydney') }))
    expect(await decide(free.id, approving)).toMatchObject({ person: 'cyd', status: 'approved' })
  })

  it('does not sign an override, nor an action', async () => {
    const at = await foundTestService()
    await foundRoster(at)
    const overrule = async (actor: string, by: Principal) => {
      const request = blockedRequest(1, { intent: intentOf(actor) })
      const { id } = await at.notarise(request)
      const opening = { decision: id, justification: 'Season peak' }
      const { challenge } = await at.service.openOverride(by, opening)
      return at.service.actOnOverride(as('ann'), id, signing('ann', 'risk_lead', challenge))
    }
    const refused = { code: 'OVERRIDE_REFUSED' }
    await expect(overrule('user:Ann', requester)).rejects.toMatchObject(refused)
    await expect(overrule('bot', as('ANN'))).rejects.toMatchObject(refused)
    expect(await overrule('annette', requester)).toMatchObject({ status: 'partial' })

    const wish = { action: 'control.none' as const, reason: 'Trying' }
    const act = async (owner: string) => {
      const opened = await at.service.openAction(as(owner), { justification: 'Trying', wish })
      const { action, challenge } = opened
      const act = signing('ann', 'risk_lead', challenge)
      if (act.act !== 'sign') throw new Error('Not a signature')
      return at.service.actOnAction(as('ann'), action, act)
    }
    await expect(act('Ann')).rejects.toMatchObject({ code: 'ACTION_REFUSED' })
    expect(await act('annette')).toMatchObject({ status: 'partial' })
  })

  it('does not vote on what was proposed, nor does the actor, unless that is allowed', async () => {
    const at = await foundTestService()
    await foundReviewers(at)
    const open = (owner: string, more: object = {}, actor = 'bot') =>
      at.service.openProposal(as(owner), { intent: intentOf(actor), quorum: 1, ...more })
    expect((await open('ANN')).voters).toEqual(['bob', 'cyd'])
    expect((await open('carl', {}, 'user:bob')).voters).toEqual(['ann', 'cyd'])
    const refused = { code: 'PROPOSAL_REFUSED' }
    await expect(open('ANN', { voters: ['ann'] })).rejects.toMatchObject(refused)
    await expect(open('carl', { voters: ['bob'] }, 'Bob')).rejects.toMatchObject(refused)
    const allowed = await open('ANN', { proposerMayVote: true })
    expect(allowed.voters).toEqual(['ann', 'bob', 'cyd'])
  })

  it('is no second person of a roster', async () => {
    const at = await foundTestService()
    const [ann, bob] = firstRoster.people
    if (ann === undefined || bob === undefined) throw new Error('No people')
    const view = await at.service.readRoster('default')
    const double = { ...firstRoster, people: [ann, { ...bob, id: 'Ａnn' }] }
    await expect(
      at.service.applyRoster('default', proposalOf(view, double, 'ann', 'bob'), founder),
    ).rejects.toMatchObject({ code: 'ROSTER_REFUSED' })
    await foundRoster(at)
  })
})

describe('a voter', () => {
  const vote = ({ service }: TestService, by: Principal, proposal: string) =>
    service.actOnProposal(by, proposal, { act: 'vote', vote: 'APPROVE' })
  const open = ({ service }: TestService) =>
    service.openProposal(as('carl'), { intent: intentOf('bot'), quorum: 3 })

  it('who has lost every role does not vote any more', async () => {
    const at = await foundTestService()
    await foundReviewers(at)
    const { proposal } = await open(at)
    const view = await at.service.readRoster('default')
    const before = view.current?.roster
    if (before === undefined) throw new Error('No roster')
    const after: Roster = {
      ...before,
      people: before.people.map((one) => (one.id === 'cyd' ? { ...one, roles: [] } : one)),
      previous: rosterDigest(before),
      version: 3,
    }
    await at.service.applyRoster('default', proposalOf(view, after, 'ann', 'bob'), founder)
    await expect(vote(at, reviewer, proposal)).rejects.toMatchObject({ code: 'PROPOSAL_REFUSED' })
    expect((await vote(at, as('ann'), proposal)).votes).toHaveLength(1)
    expect(await at.service.openProposal(as('carl'), { intent: intentOf('bot') })).toMatchObject({
      voters: ['ann', 'bob'],
    })
    const named = { intent: intentOf('bot'), voters: ['ann', 'cyd'] }
    await expect(at.service.openProposal(as('carl'), named)).rejects.toMatchObject({
      code: 'PROPOSAL_REFUSED',
    })
  })

  it('at the command line is one, whatever names the host has', async () => {
    const at = await foundTestService()
    await foundReviewers(at)
    const local = (owner: string): Principal => ({
      ...as(owner),
      caller: { id: 'cli', owner, type: 'local' },
    })
    const { proposal } = await open(at)
    expect((await vote(at, local('ann'), proposal)).votes).toHaveLength(1)
    await expect(vote(at, local('bob'), proposal)).rejects.toMatchObject({
      code: 'PROPOSAL_REFUSED',
    })
    expect((await vote(at, as('bob'), proposal)).votes).toHaveLength(2)
  })
})

describe('an API key that was made in the name of somebody before the roster named them', () => {
  it('speaks for them only where the command line has made it, however many keys are between', async () => {
    const at = await foundTestService()
    const { caller: mallory } = as('mallory')
    const make = async (by = mallory) => {
      const { token } = await at.service.createApiKey('default', 'cyd', ['apikeys:manage'], by)
      return at.service.authenticate(token)
    }
    const early = await make()
    const lawful = await make(founder)
    await foundReviewers(at)
    const child = await make(early.caller)
    const heir = await make(lawful.caller)
    const { id } = await at.notarise(heldRequest(1))
    for (const key of [early, child])
      await expect(at.service.decideEscalation(key, id, approving)).rejects.toMatchObject({
        code: 'AUTH_SCOPE',
      })
    const { proposal } = await at.service.openProposal(as('carl'), { intent: intentOf('bot') })
    const vote = { act: 'vote' as const, vote: 'APPROVE' as const }
    await expect(at.service.actOnProposal(child, proposal, vote)).rejects.toMatchObject({
      code: 'AUTH_SCOPE',
    })
    expect(await at.service.decideEscalation(heir, id, approving)).toMatchObject({
      status: 'approved',
    })
  })
})

describe('a gate that has failed', () => {
  const failed = (name: string) => ({ gates: [{ name, passed: false }] })

  it('is not set aside by one reviewer, who may reject, where policies have asked it', async () => {
    const at = await foundTestService()
    await foundReviewers(at)
    await activate(at, {
      bundle_id: 'gated',
      version: '1',
      gates: { version: 'countersign/gates/v1', settings: {} },
      policies: [{ id: 'p', rules: [{ id: 'r', effect: 'allow', when: { kind: 'always' } }] }],
    })
    const context = { gates: { complexity_score: 0.9, estimated_impact: 'high' } }
    const made = await at.notarise(JSON.stringify({ intent: { ...intentOf('bot'), context } }))
    expect(made.status).toBe('ESCALATE')
    const decide = (said: typeof approving | typeof rejecting) =>
      at.service.decideEscalation(reviewer, made.id, said)
    await expect(decide(approving)).rejects.toMatchObject({
      code: 'ESCALATION_REFUSED',
      message: expect.stringContaining('ask both leads') as string,
    })
    expect(await decide(rejecting)).toMatchObject({ status: 'rejected' })
  })

  it('of a submitted decision is for whoever submits, but for the complexity floor', async () => {
    const at = await foundTestService()
    await foundReviewers(at)
    const floor = await at.notarise(heldRequest(1, failed('complexity')))
    await expect(at.service.decideEscalation(reviewer, floor.id, approving)).rejects.toMatchObject({
      code: 'ESCALATION_REFUSED',
    })
    const other = await at.notarise(heldRequest(2, failed('risk')))
    expect(await at.service.decideEscalation(reviewer, other.id, approving)).toMatchObject({
      status: 'approved',
    })
  })
})

it('a client that is held is not answered by a decision of another key of its owner with other bonds', async () => {
  const at = await foundTestService({ mostWaits: 1 })
  await activate(at, {
    bundle_id: 'held',
    version: '1',
    policies: [{ id: 'p', rules: [{ id: 'r', effect: 'escalate', when: { kind: 'always' } }] }],
  })
  await at.service.endWaits()
  const bonds = (environment: string): Principal => ({
    ...as('gate'),
    bound: { environment, policies: [] },
  })
  const request = { action: 'pay', agent_id: 'bot', session_id: 's' }
  const held = await at.service.executeGateway(bonds('test'), request)
  const again = { ...request, escalation_id: held.escalation_id }
  await at.service.decideEscalation(as('cyd'), held.escalation_id ?? '', approving)
  expect(await at.service.executeGateway(bonds('production'), again)).toMatchObject({
    decision: 'BLOCK',
    event_id: null,
  })
  expect(await at.service.executeGateway(bonds('test'), again)).toMatchObject({
    decision: 'ALLOW',
  })
})

describe('what policies say', () => {
  const held = (deadline?: number) => ({
    bundle_id: 'held',
    version: '1',
    policies: [
      {
        id: 'p',
        rules: [
          {
            id: 'r',
            effect: 'escalate',
            when: { kind: 'always' },
            ...(deadline === undefined ? {} : { deadline }),
          },
        ],
      },
    ],
  })

  it.each([
    [300, 604_800, 300],
    [300, 30, 30],
    [300, undefined, 300],
    [2_592_000, undefined, 604_800],
    [undefined, 120, 120],
    [undefined, undefined, 60],
  ])(
    'of a deadline of %s s is not put off by who asks for %s s',
    async (deadline, decideWithinSeconds, seconds) => {
      const at = await foundTestService()
      await activate(at, held(deadline))
      const { id, time } = await at.notarise(
        JSON.stringify({ decideWithinSeconds, intent: intentOf('bot') }),
      )
      const view = await at.service.readEscalation('default', id, 0)
      expect(view.deadline - time).toBe(seconds * 1000)
    },
  )

  it('about one API key is not replayed to another of its owner with other bonds', async () => {
    const at = await foundTestService()
    await activate(at, {
      bundle_id: 'production',
      version: '1',
      policies: [
        {
          id: 'p',
          default_effect: 'allow',
          rules: [
            {
              id: 'r',
              effect: 'deny',
              when: { kind: 'eq', field: 'environment', value: 'production' },
            },
          ],
        },
      ],
    })
    const key = async (environment: string | null) => {
      const bound = { environment, policies: [] }
      const { token } = await at.service.createApiKey(
        'default',
        'gate',
        ['decisions:evaluate'],
        founder,
        bound,
      )
      return at.service.authenticate(token)
    }
    const [test, again, production, free] = [
      await key('test'),
      await key('test'),
      await key('production'),
      await key(null),
    ]
    const ask = async (by: Principal, name = 'K'): Promise<Notarised> =>
      at.notarise(JSON.stringify({ intent: intentOf('bot') }), name, by)
    const first = await ask(test)
    expect(first.status).toBe('ALLOW')
    for (const by of [test, again])
      expect(await ask(by)).toMatchObject({ id: first.id, replayed: true })
    for (const by of [production, free])
      await expect(ask(by)).rejects.toMatchObject({ code: 'INPUT_CONFLICT' })
    expect((await ask(production, 'L')).status).toBe('BLOCK')
    // Twins that are under way at once, too.
    const twins = await Promise.allSettled([ask(test, 'M'), ask(production, 'M')])
    expect(twins.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })
})

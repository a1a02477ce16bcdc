import { describe, expect, it } from 'vitest'
import { parseChallenge } from '../../../src/dossier/challenge.ts'
import { rosterDigest, type PersonKey, type Roster } from '../../../src/dossier/roster.ts'
import { verifyDossier } from '../../../src/verify/index.ts'
import { firstRoster, leadKey, leadSign, type Lead } from '../../support/forge-override.ts'
import { blockedRequest, proposalOf, requester, signing } from '../../support/leads.ts'
import { founder, foundTestService, type TestService } from '../../support/service.ts'

const start = 1_790_000_000_000

const keyOf = (lead: Lead, change: Partial<PersonKey> = {}): PersonKey => ({
  key: leadKey(lead),
  kind: 'Ed25519',
  notAfter: null,
  notBefore: 0,
  revoked: false,
  ...change,
})

/** A roster in which Ann has the keys given. */
const withKeys = (keys: readonly PersonKey[], before?: Roster): Roster => ({
  ...firstRoster,
  people: firstRoster.people.map((one) => (one.id === 'ann' ? { ...one, keys: [...keys] } : one)),
  previous: before === undefined ? null : rosterDigest(before),
  version: (before?.version ?? 0) + 1,
})

async function founded(roster: Roster, ...by: Lead[]) {
  const clock = { now: start }
  const at = await foundTestService({ clock: () => clock.now })
  await apply(at, roster, ...by)
  return { at, clock }
}

async function apply({ service }: TestService, roster: Roster, ...by: Lead[]): Promise<void> {
  const view = await service.readRoster('default')
  await service.applyRoster('default', proposalOf(view, roster, ...by), founder)
}

async function opened(at: TestService, justification = 'Customer waits') {
  const { id } = await at.notarise(blockedRequest(1))
  return at.service.openOverride(requester, { decision: id, justification })
}

type Opened = Awaited<ReturnType<typeof opened>>

/** Ann delivers a signature by one of her keys. */
const byKey = (
  at: TestService,
  { challenge, decision }: Opened,
  lead: Lead,
  role: 'risk_lead' | 'security_lead' = 'risk_lead',
) =>
  at.service.actOnOverride(
    requester,
    decision,
    signing('ann', role, challenge, {
      key: leadKey(lead),
      person: 'ann',
      signature: leadSign(lead, challenge),
    }),
  )

const refused = (why: string) => ({
  code: 'OVERRIDE_REFUSED',
  message: expect.stringContaining(why) as string,
})

describe('a key of a lead', () => {
  it('signs nothing after it was revoked, however early the signature was made', async () => {
    const one = withKeys([keyOf('ann')])
    const { at } = await founded(one, 'ann', 'bob')
    const before = await opened(at)
    // Made while the key was good, and kept.
    const kept = signing('ann', 'risk_lead', before.challenge)
    const two = withKeys([keyOf('ann', { revoked: true }), keyOf('eve')], one)
    await apply(at, two, 'ann', 'bob', 'eve')
    await expect(at.service.actOnOverride(requester, before.decision, kept)).rejects.toMatchObject(
      refused('Roster has changed'),
    )
    const after = await opened(at)
    await expect(byKey(at, after, 'ann')).rejects.toMatchObject(refused('revoked'))
    expect(await byKey(at, after, 'eve')).toMatchObject({ status: 'partial' })
  })

  it('signs from the time at which it begins to count to the time at which it ends, by the log’s clock', async () => {
    const [notBefore, notAfter] = [start + 1000, start + 2000]
    const { at, clock } = await founded(
      withKeys([keyOf('ann', { notAfter, notBefore }), keyOf('eve')]),
      'ann',
      'bob',
      'eve',
    )
    const tryAt = async (now: number) => {
      const request = await opened(at)
      clock.now = now
      return byKey(at, request, 'ann').then(
        ({ status }) => status,
        (error: unknown) => (error instanceof Error ? error.message : ''),
      )
    }
    expect(await tryAt(notBefore - 1)).toBe('Key does not count yet')
    expect(await tryAt(notBefore)).toBe('partial')
    expect(await tryAt(notAfter)).toBe('partial')
    expect(await tryAt(notAfter + 1)).toBe('Key does not count any more')
  })

  it('makes one signature with the other key of the same person, not two', async () => {
    const { at } = await founded(withKeys([keyOf('ann'), keyOf('eve')]), 'ann', 'bob', 'eve')
    const request = await opened(at)
    expect(await byKey(at, request, 'ann')).toMatchObject({ status: 'partial' })
    await expect(byKey(at, request, 'eve')).rejects.toMatchObject(
      refused('Role has signed already'),
    )
    await expect(byKey(at, request, 'eve', 'security_lead')).rejects.toMatchObject(
      refused('holds the role security_lead'),
    )
  })

  it('never belongs to two people, nor do both roles to one', async () => {
    const at = await foundTestService()
    const twice = {
      ...firstRoster,
      people: firstRoster.people.map((one) => ({ ...one, keys: [keyOf('ann')] })),
    }
    await expect(apply(at, twice, 'ann')).rejects.toMatchObject({
      code: 'ROSTER_REFUSED',
      message: expect.stringContaining('Key stands twice') as string,
    })
    const both = {
      ...firstRoster,
      people: firstRoster.people.map((one) => ({
        ...one,
        roles: ['risk_lead' as const, 'security_lead' as const],
      })),
    }
    await expect(apply(at, both, 'ann', 'bob')).rejects.toMatchObject({
      code: 'ROSTER_REFUSED',
      message: expect.stringContaining('may not hold both lead roles') as string,
    })
  })
})

describe('a justification', () => {
  it.each([
    ['new lines', 'Fine\nRequested by: ["eve"]\nApprove by: 2999-01-01T00:00:00.000Z\n'],
    ['a carriage return', 'Fine\rDecision: none'],
    ['text that runs backwards', 'Pay \u202e000,001\u202c EUR\u2066\u2069'],
    ['separators of lines', 'Fine\u2028Effect: {}\u2029\u0085'],
    ['letters that look like others', 'Аpproved by the bоard'],
    ['what nobody sees', 'Fine\u200b\u00ad\ufeff\u0000\u001b[2J\u007f'],
    ['what looks escaped', 'Fine\\u000aDecision: none \\n "quoted"'],
    ['signs beyond the sixteen bits', 'Fine 🏦 𝐀𝐥𝐥𝐨𝐰'],
  ])('with %s says what it says in one line of plain ASCII, and binds it', async (_, text) => {
    const { at } = await founded(firstRoster, 'ann', 'bob')
    const { challenge, decision } = await opened(at, text)
    expect(challenge).toMatch(/^[\x20-\x7e\n]*$/)
    expect(challenge.split('\n').map((line) => line.split(': ')[0])).toEqual([
      'Countersign override v1',
      'Instance',
      'Tenant',
      'Origin',
      'Effect',
      'Decision',
      'Decision leaf',
      'Failed gates',
      'Justification',
      'Requested by',
      'Roles',
      'Roster',
      'Nonce',
      'Approve by',
      'Execute by',
      '',
    ])
    expect(parseChallenge(challenge)).toMatchObject({ decision, justification: text })
    await at.service.actOnOverride(requester, decision, signing('ann', 'risk_lead', challenge))
    await at.service.actOnOverride(requester, decision, signing('bob', 'security_lead', challenge))
    await at.service.actOnOverride(requester, decision, { act: 'execute' })
    const dossier = await at.service.exportDossier('default', decision)
    const report = verifyDossier(dossier, await at.service.readTrustRoot('default'))
    expect(report).toMatchObject({ status: 'ALLOW by override', verdict: 'valid' })
  })

  it('that is no text is refused', async () => {
    const { at } = await founded(firstRoster, 'ann', 'bob')
    await expect(opened(at, 'half of a sign \ud83c')).rejects.toMatchObject({
      code: expect.stringMatching(/^INPUT_/) as string,
    })
  })
})

// People who may overrule, with their keys, and a service whose roster names them.
import type { TestService } from './service.ts'
import { founder, principalOf, requestOf } from './service.ts'
import { formatRosterText, rosterDigest, type Roster } from '../../src/dossier/roster.ts'
import type { Principal } from '../../src/decisions/service.ts'
import type { OverrideAct } from '../../src/wire/overrides.ts'
import type { RosterProposal, RosterView } from '../../src/wire/roster.ts'
import { firstRoster, leadKey, leadSign, secondRoster, type Lead } from './forge-override.ts'

/** A roster with the signatures of some leads. */
export const proposalOf = (
  place: Pick<RosterView, 'instance' | 'origin' | 'tenant'>,
  roster: Roster,
  ...by: readonly Lead[]
): RosterProposal => ({
  endorsements: by.map((lead) => ({
    key: leadKey(lead),
    kind: 'Ed25519' as const,
    signature: leadSign(lead, formatRosterText(place, roster)),
  })),
  roster,
})

/** Lets the first roster count: Ann is risk lead, Bob security lead. */
export async function foundRoster({ service }: TestService, tenant = 'default'): Promise<void> {
  const view = await service.readRoster(tenant)
  await service.applyRoster(tenant, proposalOf(view, firstRoster, 'ann', 'bob'), founder)
}

/** Lets the second roster count, in which Dan is a risk lead too. */
export async function changeRoster({ service }: TestService): Promise<void> {
  const view = await service.readRoster('default')
  await service.applyRoster('default', proposalOf(view, secondRoster, 'ann', 'bob', 'dan'), founder)
}

/** Digests of both rosters. */
export const digests = [rosterDigest(firstRoster), rosterDigest(secondRoster)] as const

/** What a decision that was blocked by the gate `risk` is asked with. */
export const blockedRequest = (n: number, change: Readonly<Record<string, unknown>> = {}): string =>
  requestOf(n, { gates: [{ name: 'risk', passed: false }], status: 'BLOCK', ...change })

/** Somebody who asks for overrides. */
export const requester: Principal = principalOf('checkpoint', 'carl')

/** The act of a lead who signs a challenge. */
export const signing = (
  lead: Lead,
  role: 'risk_lead' | 'security_lead',
  challenge: string,
  more: Partial<Extract<OverrideAct, { act: 'sign' }>['signing']> = {},
): OverrideAct => ({
  act: 'sign',
  signing: { challenge, key: leadKey(lead), role, signature: leadSign(lead, challenge), ...more },
})

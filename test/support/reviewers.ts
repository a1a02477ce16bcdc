// A service whose roster names a reviewer beside the leads, and decisions that are held for one.
import { encodeBase64 } from '../../src/base/base64.ts'
import { utf8 } from '../../src/base/bytes.ts'
import { intentOf, type GatewayDecider } from '../../src/decisions/gateway.ts'
import type { Principal } from '../../src/decisions/service.ts'
import { formatRosterText, rosterDigest, type Roster } from '../../src/dossier/roster.ts'
import type { RosterProposal } from '../../src/wire/roster.ts'
import { firstRoster, type Lead } from './forge-override.ts'
import { foundRoster, proposalOf } from './leads.ts'
import { fixedSigner } from './merkle-signers.ts'
import { founder, principalOf, requestOf, type TestService } from './service.ts'

const signer = fixedSigner('Ed25519', 204)

/** Cyd's key in base64. */
export const reviewerKey = encodeBase64(signer.publicKey)
/** Cyd's signature of a text. */
export const reviewerSign = (text: string): string => encodeBase64(signer.sign(utf8(text)))

/** The roster after the first, in which Cyd reviews. */
const reviewingRoster: Roster = {
  ...firstRoster,
  people: [
    ...firstRoster.people,
    {
      id: 'cyd',
      keys: [{ key: reviewerKey, kind: 'Ed25519', notAfter: null, notBefore: 0, revoked: false }],
      roles: ['reviewer'],
    },
  ],
  previous: rosterDigest(firstRoster),
  version: 2,
}

/** The proposal of that roster, signed by everybody who must. */
function reviewingProposal(place: Parameters<typeof proposalOf>[0], text: string): RosterProposal {
  const leads: readonly Lead[] = ['ann', 'bob']
  const { endorsements, roster } = proposalOf(place, reviewingRoster, ...leads)
  return {
    endorsements: [
      ...endorsements,
      { key: reviewerKey, kind: 'Ed25519', signature: reviewerSign(text) },
    ],
    roster,
  }
}

/** Lets both rosters count. */
export async function foundReviewers(at: TestService): Promise<void> {
  await foundRoster(at)

  const view = await at.service.readRoster('default')
  const text = formatRosterText(view, reviewingRoster)
  await at.service.applyRoster('default', reviewingProposal(view, text), founder)
}

/** Who reviews by the API key. */
export const reviewer: Principal = principalOf('checkpoint', 'cyd')

/** What a decision that is held for a reviewer is asked with. */
export const heldRequest = (n: number, change: Readonly<Record<string, unknown>> = {}): string =>
  requestOf(n, { status: 'ESCALATE', ...change })

/** Decides as the name of the policy says. */
export const decideByName: GatewayDecider = (_, __, request) => {
  const { tenant_policy_id: policy } = request
  if (policy == null) return Promise.resolve({ refused: 'tenant_policy_id is required' })
  const status = { allow: 'ALLOW', block: 'BLOCK', hold: 'ESCALATE', review: 'REVIEW_REQUIRED' }[
    policy
  ] as 'ALLOW' | undefined
  if (status === undefined) return Promise.resolve({ refused: 'tenant_policy_id not found' })
  return Promise.resolve({
    decided: {
      intent: intentOf(request),
      reasons: [{ code: 'BY_NAME', text: `Policy ${policy}` }],
      status,
    },
  })
}

// A Decision Card as a bundle of dialect 0.1: what the policy-as-code-engine 0.1.1 makes of it, to the letter. It checks no signature and knows no
// window; what does is card-attested.ts. Whatever is not an approval denies everything.
import { Failure } from '../base/failure.ts'
import { repr, str } from './python-text.ts'

type Members = Readonly<Record<string, unknown>>

/** A refusal of a card. */
export const refuseCard = (message: string): Failure => new Failure('POLICY_INVALID', message)

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Checks for a member of a part of the card as the engine does, for which any text or list that holds the name will do at first. */
function checkMember(part: unknown, where: string, name: string): void {
  const found =
    typeof part === 'string' || Array.isArray(part)
      ? part.includes(name)
      : isMembers(part) && Object.hasOwn(part, name)
  if (!found) throw refuseCard(`Decision Card.${where} is missing required key ${repr(name)}`)
}

function memberOf(part: unknown, where: string, name: string): unknown {
  if (!isMembers(part)) throw refuseCard(`Decision Card.${where} must be an object`)
  return part[name]
}

/** The bundle around the policies of a card. */
export const cardBundle = (
  id: unknown,
  policies: readonly unknown[],
  more: Members = {},
): Members => ({
  bundle_id: `decision-card-${str(id)}`,
  version: '0.1.0',
  description: `Generated from Decision Card ${repr(id)}.`,
  source: `decision-card:${str(id)}`,
  ...more,
  policies,
})

/** The policy that denies everything to the vendor of a card of this status. */
export const denyAll = (id: unknown, status: string, vendor: unknown): Members => ({
  id: `${str(id)}__${status}`,
  description: `Vendor ${repr(vendor)} is ${status}; all requests denied.`,
  default_effect: 'deny',
  rules: [
    {
      id: `${status}-deny`,
      effect: 'deny',
      when: { kind: 'always' },
      description: `Decision Card ${repr(id)} status=${repr(status)} for vendor ${repr(vendor)}.`,
      tags: [status],
    },
  ],
})

/** The policy that allows while a condition is satisfied, as `when` says. */
export const conditionPolicy = (
  id: unknown,
  condition: string,
  description: string,
  when: unknown,
): Members => ({
  id: `${str(id)}__condition__${condition}`,
  description,
  default_effect: 'deny',
  rules: [
    {
      id: `${condition}-satisfied`,
      effect: 'allow',
      when,
      description,
      tags: ['condition', condition],
    },
  ],
})

const allowAll = (id: unknown, vendor: unknown): Members => ({
  id: `${str(id)}__approved`,
  description: `Vendor ${repr(vendor)} is approved; all requests permitted.`,
  default_effect: 'allow',
  rules: [
    {
      id: 'approved-allow',
      effect: 'allow',
      when: { kind: 'always' },
      description: `Decision Card ${repr(id)} approved vendor ${repr(vendor)}.`,
      tags: ['approved'],
    },
  ],
})

function readCondition(id: unknown, condition: unknown): Members {
  if (!isMembers(condition)) throw refuseCard('Each condition must be an object')
  const name = Object.hasOwn(condition, 'id') ? condition['id'] : undefined
  if (typeof name !== 'string' || name === '')
    throw refuseCard('each condition must carry a non-empty `id`')
  const given = Object.hasOwn(condition, 'description') ? condition['description'] : undefined
  const description = isEmpty(given) ? `Condition ${repr(name)}` : given
  if (typeof description !== 'string') throw refuseCard('Description of a condition must be text')
  const when = { kind: 'eq', field: `conditions_satisfied.${name}`, value: true }
  return conditionPolicy(id, name, description, when)
}

/** What Python takes for false. */
const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === '' ||
  value === 0 ||
  (typeof value === 'object' && Object.keys(value).length === 0)

/**
 * The bundle, as a JSON value for dialect 0.1, that the engine 0.1.1 makes of a card.
 * @throws {@link Failure} POLICY_INVALID where the engine raises
 */
export function bundleOfCard(card: unknown): Members {
  if (!isMembers(card)) throw refuseCard('Decision Card must be an object')
  for (const name of ['decision_id', 'decision', 'subject'])
    if (!Object.hasOwn(card, name))
      throw refuseCard(`Decision Card is missing required key ${repr(name)}`)
  const { conditions, decision_id: id } = card
  checkMember(card['decision'], 'decision', 'status')
  checkMember(card['subject'], 'subject', 'vendor_name')
  const status = memberOf(card['decision'], 'decision', 'status')
  const vendor = memberOf(card['subject'], 'subject', 'vendor_name')
  if (typeof status !== 'string') throw refuseCard('Decision Card.decision.status must be text')
  if (status === 'approved') return cardBundle(id, [allowAll(id, vendor)])
  const wanted = status === 'approved-with-conditions' && !isEmpty(conditions)
  if (!wanted) return cardBundle(id, [denyAll(id, status, vendor)])
  if (!Array.isArray(conditions)) throw refuseCard('Decision Card.conditions must be a list')
  return cardBundle(
    id,
    conditions.map((condition) => readCondition(id, condition)),
  )
}

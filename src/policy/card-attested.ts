// A Decision Card as a bundle of dialect 0.2 or native: valid within its window only, for one vendor and the actions that the operator names, and
// in 0.2 only with the buyer's attestation. Whatever is not an approval denies everything.
import { conditionPolicy, cardBundle, denyAll, refuseCard } from './card.ts'
import { verifyAttestation, type BuyerKey } from './card-attestation.ts'
import { cardStatuses, readCard, type DecisionCard } from './card-schema.ts'
import { parseInstant } from './instant.ts'
import { repr } from './python-text.ts'

/** What comes with a card. */
export interface CardConversion {
  readonly dialect: '0.2' | 'native'
  /** Time of the conversion, ms since 1970. */
  readonly now: number
  /** What the vendor may be used for; 0.2 knows only `use`. */
  readonly allowedActions: readonly string[]
  /** As it came; only native does without one, and never ignores one. */
  readonly attestation?: unknown
  /** The operator's key of the card's buyer. */
  readonly key?: BuyerKey | undefined
}

type Members = Readonly<Record<string, unknown>>

const approvals: readonly string[] = ['approved', 'approved-with-conditions']
const harmless = new Set([
  'review_started',
  'documents_collected',
  'review_completed',
  'approved',
  'approved-with-conditions',
  'pending',
])

const dayMs = 86_400_000

/** An end of the window as date and time; a date alone lasts from its first to its last moment, in UTC. */
function windowEnd(value: string | undefined, last: boolean): string | undefined {
  if (value === undefined || parseInstant(value) !== undefined) return value
  const day = parseInstant(`${value}T00:00:00Z`)
  if (day === undefined || !/^\d{4}-\d\d-\d\d$/.test(value))
    throw refuseCard(`Window of the card is not a date and time with a zone: ${repr(value)}`)
  return new Date(last ? day + dayMs : day).toISOString()
}

function windowOf({ decision }: DecisionCard, dialect: CardConversion['dialect']): Members {
  const end = dialect === 'native' ? windowEnd : (value: string | undefined) => value
  const from = end(decision.effective_from, false)
  const until = end(decision.effective_until, true)
  return {
    ...(from === undefined ? {} : { effective_from: from }),
    ...(until === undefined ? {} : { effective_until: until }),
  }
}

/** Refuses an approval that contradicts itself or binds nobody. */
function checkApproval(card: DecisionCard, { allowedActions, dialect }: CardConversion): string {
  const { conditions = [], decision, history = [], rationale, subject, withdrawal } = card
  if (rationale.trim() === '') throw refuseCard('An approved card needs a rationale')
  if (withdrawal !== undefined) throw refuseCard('An approved card cannot be withdrawn')
  if (!history.every(({ event }) => harmless.has(event)))
    throw refuseCard('History of an approved card ends otherwise')
  if (decision.effective_until === undefined) throw refuseCard('An approved card needs an end')
  if (decision.status === 'approved' && conditions.length > 0)
    throw refuseCard('A card with conditions must be approved-with-conditions')
  if (dialect === '0.2' && (allowedActions.length !== 1 || allowedActions[0] !== 'use'))
    throw refuseCard('Dialect 0.2 allows the action `use` only')
  if (subject.vendor_id === undefined || subject.vendor_id.trim() === '')
    throw refuseCard('An approved card needs the id of its vendor')
  return subject.vendor_id
}

function checkAttestation(value: unknown, card: DecisionCard, conversion: CardConversion): void {
  const { attestation, dialect, key, now } = conversion
  if (dialect === 'native' && attestation === undefined && key === undefined) return
  if (key === undefined) throw refuseCard('There is no key of the buyer to verify the card by')
  if (card.buyer.id === undefined || card.buyer.id !== key.buyer)
    throw refuseCard('Card is of another buyer than the key')
  const verdict = verifyAttestation(value, attestation, key, now)
  if (typeof verdict === 'string') throw refuseCard(verdict)
  if (verdict < (parseInstant(card.issued_at) ?? Infinity))
    throw refuseCard('Card was attested before it was issued')
}

const escapeSegment = (name: string): string => name.replaceAll('\\', '\\\\').replaceAll('.', '\\.')

function approvedPolicies(card: DecisionCard, scoped: Members): readonly Members[] {
  const { conditions = [], decision, decision_id: id, subject } = card
  if (decision.status === 'approved-with-conditions')
    return conditions.map((condition) => ({
      ...conditionPolicy(id, condition.id, condition.description, {
        kind: 'all_of',
        matchers: [
          scoped,
          {
            kind: 'eq',
            field: `conditions_satisfied.${escapeSegment(condition.id)}`,
            value: true,
          },
        ],
      }),
      card_derived: true,
    }))
  const vendor = repr(subject.vendor_name)
  return [
    {
      id: `${id}__approved`,
      card_derived: true,
      description: `Vendor ${vendor} is approved within the operator's runtime scope.`,
      default_effect: 'deny',
      rules: [
        {
          id: 'approved-allow',
          effect: 'allow',
          when: scoped,
          description: `Decision Card ${repr(id)} approved vendor ${vendor}.`,
          tags: ['approved'],
        },
      ],
    },
  ]
}

function approvedBundle(card: DecisionCard, vendor: string, conversion: CardConversion): Members {
  const { allowedActions: actions, dialect } = conversion
  const { conditions = [], decision_id: id } = card
  const scoped = {
    kind: 'all_of',
    matchers: [
      { kind: 'eq', field: 'resource.vendor_id', value: vendor },
      { kind: 'in', field: 'action', value: actions },
    ],
  }
  const scope = {
    vendor_id: vendor,
    allowed_actions: actions,
    condition_ids: conditions.map((condition) => condition.id),
  }
  const more = { ...windowOf(card, dialect), card_scope: scope }
  return cardBundle(id, approvedPolicies(card, scoped), more)
}

/** The card, and its status as it stands there: one that nobody knows is as good as pending. */
function readStatus(value: unknown): readonly [card: DecisionCard, status: string] {
  const status: unknown = (value as { decision?: { status?: unknown } } | null)?.decision?.status
  const known = cardStatuses.some((one) => one === status)
  if (known || typeof status !== 'string') {
    const card = readCard(value)
    return [card, card.decision.status]
  }
  const { decision, ...rest } = value as Members & { readonly decision: Members }
  return [readCard({ ...rest, decision: { ...decision, status: 'pending' } }), status]
}

/**
 * The bundle, as a JSON value for the dialect, of a card that fits its schema.
 * @throws {@link Failure} POLICY_INVALID when the card, its attestation or its approval is not good
 */
export function bundleOfAttestedCard(value: unknown, conversion: CardConversion): Members {
  const [card, status] = readStatus(value)
  const { dialect } = conversion
  const { conditions = [], decision_id: id, subject } = card
  if (dialect === '0.2' && card.decision_card_version !== '0.1')
    throw refuseCard('Dialect 0.2 knows cards of version 0.1 only')
  if (new Set(conditions.map((condition) => condition.id)).size !== conditions.length)
    throw refuseCard('A condition stands twice')
  const denied = (): Members =>
    cardBundle(id, [denyAll(id, status, subject.vendor_name)], windowOf(card, dialect))
  if (!approvals.includes(status)) return denied()
  const vendor = checkApproval(card, conversion)
  checkAttestation(value, card, conversion)
  if (status === 'approved-with-conditions' && conditions.length === 0) return denied()
  return approvedBundle(card, vendor, conversion)
}

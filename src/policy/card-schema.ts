// The AI Procurement Decision Card, versions 0.1 to 0.3, as its JSON Schema has it: nothing unknown is let through.
import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import { parseInstant } from './instant.ts'

const text = z.string()
const name = text.min(1)
const absoluteUri = /^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|\\^`]+$/
const uri = text.regex(absoluteUri, 'URI expected')
const email = text.regex(/^[^\s@]+@[^\s@]+$/, 'Address expected')
const dateTime = text.refine((value) => parseInstant(value) !== undefined, 'Date and time expected')

const buyer = z.strictObject({
  name,
  type: z.enum([
    'organization',
    'agency',
    'school-district',
    'school',
    'hospital',
    'health-system',
    'research-institution',
    'auditor',
    'individual',
  ]),
  category: text.optional(),
  jurisdiction: text.regex(/^(?:[A-Z]{2}(?:-[A-Z0-9]{1,3})?|EU)$/).optional(),
  url: uri.optional(),
  contact: email.optional(),
  id: text.optional(),
})

const decisionMaker = z.strictObject({
  role: name,
  name: text.optional(),
  department: text.optional(),
  authority: text.optional(),
})

/** What may become of a review. */
export const cardStatuses = [
  'approved',
  'approved-with-conditions',
  'rejected',
  'rejected-with-remediation',
  'pending',
  'withdrawn',
  'expired',
] as const

const decision = z.strictObject({
  status: z.enum(cardStatuses),
  effective_from: text.optional(),
  effective_until: text.optional(),
  scope: text.optional(),
})

const documentReference = z.strictObject({
  type: z.enum([
    'aeo',
    'prompt-provenance',
    'agent-card',
    'ai-evidence',
    'tool-card',
    'tutor-card',
    'student-ai-disclosure',
    'classroom-aup',
    'clinical-ai-card',
    'incident-card',
    'other',
  ]),
  url: uri,
  fetched_at: dateTime.optional(),
  content_hash: text.regex(/^sha(?:256|384|512):[0-9a-f]+$/).optional(),
  version: text.optional(),
})

const subject = z.strictObject({
  vendor_name: name,
  product_name: text.optional(),
  vendor_id: text.optional(),
  documents_reviewed: z.array(documentReference).optional(),
})

const criteria = z.strictObject({
  policy_uris: z.array(uri).optional(),
  rubric: z
    .array(
      z.strictObject({
        id: name,
        description: text.optional(),
        weight: z.number().min(0).max(1).optional(),
        result: z.enum(['pass', 'pass-with-condition', 'partial', 'fail', 'n/a']),
        notes: text.optional(),
      }),
    )
    .optional(),
})

const condition = z.strictObject({
  id: name,
  description: name,
  enforcement: z
    .enum(['contractual', 'technical', 'audit', 'self-attestation', 'regulatory', 'other'])
    .optional(),
  violation_response: text.optional(),
  verification_uri: uri.optional(),
})

const historyEvent = z.strictObject({
  event: z.enum([
    'review_started',
    'documents_collected',
    'review_completed',
    ...cardStatuses,
    'appealed',
    'amended',
    'other',
  ]),
  at: dateTime,
  actor: text.optional(),
  note: text.optional(),
})

const signature = z.strictObject({
  signer: name,
  signed_at: dateTime,
  method: z
    .enum(['digital', 'wet-ink', 'electronic-attestation', 'cryptographic', 'other'])
    .optional(),
  key_uri: uri.optional(),
  signature_value: text.optional(),
})

const vaultTarget = z.strictObject({
  vendor: z.enum([
    'skyflow',
    'piiano',
    'nightfall',
    'private-ai',
    'very-good-security',
    'evervault',
    'custom',
    'other',
  ]),
  vault_id: text.optional(),
  vault_url: uri.optional(),
  fields_authorized: z.array(name).min(1),
  reveal_roles: z.array(name).optional(),
  reveal_audit_uri: uri.optional(),
  expires_at: dateTime.optional(),
  notes: text.optional(),
})

const retention = z.strictObject({
  field: name,
  ttl: name,
  redact_on_expiry: z.enum(['purge', 'tokenize', 'hash', 'replace-with-null']),
  deletion_proof_uri: uri.optional(),
  deletion_signer_key_uri: uri.optional(),
  exemptions: z
    .array(
      z.strictObject({
        trigger: name,
        role: text.optional(),
        max_extension: text.optional(),
        audit_uri: uri.optional(),
        notes: text.optional(),
      }),
    )
    .optional(),
  notes: text.optional(),
})

const first = {
  decision_id: name.max(128),
  issued_at: dateTime,
  buyer,
  decision_maker: decisionMaker.optional(),
  decision,
  subject,
  criteria: criteria.optional(),
  conditions: z.array(condition).optional(),
  rationale: name,
  history: z.array(historyEvent).optional(),
  appeals: z
    .strictObject({
      deadline: text.optional(),
      process_uri: uri.optional(),
      contact: email.optional(),
    })
    .optional(),
  publication: z
    .strictObject({
      publication_uri: uri.optional(),
      is_public: z.boolean().optional(),
      visibility_notes: text.optional(),
    })
    .optional(),
  signatures: z.array(signature).optional(),
  withdrawal: z.strictObject({ at: dateTime, reason: name, replaces: text.optional() }).optional(),
}
const vaults = z.array(vaultTarget).optional()

const cardSchema = z.discriminatedUnion('decision_card_version', [
  z.strictObject({ decision_card_version: z.literal('0.1'), ...first }),
  z.strictObject({ decision_card_version: z.literal('0.2'), ...first, data_vault_targets: vaults }),
  z.strictObject({
    decision_card_version: z.literal('0.3'),
    ...first,
    data_vault_targets: vaults,
    retention_envelope: z.array(retention).optional(),
  }),
])

/** A Decision Card that fits its schema. */
export type DecisionCard = Readonly<z.infer<typeof cardSchema>>

/**
 * The card that a JSON value is.
 * @throws {@link Failure} POLICY_INVALID naming the place
 */
export function readCard(value: unknown): DecisionCard {
  const parsed = cardSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = `/${issue?.path.join('/') ?? ''}`
  throw new Failure('POLICY_INVALID', `Not a Decision Card: ${issue?.message ?? ''} at ${field}`, {
    field,
  })
}

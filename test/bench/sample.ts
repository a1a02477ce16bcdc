// What is sent while measuring, a decision as a payment gate would submit it: about 1 kB, which becomes a statement of about 2 kB; and the keys
// of the floors.
import { Secret } from '../../src/crypto/secret.ts'
import { signatureAlgorithms } from '../../src/crypto/signatures.ts'
import type { DecisionMatter } from '../../src/dossier/matters.ts'
import {
  decisionRequestSchema,
  evaluationRequestSchema,
  type DecisionRequest,
} from '../../src/wire/decision.ts'
import { fixedLog, fixedSigner } from '../support/merkle-signers.ts'

const request: DecisionRequest = {
  intent: {
    actor: { id: 'agent:treasury-bot-07', type: 'ai-agent', model: 'planner-2026-02' },
    action: { type: 'payment.transfer', amount: 248_500.75, currency: 'EUR' },
    resource: { id: 'account:DE89370400440532013000', kind: 'bank-account', owner: 'Müller KG' },
    context: { ticket: 'FIN-48213', ip: '10.4.17.201', risk: 0.37, weekday: 'Tuesday' },
    policyRefs: ['payments/transfer-limits', 'payments/counterparty'],
  },
  status: 'ALLOW',
  reasons: [{ code: 'WITHIN_LIMITS', text: 'Amount is below the daily limit of the actor' }],
  obligations: [{ type: 'log_only', channel: 'treasury-audit' }],
  confidence: 0.982,
  policies: [{ id: 'payments/transfer-limits', version: '14', sha256: 'a3'.repeat(32) }],
  gates: [
    { name: 'complexity', version: '3', passed: true, score: 0.81, threshold: 0.6 },
    { name: 'velocity', version: '7', passed: true, score: 0.93, threshold: 0.75 },
  ],
  trace: { engine: 'rego', evaluated: 14, matched: ['transfer-limits#4'], durationMs: 3.25 },
  links: { correlationId: 'run-2026-03-17-000419' },
}

/** JSON text of the decision that is sent. */
export const requestText = JSON.stringify(decisionRequestSchema.parse(request))

/** JSON text of the same intent, to be decided on. */
export const intentText = JSON.stringify(
  evaluationRequestSchema.parse({
    intent: { ...request.intent, policyRefs: ['payments'] },
    links: request.links,
  }),
)

/** A bundle that allows it by the last of ten rules. */
export const bundleText = JSON.stringify({
  dialect: 'native',
  bundle_id: 'payments',
  version: '14',
  policies: [
    {
      id: 'transfer-limits',
      rules: Array.from({ length: 10 }, (_, n) => ({
        id: `limit-${n}`,
        effect: 'allow',
        when: {
          matchers: [
            { field: 'intent.action.type', kind: 'eq', value: 'payment.transfer' },
            {
              field: 'intent.action.amount',
              kind: 'lt',
              value: 100_000 + 50_000 * n * (n > 8 ? 1 : 0),
            },
          ],
        },
      })),
    },
  ],
})

/** What an entry says of that decision. */
export const matter: DecisionMatter = {
  id: '019a0000-0000-7000-8000-000000000001',
  time: Date.now(),
  producer: { name: 'countersign', version: '0.0.0' },
  caller: { type: 'apiKey', id: '0123456789abcdef', owner: 'benchmark' },
  source: 'submitted',
  intent: request.intent,
  status: request.status,
  reasons: request.reasons ?? [],
  obligations: request.obligations ?? [],
  confidence: request.confidence ?? null,
  policies: request.policies ?? [],
  gates: request.gates ?? [],
  trace: request.trace,
  overridable: true,
  maxUses: null,
  mode: 'enforce',
  idempotencyKey: null,
  links: request.links ?? {},
}

/** Where such an entry stands. */
export const place = Object.freeze({
  instance: '019a0000-0000-7000-8000-000000000000',
  kind: 'decision' as const,
  origin: 'countersign.local/000000000000/default',
  prev: null,
  seq: 0,
  tenant: 'default',
})

/** Signs entries of the `checkpoint` profile, and checkpoints. */
export const [fast, log] = [fixedSigner('Ed25519', 1), fixedLog(2)]
/** Signs entries of the `each` profile, and verifies after it as every composite signer does. */
export const composite = signatureAlgorithms['id-MLDSA65-Ed25519-SHA512'].signer(
  new Secret(new Uint8Array(64).fill(4)),
)

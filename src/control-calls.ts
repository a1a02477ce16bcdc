// What may be asked over the control socket: a list of methods, each with the shape of its arguments. What is not on it is refused by name, and no
// caller there is anybody but a person at the command line.
import { z } from 'zod'
import { Failure } from './base/failure.ts'
import type { Call } from './decisions/service-host.ts'
import type { Service } from './decisions/service.ts'
import { statuses } from './dossier/matters.ts'
import { actionActSchema, actionListQuerySchema, actionOpeningSchema } from './wire/actions.ts'
import { claimRequestSchema, evaluationRequestSchema, parseValue, scopes } from './wire/decision.ts'
import { inclusionQuerySchema } from './wire/log.ts'
import { keyOrderSchema } from './wire/keys.ts'
import {
  overrideActSchema,
  overrideListQuerySchema,
  overrideOpeningSchema,
} from './wire/overrides.ts'
import { policyActivationSchema, policyRetirementSchema } from './wire/policies.ts'
import {
  escalationChallengeQuerySchema,
  escalationDecidingSchema,
  escalationListQuerySchema,
} from './wire/escalations.ts'
import {
  proposalActSchema,
  proposalListQuerySchema,
  proposalOpeningSchema,
} from './wire/proposals.ts'
import { rosterProposalSchema } from './wire/roster.ts'
import { webhookRequestSchema } from './wire/webhooks.ts'

const name = z.string().min(1).max(256)
const text = z.string().max(512 * 1024)
const profile = z.enum(['each', 'checkpoint'])
const granted = z.array(z.enum(scopes)).max(scopes.length)
const caller = z.strictObject({ type: z.literal('local'), id: z.literal('cli'), owner: name })
const principal = z.strictObject({ tenant: name, profile, caller, scopes: granted })
const bound = z.strictObject({
  policies: z.array(name).max(64),
  environment: name.nullable(),
})
const place = z.int().min(0).optional()
const listRequest = z.strictObject({
  status: name.optional(),
  inForce: name.optional(),
  by: z.enum(['decision', 'override', 'escalation']).optional(),
  override: name.optional(),
  escalation: name.optional(),
  actor: name.optional(),
  action: name.optional(),
  since: place,
  until: place,
  cursor: name.optional(),
  limit: z.int().min(1).max(1000),
})

const exportRecord = z.strictObject({
  from: z.int().min(0),
  to: z.int().min(0),
  statuses: z.array(z.enum(statuses)).nullable(),
  dossiers: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

/** The methods that are offered, and what they take. */
const offered: Partial<Readonly<Record<keyof Service, z.ZodType<unknown[]>>>> = {
  notarise: z.tuple([principal, text, name.nullable()]),
  claim: z.tuple([principal, name, claimRequestSchema]),
  erase: z.tuple([principal, name, text, name.optional()]),
  readDecision: z.tuple([name, name]),
  listDecisions: z.tuple([name, listRequest]),
  exportDossier: z.tuple([name, name, place]),
  exportSigstoreBundle: z.tuple([name, name]),
  readTrustRoot: z.tuple([name, place]),
  exportTrustProof: z.tuple([name, z.int().min(0)]),
  publishTrustRoot: z.tuple([name]),
  verify: z.tuple([name, z.instanceof(Uint8Array)]),
  readCheckpoint: z.tuple([name]),
  readTile: z.tuple([name, name]),
  proveInclusion: z.tuple([name, inclusionQuerySchema]),
  proveConsistency: z.tuple([name, z.int().min(0), z.int().min(0)]),
  exportTlogProof: z.tuple([name, z.int().min(0)]),
  createTenant: z.tuple([name, z.strictObject({ profile, public: z.boolean() }), caller]),
  listTenants: z.tuple([]),
  createApiKey: z.tuple([name, name, granted, caller, bound.optional()]),
  listApiKeys: z.tuple([name]),
  revokeApiKey: z.tuple([name, name, caller]),
  recordExport: z.tuple([name, exportRecord, caller]),
  listKeys: z.tuple([name]),
  keyStatus: z.tuple([name]),
  orderKeys: z.tuple([name, keyOrderSchema, caller, name.optional()]),
  openAction: z.tuple([principal, actionOpeningSchema]),
  actOnAction: z.tuple([principal, name, actionActSchema]),
  readAction: z.tuple([name, name]),
  listActions: z.tuple([name, actionListQuerySchema.extend({ limit: z.int().min(1).max(1000) })]),
  openProposal: z.tuple([principal, proposalOpeningSchema]),
  actOnProposal: z.tuple([principal, name, proposalActSchema]),
  readProposal: z.tuple([name, name]),
  listProposals: z.tuple([
    name,
    proposalListQuerySchema.extend({ limit: z.int().min(1).max(1000) }),
  ]),
  readControl: z.tuple([name]),
  closeTenant: z.tuple([name, text, caller, name.optional()]),
  endControl: z.tuple([name, text, caller, name.optional()]),
  dryRun: z.tuple([name, evaluationRequestSchema, bound.optional()]),
  registerPolicy: z.tuple([name, text, caller]),
  activatePolicy: z.tuple([name, name, policyActivationSchema, caller]),
  retirePolicy: z.tuple([name, name, policyRetirementSchema, caller]),
  listPolicies: z.tuple([name]),
  readPolicy: z.tuple([name, name]),
  readRoster: z.tuple([name]),
  applyRoster: z.tuple([name, rosterProposalSchema, caller]),
  openOverride: z.tuple([principal, overrideOpeningSchema]),
  actOnOverride: z.tuple([principal, name, overrideActSchema]),
  readOverride: z.tuple([name, name]),
  listOverrides: z.tuple([
    name,
    overrideListQuerySchema.extend({ limit: z.int().min(1).max(1000) }),
  ]),
  addWebhook: z.tuple([name, webhookRequestSchema, caller]),
  listWebhooks: z.tuple([name]),
  removeWebhook: z.tuple([name, name, caller]),
  testWebhook: z.tuple([name, name, caller]),
  // Whoever is at the command line asks again rather than waits.
  readEscalation: z.tuple([name, name, z.literal(0)]),
  listEscalations: z.tuple([
    name,
    escalationListQuerySchema.extend({ limit: z.int().min(1).max(1000) }),
  ]),
  challengeEscalation: z.tuple([name, name, escalationChallengeQuerySchema]),
  decideEscalation: z.tuple([principal, name, escalationDecidingSchema]),
  health: z.tuple([]),
}

const offeredMethods: readonly string[] = Object.freeze(Object.keys(offered))

/** Calls that a message may hold. */
const maxCalls = 32

const callsSchema = z
  .array(
    z.strictObject({
      id: z.int().min(0),
      method: z.string().max(64),
      args: z.array(z.unknown()).max(8),
    }),
  )
  .max(maxCalls)

/** A call as a stranger writes it. */
export type StrangeCall = z.infer<typeof callsSchema>[number]

/** The calls of a message. @throws {@link Failure} INPUT_INVALID when it is none */
export const parseCalls = (message: unknown): readonly StrangeCall[] =>
  parseValue(callsSchema, message)

/**
 * A call that may be made.
 * @throws {@link Failure} INPUT_METHOD when it is not offered, INPUT_INVALID naming the argument
 */
export function parseCall({ args, id, method }: StrangeCall): Call {
  const known = offeredMethods.includes(method) ? (method as keyof Service) : undefined
  const schema = known === undefined ? undefined : offered[known]
  if (known === undefined || schema === undefined)
    throw new Failure('INPUT_METHOD', 'Method is not offered on the control socket')
  return { args: parseValue(schema, args), id, method: known }
}

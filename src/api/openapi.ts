// The OpenAPI 3.1 description, made from the routes themselves and from the schemas that judge what is sent: JSON Schema 2020-12 is what zod
// writes and what OpenAPI 3.1 reads, so nothing is translated.
import { z } from 'zod'
import { failureCodes, type FailureCode } from '../base/failure.ts'
import * as actions from '../wire/actions.ts'
import * as decision from '../wire/decision.ts'
import * as escalations from '../wire/escalations.ts'
import * as gateway from '../wire/gateway.ts'
import { aliveSchema, readySchema } from '../wire/health.ts'
import * as keys from '../wire/keys.ts'
import * as log from '../wire/log.ts'
import * as overrides from '../wire/overrides.ts'
import * as policies from '../wire/policies.ts'
import * as proposals from '../wire/proposals.ts'
import { reportSchema } from '../wire/report.ts'
import * as roster from '../wire/roster.ts'
import * as webhooks from '../wire/webhooks.ts'
import { anybody } from './admission.ts'
import { problemType } from './problems.ts'
import { route, type Content, type Route } from './route.ts'

type Json = Readonly<Record<string, unknown>>

const components: readonly z.ZodType[] = [
  decision.decisionRequestSchema,
  decision.evaluationRequestSchema,
  decision.decisionBodySchema,
  decision.dryRunSchema,
  decision.decisionAnswerSchema,
  decision.envelopeSchema,
  decision.notarisedSchema,
  decision.claimRequestSchema,
  decision.claimedSchema,
  decision.eraseRequestSchema,
  decision.erasedSchema,
  decision.decisionViewSchema,
  decision.decisionRowSchema,
  decision.decisionPageSchema,
  decision.apiKeySchema,
  decision.apiKeyRequestSchema,
  decision.apiKeyCreatedSchema,
  decision.apiKeyListSchema,
  keys.keyOrderSchema,
  keys.keyOrderDoneSchema,
  keys.keyViewSchema,
  keys.masterViewSchema,
  keys.slotViewSchema,
  keys.kekHealthSchema,
  keys.keyStatusSchema,
  overrides.overrideOpeningSchema,
  overrides.overrideSigningSchema,
  overrides.overrideReasonSchema,
  overrides.overrideViewSchema,
  overrides.overridePageSchema,
  actions.wishSchema,
  actions.actionOpeningSchema,
  actions.actionViewSchema,
  actions.actionPageSchema,
  actions.controlViewSchema,
  proposals.proposalOpeningSchema,
  proposals.proposalVoteSchema,
  proposals.proposalReasonSchema,
  proposals.proposalViewSchema,
  proposals.proposalPageSchema,
  policies.policyRequestSchema,
  policies.policyActivationSchema,
  policies.policyRetirementSchema,
  policies.policyViewSchema,
  policies.policyListSchema,
  policies.policyRecordSchema,
  escalations.escalationDecidingSchema,
  escalations.escalationChallengeSchema,
  escalations.escalationViewSchema,
  escalations.escalationPageSchema,
  gateway.gatewayRequestSchema,
  gateway.gatewayAnswerSchema,
  roster.rosterProposalSchema,
  roster.rosterViewSchema,
  roster.rosterAppliedSchema,
  webhooks.webhookRequestSchema,
  webhooks.webhookSchema,
  webhooks.webhookCreatedSchema,
  webhooks.webhookTestedSchema,
  webhooks.deadDeliverySchema,
  webhooks.webhookListSchema,
  log.inclusionProofSchema,
  log.consistencyProofSchema,
  decision.problemSchema,
  reportSchema,
  aliveSchema,
  readySchema,
]

const reference = (id: string): string => `#/components/schemas/${id}`

/** Bounds that say no more than that a number is one JSON keeps. */
function dropSafeBounds(schema: { minimum?: number; maximum?: number }): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
}

const plain = {
  io: 'input',
  override: ({ jsonSchema }: { jsonSchema: { minimum?: number; maximum?: number } }) => {
    dropSafeBounds(jsonSchema)
  },
} as const

/** The schemas by id. A registry of their own, so that nobody else's are described here. */
function describeSchemas(): Json {
  const registry = z.registry<{ id: string }>()
  for (const schema of components) registry.add(schema, { id: schema.meta()?.id ?? '' })
  const { schemas } = z.toJSONSchema(registry, { ...plain, uri: reference })
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => [
      id,
      // Each stands inside the document, whose dialect and addresses are its own.
      Object.fromEntries(
        Object.entries(schema).filter(([name]) => name !== '$id' && name !== '$schema'),
      ),
    ]),
  )
}

const describeContent = ({ schema, type }: Content): Json => {
  const id = schema?.meta()?.id
  return { [type]: id === undefined ? {} : { schema: { $ref: reference(id) } } }
}

const commonFailures: readonly FailureCode[] = [
  'LOG_BUSY',
  'LOG_CLOSED',
  'LOG_STATE_UNKNOWN',
  'STORE_FAILED',
  'BUG',
]
const bodyFailures: readonly FailureCode[] = [
  'INPUT_MALFORMED',
  'INPUT_INVALID',
  'INPUT_TOO_LARGE',
  'INPUT_MEDIA_TYPE',
  'INPUT_TIMEOUT',
]

function failuresOf({ access, body, failures = [], path }: Route): Set<FailureCode> {
  return new Set<FailureCode>([
    ...(access?.key === 'never' ? [] : (['AUTH_MISSING', 'AUTH_INVALID'] as const)),
    ...(access?.scope === undefined ? [] : (['AUTH_SCOPE'] as const)),
    ...(body === undefined ? [] : bodyFailures),
    ...(access?.key === 'always' ? (['INPUT_INVALID'] as const) : []),
    ...(path.includes('{') ? (['INPUT_NOT_FOUND'] as const) : []),
    ...failures,
    ...(access?.key === 'never' ? (['BUG'] as const) : commonFailures),
  ])
}

function describeReplies(described: Route): Json {
  const lines = new Map<number, string[]>()
  for (const code of failuresOf(described)) {
    const { status, title } = failureCodes[code]
    lines.set(status, [...(lines.get(status) ?? []), `${code}: ${title}`])
  }
  const problems = [...lines].map(([status, told]) => [
    status,
    {
      description: told.join('; '),
      content: { [problemType]: { schema: { $ref: reference('Problem') } } },
    },
  ])
  const own = Object.entries(described.replies ?? {}).map(([status, content]) => [
    status,
    { description: content.description, content: describeContent(content) },
  ])
  // What a route itself says of a status stands before what a failure says of it.
  return Object.fromEntries([...problems, ...own]) as Json
}

function describeParameters({ idempotencyKey, path, query }: Route): readonly Json[] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const properties = query === undefined ? {} : (z.toJSONSchema(query, plain).properties ?? {})
  return [
    ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema })),
    ...(idempotencyKey === true ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
    { $ref: '#/components/parameters/RequestId' },
  ]
}

const security = { never: [], always: [{ apiKey: [] }], unlessPublic: [{}, { apiKey: [] }] }

function describeRoute(described: Route): Json {
  const { access, body, summary } = described
  return {
    summary,
    ...(access?.scope === undefined ? {} : { description: `Scope: \`${access.scope}\`` }),
    security: security[access?.key ?? 'never'],
    parameters: describeParameters(described),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            description: body.description,
            required: body.optional !== true,
            content: describeContent(body),
          },
        }),
    responses: describeReplies(described),
  }
}

const parameters = {
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'Name under which the request is done once; the same as in the body, or alone',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
  },
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description: 'Comes back in the answer, in problems and in the log; made where it is absent',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
  },
}

/** The OpenAPI document of the routes. */
function describeApi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const described of routes)
    (paths[described.path] ??= {})[described.method.toLowerCase()] = describeRoute(described)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Countersign',
      version,
      description: 'A notary for automated decisions: signed, logged, verifiable offline',
    },
    paths,
    components: {
      parameters,
      schemas: describeSchemas(),
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } },
    },
  }
}

/** The route that gives the description of all, itself included. */
export function openApiRoute(others: readonly Route[], version: string): Route {
  let text: string | undefined
  const self: Route = route(
    anybody,
    {
      method: 'GET',
      path: '/openapi.json',
      summary: 'Gives this description',
      replies: { 200: { description: 'OpenAPI 3.1', type: 'application/json' } },
    },
    () => {
      text ??= JSON.stringify(describeApi([...others, self], version))
      return Promise.resolve({ status: 200, body: text, type: 'application/json' })
    },
  )
  return self
}

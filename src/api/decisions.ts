// Decisions: notarising, reading, claiming, erasing.
import { Failure } from '../base/failure.ts'
import { Evaluator } from '../decisions/evaluator.ts'
import type { DecisionView, Principal, Service } from '../decisions/service.ts'
import { submissionOf } from '../decisions/submission.ts'
import {
  claimedSchema,
  claimRequestSchema,
  decisionAnswerSchema,
  decisionBodySchema,
  decisionPageSchema,
  decisionViewSchema,
  erasedSchema,
  eraseRequestSchema,
  idempotencyKeySchema,
  isFinished,
  listQuerySchema,
  notarisedSchema,
  parseDecisionRequest,
  type EvaluationRequest,
} from '../wire/decision.ts'
import { requireScope, type Admission } from './admission.ts'
import type { Call } from './call.ts'
import { jsonReply, route, type Reply, type Route } from './route.ts'
import { TenantLines } from './tenant-lines.ts'

const json = 'application/json'
const defaultPage = 50
const headerName = 'Idempotency-Key'

/**
 * The idempotency key of the header, or null.
 * @throws {@link Failure} INPUT_INVALID when it is not one, or when the body names another
 */
function idempotencyKeyOf(call: Call, ofBody: string | undefined): string | null {
  const key = call.header('idempotency-key')
  if (key === undefined) return null
  const field = headerName
  if (!idempotencyKeySchema.safeParse(key).success)
    throw new Failure(
      'INPUT_INVALID',
      `${headerName}: 1 to 255 visible ASCII characters expected`,
      {
        field,
      },
    )
  if (ofBody !== undefined && ofBody !== key)
    throw new Failure('INPUT_INVALID', `${headerName}: header and body must not differ`, { field })
  return key
}

/** The service's words are JSON text that ends by saying whether they are a replay. */
const notarised = (text: string): Reply => ({
  status: text.endsWith('"replayed":true}') ? 200 : 201,
  body: text,
  type: json,
})

/** The matter is JSON text already, and is not parsed again on its way. */
function formatView({ decision, ...view }: DecisionView): string {
  return `${JSON.stringify(view).slice(0, -1)},"decision":${decision ?? 'null'}}`
}

async function dryRun(
  service: Service,
  { bound, tenant }: Principal,
  request: EvaluationRequest,
  key: string | null,
): Promise<Reply> {
  if (key !== null || request.idempotencyKey !== undefined)
    throw new Failure('INPUT_INVALID', 'A dry run leaves no trace and has no idempotency key', {
      field: '/idempotencyKey',
    })
  return { status: 200, body: await service.dryRun(tenant, request, bound), type: json }
}

const notariseRoute = (
  service: Service,
  admit: Admission,
  evaluator: Evaluator,
  maxBytes: number,
): Route =>
  route(
    admit.oneOf(['decisions:submit', 'decisions:evaluate']),
    {
      method: 'POST',
      path: '/v1/decisions',
      summary:
        'Notarises a finished decision, or decides on an intent without a status (scope decisions:evaluate); the answer carries its proof',
      writes: true,
      idempotencyKey: true,
      body: { description: 'The decision or the intent', type: json, schema: decisionBodySchema },
      replies: {
        200: {
          description: 'It was notarised before, under this idempotency key, or is a dry run',
          type: json,
          schema: decisionAnswerSchema,
        },
        201: { description: 'It is notarised', type: json, schema: notarisedSchema },
      },
      failures: ['INPUT_CONFLICT', 'INPUT_ERASED'],
    },
    async (call, principal) => {
      const text = await call.text(maxBytes)
      const request = parseDecisionRequest(text)
      const key = idempotencyKeyOf(call, request.idempotencyKey)
      if (isFinished(request)) {
        requireScope(principal, 'decisions:submit')
        const submission = submissionOf(request, key ?? request.idempotencyKey ?? null)
        return notarised(await service.submit(principal, submission))
      }
      requireScope(principal, 'decisions:evaluate')
      if (request.mode === 'dry_run') return dryRun(service, principal, request, key)
      return notarised(
        await evaluator.decide(principal, request, key ?? request.idempotencyKey ?? null),
      )
    },
  )

const listRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: '/v1/decisions',
      summary: 'Lists decisions, newest first',
      query: listQuerySchema,
      replies: { 200: { description: 'A page', type: json, schema: decisionPageSchema } },
    },
    async (call, { tenant }) => {
      const query = call.query(listQuerySchema)
      return jsonReply(200, await service.listDecisions(tenant, { limit: defaultPage, ...query }))
    },
  )

const readRoute = (service: Service, admit: Admission, lines: TenantLines): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: '/v1/decisions/{id}',
      summary: 'Tells what is known of a decision',
      replies: { 200: { description: 'The decision', type: json, schema: decisionViewSchema } },
    },
    async (call, { tenant }) => {
      const id = call.decisionId()
      // Every step of it is checked.
      const view = await lines.run(call, tenant, () => service.readDecision(tenant, id))
      return { status: 200, body: formatView(view), type: json }
    },
  )

const claimRoute = (service: Service, admit: Admission, maxBytes: number): Route =>
  route(
    admit.scope('decisions:claim'),
    {
      method: 'POST',
      path: '/v1/decisions/{id}/claim',
      summary: 'Uses an allowed decision, before its effect',
      writes: true,
      body: {
        description: 'A note for the record',
        type: json,
        schema: claimRequestSchema,
        optional: true,
      },
      replies: { 201: { description: 'It is claimed', type: json, schema: claimedSchema } },
      failures: ['INPUT_NOT_CLAIMABLE', 'INPUT_CLAIMED', 'INPUT_ERASED'],
    },
    async (call, principal) => {
      const id = call.decisionId()
      const request = await call.json(claimRequestSchema, maxBytes, '{}')
      const claimed = call.whileThere((left) => service.claim(principal, id, request, left))
      return jsonReply(201, await claimed)
    },
  )

const eraseRoute = (service: Service, admit: Admission, maxBytes: number): Route =>
  route(
    admit.scope('decisions:erase'),
    {
      method: 'POST',
      path: '/v1/decisions/{id}/erase',
      summary: 'Erases what a decision says, and logs that it was erased',
      writes: true,
      body: { description: 'Why', type: json, schema: eraseRequestSchema },
      replies: { 200: { description: 'It is erased', type: json, schema: erasedSchema } },
      failures: ['INPUT_ERASED', 'ACTION_REQUIRED'],
    },
    async (call, principal) => {
      const id = call.decisionId()
      const { reason } = await call.json(eraseRequestSchema, maxBytes)
      const { index } = await service.erase(principal, id, reason)
      return jsonReply(200, { id, index })
    },
  )

/** The routes of decisions. */
export const decisionRoutes = (
  service: Service,
  admit: Admission,
  clock: () => number,
  maxBytes: number,
): readonly Route[] => [
  notariseRoute(service, admit, new Evaluator(service, clock), maxBytes),
  listRoute(service, admit),
  readRoute(service, admit, new TenantLines()),
  claimRoute(service, admit, maxBytes),
  eraseRoute(service, admit, maxBytes),
]

// Actions that take two keys. Who asks, rejects or takes back is the owner of the API key; whoever signs is told by the signature, so that anybody with
// the scope may deliver it.
import { Failure } from '../base/failure.ts'
import { utf8 } from '../base/bytes.ts'
import { isUuid } from '../base/uuid.ts'
import { actionStreamOf } from '../dossier/kinds.ts'
import { dossierMediaType } from '../dossier/v1.ts'
import type { Service } from '../decisions/service.ts'
import {
  actionListQuerySchema,
  actionOpeningSchema,
  actionPageSchema,
  actionViewSchema,
  controlViewSchema,
  type ActionAct,
} from '../wire/actions.ts'
import { overrideReasonSchema, overrideSigningSchema } from '../wire/overrides.ts'
import type { Admission } from './admission.ts'
import type { Call } from './call.ts'
import { jsonReply, route, type Description, type Route } from './route.ts'

const json = 'application/json'
const path = '/v1/actions'
const told = { description: 'How it stands with the action', type: json, schema: actionViewSchema }
const defaultPage = 50

function idOf(call: Call): string {
  const id = call.param('id')
  if (!isUuid(id)) throw new Failure('INPUT_NOT_FOUND', 'No such action')
  return id
}

const openRoute = (service: Service, admit: Admission, maxBytes: number): Route =>
  route(
    admit.scope('actions:request'),
    {
      method: 'POST',
      path,
      summary: 'Asks two leads to sign what could undo evidence; the answer holds what they sign',
      writes: true,
      body: { description: 'What, and why', type: json, schema: actionOpeningSchema },
      replies: { 201: told },
      failures: ['ACTION_REFUSED', 'INPUT_NOT_FOUND', 'INPUT_ERASED'],
    },
    async (call, principal) => {
      const opening = await call.json(actionOpeningSchema, maxBytes)
      return jsonReply(201, await service.openAction(principal, opening))
    },
  )

const readRoutes = (service: Service, admit: Admission): readonly Route[] => [
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path,
      summary: 'Lists actions, newest first',
      query: actionListQuerySchema,
      replies: { 200: { description: 'A page', type: json, schema: actionPageSchema } },
    },
    async (call, { tenant }) => {
      const query = call.query(actionListQuerySchema)
      return jsonReply(200, await service.listActions(tenant, { limit: defaultPage, ...query }))
    },
  ),
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: `${path}/{id}`,
      summary: 'Tells of an action',
      replies: { 200: told },
    },
    async (call, { tenant }) => jsonReply(200, await service.readAction(tenant, idOf(call))),
  ),
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: `${path}/{id}/challenge`,
      summary: 'Gives the text that both leads sign, byte for byte',
      replies: { 200: { description: 'ASCII', type: 'text/plain' } },
    },
    async (call, { tenant }) => {
      const { challenge } = await service.readAction(tenant, idOf(call))
      return { body: utf8(challenge), status: 200, type: 'text/plain' }
    },
  ),
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: `${path}/{id}/dossier`,
      summary: 'Gives the dossier of an action: every step with its proof',
      replies: { 200: { description: 'The dossier', type: dossierMediaType } },
    },
    async (call, { tenant }) => {
      const body = await service.exportDossier(tenant, actionStreamOf(idOf(call)))
      return { body, status: 200, type: dossierMediaType }
    },
  ),
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: '/v1/control',
      summary: 'Tells whether two leads must sign what could undo evidence',
      replies: { 200: { description: 'Since when', type: json, schema: controlViewSchema } },
    },
    async (_, { tenant }) => jsonReply(200, await service.readControl(tenant)),
  ),
]

/** One thing that is done to an action. */
const actRoute = (
  service: Service,
  admit: Admission,
  scope: 'actions:request' | 'actions:sign',
  act: ActionAct['act'],
  description: Pick<Description, 'body' | 'failures' | 'summary'>,
  actOf: (call: Call) => Promise<ActionAct>,
): Route =>
  route(
    admit.scope(scope),
    {
      method: 'POST',
      path: `${path}/{id}/${act}`,
      writes: true,
      replies: { 200: told },
      ...description,
      failures: ['ACTION_REFUSED', ...(description.failures ?? [])],
    },
    async (call, principal) => {
      const id = idOf(call)
      return jsonReply(200, await service.actOnAction(principal, id, await actOf(call)))
    },
  )

const why = { description: 'Why', type: json, schema: overrideReasonSchema }

/** What carrying out what was signed may meet. */
const effectFailures = [
  'AUTH_SCOPE',
  'CONFIG_INVALID',
  'INPUT_ERASED',
  'INPUT_KEY_STATE',
  'KEK_DENIED',
  'KEK_KEY_DISABLED',
  'KEK_KEY_MISSING',
  'KEK_UNAVAILABLE',
  'OPEN_FAILED',
  'POLICY_REFUSED',
  'TENANT_CLOSED',
] as const

function actRoutes(service: Service, admit: Admission, maxBytes: number): readonly Route[] {
  const reasoned = (act: 'reject' | 'revoke') => async (call: Call) => ({
    act,
    ...(await call.json(overrideReasonSchema, maxBytes)),
  })
  return [
    actRoute(
      service,
      admit,
      'actions:sign',
      'sign',
      {
        body: { description: 'The signature', type: json, schema: overrideSigningSchema },
        summary: 'Delivers the signature of a lead',
      },
      async (call) => ({ act: 'sign', signing: await call.json(overrideSigningSchema, maxBytes) }),
    ),
    actRoute(
      service,
      admit,
      'actions:sign',
      'reject',
      { body: why, summary: 'Rejects the action, as the lead who owns the API key' },
      reasoned('reject'),
    ),
    actRoute(
      service,
      admit,
      'actions:request',
      'revoke',
      { body: why, summary: 'Takes the action back' },
      reasoned('revoke'),
    ),
    actRoute(
      service,
      admit,
      'actions:request',
      'execute',
      { failures: effectFailures, summary: 'Does what both leads have signed, once' },
      () => Promise.resolve({ act: 'execute' }),
    ),
  ]
}

/** The routes of actions. */
export const actionRoutes = (
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] => [
  openRoute(service, admit, maxBytes),
  ...readRoutes(service, admit),
  ...actRoutes(service, admit, maxBytes),
]

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
} from '../wire/actions.ts'
import type { Admission } from './admission.ts'
import type { Call } from './call.ts'
import { CaseRoutes } from './case-routes.ts'
import { jsonReply, route, type Route } from './route.ts'

const json = 'application/json'

function idOf(call: Call): string {
  const id = call.param('id')
  if (!isUuid(id)) throw new Failure('INPUT_NOT_FOUND', 'No such action')
  return id
}

const words = {
  path: '/v1/actions',
  told: { description: 'How it stands with the action', type: json, schema: actionViewSchema },
  failures: ['ACTION_REFUSED'],
  idOf,
} as const

const scopes = { asking: 'actions:request', signing: 'actions:sign' } as const

const summaries = {
  sign: 'Delivers the signature of a lead',
  reject: 'Rejects the action, as the lead who owns the API key',
  revoke: 'Takes the action back',
  execute: 'Does what both leads have signed, once',
}

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

const controlRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: '/v1/control',
      summary: 'Tells whether two leads must sign what could undo evidence',
      replies: { 200: { description: 'Since when', type: json, schema: controlViewSchema } },
    },
    async (_, { tenant }) => jsonReply(200, await service.readControl(tenant)),
  )

/** The routes of actions. */
export function actionRoutes(
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] {
  const routes = new CaseRoutes(words, admit, maxBytes)
  return [
    routes.open(
      'actions:request',
      'Asks two leads to sign what could undo evidence; the answer holds what they sign',
      { description: 'What, and why', schema: actionOpeningSchema },
      ['INPUT_NOT_FOUND', 'INPUT_ERASED', 'INPUT_KEY_STATE'],
      (principal, opening) => service.openAction(principal, opening),
    ),
    routes.list(
      'Lists actions, newest first',
      actionListQuerySchema,
      actionPageSchema,
      (tenant, query) => service.listActions(tenant, query),
    ),
    routes.read('Tells of an action', (tenant, id) => service.readAction(tenant, id)),
    routes.file(
      'challenge',
      'Gives the text that both leads sign, byte for byte',
      { description: 'ASCII', type: 'text/plain' },
      async (tenant, id) => utf8((await service.readAction(tenant, id)).challenge),
    ),
    routes.file(
      'dossier',
      'Gives the dossier of an action: every step with its proof',
      { description: 'The dossier', type: dossierMediaType },
      (tenant, id) => service.exportDossier(tenant, actionStreamOf(id)),
    ),
    controlRoute(service, admit),
    ...routes.leadActs(
      scopes,
      summaries,
      (principal, id, act) => service.actOnAction(principal, id, act),
      effectFailures,
    ),
  ]
}

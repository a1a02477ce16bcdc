// Webhooks, managed with an API key. They are told what happens and decide nothing.
import type { Service } from '../decisions/service.ts'
import {
  webhookCreatedSchema,
  webhookListSchema,
  webhookRequestSchema,
  webhookSchema,
  webhookTestedSchema,
} from '../wire/webhooks.ts'
import { Failure } from '../base/failure.ts'
import { isUuid } from '../base/uuid.ts'
import type { Admission } from './admission.ts'
import type { Call } from './call.ts'
import { jsonReply, route, type Route } from './route.ts'

const json = 'application/json'
const path = '/v1/webhooks'

function idOf(call: Call): string {
  const id = call.param('id')
  if (!isUuid(id)) throw new Failure('INPUT_NOT_FOUND', 'No such webhook')
  return id
}

/** The routes of webhooks. */
export const webhookRoutes = (
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] => [
  route(
    admit.scope('webhooks:manage'),
    {
      method: 'GET',
      path,
      summary: 'Lists the webhooks of the tenant, what waits for them and what was given up',
      replies: { 200: { description: 'All of them', type: json, schema: webhookListSchema } },
    },
    async (_, { tenant }) => jsonReply(200, await service.listWebhooks(tenant)),
  ),
  route(
    admit.scope('webhooks:manage'),
    {
      method: 'POST',
      path,
      summary: 'Makes a webhook; a secret that is made for it is told once',
      writes: true,
      body: { description: 'Where it leads', type: json, schema: webhookRequestSchema },
      replies: { 201: { description: 'It is made', type: json, schema: webhookCreatedSchema } },
      failures: ['INPUT_EXISTS'],
    },
    async (call, { caller, tenant }) => {
      const request = await call.json(webhookRequestSchema, maxBytes)
      return jsonReply(201, await service.addWebhook(tenant, request, caller))
    },
  ),
  route(
    admit.scope('webhooks:manage'),
    {
      method: 'DELETE',
      path: `${path}/{id}`,
      summary: 'Removes a webhook and what waits for it',
      writes: true,
      replies: { 200: { description: 'It is gone', type: json, schema: webhookSchema } },
      failures: ['INPUT_NOT_FOUND'],
    },
    async (call, { caller, tenant }) =>
      jsonReply(200, await service.removeWebhook(tenant, idOf(call), caller)),
  ),
  route(
    admit.scope('webhooks:manage'),
    {
      method: 'POST',
      path: `${path}/{id}/test`,
      summary: 'Lets the webhook, and nobody else, be told of a test',
      writes: true,
      replies: { 202: { description: 'It waits', type: json, schema: webhookTestedSchema } },
      failures: ['INPUT_EXISTS', 'INPUT_NOT_FOUND'],
    },
    async (call, { caller, tenant }) =>
      jsonReply(202, await service.testWebhook(tenant, idOf(call), caller)),
  ),
]

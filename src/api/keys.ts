// The keys of the tenant: how it stands with them, and what is to be done to them while decisions go on.
import type { Service } from '../decisions/service.ts'
import { keyOrderDoneSchema, keyOrderSchema, keyStatusSchema } from '../wire/keys.ts'
import type { Admission } from './admission.ts'
import { jsonReply, route, type Route } from './route.ts'

const json = 'application/json'
const path = '/v1/keys'

const statusRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.scope('keys:manage'),
    {
      method: 'GET',
      path,
      summary: 'Says what signs now, who can open it, and what is unfinished or due',
      replies: {
        200: { description: 'How it stands with the keys', type: json, schema: keyStatusSchema },
      },
    },
    async (_, { tenant }) => jsonReply(200, await service.keyStatus(tenant)),
  )

const orderRoute = (service: Service, admit: Admission, maxBytes: number): Route =>
  route(
    admit.scope('keys:manage'),
    {
      method: 'POST',
      path,
      summary: 'Does something to the keys; an order that was interrupted goes on when given again',
      writes: true,
      body: { description: 'What is to be done', type: json, schema: keyOrderSchema },
      replies: {
        200: { description: 'It is done, step by step', type: json, schema: keyOrderDoneSchema },
      },
      failures: [
        'INPUT_NOT_FOUND',
        'INPUT_KEY_STATE',
        'ACTION_REQUIRED',
        'KEK_UNAVAILABLE',
        'KEK_DENIED',
        'KEK_KEY_MISSING',
        'KEK_KEY_DISABLED',
        'OPEN_FAILED',
        'CONFIG_INVALID',
      ],
    },
    async (call, { caller, tenant }) => {
      const order = await call.json(keyOrderSchema, maxBytes)
      return jsonReply(200, await service.orderKeys(tenant, order, caller))
    },
  )

/** The routes of keys. */
export const keyRoutes = (
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] => [statusRoute(service, admit), orderRoute(service, admit, maxBytes)]

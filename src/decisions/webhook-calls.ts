// The use cases of webhooks, and of whoever sends what waits for them.
import type { Access } from './access.ts'
import type { Outbox } from './outbox.ts'
import type { Service } from './service.ts'
import { addWebhook, listWebhooks, removeWebhook, testWebhook } from './webhook-desk.ts'

type WebhookCalls = Pick<
  Service,
  | 'addWebhook'
  | 'listWebhooks'
  | 'removeWebhook'
  | 'testWebhook'
  | 'takeDeliveries'
  | 'settleDelivery'
>

/** What is done with webhooks. */
export const webhookCalls = (
  access: Pick<Access, 'usableStore' | 'use'>,
  outbox: Outbox,
): WebhookCalls => ({
  addWebhook: async (tenant, request, by) =>
    access.use(tenant, (room) => addWebhook(room, request, by)),

  listWebhooks: async (tenant) => access.use(tenant, listWebhooks),

  removeWebhook: async (tenant, id, by) =>
    access.use(tenant, (room) => removeWebhook(room, id, by)),

  testWebhook: async (tenant, id, by) => access.use(tenant, (room) => testWebhook(room, id, by)),

  takeDeliveries: async (limit) => {
    access.usableStore()
    return outbox.take(limit)
  },

  settleDelivery: async (id, outcome) => {
    access.usableStore()
    await outbox.settle(id, outcome)
  },
})

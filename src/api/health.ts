// Probes: alive says that the process answers, ready that it can notarise now.
import { asFailure } from '../base/failure.ts'
import type { Health, Service } from '../decisions/service.ts'
import { aliveSchema, readySchema } from '../wire/health.ts'
import { anybody } from './admission.ts'
import { jsonReply, route, type Route } from './route.ts'

const json = 'application/json'

/** Asks once for all who ask at the same time: anybody may. */
function sharedHealth(service: Service): () => Promise<Health> {
  let asked: Promise<Health> | undefined
  return () =>
    (asked ??= service
      .health()
      .catch((error: unknown) => ({ ready: false, parts: { service: asFailure(error).title } }))
      .finally(() => {
        asked = undefined
      }))
}

/** The routes of the probes. */
export function healthRoutes(service: Service, version: string): readonly Route[] {
  const health = sharedHealth(service)
  const alive = route(
    anybody,
    {
      method: 'GET',
      path: '/healthz',
      summary: 'Tells that the process answers',
      replies: { 200: { description: 'It does', type: json, schema: aliveSchema } },
    },
    () => Promise.resolve(jsonReply(200, { status: 'ok', version })),
  )
  const ready = route(
    anybody,
    {
      method: 'GET',
      path: '/readyz',
      summary: 'Tells whether work can be done now, part by part',
      replies: {
        200: { description: 'It can', type: json, schema: readySchema },
        503: { description: 'It cannot', type: json, schema: readySchema },
      },
    },
    async () => {
      const { ready, parts } = await health()
      return jsonReply(ready ? 200 : 503, { ready, parts })
    },
  )
  return [alive, ready]
}

// The one route that PROVENANCE clients call, where they look for it. Whatever they are to obey is a 200: a client that is told to let things pass when
// the gateway fails takes every other status for such a failure.
import type { Service } from '../decisions/service.ts'
import { mostWaitSeconds } from '../wire/escalations.ts'
import { gatewayAnswerSchema, gatewayRequestSchema } from '../wire/gateway.ts'
import type { Admission } from './admission.ts'
import { jsonReply, route, type Route } from './route.ts'

const json = 'application/json'
const secondMs = 1000

/** The routes of the gateway. */
export const gatewayRoutes = (
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] =>
  ['/v1/gateway/execute', '/api/v1/gateway/execute'].map((path) =>
    route(
      admit.gateway,
      {
        method: 'POST',
        path,
        summary:
          'Decides an action for a PROVENANCE client by the policies of the tenant, and holds the answer while a reviewer is asked',
        writes: true,
        holdMs: mostWaitSeconds * secondMs,
        body: { description: 'The action', type: json, schema: gatewayRequestSchema },
        replies: {
          200: {
            description: 'What the client may do; event_id is the id of the decision',
            type: json,
            schema: gatewayAnswerSchema,
          },
        },
        failures: ['INPUT_CONFLICT', 'INPUT_ERASED'],
      },
      async (call, principal) => {
        const request = await call.json(gatewayRequestSchema, maxBytes)
        const answer = await call.whileThere((left) =>
          service.executeGateway(principal, request, left),
        )
        return jsonReply(200, answer)
      },
    ),
  )

// The HTTP edge over the service port. It authenticates, bounds and parses what a stranger sends, asks the service, and answers its words or an
// RFC 9457 problem from the failure table. It decides nothing, keeps nothing but a few seconds of authentication, and writes neither tokens nor
// bodies to its log. One handler a route and no middleware: the chain is what costs on the hot path.
import type { IncomingMessage, RequestListener } from 'node:http'
import { asFailure, Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import type { Service } from '../decisions/service.ts'
import { actionRoutes } from './actions.ts'
import { admission } from './admission.ts'
import { apiKeyRoutes } from './api-keys.ts'
import { Authenticator } from './authentication.ts'
import { Call } from './call.ts'
import { decisionRoutes } from './decisions.ts'
import { escalationRoutes } from './escalations.ts'
import { evidenceRoutes } from './evidence.ts'
import { createExchange } from './exchange.ts'
import { gatewayRoutes } from './gateway.ts'
import { healthRoutes } from './health.ts'
import { keyRoutes } from './keys.ts'
import { logTileRoutes } from './log-tiles.ts'
import { openApiRoute } from './openapi.ts'
import { overrideRoutes } from './overrides.ts'
import { policyRoutes } from './policies.ts'
import { problem } from './problems.ts'
import { proposalRoutes } from './proposals.ts'
import { PublicTenants } from './public-tenants.ts'
import type { Log } from './request-log.ts'
import { targetOf } from './request-target.ts'
import type { Reply, Route } from './route.ts'
import { Routing } from './routing.ts'
import { sendWhenMade, type Made } from './send.ts'
import { webhookRoutes } from './webhooks.ts'

/** What the HTTP edge is made of. */
export interface AppOptions {
  readonly service: Service
  /** Whose memory another edge of the service clears when it changes API keys (default: one of its own). */
  readonly authenticator?: Authenticator
  readonly logger: Log
  readonly version: string
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** How long a request may take, its body included. */
  readonly requestTimeoutMs: number
  /** Largest body of every route but the verifying one. */
  readonly maxBodyBytes?: number
  /** Largest dossier that is verified on request; a larger one wants the offline verifier, for it would keep the notary from its work. */
  readonly maxDossierBytes?: number
}

const defaultDossierBytes = 256 * 1024

/** Every route, in the order in which they are described. */
export function createRoutes(options: AppOptions): readonly Route[] {
  const { clock, service, version } = options
  const authenticator = options.authenticator ?? new Authenticator(service, clock)
  const admit = admission(authenticator, new PublicTenants(service, clock))
  const maxBytes = options.maxBodyBytes ?? limits.bodyBytes
  const routes = [
    ...decisionRoutes(service, admit, clock, maxBytes),
    ...evidenceRoutes(service, admit, options.maxDossierBytes ?? defaultDossierBytes),
    ...apiKeyRoutes(service, admit, authenticator, maxBytes),
    ...keyRoutes(service, admit, maxBytes),
    ...overrideRoutes(service, admit, maxBytes),
    ...actionRoutes(service, admit, maxBytes),
    ...proposalRoutes(service, admit, maxBytes),
    ...escalationRoutes(service, admit, maxBytes),
    ...gatewayRoutes(service, admit, maxBytes),
    ...policyRoutes(service, admit, maxBytes),
    ...webhookRoutes(service, admit, maxBytes),
    ...logTileRoutes(service, admit),
    ...healthRoutes(service, version),
  ]
  return [...routes, openApiRoute(routes, version)]
}

/** Answers what no route does. */
const unmatched = (routing: Routing): Route => ({
  method: 'ALL',
  path: 'unmatched',
  summary: '',
  answer: (call): Promise<Reply> => {
    const methods = routing.methodsAt(call.path)
    if (methods.length === 0) throw new Failure('INPUT_NOT_FOUND', 'No such resource')
    const failure = new Failure('INPUT_METHOD', `Method must be one of: ${methods.join(', ')}`)
    const Allow = methods.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : name)).join(', ')
    return Promise.resolve(problem(failure, call.requestId, { Allow }))
  },
})

/** The HTTP edge, as a server of node:http calls it. */
export function createApp(options: AppOptions): RequestListener {
  const exchange = createExchange(options)
  const routing = new Routing(createRoutes(options))
  const nowhere = { route: unmatched(routing), params: {} }
  const answer = async (request: IncomingMessage): Promise<Made> => {
    try {
      const target = targetOf(request)
      // Of an answer to HEAD the platform sends the headers alone.
      const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '')
      const { params, route } = routing.match(method, target.path) ?? nowhere
      const call = new Call(request, target, params)
      return [await exchange(route, call), call.requestId]
    } catch (error) {
      // Whoever is on the way may take what follows for another request than we do.
      return [problem(asFailure(error), undefined, { Connection: 'close' })]
    }
  }
  return (request, response) => {
    void sendWhenMade(response, answer(request), options.logger)
  }
}

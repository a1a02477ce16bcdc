// The edges of a running server: HTTP, the control socket and webhooks, over the service in its thread.
import type { Logger } from 'pino'
import { createApp } from './api/app.ts'
import { Authenticator } from './api/authentication.ts'
import { listen } from './api/server.ts'
import { asFailure } from './base/failure.ts'
import { localCaller } from './cli/principal.ts'
import type { Config } from './config.ts'
import { listenControl, type ControlSocket } from './control-server.ts'
import type { RemoteService } from './decisions/service-client.ts'
import type { Service } from './decisions/service.ts'
import { firstTenant } from './data-directory.ts'
import { WebhookSender } from './webhook-sender.ts'
import { scopes } from './wire/decision.ts'

/** What edges stand on. */
export interface EdgeParts {
  readonly logger: Logger
  readonly service: RemoteService
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  readonly version: string
}

/** Edges that are open. */
export interface Edges {
  readonly url: string
  /** Lets finish what was accepted. */
  readonly close: () => Promise<void>
}

/** The service for the control socket: whoever revokes an API key there is obeyed at once, not when HTTP has forgotten whose it was. */
const forgetful = (service: RemoteService, authenticator: Authenticator): Service => ({
  ...service,
  revokeApiKey: (...key) =>
    service.revokeApiKey(...key).finally(() => {
      authenticator.forget()
    }),
})

/** The control socket; a server without one serves all the same. */
async function openControl(
  data: string,
  service: Service,
  logger: Logger,
): Promise<ControlSocket | undefined> {
  try {
    return await listenControl(data, service)
  } catch (error) {
    const { message } = asFailure(error)
    logger.warn({ reason: message }, 'control.unavailable')
    return undefined
  }
}

/** A token that may do everything, for a playground. */
export const makeFirstToken = async (service: Service): Promise<string> =>
  (await service.createApiKey(firstTenant, 'dev', [...scopes], localCaller())).token

/**
 * Opens the edges of a configuration.
 * @throws {@link Failure} CONFIG_INVALID when the address is taken or forbidden
 */
export async function openEdges(
  { data, serve, webhooksAllowPrivate }: Config,
  { logger, service, tls, version }: EdgeParts,
): Promise<Edges> {
  const { host, maxBodyBytes, maxConnections, port, requestTimeoutMs } = serve
  const authenticator = new Authenticator(service, Date.now)
  const app = createApp({
    authenticator,
    clock: Date.now,
    logger,
    maxBodyBytes,
    requestTimeoutMs,
    service,
    version,
  })
  const sender = new WebhookSender(service, { allowPrivate: webhooksAllowPrivate, version })
  // Bound before anything else goes on in this process, whose umask it needs for a moment.
  const control = await openControl(data, forgetful(service, authenticator), logger)
  const server = await listen(app, {
    host,
    logger,
    maxConnections,
    port,
    requestTimeoutMs,
    ...(tls === undefined ? {} : { tls }),
  }).catch(async (error: unknown) => {
    await control?.close()
    await sender.close()
    throw error
  })
  return {
    url: server.url,
    async close() {
      // Who is held is answered before connections are cut.
      const sentHome = service.endWaits().catch(() => undefined)
      await Promise.all([server.close(), control?.close(), sentHome])
      await sender.close()
    },
  }
}

// The listener: sockets with bounds in time, TLS where it is asked for, and an end that lets finish what was accepted.
import { createServer as createPlainServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { mostWaitSeconds } from '../wire/escalations.ts'
import { affordableConnections } from './open-files.ts'
import { refuseOnSocket } from './refuse-on-socket.ts'
import type { Log } from './request-log.ts'
import { Turns } from './turns.ts'

/** Where and how to listen. */
export interface ListenOptions {
  readonly host?: string
  /** 0 takes a free port. */
  readonly port: number
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Time for a whole request to arrive; the app's own, so that it answers before the socket is cut. */
  readonly requestTimeoutMs: number
  /** Time for the headers of a request to arrive. */
  readonly headersTimeoutMs?: number
  /** How long `close` lets requests finish. */
  readonly drainMs?: number
  /** Connections at a time, of which each may have one request under way; what comes beyond is closed at once. Fewer where there are few files. */
  readonly maxConnections?: number
  /** Is told of connections that were closed at once. */
  readonly logger?: Log
}

/** A listener. */
export interface Listening {
  readonly url: string
  /** Stops accepting, lets requests finish within `drainMs`, then cuts what is left. */
  readonly close: () => Promise<void>
}

const defaultHeadersMs = 10_000
const handshakeMs = 10_000
const keepAliveMs = 30_000
const graceMs = 5000
/** How long a route may keep a caller waiting on purpose. */
const holdMs = mostWaitSeconds * 1000
const defaultDrainMs = 10_000
const sweepMs = 50
const tellMs = 10_000

function createServer(options: ListenOptions): Server {
  const { headersTimeoutMs = defaultHeadersMs, requestTimeoutMs, tls } = options
  const arrivalMs = requestTimeoutMs + graceMs
  const bounds = {
    // Beyond the app's own deadline, which answers first; this one is for what never becomes a request.
    requestTimeout: arrivalMs,
    headersTimeout: Math.min(headersTimeoutMs, arrivalMs),
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: keepAliveMs,
    // A missing Host becomes a problem document like every other fault, instead of the platform's bare 400.
    requireHostHeader: false,
    // What stands twice is seen, instead of being dropped.
    joinDuplicateHeaders: true,
  }
  if (tls === undefined) return createPlainServer(bounds)
  try {
    return createTlsServer({
      ...bounds,
      ...tls,
      handshakeTimeout: handshakeMs,
      minVersion: 'TLSv1.3',
    })
  } catch (cause) {
    throw new Failure('CONFIG_INVALID', 'TLS certificate and key do not fit', { cause })
  }
}

/** What to do where the system refuses an address. */
const listening: Readonly<Record<string, string>> = {
  EACCES: 'this user may not have the port, choose another --port, such as one from 1024 on',
  EADDRINUSE: 'something listens there already, stop it or choose another --port',
  EADDRNOTAVAIL: 'this machine does not have the address, choose another --host',
  ENOTFOUND: 'no address is known by that name, choose another --host',
}

function start(server: Server, { host = '127.0.0.1', port }: ListenOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const { code = cause.message } = cause
      const advice = listening[code] === undefined ? '' : `, ${listening[code]}`
      const message = `Cannot listen (${code})${advice}: ${host}:${port}`
      reject(new Failure('CONFIG_INVALID', message, { cause }))
    })
    server.listen(port, host, () => {
      const address = server.address()
      if (address === null || typeof address === 'string')
        reject(new Failure('BUG', 'Listener has no port'))
      else resolve(address)
    })
  })
}

/** Tells of connections that were closed at once: the first, and then some times a minute how many. */
function tellOfDropped(server: Server, logger: Log): void {
  let dropped = 0
  let toldAt = -Infinity
  server.on('drop', () => {
    dropped++
    const now = performance.now()
    if (now - toldAt < tellMs) return
    logger.error({ closed: dropped, most: server.maxConnections }, 'too many connections')
    dropped = 0
    toldAt = now
  })
}

/** Ends a server: connections that fall idle are closed, and after the bound all. */
function drain(server: Server, drainMs: number): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => {
      server.closeIdleConnections()
    }, sweepMs)
    const cut = setTimeout(() => {
      server.closeAllConnections()
      // What has not even finished its handshake is no connection yet, and not worth waiting for.
      finish()
    }, drainMs)
    const finish = (): void => {
      clearInterval(sweep)
      clearTimeout(cut)
      resolve()
    }
    server.close(finish)
  })
}

/**
 * Listens, and gives the URL once it does.
 * @throws {@link Failure} CONFIG_INVALID when the address is taken or forbidden, or certificate and key are none
 */
export async function listen(app: RequestListener, options: ListenOptions): Promise<Listening> {
  const server = createServer(options)
  server.maxConnections = affordableConnections(options.maxConnections ?? limits.connections)
  let closing: Promise<void> | undefined
  const turns = new Turns(app)
  const take: RequestListener = (incoming, outgoing) => {
    if (closing !== undefined) outgoing.shouldKeepAlive = false
    turns.take(incoming, outgoing)
  }
  server.on('request', take)
  // What is expected is judged with the rest of the head, instead of being refused without a word.
  server.on('checkExpectation', take)
  server.on(
    'clientError',
    refuseOnSocket((socket) => turns.lastOn(socket)),
  )
  if (options.logger !== undefined) tellOfDropped(server, options.logger)
  // A peer that neither reads nor writes for this long is gone.
  server.timeout = options.requestTimeoutMs + holdMs + 2 * graceMs
  const { address, family, port } = await start(server, options)
  const host = family === 'IPv6' ? `[${address}]` : address
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    close: () => (closing ??= drain(server, options.drainMs ?? defaultDrainMs)),
  }
}

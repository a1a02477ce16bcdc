// An answer on its way to the socket.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Reply } from './route.ts'

/** For how long, and how much of, what still comes of a request that was answered already is dropped before the connection ends. */
const lingerMs = 500
const lingerBytes = 1024 * 1024

/** A connection that is cut while the peer still sends may take its answer with it (RFC 9112 §9.6). */
function linger(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  const end = (): void => {
    request.off('data', drop)
    request.socket.destroySoon()
  }
  const timer = setTimeout(end, lingerMs)
  request.once('close', () => {
    clearTimeout(timer)
  })
  let dropped = 0
  const drop = (chunk: Uint8Array): void => {
    dropped += chunk.length
    if (dropped > lingerBytes) end()
  }
  request.on('data', drop)
  request.resume()
}

/** Sends an answer; to a peer that is gone nothing is sent. */
export function send(
  outgoing: ServerResponse,
  { body, cache = 'no-store', headers, status, type }: Reply,
  requestId?: string,
): void {
  const { req: request } = outgoing
  if (outgoing.destroyed) return
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  outgoing.writeHead(status, {
    'Content-Type': type,
    'Cache-Control': cache,
    'X-Content-Type-Options': 'nosniff',
    ...headers,
    ...(requestId === undefined ? {} : { 'X-Request-Id': requestId }),
    'Content-Length': length,
  })
  if (!request.complete)
    outgoing.once('finish', () => {
      linger(request)
    })
  // Text of one byte a character is ASCII, and needs no more than to be copied.
  outgoing.end(body, length === body.length ? 'latin1' : 'utf8')
}

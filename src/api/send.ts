// An answer on its way to the socket.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { limits } from '../base/limits.ts'
import type { Log } from './request-log.ts'
import type { Reply } from './route.ts'

/** For how long, and how much of, what still comes of a request that was answered already is dropped before the connection ends. */
const lingerMs = 500
const lingerBytes = 1024 * 1024

/** Ends an answer that is written already. A connection that is cut while the peer still sends may take its answer with it (RFC 9112 §9.6). */
function endLingering(outgoing: ServerResponse, request: IncomingMessage): void {
  const end = (): void => {
    clearTimeout(timer)
    request.off('data', drop).off('end', end).off('close', end)
    outgoing.end(() => {
      if (!request.complete) request.socket.destroySoon()
    })
  }
  const timer = setTimeout(end, lingerMs)
  let dropped = 0
  const drop = (chunk: Uint8Array): void => {
    dropped += chunk.length
    if (dropped > lingerBytes) end()
  }
  request.on('data', drop).once('end', end).once('close', end)
  request.resume()
}

/** How slowly an answer may be taken. */
export interface Pace {
  /** Time that every answer has. */
  readonly graceMs: number
  /** What must be taken a second beyond that. */
  readonly bytesPerSecond: number
}

const usualPace: Pace = { bytesPerSecond: limits.answerBytesPerSecond, graceMs: 30_000 }
/** Shorter answers cost less than the connection does, whose own bounds are enough for them. */
const longBytes = 16_384

/** Cuts off an answer that a peer leaves with us for longer than it may. */
function limitTaking(
  outgoing: ServerResponse,
  bytes: number,
  { bytesPerSecond, graceMs }: Pace,
): void {
  const cut = (): void => {
    outgoing.destroy()
  }
  const timer = setTimeout(cut, graceMs + (bytes / bytesPerSecond) * 1000).unref()
  outgoing.once('close', () => {
    clearTimeout(timer)
  })
}

/** An answer, and the id of the request where it got so far. */
export type Made = readonly [reply: Reply, requestId?: string]

/** Sends an answer once it is made. One that cannot be sent ends its connection, and nothing else. */
export async function sendWhenMade(
  outgoing: ServerResponse,
  making: Promise<Made>,
  log: Log,
  pace = usualPace,
): Promise<void> {
  try {
    const [reply, requestId] = await making
    send(outgoing, reply, requestId, pace)
  } catch (error) {
    const { name, stack = '' } = error instanceof Error ? error : new Error()
    const at = stack.split('\n').find((line) => line.trim().startsWith('at '))
    log.error({ at: at?.trim(), code: 'BUG', name }, 'answer was not sent')
    outgoing.destroy()
  }
}

/** Sends an answer; to a peer that is gone nothing is sent. */
export function send(
  outgoing: ServerResponse,
  { body, cache = 'no-store', headers, status, type }: Reply,
  requestId?: string,
  pace = usualPace,
): void {
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
  // Text of one byte a character is ASCII, and needs no more than to be copied.
  const encoding = length === body.length ? 'latin1' : 'utf8'
  const isLong = length > longBytes
  if (isLong) limitTaking(outgoing, length, pace)
  if (!outgoing.req.complete) {
    outgoing.write(body, encoding)
    endLingering(outgoing, outgoing.req)
  } else if (isLong)
    // An answer that has ended counts as idle although it is still on its way, and a server that closes cuts what is idle.
    outgoing.write(body, encoding, (error) => {
      if (error == null) outgoing.end()
    })
  else outgoing.end(body, encoding)
}

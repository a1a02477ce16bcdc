// An answer on its way to the socket.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { problem } from './problems.ts'
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

/** What long answers may take of us. */
export interface LongAnswerBounds {
  /** Time that every answer has. */
  readonly graceMs: number
  /** What must be taken a second beyond that. */
  readonly bytesPerSecond: number
  /** How many bytes may be on their way together; one answer always may. */
  readonly bytes: number
}

const usual: LongAnswerBounds = {
  bytes: limits.answerBytes,
  bytesPerSecond: limits.answerBytesPerSecond,
  graceMs: 30_000,
}
/** Shorter answers cost less than the connection does, whose own bounds are enough for them. */
const longBytes = 16_384

/** Long answers on their way: they stand in memory until they are taken. */
export class LongAnswers {
  readonly #bounds: LongAnswerBounds
  #bytes = 0

  constructor(bounds = usual) {
    this.#bounds = bounds
  }

  hasRoomFor(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bounds.bytes
  }

  /** Counts an answer until it is taken, and cuts it off where a peer leaves it with us for longer than it may. */
  add(outgoing: ServerResponse, bytes: number): void {
    const { bytesPerSecond, graceMs } = this.#bounds
    const cut = (): void => {
      outgoing.destroy()
    }
    const timer = setTimeout(cut, graceMs + (bytes / bytesPerSecond) * 1000).unref()
    this.#bytes += bytes
    outgoing.once('close', () => {
      clearTimeout(timer)
      this.#bytes -= bytes
    })
  }
}

/** Of all listeners, for it is one memory. */
const all = new LongAnswers()

const lengthOf = ({ body }: Reply): number =>
  typeof body === 'string' ? Buffer.byteLength(body) : body.length

/** Whether it can be asked again: what a request has done nothing but its answer tells. */
const isRepeatable = ({ method }: IncomingMessage): boolean => method === 'GET'

const tooMuch = new Failure('LOG_BUSY', 'Too many long answers are on their way')

/** An answer, and the id of the request where it got so far. */
export type Made = readonly [reply: Reply, requestId?: string]

/** Sends an answer once it is made. One that cannot be sent ends its connection, and nothing else. */
export async function sendWhenMade(
  outgoing: ServerResponse,
  making: Promise<Made>,
  log: Log,
  long = all,
): Promise<void> {
  try {
    const [made, requestId] = await making
    const length = lengthOf(made)
    const isSent = length <= longBytes || !isRepeatable(outgoing.req) || long.hasRoomFor(length)
    if (!isSent) log.error({ code: tooMuch.code, requestId }, 'answer was withheld')
    send(outgoing, isSent ? made : problem(tooMuch, requestId), requestId, long)
  } catch (error) {
    const { name, stack = '' } = error instanceof Error ? error : new Error()
    const at = stack.split('\n').find((line) => line.trim().startsWith('at '))
    log.error({ at: at?.trim(), code: 'BUG', name }, 'answer was not sent')
    outgoing.destroy()
  }
}

/** Sends an answer; to a peer that is gone nothing is sent. */
export function send(outgoing: ServerResponse, reply: Reply, requestId?: string, long = all): void {
  if (outgoing.destroyed) return
  const { body, cache = 'no-store', headers, status, type } = reply
  const length = lengthOf(reply)
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
  if (isLong) long.add(outgoing, length)
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

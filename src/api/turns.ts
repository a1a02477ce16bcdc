// The requests of one connection, one after the other. They may come before the last was answered (RFC 9112 §9.3.2), and the platform reads and offers
// hundreds of them at once: a peer that sends and does not read would hold the memory of all, and one connection the time of all others.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { problem } from './problems.ts'
import { send } from './send.ts'

type Turn = readonly [request: IncomingMessage, response: ServerResponse]

const tooMany = new Failure(
  'INPUT_TOO_LARGE',
  `No more than ${limits.requestsInTurn} requests may wait on a connection`,
)

/** The parser that node:http leaves on a connection. */
interface Parsed {
  readonly parser?: { onIncoming?: unknown } | null
}

/** Takes nothing more from a connection. */
function stopTaking(socket: Socket): void {
  // In what was read already there may be thousands of requests, and no public way leads into the parser before it has offered them all: each would
  // hold two kilobytes for as long as the connection lasts. Where the way has changed, it is only that.
  const { parser } = socket as Parsed
  if (parser?.onIncoming !== undefined) parser.onIncoming = () => 0
  const pause = (): void => {
    socket.pause()
  }
  // The parser has the socket read on after each request that it finds.
  socket.on('resume', pause)
  pause()
}

/** One connection. */
class Line {
  readonly #app: RequestListener
  #current: ServerResponse
  #bytesRead: number
  #waiting: Turn[] = []
  #isOver = false
  /** The answer to what came last. */
  last: ServerResponse

  constructor(app: RequestListener, { socket }: IncomingMessage, first: ServerResponse) {
    this.#app = app
    this.#bytesRead = socket.bytesRead
    this.#current = first
    this.last = first
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    const { bytesRead } = request.socket
    // Many that came together must not be answered together either, while all other connections wait.
    const isApart = bytesRead !== this.#bytesRead
    this.#bytesRead = bytesRead
    this.last = response
    if (this.#isOver) return
    if (isApart && this.#waiting.length === 0 && this.#current.writableFinished) {
      this.#current = response
      this.#app(request, response)
    } else this.#wait(request, response)
  }

  #wait(request: IncomingMessage, response: ServerResponse): void {
    this.#waiting.push([request, response])
    if (this.#waiting.length === 1) this.#goOn()
    if (this.#waiting.length <= limits.requestsInTurn) return
    // Who is first in line is told, and nothing of what waits is acted on.
    this.#isOver = true
    this.#waiting.length = 1
    stopTaking(request.socket)
  }

  /** Serves the next once the current one is answered and other connections had their turn. */
  #goOn(): void {
    const next = (): void => {
      this.#next()
    }
    if (this.#current.writableFinished) setImmediate(next)
    else this.#current.once('close', () => setImmediate(next))
  }

  #next(): void {
    const [turn] = this.#waiting.splice(0, 1)
    // A connection that has ended takes with it what nobody can be told of.
    if (turn?.[0].socket.writable !== true) return
    const [request, response] = turn
    this.#current = response
    if (this.#waiting.length > 0) this.#goOn()
    if (this.#isOver) send(response, problem(tooMany, undefined, { Connection: 'close' }))
    else this.#app(request, response)
  }
}

/** Offers an app the requests of each connection in turn. */
export class Turns {
  readonly #app: RequestListener
  readonly #lines = new WeakMap<Duplex, Line>()

  constructor(app: RequestListener) {
    this.#app = app
  }

  /** Takes a request as it comes. */
  take(request: IncomingMessage, response: ServerResponse): void {
    const line = this.#lines.get(request.socket)
    if (line !== undefined) line.take(request, response)
    else {
      this.#lines.set(request.socket, new Line(this.#app, request, response))
      this.#app(request, response)
    }
  }

  /** The answer to what came last on a connection, made or not. */
  lastOn(socket: Duplex): ServerResponse | undefined {
    return this.#lines.get(socket)?.last
  }
}

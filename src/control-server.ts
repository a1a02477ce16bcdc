// The socket beside the database by which the command line reaches a running server. Whoever can open it could open the data directory, so nobody
// is authenticated; yet a peer that hangs, floods or speaks nonsense loses its connection and disturbs nobody else.
import { lstatSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { Failure } from './base/failure.ts'
import { parseCall, parseCalls, type StrangeCall } from './control-calls.ts'
import { encodeFrame, maxAnswerBytes, maxCallBytes, readFrames } from './control-frames.ts'
import { placeSocket } from './control-path.ts'
import { failed, hostService, type Answer, type Call } from './decisions/service-host.ts'
import type { Service } from './decisions/service.ts'

/** A control socket that listens. */
export interface ControlSocket {
  /** Takes no more calls, lets those that came be answered within a bound, and removes the socket. */
  close(): Promise<void>
}

const maxConnections = 32
/** Calls of one peer that may be in work; beyond it nothing more is read. */
const maxOutstanding = 256
const drainMs = 10_000

/** One connection, from the server's side. */
class Peer {
  readonly #socket: Socket
  #outstanding = 0
  #ending = false
  #full = false
  #deliver: ((calls: readonly Call[]) => void) | undefined

  constructor(socket: Socket, service: Service) {
    this.#socket = socket
    hostService(service, {
      close: () => socket.destroy(),
      on: (event: 'message' | 'close', listener: (message: readonly never[]) => void) => {
        if (event === 'message') this.#deliver = listener as (calls: readonly Call[]) => void
      },
      postMessage: (answers) => {
        for (const one of answers as readonly Answer[]) this.#answer(one)
      },
    })
    socket.on('drain', () => {
      this.#full = false
      this.#flow()
    })
    readFrames(socket, maxCallBytes, (message) => {
      if (!this.#ending) for (const call of parseCalls(message)) this.#take(call)
      this.#flow()
    })
  }

  /** Ends once what was asked is answered. */
  end(): void {
    this.#ending = true
    if (this.#outstanding === 0) this.#socket.end()
  }

  cut(): void {
    this.#socket.destroy()
  }

  #take(call: StrangeCall): void {
    this.#outstanding++
    try {
      this.#deliver?.([parseCall(call)])
    } catch (error) {
      this.#answer(failed(call.id, error))
    }
  }

  #answer(answer: Answer): void {
    this.#outstanding--
    if (!this.#socket.writable) return
    const frame = encodeFrame([answer], maxAnswerBytes) ?? encodeFrame([tooLarge(answer)], 4096)
    if (frame !== undefined && !this.#socket.write(frame)) this.#full = true
    this.#flow()
    if (this.#ending && this.#outstanding === 0) this.#socket.end()
  }

  /** A peer that does not read its answers is not read either. */
  #flow(): void {
    if (this.#full || this.#outstanding >= maxOutstanding) this.#socket.pause()
    else this.#socket.resume()
  }
}

const tooLarge = ({ id }: Answer): Answer =>
  failed(id, new Failure('INPUT_TOO_LARGE', 'Answer is larger than the control socket carries'))

/** The store's lock tells who lives: a socket found by whoever holds it is a dead server's. */
function removeStale(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found?.isSocket() === true) rmSync(path)
}

/** Binds without a moment in which others could connect. The mask is the process's own, so this is for its main thread and synchronous. */
function bind(server: Server, path: string): void {
  const mask = process.umask(0o177)
  try {
    server.listen(path)
  } finally {
    process.umask(mask)
  }
}

const listening = (server: Server): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
  })

/** Ends a server, whose socket goes with it; peers get what they wait for within a bound. */
async function drain(server: Server, peers: ReadonlySet<Peer>): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    server.close(() => {
      resolve()
    })
  })
  for (const peer of peers) peer.end()
  const cut = setTimeout(() => {
    for (const peer of peers) peer.cut()
  }, drainMs)
  await ended
  clearTimeout(cut)
}

/**
 * Offers a service on the control socket of a data directory, whose lock the caller holds.
 * @throws {@link Failure} CONFIG_INVALID when there can be no socket, saying why
 */
export async function listenControl(directory: string, service: Service): Promise<ControlSocket> {
  const place = placeSocket(directory)
  const peers = new Set<Peer>()
  const server = createServer((socket) => {
    const peer = new Peer(socket, service)
    peers.add(peer)
    socket.on('close', () => peers.delete(peer))
  })
  server.maxConnections = maxConnections
  try {
    removeStale(place.path)
    const ready = listening(server)
    bind(server, place.path)
    await ready
  } catch (cause) {
    place.release()
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Failure('CONFIG_INVALID', `No control socket in ${directory}: ${why}`, { cause })
  }
  server.on('error', () => undefined)
  let closing: Promise<void> | undefined
  return {
    close: () =>
      (closing ??= drain(server, peers).finally(() => {
        place.release()
      })),
  }
}

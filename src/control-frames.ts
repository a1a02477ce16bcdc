// Frames of the control socket: the length in 4 bytes, big-endian, then a value as v8 writes it. A length is judged before anything is kept for
// it, and what is no frame throws, which ends the connection.
import type { Socket } from 'node:net'
import { deserialize, serialize } from 'node:v8'
import { Failure } from './base/failure.ts'

/** Largest frame of a call. */
export const maxCallBytes = 1024 * 1024
/** Largest frame of an answer. */
export const maxAnswerBytes = 64 * 1024 * 1024

const headBytes = 4

/** A value as a frame, or undefined when it would be larger than `maxBytes`. */
export function encodeFrame(value: unknown, maxBytes: number): Buffer | undefined {
  const body = serialize(value)
  if (body.length > maxBytes) return undefined
  const frame = Buffer.allocUnsafe(headBytes + body.length)
  frame.writeUInt32BE(body.length)
  body.copy(frame, headBytes)
  return frame
}

function decode(bytes: Buffer): unknown {
  try {
    return deserialize(bytes)
  } catch (cause) {
    throw new Failure('INPUT_MALFORMED', 'Frame holds no value', { cause })
  }
}

/** Cuts a stream of bytes into the values of its frames. */
export class FrameReader {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #held = 0
  #wanted = headBytes
  #inBody = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Whether a frame has begun that is not complete. */
  get isWithin(): boolean {
    return this.#inBody || this.#held > 0
  }

  /** The values that are complete with this chunk. @throws {@link Failure} INPUT_TOO_LARGE, INPUT_MALFORMED */
  *push(chunk: Buffer): Generator<unknown, void, undefined> {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    while (this.#held >= this.#wanted) {
      const bytes = this.#take(this.#wanted)
      if (this.#inBody) {
        this.#inBody = false
        this.#wanted = headBytes
        yield decode(bytes)
        continue
      }
      const length = bytes.readUInt32BE()
      if (length > this.#maxBytes)
        throw new Failure('INPUT_TOO_LARGE', `Frame is larger than ${this.#maxBytes} bytes`)
      this.#inBody = true
      this.#wanted = length
    }
  }

  #take(length: number): Buffer {
    const [first] = this.#chunks
    const whole =
      this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    this.#chunks = whole.length > length ? [whole.subarray(length)] : []
    this.#held = whole.length - length
    return whole.subarray(0, length)
  }
}

/** How long a frame that has begun may stand still. */
const frameMs = 10_000

/** Gives the values of a socket's frames to `take`; whatever is wrong with one ends the connection and nothing else. */
export function readFrames(
  socket: Socket,
  maxBytes: number,
  take: (value: unknown) => void,
  timeoutMs = frameMs,
): void {
  const reader = new FrameReader(maxBytes)
  let late: NodeJS.Timeout | undefined
  const wait = (): void => {
    late = setTimeout(() => {
      // Whoever is not read cannot go on.
      if (socket.isPaused()) wait()
      else socket.destroy()
    }, timeoutMs)
  }
  socket.on('data', (chunk: Buffer) => {
    clearTimeout(late)
    try {
      for (const value of reader.push(chunk)) take(value)
    } catch {
      socket.destroy()
      return
    }
    if (reader.isWithin) wait()
  })
  // A connection that breaks is followed by its close.
  socket.on('error', () => undefined)
  socket.on('close', () => {
    clearTimeout(late)
  })
}

// Reading a body within a bound: the length that is announced is compared first, and what comes is counted.
import type { IncomingMessage } from 'node:http'
import { Failure } from '../base/failure.ts'

const tooLarge = (maxBytes: number): Failure =>
  new Failure('INPUT_TOO_LARGE', `Body must not exceed ${maxBytes} bytes`)

/** Whether a `Content-Type` is one of the media types, in UTF-8 where it says a charset. */
function isMediaType(header: string, types: readonly string[]): boolean {
  const [type = '', ...parameters] = header.split(';').map((part) => part.trim().toLowerCase())
  return types.includes(type) && parameters.every((text) => /^(?:charset="?utf-8"?)?$/.test(text))
}

function checkEncoding({ headers }: IncomingMessage, types: readonly string[]): void {
  const type = headers['content-type']
  const expected = `Content-Type must be ${types.join(' or ')}`
  if (type === undefined || !isMediaType(type, types))
    throw new Failure('INPUT_MEDIA_TYPE', expected, { field: 'Content-Type' })
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity')
    throw new Failure('INPUT_MEDIA_TYPE', 'Content-Encoding must be identity', {
      field: 'Content-Encoding',
    })
}

function grow(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(length)
  grown.set(bytes)
  return grown
}

const broken = (cause?: unknown): Failure =>
  new Failure('INPUT_MALFORMED', 'Body ended before it was complete', { cause })

function read(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const { promise, reject, resolve } = Promise.withResolvers<Uint8Array>()
  // Copied together as they come: of a chunk of one byte, kept, hundreds more would be.
  let bytes = new Uint8Array()
  let size = 0
  const take = (chunk: Uint8Array): void => {
    const end = size + chunk.length
    if (end > maxBytes) {
      request.off('data', take)
      request.pause()
      reject(tooLarge(maxBytes))
      return
    }
    if (end > bytes.length) bytes = grow(bytes, Math.max(end, Math.min(2 * size, maxBytes)))
    bytes.set(chunk, size)
    size = end
  }
  request.on('data', take)
  request.once('end', () => {
    resolve(size === bytes.length ? bytes : bytes.slice(0, size))
  })
  request.once('error', (cause) => {
    reject(broken(cause))
  })
  return promise
}

/** The length that a request announces; undefined where only its end will tell, and without a body. */
const announcedBy = ({ headers }: IncomingMessage): string | undefined => headers['content-length']

/** A request has a body when it says so (RFC 9112 §6.3). */
const hasBody = (request: IncomingMessage): boolean =>
  (announcedBy(request) ?? '0') !== '0' || request.headers['transfer-encoding'] !== undefined

/**
 * The bytes of a body of any media type; empty without one.
 * @throws {@link Failure} INPUT_TOO_LARGE, INPUT_MALFORMED when the connection broke
 */
export async function readBoundedBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<Uint8Array> {
  if (!hasBody(request)) return new Uint8Array()
  if (Number(announcedBy(request) ?? 0) > maxBytes) throw tooLarge(maxBytes)
  // Of a caller who left already nothing will be heard any more, not even that.
  if (request.destroyed) throw broken()
  return read(request, maxBytes)
}

/**
 * As {@link readBoundedBody}, of one of the media types unless it is empty.
 * @throws {@link Failure} INPUT_MEDIA_TYPE, INPUT_TOO_LARGE, INPUT_MALFORMED when the connection broke
 */
export async function readBody(
  request: IncomingMessage,
  types: readonly string[],
  maxBytes: number,
): Promise<Uint8Array> {
  if (hasBody(request)) checkEncoding(request, types)
  return readBoundedBody(request, maxBytes)
}

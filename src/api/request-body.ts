// Reading a body within a bound. The length that is announced is compared first: asking for the body as a stream makes the platform build a whole
// request around it, which halves the throughput, so only bodies without a length are read that way.
import type { HonoRequest } from 'hono'
import { concat } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'

/** The part of a request that is read here. */
export type BodySource = Pick<HonoRequest, 'arrayBuffer' | 'header' | 'raw'>

const tooLarge = (maxBytes: number): Failure =>
  new Failure('INPUT_TOO_LARGE', `Body must not exceed ${maxBytes} bytes`)

/** Whether a `Content-Type` is one of the media types, in UTF-8 where it says a charset. */
function isMediaType(header: string, types: readonly string[]): boolean {
  const [type = '', ...parameters] = header.split(';').map((part) => part.trim().toLowerCase())
  return types.includes(type) && parameters.every((text) => /^(?:charset="?utf-8"?)?$/.test(text))
}

function checkEncoding(request: BodySource, types: readonly string[]): void {
  const type = request.header('content-type')
  const expected = `Content-Type must be ${types.join(' or ')}`
  if (type === undefined || !isMediaType(type, types))
    throw new Failure('INPUT_MEDIA_TYPE', expected, { field: 'Content-Type' })
  if ((request.header('content-encoding') ?? 'identity').toLowerCase() !== 'identity')
    throw new Failure('INPUT_MEDIA_TYPE', 'Content-Encoding must be identity', {
      field: 'Content-Encoding',
    })
}

async function readStream(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return concat(...chunks)
}

async function read(request: BodySource, maxBytes: number): Promise<Uint8Array> {
  try {
    if (request.header('content-length') !== undefined)
      return new Uint8Array(await request.arrayBuffer())
    const { body } = request.raw
    return body === null ? new Uint8Array() : await readStream(body, maxBytes)
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    throw new Failure('INPUT_MALFORMED', 'Body ended before it was complete', { cause })
  }
}

/**
 * The bytes of a body of any media type; empty without one.
 * @throws {@link Failure} INPUT_TOO_LARGE, INPUT_MALFORMED when the connection broke
 */
export async function readBoundedBody(request: BodySource, maxBytes: number): Promise<Uint8Array> {
  const announced = request.header('content-length')
  if (announced === '0') return new Uint8Array()
  if (announced !== undefined && !(Number(announced) <= maxBytes)) throw tooLarge(maxBytes)
  const bytes = await read(request, maxBytes)
  if (bytes.length > maxBytes) throw tooLarge(maxBytes)
  return bytes
}

/**
 * As {@link readBoundedBody}, of one of the media types unless it is empty.
 * @throws {@link Failure} INPUT_MEDIA_TYPE, INPUT_TOO_LARGE, INPUT_MALFORMED when the connection broke
 */
export async function readBody(
  request: BodySource,
  types: readonly string[],
  maxBytes: number,
): Promise<Uint8Array> {
  const announced = request.header('content-length')
  if (announced !== '0' && (announced !== undefined || request.raw.body !== null))
    checkEncoding(request, types)
  return readBoundedBody(request, maxBytes)
}

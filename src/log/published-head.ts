// The checkpoint that a log has published, wherever that is: a directory, S3, or a URL such as that of a CDN, of a server's `/log/TENANT`, or of a witness.
import { Readable } from 'node:stream'
import { fromUtf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { parseCheckpoint } from '../merkle/checkpoint.ts'
import { parseNote } from '../merkle/note.ts'
import type { KnownHead } from './known-head.ts'
import { PublishDirectory } from './publish-directory.ts'
import { PublishS3 } from './publish-s3.ts'
import { isS3Url } from './s3-folder.ts'

const timeoutMs = 10_000

const isHttpUrl = (place: string): boolean => /^https?:\/\//i.test(place)

async function fetchCheckpoint(place: string): Promise<Uint8Array | undefined> {
  try {
    const response = await fetch(`${place.replace(/\/+$/, '')}/checkpoint`, {
      signal: AbortSignal.timeout(timeoutMs),
    })
    if (response.status === 404) return undefined
    if (!response.ok) throw new Error(`HTTP ${response.status}`)
    const chunks: Uint8Array[] = []
    let length = 0
    const body: AsyncIterable<Uint8Array> = response.body ?? Readable.from([])
    for await (const chunk of body) {
      length += chunk.length
      if (length > limits.noteBytes) throw new Error('Too large')
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown error'
    throw new Failure('STORE_FAILED', `Published checkpoint cannot be read (${why}): ${place}`, {
      cause,
    })
  }
}

async function readBytes(place: string): Promise<Uint8Array | undefined> {
  if (isHttpUrl(place)) return fetchCheckpoint(place)
  const target = isS3Url(place) ? new PublishS3(place) : new PublishDirectory(place)
  try {
    return await target.read('checkpoint')
  } finally {
    await target.close()
  }
}

/** The tree head that a note claims; its signatures are not asked. @throws {@link Failure} INPUT_MALFORMED */
function headOfNote(bytes: Uint8Array, who: string): KnownHead {
  let text: string
  try {
    text = fromUtf8(bytes)
  } catch {
    text = ''
  }
  const note = parseNote(text)
  const checkpoint = typeof note === 'string' ? note : parseCheckpoint(note.text)
  if (typeof checkpoint === 'string')
    throw new Failure('INPUT_MALFORMED', `Not a signed checkpoint (${checkpoint}): ${who}`)
  return { ...checkpoint, who }
}

/**
 * The tree head that is published in a place: a directory (absolute), `s3://bucket/prefix` or an HTTP URL under which `/checkpoint` is found; undefined
 * when nothing is published there.
 * @throws {@link Failure} INPUT_MALFORMED, STORE_FAILED, CONFIG_INVALID
 */
export async function findPublishedHead(place: string): Promise<KnownHead | undefined> {
  const bytes = await readBytes(place)
  return bytes === undefined ? undefined : headOfNote(bytes, place)
}

/** As {@link findPublishedHead}. @throws {@link Failure} INPUT_NOT_FOUND when nothing is published there */
export async function readPublishedHead(place: string): Promise<KnownHead> {
  const head = await findPublishedHead(place)
  if (head === undefined) throw new Failure('INPUT_NOT_FOUND', `Nothing is published in ${place}`)
  return head
}

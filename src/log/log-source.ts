// Reading somebody's log over HTTP as C2SP tlog-tiles serves it. Whoever answers is a stranger: answers are bounded in size and time, and nothing in them is
// believed here.
import { fromUtf8, join } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { tileWidth } from '../merkle/expanded-tile.ts'
import type { NodeReader } from '../merkle/proof.ts'
import { parseEntryBundle, tilePath } from '../merkle/tiles.ts'
import { loadNodes } from './tree-reading.ts'

/** Where and how a log is read. */
export interface LogSourceOptions {
  /** What stands in front of `/checkpoint` and `/tile/`. */
  readonly url: string
  /** Sent as a bearer token. */
  readonly token?: string | undefined
  /** For each request, its answer included. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

const bundleBytes = tileWidth * (2 + 0xffff)

/** The width of a tile in a tree of a size. */
const widthAt = (size: number, level: number, n: number): number =>
  Math.min(tileWidth, Math.floor(size / tileWidth ** level) - n * tileWidth)

async function readBody(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (response.body === null) return new Uint8Array()
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > maxBytes) throw new Failure('INPUT_TOO_LARGE', `Answer of the log is too long`)
    chunks.push(chunk)
  }
  return join(chunks)
}

/** Why a request came to nothing: what the system said, which fetch hides. */
export function unreached(error: unknown): string {
  const { cause, name } = error instanceof Error ? error : new Error('', { cause: error })
  return cause instanceof Error && 'code' in cause ? String(cause.code) : name
}

function refusal(status: number, url: string): Failure {
  if (status === 401 || status === 403)
    return new Failure('AUTH_INVALID', `Log wants another API key (status ${status}): ${url}`)
  return status === 404
    ? new Failure('INPUT_NOT_FOUND', `Log has no such thing: ${url}`)
    : new Failure('LOG_BUSY', `Log answers with status ${status}: ${url}`)
}

/** A log behind a URL. */
export class LogSource {
  readonly #options: LogSourceOptions
  readonly #prefix: string

  /** @throws {@link Failure} INPUT_INVALID when it is no http or https URL */
  constructor(options: LogSourceOptions) {
    const { url } = options
    const parsed = URL.parse(url)
    if (parsed === null || !['http:', 'https:'].includes(parsed.protocol) || parsed.search !== '')
      throw new Failure('INPUT_INVALID', `Not the URL of a log: ${url}`)
    this.#options = options
    this.#prefix = parsed.href.replace(/\/+$/, '')
  }

  /** The checkpoint that is served now. @throws {@link Failure} LOG_BUSY, also where there is none, AUTH_INVALID, INPUT_MALFORMED, INPUT_TOO_LARGE */
  async checkpoint(): Promise<string> {
    const bytes = await this.#get('checkpoint', limits.noteBytes).catch((error: unknown) => {
      if (!(error instanceof Failure) || error.code !== 'INPUT_NOT_FOUND') throw error
      throw new Failure('LOG_BUSY', error.message, { cause: error })
    })
    try {
      return fromUtf8(bytes)
    } catch {
      throw new Failure('INPUT_MALFORMED', 'Checkpoint of the log is not text')
    }
  }

  /** The leaves of a bundle in a tree of a size. @throws {@link Failure} as {@link checkpoint}, INPUT_NOT_FOUND */
  async leaves(n: number, size: number): Promise<readonly Uint8Array[]> {
    const width = widthAt(size, 0, n)
    const leaves = parseEntryBundle(await this.#tile('entries', n, width, bundleBytes))
    if (leaves === undefined || leaves.length < width)
      throw new Failure('INPUT_MALFORMED', `Bundle of the log is not one: ${n}`)
    return leaves.slice(0, width)
  }

  /** The nodes that proofs of leaves need in the tree of a size. @throws {@link Failure} as {@link leaves} */
  nodes(size: number, indexes: readonly number[]): Promise<NodeReader> {
    const tiles = {
      readTile: async (_: string, level: number, n: number) => {
        const width = widthAt(size, level, n)
        const tile = await this.#tile(level, n, width, tileWidth * 32)
        if (tile.length < width * 32)
          throw new Failure('INPUT_MALFORMED', `Tile of the log is short: ${level}/${n}`)
        return tile.subarray(0, width * 32)
      },
    }
    return loadNodes(tiles, '', size, indexes)
  }

  /** Where a partial tile is gone, the full one has taken its place. */
  async #tile(
    level: number | 'entries',
    n: number,
    width: number,
    maxBytes: number,
  ): Promise<Uint8Array> {
    try {
      return await this.#get(`tile/${tilePath(level, n, width)}`, maxBytes)
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'INPUT_NOT_FOUND' || width === tileWidth)
        throw error
      return this.#get(`tile/${tilePath(level, n, tileWidth)}`, maxBytes)
    }
  }

  async #get(path: string, maxBytes: number): Promise<Uint8Array> {
    const { signal, timeoutMs, token } = this.#options
    const url = `${this.#prefix}/${path}`
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      const response = await fetch(url, {
        headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
        redirect: 'error',
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      })
      if (response.status !== 200) {
        await response.body?.cancel()
        throw refusal(response.status, url)
      }
      return await readBody(response, maxBytes)
    } catch (cause) {
      if (cause instanceof Failure) throw cause
      signal?.throwIfAborted()
      throw new Failure('LOG_BUSY', `Log cannot be reached (${unreached(cause)}): ${url}`, {
        cause,
      })
    }
  }
}

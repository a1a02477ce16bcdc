// A copy of a log's entries, fetched from wherever its static tree is served (C2SP tlog-tiles). Nothing of it is believed: whoever reads it computes
// the root.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { unreached } from '../log/log-source.ts'
import { tilePath } from '../merkle/tiles.ts'
import { claimedCheckpoint } from '../verify/verify-checkpoint.ts'
import { Usage } from './complain.ts'

/** What is fetched, and for how long. */
export interface CopyOptions {
  /** Base URL of the log: what `/tile/…` is put behind. */
  readonly url: string
  /** Entries to fetch. */
  readonly size: number
  /** Where the copy is laid. */
  readonly directory: string
  /** API key, for a log that is not public. */
  readonly token: string | undefined
  readonly signal: AbortSignal
  readonly progress: (done: number, total: number) => void
}

const width = 256
const maxBundleBytes = width * (2 + 0xffff)
const timeoutMs = 30_000
const parallel = 4

/** The bytes of a path, or undefined where there is nothing. @throws {@link Usage} */
async function get(
  url: string,
  { signal, token }: Pick<CopyOptions, 'signal' | 'token'>,
): Promise<Uint8Array | undefined> {
  try {
    const response = await fetch(url, {
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    if (response.status === 404) {
      await response.body?.cancel()
      return undefined
    }
    if (response.status !== 200) throw new Usage(`Log answers ${response.status}: ${url}`)
    const chunks: Uint8Array[] = []
    let length = 0
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      length += chunk.length
      if (length > maxBundleBytes) throw new Usage(`Log answers more than a bundle: ${url}`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } catch (error) {
    if (error instanceof Usage) throw error
    throw new Usage(`Log cannot be read (${unreached(error)}): ${url}`)
  }
}

const within = (url: string, path: string): string => `${url.replace(/\/+$/, '')}/${path}`

/** How many entries the log shows by its newest checkpoint, which is not believed either. */
async function publishedSize(options: CopyOptions): Promise<number> {
  const note = await get(within(options.url, 'checkpoint'), options)
  const checkpoint = claimedCheckpoint(Buffer.from(note ?? []).toString())
  return typeof checkpoint === 'string' ? 0 : checkpoint.size
}

/** How wide a bundle may be where it is served. A static tree holds only the sizes that were published: what is due may stand in a wider one. */
async function* widthsOf(options: CopyOptions, start: number): AsyncGenerator<number> {
  const due = Math.min(width, options.size - start)
  yield due
  if (due === width) return
  yield width
  const grown = (await publishedSize(options)) - start
  if (grown > due && grown < width) yield grown
}

async function copyBundle(options: CopyOptions, n: number): Promise<void> {
  const { directory, size, url } = options
  const path = (entries: number): string => `tile/${tilePath('entries', n, entries)}`
  for await (const entries of widthsOf(options, n * width)) {
    const bundle = await get(within(url, path(entries)), options)
    if (bundle === undefined) continue
    const file = join(directory, path(entries))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, bundle)
    return
  }
  const last = Math.min(size, (n + 1) * width) - 1
  throw new Usage(`Log does not have its entries ${n * width} to ${last}: ${url}`)
}

/**
 * Lays a copy of the first entries of a log into a directory, as `log publish` lays them; when it settles it writes there no more.
 * @throws {@link Usage}
 */
export async function copyEntries(options: CopyOptions): Promise<void> {
  const bundles = Math.ceil(options.size / width)
  let [next, done] = [0, 0]
  let failure: { readonly error: unknown } | undefined
  const work = async (): Promise<void> => {
    while (next < bundles && failure === undefined) {
      try {
        await copyBundle(options, next++)
        options.progress(++done, bundles)
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: parallel }, work))
  if (failure !== undefined) throw failure.error
}

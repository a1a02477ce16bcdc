// Files that the user names. What cannot be read is a mistake of usage; what is written appears whole or not at all.
import { randomUUID } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { access, chmod, lstat, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { join as joinBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { Usage } from './complain.ts'
import { fileTrouble } from './growing-file.ts'

const pieceBytes = 1 << 18

const reasonOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'

/** Refuses what elsewhere names a standard stream, even where a file is called so: somebody else's would be taken. */
export function expectName(name: string, instead = './- for one that is called so'): void {
  if (name === '-') throw new Usage(`The name of a file is expected, ${instead}: -`)
}

/** Refuses a name behind which there is no readable file. It is not opened: it may be a pipe. */
export async function expectReadable(cwd: string, name: string): Promise<void> {
  expectName(name, '/dev/stdin for standard input')
  const path = resolve(cwd, name)
  try {
    await access(path, constants.R_OK)
  } catch (error) {
    throw new Usage(`File cannot be read (${reasonOf(error)}): ${name}`)
  }
  if ((await stat(path)).isDirectory())
    throw new Usage(`A file is expected, not a directory: ${name}`)
}

/** A file or a pipe, opened: what opens badly is told here, and not by a stream that nobody reads yet. @throws {@link Usage} */
export async function openReadable(cwd: string, name: string): Promise<Readable> {
  await expectReadable(cwd, name)
  try {
    return (await open(resolve(cwd, name))).createReadStream({ highWaterMark: pieceBytes })
  } catch (error) {
    throw new Usage(`File cannot be read (${reasonOf(error)}): ${name}`)
  }
}

/** The bytes of a stream; of one with more than `maxBytes` no more than shows that. */
export async function readStream(input: Readable, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of input as AsyncIterable<Uint8Array>) {
    parts.push(part)
    length += part.length
    if (length > maxBytes) break
  }
  return joinBytes(parts)
}

/** The bytes of a file or a pipe; of a larger one the first `maxBytes` + 1, which whoever parses them refuses. */
export async function readBounded(
  cwd: string,
  name: string,
  maxBytes: number,
): Promise<Uint8Array> {
  await expectReadable(cwd, name)
  try {
    // The size of a pipe or a device is told by nobody.
    const input = createReadStream(resolve(cwd, name), { end: maxBytes, highWaterMark: pieceBytes })
    return await readStream(input, maxBytes)
  } catch (error) {
    throw new Usage(`File cannot be read (${reasonOf(error)}): ${name}`)
  }
}

/** Refuses a name that something has already, be it readable or not. @throws {@link Failure} INPUT_EXISTS */
export async function refuseExisting(cwd: string, name: string): Promise<void> {
  expectName(name)
  const there = await lstat(resolve(cwd, name)).then(
    () => true,
    () => false,
  )
  if (there) throw new Failure('INPUT_EXISTS', `File exists already: ${name}`)
}

/** A file that can be replaced as a whole: its path behind all links, and its mode, where there is one. */
interface Place {
  readonly path: string
  readonly mode: number | undefined
}

/** Undefined for what must be written through: a device, a pipe, what a process has open, a link to nowhere. */
async function placeOf(path: string): Promise<Place | undefined> {
  // Behind such a name may be a file that somebody has open, who would not see another in its place.
  if (/^\/(?:dev|proc)\//.test(path)) return undefined
  try {
    const behind = await realpath(path)
    const found = await stat(behind)
    return found.isFile() ? { mode: found.mode & 0o777, path: behind } : undefined
  } catch {
    const isLink = await lstat(path).then(
      () => true,
      () => false,
    )
    return isLink ? undefined : { mode: undefined, path }
  }
}

/** Makes the names in a directory durable, where it can be opened for that. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    await using handle = await open(path, 'r')
    await handle.sync()
  } catch (error) {
    // Who may write in it need not be allowed to read it.
    if (!['EACCES', 'EPERM'].includes(reasonOf(error))) throw error
  }
}

/** Lets a new file take the place of an older one. A crash leaves the one or the other, and at worst a stray file beside it. */
async function replace({ mode, path }: Place, content: Uint8Array): Promise<void> {
  // Neither the name nor the process tells who else writes here: names may be as long as names can be, and in containers all are process 1.
  const beside = join(dirname(path), `.${randomUUID()}.tmp`)
  try {
    const file = await open(beside, 'wx')
    try {
      if (mode !== undefined) await chmod(beside, mode)
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
  await syncDirectory(dirname(path))
}

/**
 * Writes a file and makes it durable; it keeps the mode of the one before it.
 * @throws {@link Usage}, or {@link Failure} STORE_FULL, STORE_FAILED; what was there before is then still there
 */
export async function writeWhole(cwd: string, name: string, content: Uint8Array): Promise<void> {
  expectName(name)
  const path = resolve(cwd, name)
  try {
    const place = await placeOf(path)
    await (place === undefined ? writeFile(path, content) : replace(place, content))
  } catch (cause) {
    throw fileTrouble(cause, name)
  }
}

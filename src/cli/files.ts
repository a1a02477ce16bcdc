// Files that the user names. What cannot be read is a mistake of usage; what is written appears whole or not at all.
import { constants, createReadStream } from 'node:fs'
import { lstat, access, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { concat } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { Usage } from './complain.ts'

const pieceBytes = 1 << 18

const reasonOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'

/** Refuses a name behind which there is no readable file. It is not opened: it may be a pipe. */
export async function expectReadable(cwd: string, name: string): Promise<void> {
  const path = resolve(cwd, name)
  try {
    await access(path, constants.R_OK)
  } catch (error) {
    throw new Usage(`File cannot be read (${reasonOf(error)}): ${name}`)
  }
  if ((await stat(path)).isDirectory())
    throw new Usage(`A file is expected, not a directory: ${name}`)
}

/** The bytes of a file or a pipe; of a larger one the first `maxBytes` + 1, which whoever parses them refuses. */
export async function readBounded(
  cwd: string,
  name: string,
  maxBytes: number,
): Promise<Uint8Array> {
  await expectReadable(cwd, name)
  const parts: Uint8Array[] = []
  try {
    // The size of a pipe or a device is told by nobody.
    const input = createReadStream(resolve(cwd, name), { end: maxBytes, highWaterMark: pieceBytes })
    for await (const part of input) parts.push(part as Uint8Array)
  } catch (error) {
    throw new Usage(`File cannot be read (${reasonOf(error)}): ${name}`)
  }
  return concat(...parts)
}

/** Whether a path is something that must be written through, not replaced: a device, a pipe, a link. */
async function isSpecial(path: string): Promise<boolean> {
  try {
    return !(await lstat(path)).isFile()
  } catch {
    return false
  }
}

/** Writes a file and makes it durable. @throws {@link Usage}, or {@link Failure} STORE_FULL; what was there before is then still there */
export async function writeWhole(cwd: string, name: string, content: Uint8Array): Promise<void> {
  const path = resolve(cwd, name)
  const beside = `${path}.${process.pid}.tmp`
  try {
    if (await isSpecial(path)) {
      await writeFile(path, content)
      return
    }
    const file = await open(beside, 'wx')
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (cause) {
    await rm(beside, { force: true })
    const message = `File cannot be written (${reasonOf(cause)}): ${name}`
    if (reasonOf(cause) === 'ENOSPC') throw new Failure('STORE_FULL', message, { cause })
    throw new Usage(message)
  }
}

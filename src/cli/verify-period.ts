// Evidence from the disk or a pipe: opened once, and judged piece by piece where it is a period, however large that is.
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { concat, join } from '../base/bytes.ts'
import { limits } from '../base/limits.ts'
import { periodLineOf } from '../dossier/period.ts'
import { verifyPeriod, type PeriodOptions, type PeriodReport } from '../verify/index.ts'
import type { Context } from './command.ts'
import { Usage } from './complain.ts'
import { Meter } from './progress.ts'

const openingBytes = 16

/** Whether a file begins as a period does. What is not a plain file is not opened: it may be a pipe, which gives its bytes once. */
export async function isPeriodFile(cwd: string, name: string): Promise<boolean> {
  const path = resolve(cwd, name)
  if (!(await stat(path)).isFile()) return false
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(openingBytes))
    return periodLineOf(buffer.subarray(0, bytesRead)) === 'head'
  } finally {
    await file.close()
  }
}

/** The pieces of a file. @throws {@link Usage} when it cannot be read */
async function* read(path: string, name: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 18 }))
      yield piece as Uint8Array
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw new Usage(`File cannot be read (${code}): ${name}`)
  }
}

/** So many bytes of what is read, or a little more, or all when there are fewer. */
async function take(pieces: AsyncGenerator<Uint8Array>, bytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for (let length = 0; length < bytes;) {
    const next = await pieces.next()
    if (next.done === true) break
    parts.push(next.value)
    length += next.value.length
  }
  return join(parts)
}

/** What a file holds: a period, still to be read, or anything else, whole but for what is too large to be a dossier. */
export type Evidence =
  { readonly file: Uint8Array } | { readonly period: AsyncIterable<Uint8Array> }

/** Opens a file, which may be a pipe. @throws {@link Usage} when it cannot be read */
export async function openEvidence(cwd: string, name: string): Promise<Evidence> {
  const pieces = read(resolve(cwd, name), name)
  const opening = await take(pieces, openingBytes)
  if (periodLineOf(opening) !== 'head') {
    const file = concat(opening, await take(pieces, limits.dossierBytes + 1 - opening.length))
    await pieces.return()
    return { file }
  }
  async function* period(): AsyncGenerator<Uint8Array> {
    yield opening
    yield* pieces
  }
  return { period: period() }
}

/** Runs `work` on a period as it is read, telling on a terminal how far it is. @throws {@link Usage} when it cannot be read */
export async function whileReadingPeriod<T>(
  { err, io }: Context,
  name: string,
  period: AsyncIterable<Uint8Array>,
  work: (pieces: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const { size } = await stat(resolve(io.cwd, name))
  const meter = new Meter(err, 'bytes read')
  async function* metered(): AsyncGenerator<Uint8Array> {
    let done = 0
    for await (const piece of period) {
      yield piece
      done += piece.length
      // Of a pipe nobody knows how much it still holds.
      meter.show(done, Math.max(done, size))
    }
  }
  try {
    return await work(metered())
  } finally {
    meter.clear()
  }
}

/** Judges a period as it is read. @throws {@link Usage} when it cannot be read */
export const judgePeriod = (
  context: Context,
  name: string,
  period: AsyncIterable<Uint8Array>,
  trust: Uint8Array,
  options: PeriodOptions,
): Promise<PeriodReport> =>
  whileReadingPeriod(context, name, period, (pieces) => verifyPeriod(pieces, trust, options))

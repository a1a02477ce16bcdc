// Verifying a period file from the disk: read once, piece by piece, however large it is.
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
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

/** Judges a period file, telling on a terminal how far it is. @throws {@link Usage} when it cannot be read */
export async function judgePeriodFile(
  { err, io }: Context,
  name: string,
  trust: Uint8Array,
  options: PeriodOptions,
): Promise<PeriodReport> {
  const path = resolve(io.cwd, name)
  const { size } = await stat(path)
  const meter = new Meter(err, 'bytes read')
  async function* pieces(): AsyncGenerator<Uint8Array> {
    let done = 0
    try {
      for await (const piece of createReadStream(path, { highWaterMark: 1 << 18 })) {
        yield piece as Uint8Array
        done += (piece as Uint8Array).length
        meter.show(done, size)
      }
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
      throw new Usage(`File cannot be read (${code}): ${name}`)
    }
  }
  try {
    return await verifyPeriod(pieces(), trust, options)
  } finally {
    meter.clear()
  }
}

// An unfinished export: its two growing files, and a journal that says how far both are good and how to go on. The journal is replaced only when what
// it speaks of is durable, so that after a crash at any line the same command goes on from the last journal. The period file gets its name last. While
// it is under way a lock of the operating system keeps others off these files: two that wrote them would both say that all is well.
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { fromUtf8, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { periodStart, type PeriodState } from '../decisions/period-state.ts'
import {
  formatPeriodEnd,
  formatPeriodHead,
  parsePeriodHead,
  type PeriodHead,
} from '../dossier/period.ts'
import { Usage } from './complain.ts'
import { syncDirectory } from './files.ts'
import { fileTrouble, GrowingFile, type Mark } from './growing-file.ts'
import { indexHead } from './period-index.ts'

const mark = z.strictObject({ bytes: z.int().min(0), sha256: z.string() })

const journalSchema = z.strictObject({
  v: z.literal(1),
  request: z.string(),
  head: z.string(),
  state: z.custom<PeriodState>((value) => typeof value === 'object' && value !== null),
  period: mark,
  index: mark,
})

type Journal = z.infer<typeof journalSchema>

const lineFeed = utf8('\n')

/** The files of an export that is under way. */
export class PeriodPart {
  readonly head: PeriodHead
  /** Whether an earlier run began it. */
  readonly resumed: boolean
  readonly #output: string
  readonly #request: string
  readonly #period: GrowingFile
  readonly #index: GrowingFile
  #release: () => Promise<void> = () => Promise.resolve()
  state: PeriodState

  private constructor(
    output: string,
    { head, request, state }: { head: PeriodHead; request: string; state: PeriodState },
    [period, index]: readonly [GrowingFile, GrowingFile],
    resumed: boolean,
  ) {
    this.#output = output
    this.head = head
    this.#request = request
    this.state = state
    this.#period = period
    this.#index = index
    this.resumed = resumed
  }

  /**
   * Goes on with the unfinished export to a path, or begins one.
   * @param request what is asked for, as text: an unfinished export of anything else is refused
   * @throws {@link Usage}, {@link Failure} STORE_FULL, STORE_LOCKED while another export writes there
   */
  static async open(
    output: string,
    request: string,
    plan: () => Promise<PeriodHead>,
  ): Promise<PeriodPart> {
    await expectPlace(output)
    const release = await holdPlace(output)
    try {
      const part = await PeriodPart.#open(output, request, plan)
      part.#release = release
      return part
    } catch (error) {
      await release()
      throw error
    }
  }

  static async #open(
    output: string,
    request: string,
    plan: () => Promise<PeriodHead>,
  ): Promise<PeriodPart> {
    const journal = await readJournal(output)
    if (journal === undefined) return PeriodPart.#begin(output, request, await plan())
    if (journal.request !== request)
      throw new Usage(
        `An unfinished export of something else is there, finish it or remove it: ${output}.journal`,
      )
    const head = parsePeriodHead(utf8(journal.head))
    if (typeof head === 'string') throw new Usage(`Journal cannot be read, remove it: ${head}`)
    const files = await openBoth(output, (path, which) => GrowingFile.resume(path, journal[which]))
    return new PeriodPart(output, { head, request, state: journal.state }, files, true)
  }

  static async #begin(output: string, request: string, head: PeriodHead): Promise<PeriodPart> {
    const files = await openBoth(output, (path) => GrowingFile.create(path))
    const part = new PeriodPart(output, { head, request, state: periodStart(head) }, files, false)
    try {
      await part.write([formatPeriodHead(head)], indexHead)
      await part.save()
      return part
    } catch (error) {
      await part.close()
      throw error
    }
  }

  /** Adds lines to both files. */
  async write(lines: readonly Uint8Array[], index: string): Promise<void> {
    if (lines.length > 0)
      await this.#period.write(Buffer.concat(lines.flatMap((line) => [line, lineFeed])))
    if (index !== '') await this.#index.write(utf8(index))
  }

  /** Makes durable what was written, and then that it was. */
  async save(): Promise<void> {
    await this.#period.sync()
    await this.#index.sync()
    const journal: Journal = {
      head: fromUtf8(formatPeriodHead(this.head)),
      index: this.#index.mark,
      period: this.#period.mark,
      request: this.#request,
      state: this.state,
      v: 1,
    }
    await replaceFile(`${this.#output}.journal`, utf8(JSON.stringify(journal)))
  }

  /** Writes the end; gives the marks of the period file and of its index. */
  async end(): Promise<readonly [period: Mark, index: Mark]> {
    const { dossiers } = this.state.tally
    const leaves = this.state.next - this.head.from.size
    const { sha256 } = this.#period.mark
    await this.write([formatPeriodEnd({ dossiers, leaves, sha256 })], '')
    await this.#period.sync()
    return [this.#period.mark, this.#index.mark]
  }

  /** Gives the files their names, that of the period last. */
  async publish(summary: string): Promise<void> {
    try {
      await replaceFile(`${this.#output}.html`, utf8(summary))
      await rename(`${this.#output}.csv.part`, `${this.#output}.csv`)
      await rename(`${this.#output}.part`, this.#output)
      await syncDirectory(dirname(this.#output))
      await rm(`${this.#output}.journal`, { force: true })
    } catch (cause) {
      throw cause instanceof Usage ? cause : fileTrouble(cause, this.#output)
    }
  }

  async close(): Promise<void> {
    try {
      await this.#period.close()
      await this.#index.close()
    } finally {
      await this.#release()
    }
  }
}

/** Keeps other exports off a path; gives what lets go of it. A process that dies lets go by itself, and leaves an empty lock. */
async function holdPlace(output: string): Promise<() => Promise<void>> {
  const lock = `${output}.lock`
  try {
    await mkdir(lock, { mode: 0o700, recursive: false })
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'))
      throw fileTrouble(cause, lock)
  }
  const { holdDirectory } = await import('../store/sqlite-lock.ts')
  try {
    const release = await holdDirectory(lock)
    return async () => {
      // Before letting go: whoever comes then makes another lock, and none takes this one along.
      await rm(lock, { force: true, recursive: true })
      release()
    }
  } catch (cause) {
    if (cause instanceof Failure && cause.code === 'STORE_LOCKED')
      throw new Failure('STORE_LOCKED', `Another export writes this file: ${output}`, { cause })
    throw cause
  }
}

/** Opens both growing files of an export, or neither. */
async function openBoth(
  output: string,
  openFile: (path: string, which: 'index' | 'period') => Promise<GrowingFile>,
): Promise<readonly [GrowingFile, GrowingFile]> {
  const period = await openFile(`${output}.part`, 'period')
  try {
    return [period, await openFile(`${output}.csv.part`, 'index')]
  } catch (error) {
    await period.close()
    throw error
  }
}

/** Refuses a path that is no place for a file. */
async function expectPlace(output: string): Promise<void> {
  const found = await stat(output).catch(() => undefined)
  // Behind the name of what a process has open may be a file, but beside it is no place for others.
  const opened = /^\/(?:dev\/(?:fd\/|std)|proc\/)/.test(output)
  if (opened || (found !== undefined && !found.isFile()))
    throw new Usage(`The name of a file is expected, for there will be others beside it: ${output}`)
}

async function readJournal(output: string): Promise<Journal | undefined> {
  const path = `${output}.journal`
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw fileTrouble(error, path)
  }
  try {
    return journalSchema.parse(JSON.parse(text))
  } catch {
    throw new Usage(`Journal of an unfinished export cannot be read, remove it: ${path}`)
  }
}

async function replaceFile(path: string, content: Uint8Array): Promise<void> {
  const beside = `${path}.tmp`
  try {
    const file = await open(beside, 'w', 0o600)
    try {
      await file.writeFile(content)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (cause) {
    await rm(beside, { force: true })
    throw fileTrouble(cause, path)
  }
}

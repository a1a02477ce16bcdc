// Backing a data directory up, and bringing it back.
import type { Context } from './command.ts'
import type { GlobalFlags, Restored } from './composition.ts'
import { exitCodes } from './complain.ts'
import { listenForInterrupt, signalExit, type Interrupt } from './interrupt.ts'
import { counted, Meter } from './progress.ts'
import { date, formatTable, jsonLine, printable } from './terminal.ts'

/** Flags of `backup`. */
export interface BackupFlags extends GlobalFlags {
  readonly output: string
  readonly json?: boolean
}

/** Flags of `restore`. */
export interface RestoreFlags extends GlobalFlags {
  readonly published?: readonly string[]
  readonly witness?: readonly string[]
  readonly archive?: boolean
  readonly newOrigin?: string
  readonly check?: boolean
  readonly signatures: boolean
  readonly json?: boolean
}

type Show = (what: string, done: number, total: number) => void

/** Runs work under a meter; what a signal ends leaves nothing behind. */
async function measured(
  { err, io }: Context,
  work: (interrupt: Interrupt, show: Show) => Promise<number>,
): Promise<number> {
  const meter = new Meter(err, '')
  const interrupt = listenForInterrupt(io.signals)
  try {
    return await work(interrupt, (what, done, total) => {
      meter.show(done, total, what)
    })
  } catch (error) {
    const { received } = interrupt
    if (received === undefined || error !== interrupt.signal.reason) throw error
    meter.clear()
    err.note('Interrupted, and nothing is left of it: run it again\n')
    return signalExit[received]
  } finally {
    meter.clear()
    interrupt.stop()
  }
}

/** `backup -o DIR` */
export async function backUp(context: Context, flags: BackupFlags): Promise<number> {
  const { compose, out } = context
  const { json, output, ...globals } = flags
  return measured(context, async ({ signal }, progress) => {
    const made = await (await compose()).backUp(globals, { progress, signal, to: output })
    const { bytes, createdAt, logs, sha256, to } = made
    const rows = logs.map(({ origin, size, tenant }) => [
      printable(tenant),
      printable(origin),
      `size ${counted(size)}`,
    ])
    const head = `backed up  ${printable(to)}  ${date(createdAt)}  ${counted(bytes)} bytes  SHA-256 ${sha256}\n`
    await out.write(json === true ? jsonLine(made) : head + formatTable(rows))
    return exitCodes.done
  })
}

function* describeRestored(restored: Restored, checkOnly: boolean): Generator<string, void> {
  const { archive, createdAt, data, instance, logs, successor } = restored
  const place = archive ?? data
  const what = checkOnly ? 'sound' : archive === null ? 'restored' : 'archived'
  const where = checkOnly ? '' : `  ${printable(place)}`
  yield `${what}${where}  instance ${printable(instance)}  backed up ${date(createdAt)}\n`
  yield formatTable(
    logs.map(({ origin, size, tenant }) => [
      printable(tenant),
      printable(origin),
      `size ${counted(size)}`,
    ]),
  )
  if (successor === null) return
  yield `founded  ${printable(data)}  instance ${printable(successor.instance)}  key provider ${successor.provider}\n`
  yield formatTable(
    successor.logs.map(({ origin, tenant }) => [printable(tenant), printable(origin)]),
  )
}

/** What is to be done or known now. */
function* advise(restored: Restored, checkOnly: boolean): Generator<string, void> {
  const { archive, logs, objections, successor } = restored
  for (const objection of objections) yield `Newer: ${objection}\n`
  if (successor !== null) {
    yield 'Its trust roots and API keys are new: tell whoever verifies, and make API keys. Old dossiers verify under the old trust root as before\n'
    if (successor.kekFile !== null)
      yield `No key provider was configured: a new KEK file was made. Keep a copy where the data is not: ${printable(successor.kekFile)}\n`
  }
  if (archive !== null)
    yield `The old logs are read with --data ${printable(archive)}; nothing can be added to them\n`
  const unknown = logs.filter(({ known }) => !known)
  if (archive === null && objections.length === 0 && unknown.length > 0)
    yield `Nothing was known elsewhere by which this could be called the newest state: ${unknown.map(({ origin }) => printable(origin)).join(', ')}\n`
  if (archive === null && !checkOnly)
    yield 'The pins decide at the next start. API keys and decisions of after the backup are not in it\n'
}

/** `restore BACKUP` */
export async function restore(
  context: Context,
  backup: string,
  flags: RestoreFlags,
): Promise<number> {
  const { compose, err, out } = context
  const { archive, check, json, newOrigin, published, signatures, witness, ...globals } = flags
  const checkOnly = check === true
  return measured(context, async ({ signal }, progress) => {
    const restored = await (
      await compose()
    ).restore(globals, {
      archive: archive === true,
      backup,
      checkOnly,
      newOrigin,
      progress,
      published: published ?? [],
      signal,
      signatures,
      witnesses: witness ?? [],
    })
    if (json === true) await out.write(jsonLine(restored))
    else for (const text of describeRestored(restored, checkOnly)) await out.write(text)
    for (const note of advise(restored, checkOnly)) err.note(note)
    return checkOnly && restored.objections.length > 0 ? 1 : exitCodes.done
  })
}

// Whether the logs are what they must be, and making again what can be derived.
import type { FsckReport } from '../decisions/fsck.ts'
import type { Context } from './command.ts'
import type { Composition, GlobalFlags } from './composition.ts'
import { exitCodes } from './complain.ts'
import { listenForInterrupt, signalExit, type Interrupt } from './interrupt.ts'
import { counted, Meter } from './progress.ts'
import { jsonLine, printable } from './terminal.ts'
import { readTrustFile } from './trust-file.ts'

/** Flags of `log fsck` and `log rebuild`; without a tenant it is for all of them. */
export interface CheckFlags extends GlobalFlags {
  readonly tenant?: string
  readonly trust?: string
  /** False with `--no-signatures`. */
  readonly signatures?: boolean
  readonly unseal?: boolean
  readonly json?: boolean
}

/** Findings of a tenant that are shown to people. */
const shownFindings = 20

function* describe(report: FsckReport): Generator<string, void> {
  const { conclusive, count, decisions, erased, findings, firstIndex, origin, size, tenant } =
    report
  const what = `${counted(size)} entries, ${counted(decisions)} decisions, ${counted(erased)} erased`
  if (count === 0)
    yield `${conclusive ? 'clean ' : 'unsure'} ${printable(tenant)}  ${printable(origin)}  ${what}\n`
  else {
    const first = firstIndex === null ? '' : `, the first at index ${firstIndex}`
    yield `BAD    ${printable(tenant)}  ${printable(origin)}  ${what}: ${counted(count)} findings${first}\n`
  }
  for (const { index, part, what: said } of findings.slice(0, shownFindings))
    yield `  ${part}${index === null ? '' : ` ${index}`}: ${printable(said)}\n`
  if (count > shownFindings) yield `  and ${counted(count - shownFindings)} more: --json\n`
}

/** Runs long work under a meter; who interrupts it gets the exit code of the signal. */
async function underMeter(
  { err, io }: Context,
  onInterrupt: string,
  work: (interrupt: Interrupt, meter: Meter) => Promise<number>,
): Promise<number> {
  const interrupt = listenForInterrupt(io.signals)
  const meter = new Meter(err, 'entries')
  try {
    return await work(interrupt, meter)
  } catch (error) {
    const { received } = interrupt
    if (received === undefined || error !== interrupt.signal.reason) throw error
    meter.clear()
    err.note(`Interrupted: ${onInterrupt}\n`)
    return signalExit[received]
  } finally {
    meter.clear()
    interrupt.stop()
  }
}

const requestOf = (
  { tenant }: CheckFlags,
  { signal }: Interrupt,
  meter: Meter,
): Parameters<Composition['rebuildLogs']>[1] => ({
  progress: (name, part, done, total) => {
    meter.show(done, total, `${part} of ${name}`)
  },
  signal,
  ...(tenant === undefined ? {} : { tenant }),
})

/** `log fsck` */
export async function checkLogs(context: Context, flags: CheckFlags): Promise<number> {
  const { compose, err, io, out } = context
  const trustFile = flags.trust === undefined ? undefined : await readTrustFile(io.cwd, flags.trust)
  return underMeter(
    context,
    'what was told is true, the rest was not looked at',
    async (...given) => {
      const reports = (await compose()).checkLogs(flags, {
        ...requestOf(flags, ...given),
        signatures: flags.signatures !== false,
        unseal: flags.unseal === true,
        ...(trustFile === undefined ? {} : { trustFile }),
      })
      let bad = false
      let conclusive = true
      const unchecked = new Set<string>()
      for await (const report of reports) {
        given[1].clear()
        bad ||= report.count > 0
        conclusive &&= report.conclusive
        for (const what of report.unchecked) unchecked.add(what)
        if (flags.json === true) await out.write(jsonLine(report))
        else for (const line of describe(report)) await out.write(line)
      }
      if (flags.json !== true) for (const what of unchecked) err.note(`not checked: ${what}\n`)
      if (bad) return exitCodes.badEvidence
      return conclusive ? exitCodes.done : exitCodes.inconclusive
    },
  )
}

/** `log rebuild` */
export async function rebuildLogs(context: Context, flags: CheckFlags): Promise<number> {
  const { compose, out } = context
  return underMeter(context, 'run it again, it goes on with what is left', async (...given) => {
    const rebuilt = (await compose()).rebuildLogs(flags, requestOf(flags, ...given))
    for await (const log of rebuilt) {
      given[1].clear()
      const { removed, size, tenant, written } = log
      await out.write(
        flags.json === true
          ? jsonLine(log)
          : `${printable(tenant)}  ${counted(size)} entries  ${counted(written)} tiles written, ${counted(removed)} removed\n`,
      )
    }
    return exitCodes.done
  })
}

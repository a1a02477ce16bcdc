// Taking a period out for an auditor: a file that verifies, an index and a summary beside it.
import { resolve } from 'node:path'
import { asFailure } from '../base/failure.ts'
import type { PeriodStep } from '../decisions/period-state.ts'
import { cosignatures, type PeriodRequest } from '../decisions/period-plan.ts'
import type { ExportRecord, Service } from '../decisions/service.ts'
import type { Status } from '../dossier/period.ts'
import type { Context, TenantFlags } from './command.ts'
import type { ReadingService } from './composition.ts'
import { exitCodes } from './complain.ts'
import { whileReading } from './evidence.ts'
import { expectName } from './files.ts'
import type { Mark } from './growing-file.ts'
import { listenForInterrupt, signalExit } from './interrupt.ts'
import { formatIndex } from './period-index.ts'
import { PeriodPart } from './period-part.ts'
import { formatSummary } from './period-summary.ts'
import { parsePosition } from './position.ts'
import { localCaller } from './principal.ts'
import { counted, Meter } from './progress.ts'
import { jsonLine, printable } from './terminal.ts'

/** Flags of `audit export`. */
export interface AuditFlags extends TenantFlags {
  readonly from?: string
  readonly to?: string
  readonly status?: readonly Status[]
  readonly output: string
  readonly record?: boolean
}

const saveEveryMs = 1000

/** Where the entry that tells of the export stands, or why there is none. */
type Recorded = { readonly index: number } | { readonly why: string }

function requestOf({ from, status, to }: AuditFlags): PeriodRequest {
  return {
    statuses: status === undefined ? null : [...new Set(status)].sort(),
    ...(from === undefined ? {} : { from: parsePosition(from, false) }),
    ...(to === undefined ? {} : { to: parsePosition(to, true) }),
  }
}

/** The service that can tell the log: the running server; the data directory itself only when that was asked for. */
async function findWriter({ compose }: Context, flags: AuditFlags): Promise<Service | undefined> {
  const composition = await compose()
  return flags.record === true ? composition.openService(flags) : composition.connectServer(flags)
}

/** Tells the log of the export. @throws {@link Failure} where that was demanded and cannot be done */
async function tellLog(
  context: Context,
  flags: AuditFlags,
  record: ExportRecord,
): Promise<Recorded> {
  try {
    const service = await findWriter(context, flags)
    if (service === undefined) return { why: 'no server runs on this data directory' }
    try {
      return await service.recordExport(flags.tenant, record, localCaller())
    } finally {
      await service.close()
    }
  } catch (error) {
    if (flags.record === true) throw error
    return { why: asFailure(error).message }
  }
}

/** Shows how far an export is: it goes through the period twice. */
function show(meter: Meter, { head, state }: PeriodPart, size: number): void {
  const total = size - head.from.size
  const what = state.section === 'dossiers' ? 'entries searched for dossiers' : 'leaves written'
  if (state.section !== 'done') meter.show(state.next - head.from.size, total, what)
}

const sizeOf = ({ head }: PeriodPart): number => Number(head.to.split('\n')[1])

/** Writes what is left of an export; false when it was interrupted. */
async function drain(
  { err }: Context,
  part: PeriodPart,
  steps: AsyncIterable<PeriodStep>,
  signal: AbortSignal,
): Promise<boolean> {
  const meter = new Meter(err, '')
  const size = sizeOf(part)
  let saved = Date.now()
  try {
    for await (const { lines, rows, state } of steps) {
      await part.write(lines, formatIndex(rows))
      part.state = state
      show(meter, part, size)
      if (signal.aborted) break
      if (Date.now() - saved < saveEveryMs) continue
      await part.save()
      saved = Date.now()
    }
  } finally {
    meter.clear()
  }
  await part.save()
  return part.state.section === 'done'
}

async function tell(
  { err, out }: Context,
  { json, output }: AuditFlags,
  part: PeriodPart,
  [period, index]: readonly [Mark, Mark],
  recorded: Recorded,
): Promise<void> {
  const { head, resumed, state } = part
  const { dossiers, kinds, statuses } = state.tally
  const [from, to] = [head.from.size, state.next]
  const files = { csv: `${output}.csv`, file: output, html: `${output}.html` }
  if (json === true) {
    const entry = 'index' in recorded ? recorded.index : null
    const facts = { dossiers, from, kinds, recorded: entry, resumed, statuses, to }
    await out.write(jsonLine({ ...files, sha256: period.sha256, ...facts }))
    return
  }
  // As sha256sum prints it, so that `sha256sum -c` reads it.
  await out.write(
    `${period.sha256}  ${printable(output)}\n${index.sha256}  ${printable(files.csv)}\n`,
  )
  const where = 'index' in recorded ? `told in the log at index ${recorded.index}` : recorded.why
  const told = 'index' in recorded ? where : `not told in the log: ${where}`
  err.note(
    `${counted(to - from)} entries from index ${from} to size ${to}, ${counted(dossiers)} dossiers; ${printable(told)}\n`,
  )
}

/** Says where witnesses have not seen all that was asked for. */
function noteEnd({ err }: Context, part: PeriodPart, logSize: number): void {
  const size = sizeOf(part)
  if (!part.resumed && size < logSize)
    err.note(
      `the period ends at size ${counted(size)} of ${counted(logSize)}: its quorum of witnesses has not cosigned what came later; export again when it has\n`,
    )
}

function noteLater({ err }: Context, { head, state }: PeriodPart): void {
  if (state.later === null || cosignatures(state.later) >= cosignatures(head.to)) return
  err.note(
    'fewer witnesses have cosigned the later checkpoint, under which decisions stand that went on after the period, than its own: where that is no quorum, the file verifies as unprovable; export again when they have\n',
  )
}

async function run(
  context: Context,
  service: ReadingService,
  flags: AuditFlags,
  request: PeriodRequest,
): Promise<number> {
  const { err, io } = context
  const { output, tenant } = flags
  const path = resolve(io.cwd, output)
  // Times that are relative to today would name another period tomorrow: the texts are what is compared.
  const asked = JSON.stringify([tenant, flags.from ?? null, flags.to ?? null, request.statuses])
  const interrupt = listenForInterrupt(io.signals)
  // Before the end is chosen: what is logged meanwhile is nobody's fault.
  const logSize =
    flags.to === undefined
      ? (await service.listTenants()).find(({ name }) => name === tenant)?.size
      : undefined
  const part = await PeriodPart.open(path, asked, () => service.planPeriod(tenant, request))
  try {
    if (part.resumed) err.note(`going on with the unfinished export: ${printable(output)}.part\n`)
    noteEnd(context, part, logSize ?? 0)
    const steps = service.exportPeriod(part.head, part.state)
    if (!(await drain(context, part, steps, interrupt.signal))) {
      err.note('interrupted: run the same command again to go on\n')
      return signalExit[interrupt.received ?? 'SIGINT']
    }
    const marks = await part.end()
    const { sha256 } = marks[0]
    const { next: to, tally } = part.state
    const { from, statuses } = part.head
    const record = { dossiers: tally.dossiers, from: from.size, sha256, statuses, to }
    const recorded = await tellLog(context, flags, record)
    await part.publish(formatSummary({ file: path, head: part.head, sha256, tally, to }))
    await tell(context, flags, part, marks, recorded)
    noteLater(context, part)
    return exitCodes.done
  } finally {
    interrupt.stop()
    await part.close()
  }
}

/** `audit export` */
export async function exportPeriod(context: Context, flags: AuditFlags): Promise<number> {
  expectName(flags.output)
  const request = requestOf(flags)
  return whileReading(context, flags, (service) => run(context, service, flags, request))
}

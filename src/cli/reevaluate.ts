// Making decisions again from their dossiers, offline: whether what was decided follows from the policies that it cites and, where the log's policies are
// at hand, whether these are all that had to decide.
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { reevaluateDossier, type Reevaluation } from '../verify/reevaluate.ts'
import { reevaluatePeriod, type PeriodReevaluation } from '../verify/reevaluate-period.ts'
import type { Report, Verdict } from '../verify/report.ts'
import {
  judgeDossierSelection,
  readSelectionGround,
  type SelectionGround,
  type SelectionReport,
} from '../verify/selection-ground.ts'
import { verifyDossier } from '../verify/verify-dossier.ts'
import type { Context } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { expectReadable, readBounded } from './files.ts'
import {
  formatRemadePeriod,
  isBadPeriod,
  isOpenPeriod,
  jsonOfRemadePeriod,
} from './reevaluate-period.ts'
import { formatTable, jsonLine, printable } from './terminal.ts'
import { readTrustFile } from './trust-file.ts'
import { expectEntries, readLeaves, withEntries } from './verify.ts'
import { openEvidence, whileReadingPeriod } from './verify-period.ts'

/** Flags of `reevaluate`. */
export interface ReevaluateFlags {
  readonly trust?: string
  readonly trustSha256?: string
  /** Dossier of the stream `policies`, and of the stream `admin`. */
  readonly policies?: string
  readonly admin?: string
  /** The log's static tree, which shows that those two lack no step. */
  readonly entries?: string
  readonly json?: boolean
}

interface Judged extends Reevaluation {
  readonly file: string
  /** Of the dossier under the trust root; null where none was given. */
  readonly verdict: Verdict | null
  /** Why it is not valid; null where it is. */
  readonly verdictReason: string | null
  /** Whether a policy was left out; null where nothing was given that tells it. */
  readonly selection: SelectionReport | null
}

type Verify = (file: Uint8Array, leaves?: Iterable<Uint8Array>) => Report | null

/** What the first check says that is as bad as the verdict. */
function verdictReasonOf(report: Report | null): string | null {
  if (report === null || report.verdict === 'valid') return null
  const worst = report.verdict === 'invalid' ? 'fail' : report.verdict
  return report.checks.find(({ outcome }) => outcome === worst)?.reason ?? null
}

const isBad = ({ outcome, verdict }: Judged): boolean =>
  outcome === 'different' || verdict === 'invalid'

const isOpen = ({ outcome, verdict }: Judged): boolean =>
  outcome === 'unknown' || (verdict !== null && verdict !== 'valid')

const words: Readonly<Record<Reevaluation['outcome'], string>> = {
  different: 'different',
  same: 'same',
  unknown: 'not re-evaluable',
}

const rowOf = ({ file, outcome, reason, verdict, verdictReason }: Judged): readonly string[] => [
  words[outcome],
  ...(verdict === null ? [] : [verdict]),
  printable(file),
  printable(verdictReason === null ? reason : `${reason}; ${verdict ?? ''}: ${verdictReason}`),
]

/** What was given to tell which policies had to decide. @throws {@link Usage}; {@link Failure} INPUT_INVALID */
async function readGround(
  context: Context,
  { admin, entries, policies, trust }: ReevaluateFlags,
  verify: Verify,
): Promise<SelectionGround | undefined> {
  const { io } = context
  if (policies === undefined && admin !== undefined)
    throw new Usage('What API keys are bound to says nothing without the policies: --policies')
  if (entries !== undefined && (policies === undefined || trust === undefined))
    throw new Usage('What --entries shows takes --policies, and a trust root: --trust')
  if (policies === undefined) return undefined
  expectEntries(io.cwd, entries)
  const names = [policies, ...(admin === undefined ? [] : [admin])]
  const files = await withEntries(context, names, entries, async (directory) => {
    const read = async (name: string): Promise<Uint8Array> => {
      const file = await readBounded(io.cwd, name, limits.dossierBytes)
      const verdict =
        verify(file, directory === undefined ? undefined : readLeaves(directory))?.verdict ??
        'valid'
      if (verdict === 'valid') return file
      throw new Failure('INPUT_INVALID', `Dossier is ${verdict} under the trust root: ${name}`)
    }
    return [await read(policies), admin === undefined ? undefined : await read(admin)] as const
  })
  const ground = readSelectionGround(...files)
  if (typeof ground === 'string')
    throw new Failure('INPUT_INVALID', `Policies cannot be told from what was given: ${ground}`)
  return { ...ground, isWhole: entries !== undefined }
}

/** A decision made again, with what is to say of those who were to make it. */
function withSelection(again: Reevaluation, selection: SelectionReport | null): Reevaluation {
  if (selection === null) return again
  const { outcome, reason } = again
  if (selection.outcome === 'wrong')
    return {
      ...again,
      outcome: 'different',
      reason: outcome === 'different' ? `${reason}; ${selection.reason}` : selection.reason,
    }
  if (outcome !== 'same') return again
  return selection.outcome === 'unknown'
    ? { ...again, outcome: 'unknown', reason: selection.reason }
    : { ...again, reason: `${reason}, and none was left out` }
}

/** What was made again: a table of dossiers, and the text of periods. */
interface Tally {
  readonly dossiers: Judged[]
  readonly periods: PeriodReevaluation[]
  readonly texts: string[]
}

interface Given {
  readonly flags: ReevaluateFlags
  readonly ground: SelectionGround | undefined
  readonly trustFile: Uint8Array | undefined
  readonly verify: Verify
}

function remakeDossier(file: string, bytes: Uint8Array, { ground, verify }: Given): Judged {
  const selection = ground === undefined ? null : judgeDossierSelection(bytes, ground)
  const again = withSelection(reevaluateDossier(bytes), selection)
  const report = verify(bytes)
  const verdict = report?.verdict ?? null
  return { file, ...again, selection, verdict, verdictReason: verdictReasonOf(report) }
}

async function remakePeriod(
  context: Context,
  name: string,
  period: AsyncIterable<Uint8Array>,
  { flags: { trustSha256 }, ground, trustFile }: Given,
): Promise<PeriodReevaluation> {
  if (trustFile === undefined)
    throw new Usage(`A period is held against its log, which takes a trust root: --trust: ${name}`)
  const options = {
    ...(ground === undefined ? {} : { ground }),
    ...(trustSha256 === undefined ? {} : { trustSha256 }),
  }
  return whileReadingPeriod(context, name, period, (pieces) =>
    reevaluatePeriod(pieces, trustFile, options),
  )
}

async function remake(context: Context, file: string, given: Given, tally: Tally): Promise<void> {
  const { io, out } = context
  const { json } = given.flags
  const evidence = await openEvidence(io.cwd, file)
  if ('file' in evidence) {
    const judged = remakeDossier(file, evidence.file, given)
    tally.dossiers.push(judged)
    if (json === true) await out.write(jsonLine(judged))
    return
  }
  const made = await remakePeriod(context, file, evidence.period, given)
  tally.periods.push(made)
  if (json === true) await out.write(jsonOfRemadePeriod(file, made))
  else tally.texts.push(formatRemadePeriod(file, made))
}

/** Says what was not asked. */
function tellRest({ err }: Context, { ground, trustFile }: Given, { dossiers }: Tally): void {
  if (trustFile === undefined)
    err.note('Signatures and proofs were not looked at: --trust verifies them as well\n')
  if (ground === undefined)
    err.note('Whether another policy had to decide was not asked: --policies tells\n')
  else {
    if (ground.keys === null)
      err.note('What API keys are bound to was taken from the decisions: --admin tells\n')
    if (dossiers.length > 0 && ground.isWhole !== true)
      err.note(
        'Whether the dossiers of the policies and API keys lack a later step was not asked: --entries tells, or a period in place of the files\n',
      )
  }
}

/** `reevaluate FILE...` */
export async function reevaluate(
  context: Context,
  files: readonly string[],
  flags: ReevaluateFlags,
): Promise<number> {
  const { io, out } = context
  const { trust, trustSha256 } = flags
  // All are looked for before any is judged: exit 2 must not hide that some evidence is bad.
  for (const file of files) await expectReadable(io.cwd, file)
  const trustFile = trust === undefined ? undefined : await readTrustFile(io.cwd, trust)
  const options = trustSha256 === undefined ? {} : { trustSha256 }
  const verify: Verify = (file, leaves) =>
    trustFile === undefined
      ? null
      : verifyDossier(file, trustFile, { ...options, ...(leaves === undefined ? {} : { leaves }) })

  const ground = await readGround(context, flags, verify)
  const given = { flags, ground, trustFile, verify }
  const tally: Tally = { dossiers: [], periods: [], texts: [] }
  for (const file of files) await remake(context, file, given, tally)
  const { dossiers, periods, texts } = tally
  if (flags.json !== true) await out.write(`${formatTable(dossiers.map(rowOf))}${texts.join('')}`)
  tellRest(context, given, tally)
  if (dossiers.some(isBad) || periods.some(isBadPeriod)) return exitCodes.badEvidence
  const isOne = dossiers.some(isOpen) || periods.some(isOpenPeriod)
  return isOne ? exitCodes.inconclusive : exitCodes.done
}

// Making decisions again from their dossiers, offline: whether what was decided follows from the policies that it cites.
import { limits } from '../base/limits.ts'
import { reevaluateDossier, type Reevaluation } from '../verify/reevaluate.ts'
import type { Verdict } from '../verify/report.ts'
import { verifyDossier } from '../verify/verify-dossier.ts'
import type { Context } from './command.ts'
import { exitCodes } from './complain.ts'
import { readBounded } from './files.ts'
import { formatTable, jsonLine, printable } from './terminal.ts'

/** Flags of `reevaluate`. */
export interface ReevaluateFlags {
  readonly trust?: string
  readonly trustSha256?: string
  readonly json?: boolean
}

interface Judged extends Reevaluation {
  readonly file: string
  /** Of the dossier under the trust root; null where none was given. */
  readonly verdict: Verdict | null
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

const rowOf = ({ file, outcome, reason, verdict }: Judged): readonly string[] => [
  words[outcome],
  ...(verdict === null ? [] : [verdict]),
  printable(file),
  printable(reason),
]

/** `reevaluate FILE...` */
export async function reevaluate(
  { err, io, out }: Context,
  files: readonly string[],
  { json, trust, trustSha256 }: ReevaluateFlags,
): Promise<number> {
  const trustFile =
    trust === undefined ? undefined : await readBounded(io.cwd, trust, limits.trustRootBytes)
  const all: Judged[] = []
  for (const file of files) {
    const bytes = await readBounded(io.cwd, file, limits.dossierBytes)
    const options = trustSha256 === undefined ? {} : { trustSha256 }
    const verdict =
      trustFile === undefined ? null : verifyDossier(bytes, trustFile, options).verdict
    const judged = { file, ...reevaluateDossier(bytes), verdict }
    all.push(judged)
    if (json === true) await out.write(jsonLine(judged))
  }
  if (json !== true) await out.write(formatTable(all.map(rowOf)))
  if (trustFile === undefined)
    err.note('Signatures and proofs were not looked at: --trust verifies them as well\n')
  if (all.some(isBad)) return exitCodes.badEvidence
  return all.some(isOpen) ? exitCodes.inconclusive : exitCodes.done
}

// A C2SP tlog-proof: that one leaf stands in a log. It says nothing of what the leaf commits to; that is a dossier's business.
import { fromUtf8 } from '../base/bytes.ts'
import { limits } from '../base/limits.ts'
import { parseLeaf, type Leaf } from '../dossier/leaf.ts'
import { fingerprint, type OriginSection, type TrustRoot } from '../dossier/trust-root.ts'
import { leafHash } from '../merkle/hash.ts'
import { verifyInclusion } from '../merkle/proof.ts'
import { parseTlogProof } from '../merkle/tlog-proof.ts'
import { signingKeysProblem } from './check-trust-root.ts'
import { expectSections, findSection, readTrustRoot } from './find-section.ts'
import { Checks, type Report } from './report.ts'
import {
  claimedCheckpoint,
  judgeCheckpoint,
  noteOnTimes,
  type JudgedCheckpoint,
} from './verify-checkpoint.ts'

/** What may be given along with a proof. */
export interface TlogProofOptions {
  /** Hex SHA-256 that the trust root must have. */
  readonly trustSha256?: string
  /** The leaf's exact bytes; without them the proof's extra data are taken for it. */
  readonly leaf?: Uint8Array
}

const firstLine = 'c2sp.org/tlog-proof@'

/** Whether a file says of itself that it is a tlog-proof. */
export const isTlogProof = (file: Uint8Array): boolean =>
  firstLine.split('').every((char, i) => char.charCodeAt(0) === file[i])

interface Findings {
  readonly checks: Checks
  trustRoot: TrustRoot | undefined
  section: OriginSection | undefined
  judged: JudgedCheckpoint | undefined
  index: number
  leaf: Leaf | undefined
}

function readText(file: Uint8Array): string | undefined {
  if (file.length > limits.dossierBytes) return undefined
  try {
    return fromUtf8(file)
  } catch {
    return undefined
  }
}

function inspect(
  file: Uint8Array,
  trustFile: Uint8Array,
  { leaf: given, trustSha256 }: TlogProofOptions,
  found: Findings,
): void {
  const { checks } = found
  found.trustRoot = readTrustRoot(checks, trustFile, trustSha256)
  if (found.trustRoot === undefined || !expectSections(checks, found.trustRoot)) return
  const text = readText(file)
  const parsed =
    text === undefined ? 'Proof is not UTF-8 of a dossier’s size' : parseTlogProof(text)
  if (typeof parsed === 'string') {
    checks.add('proof.format', 'fail', parsed)
    return
  }
  checks.add('proof.format', 'pass', 'C2SP tlog-proof v1')
  const { checkpoint, extra, index, proof } = parsed
  found.section = findSection(checks, found.trustRoot, claimedCheckpoint(checkpoint))
  if (found.section === undefined) return
  found.judged = judgeCheckpoint(checks, checkpoint, found.section, undefined)
  if (found.judged === undefined) return
  found.index = index
  const leaf = given ?? extra
  if (leaf === undefined) {
    checks.add('proof.leaf', 'inconclusive', 'The leaf is needed: this proof does not hold it')
    return
  }
  const { root, size } = found.judged.checkpoint
  const included = checks.expect(
    'proof.inclusion',
    verifyInclusion(index, size, leafHash(leaf), proof, root),
    `Leaf ${index} of ${size}`,
    `Proof does not lead from the leaf at index ${index} to the checkpoint of size ${size}`,
  )
  const read = parseLeaf(leaf)
  if (typeof read === 'string') checks.add('proof.leaf', 'fail', read)
  else if (included) found.leaf = read
}

/** A trust root is refused as a whole, also by keys of which a proof needs none. */
function judgeSigningKeys({ checks, trustRoot }: Findings): void {
  const problem = trustRoot && signingKeysProblem(trustRoot)
  if (problem !== undefined) checks.add(problem.check, 'fail', problem.reason)
}

const notesOf = ({ judged, leaf, section, trustRoot }: Findings): readonly string[] => [
  ...(trustRoot?.dev === true
    ? ['Development installation: its keys protect nothing, this proves nothing to others']
    : []),
  ...(judged?.witnesses === 0
    ? ['No witness has cosigned: the operator could show others another log']
    : []),
  ...(judged === undefined ? [] : [noteOnTimes(judged)]),
  ...(leaf === undefined
    ? []
    : ['Only that the leaf stands in the log: what was signed needs the dossier']),
  ...(judged !== undefined && section !== undefined && judged.checkpoint.size > section.asOf.size
    ? [`Trust root knows of revocations up to size ${section.asOf.size} only`]
    : []),
]

/**
 * Verifies a tlog-proof offline; what a stranger sent becomes a report, never an exception.
 * @param file the proof's bytes
 * @param trustFile the trust root's bytes, from a source you trust
 */
export function verifyTlogProof(
  file: Uint8Array,
  trustFile: Uint8Array,
  options: TlogProofOptions = {},
): Report {
  const found: Findings = {
    checks: new Checks(),
    index: 0,
    judged: undefined,
    leaf: undefined,
    section: undefined,
    trustRoot: undefined,
  }
  try {
    inspect(file, trustFile, options, found)
    judgeSigningKeys(found)
  } catch (error) {
    // Our own mistake; it must not become a yes, nor take down who asked.
    const message = error instanceof Error ? error.message : 'unknown'
    found.checks.add('verifier', 'fail', `Internal error: ${message}`)
  }
  const { checks, index, judged, leaf, section, trustRoot } = found
  const entry =
    leaf === undefined
      ? []
      : [
          {
            erased: false,
            index,
            keyid: leaf.keyid,
            kind: leaf.kind,
            seq: leaf.seq,
            time: leaf.time,
          },
        ]
  return {
    assurance:
      judged !== undefined && judged.witnesses > 0 ? `witnessed(${judged.witnesses})` : 'operator',
    checks: checks.list,
    complete: 'no',
    dev: trustRoot?.dev ?? false,
    entries: entry,
    notes: notesOf(found),
    ok: checks.verdict === 'valid',
    origin: section?.origin ?? null,
    action: null,
    proposal: null,
    escalation: null,
    override: null,
    status: null,
    stream: leaf?.stream ?? null,
    tenant: section?.tenant ?? null,
    treeSize: judged?.checkpoint.size ?? null,
    trustRoot: fingerprint(trustFile),
    verdict: checks.verdict,
  }
}

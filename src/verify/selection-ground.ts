// Whether a policy was left out of a decision, offline: the dossier of the stream `policies` says which were active where the decision stands, that of the
// stream `admin` what its API key is bound to. Whether any of them is signed, in the log and complete is for verifyDossier to say. Never throws on what it
// is given.
import { canonicalize } from '../base/canonical-json.ts'
import { encodeHex } from '../base/bytes.ts'
import { asFailure } from '../base/failure.ts'
import { parseLeaf } from '../dossier/leaf.ts'
import { matters } from '../dossier/matters.ts'
import { parseStatement, type Statement } from '../dossier/statement.ts'
import { parseDossier, type DossierEntry } from '../dossier/v1.ts'
import { leafHash } from '../merkle/hash.ts'
import { judgeSelection } from './judge-selection.ts'
import { KeyBonds } from './key-bonds.ts'
import { PolicyTimes } from './policy-times.ts'
import { claimedCheckpoint } from './verify-checkpoint.ts'

/** A stream as a dossier tells it. */
export interface ToldStream {
  /** Canonical text of which log it is of. */
  readonly log: string
  /** Size of the tree under whose checkpoint it was taken: what stands beyond is not in it. */
  readonly size: number
  readonly entries: readonly ToldEntry[]
}

interface ToldEntry {
  readonly index: number
  /** Hex. */
  readonly leafHash: string
  readonly time: number
  readonly matter: unknown
}

/** What tells which policies had to decide. */
export interface SelectionGround {
  readonly policies: ToldStream
  readonly times: PolicyTimes
  /** What API keys are bound to, and up to which size of the log; null where decisions are believed about that. */
  readonly keys: { readonly bonds: KeyBonds; readonly told: ToldStream } | null
  /** Whether the leaves of the whole log have shown that the dossiers lack no step. */
  readonly isWhole?: boolean
}

/** What became of choosing the policies of a decision again. */
export interface SelectionReport {
  readonly outcome: 'complete' | 'wrong' | 'unknown'
  /** In one sentence. */
  readonly reason: string
}

const logOf = ({ predicate: { instance, origin, tenant } }: Statement): string =>
  canonicalize({ instance, origin, tenant })

/** An entry as what its payload says, or why it cannot be read. */
function readEntry({ index, leaf, payload }: DossierEntry) {
  if (payload === null) return `Entry at index ${index} was erased`
  const statement = parseStatement(payload)
  if (typeof statement === 'string') return `Entry at index ${index}: ${statement}`
  const said = parseLeaf(leaf)
  if (typeof said === 'string') return `Entry at index ${index}: ${said}`
  const { matter, seq, stream } = statement.predicate
  const hash = encodeHex(leafHash(leaf))
  return { index, leafHash: hash, log: logOf(statement), matter, seq, stream, time: said.time }
}

function readStream(file: Uint8Array, stream: string): ToldStream | string {
  const dossier = parseDossier(file)
  if (typeof dossier === 'string') return dossier
  const checkpoint = claimedCheckpoint(dossier.checkpoint)
  if (typeof checkpoint === 'string') return checkpoint
  const entries: ToldEntry[] = []
  let log: string | undefined
  for (const one of dossier.entries) {
    const entry = readEntry(one)
    if (typeof entry === 'string') return entry
    log ??= entry.log
    const before = entries.at(-1)?.index ?? -1
    const follows = entry.seq === entries.length && entry.index > before && entry.log === log
    if (entry.stream !== stream || !follows)
      return `Dossier is not of the stream ${stream} from its first entry on`
    entries.push(entry)
  }
  return { entries, log: log ?? '', size: checkpoint.size }
}

function readKeys(file: Uint8Array, log: string): SelectionGround['keys'] | string {
  const told = readStream(file, 'admin')
  if (typeof told === 'string') return told
  if (told.log !== log) return 'Dossiers are of different logs'
  const bonds = new KeyBonds()
  for (const { index, matter } of told.entries) {
    const { data } = matters.admin.safeParse(matter)
    if (data === undefined) return `Entry at index ${index} is of a form unknown here`
    bonds.add(index, data)
  }
  return { bonds, told }
}

/**
 * Reads what tells which policies had to decide, or the reason why it cannot be read.
 * @param file bytes of the dossier of the stream `policies`
 * @param admin bytes of that of the stream `admin`
 */
export function readSelectionGround(
  file: Uint8Array,
  admin: Uint8Array | undefined,
): SelectionGround | string {
  const policies = readStream(file, 'policies')
  if (typeof policies === 'string') return policies
  const times = new PolicyTimes()
  for (const { index, matter, time } of policies.entries) {
    const { data } = matters.policy.safeParse(matter)
    const wrong =
      data === undefined ? 'of a form unknown here' : times.add({ index, matter: data, time })
    if (wrong !== undefined) return `Entry at index ${index}: ${wrong}`
  }
  const keys = admin === undefined ? null : readKeys(admin, policies.log)
  return typeof keys === 'string' ? keys : { keys, policies, times }
}

function judge(file: Uint8Array, { keys, policies, times }: SelectionGround): SelectionReport {
  const unknown = (reason: string): SelectionReport => ({ outcome: 'unknown', reason })
  const dossier = parseDossier(file)
  if (typeof dossier === 'string') return unknown(dossier)
  const [first] = dossier.entries
  const entry = first === undefined ? 'Dossier has no entry' : readEntry(first)
  if (typeof entry === 'string') return unknown(entry)
  const { data: decision } = matters.decision.safeParse(entry.matter)
  if (decision === undefined) return unknown('Dossier is not of a decision')
  if (entry.log !== policies.log) return unknown('Dossier of the policies is of another log')
  const { index } = entry
  if (index >= policies.size) return unknown('Dossier of the policies is older than the decision')
  if (keys !== null && index >= keys.told.size)
    return unknown('Dossier of the API keys is older than the decision')
  const bonds = keys?.bonds.at(decision.caller, index)
  const judged = judgeSelection(decision, times, index, bonds)
  if (judged.faults.length > 0)
    return { outcome: 'wrong', reason: `Decision ${judged.faults.join('; ')}` }
  if (decision.source !== 'evaluated') return unknown('Decision was not made by policies')
  if (judged.unknown !== undefined) return unknown(judged.unknown)
  return { outcome: 'complete', reason: 'No policy was left out, by the dossiers given' }
}

/**
 * Says whether a decision went by all policies that had to decide, and by no other.
 * @param file bytes of the decision's dossier
 */
export function judgeDossierSelection(file: Uint8Array, ground: SelectionGround): SelectionReport {
  try {
    return judge(file, ground)
  } catch (error) {
    return { outcome: 'unknown', reason: asFailure(error).message }
  }
}

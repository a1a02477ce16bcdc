// Evidence that a log did what none may: it signed two histories, or one that breaks its own rules. The file holds what the log itself has signed, with
// the proofs, and so convinces anybody who has the trust root; who wrote it does not matter. Canonical JSON, version 1.
import { z } from 'zod'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { encodeHex, equalBytes } from '../base/bytes.ts'
import { asFailure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { parseLeaf, type Leaf } from '../dossier/leaf.ts'
import { kindsOfStream } from '../dossier/kinds.ts'
import { firstIssue } from '../dossier/statement.ts'
import { parseTrustRoot, type OriginSection } from '../dossier/trust-root.ts'
import type { Checkpoint } from '../merkle/checkpoint.ts'
import { leafHash } from '../merkle/hash.ts'
import { verifyInclusion } from '../merkle/proof.ts'
import { checkTrustRoot } from './check-trust-root.ts'
import { Checks } from './report.ts'
import { claimedCheckpoint, judgeCheckpoint } from './verify-checkpoint.ts'

/** What a log is accused of. */
const logClaims = Object.freeze([
  /** Two checkpoints that no one tree has. */
  'fork',
  /** A checkpoint that contradicts a tree head of the trust root. */
  'head',
  /** One step of a stream stands twice. */
  'twice',
  /** A step does not follow the one before it. */
  'chain',
  /** Steps of a stream are left out; only whoever has read the whole log knows it. */
  'gap',
  /** Time falls. */
  'time',
  /** An entry that may not stand where it stands. */
  'leaf',
] as const)

/** One of them. */
export type LogClaim = (typeof logClaims)[number]

/** A leaf with the proof that it stands in the tree of the (first) note. */
export interface ProvedLeaf {
  readonly index: number
  /** Exact bytes. */
  readonly leaf: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** One perfect subtree as the trees of both notes have it: 2^level leaves from index · 2^level, with a proof from each to its root. */
export interface ForkedNode {
  readonly level: number
  readonly index: number
  readonly hashes: readonly [Uint8Array, Uint8Array]
  readonly proofs: readonly [readonly Uint8Array[], readonly Uint8Array[]]
}

/** What an evidence file holds. */
export interface LogEvidence {
  readonly claim: LogClaim
  /** Signed notes: two for a fork, else one. */
  readonly notes: readonly string[]
  /** For a fork of notes of different sizes. */
  readonly node: ForkedNode | null
  readonly leaves: readonly ProvedLeaf[]
}

/** Media type of an evidence file. */
const mediaType = 'application/vnd.countersign.log-evidence+json'

const bytes = z.string().transform((text, context) => {
  const decoded = decodeBase64(text)
  if (decoded !== undefined) return decoded
  context.addIssue({ code: 'custom', message: 'Standard padded base64 expected' })
  return z.NEVER
})
const proof = z.array(bytes).max(limits.proofHashes)
const schema = z.strictObject({
  claim: z.enum(logClaims),
  leaves: z.array(z.strictObject({ index: z.int().min(0), leaf: bytes, proof })).max(2),
  mediaType: z.literal(mediaType),
  node: z
    .strictObject({
      hashes: z.tuple([bytes, bytes]),
      index: z.int().min(0),
      level: z.int().min(0).max(52),
      proofs: z.tuple([proof, proof]),
    })
    .nullable(),
  notes: z.array(z.string().max(limits.noteBytes)).min(1).max(2),
  v: z.literal(1),
})

/** The bytes of an evidence file. */
export const formatLogEvidence = ({ claim, leaves, node, notes }: LogEvidence): Uint8Array =>
  canonicalBytes({
    claim,
    leaves: leaves.map((one) => ({
      index: one.index,
      leaf: encodeBase64(one.leaf),
      proof: one.proof.map(encodeBase64),
    })),
    mediaType,
    node:
      node === null
        ? null
        : {
            hashes: node.hashes.map(encodeBase64),
            index: node.index,
            level: node.level,
            proofs: node.proofs.map((path) => path.map(encodeBase64)),
          },
    notes,
    v: 1,
  })

/** The evidence of a file, or the reason why it is none. */
export function parseLogEvidence(file: Uint8Array): LogEvidence | string {
  if (file.length > limits.trustRootBytes)
    return `Evidence is larger than ${limits.trustRootBytes} bytes`
  try {
    const parsed = schema.safeParse(parseCanonical(file))
    return parsed.success ? parsed.data : `Not v1 evidence: ${firstIssue(parsed.error)}`
  } catch (error) {
    return asFailure(error).message
  }
}

/** A checkpoint that a log has signed with every key that it must, or why it does not count; `later` when a newer trust root may know its keys. */
export type SignedCheckpoint =
  | {
      readonly checkpoint: Checkpoint
      readonly witnesses: number
      /** Whether the quorum of the trust root has cosigned it, or none is asked for. */
      readonly quorum: boolean
      readonly contradicts: boolean
    }
  | { readonly reason: string; readonly later: boolean }

/** Whether a log itself has signed a note. A key that may have been in other hands proves nothing against it. */
export function readSignedCheckpoint(note: string, section: OriginSection): SignedCheckpoint {
  const claimed = claimedCheckpoint(note)
  if (typeof claimed === 'string') return { later: false, reason: claimed }
  if (claimed.origin !== section.origin)
    return { later: false, reason: `Checkpoint is of another log: ${claimed.origin}` }
  const checks = new Checks()
  const judged = judgeCheckpoint(checks, note, section, undefined)
  const heads = 'checkpoint.known-heads'
  const problem = checks.list.find(
    ({ name, outcome }) =>
      (name !== heads && (outcome === 'fail' || outcome === 'inconclusive')) ||
      (name === 'checkpoint.revoked-key' && outcome !== 'pass'),
  )
  if (judged === undefined || problem !== undefined)
    return {
      later: problem?.outcome === 'inconclusive',
      reason: problem?.reason ?? 'Checkpoint does not count',
    }
  const contradicts = checks.list.some(({ name, outcome }) => name === heads && outcome === 'fail')
  const quorum = checks.list.some(
    ({ name, outcome }) => name === 'checkpoint.witnesses' && outcome === 'pass',
  )
  return { checkpoint: judged.checkpoint, contradicts, quorum, witnesses: judged.witnesses }
}

/** What is wrong with a leaf by itself, if anything. */
export function leafProblem(leaf: Leaf | string): string | undefined {
  if (typeof leaf === 'string') return leaf
  const { kind, prev, seq, stream } = leaf
  if (!kindsOfStream(stream).includes(kind) || (kind === 'decision') !== isFirstOfDecision(leaf))
    return `Kind ${kind} may not stand at step ${seq} of ${stream}`
  return (seq === 0) === (prev === null)
    ? undefined
    : `Step ${seq} of ${stream} ${seq === 0 ? 'follows another' : 'follows none'}`
}

const isFirstOfDecision = ({ seq, stream }: Leaf): boolean =>
  seq === 0 && kindsOfStream(stream).includes('decision')

/** Whether evidence holds. */
export interface LogEvidenceReport {
  /** `proved`, and the log is guilty; `refused`, and the file proves nothing; `inconclusive` where the file alone cannot show it. */
  readonly verdict: 'proved' | 'refused' | 'inconclusive'
  readonly claim: LogClaim | null
  readonly origin: string | null
  readonly reason: string
}

type Finding = Pick<LogEvidenceReport, 'reason' | 'verdict'>
const refused = (reason: string): Finding => ({ reason, verdict: 'refused' })
const proved = (reason: string): Finding => ({ reason, verdict: 'proved' })

/** Whether a node stands in a tree: blocks of 2^level leaves are the leaves of a tree of the same shape. */
const nodeStands = (
  { index, level }: ForkedNode,
  hash: Uint8Array,
  path: readonly Uint8Array[],
  { root, size }: Checkpoint,
): boolean =>
  (index + 1) * 2 ** level <= size &&
  verifyInclusion(index, Math.ceil(size / 2 ** level), hash, path, root)

function judgeFork(node: ForkedNode | null, a: Checkpoint, b: Checkpoint): Finding {
  if (a.size === b.size && node === null)
    return equalBytes(a.root, b.root)
      ? refused('Both checkpoints are the same')
      : proved(`Two roots are signed for size ${a.size}`)
  if (node === null) return refused('Nothing is shown that the two trees have in another way')
  const { hashes, proofs } = node
  if (equalBytes(hashes[0], hashes[1])) return refused('Both trees have the same node')
  return nodeStands(node, hashes[0], proofs[0], a) && nodeStands(node, hashes[1], proofs[1], b)
    ? proved(
        `The trees of size ${a.size} and ${b.size} have other leaves from ${node.index * 2 ** node.level} on`,
      )
    : refused('A node is not proved to stand in its tree')
}

interface ReadLeaf {
  readonly index: number
  readonly leaf: Leaf
  readonly hash: string
}

function judgePair(claim: LogClaim, a: ReadLeaf, b: ReadLeaf): Finding {
  const { seq, stream } = b.leaf
  if (claim === 'time')
    return a.index < b.index && b.leaf.time < a.leaf.time
      ? proved(`Time falls from entry ${a.index} to entry ${b.index}`)
      : refused('Time does not fall')
  if (a.leaf.stream !== stream || a.index === b.index)
    return refused('The entries are not two of one stream')
  if (claim === 'twice')
    return a.leaf.seq === seq
      ? proved(`Step ${seq} of ${stream} stands at ${a.index} and at ${b.index}`)
      : refused('The entries are not the same step')
  if (claim === 'chain')
    return seq === a.leaf.seq + 1 && (b.leaf.prev !== a.hash || b.index < a.index)
      ? proved(`Step ${seq} of ${stream} at ${b.index} does not follow the one at ${a.index}`)
      : refused('The later entry follows the earlier one')
  return seq > a.leaf.seq + 1 && b.index > a.index
    ? {
        reason: `Steps ${a.leaf.seq} and ${seq} of ${stream} are shown; that none stands between them is known to whoever has read the log`,
        verdict: 'inconclusive',
      }
    : refused('No step is left out')
}

function judgeLeaves({ claim, leaves }: LogEvidence, checkpoint: Checkpoint): Finding {
  const { root, size } = checkpoint
  if (!leaves.every((one) => verifyInclusion(one.index, size, leafHash(one.leaf), one.proof, root)))
    return refused('An entry is not proved to stand in the log')
  const [first, second] = leaves
  if (first === undefined) return refused('No entry is shown')
  if (claim === 'leaf') {
    const problem = leafProblem(parseLeaf(first.leaf))
    return second !== undefined || problem === undefined
      ? refused('Nothing is wrong with the entry by itself')
      : proved(`Entry ${first.index}: ${problem}`)
  }
  const read = leaves.map(({ index, leaf }) => ({
    hash: encodeHex(leafHash(leaf)),
    index,
    leaf: parseLeaf(leaf),
  }))
  const [a, b] = read.flatMap(({ leaf, ...rest }) =>
    typeof leaf === 'string' ? [] : [{ ...rest, leaf }],
  )
  if (a !== undefined && b !== undefined) return judgePair(claim, a, b)
  return claim === 'gap' && a !== undefined && read.length === 1 && a.leaf.seq > 0
    ? {
        reason: `Step ${a.leaf.seq} of ${a.leaf.stream} is shown; that none stands before it is known to whoever has read the log`,
        verdict: 'inconclusive',
      }
    : refused('Two entries are expected')
}

function judge(evidence: LogEvidence, section: OriginSection): Finding {
  const { claim, leaves, node, notes } = evidence
  const signed = notes.map((note) => readSignedCheckpoint(note, section))
  const bad = signed.find((one) => 'reason' in one)
  if (bad !== undefined && 'reason' in bad)
    return { reason: bad.reason, verdict: bad.later ? 'inconclusive' : 'refused' }
  const [a, b] = signed.flatMap((one) => ('reason' in one ? [] : [one]))
  if (a === undefined) return refused('No checkpoint is shown')
  if (claim === 'fork')
    return b === undefined || leaves.length > 0
      ? refused('A fork is shown by two checkpoints alone')
      : judgeFork(node, a.checkpoint, b.checkpoint)
  if (b !== undefined || node !== null) return refused('One checkpoint is expected')
  if (claim !== 'head') return judgeLeaves(evidence, a.checkpoint)
  return a.contradicts && leaves.length === 0
    ? proved(`Root at size ${a.checkpoint.size} is not the one of the trust root`)
    : refused('Checkpoint does not contradict the trust root')
}

/**
 * Judges an evidence file offline.
 * @param trustFile the trust root's bytes, from a source you trust
 */
export function verifyLogEvidence(file: Uint8Array, trustFile: Uint8Array): LogEvidenceReport {
  const none = (reason: string): LogEvidenceReport => ({
    claim: null,
    origin: null,
    ...refused(reason),
  })
  const trustRoot = parseTrustRoot(trustFile)
  if (typeof trustRoot === 'string') return none(trustRoot)
  const problem = checkTrustRoot(trustRoot)
  if (problem !== undefined) return none(problem.reason)
  const evidence = parseLogEvidence(file)
  if (typeof evidence === 'string') return none(evidence)
  const claimed = claimedCheckpoint(evidence.notes[0] ?? '')
  if (typeof claimed === 'string') return none(claimed)
  const section = trustRoot.origins.find(({ origin }) => origin === claimed.origin)
  if (section === undefined) return none(`Trust root does not know this log: ${claimed.origin}`)
  return { claim: evidence.claim, origin: section.origin, ...judge(evidence, section) }
}

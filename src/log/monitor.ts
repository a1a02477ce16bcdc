// A monitor: it follows a log that it does not trust, verifies every growth from what it has seen before, and reads every entry: each step of a stream once, in
// order, chained to the one before. Where the log has signed what contradicts itself, the monitor makes evidence of it that convinces anybody; where a server
// merely serves what does not fit, it says so and keeps nothing of that. One file, for what was verified and what is kept of it must change together.
import { encodeHex, equalBytes } from '../base/bytes.ts'
import { Failure, type FailureCode } from '../base/failure.ts'
import { parseLeaf, type Leaf } from '../dossier/leaf.ts'
import type { OriginSection } from '../dossier/trust-root.ts'
import type { Checkpoint } from '../merkle/checkpoint.ts'
import { Frontier, perfectSubtrees } from '../merkle/frontier.ts'
import { leafHash } from '../merkle/hash.ts'
import {
  consistencyProof,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
  type NodeReader,
} from '../merkle/proof.ts'
import {
  formatLogEvidence,
  leafProblem,
  readSignedCheckpoint,
  type LogClaim,
  type LogEvidence,
  type ProvedLeaf,
} from '../verify/log-evidence.ts'
import type { LogSource } from './log-source.ts'
import type { MonitorState, SeenHead, SeenStep } from './monitor-state.ts'

/** What a monitor works with. */
export interface MonitorParts {
  readonly source: LogSource
  readonly state: MonitorState
  /** Of the trust root that the log's keys are taken from. */
  readonly section: OriginSection
  readonly signal?: AbortSignal
  readonly progress: (done: number, total: number) => void
}

/** What a look at the log came to. */
export type Look =
  | {
      readonly outcome: 'verified'
      readonly from: number
      readonly size: number
      readonly witnesses: number
      /** Whether the quorum of the trust root has cosigned it, or none is asked for. */
      readonly quorum: boolean
    }
  /** It serves a smaller tree than before, which is the beginning of it. */
  | { readonly outcome: 'stale'; readonly size: number; readonly seen: number }
  /** The log is guilty; whoever has the trust root can check the file. */
  | {
      readonly outcome: 'evidence'
      readonly claim: LogClaim
      readonly reason: string
      readonly file: Uint8Array
    }
  /** Something does not fit, and nobody else could be convinced by it. */
  | { readonly outcome: 'unproved'; readonly reason: string }

/** Something is wrong with an entry. */
interface Violation {
  readonly claim: LogClaim
  readonly reason: string
  /** Indexes of the entries that show it. */
  readonly indexes: readonly number[]
}

const bundle = 256
/** Entries between two writes of how far reading has come. */
const saveEvery = 16 * bundle

const unproved = (reason: string): Look => ({ outcome: 'unproved', reason })

/** What reading a log fails with because of what it answers, or does not. */
const sourceFailures: readonly FailureCode[] = [
  'AUTH_INVALID',
  'INPUT_MALFORMED',
  'INPUT_NOT_FOUND',
  'INPUT_TOO_LARGE',
  'LOG_BUSY',
]

/** Whether it is the log that failed, and not whoever reads it. */
export const isOfSource = (error: unknown): error is Failure =>
  error instanceof Failure && sourceFailures.includes(error.code)

const withheld = ({ message }: Failure): Look =>
  unproved(`Checkpoint is signed, but its data is withheld: ${message}`)

function evidence(reason: string, made: LogEvidence): Look {
  return { claim: made.claim, file: formatLogEvidence(made), outcome: 'evidence', reason }
}

/** The nodes of a tree that its edge has; what lies within them is not known, and not asked for by paths of its peaks. */
function edgeNodes({ edge, size }: SeenHead): NodeReader {
  const hashes = edge.hashes()
  const peaks = new Map(
    perfectSubtrees(size).map(({ index, level }, i) => [`${level}/${index}`, hashes[i]] as const),
  )
  return (level, index) => peaks.get(`${level}/${index}`) ?? new Uint8Array(32)
}

/** Path of a perfect subtree: that of its first leaf without what lies inside. */
const pathOf = (level: number, index: number, size: number, node: NodeReader): Uint8Array[] =>
  inclusionProof(index * 2 ** level, size, node).slice(level)

/** Follows one log. */
export class Monitor {
  readonly #parts: MonitorParts

  constructor(parts: MonitorParts) {
    this.#parts = parts
    parts.state.claim(parts.section.origin)
  }

  /**
   * Looks at the log once.
   * @throws {@link Failure} LOG_BUSY when its checkpoint cannot be read, AUTH_INVALID, STORE_*; what `signal` was aborted with
   */
  async look(): Promise<Look> {
    const { state } = this.#parts
    // What was being read when it was cut off comes first: it was signed, and it may not be there to be signed again.
    const cut = state.reading()
    const before = cut === undefined ? undefined : await this.#attempt(cut.note)
    if (before instanceof Failure) {
      // Whoever is merely away is asked for the rest when he is back.
      if (before.code === 'LOG_BUSY') return withheld(before)
    } else if (before?.outcome === 'evidence') return before
    else if (before?.outcome === 'unproved') state.drop()
    const note = await this.#checkpoint()
    if (typeof note !== 'string') return note
    const now = before instanceof Failure && note === cut?.note ? before : await this.#attempt(note)
    if (now instanceof Failure) return withheld(now)
    return before !== undefined &&
      !(before instanceof Failure) &&
      before.outcome === 'verified' &&
      now.outcome === 'verified'
      ? { ...now, from: before.from }
      : now
  }

  /** The checkpoint that is served, or that what is served is none. @throws {@link Failure} LOG_BUSY, AUTH_INVALID */
  async #checkpoint(): Promise<string | Look> {
    try {
      return await this.#parts.source.checkpoint()
    } catch (error) {
      if (!isOfSource(error) || error.code === 'LOG_BUSY' || error.code === 'AUTH_INVALID')
        throw error
      return unproved(error.message)
    }
  }

  /** What a checkpoint comes to, or what its log failed with when it was asked for what lies behind it. */
  async #attempt(note: string): Promise<Look | Failure> {
    try {
      return await this.#judge(note)
    } catch (error) {
      if (isOfSource(error)) return error
      throw error
    }
  }

  async #judge(note: string): Promise<Look> {
    const { section, state } = this.#parts
    const signed = readSignedCheckpoint(note, section)
    if ('reason' in signed) return unproved(signed.reason)
    const { checkpoint, quorum, witnesses } = signed
    if (signed.contradicts)
      return evidence(`Root at size ${checkpoint.size} is not the one of the trust root`, {
        claim: 'head',
        leaves: [],
        node: null,
        notes: [note],
      })
    const head = state.head() ?? { edge: Frontier.empty(), note: '', size: 0, time: 0 }
    const { size } = checkpoint
    if (size < head.size) return this.#judgeSmaller(note, checkpoint, head)
    const forked = await this.#findFork(head, note, checkpoint)
    if (forked !== undefined) return forked
    if (size > head.size) {
      const wrong = await this.#read(head, note, checkpoint)
      if (wrong !== undefined) return wrong
    } else if (head.size === 0) state.accept({ ...head, note })
    return { from: head.size, outcome: 'verified', quorum, size, witnesses }
  }

  /** Whether a tree has in another way what a smaller one, or one of the same size, has. */
  async #findFork(head: SeenHead, note: string, checkpoint: Checkpoint): Promise<Look | undefined> {
    const { root, size } = checkpoint
    const notes = [head.note, note]
    if (head.size === 0) return undefined
    if (head.size === size)
      return equalBytes(root, head.edge.root())
        ? undefined
        : evidence(`Two roots are signed for size ${size}`, {
            claim: 'fork',
            leaves: [],
            node: null,
            notes,
          })
    const own = edgeNodes(head)
    const trees = perfectSubtrees(head.size)
    const nodes = await this.#parts.source.nodes(
      size,
      trees.map(({ index, level }) => index * 2 ** level),
    )
    for (const { index, level } of trees) {
      const [before, now] = [own(level, index), nodes(level, index)]
      const path = pathOf(level, index, size, nodes)
      if (!verifyInclusion(index, Math.ceil(size / 2 ** level), now, path, root))
        return unproved(`Tiles do not give the checkpoint of size ${size}`)
      if (!equalBytes(before, now))
        return evidence(
          `The trees of size ${head.size} and ${size} have other leaves from ${index * 2 ** level} on`,
          {
            claim: 'fork',
            leaves: [],
            node: {
              hashes: [before, now],
              index,
              level,
              proofs: [pathOf(level, index, head.size, own), path],
            },
            notes,
          },
        )
    }
    return undefined
  }

  /** A cache may serve an older checkpoint; the beginning of another history is something else. */
  async #judgeSmaller(note: string, checkpoint: Checkpoint, head: SeenHead): Promise<Look> {
    const { root, size } = checkpoint
    const older = this.#parts.state.headUpTo(size)
    const forked = older === undefined ? undefined : await this.#findFork(older, note, checkpoint)
    if (forked !== undefined) return forked
    const stale: Look = { outcome: 'stale', seen: head.size, size }
    if (size === 0 || older?.size === size) return stale
    const nodes = await this.#parts.source.nodes(head.size, [size, size - 1])
    const proof = consistencyProof(size, head.size, nodes)
    if (verifyConsistency(size, head.size, root, head.edge.root(), proof)) return stale
    return unproved(`Log is smaller than before, and not its beginning: ${size} < ${head.size}`)
  }

  /** Reads the entries up to a checkpoint; gives what is wrong with them. */
  async #read(head: SeenHead, note: string, { root, size }: Checkpoint): Promise<Look | undefined> {
    const { progress, signal, source, state } = this.#parts
    const cut = state.reading()
    const at = cut?.note === note ? cut : head
    if (cut !== undefined && cut.note !== note) state.drop()
    const edge = Frontier.from(at.size, at.edge.hashes()) ?? Frontier.empty()
    let { time } = at
    let saved = at.size
    let steps = new Map<string, SeenStep>()
    const stepOf = (stream: string): SeenStep | undefined => steps.get(stream) ?? state.step(stream)
    let violation: Violation | undefined
    while (edge.size < size) {
      signal?.throwIfAborted()
      const n = Math.floor(edge.size / bundle)
      const leaves = await source.leaves(n, size)
      for (const leaf of leaves.slice(edge.size - n * bundle)) {
        const hash = leafHash(leaf)
        const parsed = parseLeaf(leaf)
        const before = typeof parsed === 'string' ? undefined : stepOf(parsed.stream)
        violation ??= judgeEntry(parsed, edge.size, time, before)
        if (typeof parsed !== 'string') {
          steps.set(parsed.stream, { hash, index: edge.size, seq: parsed.seq })
          time = Math.max(time, parsed.time)
        }
        edge.append(hash)
      }
      progress(edge.size - head.size, size - head.size)
      if (violation !== undefined) break
      if (edge.size - saved >= saveEvery && edge.size < size) {
        state.read({ edge, note, size: edge.size, time }, steps)
        steps = new Map()
        saved = edge.size
      }
    }
    if (violation !== undefined) {
      state.drop()
      return this.#accuse(violation, note, { root, size })
    }
    if (!equalBytes(edge.root(), root)) {
      state.drop()
      return unproved(`Entries do not give the checkpoint of size ${size}`)
    }
    state.read({ edge, note, size, time }, steps)
    state.accept({ edge, note, size, time })
    return undefined
  }

  /** Evidence of what is wrong with an entry, once the entries are proved to be the log's. */
  async #accuse(
    { claim, indexes, reason }: Violation,
    note: string,
    { root, size }: Pick<Checkpoint, 'root' | 'size'>,
  ): Promise<Look> {
    const wanted = await this.#wantedIndexes(claim, indexes, size)
    const nodes = await this.#parts.source.nodes(size, wanted)
    const leaves: ProvedLeaf[] = []
    for (const index of wanted) {
      const n = Math.floor(index / bundle)
      const leaf = (await this.#parts.source.leaves(n, size))[index - n * bundle]
      const proof = inclusionProof(index, size, nodes)
      if (leaf === undefined || !verifyInclusion(index, size, leafHash(leaf), proof, root))
        return unproved(`Entries do not give the checkpoint of size ${size}`)
      leaves.push({ index, leaf, proof })
    }
    return evidence(reason, { claim, leaves, node: null, notes: [note] })
  }

  /** Of a step that stands twice only the newer is known when it is not the last of its stream: the older is looked for. */
  async #wantedIndexes(
    claim: LogClaim,
    indexes: readonly number[],
    size: number,
  ): Promise<readonly number[]> {
    const [only] = indexes
    if (claim !== 'twice' || indexes.length > 1 || only === undefined) return indexes
    const { signal, source } = this.#parts
    const at = async (index: number): Promise<Leaf | string> => {
      const n = Math.floor(index / bundle)
      return parseLeaf((await source.leaves(n, size))[index - n * bundle] ?? new Uint8Array())
    }
    const newer = await at(only)
    for (let n = 0; n * bundle < only && typeof newer !== 'string'; n++) {
      signal?.throwIfAborted()
      for (const [i, leaf] of (await source.leaves(n, size)).entries()) {
        const older = parseLeaf(leaf)
        if (n * bundle + i === only || typeof older === 'string') continue
        if (older.stream === newer.stream && older.seq === newer.seq) return [n * bundle + i, only]
      }
    }
    return indexes
  }
}

/** What is wrong with an entry where it stands. */
function judgeEntry(
  leaf: Leaf | string,
  index: number,
  time: number,
  before: SeenStep | undefined,
): Violation | undefined {
  const problem = leafProblem(leaf)
  if (typeof leaf === 'string' || problem !== undefined)
    return { claim: 'leaf', indexes: [index], reason: `Entry ${index}: ${problem ?? ''}` }
  const { prev, seq, stream } = leaf
  if (leaf.time < time)
    return { claim: 'time', indexes: [index - 1, index], reason: `Time falls at entry ${index}` }
  const expected = before === undefined ? 0 : before.seq + 1
  const where = `Step ${seq} of ${stream} at ${index}`
  if (seq < expected)
    return {
      claim: 'twice',
      indexes: before?.seq === seq ? [before.index, index] : [index],
      reason: `${where} stands twice`,
    }
  if (seq > expected)
    return {
      claim: 'gap',
      indexes: before === undefined ? [index] : [before.index, index],
      reason: `${where} comes before step ${expected}`,
    }
  return before !== undefined && prev !== encodeHex(before.hash)
    ? {
        claim: 'chain',
        indexes: [before.index, index],
        reason: `${where} does not follow the one before it`,
      }
    : undefined
}

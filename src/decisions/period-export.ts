// Making a period: the dossiers first, by where their streams begin in it, then every leaf. Each step tells how far it has come, and from there the work
// can go on in another process: nothing else is kept between two steps, however long the period is.
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { encodeHex, equalBytes, fromUtf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { kindsOfStream } from '../dossier/kinds.ts'
import { formatLaterCheckpoint, type PeriodHead } from '../dossier/period.ts'
import { parseStatement } from '../dossier/statement.ts'
import { ProofReader } from '../log/proof-reader.ts'
import { parseCheckpoint, type Checkpoint } from '../merkle/checkpoint.ts'
import { Frontier } from '../merkle/frontier.ts'
import { leafHash } from '../merkle/hash.ts'
import { parseNote } from '../merkle/note.ts'
import { verifyInclusion } from '../merkle/proof.ts'
import type { StoredEntry, StoreReader } from '../store/store.ts'
import { matterOf } from './checked.ts'
import { plus, tallied, type PeriodRow, type PeriodState, type PeriodStep } from './period-state.ts'
import { assembleDossier, lastCheckpoint, preferWitnessed, readCited } from './prove.ts'

const chunk = { dossiers: 64, leaves: 1024 }

/** The checkpoint of a note of our own. */
function checkpointOf(note: string): Checkpoint {
  const parsed = parseNote(note)
  const checkpoint = typeof parsed === 'string' ? parsed : parseCheckpoint(parsed.text)
  if (typeof checkpoint === 'string') throw new Failure('STORE_CORRUPT', checkpoint)
  return checkpoint
}

/** A tree with its note, under which dossiers are made. */
interface Tree {
  readonly note: string
  readonly checkpoint: Checkpoint
  readonly proofs: ProofReader
}

class PeriodExport {
  readonly #store: StoreReader
  readonly #head: PeriodHead
  readonly #to: Tree
  #later: Tree | undefined
  #state: PeriodState

  constructor(store: StoreReader, head: PeriodHead, state: PeriodState) {
    this.#store = store
    this.#head = head
    this.#state = state
    this.#to = this.#treeOf(head.to)
    this.#later = state.later === null ? undefined : this.#treeOf(state.later)
  }

  async *run(): AsyncGenerator<PeriodStep, void, undefined> {
    const { size } = this.#to.checkpoint
    while (this.#state.section === 'dossiers') {
      if (this.#state.next < size) yield await this.#dossiers()
      else this.#go({ next: this.#head.from.size, section: 'leaves' })
    }
    while (this.#state.section === 'leaves') {
      if (this.#state.next < size) yield await this.#leaves()
      else this.#go({ section: 'done' })
    }
    yield { lines: [], rows: [], state: this.#state }
  }

  #treeOf(note: string): Tree {
    const checkpoint = checkpointOf(note)
    const proofs = new ProofReader(this.#store, this.#head.tenant, checkpoint.size)
    return { checkpoint, note, proofs }
  }

  #go(change: Partial<PeriodState>): void {
    this.#state = { ...this.#state, ...change }
  }

  async #dossiers(): Promise<PeriodStep> {
    const { next } = this.#state
    const end = Math.min(next + chunk.dossiers, this.#to.checkpoint.size)
    const entries = await this.#store.readEntries(this.#head.tenant, next, end)
    if (entries.length !== end - next)
      throw new Failure('STORE_CORRUPT', `Entries are missing between ${next} and ${end}`)
    const lines: Uint8Array[] = []
    const rows: PeriodRow[] = []
    for (const entry of entries) {
      const row = await this.#look(entry, lines)
      rows.push(row)
      this.#go({ tally: tallied(this.#state.tally, entry, row.event) })
    }
    this.#go({ next: end })
    return { lines, rows, state: this.#state }
  }

  /** The row of an entry; where its stream is selected and begins with it in the period, the dossier's lines are added. */
  async #look(entry: StoredEntry, lines: Uint8Array[]): Promise<PeriodRow> {
    const { index, kind, seq, stream, time } = entry
    const row = {
      decision: null,
      erased: entry.payload === null,
      event: null,
      index,
      kind,
      leafHash: encodeHex(entry.leafHash),
      line: null,
      selected: false,
      seq,
      stream,
      time,
    }
    if (!kindsOfStream(stream).includes('decision')) return row
    // Most decisions are their stream's first and tell at once whether they are wanted.
    const own = seq === 0 ? sayingOf(entry) : undefined
    if (own !== undefined && !this.#isSelected(own)) return row
    const { size } = this.#to.checkpoint
    const all = await this.#store.readStream(this.#head.tenant, stream)
    const inside = all.filter((step) => step.index < size)
    const saying = own ?? (inside[0] === undefined ? null : sayingOf(inside[0]))
    if (!this.#isSelected(saying)) return row
    const begins = inside.find((step) => step.index >= this.#head.from.size)?.index === index
    const line = begins ? await this.#addDossier(stream, all, lines, saying) : null
    return {
      ...row,
      decision: seq === 0 ? saying : null,
      event: seq === 0 ? null : eventOf(entry),
      line,
      selected: true,
    }
  }

  /** What nobody can read any more may have been any status: it is handed out. */
  #isSelected(saying: PeriodRow['decision']): boolean {
    const { statuses } = this.#head
    return saying === null || statuses === null || statuses.some((one) => one === saying.status)
  }

  /** Adds a dossier, and before it a newer checkpoint where it wants one; gives the number of its line. */
  async #addDossier(
    stream: string,
    all: readonly StoredEntry[],
    lines: Uint8Array[],
    saying: PeriodRow['decision'],
  ): Promise<number> {
    const { tally } = this.#state
    const name = saying?.status ?? 'erased'
    let tree = this.#to
    if (lacksErasure(all.filter(({ index }) => index < tree.checkpoint.size))) {
      const newest = all.at(-1)?.index ?? 0
      tree = await this.#laterTree(newest, lines)
    }
    const entries = all.filter(({ index }) => index < tree.checkpoint.size)
    const cited = await readCited(this.#store, this.#head.tenant, entries)
    lines.push(
      await assembleDossier(stream, entries, cited, tree.note, (entry) => this.#prove(tree, entry)),
    )
    this.#go({
      lines: this.#state.lines + 1,
      tally: {
        ...tally,
        dossiers: tally.dossiers + 1,
        statuses: plus(tally.statuses, name),
      },
    })
    return this.#state.lines
  }

  async #prove({ checkpoint, proofs }: Tree, { index, leaf }: StoredEntry): Promise<Uint8Array[]> {
    const proof = await proofs.prove(index)
    if (!verifyInclusion(index, checkpoint.size, leafHash(leaf), proof, checkpoint.root))
      throw new Failure('STORE_CORRUPT', `Entry is not the one of the signed tree: ${index}`)
    return proof
  }

  /** A tree that has an index: the one at hand, or the newest, whose checkpoint then stands in a line of its own. */
  async #laterTree(index: number, lines: Uint8Array[]): Promise<Tree> {
    if (this.#later !== undefined && this.#later.checkpoint.size > index) return this.#later
    const { tenant } = this.#head
    const newest = await lastCheckpoint(this.#store, tenant)
    const { note } = await preferWitnessed(this.#store, tenant, newest, { index })
    const tree = this.#treeOf(note)
    const proof = await tree.proofs.proveGrowthFrom(this.#to.checkpoint.size)
    lines.push(formatLaterCheckpoint({ later: note, proof }))
    this.#later = tree
    this.#go({ later: note, lines: this.#state.lines + 1 })
    return tree
  }

  async #leaves(): Promise<PeriodStep> {
    const { frontier: hashes, next } = this.#state
    const { root, size } = this.#to.checkpoint
    const end = Math.min(next + chunk.leaves, size)
    const lines = await this.#store.readLeaves(this.#head.tenant, next, end)
    const frontier = frontierOf(next, hashes)
    for (const leaf of lines) frontier.append(leafHash(leaf))
    if (frontier.size !== end || (end === size && !equalBytes(frontier.root(), root)))
      throw new Failure('STORE_CORRUPT', `Leaves do not give the signed tree of size ${size}`)
    this.#go({
      frontier: frontier.hashes().map(encodeBase64),
      lines: this.#state.lines + lines.length,
      next: end,
    })
    return { lines, rows: [], state: this.#state }
  }
}

function frontierOf(size: number, hashes: readonly string[]): Frontier {
  const frontier = Frontier.from(
    size,
    hashes.map((hash) => decodeBase64(hash) ?? new Uint8Array(0)),
  )
  if (frontier === undefined)
    throw new Failure('INPUT_INVALID', `Unfinished export cannot be gone on with at ${size}`)
  return frontier
}

interface Said {
  readonly predicate: {
    readonly matter: {
      readonly status: string
      readonly intent: {
        readonly actor: { readonly id: string }
        readonly action: { readonly type: string }
      }
    }
  }
}

/**
 * What a decision says, or null when it is erased. Whoever verifies its dossier reads it with more care; here it is looked up.
 * @throws {@link Failure} STORE_CORRUPT
 */
function sayingOf({ index, kind, payload }: StoredEntry): PeriodRow['decision'] {
  if (payload === null || kind !== 'decision') return null
  try {
    const { intent, status } = (JSON.parse(fromUtf8(payload)) as Said).predicate.matter
    return { action: intent.action.type, actor: intent.actor.id, status }
  } catch (cause) {
    throw new Failure('STORE_CORRUPT', `Payload is not that of a decision: ${index}`, { cause })
  }
}

/** What a step says has happened, as words of our own; whoever verifies its dossier reads it with more care. */
function eventOf({ payload }: StoredEntry): string | null {
  const statement = payload === null ? undefined : parseStatement(payload)
  if (statement === undefined || typeof statement === 'string') return null
  const { event, phase } = statement.predicate.matter
  const told = event ?? phase
  return typeof told === 'string' ? told : null
}

/** Whether a step has no payload and none of the steps says that it was erased. */
function lacksErasure(steps: readonly StoredEntry[]): boolean {
  const missing = steps.filter(({ payload }) => payload === null)
  if (missing.length === 0) return false
  const erased = new Set(
    steps
      .filter(({ kind }) => kind === 'erasure')
      .flatMap((step) => matterOf(step, 'erasure')?.seqs ?? []),
  )
  return missing.some(({ seq }) => !erased.has(seq))
}

/**
 * The lines of a period behind its head and before its end, in steps.
 * @param state of `periodStart`, or that of a step after which another process stopped
 * @throws {@link Failure} STORE_* when the database does not hold what was signed
 */
export const exportPeriod = (
  store: StoreReader,
  head: PeriodHead,
  state: PeriodState,
): AsyncGenerator<PeriodStep, void, undefined> => new PeriodExport(store, head, state).run()

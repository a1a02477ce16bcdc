// The leaves of a period: from the edge before them they must give the root of the checkpoint, so none is missing and none is added; and each one of a
// stream whose dossier is here must be in it.
import { decodeBase64 } from '../base/base64.ts'
import { equalBytes } from '../base/bytes.ts'
import { isActionStream, kindsOfStream } from '../dossier/kinds.ts'
import { parseLeaf, type Leaf } from '../dossier/leaf.ts'
import { leafHash } from '../merkle/hash.ts'
import type { PeriodGround } from './period-ground.ts'
import type { Checks } from './report.ts'
import type { PeriodWatch } from './period-watch.ts'
import type { StreamCounts } from './stream-counts.ts'

/** Reads the leaves of a period one by one, and keeps numbers only. */
export class PeriodLeaves {
  readonly #ground: PeriodGround
  readonly #counts: StreamCounts
  readonly #watch: PeriodWatch | undefined
  readonly #due: number
  /** Roots that the trust root knows, by size. */
  readonly #heads: ReadonlyMap<number, Uint8Array | undefined>
  readonly #kinds: Record<string, number> = {}
  readonly #ofDecisions: Record<string, number> = {}
  #ofActions = 0
  #bare = false
  #count = 0
  #times: { readonly first: number; last: number } | undefined
  /** Indexes of the first leaf of which something is said. */
  #unread: number | undefined
  #backwards: number | undefined
  #misplaced: number | undefined
  #unselected: number | undefined
  #unexpected: number | undefined
  #forked: number | undefined

  constructor(ground: PeriodGround, counts: StreamCounts, watch: PeriodWatch | undefined) {
    this.#ground = ground
    this.#counts = counts
    this.#watch = watch
    const { asOf, logKeys } = ground.section
    this.#due = ground.to.checkpoint.size - ground.frontier.size
    this.#heads = new Map(
      [asOf, ...logKeys.flatMap(({ final }) => (final === null ? [] : [final]))].map((head) => [
        head.size,
        decodeBase64(head.root),
      ]),
    )
  }

  get count(): number {
    return this.#count
  }

  /** How many there must be. */
  get due(): number {
    return this.#due
  }

  get kinds(): Readonly<Record<string, number>> {
    return this.#kinds
  }

  /** Entries by kind in the streams of decisions alone. */
  get ofDecisions(): Readonly<Record<string, number>> {
    return this.#ofDecisions
  }

  /** Whether an entry stands in none of the dossiers. */
  get hasBare(): boolean {
    return this.#bare
  }

  /** Entries in the streams of actions. */
  get ofActions(): number {
    return this.#ofActions
  }

  get times(): { readonly first: number; readonly last: number } | null {
    return this.#times ?? null
  }

  take(bytes: Uint8Array): void {
    const { frontier } = this.#ground
    const index = frontier.size
    const hash = leafHash(bytes)
    frontier.append(hash)
    this.#count++
    const known = this.#heads.get(frontier.size)
    if (known !== undefined && !equalBytes(known, frontier.root())) this.#forked ??= frontier.size
    const leaf = parseLeaf(bytes)
    if (typeof leaf === 'string') this.#unread ??= index
    else {
      this.#look(leaf, index)
      this.#watch?.leaf(leaf, hash, index)
    }
  }

  #look({ kind, seq, stream, time }: Leaf, index: number): void {
    this.#kinds[kind] = (this.#kinds[kind] ?? 0) + 1
    if (this.#times === undefined) this.#times = { first: time, last: time }
    else if (time < this.#times.last) this.#backwards ??= index
    this.#times.last = time
    const kinds = kindsOfStream(stream)
    if (!kinds.includes(kind) || (kind === 'decision' && seq > 0)) this.#misplaced ??= index
    if (kinds.includes('decision')) this.#ofDecisions[kind] = (this.#ofDecisions[kind] ?? 0) + 1
    if (isActionStream(stream)) this.#ofActions++
    const left = this.#counts.meet(stream)
    this.#bare ||= left === undefined
    if (left === undefined && kinds.includes('decision')) this.#unselected ??= index
    if (left !== undefined && left < 0) this.#unexpected ??= index
  }

  /** Whether exactly the entries of the period have been read; says so among the checks. */
  judge(checks: Checks): boolean {
    const { root, size } = this.#ground.to.checkpoint
    const same = this.#count === this.#due && equalBytes(this.#ground.frontier.root(), root)
    const numbers = `${this.#count} of ${this.#due}`
    checks.expect(
      'period.leaves',
      same,
      `${this.#count} leaves lead to the root of size ${size}: none missing, none added`,
      this.#count === this.#due
        ? `The leaves do not lead to the root of size ${size}: one is not the log’s, or not in its place`
        : `Leaves are missing or added: ${numbers}`,
    )
    const wrong: readonly (readonly [string, string, number | undefined])[] = [
      ['period.known-heads', 'Root differs from the trust root’s at size', this.#forked],
      [
        'period.times',
        'Time of a leaf is before that of the leaf before it: index',
        this.#backwards,
      ],
      ['period.kinds', 'A leaf is of a kind that its stream may not hold: index', this.#misplaced],
    ]
    for (const [name, what, at] of wrong)
      if (at !== undefined) checks.add(name, 'fail', `${what} ${at}`)
    if (this.#unread !== undefined)
      checks.add(
        'period.unread',
        'inconclusive',
        `A leaf cannot be read, so it may be of any stream: index ${this.#unread}`,
      )
    return same
  }

  /**
   * Whether each dossier holds every entry of its stream that the period has.
   * @param allRead whether all dossiers could be read: of others nothing is known, and they have failed already
   */
  judgeComplete(checks: Checks, allRead: boolean): boolean {
    const full = this.#unexpected === undefined && this.#counts.settled
    if (full && !allRead) return false
    checks.expect(
      'period.complete',
      full,
      'Each dossier holds every entry of its stream',
      this.#unexpected === undefined
        ? 'A dossier holds entries that are not among the leaves'
        : `An entry is not in the dossier of its stream: index ${this.#unexpected}`,
    )
    return full && this.#unread === undefined
  }

  /** Whether what the head says was selected is there, as far as that can be known. */
  judgeSelection(checks: Checks): void {
    const { statuses } = this.#ground.head
    const name = 'period.selection'
    if (statuses !== null)
      checks.add(
        name,
        'pass',
        `Dossiers are of decisions ${statuses.join(', ')}; that none of those is left out is the exporter’s word`,
      )
    else
      checks.expect(
        name,
        this.#unselected === undefined,
        'Every decision of the period has its dossier here',
        `A decision has no dossier here, though all are said to have one: index ${this.#unselected ?? 0}`,
      )
  }
}

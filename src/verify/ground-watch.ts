// Whether the dossiers that tell which policies had to decide hold every step that the log has. One alone cannot show it, for whoever hands it out may
// leave off its last steps, and with them the policy that said no; the leaves of a period can, and more cheaply than those of the whole log.
import { encodeHex } from '../base/bytes.ts'
import type { Leaf } from '../dossier/leaf.ts'
import type { SelectionGround, ToldStream } from './selection-ground.ts'

/** What a period shows of the dossiers of the streams `policies` and `admin`. */
export interface GroundReport {
  /** `whole`: they hold every step as far as they go; `open`: that is not shown; `wrong`: one lacks a step, or is not of this log. */
  readonly outcome: 'whole' | 'open' | 'wrong'
  /** In one sentence. */
  readonly reason: string
}

/** A stream that is held against the leaves of a period. */
class WatchedStream {
  readonly #name: string
  readonly #told: ToldStream
  readonly #isWhole: boolean
  readonly #hashes: ReadonlyMap<number, string>
  #met = 0
  #missing: number | undefined

  constructor(name: string, told: ToldStream, isWhole: boolean) {
    this.#name = name
    this.#isWhole = isWhole
    this.#told = told
    this.#hashes = new Map(told.entries.map(({ index, leafHash }) => [index, leafHash]))
  }

  leaf({ stream }: Leaf, leafHash: Uint8Array, index: number): void {
    if (stream !== this.#name || index >= this.#told.size) return
    if (this.#hashes.get(index) === encodeHex(leafHash)) this.#met++
    else this.#missing ??= index
  }

  /** What is to say where it is not simply whole. */
  judge(from: number, to: number): GroundReport | undefined {
    const of = `Dossier of the stream ${this.#name}`
    if (this.#missing !== undefined)
      return { outcome: 'wrong', reason: `${of} lacks an entry of the log: index ${this.#missing}` }
    const due = this.#told.entries.filter(({ index }) => index >= from && index < to)
    if (due.length !== this.#met)
      return { outcome: 'wrong', reason: `${of} holds entries that the period does not have` }
    // From an entry of the period on the chain leads back; without one, nothing says where it ended.
    if (this.#isWhole || from === 0 || this.#met > 0) return undefined
    return {
      outcome: 'open',
      reason: `${of} has no entry in the period, so that none is missing before index ${from} is not shown`,
    }
  }
}

/** Holds what tells which policies had to decide against the leaves of a period. */
export class GroundWatch {
  readonly #streams: readonly WatchedStream[]

  constructor({ isWhole = false, keys, policies }: SelectionGround) {
    const admin = keys === null ? [] : [new WatchedStream('admin', keys.told, isWhole)]
    this.#streams = [new WatchedStream('policies', policies, isWhole), ...admin]
  }

  /** Takes the next leaf of the period. */
  leaf(leaf: Leaf, leafHash: Uint8Array, index: number): void {
    for (const stream of this.#streams) stream.leaf(leaf, leafHash, index)
  }

  /** What is to be said when every leaf from one index to before another was taken. */
  judge(from: number, to: number): GroundReport {
    const said = this.#streams.flatMap((stream) => stream.judge(from, to) ?? [])
    const worst = said.find(({ outcome }) => outcome === 'wrong') ?? said[0]
    return (
      worst ?? { outcome: 'whole', reason: 'The dossiers given hold every step that the log has' }
    )
  }
}

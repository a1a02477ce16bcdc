// One log before its witnesses. A round asks each witness that lacks something: first for the checkpoints behind announcements of trust roots, in their
// order, for under them whoever has one version takes the next, and no witness goes back to them; then for the newest. What a witness gives is kept at
// once. A witness that has seen another history is not asked again: its alarm stays until somebody has looked.
import { loadNodes } from '../log/tree-reading.ts'
import { addLines, type Asked, type WitnessClient } from '../log/witness-client.ts'
import { parseNote, type NoteLine, type Vkey } from '../merkle/note.ts'
import { consistencyProof } from '../merkle/proof.ts'
import { quorumHolds, type WitnessPolicy } from '../merkle/witness-policy.ts'
import type { Store, StoredCheckpoint } from '../store/store.ts'

/** What the witnesses of a log are asked with. */
export interface LogWitnessesParts {
  readonly tenant: string
  readonly policy: WitnessPolicy
  readonly clients: readonly WitnessClient[]
  /** Asked for every time, because a writer may reopen it. */
  readonly store: () => Store
  /** The newest checkpoint that may leave the process. */
  readonly newest: () => StoredCheckpoint | undefined
  /** Told what became of asking a witness. */
  readonly told: (asked: Asked) => void
  /** Whether a witness is worth asking now. */
  readonly mayAsk: (url: string) => boolean
}

const linesOf = (note: string): readonly NoteLine[] => {
  const parsed = parseNote(note)
  return typeof parsed === 'string' ? [] : parsed.lines
}

const hasLine = (lines: readonly NoteLine[], { keyId, name }: Vkey): boolean =>
  lines.some((line) => line.keyId === keyId && line.name === name)

/** The witnesses of one log. */
export class LogWitnesses {
  readonly #parts: LogWitnessesParts
  readonly #alarmed = new Set<WitnessClient>()
  /** Those that have said in this process how far they are: lines alone may be from before somebody else went on. */
  readonly #heard = new Set<WitnessClient>()
  /** Sizes right behind announcements of trust roots, as of a step of their stream. */
  #announced: { readonly seq: number; readonly sizes: readonly number[] } = { seq: -1, sizes: [] }
  #quorumSize = 0
  /** Size up to which nobody lacks anything. */
  #settledSize = -1
  /** When the oldest entry came about that the quorum has not seen, and its index. */
  #owed: { readonly index: number; readonly since: number } | undefined
  #running: Promise<void> | undefined

  constructor(parts: LogWitnessesParts) {
    this.#parts = parts
  }

  /** How many witnesses have seen another history. */
  get alarms(): number {
    return this.#alarmed.size
  }

  /** Entries that the quorum has not seen. */
  get debt(): number {
    const size = this.#parts.newest()?.size ?? 0
    return this.#parts.policy.quorum === undefined ? 0 : Math.max(0, size - this.#quorumSize)
  }

  /** When the oldest entry came about that the quorum had not seen in the last round, ms since 1970; undefined where it had seen all. */
  get owedSince(): number | undefined {
    return this.#owed?.index === this.#quorumSize ? this.#owed.since : undefined
  }

  /** Remembers what the quorum has seen before this process. */
  async load(): Promise<void> {
    const { store, tenant } = this.#parts
    this.#quorumSize = (await store().readWitnessedCheckpoint(tenant))?.size ?? 0
  }

  /** Asks whoever lacks something; a call during a round waits for that. @throws {@link Failure} STORE_* */
  round(signal?: AbortSignal): Promise<void> {
    return (this.#running ??= this.#ask(signal).finally(() => {
      this.#running = undefined
    }))
  }

  async #ask(signal: AbortSignal | undefined): Promise<void> {
    const newest = this.#parts.newest()
    if (newest === undefined) return
    await this.#dateDebt(newest.size)
    if (newest.size === this.#settledSize) return
    const targets = await this.#targets(newest)
    const gathered = new Map<StoredCheckpoint, NoteLine[]>()
    const answered = await Promise.all(
      this.#parts.clients.map(async (client) => {
        if (this.#alarmed.has(client)) return true
        if (!this.#parts.mayAsk(client.endpoint.url)) return false
        for (const target of targets) {
          const asked = await this.#askOne(client, target, newest.size, signal)
          if (asked === undefined || asked.outcome === 'passed') continue
          // A witness that was told of newer log keys only cannot take what older ones signed, and shall not stay there for ever.
          if (asked.outcome === 'failed' && asked.status === 403 && target.size < newest.size)
            continue
          if (asked.outcome !== 'cosigned') return asked.outcome === 'contradicted'
          gathered.set(target, [...(gathered.get(target) ?? []), ...asked.lines])
        }
        return true
      }),
    )
    for (const target of targets) {
      const quorum = await this.#keep(target, gathered.get(target) ?? [])
      if (quorum) this.#quorumSize = Math.max(this.#quorumSize, target.size)
    }
    await this.#dateDebt(newest.size)
    if (answered.every((all) => all)) this.#settledSize = newest.size
  }

  async #dateDebt(size: number): Promise<void> {
    const { store, tenant } = this.#parts
    const index = this.#quorumSize
    if (this.#owed?.index === index || index >= size) return
    const entry = await store().readEntry(tenant, index)
    if (entry !== undefined) this.#owed = { index, since: entry.time }
  }

  /** Undefined where the note has the witness's lines already and it has been heard. */
  async #askOne(
    client: WitnessClient,
    { note, size }: StoredCheckpoint,
    logSize: number,
    signal: AbortSignal | undefined,
  ): Promise<Asked | undefined> {
    const lines = linesOf(note)
    const known = size < logSize || this.#heard.has(client)
    if (known && client.endpoint.vkeys.every((vkey) => hasLine(lines, vkey))) return undefined
    const asked = await client.cosign({
      logSize,
      note,
      proofFrom: (from) => this.#prove(from, size),
      ...(signal === undefined ? {} : { signal }),
    })
    if (asked.outcome === 'contradicted') this.#alarmed.add(client)
    else if (asked.outcome !== 'failed') this.#heard.add(client)
    this.#parts.told(asked)
    return asked
  }

  /** What is to be cosigned, smallest first, with the lines that are there. */
  async #targets(newest: StoredCheckpoint): Promise<readonly StoredCheckpoint[]> {
    const { store, tenant } = this.#parts
    const sizes = (await this.#announcements()).filter((size) => size < newest.size)
    const targets: StoredCheckpoint[] = []
    for (const size of sizes) {
      const kept = await store().readKeptCheckpoint(tenant, size)
      if (kept !== undefined) targets.push(kept)
    }
    return [...targets, (await store().readKeptCheckpoint(tenant, newest.size)) ?? newest]
  }

  async #announcements(): Promise<readonly number[]> {
    const { store, tenant } = this.#parts
    const seq = (await store().readStreamHead(tenant, 'trust'))?.seq ?? -1
    if (seq !== this.#announced.seq) {
      const entries = await store().readStream(tenant, 'trust')
      this.#announced = { seq, sizes: entries.map(({ index }) => index + 1) }
    }
    return this.#announced.sizes
  }

  async #prove(from: number, size: number): Promise<readonly Uint8Array[]> {
    if (from === 0 || from === size) return []
    const { store, tenant } = this.#parts
    return consistencyProof(from, size, await loadNodes(store(), tenant, size, [from, from - 1]))
  }

  /** Keeps more lines of a checkpoint; tells whether the quorum has cosigned it. */
  async #keep(target: StoredCheckpoint, more: readonly NoteLine[]): Promise<boolean> {
    const { policy, store, tenant } = this.#parts
    const note = addLines(target.note, more)
    const lines = linesOf(note)
    const vkeys = policy.witnesses.flatMap(({ vkey }) => (hasLine(lines, vkey) ? [vkey] : []))
    const quorum = vkeys.length > 0 && quorumHolds(policy, vkeys)
    if (more.length > 0) await store().keepCosigned(tenant, { ...target, note }, quorum)
    return quorum
  }
}

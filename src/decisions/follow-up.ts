// What may follow a decision: its one-time (or n-times) use, and its erasure. Both are entries of the decision's stream, and the compare-and-set is
// the stream itself: of two that saw the same last step only one gets the next.
import { encodeBase64 } from '../base/base64.ts'
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { formatEnvelope } from '../dossier/dsse.ts'
import {
  matters,
  type DecisionMatter,
  type ErasureMatter,
  type ExecutionMatter,
} from '../dossier/matters.ts'
import { parseStatement } from '../dossier/statement.ts'
import { isUuid } from '../base/uuid.ts'
import type { ClaimRequest, Claimed } from '../wire/decision.ts'
import type { StoredEntry } from '../store/store.ts'
import { dossierUrl } from './notarise.ts'
import { enter, type Draft, type Entered, type Room } from './room.ts'
import type { Principal } from './service.ts'

const attempts = 8

/** The entries of a decision's stream. @throws {@link Failure} INPUT_NOT_FOUND */
async function readDecisionStream(room: Room, id: string): Promise<readonly StoredEntry[]> {
  const entries = isUuid(id) ? await room.store.readStream(room.tenant.name, id) : []
  if (entries[0]?.kind !== 'decision')
    throw new Failure('INPUT_NOT_FOUND', `No such decision: ${id}`)
  return entries
}

/** The decision of a payload that we signed ourselves. */
export function decisionOf(entry: StoredEntry): DecisionMatter {
  if (entry.payload === null)
    throw new Failure('INPUT_ERASED', `Decision was erased: ${entry.stream}`)
  const statement = parseStatement(entry.payload)
  const matter =
    typeof statement === 'string'
      ? undefined
      : matters.decision.safeParse(statement.predicate.matter).data
  if (matter === undefined)
    throw new Failure('STORE_CORRUPT', `Stored decision cannot be read: index ${entry.index}`)
  return matter
}

/** Where the next entry of a stream goes. */
function nextPlace(entries: readonly StoredEntry[]): Pick<Draft, 'stream' | 'seq' | 'prev'> {
  const last = entries.at(-1)
  if (last === undefined) throw new Failure('BUG', 'Stream without entries has no next place')
  return { stream: last.stream, seq: last.seq + 1, prev: encodeHex(last.leafHash) }
}

/** Enters what is drafted from the stream as it stands, and drafts again when another entry came first. */
async function follow<D extends Draft>(
  room: Room,
  id: string,
  draft: (entries: readonly StoredEntry[]) => D,
): Promise<{ readonly drafted: D; readonly entered: Entered }> {
  for (let attempt = 1; ; attempt++) {
    const drafted = draft(await readDecisionStream(room, id))
    try {
      return { drafted, entered: await enter(room, drafted) }
    } catch (error) {
      const raced = error instanceof Failure && error.code === 'LOG_CONFLICT'
      if (!raced || attempt === attempts) throw error
    }
  }
}

/**
 * Claims one use of an ALLOW before its effect.
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED, INPUT_NOT_CLAIMABLE, INPUT_CLAIMED
 */
export async function claim(
  room: Room,
  principal: Principal,
  id: string,
  { note }: ClaimRequest,
): Promise<Claimed> {
  const { drafted, entered } = await follow(room, id, (entries) => {
    const [first] = entries
    if (first === undefined) throw new Failure('INPUT_NOT_FOUND', `No such decision: ${id}`)
    const { status, maxUses, mode } = decisionOf(first)
    if (status !== 'ALLOW') throw notClaimable(`Only an ALLOW can be claimed: ${status}`)
    if (mode === 'shadow') throw notClaimable('A shadow decision permits nothing: shadow')
    const uses = entries.filter(({ kind }) => kind === 'execution').length
    if (maxUses !== null && uses >= maxUses)
      throw new Failure('INPUT_CLAIMED', `Decision was claimed as often as it may be: ${maxUses}`)
    const matter: ExecutionMatter = {
      caller: principal.caller,
      decision: id,
      note: note ?? null,
      phase: 'started',
      time: room.clock(),
      use: uses + 1,
    }
    return { kind: 'execution' as const, ...nextPlace(entries), matter, use: uses + 1, maxUses }
  })
  const { appended, signed } = entered
  return {
    id,
    use: drafted.use,
    maxUses: drafted.maxUses,
    index: appended.index,
    time: appended.time,
    envelope: {
      ...formatEnvelope(signed.payload, signed.keyid, signed.signature),
      signatures: [{ keyid: signed.keyid, sig: encodeBase64(signed.signature) }],
    },
    leaf: encodeBase64(appended.leaf),
    proof: appended.proof.map(encodeBase64),
    checkpoint: appended.checkpoint,
    dossierUrl: dossierUrl(id),
  }
}

const notClaimable = (message: string): Failure => new Failure('INPUT_NOT_CLAIMABLE', message)

/**
 * Erases every payload of a decision's stream, in the transaction that appends the entry which says so.
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED when nothing is left to erase
 */
export async function erase(
  room: Room,
  principal: Principal,
  id: string,
  reason: string,
): Promise<{ readonly index: number }> {
  const { entered } = await follow(room, id, (entries) => {
    const seqs = entries
      .filter(({ kind, payload }) => payload !== null && kind !== 'erasure')
      .map(({ seq }) => seq)
    if (seqs.length === 0) throw new Failure('INPUT_ERASED', `Decision is erased already: ${id}`)
    const matter: ErasureMatter = {
      by: principal.caller,
      reason,
      seqs,
      stream: id,
      time: room.clock(),
    }
    return {
      kind: 'erasure' as const,
      ...nextPlace(entries),
      matter,
      effects: [{ type: 'erase' as const, stream: id, seqs }],
    }
  })
  return { index: entered.appended.index }
}

// What may follow a decision: its one-time (or n-times) use. It is an entry of the decision's stream, and the compare-and-set is the
// stream itself: of two that saw the same last step only one gets the next.
import { encodeBase64 } from '../base/base64.ts'
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { formatEnvelope } from '../dossier/dsse.ts'
import type { DecisionMatter, ExecutionMatter } from '../dossier/matters.ts'
import { limits } from '../base/limits.ts'
import { Lines } from '../base/lines.ts'
import { isUuid } from '../base/uuid.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import type { ClaimRequest, Claimed } from '../wire/decision.ts'
import type { StoredEntry } from '../store/store.ts'
import { dossierUrl } from './reply.ts'
import { enter, type Draft, type Entered, type Room } from './room.ts'
import type { Principal } from './service.ts'

/** The entries of a decision's stream. @throws {@link Failure} INPUT_NOT_FOUND */
export async function readDecisionStream(
  room: Pick<Room, 'log' | 'store' | 'tenant'>,
  id: string,
): Promise<readonly StoredEntry[]> {
  const entries = isUuid(id)
    ? await readCheckedStream(room.store, room.tenant.name, id, room.log.head)
    : []
  if (entries[0]?.kind !== 'decision')
    throw new Failure('INPUT_NOT_FOUND', `No such decision: ${id}`)
  return entries
}

/** The decision of a checked entry. @throws {@link Failure} INPUT_ERASED, STORE_CORRUPT */
export function decisionOf(entry: StoredEntry): DecisionMatter {
  const matter = matterOf(entry, 'decision')
  if (matter === undefined)
    throw new Failure('INPUT_ERASED', `Decision was erased: ${entry.stream}`)
  return matter
}

/** Where the next entry of a stream goes. */
export function nextPlace(entries: readonly StoredEntry[]): Pick<Draft, 'stream' | 'seq' | 'prev'> {
  const last = entries.at(-1)
  if (last === undefined) throw new Failure('BUG', 'Stream without entries has no next place')
  return { stream: last.stream, seq: last.seq + 1, prev: encodeHex(last.leafHash) }
}

/** Follow-ups that are under way: those of one stream go one after the other. */
const underWay = new Lines()

/** Works on the stream of a decision after what came before, so that neither takes the other's place. */
export const inTurn = <T>(room: Room, id: string, work: () => Promise<T>): Promise<T> =>
  underWay.run(`${room.instance.id} ${room.tenant.name} ${id}`, work)

/**
 * Enters what is drafted from the stream as it stands.
 * @param left aborts when nobody is there any more for whom it should begin
 */
export const follow = <D extends Draft>(
  room: Room,
  id: string,
  draft: (entries: readonly StoredEntry[]) => D,
  left?: AbortSignal,
): Promise<{ readonly drafted: D; readonly entered: Entered }> =>
  inTurn(room, id, async () => {
    if (left?.aborted === true) throw new Failure('LOG_BUSY', 'The caller has left')
    const drafted = draft(await readDecisionStream(room, id))
    return { drafted, entered: await enter(room, drafted) }
  })

/**
 * Claims one use of an ALLOW before its effect.
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED, INPUT_NOT_CLAIMABLE, INPUT_CLAIMED, LOG_BUSY when the caller has left before its turn
 */
export async function claim(
  room: Room,
  principal: Principal,
  id: string,
  { note }: ClaimRequest,
  left?: AbortSignal,
): Promise<Claimed> {
  const draft = (entries: readonly StoredEntry[]) => {
    const [first] = entries
    if (first === undefined) throw new Failure('INPUT_NOT_FOUND', `No such decision: ${id}`)
    const { status, maxUses, mode } = effectOf(decisionOf(first), entries)
    if (status !== 'ALLOW') throw notClaimable(`Only an ALLOW can be claimed: ${status}`)
    if (mode === 'shadow') throw notClaimable('A shadow decision permits nothing: shadow')
    const uses = entries.filter(({ kind }) => kind === 'execution').length
    if (uses >= limits.executions)
      throw notClaimable(`Decision was used as often as any may be: ${limits.executions}`)
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
  }
  const { drafted, entered } = await follow(room, id, draft, left)
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

/** What a decision permits after all; only what both leads have signed is ever told as executed, only what a reviewer has answered as approved. */
function effectOf(
  { maxUses, mode, status }: DecisionMatter,
  entries: readonly StoredEntry[],
): Pick<DecisionMatter, 'maxUses' | 'mode' | 'status'> {
  const allowed = entries.some(
    (entry) =>
      (entry.kind === 'override' && matterOf(entry, 'override')?.event === 'executed') ||
      (entry.kind === 'escalation' && matterOf(entry, 'escalation')?.event === 'approved'),
  )
  return allowed ? { maxUses: 1, mode, status: 'ALLOW' } : { maxUses, mode, status }
}

const notClaimable = (message: string): Failure => new Failure('INPUT_NOT_CLAIMABLE', message)

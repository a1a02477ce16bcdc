// Erasing what was decided: the entry that says so, and the content gone in its transaction. It cannot be undone, so that it takes two keys.
import { Failure } from '../base/failure.ts'
import type { ErasureMatter } from '../dossier/matters.ts'
import type { StoredEntry } from '../store/store.ts'
import { enterAllowed, requireApprovedAction } from './control.ts'
import { inTurn, nextPlace, readDecisionStream } from './follow-up.ts'
import type { Room } from './room.ts'
import type { Principal } from './service.ts'

const mostReason = 2048

/** The steps that have content. @throws {@link Failure} INPUT_ERASED when there is none left */
function erasable(entries: readonly StoredEntry[], id: string): number[] {
  const seqs = entries
    .filter(({ kind, payload }) => payload !== null && kind !== 'erasure')
    .map(({ seq }) => seq)
  if (seqs.length === 0) throw new Failure('INPUT_ERASED', `Decision is erased already: ${id}`)
  return seqs
}

/**
 * Erases every payload of a decision's stream, in the transaction that appends the entry which says so.
 * @param action id of the action that two leads have signed for exactly this
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED when nothing is left to erase, ACTION_REQUIRED, ACTION_REFUSED
 */
export async function erase(
  room: Room,
  { caller }: Principal,
  id: string,
  reason: string,
  action?: string,
): Promise<{ readonly index: number }> {
  if (reason.length < 1 || reason.length > mostReason)
    throw new Failure('INPUT_INVALID', `Reason must have 1 to 2048 characters: ${reason.length}`, {
      field: 'reason',
    })
  erasable(await readDecisionStream(room, id), id)
  const effect = { action: 'erase' as const, decision: id, reason }
  const leave = await requireApprovedAction(room, effect, caller, action)
  const eraseNow = async (): Promise<{ readonly index: number }> => {
    const entries = await readDecisionStream(room, id)
    const seqs = erasable(entries, id)
    const matter: ErasureMatter = { by: caller, reason, seqs, stream: id, time: room.clock() }
    const { appended } = await enterAllowed(room, leave, {
      effects: [{ seqs, stream: id, type: 'erase' }],
      kind: 'erasure',
      matter,
      ...nextPlace(entries),
    })
    return { index: appended.index }
  }
  // Alone with the log, for nothing may come between the use of the approval and this.
  return inTurn(room, id, () => room.gate.alone(() => room.log.idle(), eraseNow))
}

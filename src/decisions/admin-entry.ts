// What is done to a tenant and not to a decision is told in its stream `admin`, in the order in which it happened.
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import type { AdminMatter } from '../dossier/matters.ts'
import type { Effect } from '../store/store.ts'
import { inTurn } from './follow-up.ts'
import { enter, type Entered, type Room } from './room.ts'

/**
 * Enters an act behind those that were told before: those of one tenant go one after the other.
 * @param check rejects where the act may not be, as things stand behind the last one; given the step that it would get
 */
export const enterAdmin = (
  room: Room,
  matter: AdminMatter,
  effects: readonly Effect[] = [],
  check: (seq: number) => Promise<void> | void = () => undefined,
): Promise<Entered> =>
  inTurn(room, 'admin', async () => {
    const head = await room.store.readStreamHead(room.tenant.name, 'admin')
    const seq = head === undefined ? 0 : head.seq + 1
    const prev = head === undefined ? null : encodeHex(head.leafHash)
    await check(seq)
    return enter(room, { effects, kind: 'admin', matter, prev, seq, stream: 'admin' })
  })

/** Sees that webhooks leave place for other acts. @throws {@link Failure} INPUT_EXISTS */
export function expectWebhookSpace(seq: number): void {
  if (seq >= limits.webhookEntries)
    throw new Failure(
      'INPUT_EXISTS',
      `The log has too many acts for another webhook or test: ${seq}`,
    )
}

// What is done to a tenant and not to a decision is told in its stream `admin`, in the order in which it happened.
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import type { AdminMatter } from '../dossier/matters.ts'
import type { Effect } from '../store/store.ts'
import { enter, type Entered, type Room } from './room.ts'

/**
 * Enters an act behind those that were told before, whoever else tells of one meanwhile.
 * @param check rejects where the act may not be, as things stand behind the last one; asked again where another was faster
 */
export async function enterAdmin(
  room: Room,
  matter: AdminMatter,
  effects: readonly Effect[] = [],
  check: () => Promise<void> = () => Promise.resolve(),
): Promise<Entered> {
  const attempts = 8
  for (let attempt = 1; ; attempt++) {
    const head = await room.store.readStreamHead(room.tenant.name, 'admin')
    const seq = head === undefined ? 0 : head.seq + 1
    const prev = head === undefined ? null : encodeHex(head.leafHash)
    await check()
    try {
      return await enter(room, { effects, kind: 'admin', matter, prev, seq, stream: 'admin' })
    } catch (error) {
      const raced = error instanceof Failure && error.code === 'LOG_CONFLICT'
      if (!raced || attempt === attempts) throw error
    }
  }
}

// Which decisions somebody asked to overrule. Which there are is the database's word; how it stands with each is read from the log.
import { Failure } from '../base/failure.ts'
import type { OverrideListRequest, OverridePage } from '../wire/overrides.ts'
import { countOverruled, readOverride } from './override-desk.ts'
import type { Room } from './room.ts'

const lastFirst = Number.MAX_SAFE_INTEGER

function placeOfCursor(cursor: string | undefined): number {
  if (cursor === undefined) return lastFirst
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor)
  throw new Failure('INPUT_INVALID', 'Cursor is not one of ours', { field: 'cursor' })
}

/** How it stands with a request, as far as it is not erased. */
async function rowOf(room: Room, id: string): Promise<Omit<OverridePage['overrides'][0], 'index'>> {
  try {
    const { approveBy, executeBy, status } = await readOverride(room, id)
    return { approveBy, decision: id, executeBy, status }
  } catch (error) {
    if (!(error instanceof Failure && error.code === 'INPUT_ERASED')) throw error
    return { approveBy: null, decision: id, executeBy: null, status: null }
  }
}

/** Decisions that somebody asked to overrule, newest first. @throws {@link Failure} INPUT_INVALID for a cursor that is none */
export async function listOverrides(
  room: Room,
  { cursor, limit }: OverrideListRequest,
  perDay: number,
): Promise<OverridePage> {
  const { store, tenant } = room
  const rows = await store.listOverrides(tenant.name, placeOfCursor(cursor), limit)
  const overrides = []
  for (const { index, stream } of rows) overrides.push({ ...(await rowOf(room, stream)), index })
  const last = rows.at(-1)
  return {
    cursor: rows.length < limit || last === undefined ? null : String(last.index),
    overrides,
    today: { limit: perDay, overruled: await countOverruled(room, room.clock()) },
  }
}

// Which decisions were held for a reviewer. Which there are is the database's word; how it stands with each is read from the log.
import { Failure } from '../base/failure.ts'
import type { EscalationListRequest, EscalationPage, EscalationView } from '../wire/escalations.ts'
import { readEscalation } from './escalation-desk.ts'
import type { Room } from './room.ts'
import { readRosterStory } from './roster-story.ts'

type Row = EscalationPage['escalations'][0]

function placeOfCursor(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor)
  throw new Failure('INPUT_INVALID', 'Cursor is not one of ours', { field: 'cursor' })
}

async function rowOf(
  id: string,
  index: number,
  read: (id: string) => Promise<EscalationView>,
): Promise<Row> {
  try {
    const { action, actor, deadline, status } = await read(id)
    return { action, actor, deadline, id, index, status }
  } catch (error) {
    if (!(error instanceof Failure && error.code === 'INPUT_ERASED')) throw error
    return { action: null, actor: null, deadline: null, id, index, status: null }
  }
}

/**
 * Decisions that were held for a reviewer, newest first.
 * @param timeOut tells the log that the time of one has run out
 * @throws {@link Failure} INPUT_INVALID for a cursor that is none
 */
export async function listEscalations(
  room: Room,
  { cursor, limit, status }: EscalationListRequest,
  timeOut: (id: string) => Promise<void>,
): Promise<EscalationPage> {
  const { clock, store, tenant } = room
  const state = status === 'pending' ? 'open' : (status ?? 'any')
  const rows = await store.listDecisions(tenant.name, {
    limit: limit + 1,
    now: clock(),
    standing: { state, way: 'escalation' },
    ...(cursor === undefined ? {} : { before: placeOfCursor(cursor) }),
  })
  const page = rows.slice(0, limit)
  const escalations: Row[] = []
  const { versions } = await readRosterStory(room)
  const read = (id: string): Promise<EscalationView> => readEscalation(room, id, timeOut, versions)
  for (const { index, stream } of page) escalations.push(await rowOf(stream, index, read))
  const last = page.at(-1)
  return {
    cursor: rows.length > limit && last !== undefined ? String(last.index) : null,
    escalations,
  }
}

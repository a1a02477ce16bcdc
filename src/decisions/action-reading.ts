// What the log tells of an action, read anew and lived through by the rules of verifiers.
import { encodeBase64 } from '../base/base64.ts'
import { Failure } from '../base/failure.ts'
import { isUuid } from '../base/uuid.ts'
import type { ActionEffect } from '../dossier/action-effects.ts'
import { actionStreamOf } from '../dossier/kinds.ts'
import type { Roster } from '../dossier/roster.ts'
import type { StoredEntry } from '../store/store.ts'
import { effectOfRequest, tellAction } from '../verify/judge-action.ts'
import type { TwoKeyRequest } from '../verify/two-key-story.ts'
import { readCheckedStream } from './checked.ts'
import { judgedOf } from './override-reading.ts'
import { placeOf, readRosterStory, type ReadableLog } from './roster-story.ts'

/** How it stands with an action. */
export interface StandingAction {
  readonly id: string
  readonly stream: string
  readonly entries: readonly StoredEntry[]
  readonly request: TwoKeyRequest
  readonly effect: ActionEffect
  /** Leaf index of its execution; undefined before. */
  readonly executedAt: number | undefined
  /** The roster that counts now; undefined while there is none. */
  readonly roster: Roster | undefined
}

/** Reads an action. @throws {@link Failure} INPUT_NOT_FOUND, STORE_CORRUPT */
export async function readStandingAction(room: ReadableLog, id: string): Promise<StandingAction> {
  const { log, store, tenant } = room
  const stream = actionStreamOf(id)
  const entries = isUuid(id) ? await readCheckedStream(store, tenant.name, stream, log.head) : []
  if (entries.length === 0) throw new Failure('INPUT_NOT_FOUND', `No such action: ${id}`)
  const { versions } = await readRosterStory(room)
  const { root, size } = log.head
  const ground = {
    ...placeOf(room),
    asOf: { root: encodeBase64(root), size },
    rosters: [...versions],
  }
  const { executedAt, request, stop } = tellAction(ground, stream, entries.map(judgedOf))
  const effect = request && effectOfRequest(request)
  if (stop !== undefined || request === undefined || effect === undefined)
    throw new Failure('STORE_CORRUPT', `Action may not have come to this: ${id}`)
  return { effect, entries, executedAt, id, request, roster: versions.at(-1)?.roster, stream }
}

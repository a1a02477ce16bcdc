// What a decision's stream tells of overruling it, read from the log and lived through by the rules of verifiers.
import { encodeBase64 } from '../base/base64.ts'
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { parseLeaf } from '../dossier/leaf.ts'
import type { Roster } from '../dossier/roster.ts'
import { parseStatement } from '../dossier/statement.ts'
import type { StoredEntry } from '../store/store.ts'
import { tellOverrides, type OverrideRequests } from '../verify/judge-overrides.ts'
import type { OverrideScene } from '../verify/override-story.ts'
import type { JudgedEntry } from '../verify/verify-entry.ts'
import { matterOf } from './checked.ts'
import { readDecisionStream } from './follow-up.ts'
import type { Room } from './room.ts'
import { placeOf, readRosterStory } from './roster-story.ts'

/** How it stands with overruling a decision. */
export interface StandingOverrides {
  readonly entries: readonly StoredEntry[]
  /** Undefined when it was erased. */
  readonly decision: OverrideScene['decision']
  readonly requests: OverrideRequests
  /** Whether a reviewer has made the decision an ALLOW. */
  readonly approved: boolean
  /** The roster that counts now; undefined while there is none. */
  readonly roster: Roster | undefined
}

/** A checked entry as verifiers see it. */
export function judgedOf({ index, leaf: bytes, leafHash, payload }: StoredEntry): JudgedEntry {
  const leaf = parseLeaf(bytes)
  if (typeof leaf === 'string') throw new Failure('STORE_CORRUPT', `${leaf}: index ${index}`)
  const statement = payload === null ? undefined : parseStatement(payload)
  return {
    erased: payload === null,
    index,
    leaf,
    leafHash: encodeHex(leafHash),
    statement: typeof statement === 'string' ? undefined : statement,
  }
}

/** Reads what was asked and done about overruling a decision. @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED, STORE_CORRUPT */
export async function readOverrides(
  room: Pick<Room, 'instance' | 'log' | 'store' | 'tenant'>,
  id: string,
): Promise<StandingOverrides> {
  const entries = await readDecisionStream(room, id)
  const { versions } = await readRosterStory(room)
  const [first] = entries
  const matter = first === undefined ? undefined : matterOf(first, 'decision')
  if (first === undefined || matter === undefined)
    throw new Failure('INPUT_ERASED', `Decision was erased: ${id}`)
  const { root, size } = room.log.head
  const ground = {
    ...placeOf(room),
    asOf: { root: encodeBase64(root), size },
    rosters: [...versions],
  }
  const { approved, requests, whole } = tellOverrides(ground, entries.map(judgedOf), matter)
  if (!whole) throw new Failure('STORE_CORRUPT', `Override may not have come to this: ${id}`)
  const decision = { leaf: encodeHex(first.leafHash), matter }
  return { approved, decision, entries, requests, roster: versions.at(-1)?.roster }
}

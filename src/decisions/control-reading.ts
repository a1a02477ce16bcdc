// Whether a log is under dual control, read from its stream `control` and judged by the rules of verifiers.
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import type { AdminMatter } from '../dossier/matters.ts'
import type { Roster } from '../dossier/roster.ts'
import { advanceControl, notControlled, type ControlStory } from '../verify/control-story.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import type { Draft } from './room.ts'
import { readRosterStory, type ReadableLog } from './roster-story.ts'

/** How it stands with dual control. */
export interface StandingControl {
  readonly story: ControlStory
  /** What it became at which leaf index, oldest first. */
  readonly since: readonly { readonly index: number; readonly story: ControlStory }[]
  /** The roster that counts now; undefined while there is none. */
  readonly roster: Roster | undefined
  /** What the next entry of the stream `control` follows. */
  readonly place: Pick<Draft, 'prev' | 'seq' | 'stream'>
}

/** Reads whether a log is under dual control, and whether its tenant is closed. @throws {@link Failure} STORE_CORRUPT */
export async function readControl(room: ReadableLog): Promise<StandingControl> {
  const { log, store, tenant } = room
  const { versions } = await readRosterStory(room)
  let story = notControlled
  const since: { readonly index: number; readonly story: ControlStory }[] = []
  const entries = await readCheckedStream(store, tenant.name, 'control', log.head)
  for (const entry of entries) {
    const { index } = entry
    const matter: AdminMatter | undefined = matterOf(entry, 'admin')
    const hasRoster = versions.some(({ from }) => from < index)
    const next = matter && advanceControl(story, matter, index, hasRoster)
    if (next === undefined || typeof next === 'string')
      throw new Failure('STORE_CORRUPT', `Dual control may not stand like that: index ${index}`)
    story = next
    since.push({ index, story })
  }
  const last = entries.at(-1)
  return {
    place: {
      prev: last === undefined ? null : encodeHex(last.leafHash),
      seq: entries.length,
      stream: 'control',
    },
    roster: versions.at(-1)?.roster,
    since,
    story,
  }
}

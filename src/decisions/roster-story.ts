// What the log tells of its roster, read anew and judged by the rules that verifiers judge it by.
import { Failure } from '../base/failure.ts'
import type { RosterPlace } from '../dossier/roster.ts'
import { advanceRoster, noRoster, type RosterStory } from '../verify/judge-roster-stream.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import type { Instance, LogHead, StoreReader, Tenant } from '../store/store.ts'

/** A log that can be read, and its head. */
export interface ReadableLog {
  readonly instance: Pick<Instance, 'id'>
  readonly tenant: Pick<Tenant, 'name' | 'origin'>
  readonly store: StoreReader
  readonly log: { readonly head: LogHead }
}

/** Which log it is. */
export const placeOf = ({
  instance,
  tenant,
}: Pick<ReadableLog, 'instance' | 'tenant'>): RosterPlace => ({
  instance: instance.id,
  origin: tenant.origin,
  tenant: tenant.name,
})

/** The versions of the roster, and what recovery keys have asked for. @throws {@link Failure} STORE_CORRUPT */
export async function readRosterStory(room: ReadableLog): Promise<RosterStory> {
  const { log, store, tenant } = room
  let story = noRoster
  for (const entry of await readCheckedStream(store, tenant.name, 'roster', log.head)) {
    const { index, time } = entry
    const matter = matterOf(entry, 'roster')
    const next = matter && advanceRoster(story, { index, matter, time }, placeOf(room))
    if (next === undefined || typeof next === 'string')
      throw new Failure('STORE_CORRUPT', `Roster may not stand in its place: index ${index}`)
    story = next
  }
  return story
}

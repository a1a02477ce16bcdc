// What is known of an installation's logs outside its database: pins, and what was published or cosigned.
import { resolve } from 'node:path'
import type { PinnedHead } from './decisions/check-backup.ts'
import type { KnownHead } from './log/known-head.ts'
import type { PinPlace } from './log/pin-place.ts'
import { findPublishedHead, readPublishedHead } from './log/published-head.ts'
import { isS3Url } from './log/s3-folder.ts'
import { witnessedLogId } from './log/witness-state.ts'

/** The heads that are pinned, with the epochs of their keys. @throws {@link Failure} LOG_ROLLBACK when a pin is damaged, STORE_FAILED */
export async function readPinnedHeads(pins: PinPlace): Promise<readonly PinnedHead[]> {
  const heads: PinnedHead[] = []
  for (const tenant of await pins.list()) {
    const pin = await pins.read(tenant)
    if (pin === undefined) continue
    const { epoch, origin, root, size } = pin
    heads.push({ epoch, origin, root, size, who: 'the pin' })
  }
  return heads
}

/** The heads that are published in places: directories, relative to `cwd`, `s3://bucket/prefix` or HTTP URLs. @throws {@link Failure} as {@link readPublishedHead} */
export function readPublishedHeads(
  places: readonly string[],
  cwd: string,
): Promise<readonly KnownHead[]> {
  const isUrl = (place: string): boolean => isS3Url(place) || /^https?:\/\//i.test(place)
  return Promise.all(
    places.map((place) => readPublishedHead(isUrl(place) ? place : resolve(cwd, place))),
  )
}

/** The heads that witnesses (base URLs) have cosigned of logs; of one that they do not know they know nothing. @throws {@link Failure} STORE_FAILED, INPUT_MALFORMED */
export async function readWitnessedHeads(
  witnesses: readonly string[],
  origins: readonly string[],
): Promise<readonly KnownHead[]> {
  const places = witnesses.flatMap((url) =>
    origins.map((origin) => `${url.replace(/\/+$/, '')}/${witnessedLogId(origin)}`),
  )
  const heads = await Promise.all(places.map(findPublishedHead))
  return heads.flatMap((head) => head ?? [])
}

// How a webhook is kept. Its URL is often as good as a password to whoever takes the messages, so it is sealed together with the secret by which they are
// signed; host and digest, which the log tells, stand beside. Everything of the record is bound to what is sealed: a row that somebody changed in the
// database opens no more. Those of version 1 had their URL in the clear, and get version 2 with the next master key.
import { z } from 'zod'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { concat, encodeHex, fromUtf8, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'
import { Secret } from '../crypto/secret.ts'
import type { AdminMatter } from '../dossier/matters.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { OpenHead } from '../log/log.ts'
import type { LogHead, StoredWebhook, StoreReader } from '../store/store.ts'
import { storedWebhookSchema, type WebhookView } from '../wire/webhooks.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import type { Room } from './room.ts'

const sealedUrlSchema = storedWebhookSchema.omit({ url: true, v: true }).extend({
  v: z.literal(2),
  host: z.string(),
  /** Hex. */
  urlSha256: z.string(),
})

const schema = z.union([storedWebhookSchema, sealedUrlSchema])

/** A webhook as it is kept. */
export type WebhookRecord = Readonly<z.infer<typeof schema>>

/** What the seal hides. The secret is for whoever opened it to wipe. */
interface OpenedWebhook {
  readonly secret: Secret
  readonly url: string
}

type Place = Pick<Room, 'instance' | 'tenant'>

/** Everything that the seal is bound to. */
const contextOf = ({ instance, tenant }: Place, record: WebhookRecord): Uint8Array =>
  canonicalBytes({ ...record, instance: instance.id, sealed: '', tenant: tenant.name })

const digestOf = (url: string): string => encodeHex(sha256(utf8(url)))

/** The record of a webhook, its secret and URL sealed by a keyring. */
export function sealWebhook(
  keyring: Pick<Keyring, 'sealSecret'>,
  place: Place,
  { url, ...told }: WebhookView,
  secret: Secret,
): WebhookRecord {
  const host = new URL(url).host
  const record = { ...told, host, sealed: '', urlSha256: digestOf(url), v: 2 as const }
  using hidden = secret.use(
    (bytes) => new Secret(concat(Uint8Array.of(bytes.length), bytes, utf8(url))),
  )
  return { ...record, sealed: encodeBase64(keyring.sealSecret(hidden, contextOf(place, record))) }
}

/** What a webhook's seal hides. @throws {@link Failure} OPEN_FAILED when anything of the record was changed */
export function openWebhook(
  { keyring, ...place }: Place & Pick<Room, 'keyring'>,
  record: WebhookRecord,
): OpenedWebhook {
  const sealed = decodeBase64(record.sealed)
  if (sealed === undefined) throw new Failure('OPEN_FAILED', 'Sealed secret is no base64')
  const opened = keyring.openSecret(sealed, contextOf(place, record))
  if (record.v === 1) return { secret: opened, url: record.url }
  using hidden = opened
  return hidden.use((bytes) => {
    const end = 1 + (bytes[0] ?? 0)
    return { secret: hidden.part(1, end), url: fromUtf8(bytes.subarray(end)) }
  })
}

/** The record as it lies in the database. */
export const storeWebhook = (record: WebhookRecord): StoredWebhook => ({
  body: canonicalBytes(record),
  id: record.id,
  kinds: record.kinds,
})

function tryParse(body: Uint8Array): unknown {
  try {
    return parseCanonical(body)
  } catch {
    return undefined
  }
}

/** The record of a row. @throws {@link Failure} STORE_CORRUPT naming it */
export function readWebhook({ body, id, kinds }: StoredWebhook): WebhookRecord {
  const parsed = schema.safeParse(tryParse(body))
  if (
    !parsed.success ||
    parsed.data.id !== id ||
    (parsed.data.v === 1 && !URL.canParse(parsed.data.url)) ||
    JSON.stringify(parsed.data.kinds) !== JSON.stringify(kinds)
  )
    throw new Failure(
      'STORE_CORRUPT',
      `Row of a webhook is damaged, countersign webhook remove takes it away: ${id}`,
    )
  return parsed.data
}

/** What the log tells of a webhook. */
export function loggedWebhook(record: WebhookRecord) {
  const { kinds } = record
  if (record.v === 2) return { host: record.host, kinds, url: record.urlSha256 }
  return { host: new URL(record.url).host, kinds, url: digestOf(record.url) }
}

/** What the log tells of a webhook, and when it was made. */
export interface LoggedWebhook {
  readonly createdAt: number
  readonly detail: AdminMatter['detail']
}

/** The webhooks that the log tells of, by id. @throws {@link Failure} STORE_CORRUPT */
export async function readLoggedWebhooks(
  store: StoreReader,
  tenant: string,
  head: LogHead | OpenHead,
): Promise<ReadonlyMap<string, LoggedWebhook>> {
  const logged = new Map<string, LoggedWebhook>()
  for (const entry of await readCheckedStream(store, tenant, 'admin', head)) {
    const matter = matterOf(entry, 'admin')
    if (matter?.action === 'webhook.create')
      logged.set(matter.subject, { createdAt: matter.time, detail: matter.detail })
    if (matter?.action === 'webhook.remove') logged.delete(matter.subject)
  }
  return logged
}

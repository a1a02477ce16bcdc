// Webhooks: places that are told what happens. They can decide nothing. Where one leads and what it asked for is bound to its sealed secret, so that a
// row that somebody changed in the database opens no more; the log tells of each by the digest of its URL, which may hold a secret of its own.
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { uuidv7 } from '../base/uuid.ts'
import { randomBytes, sha256 } from '../crypto/hash.ts'
import { Secret } from '../crypto/secret.ts'
import type { Caller } from '../dossier/matters.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { Effect, StoredWebhook } from '../store/store.ts'
import {
  storedWebhookSchema,
  webhookLimits,
  webhookSecretBytes,
  type WebhookCreated,
  type WebhookListView,
  type WebhookRecord,
  type WebhookRequest,
  type WebhookView,
} from '../wire/webhooks.ts'
import { enterAdmin } from './admin-entry.ts'
import { announce } from './announce.ts'
import type { Room } from './room.ts'

const prefix = 'whsec_'
/** Deliveries that were given up and are told of one by one. */
const mostDead = 100

const invalid = (message: string, field: string): Failure =>
  new Failure('INPUT_INVALID', message, { field })

/** @throws {@link Failure} INPUT_INVALID when it is not one that may ever be called */
function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw invalid('URL of a webhook must be one of https', '/url')
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    throw invalid('URL of a webhook must have no user, password or fragment', '/url')
}

/** @throws {@link Failure} INPUT_INVALID */
function readSecret(text: string): Secret {
  const bytes = text.startsWith(prefix) ? decodeBase64(text.slice(prefix.length)) : undefined
  const { least, most } = webhookSecretBytes
  if (bytes === undefined || bytes.length < least || bytes.length > most)
    throw invalid(`Secret must be ${prefix} and base64 of ${least} to ${most} bytes`, '/secret')
  return new Secret(bytes)
}

/** Everything that a secret is sealed to. */
const contextOf = (
  { instance, tenant }: Pick<Room, 'instance' | 'tenant'>,
  record: WebhookRecord,
): Uint8Array =>
  canonicalBytes({ ...record, instance: instance.id, sealed: '', tenant: tenant.name })

const store = (record: WebhookRecord): StoredWebhook => ({
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

/** The record of a row. @throws {@link Failure} STORE_CORRUPT */
export function readWebhook({ body, id, kinds }: StoredWebhook): WebhookRecord {
  const parsed = storedWebhookSchema.safeParse(tryParse(body))
  if (
    !parsed.success ||
    parsed.data.id !== id ||
    JSON.stringify(parsed.data.kinds) !== JSON.stringify(kinds)
  )
    throw new Failure('STORE_CORRUPT', `Webhook is not what its row says: ${id}`)
  return parsed.data
}

/** The secret of a webhook. @throws {@link Failure} OPEN_FAILED when anything of the record was changed */
export const openWebhook = (
  room: Pick<Room, 'instance' | 'keyring' | 'tenant'>,
  record: WebhookRecord,
): Secret => {
  const sealed = decodeBase64(record.sealed)
  if (sealed === undefined) throw new Failure('OPEN_FAILED', 'Sealed secret is no base64')
  return room.keyring.openSecret(sealed, contextOf(room, record))
}

const view = ({ createdAt, description, id, kinds, url }: WebhookRecord): WebhookView => ({
  createdAt,
  description,
  id,
  kinds,
  url,
})

/** What the log tells of a webhook. */
export const loggedWebhook = ({ kinds, url }: Pick<WebhookRecord, 'kinds' | 'url'>) => ({
  host: new URL(url).host,
  kinds,
  url: encodeHex(sha256(utf8(url))),
})

/**
 * Makes a webhook; a secret that is made here is told once.
 * @throws {@link Failure} INPUT_INVALID, INPUT_EXISTS when there are as many as may be
 */
export async function addWebhook(
  room: Room,
  { description = '', kinds = ['*'], secret: given, url }: WebhookRequest,
  by: Caller,
): Promise<WebhookCreated> {
  checkUrl(url)
  if ((await room.store.listWebhooks(room.tenant.name)).length >= webhookLimits.hooks)
    throw new Failure(
      'INPUT_EXISTS',
      `There are as many webhooks as may be: ${webhookLimits.hooks}`,
    )
  using secret = given === undefined ? Secret.random(webhookSecretBytes.made) : readSecret(given)
  const createdAt = room.clock()
  const told = {
    createdAt,
    description,
    id: uuidv7(createdAt, randomBytes(10)),
    kinds: [...new Set(kinds)].sort(),
    url,
    v: 1 as const,
  }
  const context = contextOf(room, { ...told, sealed: '' })
  const record = { ...told, sealed: encodeBase64(room.keyring.sealSecret(secret, context)) }
  const detail = loggedWebhook(record)
  await enterAdmin(
    room,
    { action: 'webhook.create', by, detail, subject: record.id, time: createdAt },
    [{ type: 'webhook', webhook: store(record) }],
  )
  const shown = given === undefined ? prefix + secret.use(encodeBase64) : null
  return { secret: shown, webhook: view(record) }
}

async function find({ store, tenant }: Room, id: string): Promise<WebhookRecord> {
  const found = (await store.listWebhooks(tenant.name)).find((one) => one.id === id)
  if (found === undefined) throw new Failure('INPUT_NOT_FOUND', `No such webhook: ${id}`)
  return readWebhook(found)
}

/** Removes a webhook and what waits for it. @throws {@link Failure} INPUT_NOT_FOUND */
export async function removeWebhook(room: Room, id: string, by: Caller): Promise<WebhookView> {
  const record = await find(room, id)
  const detail = loggedWebhook(record)
  await enterAdmin(
    room,
    { action: 'webhook.remove', by, detail, subject: id, time: room.clock() },
    [{ id, type: 'removeWebhook' }],
  )
  return view(record)
}

/** Lets a webhook be told of a test, and nobody else; gives the index of the entry that says so. @throws {@link Failure} INPUT_NOT_FOUND */
export async function testWebhook(
  room: Room,
  id: string,
  by: Caller,
): Promise<{ readonly webhook: string; readonly index: number }> {
  await find(room, id)
  const { appended } = await enterAdmin(
    room,
    { action: 'webhook.test', by, detail: {}, subject: id, time: room.clock() },
    [announce(room, 'webhook.test', { webhook: id })],
  )
  return { index: appended.index, webhook: id }
}

/** The webhooks of a tenant, what waits for them, and what was given up. */
export async function listWebhooks({
  store,
  tenant: { name },
}: Pick<Room, 'store' | 'tenant'>): Promise<WebhookListView> {
  const dead = await store.listDeadDeliveries(name, 0, mostDead)
  return {
    ...(await store.countDeliveries(name)),
    deadDeliveries: dead.map(({ attempts, event, hook, id, kind, last }) => ({
      attempts,
      event,
      id,
      kind,
      last,
      webhook: hook,
    })),
    webhooks: (await store.listWebhooks(name)).map((row) => view(readWebhook(row))),
  }
}

/** The webhooks of a tenant sealed to another master key, in the transaction in which it takes over. */
export async function resealWebhooks(
  room: Pick<Room, 'instance' | 'keyring' | 'store' | 'tenant'>,
  next: Keyring,
): Promise<readonly Effect[]> {
  const rows = await room.store.listWebhooks(room.tenant.name)
  return rows.flatMap((row) => {
    try {
      const record = readWebhook(row)
      using secret = openWebhook(room, record)
      const sealed = encodeBase64(next.sealSecret(secret, contextOf(room, record)))
      return [{ type: 'webhook', webhook: store({ ...record, sealed }) }]
    } catch (error) {
      // One that was changed is told nothing as it is; it must not hinder that a key which others may know is exchanged.
      if (error instanceof Failure && ['OPEN_FAILED', 'STORE_CORRUPT'].includes(error.code))
        return []
      throw error
    }
  })
}

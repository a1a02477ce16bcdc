// Webhooks: places that are told what happens. They can decide nothing. The log tells of each by the digest of its URL, which may hold a secret of its own.
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { Failure } from '../base/failure.ts'
import { uuidv7 } from '../base/uuid.ts'
import { randomBytes } from '../crypto/hash.ts'
import { Secret } from '../crypto/secret.ts'
import type { Caller } from '../dossier/matters.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { Effect, StoredWebhook } from '../store/store.ts'
import {
  webhookLimits,
  webhookSecretBytes,
  type WebhookCreated,
  type WebhookListView,
  type WebhookRequest,
  type WebhookView,
} from '../wire/webhooks.ts'
import { enterAdmin, expectWebhookSpace } from './admin-entry.ts'
import { announce } from './announce.ts'
import type { Room } from './room.ts'
import {
  loggedWebhook,
  openWebhook,
  readLoggedWebhooks,
  readWebhook,
  sealWebhook,
  storeWebhook,
  type WebhookRecord,
} from './webhook-record.ts'

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

/** A webhook as whoever manages it may see it; one that was changed in the database shows its host, which may be a lie. */
function viewOf(
  room: Pick<Room, 'instance' | 'keyring' | 'tenant'>,
  record: WebhookRecord,
): WebhookView {
  const { createdAt, description, id, kinds } = record
  const view = (url: string): WebhookView => ({ createdAt, description, id, kinds, url })
  if (record.v === 1) return view(record.url)
  try {
    const { secret, url } = openWebhook(room, record)
    secret.wipe()
    return view(url)
  } catch (error) {
    if (error instanceof Failure && error.code === 'OPEN_FAILED')
      return view(`${record.host} (changed in the database, opens no more)`)
    throw error
  }
}

/** @throws {@link Failure} INPUT_EXISTS */
async function expectRoom({ store, tenant }: Room, seq: number): Promise<void> {
  expectWebhookSpace(seq)
  const { hooks } = webhookLimits
  if ((await store.listWebhooks(tenant.name)).length >= hooks)
    throw new Failure('INPUT_EXISTS', `There are as many webhooks as may be: ${hooks}`)
}

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
  using secret = given === undefined ? Secret.random(webhookSecretBytes.made) : readSecret(given)
  const createdAt = room.clock()
  const told = {
    createdAt,
    description,
    id: uuidv7(createdAt, randomBytes(10)),
    kinds: [...new Set(kinds)].sort(),
    url,
  }
  const record = sealWebhook(room.keyring, room, told, secret)
  const detail = loggedWebhook(record)
  await enterAdmin(
    room,
    { action: 'webhook.create', by, detail, subject: record.id, time: createdAt },
    [{ type: 'webhook', webhook: storeWebhook(record) }],
    (seq) => expectRoom(room, seq),
  )
  const shown = given === undefined ? prefix + secret.use(encodeBase64) : null
  return { secret: shown, webhook: told }
}

async function find({ store, tenant }: Room, id: string): Promise<StoredWebhook> {
  const found = (await store.listWebhooks(tenant.name)).find((one) => one.id === id)
  if (found === undefined) throw new Failure('INPUT_NOT_FOUND', `No such webhook: ${id}`)
  return found
}

/** The record of a row; undefined where it is damaged. */
function tryReadWebhook(row: StoredWebhook): WebhookRecord | undefined {
  try {
    return readWebhook(row)
  } catch (error) {
    if (error instanceof Failure && error.code === 'STORE_CORRUPT') return undefined
    throw error
  }
}

/** Removes a webhook and what waits for it, also one whose row cannot be read. @throws {@link Failure} INPUT_NOT_FOUND */
export async function removeWebhook(room: Room, id: string, by: Caller): Promise<WebhookView> {
  const record = tryReadWebhook(await find(room, id))
  const { log, store, tenant } = room
  const logged =
    record === undefined
      ? (await readLoggedWebhooks(store, tenant.name, log.head)).get(id)
      : { createdAt: record.createdAt, detail: loggedWebhook(record) }
  const { createdAt = 0, detail = {} } = logged ?? {}
  await enterAdmin(
    room,
    { action: 'webhook.remove', by, detail, subject: id, time: room.clock() },
    [{ id, type: 'removeWebhook' }],
  )
  if (record !== undefined) return viewOf(room, record)
  return { createdAt, description: '', id, kinds: [], url: '(damaged in the database)' }
}

/** Webhooks of which a test is on its way into the log, by room. */
const testing = new WeakMap<Room, Set<string>>()

/**
 * Lets a webhook be told of a test, and nobody else; gives the index of the entry that says so.
 * @throws {@link Failure} INPUT_NOT_FOUND, LOG_BUSY while another test of it is entered, INPUT_EXISTS where the log has too many acts for one
 */
export async function testWebhook(
  room: Room,
  id: string,
  by: Caller,
): Promise<{ readonly webhook: string; readonly index: number }> {
  readWebhook(await find(room, id))
  const busy = testing.get(room) ?? new Set()
  testing.set(room, busy)
  // Many at once would keep waiting whoever administers besides.
  if (busy.has(id)) throw new Failure('LOG_BUSY', `Another test of the webhook is under way: ${id}`)
  busy.add(id)
  try {
    const { appended } = await enterAdmin(
      room,
      { action: 'webhook.test', by, detail: {}, subject: id, time: room.clock() },
      [announce(room, 'webhook.test', { webhook: id })],
      expectWebhookSpace,
    )
    return { index: appended.index, webhook: id }
  } finally {
    busy.delete(id)
  }
}

/** The webhooks of a tenant, what waits for them, and what was given up. */
export async function listWebhooks(
  room: Pick<Room, 'instance' | 'keyring' | 'store' | 'tenant'>,
): Promise<WebhookListView> {
  const {
    store,
    tenant: { name },
  } = room
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
    webhooks: (await store.listWebhooks(name)).map((row) => viewOf(room, readWebhook(row))),
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
      const { createdAt, description, id, kinds } = record
      const { secret: opened, url } = openWebhook(room, record)
      using secret = opened
      const sealed = sealWebhook(next, room, { createdAt, description, id, kinds, url }, secret)
      return [{ type: 'webhook', webhook: storeWebhook(sealed) }]
    } catch (error) {
      // One that was changed is told nothing as it is; it must not hinder that a key which others may know is exchanged.
      if (error instanceof Failure && ['OPEN_FAILED', 'STORE_CORRUPT'].includes(error.code))
        return []
      throw error
    }
  })
}

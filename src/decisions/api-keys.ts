// API keys: bearer tokens with an owner and scopes, each made and revoked by an entry of the tenant's log. The store keeps a hash; a token has 256
// random bits, so one plain hash suffices.
import { encodeHex, utf8 } from '../base/bytes.ts'
import { decodeBase64Url, encodeBase64Url } from '../base/base64.ts'
import { Failure } from '../base/failure.ts'
import { equalConstantTime, randomBytes, sha256 } from '../crypto/hash.ts'
import { labels } from '../crypto/labels.ts'
import type { AdminMatter, Caller } from '../dossier/matters.ts'
import type { LogHead, StoredApiKey, StoreReader } from '../store/store.ts'
import { scopes, type ApiKeyView, type Scope } from '../wire/decision.ts'
import { bondsSchema } from '../verify/key-bonds.ts'
import { enterAdmin } from './admin-entry.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { asRead } from './namesakes.ts'
import type { Room } from './room.ts'
import { readRosterStory } from './roster-story.ts'
import type { Bound, Principal } from './service.ts'

const tokenPattern = /^csk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/

const hashToken = (token: string): Uint8Array => sha256(utf8(`${labels.apiKey}\n${token}`))

const isScope = (text: string): text is Scope => (scopes as readonly string[]).includes(text)

/** An API key as anybody who manages them may see it. */
const viewApiKey = (
  { id, owner, scopes: granted, createdAt, revokedAt }: StoredApiKey,
  bound: Bound | undefined,
): ApiKeyView => ({
  id,
  owner,
  scopes: granted.filter(isScope),
  createdAt,
  revokedAt,
  ...(bound === undefined ? {} : { environment: bound.environment, policies: [...bound.policies] }),
})

/** What the log says of an API key. */
export interface LoggedKey {
  readonly sha256: unknown
  readonly owner: unknown
  readonly scopes: unknown
  /** When the log says it was made, and revoked. */
  readonly createdAt: number
  readonly revokedAt: number | null
  readonly bound: Bound | undefined
  /** Who made it. */
  readonly by: Caller
}

/** What an entry says a key is bound to; nothing where it says nothing. */
function boundOf(detail: Readonly<Record<string, unknown>>): Bound | undefined {
  const { environment, policies } = bondsSchema.parse(detail)
  return policies.length === 0 && environment === null ? undefined : { environment, policies }
}

/** What the admin entries say, by room: read once, and carried on at every act, of which only this process can be the author. */
const books = new WeakMap<Room, Promise<Map<string, LoggedKey>>>()

/** Carries a book of API keys on by what an admin entry says. */
function carryOn(book: Map<string, LoggedKey>, matter: AdminMatter): void {
  const { action, by, subject, time } = matter
  const { owner, scopes: granted, sha256: hash } = matter.detail
  const known = book.get(subject)
  if (action === 'apikey.create')
    book.set(subject, {
      bound: boundOf(matter.detail),
      by,
      createdAt: time,
      owner,
      revokedAt: null,
      scopes: granted,
      sha256: hash,
    })
  else if (action === 'apikey.revoke' && known !== undefined)
    book.set(subject, { ...known, revokedAt: time })
}

/** The API keys as the log tells them: a row that somebody put into the database is nobody's key. */
export async function readLoggedKeys(
  store: StoreReader,
  tenant: string,
  head: LogHead,
): Promise<Map<string, LoggedKey>> {
  const book = new Map<string, LoggedKey>()
  for (const entry of await readCheckedStream(store, tenant, 'admin', head)) {
    const matter = matterOf(entry, 'admin')
    if (matter !== undefined) carryOn(book, matter)
  }
  return book
}

/** The API keys of a tenant, with what the log says that they are bound to. */
export async function listApiKeys(
  store: StoreReader,
  tenant: string,
): Promise<readonly ApiKeyView[]> {
  const [known, kept] = [await store.readTenant(tenant), await store.listApiKeys(tenant)]
  if (known === undefined || kept.length === 0) return []
  const logged = await readLoggedKeys(store, tenant, known.head)
  return kept.map((apiKey) => viewApiKey(apiKey, logged.get(apiKey.id)?.bound))
}

async function readLoggedKey(room: Room, id: string): Promise<LoggedKey | undefined> {
  const { log, store, tenant } = room
  const book = books.get(room) ?? readLoggedKeys(store, tenant.name, log.head)
  books.set(room, book)
  book.catch(() => books.delete(room))
  return (await book).get(id)
}

/** Whether the row of an API key is what the log says of it. */
export const isAsLogged = (
  { createdAt, hash, owner, revokedAt, scopes: granted }: StoredApiKey,
  logged: LoggedKey | undefined,
): boolean =>
  logged !== undefined &&
  JSON.stringify([
    logged.sha256,
    logged.owner,
    logged.scopes,
    logged.createdAt,
    logged.revokedAt,
  ]) === JSON.stringify([encodeHex(hash), owner, granted, createdAt, revokedAt])

/**
 * The principal of a token. The same failure for every reason: who guesses learns nothing.
 * @throws {@link Failure} AUTH_INVALID
 */
export async function authenticate(
  store: StoreReader,
  token: string,
  useRoom: (tenant: string, work: (room: Room) => Promise<Principal>) => Promise<Principal>,
): Promise<Principal> {
  const refused = new Failure('AUTH_INVALID', 'API key is unknown, wrong or revoked')
  const [, id, secret] = tokenPattern.exec(token) ?? []
  if (id === undefined || secret === undefined || decodeBase64Url(secret) === undefined)
    throw refused
  const apiKey = await store.readApiKey(id)
  if (apiKey === undefined || !equalConstantTime(apiKey.hash, hashToken(token))) throw refused
  if (apiKey.revokedAt !== null) throw refused
  return useRoom(apiKey.tenant, async (room) => {
    const logged = await readLoggedKey(room, id)
    if (!isAsLogged(apiKey, logged)) throw refused
    return {
      tenant: apiKey.tenant,
      profile: room.tenant.profile,
      caller: { type: 'apiKey', id, owner: apiKey.owner },
      scopes: apiKey.scopes.filter(isScope),
      ...(logged?.bound === undefined ? {} : { bound: logged.bound }),
    }
  })
}

async function administer(
  room: Room,
  action: string,
  subject: string,
  detail: Readonly<Record<string, unknown>>,
  by: Caller,
  apiKey: StoredApiKey,
): Promise<void> {
  // The row says when, and must say what the log says.
  const time = apiKey.revokedAt ?? apiKey.createdAt
  const matter = { action, by, detail, subject, time }
  await enterAdmin(room, matter, [{ apiKey, type: 'apiKey' }])
  const book = await books.get(room)
  if (book !== undefined) carryOn(book, matter)
}

/**
 * Sees that nobody gets the name of somebody in the roster through an API key: who reviews and rejects is told by the owner of one, and who asked is held
 * against those who sign.
 */
async function expectOwnName(
  room: Room,
  owner: string,
  { owner: asker, type }: Caller,
): Promise<void> {
  const people = (await readRosterStory(room)).versions.at(-1)?.roster.people ?? []
  const namesake = people.find(({ id }) => asRead(id) === asRead(owner))
  if (namesake === undefined) return
  if (namesake.id !== owner)
    throw new Failure('INPUT_INVALID', `Owner is another spelling of a person in the roster`, {
      field: 'owner',
    })
  if (type === 'apiKey' && asker !== owner)
    throw new Failure(
      'AUTH_SCOPE',
      'Owner is a person in the roster: the command line makes a key for them, or a key of theirs',
      { field: 'owner' },
    )
}

/**
 * Sees that a key which speaks for somebody of the roster was made by the command line or by a key of theirs: before the roster named them, anybody who
 * makes keys could make one in their name.
 * @throws {@link Failure} AUTH_SCOPE
 */
export async function expectOwnKey(room: Room, { id, owner, type }: Caller): Promise<void> {
  if (type !== 'apiKey') return
  const seen = new Set<string>()
  for (let at = await readLoggedKey(room, id); at !== undefined && !seen.has(at.by.id);) {
    const { by } = at
    if (by.type !== 'apiKey') return
    if (by.owner !== owner)
      throw new Failure(
        'AUTH_SCOPE',
        `API key was made by ${by.owner} before ${owner} was in the roster, have the command line make another: ${id}`,
      )
    seen.add(by.id)
    at = await readLoggedKey(room, by.id)
  }
}

/**
 * Makes an API key; the token is given once and kept nowhere. What it is bound to stands in the log alone, and for as long as it lives.
 * @throws {@link Failure} INPUT_INVALID, AUTH_SCOPE where the owner is somebody in the roster who does not ask
 */
export async function createApiKey(
  room: Room,
  owner: string,
  granted: readonly Scope[],
  by: Caller,
  { environment, policies }: Bound = { environment: null, policies: [] },
): Promise<{ readonly apiKey: ApiKeyView; readonly token: string }> {
  if (owner.length < 1 || owner.length > 256)
    throw new Failure('INPUT_INVALID', `Owner must have 1 to 256 characters: ${owner.length}`, {
      field: 'owner',
    })
  await expectOwnName(room, owner, by)
  const id = encodeHex(randomBytes(8))
  const token = `csk_${id}_${encodeBase64Url(randomBytes(32))}`
  const apiKey: StoredApiKey = {
    id,
    hash: hashToken(token),
    tenant: room.tenant.name,
    owner,
    scopes: [...new Set(granted)].sort(),
    createdAt: room.clock(),
    revokedAt: null,
  }
  const sha256 = encodeHex(apiKey.hash)
  const detail = {
    owner,
    scopes: apiKey.scopes,
    sha256,
    ...(policies.length === 0 ? {} : { policies: [...new Set(policies)] }),
    ...(environment === null ? {} : { environment }),
  }
  await administer(room, 'apikey.create', id, detail, by, apiKey)
  return { apiKey: viewApiKey(apiKey, boundOf(detail)), token }
}

/**
 * Revokes an API key, for ever.
 * @throws {@link Failure} INPUT_NOT_FOUND
 */
export async function revokeApiKey(room: Room, id: string, by: Caller): Promise<ApiKeyView> {
  const known = await room.store.readApiKey(id)
  if (known?.tenant !== room.tenant.name)
    throw new Failure('INPUT_NOT_FOUND', `No such API key: ${id}`)
  const bound = (await readLoggedKey(room, id))?.bound
  if (known.revokedAt !== null) return viewApiKey(known, bound)
  const apiKey: StoredApiKey = { ...known, revokedAt: room.clock() }
  await administer(room, 'apikey.revoke', id, { owner: known.owner }, by, apiKey)
  return viewApiKey(apiKey, bound)
}

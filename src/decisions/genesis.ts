// The first entries of a log: its keys, its own creation, its first trust root. The evidence key signs its own entry and those beside it; every
// other key counts only behind them. Each step looks at what is there already, so that a crash in between is healed by running it again.
import { encodeBase64 } from '../base/base64.ts'
import { encodeHex } from '../base/bytes.ts'
import type { AdminMatter, Caller, KeyMatter } from '../dossier/matters.ts'
import { Failure } from '../base/failure.ts'
import { logVkeys } from '../merkle/checkpoint.ts'
import { formatVkey } from '../merkle/note.ts'
import { matterOf, readCheckedStart } from './checked.ts'
import { enter, type Room } from './room.ts'
import { publishTrustRoot } from './trust.ts'

/** Where the first keys of a log count: the fast key not before the four key entries and the creation of the tenant are pinned. */
export const genesisPositions = Object.freeze({ evidence: 0, fast: 5, log: 0 })

/** How many entries a log begins with: those, and its first trust root. */
export const genesisSize = genesisPositions.fast + 1

/** What the log says of the keys it begins with, in order. */
function firstKeys(room: Room): readonly Omit<KeyMatter, 'time'>[] {
  const { keyring, tenant } = room
  const { master, evidence, fast, log } = keyring
  const common = { event: 'activated' as const, keyid: null, vkeys: [] }
  return [
    {
      ...common,
      purpose: 'master',
      version: master.version,
      keyId: master.keyId,
      algorithm: 'X-Wing',
      publicKey: encodeBase64(keyring.masterPublicKey),
      from: 0,
    },
    ...[
      { key: evidence, purpose: 'evidence' as const },
      { key: fast, purpose: 'fast' as const },
    ].map(({ key, purpose }) => ({
      ...common,
      purpose,
      version: key.version,
      keyId: key.keyId,
      algorithm: key.algorithm,
      publicKey: encodeBase64(key.publicKey),
      keyid: key.keyid,
      from: key.from,
    })),
    {
      ...common,
      purpose: 'log',
      version: log.version,
      keyId: log.keyId,
      algorithm: 'Ed25519+ML-DSA-44',
      publicKey: encodeBase64(Uint8Array.of(...log.ed25519.publicKey, ...log.mlDsa44.publicKey)),
      vkeys: logVkeys(tenant.origin, log).map(formatVkey),
      from: log.from,
    },
  ]
}

/** Writes what is missing of a log's first entries. */
export async function completeGenesis(room: Room, by: Caller): Promise<void> {
  const { store, tenant } = room
  const keys = firstKeys(room)
  for (;;) {
    const head = await store.readStreamHead(tenant.name, 'keys')
    const seq = head === undefined ? 0 : head.seq + 1
    const next = keys[seq]
    if (next === undefined) break
    await enter(room, {
      kind: 'key',
      stream: 'keys',
      seq,
      prev: head === undefined ? null : encodeHex(head.leafHash),
      matter: { ...next, time: room.clock() },
    })
  }
  if ((await store.readStreamHead(tenant.name, 'admin')) === undefined) {
    const matter: AdminMatter = {
      action: 'tenant.create',
      by,
      detail: { dev: room.instance.dev, profile: tenant.profile, public: tenant.public },
      subject: tenant.name,
      time: room.clock(),
    }
    await enter(room, { kind: 'admin', stream: 'admin', seq: 0, prev: null, matter })
  }
  if ((await store.readTrustRoot(tenant.name)) === undefined) await publishTrustRoot(room)
}

/** Whether a log's first entries are all there. */
export const hasGenesis = async (store: Room['store'], tenant: string): Promise<boolean> =>
  (await store.readTrustRoot(tenant)) !== undefined

/** Whether a log has the name that it was given when its tenant was founded. */
export const isOwnOrigin = (
  { dev, origin: prefix }: Room['instance'],
  { name, origin }: Pick<Room['tenant'], 'name' | 'origin'>,
): boolean => origin.replace(dev ? /\/dev-[0-9a-f]{8}$/ : /$/, '') === `${prefix}/${name}`

/**
 * Holds a tenant's row against what the log says of its creation: a profile, an openness or a name that changed in the database alone is refused, and
 * so is another name of the installation, by which the next tenant would be called.
 * @throws {@link Failure} STORE_CORRUPT
 */
export async function checkTenant(room: Room): Promise<void> {
  const { instance, log, store, tenant } = room
  const first = await readCheckedStart(store, tenant.name, 'admin', log.head)
  const matter = first === undefined ? undefined : matterOf(first, 'admin')
  const said = JSON.stringify([matter?.action, matter?.subject, matter?.detail])
  const is = JSON.stringify([
    'tenant.create',
    tenant.name,
    { dev: instance.dev, profile: tenant.profile, public: tenant.public },
  ])
  if (said !== is)
    throw new Failure(
      'STORE_CORRUPT',
      `Tenant is not as its log says it was created: ${tenant.name}`,
    )
  if (!isOwnOrigin(instance, tenant))
    throw new Failure(
      'STORE_CORRUPT',
      `Origin of the installation is not the one by which its logs were named: ${instance.origin}`,
    )
}

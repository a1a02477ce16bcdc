// The trust root of a tenant: made from its keys and its tree head, and announced by an entry of its own log.
import { encodeBase64 } from '../base/base64.ts'
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import {
  fingerprint,
  formatTrustRoot,
  parseTrustRoot,
  type ControlPeriod,
  type OriginSection,
  type TreeHead,
  type TrustedLogKey,
  type TrustedSigningKey,
} from '../dossier/trust-root.ts'
import type { TrustMatter } from '../dossier/matters.ts'
import { logVkeys, type LogPublicKeys } from '../merkle/checkpoint.ts'
import { formatVkey } from '../merkle/note.ts'
import type { ListedKey } from '../keyring/listed-key.ts'
import { logKeySplit } from '../keyring/purposes.ts'
import { readProvedRootAt } from '../log/tree-reading.ts'
import type { LogHead, StoreReader, StoredKeys, StoredTrustRoot } from '../store/store.ts'
import { readCheckpointKeys } from '../verify/check-trust-root.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { enterNow, type Room } from './room.ts'
import { readControl } from './control-reading.ts'
import { readRosterStory } from './roster-story.ts'
import { noWitnesses } from './witnessing.ts'

type ListedLogKey = Extract<ListedKey, { purpose: 'log' }>

/** The public halves of a log key. */
export const logPublicKeys = ({ publicKey }: ListedLogKey): LogPublicKeys => ({
  ed25519: { publicKey: publicKey.subarray(0, logKeySplit.publicKey) },
  mlDsa44: { publicKey: publicKey.subarray(logKeySplit.publicKey) },
})

/** The verifier keys of a log key. */
export const vkeysOf = (origin: string, key: ListedLogKey): readonly string[] =>
  logVkeys(origin, logPublicKeys(key)).map(formatVkey)

/** The last tree head that a log key signed, once it stopped and has signed it. */
async function finalOf({ log, store, tenant }: Room, to: number | null): Promise<TreeHead | null> {
  const { size } = log.head
  if (to === null || to < 1 || size < to - 1) return null
  const root = await readProvedRootAt(store, tenant.name, log.head, to - 1)
  return { root: encodeBase64(root), size: to - 1 }
}

const trustedKey = (
  key: Extract<ListedKey, { purpose: 'evidence' | 'fast' }>,
): readonly TrustedSigningKey[] =>
  key.from === null
    ? []
    : [
        {
          keyid: key.keyid,
          algorithm: key.algorithm,
          publicKey: encodeBase64(key.publicKey),
          kinds: [...key.kinds],
          profile: key.profile,
          from: key.from,
          to: key.to,
          revokedAt: key.revokedAt,
        },
      ]

async function trustedLogKeys(room: Room, key: ListedLogKey): Promise<readonly TrustedLogKey[]> {
  const { from, revokedAt, to } = key
  if (from === null) return []
  const final = await finalOf(room, to)
  return vkeysOf(room.tenant.origin, key).map((vkey) => ({ final, from, revokedAt, to, vkey }))
}

/** When the log was under dual control; nothing where it never was. */
async function describeControl(room: Room): Promise<Pick<OriginSection, 'control'>> {
  const { since } = await readControl(room)
  const control: ControlPeriod[] = []
  for (const { index, story } of since) {
    const last = control.at(-1)
    const isOn = last?.to === null
    if (story.from !== undefined && !isOn) control.push({ from: index, to: null })
    else if (story.from === undefined && isOn) control.splice(-1, 1, { ...last, to: index })
  }
  return control.length === 0 ? {} : { control }
}

/** What a trust root made now would say of the log, its keys being as listed. */
export async function describeOrigin(
  room: Room,
  listed: readonly ListedKey[],
): Promise<OriginSection> {
  const { instance, log, tenant } = room
  const { root, size } = log.head
  // Where no entry is signed by the fast key, nobody is told to believe it.
  const named = tenant.profile === 'each' ? ['evidence'] : ['evidence', 'fast']
  const logKeys: TrustedLogKey[] = []
  for (const key of listed)
    if (key.purpose === 'log') logKeys.push(...(await trustedLogKeys(room, key)))
  return {
    asOf: { size, root: encodeBase64(root) },
    instance: instance.id,
    keys: listed.flatMap((key) =>
      (key.purpose === 'evidence' || key.purpose === 'fast') && named.includes(key.purpose)
        ? trustedKey(key)
        : [],
    ),
    logKeys,
    origin: tenant.origin,
    rosters: [...(await readRosterStory(room)).versions],
    ...(await describeControl(room)),
    tenant: tenant.name,
    witnesses: room.witnesses,
  }
}

/** A log of which at least the head is known. */
interface KnownLog {
  readonly log: { readonly head: LogHead }
  readonly store: StoreReader
  readonly tenant: { readonly name: string }
}

/**
 * A version of the trust root, the newest unless told otherwise, as the log announced it.
 * @throws {@link Failure} INPUT_NOT_FOUND; STORE_CORRUPT when file or digest is not the one announced
 */
export async function readCheckedTrustRoot(
  { log, store, tenant }: KnownLog,
  version?: number,
): Promise<StoredTrustRoot> {
  const stored = await store.readTrustRoot(tenant.name, version)
  if (stored === undefined)
    throw new Failure(
      'INPUT_NOT_FOUND',
      `No such trust root: ${tenant.name} ${version ?? ''}`.trim(),
    )
  const announced = (await readCheckedStream(store, tenant.name, 'trust', log.head)).map((entry) =>
    matterOf(entry, 'trust'),
  )
  const newest = announced.at(-1)?.version
  const { sha256 } = stored
  const known = announced.some((said) => said?.version === stored.version && said.sha256 === sha256)
  // The next version names that digest as the one before it.
  if (
    !known ||
    fingerprint(stored.file) !== sha256 ||
    (version === undefined && newest !== stored.version)
  )
    throw new Failure(
      'STORE_CORRUPT',
      `Trust root is not the one that the log announced: ${tenant.name}`,
    )
  return stored
}

/** Keys that become the ones of the log in the transaction that announces them. */
export interface KeyExchange {
  readonly stored: StoredKeys
  readonly epoch: number
}

/**
 * Makes the next version of a tenant's trust root, as of now, and logs its digest in a commit of its own: the checkpoint right behind it is kept, and
 * under it whoever has the version before takes this one.
 */
export const publishTrustRoot = (room: Room): Promise<StoredTrustRoot> =>
  room.gate.alone(
    () => room.log.idle(),
    async () => (await publishNow(room)).trustRoot,
  )

/** The witness policy that the newest trust root of a log names; none where there is no trust root. */
export async function readTrustedWitnesses(
  room: Pick<Room, 'log' | 'store' | 'tenant'>,
): Promise<string> {
  const { origin, name } = room.tenant
  if ((await room.store.readTrustRoot(name)) === undefined) return noWitnesses
  const parsed = parseTrustRoot((await readCheckedTrustRoot(room)).file)
  const section =
    typeof parsed === 'string' ? undefined : parsed.origins.find((one) => one.origin === origin)
  if (section === undefined)
    throw new Failure('STORE_CORRUPT', `Trust root cannot be read: ${name}`)
  return section.witnesses
}

/** The section of a log, which verifiers must be able to use. */
async function describeUsable(room: Room, listed: readonly ListedKey[]): Promise<OriginSection> {
  const section = await describeOrigin(room, listed)
  const problem = readCheckpointKeys(section)
  if ('reason' in problem) throw new Failure('CONFIG_INVALID', problem.reason)
  return section
}

/** As {@link publishTrustRoot}, for whoever has shut the gate; where keys are exchanged, the trust root is the one of after. */
export async function publishNow(
  room: Room,
  exchange?: KeyExchange,
): Promise<{ readonly trustRoot: StoredTrustRoot; readonly index: number }> {
  const { store, tenant, instance, keyring } = room
  const before =
    (await store.readTrustRoot(tenant.name)) === undefined
      ? undefined
      : await readCheckedTrustRoot(room)
  const version = (before?.version ?? 0) + 1
  const listed = exchange === undefined ? keyring.list() : keyring.preview(exchange.stored)
  const file = formatTrustRoot({
    v: 1,
    version,
    previous: before?.sha256 ?? null,
    dev: instance.dev,
    origins: [await describeUsable(room, listed)],
  })
  if (file.length > limits.trustRootBytes)
    throw new Failure('CONFIG_INVALID', `Trust root has become too large: ${file.length}`)
  const trustRoot: StoredTrustRoot = { version, sha256: fingerprint(file), file }
  const head = await store.readStreamHead(tenant.name, 'trust')
  const matter: TrustMatter = {
    previous: before?.sha256 ?? null,
    sha256: trustRoot.sha256,
    time: room.clock(),
    version,
  }
  const { appended } = await enterNow(room, {
    kind: 'trust',
    stream: 'trust',
    seq: head === undefined ? 0 : head.seq + 1,
    prev: head === undefined ? null : encodeHex(head.leafHash),
    matter,
    effects: [
      { type: 'trustRoot', trustRoot },
      ...(exchange === undefined
        ? []
        : [{ type: 'keys' as const, keys: exchange.stored, epoch: exchange.epoch }]),
    ],
  })
  return { index: appended.index, trustRoot }
}

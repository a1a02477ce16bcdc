// The trust root of a tenant: made from its keys and its tree head, and announced by an entry of its own log.
import { encodeBase64 } from '../base/base64.ts'
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { kinds } from '../dossier/kinds.ts'
import { fingerprint, formatTrustRoot, type OriginSection } from '../dossier/trust-root.ts'
import type { TrustMatter } from '../dossier/matters.ts'
import { logVkeys } from '../merkle/checkpoint.ts'
import { formatVkey } from '../merkle/note.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { StoredTrustRoot } from '../store/store.ts'
import { fastKinds } from '../dossier/kinds.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { enter, type Room } from './room.ts'

/** The verifier keys of a tenant's log. */
export const vkeysOf = (origin: string, { log }: Keyring): readonly string[] =>
  logVkeys(origin, log).map(formatVkey)

function sectionOf({ instance, tenant, keyring, log }: Room): OriginSection {
  const { size, root } = log.head
  const logKey = { from: keyring.log.from, to: null, revokedAt: null, final: null }
  const evidence = {
    keyid: keyring.evidence.keyid,
    algorithm: 'id-MLDSA65-Ed25519-SHA512' as const,
    publicKey: encodeBase64(keyring.evidence.publicKey),
    kinds: [...kinds],
    profile: 'each' as const,
    from: keyring.evidence.from,
    to: null,
    revokedAt: null,
  }
  const { fast } = keyring
  // Where no entry is signed by the fast key, nobody is told to believe it.
  const fastKey =
    tenant.profile === 'each'
      ? []
      : [
          {
            keyid: fast.keyid,
            algorithm: 'Ed25519' as const,
            publicKey: encodeBase64(fast.publicKey),
            kinds: [...fastKinds],
            profile: 'checkpoint' as const,
            from: fast.from,
            to: null,
            revokedAt: null,
          },
        ]
  return {
    asOf: { size, root: encodeBase64(root) },
    instance: instance.id,
    keys: [evidence, ...fastKey],
    logKeys: vkeysOf(tenant.origin, keyring).map((vkey) => ({ vkey, ...logKey })),
    origin: tenant.origin,
    rosters: [],
    tenant: tenant.name,
    witnesses: 'quorum none\n',
  }
}

/**
 * A version of the trust root, the newest unless told otherwise, as the log announced it.
 * @throws {@link Failure} INPUT_NOT_FOUND; STORE_CORRUPT when the file is not the one announced
 */
export async function readCheckedTrustRoot(room: Room, version?: number): Promise<StoredTrustRoot> {
  const { log, store, tenant } = room
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
  const sha256 = fingerprint(stored.file)
  const known = announced.some((said) => said?.version === stored.version && said.sha256 === sha256)
  if (!known || (version === undefined && newest !== stored.version))
    throw new Failure(
      'STORE_CORRUPT',
      `Trust root is not the one that the log announced: ${tenant.name}`,
    )
  return stored
}

/** Makes the next version of a tenant's trust root, as of now, and logs its digest. */
export async function publishTrustRoot(room: Room): Promise<StoredTrustRoot> {
  const { store, tenant, instance } = room
  const before =
    (await store.readTrustRoot(tenant.name)) === undefined
      ? undefined
      : await readCheckedTrustRoot(room)
  const version = (before?.version ?? 0) + 1
  const file = formatTrustRoot({
    v: 1,
    version,
    previous: before?.sha256 ?? null,
    dev: instance.dev,
    origins: [sectionOf(room)],
  })
  const trustRoot: StoredTrustRoot = { version, sha256: fingerprint(file), file }
  const head = await store.readStreamHead(tenant.name, 'trust')
  const matter: TrustMatter = {
    previous: before?.sha256 ?? null,
    sha256: trustRoot.sha256,
    time: room.clock(),
    version,
  }
  await enter(room, {
    kind: 'trust',
    stream: 'trust',
    seq: head === undefined ? 0 : head.seq + 1,
    prev: head === undefined ? null : encodeHex(head.leafHash),
    matter,
    effects: [{ type: 'trustRoot', trustRoot }],
  })
  return trustRoot
}

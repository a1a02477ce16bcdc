// The signing keys that are active or will be next, imported and ready. Each seed lives from its opening to its import, and no longer.
import { invariant } from '../base/failure.ts'
import type { CompositeSigner } from '../crypto/composite.ts'
import type { Secret } from '../crypto/secret.ts'
import { signatureAlgorithms, type Signer } from '../crypto/signatures.ts'
import { nameOf, publicKeyOf } from './header.ts'
import type { KeyRow } from './inventory.ts'
import { logKeySplit, neededPurposes, purposes, type SigningPurpose } from './purposes.ts'
import { refusal } from './record.ts'
import { openSigningKey } from './sealed-key.ts'

/** A key that signs entries. */
export interface EntryKey<S extends Signer> {
  /** UUID. */
  readonly keyId: string
  readonly version: number
  /** Hex SHA-256 of the SPKI. */
  readonly keyid: string
  readonly algorithm: S['algorithm']['name']
  /** Raw. */
  readonly publicKey: Uint8Array
  readonly signer: S
  /** First leaf index it signs. */
  readonly from: number
}

/** The key that signs checkpoints: both signers sign each. */
export interface LogKey {
  /** UUID. */
  readonly keyId: string
  readonly version: number
  readonly ed25519: Signer
  readonly mlDsa44: Signer
  /** First tree size it signs. */
  readonly from: number
}

/** The key that signs copies for other verifiers. */
export interface BundleKey {
  /** UUID. */
  readonly keyId: string
  readonly version: number
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly signer: Signer
}

/** The active keys of a log. */
export interface SigningKeys {
  readonly evidence: EntryKey<CompositeSigner>
  readonly fast: EntryKey<Signer>
  readonly log: LogKey
  /** Undefined until somebody has had one made. */
  readonly bundle: BundleKey | undefined
}

interface Signers {
  readonly evidence: CompositeSigner
  readonly fast: Signer
  readonly log: Pick<LogKey, 'ed25519' | 'mlDsa44'>
  readonly bundle: Signer
}

/** How the signers of each purpose are made of the seed, which stays the caller's. */
const importers: {
  readonly [P in SigningPurpose]: (seed: Secret, stack: DisposableStack) => Signers[P]
} = {
  evidence: (seed, stack) =>
    held(signatureAlgorithms[purposes.evidence.algorithm].signer(seed), stack),
  fast: (seed, stack) => held(signatureAlgorithms[purposes.fast.algorithm].signer(seed), stack),
  bundle: (seed, stack) => held(signatureAlgorithms[purposes.bundle.algorithm].signer(seed), stack),
  log: (seed, stack) => {
    using edSeed = seed.part(0, logKeySplit.seed)
    using mlDsaSeed = seed.part(logKeySplit.seed)
    return {
      ed25519: held(signatureAlgorithms.Ed25519.signer(edSeed), stack),
      mlDsa44: held(signatureAlgorithms['ML-DSA-44'].signer(mlDsaSeed), stack),
    }
  },
}

const held = <S extends Signer>(signer: S, stack: DisposableStack): S =>
  stack.adopt(signer, () => {
    signer.close()
  })

/**
 * The one active key of a purpose.
 * @throws {@link Failure} KEY_STORE_REFUSED when there is none, or more than one
 */
function findActive(rows: readonly KeyRow[], purpose: SigningPurpose): KeyRow {
  const [active, second] = rows.filter(
    ({ row }) => row.purpose === purpose && row.state === 'active',
  )
  if (active === undefined) throw refusal(`No key is active for ${purpose}`)
  if (second !== undefined) throw refusal(`Two keys are active for ${purpose}`)
  return active
}

function startOf({ sealed, row }: KeyRow): number {
  if (row.from === null) throw refusal(`Active key has no first position: ${nameOf(sealed.header)}`)
  return row.from
}

function entryKey<S extends Signer>(key: KeyRow, signer: S): EntryKey<S> {
  const { keyId, version } = key.sealed.header
  invariant(key.row.keyid !== null, 'Key that signs entries has no key id')
  return Object.freeze({
    keyId,
    version,
    keyid: key.row.keyid,
    algorithm: signer.algorithm.name,
    publicKey: publicKeyOf(key.sealed.header),
    signer,
    from: startOf(key),
  })
}

function bundleKey({ sealed: { header } }: KeyRow, signer: Signer): BundleKey {
  const { keyId, version } = header
  return Object.freeze({ keyId, version, publicKey: publicKeyOf(header), signer })
}

/** Whether a key signs now, or is there to sign next. */
const isNeeded = ({ row }: KeyRow): boolean => row.state === 'active' || row.state === 'pending'

interface Imported {
  readonly signers: Partial<Signers>
  /** Closes them. */
  readonly stack: DisposableStack
}

/** The imported keys by their ids. */
export class OpenedKeys {
  readonly #opened = new Map<string, Imported>()

  /**
   * Opens and imports every key that signs now or is pending.
   * @throws {@link Failure} OPEN_FAILED, KEY_STORE_REFUSED
   */
  static open(rows: readonly KeyRow[], masterSeed: Secret): OpenedKeys {
    const keys = new OpenedKeys()
    try {
      for (const purpose of neededPurposes) findActive(rows, purpose)
      for (const key of rows.filter(isNeeded)) keys.#import(key, masterSeed)
      return keys
    } catch (error) {
      // Whatever was imported is given up again when a later key fails.
      keys.close()
      throw error
    }
  }

  #import({ sealed, row }: KeyRow, masterSeed: Secret): void {
    using seed = openSigningKey(sealed, masterSeed)
    const stack = new DisposableStack()
    const { purpose } = row
    this.#opened.set(row.keyId, { signers: { [purpose]: importers[purpose](seed, stack) }, stack })
  }

  /**
   * The active keys among those imported.
   * @throws {@link Failure} KEY_STORE_REFUSED when one is not among them, or not exactly one is active
   */
  choose(rows: readonly KeyRow[]): SigningKeys {
    const find = <P extends SigningPurpose>(purpose: P): [KeyRow, Signers[P]] => {
      const key = findActive(rows, purpose)
      const signers: Signers[P] | undefined = this.#opened.get(key.row.keyId)?.signers[purpose]
      if (signers === undefined) throw refusal(`Key was not opened: ${nameOf(key.sealed.header)}`)
      return [key, signers]
    }
    const [log, logSigners] = find('log')
    const hasBundle = rows.some(({ row }) => row.purpose === 'bundle' && row.state === 'active')
    const { keyId, version } = log.sealed.header
    return {
      evidence: entryKey(...find('evidence')),
      bundle: hasBundle ? bundleKey(...find('bundle')) : undefined,
      fast: entryKey(...find('fast')),
      log: Object.freeze({ keyId, version, ...logSigners, from: startOf(log) }),
    }
  }

  /** Gives up every key that no longer signs. */
  prune(rows: readonly KeyRow[]): void {
    const needed = new Set(rows.filter(isNeeded).map(({ row }) => row.keyId))
    for (const [keyId, { stack }] of this.#opened)
      if (!needed.has(keyId)) {
        this.#opened.delete(keyId)
        stack.dispose()
      }
  }

  /** Gives up every key. */
  close(): void {
    this.prune([])
  }
}

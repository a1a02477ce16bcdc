// The signing keys that are active, imported and ready. Each seed lives from its opening to its import, and no longer.
import { invariant } from '../base/failure.ts'
import type { CompositeSigner } from '../crypto/composite.ts'
import { Secret } from '../crypto/secret.ts'
import { signatureAlgorithms, type Signer } from '../crypto/signatures.ts'
import { nameOf, publicKeyOf } from './header.ts'
import type { KeyRow } from './inventory.ts'
import { logKeySplit, purposes, type SigningPurpose } from './purposes.ts'
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

/** The active keys of a log; disposing of them closes every signer. */
export interface SigningKeys extends Disposable {
  readonly evidence: EntryKey<CompositeSigner>
  readonly fast: EntryKey<Signer>
  readonly log: LogKey
}

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

/** The half of a log key's seed from `start` to `end`. */
const part = (seed: Secret, start: number, end?: number): Secret =>
  seed.use((bytes) => new Secret(bytes.slice(start, end)))

/**
 * Opens and imports the active key of every purpose.
 * @throws {@link Failure} OPEN_FAILED, KEY_STORE_REFUSED
 */
export function openSigningKeys(rows: readonly KeyRow[], masterSeed: Secret): SigningKeys {
  // Whatever was imported is given up again when a later key fails.
  using opened = new DisposableStack()
  const held = <S extends Signer>(signer: S): S =>
    opened.adopt(signer, () => {
      signer.close()
    })
  const open = (key: KeyRow): Secret => openSigningKey(key.sealed, masterSeed)

  const [evidence, fast, log] = [
    findActive(rows, 'evidence'),
    findActive(rows, 'fast'),
    findActive(rows, 'log'),
  ]
  using evidenceSeed = open(evidence)
  using fastSeed = open(fast)
  using logSeed = open(log)
  using edSeed = part(logSeed, 0, logKeySplit.seed)
  using mlDsaSeed = part(logSeed, logKeySplit.seed)

  const keys = {
    evidence: entryKey(
      evidence,
      held(signatureAlgorithms[purposes.evidence.algorithm].signer(evidenceSeed)),
    ),
    fast: entryKey(fast, held(signatureAlgorithms[purposes.fast.algorithm].signer(fastSeed))),
    log: Object.freeze({
      keyId: log.sealed.header.keyId,
      version: log.sealed.header.version,
      ed25519: held(signatureAlgorithms.Ed25519.signer(edSeed)),
      mlDsa44: held(signatureAlgorithms['ML-DSA-44'].signer(mlDsaSeed)),
      from: startOf(log),
    }),
  }
  const moved = opened.move()
  return {
    ...keys,
    [Symbol.dispose]: () => {
      moved.dispose()
    },
  }
}

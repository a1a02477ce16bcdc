// Copies of decisions for verifiers of other systems, made of what the log holds and signed by a key that signs nothing else.
import { encodeBase64 } from '../base/base64.ts'
import { Failure } from '../base/failure.ts'
import { signatureAlgorithms } from '../crypto/signatures.ts'
import { encodeSpki, keyIdOf } from '../crypto/spki.ts'
import { preAuthEncoding } from '../dossier/dsse.ts'
import { formatSigstoreBundle } from '../dossier/sigstore-bundle.ts'
import { readCheckedStream } from './checked.ts'
import { keyState } from './key-work.ts'
import type { Room } from './room.ts'
import type { SigstoreCopy } from './service.ts'

const algorithm = signatureAlgorithms.Ed25519

/** The PEM text of a public key (RFC 7468). */
function formatPem(der: Uint8Array): string {
  const lines = encodeBase64(der).match(/.{1,64}/g) ?? []
  return ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----', ''].join('\n')
}

/**
 * A decision's statement as a Sigstore bundle.
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED; INPUT_KEY_STATE when the log has no key for copies
 */
export async function exportSigstoreBundle(room: Room, id: string): Promise<SigstoreCopy> {
  const { keyring, log, store, tenant } = room
  const [decision] = await readCheckedStream(store, tenant.name, id, log.head)
  if (decision?.kind !== 'decision') throw new Failure('INPUT_NOT_FOUND', `No such decision: ${id}`)
  if (decision.payload === null)
    throw new Failure('INPUT_ERASED', `Content of the decision was erased: ${id}`)
  const { bundle: key } = keyring
  if (key === undefined)
    throw keyState('There is no key for copies yet: countersign keys rotate bundle')
  const signature = key.signer.sign(preAuthEncoding(decision.payload))
  return {
    bundle: formatSigstoreBundle(decision.payload, signature, keyIdOf(algorithm, key.publicKey)),
    publicKey: formatPem(encodeSpki(algorithm, key.publicKey)),
  }
}

// A Sigstore bundle, v0.3: a copy of a statement under a key of its own, for verifiers that know DSSE and in-toto and nothing of this log. It proves
// that we signed the statement. It does not prove that it stands in the log, nor since when: that is the dossier's business.
import { encodeBase64 } from '../base/base64.ts'
import { canonicalBytes } from '../base/canonical-json.ts'
import { payloadType } from './dsse.ts'

/** Media type of a bundle. */
export const sigstoreBundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json'

/**
 * The bytes of a bundle of one DSSE envelope, verified by a public key that the verifier has.
 * @param signature raw, over the DSSE pre-authentication encoding of the payload
 * @param hint by which verifiers find the key: hex SHA-256 of its SPKI
 */
export const formatSigstoreBundle = (
  payload: Uint8Array,
  signature: Uint8Array,
  hint: string,
): Uint8Array =>
  canonicalBytes({
    dsseEnvelope: {
      payload: encodeBase64(payload),
      payloadType,
      signatures: [{ keyid: hint, sig: encodeBase64(signature) }],
    },
    mediaType: sigstoreBundleType,
    verificationMaterial: { publicKey: { hint } },
  })

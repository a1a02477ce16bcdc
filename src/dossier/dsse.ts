// DSSE v1.0.2: what is signed is the pre-authentication encoding of a payload, so that no signature is ever taken for one over another type.
import { concat, utf8 } from '../base/bytes.ts'
import { encodeBase64 } from '../base/base64.ts'

/** The payload type of every statement (in-toto attestation framework). */
export const payloadType = 'application/vnd.in-toto+json'

const head = utf8(`DSSEv1 ${payloadType.length} ${payloadType} `)

/** The pre-authentication encoding of a payload: `DSSEv1 SP len(type) SP type SP len(body) SP body`. */
export const preAuthEncoding = (payload: Uint8Array): Uint8Array =>
  concat(head, utf8(`${payload.length} `), payload)

/** A DSSE envelope with its one signature. */
export interface Envelope {
  readonly payload: string
  readonly payloadType: typeof payloadType
  readonly signatures: readonly [{ readonly keyid: string; readonly sig: string }]
}

/** The envelope of a payload and its raw signature; `keyid` is a hint, verifiers take keys from the trust root. */
export const formatEnvelope = (
  payload: Uint8Array,
  keyid: string,
  signature: Uint8Array,
): Envelope => ({
  payload: encodeBase64(payload),
  payloadType,
  signatures: [{ keyid, sig: encodeBase64(signature) }],
})

import { encodeBase64 } from '../base/base64.ts'
import { equalBytes } from '../base/bytes.ts'
import { floorGate, type ApproverRecord } from './dual-signature-validator.ts'
import {
  createMessageHash,
  createSigningText,
  readMessageHash,
  type OverrideMessage,
} from './message-hash.ts'
import type { SignatureProvider } from './signature-provider.ts'

/** What became of an authorisation. */
export interface OverrideAuthorization {
  readonly authorized: boolean
  readonly actorId: string
  /** Hex hash of what was signed; empty where the request has none. */
  readonly messageHash: string
  /** Why not; null when it is. */
  readonly reason: string | null
}

/** Somebody who may sign, known by a key. */
export class Approver {
  readonly record: ApproverRecord
  readonly #provider: SignatureProvider

  constructor(record: ApproverRecord, provider: SignatureProvider) {
    this.record = record
    this.#provider = provider
  }

  /** Whether this person's signature stands under a request. One of two: that both are there is for the workflow or the validator to say. */
  authorizeOverride(
    message: OverrideMessage,
    signature: Uint8Array,
    publicKey: Uint8Array,
  ): OverrideAuthorization {
    const { actorId, publicKey: own } = this.record
    const due = readMessageHash(message)
    if ('problem' in due)
      return { actorId, authorized: false, messageHash: '', reason: due.problem }
    const { hash: messageHash } = due
    const reason = this.#problem(message, messageHash, signature, publicKey, own)
    return { actorId, authorized: reason === null, messageHash, reason }
  }

  #problem(
    { failedGates, requestedBy }: OverrideMessage,
    messageHash: string,
    signature: Uint8Array,
    publicKey: Uint8Array,
    own: Uint8Array,
  ): string | null {
    if (failedGates.includes(floorGate)) return 'Complexity floor cannot be overruled'
    if (requestedBy === this.record.actorId) return 'Whoever asked may not sign'
    if (!equalBytes(publicKey, own)) return 'Key is not the one of this person'
    const text = createSigningText(messageHash)
    return this.#provider.verify(text, signature, publicKey) ? null : 'Signature is not good'
  }

  /** Signs a request for this person: both texts in base64, as `OverrideWorkflow.addSignature` takes them. */
  sign(
    message: OverrideMessage,
    privateKey: Uint8Array,
  ): { readonly signature: string; readonly publicKey: string } {
    const text = createSigningText(createMessageHash(message))
    const { publicKey } = this.record
    return {
      publicKey: encodeBase64(publicKey),
      signature: encodeBase64(this.#provider.sign(text, privateKey)),
    }
  }
}

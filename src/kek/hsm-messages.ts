// What goes over between the server and a child that holds a PKCS#11 module. Key bytes in it are the inner keys of hsm-envelope.ts, good for one
// blob each; the PIN goes over in `open` and `create`, and nowhere else.
import type { FailureCode } from '../base/failure.ts'

/** Where the key-encryption key is. */
export interface HsmPlace {
  /** Absolute path of the PKCS#11 module. */
  readonly module: string
  readonly tokenLabel: string
  readonly keyLabel: string
  /** CKA_ID in hex, where one label is not enough. */
  readonly keyId?: string | undefined
}

/** What is known of the key once a child has seen it. */
export interface HsmIdentity {
  /** `hsm:` token serial, CKA_ID and check value, separated by colons. */
  readonly kekId: string
  /** Mechanism that wraps. */
  readonly mechanism: string
  readonly hardware: boolean
  /** A blob that the key must open. */
  readonly canary: Uint8Array
}

/** What a child is asked. */
export type HsmRequest =
  | {
      readonly op: 'open'
      readonly place: HsmPlace
      readonly pin: Uint8Array
      /** The key must be this one. */
      readonly known: HsmIdentity | undefined
    }
  | {
      readonly op: 'create'
      readonly place: HsmPlace
      readonly pin: Uint8Array
      readonly by: 'wrap' | 'encrypt' | 'any'
    }
  | { readonly op: 'wrap'; readonly key: Uint8Array; readonly aad: Uint8Array }
  | {
      readonly op: 'unwrap'
      readonly mechanism: string
      readonly wrapped: Uint8Array
      readonly aad: Uint8Array
    }
  /** Opens the canary: whether the key works, told apart from whether a blob is good. */
  | { readonly op: 'canary' }
  /** Wraps and unwraps a fresh key. */
  | { readonly op: 'probe' }

/** Why a child could not do it. */
export type HsmFault =
  /** A PKCS#11 function gave a code. */
  | { readonly type: 'code'; readonly call: string; readonly code: number }
  /** What the child itself decided. */
  | { readonly type: 'refusal'; readonly code: FailureCode; readonly message: string }
  | { readonly type: 'absent'; readonly message: string }
  /** Said by the server: the child did not answer in time, or is gone. */
  | { readonly type: 'hang'; readonly op: string; readonly timeoutMs: number }
  | { readonly type: 'exit'; readonly how: string }

/** What a child answers: bytes for `wrap` and `unwrap`, an identity for `open` and `create`. */
export type HsmAnswer =
  | { readonly ok: true; readonly bytes?: Uint8Array; readonly identity?: HsmIdentity }
  /** `begun` when a key may have been made all the same. */
  | { readonly ok: false; readonly fault: HsmFault; readonly begun?: true }

/** A request on its way; answers come in the order of requests, but one that was given up is told by its number. */
export interface NumberedRequest {
  readonly id: number
  readonly request: HsmRequest
}

/** An answer on its way. */
export interface NumberedAnswer {
  readonly id: number
  readonly answer: HsmAnswer
}

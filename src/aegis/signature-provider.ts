/** A pair of raw keys; whoever made it wipes the private one. */
export interface Keypair {
  readonly publicKey: Uint8Array
  readonly privateKey: Uint8Array
}

/** A signature algorithm, as AEGIS asks for it. */
export interface SignatureProvider {
  readonly algorithmName: string
  generateKeypair(): Keypair
  /** @throws {@link Failure} BUG when the private key has another form */
  sign(message: Uint8Array, privateKey: Uint8Array): Uint8Array
  /** Whether a signature is good; false on whatever else is given. */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean
}

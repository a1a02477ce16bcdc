// Every domain-separation label, so that no two uses of a key or a hash can be confused. A label is never changed; a new meaning is a new one.
// (The composite signature's own prefix and label belong to its draft and stand in composite.ts.)

/** Domain-separation labels by use. */
export const labels = Object.freeze({
  /** HKDF info of a slot's key and commitment. */
  slot: 'countersign/slot/v1',
  /** HPKE info under which a signing key is sealed to the master key. */
  signingKey: 'countersign/sign-key/v1',
  /** HKDF info of the key that authenticates the manifest. */
  manifest: 'countersign/manifest/v1',
  /** HKDF info of the wrapping key made from an environment KEK. */
  environmentKek: 'countersign/kek/environment/v1',
  /** HKDF info of an environment KEK's public name. */
  environmentKekId: 'countersign/kek/environment/id/v1',
  /** HKDF info of the key inside a blob that an HSM wrapped. */
  hsmKek: 'countersign/kek/hsm/v1',
  /** Prefix under which API keys are hashed. */
  apiKey: 'countersign/api-key/v1',
  /** Prefix under which a request is fingerprinted. */
  idempotency: 'countersign/idempotency/v1',
  /** BIP-340 tag of an override's challenge. */
  override: 'countersign/override/v1',
  /** HKDF info of the key under which the secret of a webhook is sealed. */
  webhook: 'countersign/webhook/v1',
})

/** The signature context of one kind of log entry. */
export const signatureContext = (kind: string): string => `countersign/${kind}/v1`

// A slot: one secret sealed under one DEK, and a commitment to that DEK. AES-GCM alone opens under many keys, so that whoever writes the store could
// make one blob that gives different secrets to different providers; the commitment is compared before anything is decrypted. Key and commitment
// are bound to the header and to the slot's place, because not every provider binds them itself (DESIGN §2).
import { canonicalBytes } from '../base/canonical-json.ts'
import { concat, utf8 } from '../base/bytes.ts'
import { Failure, invariant } from '../base/failure.ts'
import { aes256Gcm } from './aead.ts'
import { equalConstantTime, hkdfSha256, randomBytes, sha256 } from './hash.ts'
import { labels } from './labels.ts'
import { Secret } from './secret.ts'

const dekBytes = 32
const saltBytes = 32
const keyBytes = 32
const zeroNonce = new Uint8Array(12) // each key seals once, for its salt is fresh

/** Where a slot stands and who opens it. */
export interface SlotPlace {
  readonly id: string
  readonly provider: string
  readonly kekId: string
  readonly mechanism: string
}

/** What a slot stores beside the wrapped DEK. */
export interface SealedSlot {
  /** 32 bytes. */
  readonly salt: Uint8Array
  /** As long as the secret and 16 bytes more. */
  readonly ciphertext: Uint8Array
  /** 32 bytes. */
  readonly commitment: Uint8Array
}

interface SlotKeys {
  readonly key: Uint8Array
  readonly commitment: Uint8Array
}

/** Derives key and commitment, lends them to `fn` and wipes them. */
function withKeys<T>(
  dek: Secret,
  header: Uint8Array,
  { id, provider, kekId, mechanism }: SlotPlace,
  salt: Uint8Array,
  fn: (keys: SlotKeys) => T,
): T {
  const info = concat(
    utf8(labels.slot),
    Uint8Array.of(0),
    sha256(header),
    sha256(canonicalBytes({ id, provider, kekId, mechanism })),
  )
  const okm = dek.use((ikm) => hkdfSha256(ikm, salt, info, 2 * keyBytes))
  try {
    return fn({ key: okm.subarray(0, keyBytes), commitment: okm.subarray(keyBytes) })
  } finally {
    okm.fill(0)
  }
}

/**
 * Seals a secret under a 32-byte DEK that is used for this slot only; `header` is its canonical JSON, and `salt`, 32 bytes, is given in tests only.
 * @throws {@link Failure} BUG when DEK or salt have another length
 */
export function sealSlot(
  dek: Secret,
  header: Uint8Array,
  place: SlotPlace,
  secret: Secret,
  salt: Uint8Array = randomBytes(saltBytes),
): SealedSlot {
  invariant(dek.length === dekBytes, 'DEK has the wrong length')
  invariant(salt.length === saltBytes, 'Slot salt has the wrong length')
  return withKeys(dek, header, place, salt, ({ key, commitment }) => ({
    salt,
    ciphertext: secret.use((bytes) => aes256Gcm.seal(key, zeroNonce, header, bytes)),
    commitment: commitment.slice(),
  }))
}

/**
 * The secret of a slot.
 * @throws {@link Failure} OPEN_FAILED on anything wrong
 */
export function openSlot(
  dek: Secret,
  header: Uint8Array,
  place: SlotPlace,
  { salt, ciphertext, commitment }: SealedSlot,
): Secret {
  if (dek.length !== dekBytes || salt.length !== saltBytes)
    throw new Failure('OPEN_FAILED', 'Slot does not open')
  return withKeys(dek, header, place, salt, (keys) => {
    if (!equalConstantTime(keys.commitment, commitment))
      throw new Failure('OPEN_FAILED', 'Slot does not open')
    return new Secret(aes256Gcm.open(keys.key, zeroNonce, header, ciphertext))
  })
}

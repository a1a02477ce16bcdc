// The ways in which a token may wrap a 32-byte key, strongest claim first: the order in which they are negotiated. What is recorded in a slot is
// the name, so a name is never given another meaning.

/** One way to wrap. */
export interface HsmMechanism {
  /** Recorded in slots. */
  readonly name: string
  /** CK_MECHANISM_TYPE. */
  readonly number: number
  /** By C_WrapKey and C_UnwrapKey, or by C_Encrypt and C_Decrypt; a key may do one of the two only. */
  readonly by: 'wrap' | 'encrypt'
  /** Length of a wrapped 32-byte key: for AES-GCM with the nonce (12) in front. */
  readonly wrappedBytes: number
  /** Numbers of vendors mean what they mean in that vendor's tokens only. */
  readonly manufacturer?: RegExp
  /** The name is ambiguous between vendors, so a known answer must prove it to be RFC 5649. */
  readonly wantsProof?: true
}

/** Manufacturers of AWS CloudHSM's tokens; there the token chooses the nonce of AES-GCM. */
export const cloudHsm = /cavium|marvell|cloudhsm/i

/** Every mechanism, in the order of negotiation. */
export const hsmMechanisms: readonly HsmMechanism[] = Object.freeze([
  { name: 'CKM_AES_KEY_WRAP_KWP', number: 0x210b, by: 'wrap', wrappedBytes: 40 },
  {
    name: 'CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD',
    number: 0x8000_216f,
    by: 'wrap',
    wrappedBytes: 40,
    manufacturer: cloudHsm,
  },
  {
    name: 'CKM_AES_KEY_WRAP_PAD',
    number: 0x210a,
    by: 'wrap',
    wrappedBytes: 40,
    wantsProof: true,
  },
  { name: 'CKM_AES_GCM', number: 0x1087, by: 'encrypt', wrappedBytes: 60 },
  {
    name: 'CKM_YUBICO_AES_CCM_WRAP',
    number: 0xd955_4204,
    by: 'encrypt',
    wrappedBytes: 62,
    manufacturer: /yubico/i,
  },
])

/** The mechanism of its recorded name, or undefined. */
export const findHsmMechanism = (name: string): HsmMechanism | undefined =>
  hsmMechanisms.find((mechanism) => mechanism.name === name)

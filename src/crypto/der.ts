// The two DER wrappings of raw keys. They are prefixes of fixed bytes, because a raw key of one algorithm has one length.
import { concat, u16 } from '../base/bytes.ts'

const SEQUENCE = 0x30
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_IDENTIFIER = 0x06

const version0 = Uint8Array.of(0x02, 0x01, 0x00)

/** Tag and length of a value of `length` bytes, in the shortest form, as DER wants. */
function head(tag: number, length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(tag, length)
  if (length < 0x100) return Uint8Array.of(tag, 0x81, length)
  return concat(Uint8Array.of(tag, 0x82), u16(length))
}

/** AlgorithmIdentifier without parameters; `oid` is the encoded value of the object identifier. */
const algorithmIdentifier = (oid: Uint8Array): Uint8Array =>
  concat(head(SEQUENCE, oid.length + 2), head(OBJECT_IDENTIFIER, oid.length), oid)

/** What stands before a raw public key of `keyBytes` bytes in a SubjectPublicKeyInfo (RFC 5280 §4.1). */
export function spkiPrefixOf(oid: Uint8Array, keyBytes: number): Uint8Array {
  const identifier = algorithmIdentifier(oid)
  const bits = concat(head(BIT_STRING, keyBytes + 1), Uint8Array.of(0))
  return concat(head(SEQUENCE, identifier.length + bits.length + keyBytes), identifier, bits)
}

/**
 * What stands before a seed of `seedBytes` bytes in a PKCS #8 private key (RFC 5958 §2). The inner tag is an OCTET STRING for Curve25519
 * (RFC 8410 §7) and [0] for the seed form of ML-DSA and ML-KEM (RFC 9881 §6, RFC 9935 §6).
 */
export function pkcs8PrefixOf(
  oid: Uint8Array,
  innerTag: 0x04 | 0x80,
  seedBytes: number,
): Uint8Array {
  const identifier = algorithmIdentifier(oid)
  const inner = head(innerTag, seedBytes)
  const outer = concat(head(OCTET_STRING, inner.length + seedBytes), inner)
  const length = version0.length + identifier.length + outer.length + seedBytes
  return concat(head(SEQUENCE, length), version0, identifier, outer)
}

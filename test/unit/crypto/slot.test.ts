import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { aes256Gcm } from '../../../src/crypto/aead.ts'
import { hkdfSha256, sha256 } from '../../../src/crypto/hash.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { openSlot, sealSlot, type SealedSlot, type SlotPlace } from '../../../src/crypto/slot.ts'
import { counting, expectFailure, flipped } from './engines.ts'

const header = canonicalBytes({ v: 1, keyId: 'k1', tenant: 't1', purpose: 'master' })
const place: SlotPlace = { id: 's1', provider: 'kms', kekId: 'arn:1', mechanism: 'AES-256-GCM' }
const dek = new Secret(counting(32))
const seed = () => new Secret(counting(32, 77))
const read = (secret: Secret): Uint8Array => secret.use((bytes) => bytes.slice())

describe('a slot', () => {
  const sealed = sealSlot(dek, header, place, seed())

  it('opens to the secret that was sealed', () => {
    expect(read(openSlot(dek, header, place, sealed))).toEqual(counting(32, 77))
    expect(sealed.salt).toHaveLength(32)
    expect(sealed.ciphertext).toHaveLength(48)
    expect(sealed.commitment).toHaveLength(32)
  })

  it('is what DESIGN §2 says, byte for byte', () => {
    const salt = counting(32, 200)
    const made = sealSlot(dek, header, place, seed(), salt)
    const placeText = '{"id":"s1","kekId":"arn:1","mechanism":"AES-256-GCM","provider":"kms"}'
    const info = Uint8Array.of(
      ...utf8('countersign/slot/v1'),
      0,
      ...sha256(header),
      ...sha256(utf8(placeText)),
    )
    const okm = hkdfSha256(counting(32), salt, info, 64)
    expect(made.commitment).toEqual(okm.slice(32))
    expect(made.ciphertext).toEqual(
      aes256Gcm.seal(okm.slice(0, 32), new Uint8Array(12), header, counting(32, 77)),
    )
    expect(encodeHex(sha256(made.salt, made.ciphertext, made.commitment))).toBe(
      'a65b056e98ee9ede10bb2bc8237293f71be02033cb12bc16b72ab0ec50a8301d',
    )
  })

  it('takes a fresh salt each time, so that no key seals twice', () => {
    const again = sealSlot(dek, header, place, seed())
    expect(again.salt).not.toEqual(sealed.salt)
    expect(again.commitment).not.toEqual(sealed.commitment)
    expect(again.ciphertext).not.toEqual(sealed.ciphertext)
  })

  it('does not open under another DEK or header', () => {
    const otherDek = new Secret(counting(32, 1))
    expectFailure('OPEN_FAILED', () => openSlot(otherDek, header, place, sealed))
    const other = canonicalBytes({ v: 1, keyId: 'k1', tenant: 't2', purpose: 'master' })
    expectFailure('OPEN_FAILED', () => openSlot(dek, other, place, sealed))
  })

  it.each(['id', 'provider', 'kekId', 'mechanism'] as const)(
    'does not open in a place whose %s is another',
    (field) => {
      const moved = { ...place, [field]: place[field] + '2' }
      expectFailure('OPEN_FAILED', () => openSlot(dek, header, moved, sealed))
    },
  )

  it('looks at no other member of the place', () => {
    const more = { ...place, blob: 'wrapped' }
    expect(read(openSlot(dek, header, more, sealed))).toEqual(counting(32, 77))
  })

  it.each(['salt', 'ciphertext', 'commitment'] as const)(
    'does not open when its %s is changed, shorter or longer',
    (part) => {
      const bytes = sealed[part]
      const refused = (bad: Uint8Array) => {
        const changed: SealedSlot = { ...sealed, [part]: bad }
        expectFailure('OPEN_FAILED', () => openSlot(dek, header, place, changed))
      }
      for (let at = 0; at < bytes.length; at++) refused(flipped(bytes, at))
      refused(bytes.subarray(1))
      refused(bytes.subarray(0, -1))
      refused(Uint8Array.of(...bytes, 0))
      refused(new Uint8Array(0))
    },
  )

  it('does not open a good ciphertext under a commitment to another key', () => {
    const other = sealSlot(new Secret(counting(32, 1)), header, place, seed(), sealed.salt)
    const mixed = { ...sealed, commitment: other.commitment }
    expectFailure('OPEN_FAILED', () => openSlot(dek, header, place, mixed))
  })

  it('takes a DEK and a salt of 32 bytes only', () => {
    for (const length of [0, 16, 31, 33, 64]) {
      const bad = new Secret(counting(length))
      expectFailure('BUG', () => sealSlot(bad, header, place, seed()))
      expectFailure('OPEN_FAILED', () => openSlot(bad, header, place, sealed))
      expectFailure('BUG', () => sealSlot(dek, header, place, seed(), counting(length)))
    }
  })

  it('leaves DEK and secret as they were', () => {
    const own = seed()
    sealSlot(dek, header, place, own)
    expect(read(own)).toEqual(counting(32, 77))
    expect(read(dek)).toEqual(counting(32))
  })

  it('seals a secret of any length', () => {
    for (const length of [0, 1, 64, 1000]) {
      const made = sealSlot(dek, header, place, new Secret(counting(length)))
      expect(made.ciphertext).toHaveLength(length + 16)
      expect(read(openSlot(dek, header, place, made))).toEqual(counting(length))
    }
  })
})

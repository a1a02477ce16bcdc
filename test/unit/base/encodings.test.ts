import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import {
  decodeBase64,
  decodeBase64Url,
  encodeBase64,
  encodeBase64Url,
} from '../../../src/base/base64.ts'
import { concat, decodeHex, encodeHex, equalBytes, u64 } from '../../../src/base/bytes.ts'
import { isUuid, uuidv7 } from '../../../src/base/uuid.ts'

const bytes = fc.uint8Array({ maxLength: 100 })

describe('base64', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(bytes, (given) => {
        expect(decodeBase64(encodeBase64(given))).toEqual(given)
        expect(decodeBase64Url(encodeBase64Url(given))).toEqual(given)
      }),
    )
  })

  it.each(['A', 'AA', 'AAA', 'AB==', 'AAB=', 'AA=A', 'AA\n=', 'A A=', '====', 'AA-_', 'AAA=AAA='])(
    'refuses %j, which is not the one text of any bytes',
    (text) => {
      expect(decodeBase64(text)).toBeUndefined()
    },
  )

  it.each(['A', 'AB', 'AA==', 'AA+/'])('refuses %j as base64url', (text) => {
    expect(decodeBase64Url(text)).toBeUndefined()
  })
})

describe('hex and bytes', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(bytes, (given) => {
        expect(decodeHex(encodeHex(given))).toEqual(given)
      }),
    )
  })

  it.each(['0', 'AA', 'zz', ' 00'])('refuses %j', (text) => {
    expect(decodeHex(text)).toBeUndefined()
  })

  it('joins, compares and counts', () => {
    expect(concat(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))).toEqual(
      Uint8Array.of(1, 2, 3),
    )
    expect(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 2))).toBe(false)
    expect(encodeHex(u64(2 ** 53 - 1))).toBe('001fffffffffffff')
  })
})

describe('where there is no Buffer', () => {
  /** The encodings, loaded anew without Node's Buffer. */
  async function loadWithoutBuffer() {
    const { Buffer } = globalThis
    vi.resetModules()
    try {
      Reflect.deleteProperty(globalThis, 'Buffer')
      return {
        ...(await import('../../../src/base/base64.ts')),
        ...(await import('../../../src/base/bytes.ts')),
      }
    } finally {
      globalThis.Buffer = Buffer
    }
  }

  it('the same bytes have the same text, and the same text is refused', async () => {
    const portable = await loadWithoutBuffer()
    expect(portable.hasBuffer).toBe(false)
    const every = Uint8Array.from({ length: 256 }, (_, n) => n)
    // Within a larger buffer too: what lies around is no part of it.
    for (const given of [
      every,
      every.subarray(7, 200),
      ...[0, 1, 2, 3].map((n) => every.slice(0, n)),
    ]) {
      expect(portable.encodeHex(given)).toBe(encodeHex(given))
      expect(portable.encodeBase64(given)).toBe(encodeBase64(given))
      expect(portable.encodeBase64Url(given)).toBe(encodeBase64Url(given))
      expect(portable.decodeBase64(encodeBase64(given))).toEqual(given)
      expect(portable.decodeBase64Url(encodeBase64Url(given))).toEqual(given)
    }
    for (const text of ['A', 'AB==', 'AAB=', 'AA=A', '====', 'AA-_'])
      expect(portable.decodeBase64(text)).toBeUndefined()
    for (const text of ['A', 'AB', 'AA==', 'AA+/'])
      expect(portable.decodeBase64Url(text)).toBeUndefined()
  })
})

describe('UUIDv7', () => {
  it('carries its time in front and sorts by it', () => {
    const random = new Uint8Array(10).fill(0xff)
    const id = uuidv7(1_763_719_200_000, random)
    expect(id).toBe('019aa5db-3d00-7fff-bfff-ffffffffffff')
    expect(isUuid(id)).toBe(true)
    expect(uuidv7(1_763_719_200_001, new Uint8Array(10)) > id).toBe(true)
  })

  it('refuses other spellings', () => {
    expect(isUuid('019AA5DB-3D00-7fff-bfff-ffffffffffff')).toBe(false)
    expect(isUuid('019aa5db3d007fffbfffffffffffffff')).toBe(false)
  })
})

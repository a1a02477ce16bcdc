import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { openBeside, sealBeside } from '../../../src/keyring/sealed-secret.ts'

const holder = () => new Secret(new Uint8Array(32).fill(1))
const secret = () => new Secret(new Uint8Array(24).fill(7))
const context = utf8('{"id":"hook"}')
const refused = expect.objectContaining({ code: 'OPEN_FAILED' }) as Error

describe('a secret beside the keys', () => {
  const sealed = sealBeside(holder(), secret(), context)

  it('opens for whoever holds the master key, in its context', () => {
    expect(sealed).toHaveLength(32 + 24 + 16)
    using opened = openBeside(holder(), sealed, context)
    expect(opened.use((bytes) => [...bytes])).toEqual(Array.from({ length: 24 }, () => 7))
  })

  it('is sealed otherwise each time', () => {
    expect(sealBeside(holder(), secret(), context)).not.toEqual(sealed)
  })

  it('opens for nobody else, in no other context, and with no bit changed', () => {
    const other = new Secret(new Uint8Array(32).fill(2))
    expect(() => openBeside(other, sealed, context)).toThrow(refused)
    expect(() => openBeside(holder(), sealed, utf8('{"id":"hooks"}'))).toThrow(refused)
    for (let at = 0; at < sealed.length; at++) {
      const bent = sealed.slice()
      bent[at] = (bent[at] ?? 0) ^ 1
      expect(() => openBeside(holder(), bent, context)).toThrow(refused)
    }
    for (const length of [0, 31, 47, 48, sealed.length - 1])
      expect(() => openBeside(holder(), sealed.slice(0, length), context)).toThrow(refused)
  })
})

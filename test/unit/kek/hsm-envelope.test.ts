import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { openEnvelope, parseEnvelope, sealEnvelope } from '../../../src/kek/hsm-envelope.ts'
import { hsmMechanisms } from '../../../src/kek/hsm-mechanism.ts'

const bytes = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (first + i) % 256)
const inner = (): Secret => new Secret(bytes(32, 1))
const dataKey = (): Secret => new Secret(bytes(32, 100))
const mechanism = 'CKM_AES_KEY_WRAP_KWP'
const context = { header: 'ab'.repeat(32), purpose: 'master', slot: 's' }
const binding = { context, kekId: 'hsm:1:02:03', mechanism }
const wrapped = bytes(40, 7)

const opens = (blob: Uint8Array, key: Secret, place: typeof binding): string => {
  try {
    return openEnvelope(key, parseEnvelope({ blob, mechanism }), place).use(encodeHex)
  } catch (error) {
    if (error instanceof Failure) return error.code
    throw error
  }
}

describe('the blob around what an HSM wrapped', () => {
  const blob = sealEnvelope(inner(), wrapped, binding, dataKey())

  it('is version, the wrapped inner key, commitment and sealed data key, and stays so', () => {
    expect(blob).toHaveLength(1 + 40 + 32 + 48)
    expect(blob[0]).toBe(1)
    expect(encodeHex(blob.subarray(1, 41))).toBe(encodeHex(wrapped))
    expect(encodeHex(blob.subarray(41))).toMatchInlineSnapshot(
      `"360930fead18c54d1d3a69aa169e06047eba7f250e0c89c9d8ce382a7ef724940d7dd9f7b6dc85b275fdc91994926b4810944fc25e175b00a16e50e3a69d71d8e6a5f8724f91471a67eaa90ac1c82408"`,
    )
  })

  it('opens under the same inner key in the same place', () => {
    expect(opens(blob, inner(), binding)).toBe(dataKey().use(encodeHex))
  })

  it('opens under no other inner key, key id, mechanism or context', () => {
    expect(opens(blob, new Secret(bytes(32, 2)), binding)).toBe('OPEN_FAILED')
    for (const other of [
      { ...binding, kekId: 'hsm:1:02:04' },
      { ...binding, mechanism: 'CKM_AES_KEY_WRAP_PAD' },
      { ...binding, context: { ...context, slot: 't' } },
      { ...binding, context: { ...context, purpose: 'mastes' } },
      { ...binding, context: { ...context, header: 'ac'.repeat(32) } },
    ])
      expect(opens(blob, inner(), other)).toBe('OPEN_FAILED')
  })

  it('opens with no byte of version, commitment or ciphertext changed', () => {
    for (const at of [0, ...Array.from({ length: 80 }, (_, i) => 41 + i)]) {
      const changed = blob.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(opens(changed, inner(), binding)).toBe('OPEN_FAILED')
    }
  })

  it.each(hsmMechanisms.map(({ name, wrappedBytes }) => [name, wrappedBytes] as const))(
    'has one length by %s',
    (name, wrappedBytes) => {
      const fits = (length: number): boolean => {
        try {
          parseEnvelope({ blob: Uint8Array.of(1, ...bytes(length - 1, 0)), mechanism: name })
          return true
        } catch {
          return false
        }
      }
      const length = 1 + wrappedBytes + 80
      expect([length - 1, length, length + 1].map(fits)).toEqual([false, true, false])
    },
  )
})

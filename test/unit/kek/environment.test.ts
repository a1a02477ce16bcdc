import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { encodeBase64Url } from '../../../src/base/base64.ts'
import { encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { generateEnvironmentKek, parseEnvironmentKek } from '../../../src/kek/environment-key.ts'
import { createEnvironmentKek } from '../../../src/kek/environment.ts'
import type { KekContext } from '../../../src/kek/kek.ts'

const secretOf = (text: string): Secret => new Secret(utf8(text))
const keyOf = (bytes: ArrayLike<number>): string => encodeBase64Url(Uint8Array.from(bytes))
const counting = Array.from({ length: 32 }, (_, i) => i)
const good = keyOf(counting)
const context: KekContext = { header: '00'.repeat(32), slot: 'slot', purpose: 'master' }

function refusalOf(text: string): string {
  try {
    parseEnvironmentKek(utf8(text), 'COUNTERSIGN_KEK')
  } catch (error) {
    if (error instanceof Failure && error.code === 'CONFIG_INVALID') return error.message
    throw error
  }
  return 'accepted'
}

const withDistinct = (n: number): number[] => counting.map((i) => 200 + Math.min(i, n - 1))

describe('the value of an environment KEK', () => {
  it('is 32 random bytes in unpadded base64url', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => 251 * (i + 1))
    const parsed = parseEnvironmentKek(utf8(encodeBase64Url(bytes)), 'COUNTERSIGN_KEK')
    expect(parsed.use(encodeHex)).toBe(encodeHex(bytes))
  })

  it.each([0, 1, 16, 24, 31, 33, 64])('is refused with %i bytes', (length) => {
    const text = keyOf(Array.from({ length }, (_, i) => i * 5))
    expect(refusalOf(text)).toBe(
      `COUNTERSIGN_KEK has another length than 32 bytes: ${String(length)}`,
    )
  })

  it('needs 16 distinct bytes: 16 pass, 15 do not', () => {
    expect(refusalOf(keyOf(withDistinct(16)))).toBe('accepted')
    expect(refusalOf(keyOf(withDistinct(15)))).toContain('fewer than 16 distinct bytes')
    expect(refusalOf(keyOf(new Uint8Array(32)))).toContain('fewer than 16 distinct bytes')
  })

  it('is refused when all its bytes are printable ASCII, and not when one is none', () => {
    const printable = counting.map((i) => 0x20 + 3 * i)
    expect(Math.max(...printable)).toBeLessThanOrEqual(0x7e)
    expect(refusalOf(keyOf(printable))).toContain('all printable ASCII')
    expect(refusalOf(keyOf([...printable.slice(0, 31), 0x7e]))).toContain('all printable ASCII')
    expect(refusalOf(keyOf([...printable.slice(0, 31), 0x7f]))).toBe('accepted')
    expect(refusalOf(keyOf([0x1f, ...printable.slice(1)]))).toBe('accepted')
    expect(refusalOf(keyOf(utf8('0123456789abcdefghij correct hor')))).toContain('printable ASCII')
  })

  it.each([
    ['padding', `${good}=`],
    ['the standard alphabet', `${'+/'.repeat(21)}A`],
    ['a space', ` ${good}`],
    ['an inner newline', `${good.slice(0, 20)}\n${good.slice(20)}`],
    ['a trailing newline', `${good}\n`],
    ['a character that is not ASCII', `${good.slice(0, 41)}é`],
    ['an impossible length', good.slice(0, 41)],
    ['bits behind the last byte', `${good.slice(0, 42)}9`],
  ])('is refused with %s', (_, text) => {
    expect(refusalOf(text)).toBe('COUNTERSIGN_KEK is not unpadded base64url')
  })

  it('shows nothing of itself in any refusal', () => {
    const values = [
      keyOf(withDistinct(15)),
      keyOf(counting.map((i) => 0x40 + i)),
      keyOf(counting.slice(1)),
      `${good}=`,
    ]
    for (const value of values)
      for (let at = 0; at + 6 <= value.length; at += 6)
        expect(refusalOf(value)).not.toContain(value.slice(at, at + 6))
  })

  it('can be generated: good, and another each time', () => {
    const values = new Set(Array.from({ length: 20 }, generateEnvironmentKek))
    expect(values.size).toBe(20)
    for (const value of values) expect(refusalOf(value)).toBe('accepted')
  })
})

describe('the environment provider', () => {
  it('is named after its key: pinned for the bytes 0 to 31', () => {
    const { metadata } = createEnvironmentKek(secretOf(good))
    expect(metadata).toEqual({
      kind: 'environment',
      kekId: 'env-062ba7bb7ee20a350669433bae7dbe90',
      mechanism: 'AES-256-GCM',
      hardware: false,
      extractable: true,
      durable: true,
    })
  })

  it('opens what an earlier process wrapped under the same key', async () => {
    const wrapped = await createEnvironmentKek(secretOf(good)).wrap(Secret.random(32), context)
    const opened = await createEnvironmentKek(secretOf(good)).unwrap(wrapped, context)
    expect(opened.length).toBe(32)
  })

  it('opens nothing that another key wrapped', async () => {
    const wrapped = await createEnvironmentKek(secretOf(good)).wrap(Secret.random(32), context)
    const other = createEnvironmentKek(secretOf(keyOf(counting.map((i) => i + 1))))
    expect(other.metadata.kekId).not.toBe(wrapped.kekId)
    await expect(other.unwrap(wrapped, context)).rejects.toMatchObject({ code: 'OPEN_FAILED' })
    const claimed = { ...wrapped, kekId: other.metadata.kekId }
    await expect(other.unwrap(claimed, context)).rejects.toMatchObject({ code: 'OPEN_FAILED' })
  })

  it('wipes the text it was given, good or not', () => {
    const text = secretOf(good)
    createEnvironmentKek(text)
    expect(() => text.use((bytes) => bytes.length)).toThrow('after it was wiped')
    const bad = secretOf('bad')
    expect(() => createEnvironmentKek(bad)).toThrow('COUNTERSIGN_KEK ')
    expect(() => bad.use((bytes) => bytes.length)).toThrow('after it was wiped')
  })

  it('shows no key when it is inspected', () => {
    const seen = inspect(createEnvironmentKek(secretOf(good)), { depth: 9, showHidden: true })
    expect(seen).not.toContain(good.slice(0, 8))
    expect(seen).not.toMatch(/Uint8Array|Buffer/)
  })
})

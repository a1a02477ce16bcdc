import type * as NodeCrypto from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { encodeHex, fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { asFailure } from '../../../src/base/failure.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import type { KekContext, WrappedKey } from '../../../src/kek/kek.ts'
import { makePassphrase, parsePassphrase } from '../../../src/kek/passphrase-text.ts'
import { createPassphraseKek } from '../../../src/kek/passphrase.ts'

const count = vi.hoisted(() => ({ derivations: 0 }))
vi.mock('node:crypto', async (load) => {
  const real = await load<typeof NodeCrypto>()
  const scrypt = (...args: Parameters<typeof NodeCrypto.scrypt>): void => {
    count.derivations++
    real.scrypt(...args)
  }
  return { ...real, scrypt }
})

const textOf = (secret: Secret): string => secret.use(fromUtf8)
const parse = (text: string): string => {
  try {
    return textOf(parsePassphrase(utf8(text)))
  } catch (error) {
    const { code, message } = asFailure(error)
    return `${code} ${message}`
  }
}

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** All zeros, whose check digit is zero. */
const zeros = '00000-00000-00000-00000-00000-00000'

describe('a passphrase', () => {
  it('is made of 29 random characters and a check character, in groups', () => {
    const made = Array.from({ length: 200 }, () => textOf(makePassphrase()))
    expect(new Set(made).size).toBe(200)
    const group = `[${alphabet}]{5}`
    for (const text of made) {
      expect(text).toMatch(new RegExp(`^(${group}-){5}${group}$`))
      expect(parse(text)).toBe(text.replaceAll('-', ''))
    }
    const seen = new Set(made.join('').replaceAll('-', ''))
    expect(seen.size).toBe(32)
  })

  it('has the check character that Crockford gives it', () => {
    expect(parse(zeros)).toBe('0'.repeat(30))
    // 2^140 mod 37: 2^36 = 1, so 2^32, which is 1/16 and thus 7, for 7 · 16 = 3 · 37 + 1.
    expect(parse(`1${'0'.repeat(28)}7`)).toBe(`1${'0'.repeat(28)}7`)
    expect(parse(`1${'0'.repeat(28)}6`)).toContain('typo')
  })

  it('is read in any case, with any grouping, and where a character is mistaken for another', () => {
    const text = textOf(makePassphrase())
    const plain = text.replaceAll('-', '')
    const typed = plain.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l')
    for (const same of [plain, typed, ` ${text}\r\n`, plain.replaceAll(/(.{3})/g, '$1 ')])
      expect(parse(same)).toBe(plain)
    expect(parse(`I${'O'.repeat(28)}7`)).toBe(`1${'0'.repeat(28)}7`)
  })

  it('is refused with any one character wrong', () => {
    const plain = textOf(makePassphrase()).replaceAll('-', '')
    for (let at = 0; at < plain.length; at++)
      for (const char of alphabet.replace(plain.charAt(at), ''))
        expect(parse(plain.slice(0, at) + char + plain.slice(at + 1))).toContain('typo')
  })

  it('is refused with any two neighbours exchanged', () => {
    const plain = textOf(makePassphrase()).replaceAll('-', '')
    for (let at = 0; at + 1 < plain.length; at++) {
      const [a, b] = [plain.charAt(at), plain.charAt(at + 1)]
      if (a !== b) expect(parse(plain.slice(0, at) + b + a + plain.slice(at + 2))).toContain('typo')
    }
  })

  it.each([
    ['', 'must have 30 characters besides hyphens: 0'],
    ['0'.repeat(29), 'must have 30 characters besides hyphens: 29'],
    ['0'.repeat(31), 'must have 30 characters besides hyphens: 31'],
    ['0'.repeat(300), 'must have 30 characters'],
    [`${zeros}${' '.repeat(222)}`, 'must have 30 characters'],
    [`${zeros.slice(0, -1)}U`, 'has a character that none has, after so many: 29'],
    ['correct horse battery staple', 'must have 30 characters besides hyphens: 25'],
    ['hunter2', 'has a character'],
    [`${zeros.slice(0, -1)}*`, 'has a character'],
    [`${zeros.slice(0, -1)}é`, 'has a character'],
  ])('is refused with a word about what is wrong: %j', (text, why) => {
    expect(parse(text)).toContain('INPUT_INVALID Passphrase')
    expect(parse(text)).toContain(why)
  })

  it('may have as much white space as fits 256 bytes', () => {
    expect(parse(`${zeros}${' '.repeat(221)}`)).toBe('0'.repeat(30))
  })

  it('stands in no message', () => {
    const plain = textOf(makePassphrase()).replaceAll('-', '')
    for (const wrong of [`${plain}0`, plain.slice(1), `${plain.slice(0, -1)}*`])
      for (const part of [plain.slice(0, 5), plain.slice(-5)])
        expect(parse(wrong)).not.toContain(part)
  })
})

describe('the provider of a passphrase', () => {
  const context: KekContext = { header: 'ab'.repeat(32), slot: 'slot', purpose: 'master' }
  const text = textOf(makePassphrase())
  const salt = Uint8Array.from({ length: 16 }, (_, i) => i)
  const create = (typed = text, under: Uint8Array | undefined = salt) =>
    createPassphraseKek(new Secret(utf8(typed)), under)
  const codeOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'opened',
      (error: unknown) => asFailure(error).code,
    )

  it('takes the text over, and wipes it, good or not', () => {
    const [good, bad] = [new Secret(utf8(text)), new Secret(utf8(`${text}0`))]
    createPassphraseKek(good)
    expect(() => createPassphraseKek(bad)).toThrow('Passphrase must have 30 characters')
    for (const secret of [good, bad]) expect(() => secret.use(() => 0)).toThrow('wiped')
  })

  it.each([0, 15, 17])('wraps under no salt of %i bytes', (length) => {
    expect(() => create(text, new Uint8Array(length))).toThrow('Salt must have 16 bytes')
  })

  it('has a new name for each creation, which tells the salt and nothing else', () => {
    const names = [1, 2].map(() => createPassphraseKek(new Secret(utf8(text))).metadata.kekId)
    expect(new Set(names).size).toBe(2)
    for (const name of names) expect(name).toMatch(/^passphrase-[0-9a-f]{32}$/)
    expect(create(zeros).metadata.kekId).toBe(create().metadata.kekId)
    expect(create().metadata.kekId).toBe(`passphrase-${encodeHex(salt)}`)
  })

  it('derives once for each salt, however many are wrapped and opened at once', async () => {
    count.derivations = 0
    const kek = create()
    const other = create(
      text,
      salt.map((byte) => byte ^ 1),
    )
    const keys = Array.from({ length: 20 }, () => Secret.random(32))
    const blobs = await Promise.all(keys.map((key) => kek.wrap(key, context)))
    const foreign = await other.wrap(Secret.random(32), context)
    await Promise.all(blobs.map((blob) => kek.unwrap(blob, context)))
    expect(count.derivations).toBe(2)
    await Promise.all([kek.unwrap(foreign, context), kek.unwrap(foreign, context)])
    expect(count.derivations).toBe(3)
    await Promise.all([kek.close(), other.close()])
  })

  it('opens what was wrapped under another salt, and not what another passphrase wrapped', async () => {
    const wrapped = await create(text).wrap(Secret.random(32), context)
    const again = createPassphraseKek(new Secret(utf8(text.toLowerCase())))
    expect(await codeOf(again.unwrap(wrapped, context))).toBe('opened')
    expect(await codeOf(create(zeros).unwrap(wrapped, context))).toBe('OPEN_FAILED')
  })

  it('says its parameters in the blob, and spends nothing on others', async () => {
    const kek = create()
    const { blob, ...rest } = await kek.wrap(Secret.random(32), context)
    expect(encodeHex(blob.subarray(0, 20))).toBe(`01110801${encodeHex(salt)}`)
    expect(blob).toHaveLength(20 + 12 + 32 + 16)
    const fresh = create()
    count.derivations = 0
    for (const [at, value] of [
      [0, 2],
      [1, 16],
      [1, 18],
      [1, 31],
      [2, 9],
      [3, 255],
      [4, 255],
    ] as const) {
      const forged: WrappedKey = { ...rest, blob: blob.slice() }
      forged.blob[at] = value
      expect(await codeOf(fresh.unwrap(forged, context))).toBe('OPEN_FAILED')
    }
    expect(count.derivations).toBe(0)
    // The salt is not authenticated by itself: with the name that fits it, it makes another key.
    const salted = { ...rest, blob: blob.slice() }
    salted.blob[4] = 255
    const kekId = `passphrase-ff${encodeHex(salt).slice(2)}`
    expect(await codeOf(fresh.unwrap({ ...salted, kekId }, context))).toBe('OPEN_FAILED')
    expect(count.derivations).toBe(1)
  })

  it('gives up what is being derived when it is closed', async () => {
    const kek = create()
    const wrapping = codeOf(kek.wrap(Secret.random(32), context))
    await kek.close()
    expect(await wrapping).toBe('KEK_UNAVAILABLE')
  })
})

it('derives what RFC 7914 says, of a passphrase that is pinned here with its blob', async () => {
  const kek = createPassphraseKek(new Secret(utf8(zeros)))
  const blob = Uint8Array.from(Buffer.from(pinned, 'hex'))
  const wrapped = { kekId: `passphrase-${'00'.repeat(16)}`, mechanism: 'scrypt+AES-256-GCM', blob }
  const opened = await kek.unwrap(wrapped, { header: 'h', slot: 's', purpose: 'p' })
  expect(opened.use(encodeHex)).toBe('07'.repeat(32))
})

const pinned =
  '01110801000000000000000000000000000000000000000000000000000000001c25e588dc14e800a073e1d0b2231a16be7e92b9bce023f287d93badfda9815f39b7af60d0b83cc37370472e7cbe8a3a'

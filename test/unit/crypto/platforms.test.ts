import { beforeEach, describe, expect, it, vi } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import * as realHpke from '../../../src/crypto/hpke.ts'
import { native, type NativeCrypto } from '../../../src/crypto/native.ts'
import { Secret as RealSecret } from '../../../src/crypto/secret.ts'
import { signatureAlgorithms as realAlgorithms } from '../../../src/crypto/signatures.ts'
import * as realSlot from '../../../src/crypto/slot.ts'
import { counting, present } from './engines.ts'

const seam = '../../../src/crypto/native.ts'
const message = utf8('m')
const place = { id: 's', provider: 'p', kekId: 'k', mechanism: 'm' }

/** Loads the room anew as a platform would that has this in the place of node:crypto. */
function onPlatform(crypto: NativeCrypto | undefined): void {
  vi.resetModules()
  vi.doMock(seam, async (importOriginal) => ({
    ...(await importOriginal<object>()),
    native: crypto,
  }))
}

const load = async () => ({
  ...(await import('../../../src/crypto/signatures.ts')),
  ...(await import('../../../src/crypto/ml-dsa.ts')),
  ...(await import('../../../src/crypto/ed25519.ts')),
  ...(await import('../../../src/crypto/composite.ts')),
  ...(await import('../../../src/crypto/x-wing.ts')),
  ...(await import('../../../src/crypto/hpke.ts')),
  ...(await import('../../../src/crypto/slot.ts')),
  ...(await import('../../../src/crypto/hash.ts')),
  ...(await import('../../../src/crypto/aead.ts')),
  ...(await import('../../../src/crypto/secret.ts')),
})

describe('without node:crypto', () => {
  beforeEach(() => {
    onPlatform(undefined)
  })

  it('everything takes its portable path', async () => {
    const room = await load()
    expect(room.ed25519).toBe(room.ed25519Portable)
    expect(room.mlDsa44).toBe(room.mlDsa44Portable)
    expect(room.mlDsa65).toBe(room.mlDsa65Portable)
    expect(room.composite).toBe(room.compositePortable)
    expect(room.xWing).toBe(room.xWingPortable)
    expect(room.aes256Gcm).toBe(room.aes256GcmPortable)
    expect(room.nativeHashes).toBeUndefined()
  })

  it('signs what a verifier with node:crypto accepts, and the other way round', async () => {
    const room = await load()
    for (const algorithm of Object.values(room.signatureAlgorithms)) {
      const seed = counting(algorithm.seedBytes)
      const signer = algorithm.signer(new room.Secret(seed.slice()))
      const real = realAlgorithms[algorithm.name]
      const realSigner = real.signer(new RealSecret(seed))
      expect(signer.publicKey).toEqual(realSigner.publicKey)
      expect(real.verify(signer.publicKey, message, await signer.signAsync(message))).toBe(true)
      const signature = realSigner.sign(message)
      expect(await algorithm.verifyAsync(signer.publicKey, message, signature)).toBe(true)
      expect(algorithm.verify(signer.publicKey, utf8('n'), signature)).toBe(false)
    }
  })

  it('opens what was sealed with node:crypto, and the other way round', async () => {
    const room = await load()
    const [seed, info, aad] = [counting(32), counting(3), counting(4)]
    const publicKey = room.xWing.publicKey(seed)
    const there = room.sealBase(publicKey, info, aad, message)
    expect(realHpke.openBase(seed, there.enc, info, aad, there.ciphertext)).toEqual(message)
    const back = realHpke.sealBase(publicKey, info, aad, message)
    expect(room.openBase(seed, back.enc, info, aad, back.ciphertext)).toEqual(message)

    const header = utf8('{}')
    const dek = new room.Secret(counting(32))
    const realDek = new RealSecret(counting(32))
    const sealed = room.sealSlot(dek, header, place, room.Secret.random(32))
    expect(realSlot.openSlot(realDek, header, place, sealed).length).toBe(32)
    const realSealed = realSlot.sealSlot(realDek, header, place, RealSecret.random(32))
    expect(room.openSlot(dek, header, place, realSealed).length).toBe(32)
  })
})

describe('on a Node that lacks the post-quantum algorithms', () => {
  const crypto = present(native)
  /** node:crypto with one function replaced. */
  const but = (changed: Partial<NativeCrypto>): NativeCrypto => ({ ...crypto, ...changed })
  const refuse = (): never => {
    throw new Error('Unsupported')
  }

  it('takes noble for what is missing and node:crypto for the rest', async () => {
    onPlatform(but({ createPublicKey: refuse, encapsulate: refuse }))
    const room = await load()
    expect(room.mlDsa65).toBe(room.mlDsa65Portable)
    expect(room.xWing).toBe(room.xWingPortable)
    expect(room.composite).toBe(room.compositePortable)
    expect(room.nativeHashes).toBeDefined()
    expect(room.ed25519).toBe(room.ed25519Native)
  })

  it('takes noble where contexts are ignored silently, as in Node 24.6', async () => {
    const verify = ((algorithm, data, key, signature) =>
      crypto.verify(
        algorithm,
        data,
        (key as { key: never }).key,
        signature,
      )) as typeof crypto.verify
    onPlatform(but({ verify }))
    const room = await load()
    expect(room.mlDsa44).toBe(room.mlDsa44Portable)
    expect(room.composite).toBe(room.compositePortable)
    expect(room.ed25519).toBe(room.ed25519Native)
  })
})

describe('on an engine that accepts every signature', () => {
  const crypto = present(native)
  const imported = vi.fn()
  const lenient = {
    ...crypto,
    verify: ((...input: unknown[]) => {
      const callback = input.at(4) as ((error: null, good: boolean) => void) | undefined
      callback?.(null, true)
      return true
    }) as unknown as typeof crypto.verify,
    createPublicKey: ((input: Parameters<typeof crypto.createPublicKey>[0]) => {
      imported()
      return crypto.createPublicKey(input)
    }) as typeof crypto.createPublicKey,
  }
  const loadEd25519 = async () => {
    onPlatform(lenient)
    return present((await import('../../../src/crypto/ed25519.ts')).ed25519Native)
  }
  const littleEndian = (n: bigint): Uint8Array =>
    Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 0xffn))
  const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n
  const fieldOrder = 2n ** 255n - 19n
  const good = littleEndian(fieldOrder - 2n)
  const signatureOf = (R: Uint8Array, S: bigint) => Uint8Array.of(...R, ...littleEndian(S))

  it('S ends below L', async () => {
    const ed25519 = await loadEd25519()
    const verdict = (S: bigint) => ed25519.verify(good, message, signatureOf(good, S))
    expect([0n, 1n, groupOrder - 1n].map(verdict)).toEqual([true, true, true])
    const beyond = [groupOrder, groupOrder + 1n, 2n ** 253n, 2n ** 256n - 1n]
    expect(beyond.map(verdict)).toEqual([false, false, false, false])
  })

  it('y ends below p, in key and in R, whatever the sign', async () => {
    const ed25519 = await loadEd25519()
    for (const sign of [0n, 2n ** 255n]) {
      const verdicts = (y: bigint) => [
        ed25519.verify(littleEndian(y + sign), message, signatureOf(good, 1n)),
        ed25519.verify(good, message, signatureOf(littleEndian(y + sign), 1n)),
      ]
      expect(verdicts(fieldOrder - 2n)).toEqual([true, true])
      for (const y of [fieldOrder, fieldOrder + 2n, fieldOrder + 3n, 2n ** 255n - 1n])
        expect(verdicts(y)).toEqual([false, false])
      for (const y of [0n, 1n, fieldOrder - 1n]) expect(verdicts(y)).toEqual([false, false])
      expect(verdicts(2n)).toEqual([true, true])
    }
  })

  it('lengths and contexts are looked at before', async () => {
    const ed25519 = await loadEd25519()
    const signature = signatureOf(good, 1n)
    for (const bad of [good.subarray(1), Uint8Array.of(...good, 0)])
      expect(ed25519.verify(bad, message, signature)).toBe(false)
    for (const bad of [signature.subarray(1), Uint8Array.of(...signature, 0)])
      expect(ed25519.verify(good, message, bad)).toBe(false)
    expect(ed25519.verify(good, message, signature, counting(1))).toBe(false)
    expect(await ed25519.verifyAsync(good, message, signature)).toBe(true)
    expect(await ed25519.verifyAsync(good.subarray(1), message, signature)).toBe(false)
  })

  it('the composite looks at its own lengths, too', async () => {
    const { compositeOf } = await import('../../../src/crypto/composite.ts')
    const accept = (name: 'ML-DSA-65' | 'Ed25519') => ({
      ...realAlgorithms[name],
      verify: () => true,
      verifyAsync: () => Promise.resolve(true),
    })
    const lax = compositeOf(accept('ML-DSA-65'), accept('Ed25519'))
    const verdict = (key: number, digest: number, signature: number, context: number) =>
      lax.verifyDigest(counting(key), counting(digest), counting(signature), counting(context))
    expect(verdict(1984, 64, 3373, 255)).toBe(true)
    for (const key of [1983, 1985]) expect(verdict(key, 64, 3373, 0)).toBe(false)
    for (const digest of [0, 63, 65]) expect(verdict(1984, digest, 3373, 0)).toBe(false)
    for (const signature of [3372, 3374]) expect(verdict(1984, 64, signature, 0)).toBe(false)
    expect(verdict(1984, 64, 3373, 256)).toBe(false)
  })

  it('imports a key once as long as it is in use, and forgets of 65 the one not used for longest', async () => {
    const ed25519 = await loadEd25519()
    const signature = signatureOf(good, 1n)
    const key = (i: number) => littleEndian(BigInt(1000 + i))
    const meet = (i: number) => ed25519.verify(key(i), message, signature)
    imported.mockClear()
    for (let i = 0; i < 64; i++) meet(i)
    for (let i = 0; i < 64; i++) meet(i)
    expect(imported).toHaveBeenCalledTimes(64)
    meet(0)
    meet(64)
    expect(imported).toHaveBeenCalledTimes(65)
    for (const i of [0, 2, 63, 64]) meet(i)
    expect(imported).toHaveBeenCalledTimes(65)
    meet(1)
    expect(imported).toHaveBeenCalledTimes(66)
  })
})

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

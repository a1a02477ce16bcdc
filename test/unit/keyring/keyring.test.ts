import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { concat, encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { signatureAlgorithms } from '../../../src/crypto/signatures.ts'
import { keyIdOf } from '../../../src/crypto/spki.ts'
import { isUuid } from '../../../src/base/uuid.ts'
import type { KekProvider } from '../../../src/kek/kek.ts'
import { createMemoryKek } from '../../../src/kek/memory.ts'
import type { Keyring } from '../../../src/keyring/keyring.ts'
import { fastKinds, kinds } from '../../../src/dossier/kinds.ts'
import {
  clock,
  create,
  environmentKek,
  failureOf,
  keyOf,
  positions,
  provider,
  refusalOf,
  unseal,
} from './fixture.ts'

const message = utf8('message')

describe('a new keyring', () => {
  it('signs with the keys whose public halves it lists', async () => {
    const { keyring } = await create()
    const { evidence, fast, log } = keyring
    const context = utf8('countersign/decision/v1')
    const { 'id-MLDSA65-Ed25519-SHA512': composite, Ed25519 } = signatureAlgorithms
    expect(
      composite.verify(
        evidence.publicKey,
        message,
        evidence.signer.sign(message, context),
        context,
      ),
    ).toBe(true)
    expect(Ed25519.verify(fast.publicKey, message, fast.signer.sign(message))).toBe(true)
    for (const signer of [log.ed25519, log.mlDsa44])
      expect(signer.algorithm.verify(signer.publicKey, message, signer.sign(message))).toBe(true)
    const [listedEvidence, listedFast, listedLog] = keyring.list()
    expect(listedEvidence?.publicKey).toEqual(evidence.signer.publicKey)
    expect(listedFast?.publicKey).toEqual(fast.signer.publicKey)
    expect(listedLog?.publicKey).toEqual(concat(log.ed25519.publicKey, log.mlDsa44.publicKey))
  })

  it('names the keys that sign entries by their SPKI, and log keys not at all', async () => {
    const { keyring, stored } = await create()
    const { evidence, fast } = keyring
    expect(evidence.keyid).toBe(keyIdOf(evidence.signer.algorithm, evidence.publicKey))
    expect(fast.keyid).toBe(keyIdOf(fast.signer.algorithm, fast.publicKey))
    expect(keyOf(stored, 'evidence').keyid).toBe(evidence.keyid)
    expect(keyring.list().map(({ keyid }) => keyid)).toEqual([evidence.keyid, fast.keyid, null])
  })

  it('lists every key with purpose, algorithm, profile, kinds and positions', async () => {
    const { keyring } = await create()
    const common = { version: 1, state: 'active', to: null, revokedAt: null, createdAt: clock() }
    expect(keyring.list()).toMatchObject([
      {
        ...common,
        purpose: 'evidence',
        algorithm: 'id-MLDSA65-Ed25519-SHA512',
        profile: 'each',
        kinds,
        from: positions.evidence,
      },
      {
        ...common,
        purpose: 'fast',
        algorithm: 'Ed25519',
        profile: 'checkpoint',
        kinds: fastKinds,
        from: positions.fast,
      },
      {
        ...common,
        purpose: 'log',
        algorithm: 'Ed25519+ML-DSA-44',
        profile: null,
        kinds: [],
        from: positions.log,
      },
    ])
    expect(keyring.log.from).toBe(positions.log)
    expect(keyring.master.version).toBe(1)
    expect(keyring.masterPublicKey.length).toBe(1216)
    expect(keyring.epoch).toBe(1)
    expect(keyring.openedBy).toBe(provider.metadata)
  })

  it('shares no key with another, and each key has an id of its own', async () => {
    const [first, second] = [await create(), await create()]
    const keys = [...first.keyring.list(), ...second.keyring.list()]
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(6)
    expect(keys.every(({ keyId }) => isUuid(keyId) && keyId[14] === '7')).toBe(true)
    expect(new Set(keys.map(({ publicKey }) => encodeHex(publicKey))).size).toBe(6)
    expect(encodeHex(first.keyring.masterPublicKey)).not.toBe(
      encodeHex(second.keyring.masterPublicKey),
    )
    const { log, fast, evidence } = first.keyring
    const halves = [log.ed25519.publicKey, fast.publicKey, evidence.publicKey.slice(1952)]
    expect(new Set(halves.map(encodeHex)).size).toBe(3)
  })

  it('is not made for no provider, nor by one that cannot open what it wrapped', async () => {
    expect((await failureOf(create({ providers: [] }))).code).toBe('BUG')
    const other = createMemoryKek()
    const oneWay: KekProvider = {
      metadata: provider.metadata,
      wrap: (key, context) => other.wrap(key, context),
      unwrap: (wrapped, context) => provider.unwrap(wrapped, context),
      probe: () => provider.probe(),
      close: () => provider.close(),
    }
    expect((await failureOf(create({ providers: [provider, oneWay] }))).code).toBe('OPEN_FAILED')
  })

  it('shows no private key when it is inspected', async () => {
    const { keyring } = await create()
    const seen = inspect(keyring, { depth: 9, showHidden: true })
    expect(seen).toContain('masterPublicKey')
    expect(seen).not.toMatch(/seed|privateKey/i)
  })
})

describe('a keyring that was unsealed', () => {
  it('is the one that was made', async () => {
    const { keyring, stored } = await create()
    const again = await unseal(stored)
    expect(again.list()).toEqual(keyring.list())
    expect(again.evidence.keyid).toBe(keyring.evidence.keyid)
    const signature = again.evidence.signer.sign(message)
    const { algorithm } = keyring.evidence.signer
    expect(algorithm.verify(keyring.evidence.publicKey, message, signature)).toBe(true)
  })

  it('signs no more once it is closed, but can still be listed', async () => {
    const { keyring } = await create()
    keyring.close()
    const { evidence, fast, log } = keyring
    for (const signer of [evidence.signer, fast.signer, log.ed25519, log.mlDsa44])
      expect(() => signer.sign(message)).toThrow(expect.objectContaining({ code: 'BUG' }))
    expect(() => keyring.reseal([])).toThrow(expect.objectContaining({ code: 'BUG' }))
    expect(keyring.list().length).toBe(3)
  })

  it('opens at the pinned epoch and after it, not before', async () => {
    const { keyring, stored } = await create()
    const second = keyring.reseal([])
    expect((await unseal(second, { pinnedEpoch: 1 })).epoch).toBe(2)
    expect((await unseal(second, { pinnedEpoch: 2 })).epoch).toBe(2)
    expect(await refusalOf(unseal(stored, { pinnedEpoch: 2 }))).toBe(
      'KEY_STORE_REFUSED: Key store is older than the pinned one: epoch 1 < 2',
    )
  })

  it('opens under the master public key demanded, and under no other', async () => {
    const { keyring, stored } = await create()
    const masterPublic = keyring.masterPublicKey.slice()
    expect((await unseal(stored, { masterPublic })).epoch).toBe(1)
    masterPublic[1215] = (masterPublic[1215] ?? 0) ^ 1
    const refused = 'KEY_STORE_REFUSED: Master public key is not the one demanded'
    expect(await refusalOf(unseal(stored, { masterPublic }))).toBe(refused)
    const other = (await create()).keyring.masterPublicKey
    expect(await refusalOf(unseal(stored, { masterPublic: other }))).toBe(refused)
    expect(await refusalOf(unseal(stored, { masterPublic: new Uint8Array(0) }))).toBe(refused)
  })
})

describe('the secrets of a keyring', () => {
  /** Every secret that `run` had in hands and that is not wiped after it. */
  async function living(run: () => Promise<unknown>): Promise<Set<Secret>> {
    const use = vi.spyOn(Secret.prototype, 'use')
    await run()
    const seen = new Set(use.mock.contexts as Secret[])
    use.mockRestore()
    expect(seen.size).toBeGreaterThan(3)
    return new Set([...seen].filter(isAlive))
  }
  const isAlive = (secret: Secret): boolean => {
    try {
      return secret.use(() => true)
    } catch {
      return false
    }
  }

  it('are gone when it is open, but for the key of the manifest, and that when it is closed', async () => {
    const memory = createMemoryKek()
    let opened: Keyring | undefined
    const left = await living(async () => {
      ;({ keyring: opened } = await create({ providers: [memory] }))
      await memory.close()
    })
    expect(left.size).toBe(1)
    opened?.close()
    expect([...left].some(isAlive)).toBe(false)
  })

  it('are gone when it was refused', async () => {
    const { stored } = await create()
    const own = environmentKek()
    const left = await living(async () => {
      await failureOf(unseal(stored, { providers: [own], pinnedEpoch: 9 }))
      await own.close()
    })
    expect(left.size).toBe(0)
  })
})

describe('the providers of a keyring', () => {
  const memory = createMemoryKek()

  it('each open it alone', async () => {
    const { stored } = await create({ providers: [provider, memory] })
    expect(stored.slots.length).toBe(2)
    for (const only of [provider, memory]) {
      const keyring = await unseal(stored, { providers: [only] })
      expect(keyring.openedBy).toBe(only.metadata)
      expect(keyring.refusals).toEqual([])
    }
  })

  it('are asked in the order given, not in that of the slots', async () => {
    const { stored } = await create({ providers: [provider, memory] })
    const keyring = await unseal(stored, { providers: [memory, provider] })
    expect(keyring.openedBy.kind).toBe('memory')
  })

  it('stand in for one another in that order, and it can be seen', async () => {
    const closed = environmentKek()
    const { stored } = await create({ providers: [closed, memory] })
    await closed.close()
    const keyring = await unseal(stored, { providers: [closed, memory] })
    expect(keyring.openedBy.kind).toBe('memory')
    expect(keyring.refusals).toEqual(['environment: Key provider is closed: environment'])
  })

  it('do not stand in unless they are given, however many slots there are', async () => {
    const { stored } = await create({ providers: [provider, memory] })
    const wrong = environmentKek(150)
    expect((await failureOf(unseal(stored, { providers: [wrong] }))).code).toBe('OPEN_FAILED')
  })

  it('are named when theirs is the wrong KEK, with no hint of any key', async () => {
    const { stored } = await create()
    const wrong = environmentKek(150)
    expect(await refusalOf(unseal(stored, { providers: [wrong] }))).toBe(
      'OPEN_FAILED: Master key was not opened. environment: this is the wrong KEK, the slot was made by ' +
        `${provider.metadata.kekId} and this is ${wrong.metadata.kekId}`,
    )
  })

  it('report an outage before a wrong KEK, whichever comes first', async () => {
    const closed = createMemoryKek()
    const { stored } = await create({ providers: [closed, provider] })
    await closed.close()
    const wrong = environmentKek(150)
    for (const providers of [
      [closed, wrong],
      [wrong, closed],
    ]) {
      const failure = await failureOf(unseal(stored, { providers }))
      expect(failure.code).toBe('KEK_UNAVAILABLE')
      expect(failure.message).toContain('memory: Key provider is closed')
      expect(failure.message).toContain('environment: this is the wrong KEK')
    }
  })

  it('are told when no slot is for them', async () => {
    const { stored } = await create()
    expect(await refusalOf(unseal(stored, { providers: [memory] }))).toBe(
      'CONFIG_INVALID: Master key has slots for environment, and the provider given is memory: start with --kek and one that it has',
    )
  })

  it('are not passed over for a bug in one of them', async () => {
    const { stored } = await create({ providers: [provider, memory] })
    const broken: KekProvider = {
      metadata: provider.metadata,
      wrap: (key, context) => provider.wrap(key, context),
      unwrap: () => Promise.reject(new TypeError('broken')),
      probe: () => provider.probe(),
      close: () => provider.close(),
    }
    const failure = await failureOf(unseal(stored, { providers: [broken, memory] }))
    expect(failure.code).toBe('BUG')
  })
})

import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { renewMaster, makeSlots } from '../../../src/keyring/new-master.ts'
import { makeKey } from '../../../src/keyring/new-key.ts'
import {
  destroySealedKey,
  formatSealedKey,
  parseSealedKey,
} from '../../../src/keyring/sealed-key.ts'
import type { StoredKey, StoredKeys } from '../../../src/store/store.ts'
import type { Keyring } from '../../../src/keyring/keyring.ts'
import {
  clock,
  create,
  edit,
  environmentKek,
  identity,
  keyOf,
  provider,
  refusalOf,
  relist,
  unseal,
} from './fixture.ts'

/** A key store with a second evidence key that waits. */
async function withPending(): Promise<{ stored: StoredKeys; next: StoredKey; keyring: Keyring }> {
  const { keyring } = await create()
  const next = makeKey(keyring.masterHeader, 'evidence', 2, clock())
  const stored = keyring.reseal([], { added: [next] })
  return { keyring: await unseal(stored), next, stored }
}

const exchange = (keyring: Keyring, old: StoredKey, next: StoredKey, at: number): StoredKeys =>
  keyring.reseal([
    { keyId: old.keyId, state: 'retired', to: at },
    { from: at, keyId: next.keyId, state: 'active' },
  ])

describe('a pending key', () => {
  it('was opened by unsealing, and signs once it is adopted as active', async () => {
    const { keyring, next, stored } = await withPending()
    const old = keyOf(stored, 'evidence')
    expect(keyring.evidence.keyId).toBe(old.keyId)
    const after = exchange(keyring, old, next, 9)
    expect(keyring.preview(after).map(({ state }) => state)).toContain('retired')
    expect(keyring.evidence.keyId).toBe(old.keyId)
    keyring.adopt(after)
    expect(keyring.evidence).toMatchObject({ from: 9, keyId: next.keyId, version: 2 })
    const { publicKey, signer } = keyring.evidence
    const message = new Uint8Array(3)
    const { algorithm } = signer
    expect(algorithm.verify(publicKey, message, signer.sign(message))).toBe(true)
    expect((await unseal(after)).evidence.keyId).toBe(next.keyId)
  })

  it('is not adopted by a keyring that never opened it', async () => {
    const { keyring } = await create()
    const next = makeKey(keyring.masterHeader, 'evidence', 2, clock())
    keyring.adopt(keyring.reseal([], { added: [next] }))
    const after = exchange(keyring, keyOf(keyring.stored, 'evidence'), next, 9)
    expect(() => {
      keyring.adopt(after)
    }).toThrow('Key was not opened: evidence v2')
    expect(keyring.epoch).toBe(2)
  })

  it('is refused where its record was exchanged, though nothing signs with it yet', async () => {
    const { keyring, next, stored } = await withPending()
    const other = makeKey(keyring.masterHeader, 'evidence', 2, clock())
    const keys = stored.keys.map((key) => (key.keyId === next.keyId ? other : key))
    expect(await refusalOf(unseal({ ...stored, keys }))).toMatch(
      /^KEY_STORE_REFUSED: Key is not listed: evidence v2/,
    )
    const swapped = stored.keys.map((key) =>
      key.keyId === next.keyId ? { ...key, from: 3, state: 'active' as const } : key,
    )
    expect(await refusalOf(unseal({ ...stored, keys: swapped }))).toMatch(
      /^KEY_STORE_REFUSED: Key is listed as pending/,
    )
  })

  it('must be new when it is put in', async () => {
    const { keyring } = await create()
    const next = { ...makeKey(keyring.masterHeader, 'evidence', 2, clock()), from: 1 }
    expect(() => keyring.reseal([], { added: [{ ...next, state: 'active' }] })).toThrow(
      'New key is pending',
    )
  })
})

describe('a destroyed key', () => {
  async function destroyed(): Promise<{ stored: StoredKeys; old: StoredKey }> {
    const { keyring, next, stored } = await withPending()
    const old = keyOf(stored, 'evidence')
    keyring.adopt(exchange(keyring, old, next, 9))
    const body = keyring.bodyWithoutKey(old.keyId)
    return { old, stored: keyring.reseal([{ body, keyId: old.keyId, state: 'destroyed' }]) }
  }

  it('leaves its header and nothing sealed', async () => {
    const { old, stored } = await destroyed()
    const body = stored.keys.find(({ keyId }) => keyId === old.keyId)?.body ?? new Uint8Array(0)
    const sealed = parseSealedKey(old.body)
    expect(parseSealedKey(body)).toEqual({ ...sealed, ciphertext: null, enc: null })
    expect(body).toEqual(formatSealedKey(destroySealedKey(sealed)))
    expect((await unseal(stored)).list().map(({ state }) => state)).toContain('destroyed')
  })

  it('is refused with its record back, and a record without its key under another state', async () => {
    const { old, stored } = await destroyed()
    const back = stored.keys.map((key) =>
      key.keyId === old.keyId ? { ...key, body: old.body } : key,
    )
    expect(await refusalOf(unseal(await relist({ ...stored, keys: back }, 9)))).toMatch(
      /^KEY_STORE_REFUSED: Key is destroyed or its record is, and not both/,
    )
    const revived = stored.keys.map((key) =>
      key.keyId === old.keyId ? { ...key, state: 'retired' as const } : key,
    )
    expect(await refusalOf(unseal(await relist({ ...stored, keys: revived }, 9)))).toMatch(
      /^KEY_STORE_REFUSED: Key is destroyed or its record is, and not both/,
    )
  })

  it('is not half a key', async () => {
    const { stored } = await create()
    const { body } = keyOf(stored, 'log')
    for (const member of ['enc', 'ciphertext'])
      expect(() => parseSealedKey(edit(body, (record) => (record[member] = null)))).toThrow(
        'Half a sealed key',
      )
  })

  it('is not destroyed by a record that still holds it, or is another', async () => {
    const { keyring, next, stored } = await withPending()
    const old = keyOf(stored, 'evidence')
    keyring.adopt(exchange(keyring, old, next, 9))
    const { keyId } = old
    for (const body of [old.body, keyring.bodyWithoutKey(next.keyId), canonicalBytes({})])
      expect(() => keyring.reseal([{ body, keyId, state: 'destroyed' }])).toThrow(
        'Record still holds the key',
      )
    const body = keyring.bodyWithoutKey(keyId)
    expect(() => keyring.reseal([{ body, keyId }])).toThrow('changes only when it is destroyed')
  })
})

describe('a new master key', () => {
  const options = (keyring: Keyring) => ({
    ...identity,
    now: clock(),
    openers: [provider],
    stored: keyring.stored,
  })

  it('seals every key again, which stay what they were', async () => {
    const { keyring } = await create()
    const stored = await renewMaster({ ...options(keyring), epoch: 2, providers: [provider] })
    const next = await unseal(stored)
    expect(next.master).toMatchObject({ version: 2 })
    expect(next.masterPublicKey).not.toEqual(keyring.masterPublicKey)
    for (const purpose of ['evidence', 'fast'] as const)
      expect(next[purpose].keyid).toBe(keyring[purpose].keyid)
    expect(next.log.ed25519.publicKey).toEqual(keyring.log.ed25519.publicKey)
    expect(next.list()).toEqual(keyring.list())
  })

  it('opens by nobody who has the old one only, nor do old and new mix', async () => {
    const { keyring } = await create()
    const other = environmentKek(140)
    const stored = await renewMaster({ ...options(keyring), epoch: 2, providers: [other] })
    expect(await refusalOf(unseal(stored))).toMatch(/^OPEN_FAILED/)
    await unseal(stored, { providers: [other] })
    for (const mixed of [
      { ...stored, keys: keyring.stored.keys },
      { ...stored, slots: keyring.stored.slots },
      { ...stored, manifest: keyring.stored.manifest },
      { ...keyring.stored, manifest: stored.manifest },
    ])
      expect(await refusalOf(unseal(mixed, { providers: [other, provider] }))).toMatch(
        /^KEY_STORE_REFUSED/,
      )
    expect(await refusalOf(unseal(keyring.stored, { pinnedEpoch: 2 }))).toMatch(
      /^KEY_STORE_REFUSED: Key store is older than the pinned one/,
    )
  })
})

describe('new slots', () => {
  it('open the same master key by other providers, and only where they are listed', async () => {
    const { keyring } = await create()
    const other = environmentKek(140)
    const slots = await makeSlots({
      ...identity,
      now: clock(),
      openers: [provider],
      providers: [other],
      stored: keyring.stored,
    })
    const stored = keyring.reseal([], { slots })
    const moved = await unseal(stored, { providers: [other] })
    expect(moved.masterPublicKey).toEqual(keyring.masterPublicKey)
    expect(await refusalOf(unseal(stored))).toMatch(/^OPEN_FAILED/)
    const added = { ...stored, slots: [...stored.slots, ...keyring.stored.slots] }
    expect(await refusalOf(unseal(added, { providers: [other] }))).toMatch(
      /^KEY_STORE_REFUSED: Slot was changed or is not listed/,
    )
  })
})

import { describe, expect, it } from 'vitest'
import { createMemoryKek } from '../../../src/kek/memory.ts'
import type { KeyChange } from '../../../src/keyring/key-change.ts'
import { changeKeys } from '../../../src/keyring/key-change.ts'
import type { StoredKey, StoredKeys } from '../../../src/store/store.ts'
import { create, keyOf, provider, unseal, withKey } from './fixture.ts'

const refused = (code: string, message: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string })

/** The keys of a store and the one that is to take over from the fast key, with and without its predecessor. */
async function withSuccessor(): Promise<{ keys: StoredKey[]; old: StoredKey; next: StoredKey }> {
  const { stored } = await create()
  const old = keyOf(stored, 'fast')
  const next: StoredKey = {
    ...keyOf((await create()).stored, 'fast'),
    version: 2,
    state: 'pending',
    from: null,
  }
  return { keys: [...stored.keys, next], old, next }
}

describe('resealing', () => {
  it('gives the same keys under the next epoch, and leaves the keyring at its own', async () => {
    const { keyring, stored } = await create()
    const next = keyring.reseal([])
    expect(next.keys).toEqual(stored.keys)
    expect(next.slots).toEqual(stored.slots)
    expect(keyring.epoch).toBe(1)
    expect((await unseal(next)).epoch).toBe(2)
  })

  it('needs no provider', async () => {
    const memory = createMemoryKek()
    const { keyring } = await create({ providers: [memory, provider] })
    await memory.close()
    expect((await unseal(keyring.reseal([]))).epoch).toBe(2)
  })

  it('goes on from what was adopted', async () => {
    const { keyring } = await create()
    const second = keyring.reseal([])
    keyring.adopt(second)
    expect(keyring.epoch).toBe(2)
    expect((await unseal(keyring.reseal([]))).epoch).toBe(3)
    expect(keyring.evidence.signer.sign(new Uint8Array(1)).length).toBe(3373)
  })

  it('adopts nothing older, nothing twice and nothing that was changed', async () => {
    const { keyring, stored } = await create()
    const second = keyring.reseal([])
    const changed = withKey(second, 'fast', { to: 9 })
    expect(() => {
      keyring.adopt(changed)
    }).toThrow(refused('KEY_STORE_REFUSED', 'Key is listed as active'))
    expect(keyring.epoch).toBe(1)
    keyring.adopt(second)
    for (const old of [stored, second])
      expect(() => {
        keyring.adopt(old)
      }).toThrow(refused('KEY_STORE_REFUSED', 'is not newer'))
  })

  it('adopts nothing of another log', async () => {
    const { keyring } = await create()
    const other: StoredKeys = (await create()).keyring.reseal([])
    expect(() => {
      keyring.adopt(other)
    }).toThrow(refused('KEY_STORE_REFUSED', 'is sealed to another master key'))
    expect(() => {
      keyring.adopt({ ...keyring.reseal([]), manifest: other.manifest })
    }).toThrow(refused('KEY_STORE_REFUSED', 'its tag is wrong'))
  })

  it('leaves every purpose with its active key', async () => {
    const { keyring, stored } = await create()
    const { keyId } = keyOf(stored, 'fast')
    expect(() => keyring.reseal([{ keyId, state: 'retired', to: 10 }])).toThrow(
      refused('BUG', 'One key must be active for fast: 0'),
    )
    expect(() => keyring.reseal([{ keyId: 'x', to: 10 }])).toThrow(refused('BUG', 'No such key'))
  })
})

describe('the life of a key', () => {
  it('goes on to its successor in one change', async () => {
    const { keys, old, next } = await withSuccessor()
    const after = changeKeys(keys, [
      { keyId: old.keyId, state: 'retired', to: 40 },
      { keyId: next.keyId, state: 'active', from: 40 },
    ])
    expect(after.map(({ state, from, to }) => [state, from, to])).toEqual([
      ['active', 0, null],
      ['retired', 3, 40],
      ['active', 1, null],
      ['active', 40, null],
    ])
    const revoked = changeKeys(after, [{ keyId: old.keyId, state: 'revoked', revokedAt: 7 }])
    expect(revoked[1]).toMatchObject({ state: 'revoked', from: 3, to: 40, revokedAt: 7 })
  })

  it.each<[string, string, KeyChange[]]>([
    [
      'two active keys',
      'One key must be active for fast: 2',
      [{ keyId: 'next', state: 'active', from: 40 }],
    ],
    [
      'an active key without a first position',
      'Positions do not fit the state: active',
      [{ keyId: 'next', state: 'active' }],
    ],
    [
      'a pending key with a first position',
      'Positions do not fit the state: pending',
      [{ keyId: 'next', from: 40 }],
    ],
    [
      'an active key with an end',
      'Positions do not fit the state: active',
      [{ keyId: 'old', to: 40 }],
    ],
    [
      'an active key that is revoked',
      'Positions do not fit the state: active',
      [{ keyId: 'old', revokedAt: 40 }],
    ],
    [
      'a retired key without an end',
      'Positions do not fit the state: retired',
      [{ keyId: 'old', state: 'retired' }],
    ],
    [
      'a revoked key without a position',
      'Positions do not fit the state: revoked',
      [{ keyId: 'old', state: 'revoked' }],
    ],
    [
      'a key that goes back',
      'Key state cannot go back: pending',
      [{ keyId: 'old', state: 'pending' }],
    ],
    [
      'a first position that moves',
      'Position of a key is set once: from',
      [{ keyId: 'old', from: 2 }],
    ],
    [
      'an end before the beginning',
      'Key cannot end before it begins',
      [{ keyId: 'old', state: 'retired', to: 2 }],
    ],
    [
      'destruction of the key that signs',
      'Key that signs cannot be destroyed',
      [{ keyId: 'old', state: 'destroyed' }],
    ],
  ])('does not allow %s', async (_, message, changes) => {
    const { keys, old, next } = await withSuccessor()
    const named = changes.map((change) => ({
      ...change,
      keyId: change.keyId === 'old' ? old.keyId : next.keyId,
    }))
    expect(() => changeKeys(keys, named)).toThrow(refused('BUG', message))
  })

  it('may end where it began', async () => {
    const { keys, old, next } = await withSuccessor()
    const after = changeKeys(keys, [
      { keyId: old.keyId, state: 'retired', to: 3 },
      { keyId: next.keyId, state: 'active', from: 3 },
    ])
    expect(after[1]?.to).toBe(3)
  })
})

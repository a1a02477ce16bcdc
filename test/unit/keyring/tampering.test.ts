import { beforeAll, describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { createMemoryKek } from '../../../src/kek/memory.ts'
import { createHeader } from '../../../src/keyring/header.ts'
import type { Keyring } from '../../../src/keyring/keyring.ts'
import { deriveManifestKey, parseManifest } from '../../../src/keyring/manifest.ts'
import { purposes } from '../../../src/keyring/purposes.ts'
import { hashOf } from '../../../src/keyring/record.ts'
import {
  formatSealedKey,
  openSigningKey,
  parseSealedKey,
  sealSigningKey,
  type SigningHeader,
} from '../../../src/keyring/sealed-key.ts'
import { createSlot, openMasterSeed, parseSlot } from '../../../src/keyring/slot.ts'
import type { StoredKey, StoredKeys } from '../../../src/store/store.ts'
import {
  clock,
  create,
  edit,
  failureOf,
  flips,
  identity,
  keyOf,
  parse,
  provider,
  refusalOf,
  relist,
  unseal,
  withKey,
  withSlot,
} from './fixture.ts'

let stored: StoredKeys
let keyring: Keyring
let foreign: StoredKeys

beforeAll(async () => {
  ;({ stored, keyring } = await create())
  foreign = (await create({ tenant: 'other' })).stored
})

const signing = ['evidence', 'fast', 'log'] as const
const bodyOf = (from: StoredKeys, at = 0): Uint8Array => from.slots[at]?.body ?? new Uint8Array(0)
const nameOf = ({ purpose, version, keyId }: StoredKey): string =>
  `${purpose} v${String(version)} (${keyId})`

type Records = { keyId: string; sha256: string; state: string; version: number }[]

/** What whoever writes the store can do to the manifest: anything but its tag. */
const withManifest = (
  from: StoredKeys,
  change: (manifest: { records: Records; slots: string[]; epoch: number }) => void,
): StoredKeys => ({
  ...from,
  manifest: edit(from.manifest, (manifest) => {
    change(manifest as unknown as Parameters<typeof change>[0])
  }),
})

const tagRefused = /^KEY_STORE_REFUSED: Manifest was not made by a holder of the master key/

describe('a key store that somebody wrote to', () => {
  it('is refused with a sealed key of another tenant or instance', async () => {
    const other = keyOf(foreign, 'fast')
    for (const changes of [other, { body: other.body }])
      expect(await refusalOf(unseal(withKey(stored, 'fast', changes)))).toBe(
        `KEY_STORE_REFUSED: Key is of another tenant: ${nameOf(other)}, other`,
      )
    const instance = '01890a5d-ac96-774b-bcce-b302099a8059'
    const { body } = keyOf((await create({ instance })).stored, 'fast')
    expect(await refusalOf(unseal(withKey(stored, 'fast', { body })))).toContain(
      'KEY_STORE_REFUSED: Key is of another instance: fast v1',
    )
  })

  it('is refused with the sealed key of another purpose', async () => {
    for (const purpose of signing)
      for (const other of signing.filter((name) => name !== purpose))
        expect(
          await refusalOf(unseal(withKey(stored, purpose, { body: keyOf(stored, other).body }))),
        ).toContain(`KEY_STORE_REFUSED: Sealed key stands in the place of another: ${other} v1`)
  })

  it('is refused with another version of a key', async () => {
    const body = edit(keyOf(stored, 'evidence').body, (record) => {
      Object.assign(record['header'] as object, { version: 2 })
    })
    for (const changes of [{ body }, { version: 2 }])
      expect(await refusalOf(unseal(withKey(stored, 'evidence', changes)))).toContain(
        'KEY_STORE_REFUSED: Sealed key stands in the place of another: evidence v',
      )
    expect(await refusalOf(unseal(withKey(stored, 'evidence', { body, version: 2 })))).toContain(
      'KEY_STORE_REFUSED: Sealed key was changed: evidence v2',
    )
  })

  it('is refused with a key that is sealed to another master key', async () => {
    const other = keyOf((await create()).stored, 'log')
    expect(await refusalOf(unseal(withKey(stored, 'log', other)))).toBe(
      `KEY_STORE_REFUSED: Key is sealed to another master key: ${nameOf(other)}`,
    )
  })

  it('is refused when two keys exchanged their ciphertexts', async () => {
    const [evidence, log] = [keyOf(stored, 'evidence'), keyOf(stored, 'log')]
    const swap = (into: StoredKey, from: StoredKey): Uint8Array =>
      edit(into.body, (record) => {
        const { enc, ciphertext } = parse(from.body)
        Object.assign(record, { enc, ciphertext })
      })
    const swapped = withKey(withKey(stored, 'evidence', { body: swap(evidence, log) }), 'log', {
      body: swap(log, evidence),
    })
    expect(await refusalOf(unseal(swapped))).toMatch(/Sealed key was changed: (evidence|log) v1/)
  })

  it('is refused with the key of an attacker, though it is sealed as it should be', async () => {
    // HPKE in base mode wants only the public half of the master key.
    using seed = Secret.random(64)
    const real = parseSealedKey(keyOf(stored, 'evidence').body).header
    const publicKey = seed.use(purposes.evidence.publicKey)
    const forge = (keyId: string): StoredKey => {
      const header = createHeader({
        ...identity,
        purpose: 'evidence',
        keyId,
        version: 1,
        publicKey,
        sealedTo: keyring.masterPublicKey,
        createdAt: clock(),
      }) as SigningHeader
      return {
        ...keyOf(stored, 'evidence'),
        keyId,
        keyid: purposes.evidence.keyid(publicKey),
        body: formatSealedKey(sealSigningKey(header, seed, keyring.masterPublicKey)),
      }
    }
    const forged = forge(real.keyId)
    using masterSeed = await openMasterSeed(parseSlot(bodyOf(stored)), provider)
    // The sealing alone would be taken: only the manifest is in the way.
    using opened = openSigningKey(parseSealedKey(forged.body), masterSeed)
    expect(opened.length).toBe(64)

    const replaced = withKey(stored, 'evidence', forged)
    expect(await refusalOf(unseal(replaced))).toContain(
      'KEY_STORE_REFUSED: Sealed key was changed: evidence v1',
    )
    const added = forge(identity.instance)
    expect(await refusalOf(unseal({ ...stored, keys: [...stored.keys, added] }))).toBe(
      `KEY_STORE_REFUSED: Key is not listed: ${nameOf(added)}`,
    )
    const relisted = withManifest(replaced, ({ records }) => {
      for (const record of records)
        if (record.keyId === real.keyId) record.sha256 = hashOf(forged.body)
    })
    expect(await refusalOf(unseal(relisted))).toMatch(tagRefused)
  })

  it.each(signing)('is refused without its %s key, naming it', async (purpose) => {
    const keys = stored.keys.filter((key) => key.purpose !== purpose)
    expect(await refusalOf(unseal({ ...stored, keys }))).toBe(
      `KEY_STORE_REFUSED: Key is listed and missing: ${nameOf(keyOf(stored, purpose))}`,
    )
  })

  it('is refused with a key twice', async () => {
    const keys = [...stored.keys, keyOf(stored, 'fast')]
    expect(await refusalOf(unseal({ ...stored, keys }))).toContain('KEY_STORE_REFUSED: ')
  })

  it.each([
    ['state', { state: 'retired' }],
    ['state', { state: 'pending' }],
    ['first position', { from: 1 }],
    ['first position', { from: null }],
    ['last position', { to: 5 }],
    ['revocation', { revokedAt: 5 }],
  ] as const)('is refused with another %s of a key: %o', async (_, changes) => {
    expect(await refusalOf(unseal(withKey(stored, 'evidence', changes)))).toMatch(
      /^KEY_STORE_REFUSED: Key is listed as active, from 0 to null, revoked at null, not .*: evidence v1/,
    )
  })

  it.each([
    { state: 'new\u001b' },
    { from: -1 },
    { from: 0.5 },
    { to: Infinity },
    { revokedAt: NaN },
    { revokedAt: '5' },
  ])('is refused with a state or a position that is none: %o', async (changes) => {
    expect(
      await refusalOf(unseal(withKey(stored, 'fast', changes as Partial<StoredKey>))),
    ).toContain('KEY_STORE_REFUSED: State or position is not valid: fast v1')
  })

  it('is refused with another key id of a public key', async () => {
    const { keyid } = keyOf(foreign, 'fast')
    for (const changed of [keyid, null])
      expect(await refusalOf(unseal(withKey(stored, 'fast', { keyid: changed })))).toContain(
        'KEY_STORE_REFUSED: Key id is not that of the public key: fast v1',
      )
    expect(await refusalOf(unseal(withKey(stored, 'log', { keyid })))).toContain('Key id is not')
  })

  it('is refused when a row stands for the key of another row', async () => {
    const { keyId } = keyOf(foreign, 'fast')
    expect(await refusalOf(unseal(withKey(stored, 'fast', { keyId })))).toBe(
      `KEY_STORE_REFUSED: Sealed key stands in the place of another: ${nameOf(keyOf(stored, 'fast'))}`,
    )
  })
})

describe('a key store that a holder of the master key wrote', () => {
  it('is refused when a purpose has no active key, or two', async () => {
    const retired = await relist(withKey(stored, 'fast', { state: 'retired', to: 9 }))
    expect(await refusalOf(unseal(retired))).toBe('KEY_STORE_REFUSED: No key is active for fast')
    const twice = await relist({ ...stored, keys: [...stored.keys, keyOf(stored, 'fast')] })
    expect(await refusalOf(unseal(twice))).toBe('KEY_STORE_REFUSED: Two keys are active for fast')
  })

  it('is refused when an active key counts from nowhere', async () => {
    expect(await refusalOf(unseal(await relist(withKey(stored, 'log', { from: null }))))).toBe(
      `KEY_STORE_REFUSED: Active key has no first position: ${nameOf(keyOf(stored, 'log'))}`,
    )
  })

  it('opens with keys that are not active beside the active ones, and lists them', async () => {
    const { keyId } = keyOf(foreign, 'fast')
    const { header, ...sealed } = parseSealedKey(keyOf(stored, 'fast').body)
    const old: StoredKey = {
      ...keyOf(stored, 'fast'),
      keyId,
      // Its seed does not open under this header, and nobody tries.
      body: formatSealedKey({ ...sealed, header: { ...header, keyId } }),
      state: 'retired',
      to: 7,
    }
    const opened = await unseal(await relist({ ...stored, keys: [old, ...stored.keys] }))
    expect(opened.fast.keyId).toBe(keyOf(stored, 'fast').keyId)
    expect(opened.list()[0]).toMatchObject({ keyId, state: 'retired', to: 7 })
    const active = await relist(withKey(stored, 'fast', { keyId, body: old.body }))
    expect((await failureOf(unseal(active))).code).toBe('OPEN_FAILED')
  })

  it('is not adopted when other keys are active', async () => {
    const retired = await relist(withKey(stored, 'fast', { state: 'retired', to: 9 }), 2)
    expect(() => {
      keyring.adopt(retired)
    }).toThrow(expect.objectContaining({ code: 'KEY_STORE_REFUSED' }))
    expect(keyring.epoch).toBe(1)
  })
})

describe('a sealed key', () => {
  const seal = (seed: Secret, publicKey: Uint8Array): ReturnType<typeof sealSigningKey> => {
    const header = createHeader({
      ...identity,
      purpose: 'fast',
      keyId: identity.instance,
      version: 1,
      publicKey,
      sealedTo: keyring.masterPublicKey,
      createdAt: clock(),
    }) as SigningHeader
    return sealSigningKey(header, seed, keyring.masterPublicKey)
  }

  it('is refused when its seed is of another public key, or no seed at all', async () => {
    using masterSeed = await openMasterSeed(parseSlot(bodyOf(stored)), provider)
    using seed = Secret.random(32)
    const publicKey = seed.use(purposes.fast.publicKey)
    using opened = openSigningKey(seal(seed, publicKey), masterSeed)
    expect(opened.length).toBe(32)
    for (const length of [0, 31, 32, 33, 64]) {
      using other = Secret.random(length)
      expect(() => openSigningKey(seal(other, publicKey), masterSeed)).toThrow(
        expect.objectContaining({
          code: 'KEY_STORE_REFUSED',
          message: `Public key is not that of the sealed seed: fast v1 (${identity.instance})`,
        }),
      )
    }
  })

  it('opens under its own header and no other', async () => {
    using masterSeed = await openMasterSeed(parseSlot(bodyOf(stored)), provider)
    const [fast, log] = [keyOf(stored, 'fast'), keyOf(stored, 'log')].map(({ body }) =>
      parseSealedKey(body),
    )
    if (fast === undefined || log === undefined) throw new Error('No key')
    const { header } = fast
    for (const changed of [
      { ...header, version: 2 },
      { ...header, tenant: 'other' },
      { ...header, instance: header.keyId },
      { ...header, keyId: header.instance },
      { ...header, purpose: 'log' as const },
      { ...header, createdAt: header.createdAt + 1 },
    ])
      expect(() => openSigningKey({ ...fast, header: changed }, masterSeed)).toThrow(
        expect.objectContaining({ code: 'OPEN_FAILED' }),
      )
    expect(() => openSigningKey({ ...log, header }, masterSeed)).toThrow(
      expect.objectContaining({ code: 'OPEN_FAILED' }),
    )
  })

  it('is not sealed to a master key that its header does not name', async () => {
    using seed = Secret.random(32)
    const { header } = seal(seed, seed.use(purposes.fast.publicKey))
    const other = (await create()).keyring.masterPublicKey
    expect(() => sealSigningKey(header, seed, other)).toThrow(
      expect.objectContaining({ code: 'BUG' }),
    )
  })
})

describe('a slot', () => {
  it('is refused in another tenant and in another instance', async () => {
    expect(await refusalOf(unseal(foreign))).toContain(
      'KEY_STORE_REFUSED: Key is of another tenant: master v1',
    )
    expect(await refusalOf(unseal(withSlot(stored, bodyOf(foreign))))).toContain(
      'KEY_STORE_REFUSED: ',
    )
    const instance = '01890a5d-ac96-774b-bcce-b302099a8059'
    expect(await refusalOf(unseal(stored, { instance }))).toContain(
      'KEY_STORE_REFUSED: Key is of another instance: master v1',
    )
  })

  it('does not open when it claims to be of another tenant', async () => {
    const body = edit(bodyOf(foreign), (slot) => {
      Object.assign(slot['header'] as object, { tenant: identity.tenant })
    })
    expect(await refusalOf(unseal({ ...withSlot(foreign, body), keys: [] }))).toBe(
      'OPEN_FAILED: Master key was not opened. environment: its slot does not open, it was changed',
    )
  })

  it('does not open under another id', async () => {
    const id = '01890a5d-ac96-774b-bcce-b302099a8059'
    expect(await refusalOf(unseal(withSlot(stored, bodyOf(stored), id)))).toContain(
      'KEY_STORE_REFUSED: Slot stands under another id',
    )
    const body = edit(bodyOf(stored), (slot) => Object.assign(slot, { id }))
    expect((await failureOf(unseal(withSlot(stored, body, id)))).code).toBe('OPEN_FAILED')
  })

  it('is refused when the manifest does not list it, or lists one that is gone', async () => {
    const memory = createMemoryKek()
    const two = (await create({ providers: [provider, memory] })).stored
    expect(await refusalOf(unseal({ ...two, slots: two.slots.slice(0, 1) }))).toContain(
      'KEY_STORE_REFUSED: Slot is listed and missing: SHA-256 ',
    )
    expect(await refusalOf(unseal({ ...two, slots: two.slots.slice(1) }))).toContain(
      'CONFIG_INVALID: Master key has slots for memory',
    )
    // The slot that opens is whole; the other one was changed.
    const changed = edit(bodyOf(two, 1), (slot) => Object.assign(slot, { kekId: 'memory-x' }))
    const slots = two.slots.map((slot, i) => (i === 1 ? { ...slot, body: changed } : slot))
    expect(await refusalOf(unseal({ ...two, slots }))).toContain(
      'KEY_STORE_REFUSED: Slot was changed or is not listed: SHA-256 ',
    )
    const more = [...stored.slots, { ...two.slots[0], id: '' }] as StoredKeys['slots']
    expect(await refusalOf(unseal({ ...stored, slots: more }))).toContain(
      'Slot stands under another id',
    )
    expect(
      await refusalOf(unseal({ ...stored, slots: [...stored.slots, ...two.slots] })),
    ).toContain('KEY_STORE_REFUSED: Slot is of another master key')
    expect(await refusalOf(unseal({ ...stored, slots: [] }))).toBe(
      'KEY_STORE_REFUSED: Key store has no slot',
    )
  })

  it('is refused when it holds another seed than its header says', async () => {
    const { header, ...rest } = parseSlot(bodyOf(stored))
    using seed = Secret.random(32)
    const slot = await createSlot(seed, header, rest.id, provider)
    expect((await failureOf(openMasterSeed(slot, provider))).message).toContain(
      'Public key is not that of the sealed seed: master v1',
    )
  })
})

describe('a manifest', () => {
  it('of yesterday is refused', async () => {
    const today = keyring.reseal([])
    expect(
      await refusalOf(unseal({ ...today, manifest: stored.manifest }, { pinnedEpoch: 2 })),
    ).toBe('KEY_STORE_REFUSED: Key store is older than the pinned one: epoch 1 < 2')
    const raised = withManifest(stored, (manifest) => {
      manifest.epoch = 2
    })
    expect(await refusalOf(unseal(raised, { pinnedEpoch: 2 }))).toMatch(tagRefused)
  })

  it('that lists what was changed is refused without the tag', async () => {
    const changed = withKey(stored, 'fast', { state: 'retired' })
    const relisted = withManifest(changed, ({ records }) => {
      for (const record of records)
        if (record.keyId === keyOf(stored, 'fast').keyId) record.state = 'retired'
    })
    expect(await refusalOf(unseal(relisted))).toMatch(tagRefused)
    const shorter = withManifest({ ...stored, keys: stored.keys.slice(1) }, (manifest) => {
      const { keyId } = keyOf(stored, 'evidence')
      manifest.records = manifest.records.filter((record) => record.keyId !== keyId)
    })
    expect(await refusalOf(unseal(shorter))).toMatch(tagRefused)
  })

  it('of another log is refused', async () => {
    const another = (await create()).stored
    expect(await refusalOf(unseal({ ...stored, manifest: another.manifest }))).toMatch(tagRefused)
    expect(await refusalOf(unseal({ ...stored, manifest: foreign.manifest }))).toMatch(tagRefused)
  })

  it.each([
    ['no tag', { tag: undefined }],
    ['a short tag', { tag: encodeBase64(new Uint8Array(31)) }],
    ['another version', { v: 2 }],
    ['a member more', { more: 1 }],
  ])('with %s is refused', async (_, change) => {
    const manifest = canonicalBytes(
      Object.fromEntries(
        Object.entries({ ...parse(stored.manifest), ...change }).filter(
          ([, value]) => value !== undefined,
        ),
      ),
    )
    expect(await refusalOf(unseal({ ...stored, manifest }))).toContain(
      'KEY_STORE_REFUSED: Manifest is not v1',
    )
  })
})

describe('any changed byte', () => {
  const refused = ['KEY_STORE_REFUSED', 'OPEN_FAILED']

  it('of a slot keeps it from opening', async () => {
    for (const body of flips(bodyOf(stored)))
      expect(refused).toContain((await failureOf(unseal(withSlot(stored, body)))).code)
  })

  it('of the manifest is refused', async () => {
    using masterSeed = await openMasterSeed(parseSlot(bodyOf(stored)), provider)
    using key = deriveManifestKey(masterSeed)
    expect(parseManifest(stored.manifest, key).epoch).toBe(1)
    for (const manifest of flips(stored.manifest))
      expect(() => parseManifest(manifest, key)).toThrow(
        expect.objectContaining({ code: 'KEY_STORE_REFUSED' }),
      )
  })

  it('of a sealed key is refused by the manifest', async () => {
    // Every fifth, because each unseals the master key; all of them are refused without the manifest too, below.
    const changed = [...flips(keyOf(stored, 'fast').body)].filter((_, at) => at % 5 === 0)
    for (const body of changed)
      expect((await failureOf(unseal(withKey(stored, 'fast', { body })))).code).toBe(
        'KEY_STORE_REFUSED',
      )
  })

  it('of a sealed key keeps it from opening also without the manifest', async () => {
    using masterSeed = await openMasterSeed(parseSlot(bodyOf(stored)), provider)
    const open = (body: Uint8Array): Promise<Secret> =>
      Promise.resolve().then(() => openSigningKey(parseSealedKey(body), masterSeed))
    for (const purpose of signing) {
      using seed = await open(keyOf(stored, purpose).body)
      expect(seed.length).toBe(purposes[purpose].seedBytes)
    }
    for (const changed of flips(keyOf(stored, 'fast').body))
      expect(refused).toContain((await failureOf(open(changed))).code)
  })

  it('cut from the end, or put behind it, is refused', async () => {
    const fast = keyOf(stored, 'fast').body
    for (const change of [
      (bytes: Uint8Array) => bytes.slice(0, -1),
      (bytes: Uint8Array) => Uint8Array.of(...bytes, 0x20),
      () => new Uint8Array(0),
    ]) {
      for (const changed of [
        withSlot(stored, change(bodyOf(stored))),
        withKey(stored, 'fast', { body: change(fast) }),
        { ...stored, manifest: change(stored.manifest) },
      ])
        expect((await failureOf(unseal(changed))).code).toBe('KEY_STORE_REFUSED')
    }
  })
})

import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sha256 as hash } from '../../../src/crypto/hash.ts'
import { publicKeyOf, type Header } from '../../../src/keyring/header.ts'
import { makeKey } from '../../../src/keyring/new-key.ts'
import { parseSlot } from '../../../src/keyring/slot.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { encodeBase64Url } from '../../../src/base/base64.ts'
import { encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import { parseTrustRoot } from '../../../src/dossier/trust-root.ts'
import { createEnvironmentKek } from '../../../src/kek/environment.ts'
import type { KekKind, KekProvider } from '../../../src/kek/kek.ts'
import { updateTrustRoot, verifyDossier } from '../../../src/verify/index.ts'
import type { KeyOrder, KeyOrderDone } from '../../../src/wire/keys.ts'
import type { Commit, Store } from '../../../src/store/store.ts'
import { storeOf } from '../../support/fsck.ts'
import { keepKeyRows, putKeyRows, type KeyRows } from '../../support/key-load-rows.ts'
import {
  founder,
  foundTestService,
  requestOf,
  temporaryDirectory,
  type TestService,
} from '../../support/service.ts'
import { replacing } from '../../support/replacing.ts'

const tenant = 'default'

/** An environment key that says it is another kind of provider: what a master key is moved to. */
function pretend(kind: KekKind, first = 120): KekProvider {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => first + i)
  const real = createEnvironmentKek(new Secret(utf8(encodeBase64Url(bytes))))
  return {
    metadata: { ...real.metadata, kind },
    close: () => real.close(),
    probe: () => real.probe(),
    unwrap: (wrapped, context) => real.unwrap(wrapped, context),
    wrap: (key, context) => real.wrap(key, context),
  }
}

const order = ({ service }: TestService, what: KeyOrder): Promise<KeyOrderDone> =>
  service.orderKeys(tenant, what, founder)

const told = ({ steps }: KeyOrderDone): string[] =>
  steps.map(({ event, purpose, version }) => `${event} ${purpose} v${version}`)

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof Failure ? `${error.code}: ${error.message}` : 'foreign'),
  )

/** Id of the key of a purpose and version. */
async function idOf({ service }: TestService, purpose: string, version: number): Promise<string> {
  const { keys } = await service.keyStatus(tenant)
  const key = keys.find((one) => one.purpose === purpose && one.version === version)
  if (key === undefined) throw new Error(`No key: ${purpose} v${version}`)
  return key.keyId
}

/** The master key as the store tells it. */
async function masterOf(test: TestService): Promise<{ header: Header; publicKey: Uint8Array }> {
  const [slot] = (await storeOf(test, (store) => store.readKeys(tenant)))?.slots ?? []
  if (slot === undefined) throw new Error('No slot')
  const { header } = parseSlot(slot.body)
  return { header, publicKey: publicKeyOf(header) }
}

/** A second evidence key, made with the public half of the master key alone. */
async function offerOf(test: TestService): Promise<{ body: Uint8Array; sha256: string }> {
  const { header } = await masterOf(test)
  const { body } = makeKey(header, 'evidence', 2, Date.now())
  return { body, sha256: encodeHex(hash(body)) }
}

const dossierOf = async ({ service }: TestService, id: string): Promise<Uint8Array> =>
  service.exportDossier(tenant, id)

async function verdictOf(test: TestService, dossier: Uint8Array): Promise<string> {
  return verifyDossier(dossier, await test.service.readTrustRoot(tenant)).verdict
}

/** Takes every trust root from the first to the newest, as a verifier elsewhere would; gives what each step said. */
async function followTrustRoots(test: TestService, sha256?: string): Promise<readonly string[]> {
  const { service } = test
  const newest = parseTrustRoot(await service.readTrustRoot(tenant))
  if (typeof newest === 'string') throw new Error(newest)
  const said: string[] = []
  for (let version = 2; version <= newest.version; version++) {
    const [older, newer] = [
      await service.readTrustRoot(tenant, version - 1),
      await service.readTrustRoot(tenant, version),
    ]
    const proof = await service.exportTrustProof(tenant, version)
    const update = updateTrustRoot(older, newer, [proof], sha256 === undefined ? {} : { sha256 })
    const wrong = update.checks.filter(({ outcome }) => outcome !== 'pass')
    said.push(
      update.ok ? 'taken' : wrong.map(({ name, reason }) => `${name}: ${reason}`).join('; '),
    )
  }
  return said
}

describe.each(['each', 'checkpoint'] as const)('rotation in the profile %s', (profile) => {
  it.each(['evidence', 'fast', 'log'] as const)(
    'gives the %s key a successor, and everything before, between and after verifies',
    async (purpose) => {
      const test = await foundTestService({ profile })
      const before = await test.notarise(requestOf(1))
      const oldDossier = await dossierOf(test, before.id)
      const first = await order(test, { order: 'rotate', purpose })
      const between = await test.notarise(requestOf(2))
      await order(test, { order: 'rotate', purpose })
      const after = await test.notarise(requestOf(3))

      const ends = purpose === 'log' ? [`destroyed log v1`] : []
      expect(told(first).slice(0, 4 + ends.length)).toEqual([
        `prepared ${purpose} v2`,
        `published ${purpose} v2`,
        `retired ${purpose} v1`,
        `activated ${purpose} v2`,
        ...ends,
      ])
      for (const { id } of [before, between, after])
        expect(await verdictOf(test, await dossierOf(test, id))).toBe('valid')
      // What was handed out before the rotation stays what it was.
      expect(await verdictOf(test, oldDossier)).toBe('valid')
      for (const stream of ['keys', 'trust', 'admin'])
        expect(await verdictOf(test, await dossierOf(test, stream))).toBe('valid')
      expect(await followTrustRoots(test)).toEqual(
        Array.from({ length: purpose === 'log' ? 4 : 2 }, () => 'taken'),
      )

      const again = await test.reopen()
      const last = await again.notarise(requestOf(4))
      expect(await verdictOf(again, await dossierOf(again, last.id))).toBe('valid')
      const { keys } = await again.service.keyStatus(tenant)
      const mine = keys.filter((key) => key.purpose === purpose)
      const past = purpose === 'log' ? 'destroyed' : 'retired'
      expect(mine.map(({ state }) => state)).toEqual([past, past, 'active'])
      expect(mine.map(({ to }) => to)).toEqual([...mine.slice(1).map(({ from }) => from), null])
    },
  )

  it('changes hands between one entry and the next, under load', async () => {
    const test = await foundTestService({ profile })
    let going = true
    const answers: string[] = []
    const load = Array.from({ length: 8 }, async (_, lane) => {
      for (let n = 0; going; n++) answers.push((await test.notarise(requestOf(100 * n + lane))).id)
    })
    for (const purpose of ['evidence', 'fast', 'log', 'evidence', 'fast', 'log'] as const)
      await order(test, { order: 'rotate', purpose })
    await order(test, { order: 'rotate-master' })
    going = false
    await Promise.all(load)
    const trust = await test.service.readTrustRoot(tenant)
    expect(answers.length).toBeGreaterThan(20)
    for (const id of answers)
      expect(verifyDossier(await dossierOf(test, id), trust).verdict).toBe('valid')
  })
})

describe('a trust root after a rotation', () => {
  it('is not taken with the proof of another step, and old roots do not know new keys', async () => {
    const test = await foundTestService({ profile: 'each' })
    const [oldest] = [await test.service.readTrustRoot(tenant)]
    await order(test, { order: 'rotate', purpose: 'evidence' })
    await order(test, { order: 'rotate', purpose: 'log' })
    const { id } = await test.notarise(requestOf(1))
    expect(verifyDossier(await dossierOf(test, id), oldest).verdict).toBe('inconclusive')
    const newer = await test.service.readTrustRoot(tenant, 2)
    const proof = await test.service.exportTrustProof(tenant, 3)
    expect(updateTrustRoot(oldest, newer, [proof]).ok).toBe(false)
    // Nor does the whole stream do, as it is signed now by keys that the oldest does not know.
    expect(updateTrustRoot(oldest, newer, [await dossierOf(test, 'trust')]).ok).toBe(false)
  })

  it('names the last tree head of a log key that stopped', async () => {
    const test = await foundTestService({ profile: 'checkpoint' })
    await test.notarise(requestOf(1))
    await order(test, { order: 'rotate', purpose: 'log' })
    const root = parseTrustRoot(await test.service.readTrustRoot(tenant))
    if (typeof root === 'string') throw new Error(root)
    const logKeys = root.origins[0]?.logKeys ?? []
    expect(logKeys.map(({ final }) => final?.size ?? null)).toEqual([
      ...Array.from({ length: 2 }, () => (logKeys[0]?.to ?? 0) - 1),
      null,
      null,
    ])
  })
})

describe('revoking', () => {
  it('takes the worth of what a key signed from a position on, and of nothing before', async () => {
    const test = await foundTestService({ profile: 'each' })
    const good = await test.notarise(requestOf(1))
    const bad = await test.notarise(requestOf(2))
    const keyId = await idOf(test, 'evidence', 1)
    const done = await order(test, { order: 'revoke', keyId, from: bad.index, reason: 'Stolen' })
    expect(told(done)).toContain('prepared evidence v2')
    expect(told(done)).toContain('revoked evidence v1')
    expect(done.notes.join()).toMatch(/entries lose their worth, from index \d+ to \d+/)
    const after = await test.notarise(requestOf(3))
    const report = verifyDossier(
      await dossierOf(test, bad.id),
      await test.service.readTrustRoot(tenant),
    )
    expect(report.verdict).toBe('invalid')
    expect(JSON.stringify(report.checks)).toContain(`revoked`)
    for (const { id } of [good, after])
      expect(await verdictOf(test, await dossierOf(test, id))).toBe('valid')
    expect(await codeOf(order(test, { order: 'revoke', keyId }))).toMatch(/^INPUT_KEY_STATE/)
  })

  it('counts from its own entry on where no position is given', async () => {
    const test = await foundTestService({ profile: 'each' })
    const { id } = await test.notarise(requestOf(1))
    const keyId = await idOf(test, 'evidence', 1)
    const done = await order(test, { order: 'revoke', keyId })
    expect(done.notes).toEqual([expect.stringContaining('No entry loses its worth')])
    expect(await verdictOf(test, await dossierOf(test, id))).toBe('valid')
  })

  it('of a log key leaves its checkpoints unprovable until they are refreshed, and wants a fingerprint', async () => {
    const test = await foundTestService({ profile: 'each' })
    const { id } = await test.notarise(requestOf(1))
    const old = await dossierOf(test, id)
    await order(test, { order: 'rotate', purpose: 'log' })
    await order(test, { order: 'revoke', keyId: await idOf(test, 'log', 1) })
    expect(await verdictOf(test, old)).toBe('unprovable')
    expect(await verdictOf(test, await dossierOf(test, id))).toBe('valid')
    const steps = await followTrustRoots(test)
    expect(steps.slice(0, -1)).toEqual(['taken', 'taken'])
    expect(steps.at(-1)).toMatch(/^update.fingerprint/)
  })

  it('refuses a position beyond the log, an unknown key and one that has signed nothing', async () => {
    const test = await foundTestService()
    const keyId = await idOf(test, 'evidence', 1)
    const { size } = (await test.service.listTenants())[0] ?? { size: 0 }
    expect(await codeOf(order(test, { order: 'revoke', keyId, from: size + 1 }))).toMatch(
      /^INPUT_INVALID: Position is beyond the log/,
    )
    const nobody = '01890a5d-ac96-774b-bcce-b302099a8057'
    expect(await codeOf(order(test, { order: 'revoke', keyId: nobody }))).toMatch(
      /^INPUT_NOT_FOUND/,
    )
    expect((await test.service.keyStatus(tenant)).keys).toHaveLength(3)
  })
})

describe('destroying', () => {
  it('deletes the private half of a key that signs no more, once', async () => {
    const test = await foundTestService({ profile: 'each' })
    const keyId = await idOf(test, 'evidence', 1)
    expect(await codeOf(order(test, { order: 'destroy', keyId }))).toMatch(
      /^INPUT_KEY_STATE: Key signs now, rotate it first/,
    )
    const { id } = await test.notarise(requestOf(1))
    await order(test, { order: 'rotate', purpose: 'evidence' })
    expect(told(await order(test, { order: 'destroy', keyId }))).toEqual(['destroyed evidence v1'])
    expect(told(await order(test, { order: 'destroy', keyId }))).toEqual([])
    expect(await verdictOf(test, await dossierOf(test, id))).toBe('valid')
    const again = await test.reopen()
    await order(again, { order: 'rotate-master' })
    expect(await verdictOf(again, await dossierOf(again, id))).toBe('valid')
  })
})

describe('the master key', () => {
  it('is exchanged, the old one is gone, and the key store of before is refused', async () => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1))
    const done = await order(test, { order: 'rotate-master' })
    expect(told(done)).toEqual(['activated master v2', 'destroyed master v1'])
    await test.notarise(requestOf(2))
    const again = await test.reopen()
    expect(await verdictOf(again, await dossierOf(again, id))).toBe('valid')
    expect(await verdictOf(again, await dossierOf(again, 'keys'))).toBe('valid')
  })

  it('is not exchanged while its configuration demands the present one', async () => {
    const test = await foundTestService()
    const { publicKey } = await masterOf(test)
    const pinned = await test.reopen({ masterPublic: publicKey })
    expect(await codeOf(order(pinned, { order: 'rotate-master' }))).toMatch(
      /^CONFIG_INVALID: COUNTERSIGN_MASTER_PUBLIC/,
    )
  })

  it('is not exchanged when its provider fails, and then nothing has changed', async () => {
    const provider = pretend('environment', 140)
    const test = await foundTestService({ providers: [provider] })
    const before = await test.service.keyStatus(tenant)
    await provider.close()
    for (const what of [
      { order: 'rotate-master' },
      { order: 'rewrap' },
      { order: 'rotate', purpose: 'evidence' },
    ] as const)
      expect(await codeOf(order(test, what))).toMatch(/^KEK_UNAVAILABLE: Master key was not opened/)
    const { keys, slots } = await test.service.keyStatus(tenant)
    expect([keys, slots]).toEqual([before.keys, before.slots])
    // Decisions go on.
    const { id } = await test.notarise(requestOf(1))
    expect(await verdictOf(test, await dossierOf(test, id))).toBe('valid')
  })
})

describe('a revocation', () => {
  it('may turn out to have been due earlier, and never later', async () => {
    const test = await foundTestService({ profile: 'each' })
    const ids: { id: string; index: number }[] = []
    for (let n = 0; n < 4; n++) ids.push(await test.notarise(requestOf(n)))
    const { keys } = await test.service.keyStatus(tenant)
    const keyId = keys.find(({ purpose }) => purpose === 'evidence')?.keyId ?? ''
    const [first, second, third] = ids
    if (first === undefined || second === undefined || third === undefined) throw new Error('None')
    await order(test, { from: third.index, keyId, order: 'revoke' })
    for (const from of [undefined, third.index, third.index + 1])
      expect(
        await codeOf(
          order(test, { keyId, order: 'revoke', ...(from === undefined ? {} : { from }) }),
        ),
      ).toMatch(/^INPUT_KEY_STATE: Key is revoked already/)
    await order(test, { from: second.index, keyId, order: 'revoke', reason: 'Older than thought' })
    const again = await test.reopen()
    const verdicts = await Promise.all(
      ids.map(async ({ id }) => verdictOf(again, await dossierOf(again, id))),
    )
    expect(verdicts).toEqual(['valid', 'invalid', 'invalid', 'invalid'])
    await order(again, { order: 'rotate', purpose: 'evidence' })
  })
})

describe('moving to another provider', () => {
  it('is not for an API key to order where the server was told of other providers', async () => {
    const test = await foundTestService({ others: [pretend('hsm')] })
    const before = await test.service.keyStatus(tenant)
    const byKey = { id: 'csk', owner: 'alice', type: 'apiKey' as const }
    expect(
      await codeOf(test.service.orderKeys(tenant, { order: 'migrate', to: 'hsm' }, byKey)),
    ).toMatch(/^INPUT_INVALID: This server was not told to open by hsm/)
    expect((await test.service.keyStatus(tenant)).slots).toEqual(before.slots)
    expect(
      await codeOf(test.service.orderKeys(tenant, { order: 'migrate', to: 'environment' }, byKey)),
    ).toBe('none')
  })

  it('writes the new slot, tries it in another process, puts it first and drops the old', async () => {
    const tried: string[] = []
    const hsm = pretend('hsm')
    const test = await foundTestService({
      openInFreshProcess: (name, kind) => {
        tried.push(`${name} ${kind}`)
        return Promise.resolve()
      },
      others: [hsm],
    })
    const { id } = await test.notarise(requestOf(1))
    const done = await order(test, { order: 'migrate', to: 'hsm' })
    expect(told(done)).toEqual(['slots master v1', 'slots master v1', 'slots master v1'])
    expect(tried).toEqual(['default hsm'])
    const { slots } = await test.service.keyStatus(tenant)
    expect(slots.map(({ provider }) => provider)).toEqual(['hsm'])
    expect(done.notes).toContain('Start this installation from now on with --kek hsm')
    // Keys are sealed and tenants founded by the new provider without a restart.
    await order(test, { order: 'rotate', purpose: 'evidence' })
    await test.service.createTenant('other', { profile: 'each', public: false }, founder)
    expect((await test.service.keyStatus('other')).slots.map(({ provider }) => provider)).toEqual([
      'hsm',
    ])
    expect(await verdictOf(test, await dossierOf(test, id))).toBe('valid')
    expect(await codeOf(test.reopen())).toMatch(/^CONFIG_INVALID: Master key has slots for hsm/)
    const again = await test.reopen({ providers: [hsm] })
    expect(await verdictOf(again, await dossierOf(again, id))).toBe('valid')
  })

  it('keeps the slots that are there when told so', async () => {
    const hsm = pretend('hsm')
    const test = await foundTestService({ others: [hsm] })
    await order(test, { order: 'migrate', to: 'hsm', keep: true })
    const { next, slots } = await test.service.keyStatus(tenant)
    expect(slots.map(({ provider }) => provider)).toEqual(['hsm', 'environment'])
    expect(next).toEqual([
      expect.stringContaining('Nothing is due'),
      expect.stringContaining('No break-glass slot'),
    ])
    const again = await test.reopen()
    await order(again, { order: 'migrate', to: 'environment' })
    const left = (await again.service.keyStatus(tenant)).slots
    expect(left.map(({ provider }) => provider)).toEqual(['environment'])
  })

  it('stops before anything is dropped when the other process cannot open it, and goes on later', async () => {
    let fails = true
    const test = await foundTestService({
      openInFreshProcess: () =>
        fails ? Promise.reject(new Failure('KEK_UNAVAILABLE', 'Token is away')) : Promise.resolve(),
      others: [pretend('hsm')],
    })
    const what = { order: 'migrate', to: 'hsm' } as const
    expect(await codeOf(order(test, what))).toBe('KEK_UNAVAILABLE: Token is away')
    const { slots } = await test.service.keyStatus(tenant)
    expect(slots.map(({ provider }) => provider)).toEqual(['environment', 'hsm'])
    fails = false
    expect(told(await order(test, what))).toEqual(['slots master v1', 'slots master v1'])
    expect(told(await order(test, what))).toEqual([])
  })

  it('refuses a provider that is not configured, and changes nothing', async () => {
    const test = await foundTestService()
    const { size } = (await test.service.listTenants())[0] ?? { size: 0 }
    expect(await codeOf(order(test, { order: 'migrate', to: 'kms' }))).toMatch(/^CONFIG_INVALID/)
    expect((await test.service.listTenants())[0]?.size).toBe(size)
  })
})

describe('slots made again', () => {
  it('are new, and open', async () => {
    const test = await foundTestService()
    const before = (await test.service.keyStatus(tenant)).slots
    expect(told(await order(test, { order: 'rewrap' }))).toEqual(['slots master v1'])
    const { slots } = await test.service.keyStatus(tenant)
    expect(slots).toHaveLength(1)
    expect(slots[0]?.id).not.toBe(before[0]?.id)
    await test.reopen()
  })

  it.each(['rewrap', 'rotate-master'] as const)(
    'by %s are proved by providers that were named, though another is described and well',
    async (name) => {
      const real = pretend('hsm')
      let openings = Infinity
      const named: KekProvider = {
        ...real,
        unwrap: (...args) =>
          openings-- > 0
            ? real.unwrap(...args)
            : Promise.reject(new Failure('KEK_UNAVAILABLE', 'Token is away')),
      }
      const described = pretend('environment', 150)
      const test = await foundTestService({ others: [described], providers: [named] })
      await order(test, { order: 'migrate', to: 'environment', keep: true })
      const again = await test.reopen({ others: [described], providers: [named] })
      await again.notarise(requestOf(1))
      // The master key, the new slot, and then the proof of what is to be stored.
      openings = 2
      expect(await codeOf(order(again, { order: name }))).toMatch(/^KEK_UNAVAILABLE/)
      openings = Infinity
      const { steps } = await order(again, { order: name })
      expect(steps.length).toBeGreaterThan(0)
    },
  )
})

describe('a key made while the master key was sealed', () => {
  it('is taken in by its fingerprint, and signs only once it is rotated to', async () => {
    const offers = new Map<string, Uint8Array>()
    const test = await foundTestService({ offers, profile: 'each' })
    const { body, sha256 } = await offerOf(test)
    const what = { fingerprint: sha256, order: 'admit' } as const
    expect(await codeOf(order(test, what))).toMatch(/^INPUT_NOT_FOUND/)
    offers.set(`${tenant} ${sha256}`, body)
    expect(told(await order(test, what))).toEqual(['prepared evidence v2'])
    expect(await codeOf(order(test, what))).toMatch(/^INPUT_KEY_STATE: Key was taken in already/)
    const { keys, next } = await test.service.keyStatus(tenant)
    expect(keys.find(({ version }) => version === 2)?.state).toBe('pending')
    expect(next.join()).toContain('evidence v2 is prepared and signs nothing yet')
    // A restart does not forget it.
    const again = await test.reopen()
    expect(told(await order(again, { order: 'rotate', purpose: 'evidence' })).slice(0, 1)).toEqual([
      'published evidence v2',
    ])
    const { id } = await again.notarise(requestOf(1))
    expect(await verdictOf(again, await dossierOf(again, id))).toBe('valid')
  })

  it('is refused when its record is not the one of the fingerprint', async () => {
    const offers = new Map<string, Uint8Array>()
    const test = await foundTestService({ offers })
    const { body, sha256 } = await offerOf(test)
    const changed = body.slice()
    changed[changed.length - 10] = (changed[changed.length - 10] ?? 0) ^ 1
    offers.set(`${tenant} ${sha256}`, changed)
    expect(await codeOf(order(test, { fingerprint: sha256, order: 'admit' }))).toMatch(
      /^INPUT_NOT_FOUND/,
    )
    const sha = encodeHex(hash(changed))
    offers.set(`${tenant} ${sha}`, changed)
    expect(await codeOf(order(test, { fingerprint: sha, order: 'admit' }))).toMatch(
      /^(OPEN_FAILED|KEY_STORE_REFUSED)/,
    )
  })
})

describe('a key store put back behind the back of the pin', () => {
  const kek = encodeBase64Url(Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 3))
  const hsm = pretend('hsm')

  /** The store with something around its commits. */
  const around = (store: Store, commit: (commit: Commit) => Promise<void>): Store =>
    replacing(store, { commit })

  /** What a crash leaves right behind the nth commit that an order makes to keys, before its pin; and the keys of before that commit. */
  async function crashIn(what: (test: TestService) => Promise<KeyOrder>, nth: number) {
    const crashed = join(temporaryDirectory(), 'crashed')
    let before: KeyRows | undefined
    let counted = Infinity
    const test = await foundTestService({
      kek,
      others: [hsm],
      profile: 'each',
      wrapStore: (store) =>
        around(store, async (commit) => {
          const isIt = commit.effects.some(({ type }) => type === 'keys') && ++counted === nth
          if (isIt) before = keepKeyRows(join(test.directory, 'data'))
          await store.commit(commit)
          if (isIt) cpSync(test.directory, crashed, { recursive: true })
        }),
    })
    await test.notarise(requestOf(1))
    const ordered = await what(test)
    counted = 0
    await order(test, ordered)
    if (before === undefined) throw new Error(`Keys were committed less often: ${counted}`)
    const reopen = async (): Promise<TestService> => {
      await test.service.close()
      rmSync(test.directory, { recursive: true })
      cpSync(crashed, test.directory, { recursive: true })
      return test.reopen({ providers: [createEnvironmentKek(new Secret(utf8(kek))), hsm] })
    }
    return { before, data: join(crashed, 'data'), reopen }
  }

  const rotated = async (test: TestService): Promise<string> => {
    const keyId = await idOf(test, 'evidence', 1)
    await order(test, { order: 'rotate', purpose: 'evidence' })
    return keyId
  }

  it.each<[string, number, (test: TestService) => Promise<KeyOrder> | KeyOrder, RegExp]>([
    ['prepared', 1, () => ({ order: 'rotate', purpose: 'fast' }), /fast v2 was prepared$/],
    ['exchanged', 2, () => ({ order: 'rotate', purpose: 'evidence' }), /trust root says more/],
    ['exchanged for checkpoints', 2, () => ({ order: 'rotate', purpose: 'log' }), /trust root/],
    ['stopped', 3, () => ({ order: 'rotate', purpose: 'log' }), /log v1 was destroyed$/],
    [
      'revoked',
      1,
      async (test) => ({ keyId: await rotated(test), order: 'revoke' }),
      /evidence v1 was revoked$/,
    ],
    [
      'destroyed',
      1,
      async (test) => ({ keyId: await rotated(test), order: 'destroy' }),
      /evidence v1 was destroyed$/,
    ],
    ['renewed', 1, () => ({ order: 'rotate-master' }), /master v2 was activated$/],
    ['wrapped again', 1, () => ({ order: 'rewrap' }), /master v1 was given slots$/],
    ['moved', 3, () => ({ order: 'migrate', to: 'hsm' }), /master v1 was given slots$/],
  ])('is refused when a key was %s since', async (_, nth, what, told) => {
    const { before, data, reopen } = await crashIn(async (test) => what(test), nth)
    const after = keepKeyRows(data)
    putKeyRows(data, before)
    const code = await codeOf(reopen())
    expect(code).toMatch(/^KEY_STORE_REFUSED: Key store is older than its log, which tells that /)
    expect(code).toMatch(told)
    // What the crash left by itself goes on.
    putKeyRows(data, after)
    const again = await reopen()
    const { id } = await again.notarise(requestOf(2))
    expect(await verdictOf(again, await dossierOf(again, id))).toBe('valid')
    expect(
      (await followTrustRoots(again)).filter((said) => !/^taken|^update.fingerprint/.test(said)),
    ).toEqual([])
  })
})

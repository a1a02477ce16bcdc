import { describe, expect, it, onTestFinished } from 'vitest'
import { encodeHex } from '../../src/base/bytes.ts'
import { encodeBase64 } from '../../src/base/base64.ts'
import { Failure, type FailureCode } from '../../src/base/failure.ts'
import { canonicalBytes } from '../../src/base/canonical-json.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { kekKinds, type KekContext, type KekProvider } from '../../src/kek/kek.ts'

const context: KekContext = {
  header: 'ab'.repeat(32),
  slot: '01890a5d-ac96-774b-bcce-b302099a8057',
  purpose: 'master',
}

const dataKeyBytes = (): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 1)
const dataKey = (): Secret => new Secret(dataKeyBytes())
const hexOf = (secret: Secret): string => secret.use(encodeHex)
const dataKeyHex = encodeHex(dataKeyBytes())

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const outcome = await promise.then(
    () => 'resolved',
    (error: unknown) => error,
  )
  if (!(outcome instanceof Failure)) throw new Error(`Not a Failure: ${String(outcome)}`)
  return outcome
}

const codeOf = async (promise: Promise<unknown>): Promise<FailureCode> =>
  (await failureOf(promise)).code

/** What becomes of a blob that was wrapped before. */
export type Outcome = 'opens' | FailureCode

/** Something that befalls the key where it lies. */
export interface Harm {
  /** Does it to the key of a provider. */
  readonly befall: (provider: KekProvider) => void | Promise<void>
  /** What the provider that was there before makes of its blobs. */
  readonly running: Outcome
  /** What one makes of them that is started afterwards. */
  readonly restarted: Outcome
}

/** A provider under test. */
export interface KekCase {
  /** A provider; two in a row have keys of their own. */
  readonly create: () => KekProvider | Promise<KekProvider>
  /** One whose key nobody else uses, where `create` gives some again. */
  readonly createAlone?: () => KekProvider | Promise<KekProvider>
  /** Another provider of the settings of one, as after a restart; null where the key dies with its process. */
  readonly restart: ((provider: KekProvider) => KekProvider | Promise<KekProvider>) | null
  /** The key is deleted. */
  readonly lose?: Harm
  /** Another key takes its place under the same settings. */
  readonly exchange?: Harm
}

const outcomeOf = (promise: Promise<Secret>): Promise<string> =>
  promise.then(hexOf).then(
    (hex) => (hex === dataKeyHex ? 'opens' : 'opens to another key'),
    (error: unknown) => (error instanceof Failure ? error.code : String(error)),
  )

/** A place as the key hierarchy makes it: tenant and version go into the header's hash. */
function placeOf(change: Readonly<Record<string, unknown>>): KekContext {
  const place = { purpose: 'master', slot: context.slot, tenant: 'default', version: 1, ...change }
  const { purpose, slot, tenant, version } = place
  const header = encodeHex(sha256(canonicalBytes({ purpose, tenant, v: 1, version })))
  return { header, purpose, slot }
}

/** What every provider must do. */
export function kekSuite(name: string, { create, ...more }: KekCase): void {
  const { createAlone = create, exchange, lose, restart } = more
  const restarted = async (provider: KekProvider): Promise<KekProvider> => {
    if (restart === null) throw new Error('Its key dies with its process')
    const again = await restart(provider)
    onTestFinished(() => again.close())
    return again
  }

  describe(`${name} as a key provider`, () => {
    it('gives back what it wrapped, and says by which key and how', async () => {
      const provider = await create()
      const wrapped = await provider.wrap(dataKey(), context)
      expect(hexOf(await provider.unwrap(wrapped, context))).toBe(dataKeyHex)
      expect(wrapped.kekId).toBe(provider.metadata.kekId)
      expect(wrapped.mechanism).toBe(provider.metadata.mechanism)
      expect(kekKinds).toContain(provider.metadata.kind)
      await expect(provider.probe()).resolves.toBeUndefined()
    })

    it('leaves the data key to its owner, and gives a copy of its own', async () => {
      const provider = await create()
      const key = dataKey()
      const wrapped = await provider.wrap(key, context)
      expect(hexOf(key)).toBe(dataKeyHex)
      key.wipe()
      const first = await provider.unwrap(wrapped, context)
      first.wipe()
      expect(hexOf(await provider.unwrap(wrapped, context))).toBe(dataKeyHex)
    })

    it('does not show the data key in the blob', async () => {
      const { blob } = await (await create()).wrap(dataKey(), context)
      expect(encodeHex(blob)).not.toContain(dataKeyHex.slice(0, 16))
    })

    it('makes two blobs of one key wrapped twice', async () => {
      const provider = await create()
      const first = await provider.wrap(dataKey(), context)
      const second = await provider.wrap(dataKey(), context)
      expect(encodeHex(first.blob)).not.toBe(encodeHex(second.blob))
    })

    it.each(['header', 'slot', 'purpose'] as const)(
      'refuses a context with another %s',
      async (field) => {
        const provider = await create()
        const wrapped = await provider.wrap(dataKey(), context)
        for (const value of [`${context[field]}0`, context[field].slice(1), ''])
          expect(await codeOf(provider.unwrap(wrapped, { ...context, [field]: value }))).toBe(
            'OPEN_FAILED',
          )
      },
    )

    it.each([
      ['tenant', 'other'],
      ['version', 2],
      ['purpose', 'evidence'],
      ['slot', '01890a5d-ac96-774b-bcce-b302099a8058'],
    ])('refuses a blob that was moved to another %s', async (field, value) => {
      const provider = await create()
      const wrapped = await provider.wrap(dataKey(), placeOf({}))
      const moved = placeOf({ [field]: value })
      expect(await codeOf(provider.unwrap(wrapped, moved))).toBe('OPEN_FAILED')
      expect(await outcomeOf(provider.unwrap(wrapped, placeOf({})))).toBe('opens')
    })

    it('refuses a context whose fields are exchanged', async () => {
      const provider = await create()
      const wrapped = await provider.wrap(dataKey(), context)
      const exchanged = { ...context, header: context.slot, slot: context.header }
      expect(await codeOf(provider.unwrap(wrapped, exchanged))).toBe('OPEN_FAILED')
    })

    it('refuses a blob under another key id or another mechanism', async () => {
      const provider = await create()
      const wrapped = await provider.wrap(dataKey(), context)
      for (const changed of [{ kekId: `${wrapped.kekId}0` }, { kekId: '' }, { mechanism: 'AES' }])
        expect(await codeOf(provider.unwrap({ ...wrapped, ...changed }, context))).toBe(
          'OPEN_FAILED',
        )
    })

    it('refuses a blob of every shorter length, and a longer one', async () => {
      const provider = await create()
      const wrapped = await provider.wrap(dataKey(), context)
      const { blob } = wrapped
      const shorter = [...blob.keys()].map((length) => blob.slice(0, length))
      for (const changed of [...shorter, blob.slice(1), Uint8Array.of(...blob, 0)])
        expect(await codeOf(provider.unwrap({ ...wrapped, blob: changed }, context))).toBe(
          'OPEN_FAILED',
        )
    })

    it('refuses a blob with any byte changed', async () => {
      const provider = await create()
      const wrapped = await provider.wrap(dataKey(), context)
      for (const at of wrapped.blob.keys()) {
        const blob = wrapped.blob.slice()
        blob[at] = (blob[at] ?? 0) ^ (1 << (at % 8))
        expect(await codeOf(provider.unwrap({ ...wrapped, blob }, context))).toBe('OPEN_FAILED')
      }
    })

    it('refuses the blob of another key, also when it claims to be its own', async () => {
      const provider = await create()
      const foreign = await (await create()).wrap(dataKey(), context)
      expect(await codeOf(provider.unwrap(foreign, context))).toBe('OPEN_FAILED')
      const claimed = { ...foreign, kekId: provider.metadata.kekId }
      expect(await codeOf(provider.unwrap(claimed, context))).toBe('OPEN_FAILED')
    })

    it('tells nothing of key or blob when it refuses', async () => {
      const provider = await create()
      const wrapped = await provider.wrap(dataKey(), context)
      const blob = wrapped.blob.slice()
      blob[20] = (blob[20] ?? 0) ^ 1
      const failure = await failureOf(provider.unwrap({ ...wrapped, blob }, context))
      const text = `${failure.message} ${String(failure.cause)} ${String(failure.stack)}`
      for (const secret of [dataKeyHex, encodeHex(blob), encodeBase64(blob)])
        expect(text).not.toContain(secret)
    })

    it('keeps 50 keys apart that are wrapped and unwrapped at the same time', async () => {
      const provider = await create()
      const places = Array.from({ length: 50 }, (_, i) => ({ ...context, slot: `slot-${i}` }))
      const keys = places.map(() => Secret.random(32))
      const expected = keys.map(hexOf)
      const opened = await Promise.all(
        keys.map(async (key, i) => {
          const place = places[i] ?? context
          return hexOf(await provider.unwrap(await provider.wrap(key, place), place))
        }),
      )
      expect(opened).toEqual(expected)
      expect(new Set(opened).size).toBe(50)
    })

    it.each([0, 16, 31, 33, 64])('wraps no data key of %i bytes', async (length) => {
      const provider = await create()
      expect(await codeOf(provider.wrap(Secret.random(length), context))).toBe('BUG')
    })

    if (restart === null)
      it('takes its key with it when it ends: the next one opens nothing of it', async () => {
        const provider = await createAlone()
        const wrapped = await provider.wrap(dataKey(), context)
        await provider.close()
        const next = await createAlone()
        expect(await outcomeOf(next.unwrap(wrapped, context))).toBe('OPEN_FAILED')
        const claimed = { ...wrapped, kekId: next.metadata.kekId }
        expect(await outcomeOf(next.unwrap(claimed, context))).toBe('OPEN_FAILED')
        expect(provider.metadata.durable).toBe(false)
      })
    else
      it('opens after a restart what was wrapped before, under the same name', async () => {
        const provider = await createAlone()
        const wrapped = await provider.wrap(dataKey(), context)
        await provider.close()
        const again = await restarted(provider)
        expect(await outcomeOf(again.unwrap(wrapped, context))).toBe('opens')
        const { kekId } = await again.wrap(dataKey(), context)
        expect([kekId, again.metadata.kekId]).toEqual([wrapped.kekId, wrapped.kekId])
        expect(provider.metadata.durable).toBe(true)
      })

    for (const [what, harm] of [
      ['its key is gone', lose],
      ['another key is in its place', exchange],
    ] as const)
      if (harm !== undefined)
        it(`does as its kind should when ${what}, and never opens by the wrong key`, async () => {
          const provider = await createAlone()
          const wrapped = await provider.wrap(dataKey(), context)
          await harm.befall(provider)
          expect(await outcomeOf(provider.unwrap(wrapped, context))).toBe(harm.running)
          // What cannot open cannot be trusted to wrap, and says so when it is probed.
          if (harm.running !== 'opens') {
            expect(await codeOf(provider.wrap(dataKey(), context))).toBe(harm.running)
            expect(await codeOf(provider.probe())).toBe(harm.running)
          }
          const outcome = Promise.resolve(provider).then(restarted)
          expect(await outcomeOf(outcome.then((again) => again.unwrap(wrapped, context)))).toBe(
            harm.restarted,
          )
        })

    if (exchange !== undefined)
      it('wraps by the key that took the place under its own name, and keeps the two apart', async () => {
        const provider = await createAlone()
        const old = await provider.wrap(dataKey(), context)
        await exchange.befall(provider)
        const next = await restarted(provider)
        const fresh = await next.wrap(dataKey(), context)
        expect(fresh.kekId).not.toBe(old.kekId)
        expect(await outcomeOf(next.unwrap(fresh, context))).toBe('opens')
        for (const mixed of [
          { ...old, kekId: fresh.kekId },
          { ...fresh, kekId: old.kekId },
        ])
          expect(await outcomeOf(next.unwrap(mixed, context))).toBe('OPEN_FAILED')
      })

    it('is unavailable once closed, and closing twice does no harm', async () => {
      const provider = await create()
      const wrapped = await provider.wrap(dataKey(), context)
      await provider.close()
      await provider.close()
      expect(await codeOf(provider.wrap(dataKey(), context))).toBe('KEK_UNAVAILABLE')
      expect(await codeOf(provider.unwrap(wrapped, context))).toBe('KEK_UNAVAILABLE')
      expect(await codeOf(provider.probe())).toBe('KEK_UNAVAILABLE')
    })
  })
}

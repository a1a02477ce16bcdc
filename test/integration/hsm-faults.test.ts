import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { Failure, type FailureCode } from '../../src/base/failure.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { createHsmKek, initHsmKey, type HsmKek } from '../../src/kek/hsm.ts'
import type { WrappedKey } from '../../src/kek/kek.ts'
import { buildProxy } from '../support/pkcs11-proxy.ts'
import { makeToken, needSoftHsm, testPin } from '../support/softhsm.ts'

const token = makeToken(needSoftHsm())
const proxy = buildProxy(token.directory)
const place = { ...token.place('kek'), module: proxy.module }
const pin = (): Secret => new Secret(utf8(testPin))
const context = { header: 'ab'.repeat(32), purpose: 'master', slot: 'slot' }

/** Hardly rests, so that each case begins anew. */
const patient = { poolSize: 1, faults: 3, firstPauseMs: 1, longestPauseMs: 1, waitMs: 10_000 }
const open = (): HsmKek => createHsmKek(place, pin(), patient)

await initHsmKey(place, pin(), 'wrap')
const provider = open()
const wrapped: WrappedKey = await provider.wrap(Secret.random(32), context)

beforeEach(() => {
  proxy.clear()
})

afterEach(() => {
  proxy.clear()
})

afterAll(async () => {
  await provider.close()
  token.remove()
})

const codeOf = (promise: Promise<unknown>): Promise<FailureCode | 'ok'> =>
  promise.then(
    () => 'ok' as const,
    (error: unknown) => {
      if (error instanceof Failure) return error.code
      throw error
    },
  )

const operations = {
  wrap: { call: 'C_WrapKey', run: () => provider.wrap(Secret.random(32), context) },
  unwrap: { call: 'C_UnwrapKey', run: () => provider.unwrap(wrapped, context) },
  probe: { call: 'C_UnwrapKey', run: () => provider.probe() },
} as const
type Operation = keyof typeof operations

const codes = {
  reconnect: [0x60, 0x82, 0x90, 0x91, 0xb0, 0xb3, 0xf0, 0x101, 0x113],
  restart: [0x05, 0x06, 0x30, 0x32, 0xe0, 0x190, 0x54],
  throttle: [0x02, 0x31, 0xb1],
  never: [0x10, 0x11, 0x12, 0x13, 0x6a, 0x70, 0xa0, 0xa3, 0xa4, 0x102],
  disabled: [0x68],
  tamper: [0x40, 0x110, 0x112],
} as const

const cases = (of: keyof typeof codes): [Operation, string, number][] =>
  (Object.keys(operations) as Operation[]).flatMap((operation) =>
    codes[of].map((code): [Operation, string, number] => [operation, code.toString(16), code]),
  )

describe('SoftHSM behind a module that fails', () => {
  it.each(cases('reconnect'))(
    '%s goes on in a new session after 0x%s',
    async (operation, _, code) => {
      proxy.rule(operations[operation].call, 'code', code, 'once')
      const before = provider.pids
      expect(await codeOf(operations[operation].run())).toBe('ok')
      expect(proxy.followed()).toBe(true)
      expect(provider.pids).toEqual(before)
    },
  )

  it.each(cases('restart').filter(([operation, , code]) => operation !== 'unwrap' || code !== 5))(
    '%s goes on in a new process after 0x%s',
    async (operation, _, code) => {
      proxy.rule(operations[operation].call, 'code', code, 'once')
      const before = provider.pids
      expect(await codeOf(operations[operation].run())).toBe('ok')
      expect(proxy.followed()).toBe(true)
      expect(provider.pids).not.toEqual(before)
    },
  )

  it.each(cases('throttle'))('%s sheds load after 0x%s', async (operation, _, code) => {
    proxy.rule(operations[operation].call, 'code', code, 'once')
    const before = provider.pids
    expect(await codeOf(operations[operation].run())).toBe('KEK_UNAVAILABLE')
    expect(provider.pids).toEqual(before)
  })

  it.each([...cases('never'), ...cases('disabled')])(
    '%s gives up after 0x%s',
    async (operation, _, code) => {
      proxy.rule(operations[operation].call, 'code', code, 'once')
      const expected = code === 0x68 ? 'KEK_KEY_DISABLED' : 'KEK_DENIED'
      expect(await codeOf(operations[operation].run())).toBe(expected)
    },
  )

  it.each([0x05, ...codes.tamper])(
    'blames the blob for code %i while the canary opens',
    async (code) => {
      proxy.rule('C_UnwrapKey', 'code', code, 'once')
      expect(await codeOf(provider.unwrap(wrapped, context))).toBe('OPEN_FAILED')
    },
  )

  it.each([0x05, ...codes.tamper])(
    'blames the token for code %i when the canary opens no more',
    async (code) => {
      proxy.rule('C_UnwrapKey', 'code', code, 'always')
      expect(await codeOf(provider.unwrap(wrapped, context))).toBe('KEK_UNAVAILABLE')
    },
  )

  it.each([0x05, 0x30, 0x54, 0xb3, 0x101, 0x110])(
    'never opens or wraps while everything gives code %i',
    async (code) => {
      for (const call of ['C_WrapKey', 'C_UnwrapKey'] as const) {
        proxy.rule(call, 'code', code, 'always')
        const operation = call === 'C_WrapKey' ? operations.wrap : operations.unwrap
        expect(await codeOf(operation.run())).toMatch(/^KEK_/)
        proxy.clear()
      }
    },
  )

  it.each(['C_GetSlotList', 'C_OpenSession', 'C_FindObjectsInit'] as const)(
    'is unavailable while %s fails, and then is not',
    async (call) => {
      const fresh = open()
      proxy.rule(call, 'code', 0x30, 'always')
      expect(await codeOf(fresh.probe())).toBe('KEK_UNAVAILABLE')
      proxy.clear()
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(await codeOf(fresh.probe())).toBe('ok')
      await fresh.close()
    },
  )

  it.each([0xb3, 0x30, 0x31])(
    'takes no other key for the one it knew when code %i comes while it is judged again',
    async (code) => {
      const fresh = open()
      const [wrapping, opening] = ['C_WrapKey', 'C_UnwrapKey'] as const
      await fresh.probe()
      proxy.rule(wrapping, 'code', 0xb3, 'once')
      proxy.rule(opening, 'code', code, 'once')
      expect(await codeOf(fresh.wrap(Secret.random(32), context))).toMatch(/^ok$|^KEK_UNAVAILABLE$/)
      expect(proxy.followed()).toBe(true)
      await expect.poll(() => codeOf(fresh.unwrap(wrapped, context)), { interval: 20 }).toBe('ok')
      await fresh.close()
    },
  )

  it.each([0xb3, 0x30, 0x31])(
    'is unavailable, and not without a mechanism, when code %i comes while it is judged',
    async (code) => {
      const fresh = open()
      proxy.rule('C_WrapKey', 'code', code, 'always')
      expect(await codeOf(fresh.probe())).toBe('KEK_UNAVAILABLE')
      proxy.clear()
      await expect.poll(() => codeOf(fresh.probe()), { interval: 20 }).toBe('ok')
      await fresh.close()
    },
  )

  it.each([0xa0, 0xa2, 0xa3, 0xa4, 0x102])(
    'logs in once when the PIN is refused by code %i',
    async (code) => {
      const fresh = createHsmKek(place, pin(), { ...patient, poolSize: 4 })
      proxy.beginLog()
      proxy.rule('C_Login', 'code', code, 'always')
      const calls = Array.from({ length: 8 }, () => codeOf(fresh.probe()))
      expect(new Set(await Promise.all(calls))).toEqual(new Set(['KEK_DENIED']))
      proxy.clear()
      expect(await codeOf(fresh.unwrap(wrapped, context))).toBe('KEK_DENIED')
      expect(proxy.calls('C_Login')).toBe(1)
      await fresh.close()
    },
  )

  it('takes a token on which the user is logged in already', async () => {
    const fresh = open()
    proxy.rule('C_Login', 'code', 0x100, 'once')
    // Nobody is, so that the key is not seen; but it is no refusal of the PIN.
    expect(await codeOf(fresh.probe())).toBe('KEK_KEY_MISSING')
    expect(await codeOf(fresh.probe())).toBe('ok')
    await fresh.close()
  })
})

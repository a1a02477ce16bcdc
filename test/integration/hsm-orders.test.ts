import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type { FailureCode } from '../../src/base/failure.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { createHsmKek, initHsmKey } from '../../src/kek/hsm.ts'
import { openOrderBench, type OrderBench, type OrderName } from '../support/order-bench.ts'
import { buildProxy } from '../support/pkcs11-proxy.ts'
import { makeToken, testPin } from '../support/softhsm.ts'

// What the provider does about each code is in hsm-faults.test.ts; here it is what becomes of an order about keys.

const token = makeToken()
const proxy = buildProxy(token.directory)
const place = { ...token.place('kek'), module: proxy.module }
const pin = (): Secret => new Secret(utf8(testPin))
let bench: OrderBench

beforeAll(async () => {
  await initHsmKey(place, pin())
  // One fault ends it, for it is not the patience of the pool that is tried here.
  const options = { faults: 1, firstPauseMs: 60, longestPauseMs: 60, poolSize: 1 }
  bench = await openOrderBench(createHsmKek(place, pin(), options))
})

afterAll(async () => {
  await bench.close()
  token.remove()
})

const heal = (): void => {
  proxy.clear()
}

const reconnect = [0x60, 0x82, 0x90, 0x91, 0xb0, 0xb3, 0xf0, 0x101, 0x113]
const restart = [0x05, 0x06, 0x30, 0x32, 0xe0, 0x190, 0x54]
const throttle = [0x02, 0x31, 0xb1]
const never = [0x10, 0x11, 0x12, 0x13, 0x6a, 0x70, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0x102]
const tamper = [0x20, 0x21, 0x40, 0x41, 0x42, 0x110, 0x112]

interface Harm {
  readonly code: FailureCode
  readonly what: string
  readonly harm: () => void
}

const always = (
  call: 'C_WrapKey' | 'C_UnwrapKey',
  code: FailureCode,
  values: readonly number[],
): Harm[] =>
  values.map((value) => ({
    code,
    harm: () => {
      proxy.rule(call, 'code', value, 'always')
    },
    what: `0x${value.toString(16)}`,
  }))

/** Every code of a call, and what an order meets then. */
const harmsOf = (call: 'C_WrapKey' | 'C_UnwrapKey'): Harm[] => [
  ...always(call, 'KEK_UNAVAILABLE', [...reconnect, ...restart, ...throttle]),
  ...always(call, 'KEK_DENIED', never),
  ...always(call, 'KEK_KEY_DISABLED', [0x68]),
  {
    code: 'KEK_UNAVAILABLE',
    harm: () => {
      proxy.rule(call, 'crash', 0, 'always')
    },
    what: 'the end of its process',
  },
]

/** Codes that blame the blob, while the canary opens. */
const tampering = [0x05, ...tamper].map((value): Harm => ({
  code: 'OPEN_FAILED',
  harm: () => {
    proxy.rule('C_UnwrapKey', 'code', value, 'once')
  },
  what: `0x${value.toString(16)} once`,
}))

const opening = [...harmsOf('C_UnwrapKey'), ...tampering]
/** A token that does not know the function when it is opened anew is one that cannot wrap, and no outage. */
const wrapping = harmsOf('C_WrapKey').filter(({ what }) => what !== '0x54')
/** A probe uses blobs of its own: a code that blames one blames the token. */
const probing = [...harmsOf('C_UnwrapKey'), ...always('C_UnwrapKey', 'KEK_UNAVAILABLE', tamper)]
// All of them are met by rotation; FAULTS=all meets all by each, else it is every fourth.
const stride = process.env['FAULTS'] === 'all' ? 1 : 4
const operations: readonly (readonly [string, OrderName | 'probe', readonly Harm[], number])[] = [
  ['rotate', 'rotate', opening, 1],
  ['unwrap by rewrap', 'rewrap', opening, stride],
  ['wrap by rewrap', 'rewrap', wrapping, stride],
  ['probe', 'probe', probing, stride],
]

const cases = operations.flatMap(([name, order, harms, every]) =>
  harms.filter((_, i) => i % every === 0).map((harm) => ({ ...harm, name, order })),
)

describe('SoftHSM behind a module that fails, at the command line and over HTTP', () => {
  it('is tried with every code', () => {
    expect([opening.length, wrapping.length, probing.length]).toEqual([41, 32, 40])
    // With those of kms-orders.test.ts more than 150, also where it is every fourth.
    expect(cases).toHaveLength(stride === 1 ? 154 : 70)
  })

  it.each(cases)(
    '$name: is $code after $what, and works afterwards',
    async ({ code, harm, order }) => {
      if (order === 'probe') await bench.probe(harm, heal, code)
      else await bench.meet(order, harm, heal, code)
    },
  )
})

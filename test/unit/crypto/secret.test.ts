import { inspect } from 'node:util'
import { serialize } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { counting, expectFailure } from './engines.ts'

const marker = new TextEncoder().encode('hunter2-hunter2-hunter2-hunter2!')
const forms = [
  'hunter2',
  Buffer.from(marker).toString('hex').slice(0, 14),
  Buffer.from(marker).toString('base64').slice(0, 12),
  '104, 117, 110',
  '104,117,110',
  '68 75 6e',
]
const leaks = (text: string): boolean => forms.some((form) => text.includes(form))
const secret = (): Secret => new Secret(marker.slice())

describe('a secret', () => {
  it('gives a part that outlives it', () => {
    const whole = new Secret(Uint8Array.of(1, 2, 3, 4))
    const [start, end] = [whole.part(0, 1), whole.part(1)]
    expect(whole.use((bytes) => [...bytes])).toEqual([1, 2, 3, 4])
    whole.wipe()
    expect(start.use((bytes) => [...bytes])).toEqual([1])
    expect(end.use((bytes) => [...bytes])).toEqual([2, 3, 4])
    expectFailure('BUG', () => whole.part(0))
  })

  it('takes the bytes over and wipes where they came from', () => {
    const source = counting(32, 1)
    const own = new Secret(source)
    expect(source).toEqual(new Uint8Array(32))
    expect(own.use((bytes) => bytes.slice())).toEqual(counting(32, 1))
    expect(own.length).toBe(32)
  })

  it('lies in a buffer of its own, and wipes only its part of a shared one', () => {
    const pool = counting(64, 1)
    const own = new Secret(pool.subarray(16, 48))
    expect(own.use((bytes) => bytes.buffer.byteLength)).toBe(32)
    expect(pool.subarray(0, 16)).toEqual(counting(16, 1))
    expect(pool.subarray(16, 48)).toEqual(new Uint8Array(32))
    expect(pool.subarray(48)).toEqual(counting(16, 49))
  })

  it('is zeros after wiping, and is lent to nobody any more', async () => {
    const own = secret()
    const kept = own.use((bytes) => bytes)
    own.wipe()
    own.wipe()
    expect(kept).toEqual(new Uint8Array(32))
    expect(own.length).toBe(32)
    expectFailure('BUG', () => own.use((bytes) => bytes))
    await expect(own.useAsync((bytes) => Promise.resolve(bytes))).rejects.toMatchObject({
      code: 'BUG',
    })
  })

  it('is wiped at the end of the scope that holds it', () => {
    let kept = new Uint8Array(0)
    {
      using own = secret()
      kept = own.use((bytes) => bytes as Uint8Array<ArrayBuffer>)
      expect(kept).toEqual(marker)
    }
    expect(kept).toEqual(new Uint8Array(32))
  })

  it('is wiped only after the last borrower is done, so that none computes with zeros', async () => {
    const own = secret()
    const gate = Promise.withResolvers<undefined>()
    let kept = new Uint8Array(0)
    const borrowed = own.useAsync(async (bytes) => {
      kept = bytes as Uint8Array<ArrayBuffer>
      await gate.promise
      return bytes.slice()
    })
    own.wipe()
    expectFailure('BUG', () => own.use((bytes) => bytes))
    expect(kept).toEqual(marker)
    gate.resolve(undefined)
    expect(await borrowed).toEqual(marker)
    expect(kept).toEqual(new Uint8Array(32))
  })

  it('ends the loan when the borrower throws', async () => {
    const own = secret()
    const kept = own.use((bytes) => bytes)
    const fail = (): never => {
      throw new Error('borrower failed')
    }
    expect(() => own.use(fail)).toThrow('borrower failed')
    await expect(own.useAsync(() => Promise.reject(new Error('later')))).rejects.toThrow('later')
    own.wipe()
    expect(kept).toEqual(new Uint8Array(32))
  })

  it('is not lent to an async function by the synchronous way', () => {
    expectFailure('BUG', () => secret().use((bytes) => Promise.resolve(bytes)))
  })

  it('makes random ones that differ', () => {
    const read = () => Secret.random(32).use((bytes) => bytes.slice())
    expect(read()).toHaveLength(32)
    expect(read()).not.toEqual(read())
  })
})

describe('a secret does not leak', () => {
  it.each<[string, (own: Secret) => unknown]>([
    ['JSON.stringify', (own) => JSON.stringify(own)],
    ['JSON.stringify of what holds it', (own) => JSON.stringify({ deep: [{ own }] })],
    ['String', (own) => String(own)],
    ['a template', (own) => `a ${own as unknown as string}`],
    ['concatenation', (own) => 'x' + (own as unknown as string)],
    ['a number', (own) => Number(own)],
    ['toString', (own) => own.toString()],
    ['join', (own) => [own].join()],
  ])('by %s, which is refused', (_, write) => {
    expectFailure('BUG', () => write(secret()))
  })

  it.each<[string, (own: Secret) => string]>([
    ['inspect', (own) => inspect(own)],
    ['deep inspect with hidden members', (own) => inspect({ own }, { showHidden: true, depth: 9 })],
    [
      'inspect without our own say',
      (own) => inspect(own, { customInspect: false, showHidden: true }),
    ],
    ['an error that carries it', (own) => inspect(Object.assign(new Error('x'), { own }))],
    ['a failure that it caused', (own) => inspect(new Failure('BUG', 'x', { cause: own }))],
    ['Object.entries', (own) => inspect(Object.entries(own))],
    [
      'own keys',
      (own) => inspect(Reflect.ownKeys(own).map((key) => Reflect.get(own, key) as unknown)),
    ],
    ['copying', (own) => inspect(Object.assign({}, own))],
    ['structuredClone', (own) => inspect(structuredClone(own))],
    ['serialising', (own) => serialize(own).toString('latin1')],
  ])('by %s', (_, write) => {
    expect(leaks(write(secret()))).toBe(false)
  })

  it('by the refusal itself', () => {
    const own = secret()
    try {
      JSON.stringify(own)
      expect.unreachable()
    } catch (error) {
      expect(leaks(inspect(error, { showHidden: true, depth: 9 }))).toBe(false)
    }
  })

  it('and this test would see it', () => {
    const bytes = marker.slice()
    expect(leaks(inspect(bytes))).toBe(true)
    expect(leaks(inspect(Buffer.from(bytes)))).toBe(true)
    expect(leaks(serialize(bytes).toString('latin1'))).toBe(true)
    expect(leaks(JSON.stringify([...bytes]))).toBe(true)
  })
})

import { expect, it } from 'vitest'
import { decodeBase64 } from '../../src/base/base64.ts'
import { decodeHex, utf8 } from '../../src/base/bytes.ts'
import { compositeNative, compositePortable } from '../../src/crypto/composite.ts'
import { ed25519Native, ed25519Portable } from '../../src/crypto/ed25519.ts'
import { sha512 } from '../../src/crypto/hash.ts'
import { mlDsa65Native, mlDsa65Portable } from '../../src/crypto/ml-dsa.ts'
import type { SignatureAlgorithm } from '../../src/crypto/signatures.ts'
import { encodeSpki } from '../../src/crypto/spki.ts'
import { describeVectors, readVectors } from '../support/vectors.ts'
import { present } from '../unit/crypto/engines.ts'

const hex = (text: string): Uint8Array => present(decodeHex(text))
const base64 = (text: string): Uint8Array => present(decodeBase64(text))

interface Case {
  readonly name: string
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
  readonly context: Uint8Array | undefined
  readonly good: boolean
}

interface WycheproofFile {
  readonly numberOfTests: number
  readonly testGroups: readonly {
    readonly publicKey: string | { readonly pk: string }
    readonly tests: readonly {
      readonly tcId: number
      readonly msg: string
      readonly sig: string
      readonly ctx?: string
      readonly result: 'valid' | 'invalid'
    }[]
  }[]
}

function wycheproof(file: string): Case[] {
  const { testGroups, numberOfTests } = readVectors(file) as WycheproofFile
  const cases = testGroups.flatMap(({ publicKey, tests }) =>
    tests.map((test) => ({
      name: `${file} ${test.tcId}`,
      publicKey: hex(typeof publicKey === 'string' ? publicKey : publicKey.pk),
      message: hex(test.msg),
      signature: hex(test.sig),
      context: test.ctx === undefined ? undefined : hex(test.ctx),
      good: test.result === 'valid',
    })),
  )
  expect(cases).toHaveLength(numberOfTests)
  return cases
}

interface CctvCase {
  readonly number: number
  readonly key: string
  readonly sig: string
  readonly msg: string
  readonly accept: boolean
}

const cctv = (): Case[] =>
  (readVectors('cctv-ed25519.json') as CctvCase[]).map((test) => ({
    name: `CCTV ${test.number}`,
    publicKey: hex(test.key),
    message: utf8(test.msg),
    signature: hex(test.sig),
    context: undefined,
    good: test.accept,
  }))

/** Names of the cases whose verdict is not the file's. */
function wrong(algorithm: SignatureAlgorithm, cases: readonly Case[]): string[] {
  expect(cases.filter(({ good }) => good).length).toBeGreaterThan(0)
  expect(cases.filter(({ good }) => !good).length).toBeGreaterThan(0)
  return cases
    .filter(
      ({ publicKey, message, signature, context, good }) =>
        algorithm.verify(publicKey, message, signature, context) !== good,
    )
    .map(({ name }) => name)
}

const ed25519Engines: [string, SignatureAlgorithm][] = [
  ['node:crypto', present(ed25519Native)],
  ['noble', ed25519Portable],
]

describeVectors('Ed25519', () => {
  it.each(ed25519Engines)('gives the verdict of every CCTV case by %s', (_, algorithm) => {
    const cases = cctv()
    expect(cases).toHaveLength(914)
    expect(wrong(algorithm, cases)).toEqual([])
  })

  it.each(ed25519Engines)('gives the verdict of every Wycheproof case by %s', (_, algorithm) => {
    expect(wrong(algorithm, wycheproof('wycheproof-ed25519.json'))).toEqual([])
  })
})

describeVectors('ML-DSA-65', () => {
  it.each<[string, SignatureAlgorithm]>([
    ['node:crypto', present(mlDsa65Native)],
    ['noble', mlDsa65Portable],
  ])('gives the verdict of every Wycheproof case by %s', async (_, algorithm) => {
    const cases = wycheproof('wycheproof-mldsa65-verify.json')
    expect(wrong(algorithm, cases)).toEqual([])
    for (const { name, publicKey, message, signature, context, good } of cases)
      expect([name, await algorithm.verifyAsync(publicKey, message, signature, context)]).toEqual([
        name,
        good,
      ])
  })
})

interface CompositeFile {
  readonly m: string
  readonly ctx: string
  readonly tests: readonly {
    readonly tcId: string
    readonly pk: string
    readonly sk: string
    readonly s: string
    readonly sWithContext: string
    readonly x5c: string
  }[]
}

describeVectors('the composite', () => {
  const { m, ctx, tests } = readVectors('composite-mldsa65-ed25519.json') as CompositeFile
  const message = base64(m)
  const context = base64(ctx)

  it.each([
    ['node:crypto', present(compositeNative)],
    ['noble', compositePortable],
  ])("verifies the draft's signatures by %s", (_, algorithm) => {
    expect(tests.length).toBeGreaterThan(0)
    for (const test of tests) {
      const publicKey = base64(test.pk)
      const plain = base64(test.s)
      const withContext = base64(test.sWithContext)
      expect(test.tcId).toBe(algorithm.name)
      expect(algorithm.publicKey(base64(test.sk))).toEqual(publicKey)
      expect(algorithm.verify(publicKey, message, plain)).toBe(true)
      expect(algorithm.verify(publicKey, message, withContext, context)).toBe(true)
      expect(algorithm.verifyDigest(publicKey, sha512(message), withContext, context)).toBe(true)
      expect(algorithm.verify(publicKey, message, plain, context)).toBe(false)
      expect(algorithm.verify(publicKey, message, withContext)).toBe(false)
      expect(algorithm.verify(publicKey, context, plain)).toBe(false)
    }
  })

  it("has the SPKI that stands in the draft's certificate", () => {
    for (const { pk, x5c } of tests) {
      const spki = encodeSpki(compositePortable, base64(pk))
      expect(Buffer.from(base64(x5c)).includes(Buffer.from(spki))).toBe(true)
    }
  })
})

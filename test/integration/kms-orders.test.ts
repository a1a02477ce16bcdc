import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { failureCodes, type FailureCode } from '../../src/base/failure.ts'
import { createKmsKek } from '../../src/kek/kms.ts'
import { firstLineOf, outcomeOf, runCountersign, startCountersign } from '../support/cli.ts'
import { KmsDouble, type Answer, type Fault } from '../support/kms-double.ts'
import { openOrderBench, type OrderBench, type OrderName } from '../support/order-bench.ts'

// What the provider says of each error, and how often it asks, is in kms-faults.test.ts; here it is what becomes of an order about keys.

const named: Readonly<Partial<Record<FailureCode, readonly string[]>>> = {
  KEK_UNAVAILABLE: [
    'ThrottlingException',
    'LimitExceededException',
    'KMSInternalException',
    'KeyUnavailableException',
    'DependencyTimeoutException',
    'ServiceUnavailable',
    'SomethingNewException',
  ],
  KEK_KEY_DISABLED: [
    'DisabledException',
    'KMSInvalidStateException',
    'CustomKeyStoreInvalidStateException',
    'CloudHsmClusterNotActiveException',
  ],
  KEK_KEY_MISSING: ['NotFoundException'],
  OPEN_FAILED: ['InvalidCiphertextException', 'IncorrectKeyException'],
  KEK_DENIED: [
    'AccessDeniedException',
    'InvalidGrantTokenException',
    'UnrecognizedClientException',
    'ExpiredTokenException',
    'InvalidSignatureException',
  ],
  CONFIG_INVALID: [
    'InvalidKeyUsageException',
    'UnsupportedOperationException',
    'ValidationException',
    'DryRunOperationException',
  ],
}

const faults: readonly (readonly [string, Fault, FailureCode])[] = [
  ...(Object.keys(named) as FailureCode[]).flatMap((code) =>
    (named[code] ?? []).map((error) => [error, { error }, code] as const),
  ),
  ...(['reset', 'html', 'malformed', 'hang'] as const).map(
    (kind) => [`an answer that is ${kind}`, { kind }, 'KEK_UNAVAILABLE'] as const,
  ),
]

/** A dry run says so when it would have succeeded. */
const probing = faults.filter(([what]) => what !== 'DryRunOperationException')
const operations: readonly (readonly [
  name: string,
  order: OrderName | 'probe',
  operation: 'Encrypt' | 'Decrypt',
  of: typeof faults,
])[] = [
  ['rotate', 'rotate', 'Decrypt', faults],
  ['unwrap by rewrap', 'rewrap', 'Decrypt', faults],
  ['wrap by rewrap', 'rewrap', 'Encrypt', faults],
  ['probe', 'probe', 'Decrypt', probing],
]

const cases = operations.flatMap(([name, order, operation, of]) =>
  of.map(([what, fault, code]) => ({ code, fault, name, operation, order, what })),
)

const settings = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret' }
let kms: KmsDouble
let bench: OrderBench

beforeAll(async () => {
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value)
  kms = await KmsDouble.start()
  // One attempt, for it is not the SDK's patience that is tried here.
  bench = await openOrderBench(
    createKmsKek({
      deadlineMs: 1000,
      endpoint: kms.endpoint,
      keyId: kms.createKey(),
      maxAttempts: 1,
      requestTimeoutMs: 400,
    }),
  )
})

afterAll(async () => {
  await bench.close()
  await kms.stop()
})

describe('AWS KMS that fails, at the command line and over HTTP', () => {
  it('is tried with every error', () => {
    expect([faults.length, probing.length]).toEqual([27, 26])
    expect(cases).toHaveLength(107)
  })

  it.each(cases)(
    '$name: is $code after $what, and works afterwards',
    async ({ code, fault, operation, order }) => {
      const heal = (): void => {
        kms.heal()
      }
      const harm = (): void => {
        kms.heal()
        kms.fail(fault, Infinity, operation)
      }
      if (order === 'probe') await bench.probe(harm, heal, code)
      else await bench.meet(order, harm, heal, code)
    },
  )
})

describe('AWS KMS that lies', () => {
  const bytesOf = (value: unknown): Buffer => Buffer.from(String(value), 'base64')
  const turned = (value: unknown): string =>
    Buffer.from(bytesOf(value).map((byte) => byte ^ 1)).toString('base64')
  const anotherKey = (usual: Answer): Answer => ({
    ...usual,
    Plaintext: turned(usual['Plaintext']),
  })

  it.each<[string, OrderName, 'Encrypt' | 'Decrypt', (usual: Answer) => Answer]>([
    ['gives another key of the right length', 'rotate', 'Decrypt', anotherKey],
    ['gives another key of the right length', 'rewrap', 'Decrypt', anotherKey],
    [
      'gives a ciphertext that it does not open',
      'rewrap',
      'Encrypt',
      (usual) => ({ ...usual, CiphertextBlob: turned(usual['CiphertextBlob']) }),
    ],
    [
      'gives a ciphertext without its last byte',
      'rewrap',
      'Encrypt',
      (usual) => ({
        ...usual,
        CiphertextBlob: bytesOf(usual['CiphertextBlob']).subarray(0, -1).toString('base64'),
      }),
    ],
  ])('and %s at %s changes nothing', async (_, order, operation, answer) => {
    const harm = (): void => {
      kms.heal()
      kms.fail({ answer }, Infinity, operation)
    }
    const heal = (): void => {
      kms.heal()
    }
    await bench.meet(order, harm, heal, 'OPEN_FAILED')
  })
})

describe('the command line beside a server whose keys hang on AWS KMS', () => {
  it('exits as the failure says, names it, and does the order once KMS is well', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'countersign-kms-orders-'))
    const double = await KmsDouble.start()
    const arn = double.createKey()
    const env = { ...double.environment, COUNTERSIGN_KMS_KEY_ID: arn }
    const run = (...args: string[]) => runCountersign([...args, '--kek', 'kms'], { cwd, env })
    expect(await run('init', '--origin', 'log.example')).toMatchObject({ code: 0 })
    const server = startCountersign(['serve', '--kek', 'kms', '--port', '0'], { cwd, env })
    const outcome = outcomeOf(server)
    try {
      await firstLineOf(server)
      const told = {
        KEK_UNAVAILABLE: 'KMSInternalException',
        KEK_DENIED: 'AccessDeniedException',
        KEK_KEY_MISSING: 'NotFoundException',
        KEK_KEY_DISABLED: 'DisabledException',
        OPEN_FAILED: 'InvalidCiphertextException',
        CONFIG_INVALID: 'ValidationException',
      } as const
      for (const [code, error] of Object.entries(told) as [keyof typeof told, string][]) {
        double.fail({ error })
        const { code: exit, stderr, stdout } = await run('keys', 'rewrap')
        double.heal()
        expect([code, exit, stdout]).toEqual([code, failureCodes[code].exit, ''])
        expect(stderr).toContain(`(${code})`)
        if (code !== 'OPEN_FAILED') expect(stderr).toContain(`${error}): ${arn}`)
      }
      const done = await run('keys', 'rewrap')
      expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('slots  master v1')])
    } finally {
      server.kill('SIGTERM')
      await outcome
      await double.stop()
      rmSync(cwd, { force: true, recursive: true })
    }
  })
})

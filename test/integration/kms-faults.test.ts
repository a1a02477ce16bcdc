import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { encodeBase64 } from '../../src/base/base64.ts'
import { encodeHex } from '../../src/base/bytes.ts'
import { Failure, failureCodes, type FailureCode } from '../../src/base/failure.ts'
import { Secret } from '../../src/crypto/secret.ts'
import type { KekContext, KekProvider, WrappedKey } from '../../src/kek/kek.ts'
import { createKmsKek, type KmsKekOptions } from '../../src/kek/kms.ts'
import { KmsDouble, type Answer, type Fault } from '../support/kms-double.ts'

// Everything here goes through the SDK and HTTP: what is tried is what an operator meets, not a table.

const context: KekContext = {
  header: 'cd'.repeat(32),
  slot: '01890a5d-ac96-774b-bcce-b302099a8057',
  purpose: 'master',
}
const dataKeyBytes = Uint8Array.from({ length: 32 }, (_, i) => (37 * i + 11) % 256)
const dataKey = (): Secret => new Secret(dataKeyBytes.slice())
const credentials = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  AWS_SESSION_TOKEN: `IQoJb3JpZ2luX2VjE${'aB3+/x9Q'.repeat(20)}==`,
}

const deadlineMs = 5000

beforeEach(() => {
  for (const [name, value] of Object.entries(credentials)) vi.stubEnv(name, value)
  for (const name of ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_KMS', 'AWS_REGION', 'AWS_PROFILE'])
    vi.stubEnv(name, undefined)
})

interface Setting {
  readonly kms: KmsDouble
  readonly kek: KekProvider
  readonly arn: string
  readonly wrapped: WrappedKey
  readonly secrets: readonly string[]
}

// Not after each test: they run at the same time.
const cleanups: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup()
})

async function setUp(change: Partial<KmsKekOptions> = {}): Promise<Setting> {
  const kms = await KmsDouble.start()
  const arn = kms.createKey()
  const kek = createKmsKek({ deadlineMs, endpoint: kms.endpoint, keyId: arn, ...change })
  cleanups.push(async () => {
    await kek.close()
    await kms.stop()
  })
  const unharmed = createKmsKek({ endpoint: kms.endpoint, keyId: arn })
  const wrapped = await unharmed.wrap(dataKey(), context)
  await unharmed.close()
  kms.asked.length = 0
  const secrets = [dataKeyBytes, wrapped.blob].flatMap((bytes) => [
    encodeBase64(bytes),
    encodeBase64(bytes).slice(0, 20),
    encodeHex(bytes),
  ])
  return { arn, kek, kms, secrets: [...secrets, ...Object.values(credentials)], wrapped }
}

const operations = {
  wrap: ({ kek }: Setting) => kek.wrap(dataKey(), context),
  unwrap: ({ kek, wrapped }: Setting) => kek.unwrap(wrapped, context),
  probe: ({ kek }: Setting) => kek.probe(),
} as const
type Operation = keyof typeof operations
const everyOperation = Object.keys(operations) as Operation[]

interface Met {
  readonly failure: Failure
  readonly ms: number
}

/** The failure that an operation meets, having looked that it names the key and gives nothing away. */
async function meet(setting: Setting, operation: Operation): Promise<Met> {
  const start = performance.now()
  const failure = await operations[operation](setting).then(
    () => undefined,
    (error: unknown) => error,
  )
  const ms = performance.now() - start
  if (!(failure instanceof Failure)) throw new Error(`Not a Failure: ${inspect(failure)}`)
  const text = `${failure.message}\n${inspect(failure, { depth: 20, showHidden: true })}`
  const shown = setting.secrets.filter((secret) => text.includes(secret))
  expect(shown).toEqual([])
  if (failure.code !== 'OPEN_FAILED') expect(failure.message).toContain('AWS KMS')
  expect(ms).toBeLessThan(deadlineMs + 500)
  return { failure, ms }
}

async function expectCode(
  setting: Setting,
  operation: Operation,
  code: FailureCode,
): Promise<Failure> {
  const { failure } = await meet(setting, operation)
  expect([failure.code, failure.retryable]).toEqual([code, failureCodes[code].retryable])
  return failure
}

/** What an answer of the service might quote of a request, in the form in which InvalidSignatureException does. */
const quoting = ({ secrets }: Setting): string =>
  `Not so: ${secrets[0] ?? ''} ${secrets[3] ?? ''} ${credentials.AWS_SESSION_TOKEN}\n` +
  `x-amz-security-token:${secrets.join(' ')}`

const errors: readonly (readonly [code: FailureCode, attempts: number, names: string[]])[] = [
  [
    'KEK_UNAVAILABLE',
    3,
    [
      'ThrottlingException',
      'LimitExceededException',
      'KMSInternalException',
      'KeyUnavailableException',
      'DependencyTimeoutException',
      'ServiceUnavailable',
    ],
  ],
  ['KEK_UNAVAILABLE', 1, ['SomethingNewException', 'UnknownOperationException', '__proto__', '']],
  [
    'KEK_KEY_DISABLED',
    1,
    ['DisabledException', 'KMSInvalidStateException', 'CustomKeyStoreInvalidStateException'],
  ],
  ['KEK_KEY_MISSING', 1, ['NotFoundException']],
  ['OPEN_FAILED', 1, ['InvalidCiphertextException', 'IncorrectKeyException']],
  [
    'KEK_DENIED',
    1,
    [
      'AccessDeniedException',
      'InvalidGrantTokenException',
      'UnrecognizedClientException',
      'ExpiredTokenException',
      'InvalidSignatureException',
      'MissingAuthenticationTokenException',
    ],
  ],
  [
    'CONFIG_INVALID',
    1,
    ['InvalidKeyUsageException', 'UnsupportedOperationException', 'ValidationException'],
  ],
]

describe.each(everyOperation)('%s through HTTP', { concurrent: true }, (operation) => {
  for (const [code, attempts, names] of errors)
    for (const name of names)
      it(`is ${code} after ${attempts} attempts when KMS says ${name || 'nothing'}`, async () => {
        const setting = await setUp()
        setting.kms.fail({ error: name, message: quoting(setting) })
        const failure = await expectCode(setting, operation, code)
        expect(setting.kms.asked).toHaveLength(attempts)
        if (code !== 'OPEN_FAILED') expect(failure.message).toContain(setting.arn)
        expect(failure.cause).toBeInstanceOf(Error)
      })

  it('takes a dry run that would have succeeded for success nowhere but where one was asked for', async () => {
    const setting = await setUp()
    setting.kms.fail({ error: 'DryRunOperationException' })
    if (operation === 'probe') await expect(setting.kek.probe()).resolves.toBeUndefined()
    else await expectCode(setting, operation, 'CONFIG_INVALID')
  })

  it.each(['reset', 'html', 'malformed', 'empty'] as const)(
    'is not successful when the answer is %s',
    async (kind) => {
      const setting = await setUp()
      setting.kms.fail({ kind })
      // The probe's answer is an error, and half of an error is one too.
      await expectCode(setting, operation, 'KEK_UNAVAILABLE')
    },
  )

  it('ends by its request timeouts when KMS hangs', async () => {
    const setting = await setUp({ requestTimeoutMs: 150 })
    setting.kms.fail({ kind: 'hang' })
    const { failure, ms } = await meet(setting, operation)
    expect(failure.code).toBe('KEK_UNAVAILABLE')
    expect(setting.kms.asked).toHaveLength(3)
    expect(ms).toBeLessThan(2000)
  })

  it('ends by its deadline when that comes before the timeouts', async () => {
    const setting = await setUp({ deadlineMs: 300 })
    setting.kms.fail({ kind: 'hang' })
    const { failure, ms } = await meet(setting, operation)
    expect(failure.code).toBe('KEK_UNAVAILABLE')
    expect(failure.message).toContain('DeadlineError')
    expect(ms).toBeGreaterThan(250)
    expect(ms).toBeLessThan(2000)
  })

  it('waits for a KMS that is slow', async () => {
    const setting = await setUp()
    setting.kms.fail({ kind: 'slow', delayMs: 300 })
    await operations[operation](setting)
    expect(setting.kms.asked).toHaveLength(operation === 'probe' ? 2 : 1)
  })

  it('does not wait for one that is slower than its request timeout', async () => {
    const setting = await setUp({ requestTimeoutMs: 100 })
    setting.kms.fail({ kind: 'slow', delayMs: 600 })
    await expectCode(setting, operation, 'KEK_UNAVAILABLE')
  })

  it('succeeds after two failed attempts', async () => {
    for (const fault of [{ kind: 'reset' }, { error: 'KMSInternalException' }] as Fault[]) {
      const setting = await setUp()
      setting.kms.fail(fault, 2)
      await operations[operation](setting)
      expect(setting.kms.asked).toHaveLength(operation === 'probe' ? 4 : 3)
    }
  })

  it('is KEK_UNAVAILABLE while nobody listens, and works when KMS is back', async () => {
    const setting = await setUp()
    const { port } = setting.kms
    await setting.kms.stop()
    const failure = await expectCode(setting, operation, 'KEK_UNAVAILABLE')
    expect(failure.message).toContain('ECONNREFUSED')
    await setting.kms.listen(port)
    await operations[operation](setting)
  })

  it('is KEK_UNAVAILABLE when the host has no address', async () => {
    const setting = await setUp({ endpoint: 'http://kms.invalid:8080' })
    await expectCode(setting, operation, 'KEK_UNAVAILABLE')
  })

  it('is KEK_UNAVAILABLE while the account is throttled, and works afterwards', async () => {
    const setting = await setUp()
    setting.kms.throttle(0)
    await expectCode(setting, operation, 'KEK_UNAVAILABLE')
    setting.kms.heal()
    await operations[operation](setting)
  })

  it('tells a disabled key, a doomed key and one that is gone from an outage', async () => {
    const setting = await setUp()
    const { arn, kms } = setting
    kms.setState(arn, 'Disabled')
    await expectCode(setting, operation, 'KEK_KEY_DISABLED')
    kms.setState(arn, 'PendingDeletion')
    await expectCode(setting, operation, 'KEK_KEY_DISABLED')
    kms.setState(arn, 'Enabled')
    await operations[operation](setting)
    kms.deleteKey(arn)
    await expectCode(setting, operation, 'KEK_KEY_MISSING')
  })

  it('is CONFIG_INVALID for an endpoint that is no URL', async () => {
    const setting = await setUp({ endpoint: 'nowhere' })
    await expectCode(setting, operation, 'CONFIG_INVALID')
    expect(setting.kms.asked).toEqual([])
  })
})

describe('an answer that is not the one asked for', () => {
  const change = (members: Answer) => ({ answer: (usual: Answer) => ({ ...usual, ...members }) })
  const base64 = (length: number): string =>
    encodeBase64(Uint8Array.of(...dataKeyBytes, 0).slice(0, length))

  it.each<[string, Answer, FailureCode]>([
    ['is one byte short', { Plaintext: base64(31) }, 'OPEN_FAILED'],
    ['is half', { Plaintext: base64(16) }, 'OPEN_FAILED'],
    ['is one byte long', { Plaintext: base64(33) }, 'OPEN_FAILED'],
    // Such a thing cannot have been wrapped: the blob is not to blame.
    ['is empty', { Plaintext: '' }, 'KEK_UNAVAILABLE'],
    ['is missing', { Plaintext: undefined }, 'KEK_UNAVAILABLE'],
  ])('is refused when the plaintext %s', async (_, members, code) => {
    const setting = await setUp()
    setting.kms.fail(change(members))
    await expectCode(setting, 'unwrap', code)
  })

  it.each<[string, (arn: string) => unknown]>([
    ['another key', (arn) => arn.replace(/.$/, (last) => (last === '0' ? '1' : '0'))],
    ['the same key in another account', (arn) => arn.replace('111122223333', '111122223334')],
    ['the same key in another region', (arn) => arn.replace('eu-test-1', 'eu-test-2')],
    ['the key by its id alone', (arn) => arn.slice(-36)],
    ['an alias', () => 'alias/other'],
    ['no key', () => undefined],
  ])('is refused when it names %s', async (_, named) => {
    const setting = await setUp()
    setting.kms.fail(change({ KeyId: named(setting.arn) }))
    for (const operation of ['unwrap', 'wrap'] as const)
      await expectCode(setting, operation, 'KEK_UNAVAILABLE')
  })

  it('is refused when a ciphertext is empty, missing or longer than KMS makes them', async () => {
    for (const length of [0, 6145]) {
      const setting = await setUp()
      setting.kms.fail(change({ CiphertextBlob: encodeBase64(new Uint8Array(length)) }))
      await expectCode(setting, 'wrap', 'KEK_UNAVAILABLE')
    }
    const setting = await setUp()
    setting.kms.fail(change({ CiphertextBlob: encodeBase64(new Uint8Array(6144)) }))
    expect((await setting.kek.wrap(dataKey(), context)).blob).toHaveLength(6144)
  })

  it.each(['Encrypt', 'Decrypt'])('is refused when a dry run of %s was run', async (operation) => {
    const setting = await setUp()
    const ran = { KeyId: setting.arn, CiphertextBlob: 'AAAA', Plaintext: base64(32) }
    setting.kms.fail({ answer: () => ran }, Infinity, operation)
    const failure = await expectCode(setting, 'probe', 'KEK_UNAVAILABLE')
    expect(failure.message).toContain('to a dry run as if it were none')
  })
})

describe('a probe', () => {
  it.each(['Encrypt', 'Decrypt'])('is denied when only %s is', async (operation) => {
    const setting = await setUp()
    setting.kms.fail({ error: 'AccessDeniedException' }, Infinity, operation)
    await expectCode(setting, 'probe', 'KEK_DENIED')
  })

  it('has one deadline for both its dry runs', async () => {
    const setting = await setUp({ deadlineMs: 1000 })
    setting.kms.fail({ kind: 'slow', delayMs: 700 }, Infinity, 'Encrypt')
    setting.kms.fail({ kind: 'hang' }, Infinity, 'Decrypt')
    const { failure, ms } = await meet(setting, 'probe')
    expect(failure.message).toContain('Decrypt, DeadlineError')
    expect(ms).toBeLessThan(1500)
  })

  it('finds a key that is for signing', async () => {
    const kms = await KmsDouble.start()
    cleanups.push(() => kms.stop())
    const kek = createKmsKek({ endpoint: kms.endpoint, keyId: kms.createKey('SIGN_VERIFY') })
    await expect(kek.probe()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

describe('a KMS that throttles', () => {
  it('is waited for while its bucket fills again', async () => {
    const setting = await setUp({ maxAttempts: 8 })
    setting.kms.throttle(2, 4)
    for (let calls = 0; calls < 3; calls++) await setting.kek.unwrap(setting.wrapped, context)
    expect(setting.kms.asked.length).toBeGreaterThan(3)
  })
})

describe('a KMS that hangs', () => {
  it('holds up nobody else in the process', async () => {
    const setting = await setUp({ deadlineMs: 600 })
    await setting.kek.probe()
    setting.kms.fail({ kind: 'hang' })
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    await Promise.all(everyOperation.map((operation) => meet(setting, operation)))
    delay.disable()
    // A loop that waited for KMS would stand still for the whole deadline; a busy machine delays by less.
    expect(delay.count).toBeGreaterThan(10)
    expect(delay.max / 1e6).toBeLessThan(300)
  })

  it('is given up when the provider is closed, and no call is left', async () => {
    const setting = await setUp()
    setting.kms.fail({ kind: 'hang' })
    const calls = everyOperation.map((operation) => meet(setting, operation))
    await sleep(200)
    const closed = performance.now()
    await setting.kek.close()
    for (const { failure } of await Promise.all(calls)) expect(failure.message).toContain('Closed')
    expect(performance.now() - closed).toBeLessThan(200)
  })
})

describe('what the SDK takes from its surroundings', () => {
  const bare = { AWS_EC2_METADATA_DISABLED: 'true', AWS_SHARED_CREDENTIALS_FILE: '/nonexistent' }
  const nowhere = { ...bare, AWS_CONFIG_FILE: '/nonexistent' }

  it('is the endpoint that AWS_ENDPOINT_URL_KMS names', async () => {
    const { arn, kms, wrapped } = await setUp()
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', kms.endpoint)
    const kek = createKmsKek({ keyId: arn })
    using opened = await kek.unwrap(wrapped, context)
    expect(opened.use(encodeHex)).toBe(encodeHex(dataKeyBytes))
    const [asked] = kms.asked
    expect(asked?.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE\/\d{8}\/eu-test-1\/kms\/aws4_request, /,
    )
    expect(asked?.headers['x-amz-security-token']).toBe(credentials.AWS_SESSION_TOKEN)
  })

  it('is no credential where there is none: KEK_DENIED, and nothing is sent', async () => {
    const setting = await setUp()
    for (const name of Object.keys(credentials)) vi.stubEnv(name, undefined)
    for (const [name, value] of Object.entries(nowhere)) vi.stubEnv(name, value)
    for (const operation of everyOperation) await expectCode(setting, operation, 'KEK_DENIED')
    expect(setting.kms.asked).toEqual([])
  })

  it('is no region where there is none: CONFIG_INVALID, until there is one', async () => {
    const { arn, kms } = await setUp()
    for (const [name, value] of Object.entries(nowhere)) vi.stubEnv(name, value)
    const kek = createKmsKek({ endpoint: kms.endpoint, keyId: arn.slice(-36) })
    await expect(kek.probe()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    vi.stubEnv('AWS_REGION', 'eu-test-1')
    await expect(kek.probe()).resolves.toBeUndefined()
  })
})

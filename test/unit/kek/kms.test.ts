import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import type { KekContext, KekProvider } from '../../../src/kek/kek.ts'
import { createKmsKek } from '../../../src/kek/kms.ts'
import { KmsDouble } from '../../support/kms-double.ts'

const context: KekContext = {
  header: 'ef'.repeat(32),
  slot: '01890a5d-ac96-774b-bcce-b302099a8057',
  purpose: 'master',
}
const kms = await KmsDouble.start()
afterAll(() => kms.stop())

beforeEach(() => {
  for (const [name, value] of Object.entries(kms.environment)) vi.stubEnv(name, value)
  kms.heal()
  kms.asked.length = 0
})

const open = (keyId: string): KekProvider => createKmsKek({ endpoint: kms.endpoint, keyId })
const key = (): Secret => new Secret(new Uint8Array(32).fill(7))
const bytesOf = (secret: Secret): Uint8Array => secret.use((bytes) => bytes.slice())

describe('a data key under AWS KMS', () => {
  it('goes and comes with exactly the three members of its context and the key ARN', async () => {
    const arn = kms.createKey()
    const kek = open(arn)
    const wrapped = await kek.wrap(key(), context)
    await kek.unwrap(wrapped, context)
    const EncryptionContext = {
      'countersign:header': context.header,
      'countersign:slot': context.slot,
      'countersign:purpose': 'master',
    }
    const EncryptionAlgorithm = 'SYMMETRIC_DEFAULT'
    const Plaintext = encodeBase64(new Uint8Array(32).fill(7))
    const CiphertextBlob = encodeBase64(wrapped.blob)
    expect(kms.asked.map(({ operation, body }) => [operation, body])).toEqual([
      ['Encrypt', { EncryptionAlgorithm, EncryptionContext, KeyId: arn, Plaintext }],
      ['Decrypt', { CiphertextBlob, EncryptionAlgorithm, EncryptionContext, KeyId: arn }],
    ])
    expect([wrapped.kekId, wrapped.mechanism]).toEqual([arn, 'AWS-KMS-SYMMETRIC_DEFAULT'])
  })

  it.each<[string, (arn: string, alias: string) => string]>([
    ['its id', (arn) => arn.slice(-36)],
    ['an alias', (_, alias) => alias],
    ['the ARN of an alias', (arn, alias) => arn.replace(/key\/.*/, alias)],
  ])('records the key ARN also when the key is configured by %s', async (_, nameOf) => {
    const arn = kms.createKey()
    kms.setAlias('alias/mine', arn)
    const kek = open(nameOf(arn, 'alias/mine'))
    const wrapped = await kek.wrap(key(), context)
    expect([wrapped.kekId, kek.metadata.kekId]).toEqual([arn, arn])
    await kek.unwrap(wrapped, context)
    expect(kms.asked.at(-1)?.body['KeyId']).toBe(arn)
  })

  it('opens after its alias was let name another key, and new ones go under that', async () => {
    const before = kms.createKey()
    const after = kms.createKey()
    kms.setAlias('alias/moving', before)
    const wrapped = await open('alias/moving').wrap(key(), context)
    kms.setAlias('alias/moving', after)
    const kek = open('alias/moving')
    expect(bytesOf(await kek.unwrap(wrapped, context))).toEqual(bytesOf(key()))
    expect(kek.metadata.kekId).toBe(before)
    expect((await kek.wrap(key(), context)).kekId).toBe(after)
  })

  it('does not open under the key of an alias when it claims another than wrapped it', async () => {
    const arn = kms.createKey()
    const other = kms.createKey()
    kms.setAlias('alias/claim', arn)
    const kek = open('alias/claim')
    const wrapped = await kek.wrap(key(), context)
    for (const kekId of [other, 'alias/claim', arn.slice(-36), ''])
      await expect(kek.unwrap({ ...wrapped, kekId }, context)).rejects.toMatchObject({
        code: 'OPEN_FAILED',
      })
  })

  it('is asked about at KMS only where it can be that of the configured key', async () => {
    const arn = kms.createKey()
    const kek = open(arn)
    const wrapped = await kek.wrap(key(), context)
    kms.asked.length = 0
    for (const change of [
      { kekId: kms.createKey() },
      { mechanism: 'AES-256-GCM' },
      { blob: new Uint8Array(0) },
      { blob: new Uint8Array(6145) },
    ])
      await expect(kek.unwrap({ ...wrapped, ...change }, context)).rejects.toMatchObject({
        code: 'OPEN_FAILED',
      })
    expect(kms.asked).toEqual([])
    const longest = { ...wrapped, blob: new Uint8Array(6144) }
    await expect(kek.unwrap(longest, context)).rejects.toMatchObject({ code: 'OPEN_FAILED' })
    expect(kms.asked).toHaveLength(1)
  })
})

describe('a probe of AWS KMS', () => {
  it('asks for both permissions by dry runs and sends no material', async () => {
    const arn = kms.createKey()
    await open(arn).probe()
    expect(kms.asked.map(({ operation, body }) => [operation, body['DryRun']])).toEqual([
      ['Encrypt', true],
      ['Decrypt', true],
    ])
    expect(kms.asked[0]?.body['Plaintext']).toBe(encodeBase64(new Uint8Array(32)))
    expect(kms.asked[1]?.body['CiphertextBlob']).toBeUndefined()
  })
})

describe('a provider of AWS KMS', () => {
  it('tells what may be known of it, also as a copy', () => {
    const { metadata } = open('alias/x')
    const told = {
      kind: 'kms',
      kekId: 'alias/x',
      mechanism: 'AWS-KMS-SYMMETRIC_DEFAULT',
      hardware: true,
      extractable: false,
      durable: true,
    }
    expect(structuredClone(metadata)).toEqual(told)
    expect(JSON.parse(JSON.stringify(metadata))).toEqual(told)
  })

  it('asks nothing when it is made', async () => {
    await open('alias/none').close()
    expect(kms.asked).toEqual([])
  })

  it('asks in the region of the key ARN and not in that of the environment', async () => {
    const arn = kms.createKey()
    vi.stubEnv('AWS_REGION', 'us-other-1')
    await open(arn).probe()
    expect(kms.asked[0]?.headers.authorization).toContain('/eu-test-1/kms/aws4_request')
  })

  it.each(['', 'x', 'alias/'])('is not made for what names no key: %j', (keyId) => {
    expect(() => createKmsKek({ keyId })).toThrow('Not a key id, key ARN')
  })

  it('costs nothing where it is not used: the SDK is loaded by its first call', () => {
    const program = `
      const { registerHooks } = await import('node:module')
      let loaded = 0
      registerHooks({ load: (url, c, next) => (loaded += Number(url.includes('@aws-sdk')), next(url, c)) })
      const { getKekProvider } = await import(${JSON.stringify(resolve('src/kek/choose.ts'))})
      const { KekShelf } = await import(${JSON.stringify(resolve('src/kek/kek-shelf.ts'))})
      const shelf = new KekShelf({ kmsKeyId: 'alias/x' }, { dev: false, dataIsNew: true })
      const [kek] = getKekProvider('kms', shelf)
      const before = loaded
      await kek.probe().catch(() => {})
      console.log(before, loaded > 0)`
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      env: { ...process.env, AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:1', AWS_MAX_ATTEMPTS: '1' },
    })
    expect(run.stdout.trim(), run.stderr).toBe('0 true')
  })
})

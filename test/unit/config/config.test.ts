import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { Failure } from '../../../src/base/failure.ts'
import { limits } from '../../../src/base/limits.ts'
import type { ServeFlags } from '../../../src/cli/composition.ts'
import { configSchema, describeConfig, loadConfig, type Config } from '../../../src/config.ts'
import { withdrawSecrets } from '../../../src/config-secrets.ts'

const kek = 'q3BtZ0h5pQm8c1kQe0Jm8o2tN5x0r7bS9wXy1Zz2A4E'

let cwd: string

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'countersign-config-'))
})

afterEach(() => {
  rmSync(cwd, { recursive: true, force: true })
})

type Env = Record<string, string | undefined>

const load = (env: Env = {}, flags: ServeFlags = {}): Config => loadConfig({ flags, env, cwd })

const file = (text: string, name = 'countersign.yaml'): string => {
  writeFileSync(join(cwd, name), text)
  return name
}

const refusal = (env: Env, flags: ServeFlags = {}): string => {
  try {
    load(env, flags)
  } catch (error) {
    if (error instanceof Failure && error.code === 'CONFIG_INVALID') return error.message
    throw error
  }
  throw new Error('Configuration was accepted')
}

describe('the configuration', () => {
  it('has a default for everything', () => {
    expect(load()).toMatchObject({
      data: join(cwd, 'countersign-data'),
      keys: join(cwd, 'keys'),
      kek: 'auto',
      maxOutageHours: 72,
      dev: false,
      masterPublic: undefined,
      serve: {
        host: '127.0.0.1',
        port: 8787,
        tls: undefined,
        maxBodyBytes: limits.bodyBytes,
        requestTimeoutMs: 30_000,
        maxConnections: 1024,
      },
      logLevel: 'info',
    })
  })

  it('takes the file over defaults, the environment over the file, flags over the environment', () => {
    const config = file('serve: {port: 1, host: file}\nlog: {level: warn}\ndata: from-file\n')
    const env = { COUNTERSIGN_PORT: '2', COUNTERSIGN_HOST: 'environment' }
    const got = load(env, { config, port: 3 })
    expect([got.serve.port, got.serve.host, got.logLevel]).toEqual([3, 'environment', 'warn'])
    expect(got.from).toMatchObject({
      'serve.port': '--port',
      'serve.host': 'COUNTERSIGN_HOST',
      'log.level': `log.level in ${join(cwd, config)}`,
      'serve.requestTimeoutMs': 'default',
      'serve.maxConnections': 'default',
    })
  })

  it('starts relative paths at the working directory, those of the file at its directory', () => {
    mkdirSync(join(cwd, 'etc'))
    const config = file('data: store\nkeys: /absolute\n', 'etc/c.yaml')
    expect(load({ COUNTERSIGN_CONFIG: config })).toMatchObject({
      data: join(cwd, 'etc/store'),
      keys: '/absolute',
    })
    expect(load({ COUNTERSIGN_DATA: 'a' }, { keys: 'b' })).toMatchObject({
      data: join(cwd, 'a'),
      keys: join(cwd, 'b'),
    })
  })

  it('is frozen', () => {
    const config = load()
    for (const part of [config, config.serve, config.kekSettings, config.from])
      expect(Object.isFrozen(part)).toBe(true)
  })

  it('reads an empty file as no settings', () => {
    expect(load({}, { config: file('# nothing yet\n') }).serve.port).toBe(8787)
  })

  it('reads truth values and numbers of the environment by the texts that mean them only', () => {
    expect(load({ COUNTERSIGN_DEV: 'true' }).dev).toBe(true)
    expect(load({ COUNTERSIGN_DEV: '0' }).dev).toBe(false)
    for (const text of ['yes', 'toString', '__proto__'])
      expect(refusal({ COUNTERSIGN_DEV: text })).toMatch(/^COUNTERSIGN_DEV: .*received string/)
    expect(refusal({ COUNTERSIGN_PORT: '80 ' })).toContain('COUNTERSIGN_PORT: ')
    expect(refusal({ COUNTERSIGN_PORT: '0x50' })).toContain('COUNTERSIGN_PORT: ')
    expect(refusal({ COUNTERSIGN_PORT: '' })).toContain('COUNTERSIGN_PORT: ')
  })

  it('finds a witness policy beside the file that names it, or where it is called from', () => {
    const named = file('witness:\n  policy: w.policy\n')
    expect(load({}, { config: named }).witnessPolicy).toBe(join(cwd, 'w.policy'))
    expect(load({ COUNTERSIGN_WITNESS_POLICY: 'e.policy' }, { config: named })).toMatchObject({
      from: { 'witness.policy': 'COUNTERSIGN_WITNESS_POLICY' },
      witnessPolicy: join(cwd, 'e.policy'),
    })
    expect(load({}, { witnessPolicy: 'f.policy' }).from['witness.policy']).toBe('--witness-policy')
    expect(describeConfig(load({}))['witness.policy']).toEqual({ from: 'not set', value: null })
    expect(refusal({ COUNTERSIGN_WITNESS_POLICY: '' })).toContain('COUNTERSIGN_WITNESS_POLICY: ')
  })

  it('wants both halves of TLS', () => {
    expect(load({}, { tlsCert: 'c.pem', tlsKey: 'k.pem' }).serve.tls).toEqual({
      cert: join(cwd, 'c.pem'),
      key: join(cwd, 'k.pem'),
    })
    expect(refusal({ COUNTERSIGN_TLS_CERT: 'c.pem' })).toContain('serve.tls')
  })

  it.each([
    ['serve.port', 65_535, 65_536],
    ['serve.maxBodyBytes', limits.bodyBytes, limits.bodyBytes + 1],
    ['serve.maxBodyBytes', 1024, 1023],
    ['serve.requestTimeoutMs', 600_000, 600_001],
    ['serve.requestTimeoutMs', 100, 99],
    ['serve.maxConnections', 100_000, 100_001],
    ['serve.maxConnections', 1, 0],
  ])('bounds %s at %i', (path, good, bad) => {
    const [section = '', name = ''] = path.split('.')
    const write = (value: number): string => file(`${section}: {${name}: ${value}}\n`)
    expect(load({}, { config: write(good) }).serve).toMatchObject({ [name]: good })
    expect(refusal({}, { config: write(bad) })).toContain(`${path} in ${cwd}`)
  })
})

describe('the longest outage of key providers', () => {
  it('stands in the file or the environment, and is described', () => {
    const config = file('kek: {maxOutageHours: 24}\n')
    expect(load({}, { config }).maxOutageHours).toBe(24)
    const got = load({ COUNTERSIGN_KEK_MAX_OUTAGE_HOURS: '8' }, { config })
    expect(describeConfig(got)['kek.maxOutageHours']).toEqual({
      value: 8,
      from: 'COUNTERSIGN_KEK_MAX_OUTAGE_HOURS',
    })
  })

  it.each(['1', '8760'])('may be %s hours', (hours) => {
    const { maxOutageHours } = load({ COUNTERSIGN_KEK_MAX_OUTAGE_HOURS: hours })
    expect(maxOutageHours).toBe(Number(hours))
  })

  it.each(['0', '8761', '-1', '1.5', '', '72h', 'Infinity'])('may not be %j', (hours) => {
    expect(refusal({ COUNTERSIGN_KEK_MAX_OUTAGE_HOURS: hours })).toContain(
      'COUNTERSIGN_KEK_MAX_OUTAGE_HOURS: ',
    )
  })
})

describe('the place of pins', () => {
  const placed = (pin: string) => load({ COUNTERSIGN_PIN: pin }).pin

  it('is a directory, relative to where the setting stands, or a place in S3', () => {
    expect(placed('pins')).toBe(join(cwd, 'pins'))
    expect(placed('/mnt/pins')).toBe('/mnt/pins')
    expect(placed('s3://bucket/prefix')).toBe('s3://bucket/prefix')
    expect(load().pin).toBeUndefined()
    expect(load({ COUNTERSIGN_PIN: 'weaker' }, { pin: 's3://bucket' }).pin).toBe('s3://bucket')
  })

  it('is not what looks like S3 and is none, and not nothing', () => {
    expect(() => placed('s3://B/../x')).toThrow('Not a place in S3')
    expect(() => placed('')).toThrow('COUNTERSIGN_PIN')
  })
})

describe('a configuration that is wrong', () => {
  it.each([
    ['an unknown setting', 'prot: 1\n', 'Setting is not known: prot in '],
    ['an unknown setting further in', 'serve: {prot: 1}\n', 'not known: serve.prot in '],
    ['another type', 'serve: {port: "8787"}\n', 'serve.port in '],
    ['a fraction', 'serve: {port: 1.5}\n', 'serve.port in '],
    ['an empty path', 'data: ""\n', 'data in '],
    ['a key in the file', `kek: {value: ${kek}}\n`, 'not known: kek.value in '],
    ['a setting twice', 'data: a\ndata: b\n', 'countersign.yaml:2:1'],
    ['a list', '- data\n', 'countersign.yaml: '],
    ['text that is no YAML', 'data: [\n', 'not YAML'],
    ['an alias', 'data: &x a\nkeys: *x\n', 'aliases'],
    ['an unknown tag', 'data: !secret a\n', 'not YAML'],
    ['an unknown prototype', '__proto__: {dev: true}\n', '__proto__'],
  ])('is refused by name: %s', (_, text, named) => {
    const message = refusal({}, { config: file(text) })
    expect(message).toContain(named)
    expect(message).not.toContain(kek)
  })

  it('is refused when the file is not there, or too long', () => {
    expect(refusal({}, { config: 'nowhere.yaml' })).toContain('(ENOENT)')
    expect(refusal({ COUNTERSIGN_CONFIG: '.' })).toContain('cannot be read')
    expect(load({}, { config: file('#'.repeat(65_536)) }).dev).toBe(false)
    expect(refusal({}, { config: file('#'.repeat(65_537)) })).toContain('larger than 65536')
  })

  it('is refused for a variable of ours that nothing reads, and not for those of others', () => {
    expect(refusal({ COUNTERSIGN_KEK_FLIE: 'x' })).toBe(
      'Environment variable is not known: COUNTERSIGN_KEK_FLIE',
    )
    load({ COUNTERSIGN_VECTORS: 'x', COUNTERSIGN_SERVICE_HOST: '10.0.0.1', AEGIS_OTHER: 'x' })
  })
})

describe('the settings of key providers', () => {
  it('take secrets out of the environment and show none', () => {
    const env: Env = { COUNTERSIGN_KEK: kek, COUNTERSIGN_HSM_MODULE: 'x', AEGIS_HSM_PIN: '1234' }
    const config = load(env)
    expect(env).toEqual({ COUNTERSIGN_HSM_MODULE: 'x' })
    expect(config.kekSettings.kek?.use((bytes) => Buffer.from(bytes).toString())).toBe(kek)
    expect(JSON.stringify(describeConfig(config))).not.toContain(kek)
    expect(describeConfig(config)['kek.value']).toEqual({ value: 'set', from: 'environment' })
  })

  it('take the usual key file when it exists and nothing else is configured', () => {
    expect(load().kekSettings.kekFile).toBeUndefined()
    mkdirSync(join(cwd, 'keys'))
    const usual = file('anything', 'keys/countersign.kek')
    expect(load().kekSettings.kekFile).toBe(join(cwd, usual))
    expect(describeConfig(load())['kek.file']).toEqual({ value: join(cwd, usual), from: 'default' })
    expect(describeConfig(load({ COUNTERSIGN_KEK_FILE: usual }))['kek.file']?.from).toBe(
      'COUNTERSIGN_KEK_FILE',
    )
    expect(load({ COUNTERSIGN_KEK: kek }).kekSettings.kekFile).toBeUndefined()
    expect(load({ COUNTERSIGN_KMS_KEY_ID: 'k' }).kekSettings.kekFile).toBeUndefined()
    expect(load({ AEGIS_HSM_PKCS11_LIB: 'k' }).kekSettings.kekFile).toBeUndefined()
    expect(load({ COUNTERSIGN_KEK_FILE: 'other' }).kekSettings.kekFile).toBe(join(cwd, 'other'))
  })

  it('have the names of AEGIS for the same', () => {
    const { kekSettings } = load({ AEGIS_KMS_KEY_ID: 'arn', AEGIS_HSM_PKCS11_LIB: '/lib.so' })
    expect(kekSettings).toMatchObject({ kmsKeyId: 'arn', hsmModule: '/lib.so' })
  })

  it('refuse two names that differ, and take two that agree', () => {
    const names = { COUNTERSIGN_KMS_KEY_ID: 'a', AEGIS_KMS_KEY_ID: 'a' }
    expect(load(names).kekSettings.kmsKeyId).toBe('a')
    expect(refusal({ ...names, AEGIS_KMS_KEY_ID: 'b' })).toContain('COUNTERSIGN_KMS_KEY_ID, AEGIS')
  })

  it('refuse half of an HSM', () => {
    const message = refusal({ AEGIS_HSM_PIN: '1234' })
    expect(message).toContain('AEGIS_HSM_PIN')
    expect(message).not.toContain('1234')
  })

  it('refuse a key that another product wrapped, and say so', () => {
    const slot = encodeBase64(Buffer.from('{"commitment":"","wrapped":""}'))
    expect(refusal({ AEGIS_KMS_WRAPPED_PRIVATE_KEY: 'AAAA' })).toContain('another product')
    expect(refusal({ AEGIS_HSM_WRAPPED_PRIVATE_KEY: slot })).toContain('data directory')
  })

  it('pin a master public key of 1216 bytes and no other', () => {
    const key = (length: number): string => encodeBase64(new Uint8Array(length).fill(7))
    expect(load({ COUNTERSIGN_MASTER_PUBLIC: key(1216) }).masterPublic).toHaveLength(1216)
    expect(load({ AEGIS_MASTER_KEK_PUBLIC: key(1216) }).masterPublic).toHaveLength(1216)
    for (const wrong of [key(1215), key(1217), `${key(1216)} `])
      expect(refusal({ AEGIS_MASTER_KEK_PUBLIC: wrong })).toMatch(/^AEGIS_MASTER_KEK_PUBLIC: 1216/)
  })
})

it('withdraws secrets, and nothing else, from the environment of a process', () => {
  const env = { COUNTERSIGN_KEK: 'x', AEGIS_HSM_PIN: 'y', COUNTERSIGN_DATA: 'z' }
  withdrawSecrets(env)
  expect(env).toEqual({ COUNTERSIGN_DATA: 'z' })
})

it('names every provider that can be configured, where the schema tells of them', () => {
  const { kek } = configSchema()['properties'] as { kek: { properties: { use: object } } }
  const { description } = kek.properties.use as { description: string }
  for (const kind of ['kms', 'hsm', 'environment', 'memory']) expect(description).toContain(kind)
  expect(description).not.toContain('passphrase')
})

it('publishes the schema of the file', () => {
  expect(configSchema()).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    additionalProperties: false,
    properties: { serve: { properties: { port: { type: 'integer', maximum: 65_535 } } } },
  })
})

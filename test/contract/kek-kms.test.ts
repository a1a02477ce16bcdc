import { afterAll, vi } from 'vitest'
import type { KekProvider } from '../../src/kek/kek.ts'
import { createKmsKek } from '../../src/kek/kms.ts'
import { KmsDouble } from '../support/kms-double.ts'
import { kekSuite, type KekCase } from './kek-suite.ts'

// A KMS of yours: AWS_ENDPOINT_URL_KMS, credentials, and the ids of two keys in COUNTERSIGN_TEST_KMS_KEY_ID, separated by a comma.
const { AWS_ENDPOINT_URL_KMS, COUNTERSIGN_TEST_KMS_KEY_ID } = process.env
const given =
  AWS_ENDPOINT_URL_KMS === undefined ? undefined : COUNTERSIGN_TEST_KMS_KEY_ID?.split(',')

const double = given === undefined ? await KmsDouble.start() : undefined
for (const [name, value] of Object.entries(double?.environment ?? {})) vi.stubEnv(name, value)
afterAll(() => double?.stop())

let next = 0
const keyId = (): string => double?.createKey() ?? given?.[next++ % given.length] ?? ''

const keyIds = new WeakMap<KekProvider, string>()

function connect(id: string): KekProvider {
  const provider = createKmsKek({ keyId: id })
  keyIds.set(provider, id)
  return provider
}

let aliases = 0

/** An alias says by which key is wrapped next; what was wrapped before opens under the key that is recorded with it. */
function connectByAlias(kms: KmsDouble): KekProvider {
  const alias = `alias/contract-${aliases++}`
  kms.setAlias(alias, kms.createKey())
  return connect(alias)
}

/** What a KMS of yours is not asked to do. */
const harms = (kms: KmsDouble): Partial<KekCase> => ({
  createAlone: () => connectByAlias(kms),
  lose: {
    befall(provider) {
      kms.deleteKey(provider.metadata.kekId)
    },
    running: 'KEK_KEY_MISSING',
    restarted: 'KEK_KEY_MISSING',
  },
  exchange: {
    befall(provider) {
      kms.setAlias(keyIds.get(provider) ?? '', kms.createKey())
    },
    running: 'opens',
    restarted: 'opens',
  },
})

kekSuite('kms', {
  create: () => connect(keyId()),
  restart: (provider) => connect(keyIds.get(provider) ?? ''),
  ...(double === undefined ? {} : harms(double)),
})

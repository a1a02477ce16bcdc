import { afterAll, vi } from 'vitest'
import { createKmsKek } from '../../src/kek/kms.ts'
import { KmsDouble } from '../support/kms-double.ts'
import { kekSuite } from './kek-suite.ts'

// A KMS of yours: AWS_ENDPOINT_URL_KMS, credentials, and the ids of two keys in COUNTERSIGN_TEST_KMS_KEY_ID, separated by a comma.
const { AWS_ENDPOINT_URL_KMS, COUNTERSIGN_TEST_KMS_KEY_ID } = process.env
const given =
  AWS_ENDPOINT_URL_KMS === undefined ? undefined : COUNTERSIGN_TEST_KMS_KEY_ID?.split(',')

const double = given === undefined ? await KmsDouble.start() : undefined
for (const [name, value] of Object.entries(double?.environment ?? {})) vi.stubEnv(name, value)
afterAll(() => double?.stop())

let next = 0
const keyId = (): string => double?.createKey() ?? given?.[next++ % given.length] ?? ''

kekSuite('kms', () => createKmsKek({ keyId: keyId() }))

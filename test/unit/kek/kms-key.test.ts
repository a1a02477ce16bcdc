import { describe, expect, it } from 'vitest'
import { canMean, isKmsKeyId, regionOf } from '../../../src/kek/kms-key.ts'

const id = '1234abcd-12ab-34cd-56ef-1234567890ab'
const multiRegion = `mrk-${'0123456789abcdef'.repeat(2)}`
const account = 'arn:aws:kms:us-east-2:111122223333:'
const arn = `${account}key/${id}`

describe('the name of a key in AWS KMS', () => {
  it.each([
    id,
    multiRegion,
    arn,
    `${account}key/${multiRegion}`,
    `arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/${id}`,
    `arn:aws-cn:kms:cn-north-1:111122223333:key/${id}`,
    'alias/ExampleAlias',
    'alias/a/b_c-d',
    `alias/${'x'.repeat(250)}`,
    `${account}alias/ExampleAlias`,
  ])('may be %s', (name) => {
    expect(isKmsKeyId(name)).toBe(true)
  })

  it.each([
    '',
    ' ',
    id.slice(1),
    `${id}0`,
    id.toUpperCase(),
    `${id}\n`,
    `key/${id}`,
    multiRegion.slice(0, -1),
    'alias/',
    'ExampleAlias',
    'alias/with space',
    `alias/${'x'.repeat(251)}`,
    arn.replace('kms', 's3'),
    arn.replace('arn:aws', 'arn:aws:x'),
    arn.replace('111122223333', '11112222333'),
    arn.replace('us-east-2', ''),
    `${account}grant/${id}`,
    ` ${arn}`,
  ])('may not be %j', (name) => {
    expect(isKmsKeyId(name)).toBe(false)
  })

  it('tells the region where it is an ARN', () => {
    expect(regionOf(arn)).toBe('us-east-2')
    expect(regionOf(`${account}alias/x`)).toBe('us-east-2')
    for (const name of [id, 'alias/x', '', 'arn:aws']) expect(regionOf(name)).toBeUndefined()
  })
})

describe('an ARN that a slot records', () => {
  const otherKey = arn.replace('1234abcd', '1234abce')
  const otherAccount = arn.replace('111122223333', '111122223334')
  const otherRegion = arn.replace('us-east-2', 'us-east-1')

  it('is that of the key whose ARN is configured, to the letter', () => {
    expect(canMean(arn, arn)).toBe(true)
    for (const other of [otherKey, otherAccount, otherRegion, `${arn}0`, arn.slice(0, -1), id])
      expect(canMean(arn, other)).toBe(false)
  })

  it('has the id of the key whose id is configured', () => {
    for (const same of [arn, otherAccount, otherRegion]) expect(canMean(id, same)).toBe(true)
    for (const other of [otherKey, id, `${account}alias/${id}`, `${account}key/x${id}`])
      expect(canMean(id, other)).toBe(false)
  })

  it('is any key where an alias is configured, for it may have been repointed', () => {
    for (const key of [arn, otherKey, otherAccount]) expect(canMean('alias/x', key)).toBe(true)
    for (const other of ['alias/x', id, `${account}alias/x`, ''])
      expect(canMean('alias/x', other)).toBe(false)
  })

  it('is a key of the account and region whose alias is configured by ARN', () => {
    const alias = `${account}alias/x`
    for (const key of [arn, otherKey]) expect(canMean(alias, key)).toBe(true)
    for (const other of [otherAccount, otherRegion, alias, id])
      expect(canMean(alias, other)).toBe(false)
  })

  it('is never what is no key ARN, whatever is configured', () => {
    expect(canMean('nonsense', 'nonsense')).toBe(false)
    expect(canMean('nonsense', arn)).toBe(false)
    expect(canMean(`${account}alias/x`, `${account}alias/x`)).toBe(false)
  })
})

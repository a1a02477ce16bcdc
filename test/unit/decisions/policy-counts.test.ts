import { expect, it, vi } from 'vitest'
import type * as Limits from '../../../src/base/limits.ts'
import { digestOf, recordTextOf } from '../../support/forge-policy.ts'
import { founder, foundTestService, type TestService } from '../../support/service.ts'

vi.mock('../../../src/base/limits.ts', async (original) => {
  const { limits } = await original<typeof Limits>()
  return { limits: { ...limits, activePolicies: 1, policies: 3, policyBytes: 2000 } }
})

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error as { code: string }).code,
  )

it('a tenant keeps and follows no more policies than it may, whoever asks', async () => {
  const { service } = await foundTestService()
  const register = (version: string) =>
    codeOf(service.registerPolicy('default', recordTextOf(version), founder))
  const rules = { rules: [{ action: 'pay', on_match: 'ALLOW', reason: 'r' }] }
  const other = JSON.stringify({ bundle: { name: 'other', ...rules }, dialect: 'provenance' })
  const { sha256 } = await service.registerPolicy('default', other, founder)
  expect([await register('1'), await register('2'), await register('3')]).toEqual([
    'none',
    'none',
    'POLICY_REFUSED',
  ])
  expect(await register('2')).toBe('none')
  const activate = (digest: string) =>
    codeOf(service.activatePolicy('default', digest, {}, founder))
  expect(await activate(digestOf('1'))).toBe('none')
  expect(await activate(digestOf('2'))).toBe('none')
  expect(await activate(sha256)).toBe('POLICY_REFUSED')
  await service.retirePolicy('default', digestOf('2'), { reason: 'r' }, founder)
  expect([await activate(sha256), await register('3')]).toEqual(['none', 'none'])
  await service.close()
})

it('a tenant keeps no more bytes of policies than it may, before a restart and after', async () => {
  const test = await foundTestService()
  const register = ({ service }: TestService, name: string, length: number) => {
    const rules = [{ action: 'pay', on_match: 'ALLOW', reason: 'r'.repeat(length) }]
    const record = JSON.stringify({ bundle: { name, rules }, dialect: 'provenance' })
    return codeOf(service.registerPolicy('default', record, founder))
  }
  const bare = JSON.stringify({
    bundle: { name: 'a', rules: [{ action: 'pay', on_match: 'ALLOW', reason: '' }] },
    dialect: 'provenance',
  }).length
  expect(await register(test, 'a', 1000 - bare)).toBe('none')
  expect(await register(test, 'b', 1001 - bare)).toBe('POLICY_REFUSED')
  const again = await test.reopen()
  expect(await register(again, 'b', 1001 - bare)).toBe('POLICY_REFUSED')
  expect(await register(again, 'b', 1000 - bare)).toBe('none')
  await again.service.close()
})

import { expect, it, vi } from 'vitest'
import { Gate } from '../../../src/decisions/gate.ts'
import { checkTenant } from '../../support/fsck.ts'
import { founder, foundTestService, requestOf, type TestService } from '../../support/service.ts'

const findings = async (test: TestService): Promise<readonly string[]> =>
  (await checkTenant(test)).findings.map(({ index, what }) => `${index ?? '-'}: ${what}`)

it('a decision or a use behind the end of a tenant is found, by whoever’s keys it was signed', async () => {
  const gates = new Set<Gate>()
  const shutting = vi.spyOn(Gate.prototype, 'alone')
  const at = await foundTestService()
  const { principal, service } = at
  const { id } = await at.notarise(requestOf(1))
  const { index: end } = await service.closeTenant('default', 'Moved', founder)
  for (const gate of shutting.mock.contexts) if (gate instanceof Gate) gates.add(gate)
  await service.erase(principal, id, 'Asked for')
  await service.orderKeys('default', { order: 'rotate', purpose: 'fast' }, founder)
  expect(await findings(at)).toEqual([])
  // Whoever holds the keys need not ask the gate.
  for (const gate of gates) gate.isClosed = false
  const late = await at.notarise(requestOf(2))
  const { index: use } = await service.claim(principal, late.id, {})
  expect(await findings(at)).toEqual([
    `${late.index}: Tenant was closed at index ${end}, and takes no decision behind it`,
    `${use}: Tenant was closed at index ${end}, and takes no execution behind it`,
  ])
  // It is the leaf that tells, whatever was erased since.
  await service.erase(principal, late.id, 'Traces')
  expect(await findings(at)).toHaveLength(2)
})

import { describe, expect, it } from 'vitest'
import { Failure, type FailureCode } from '../../../src/base/failure.ts'
import { keyOrderDoneSchema, keyStatusSchema, type KeyOrder } from '../../../src/wire/keys.ts'
import { fakeKey, fakeToken } from '../../support/fake-service.ts'
import { createEdge, expectProblem } from './edge.ts'

const path = '/v1/keys'
const { keyId } = fakeKey
const by = { type: 'apiKey', id: fakeToken('acme').slice(4, 20), owner: 'owner@example.com' }

describe('keys over HTTP', () => {
  it('are told of the own tenant', async () => {
    const { ask, service } = createEdge()
    const response = await ask(path)
    expect(response.status).toBe(200)
    expect(keyStatusSchema.parse(await response.json()).keys).toEqual([fakeKey])
    expect(service.asked.at(-1)).toEqual({ method: 'keyStatus', args: ['acme'] })
  })

  it.each<KeyOrder>([
    { order: 'rotate', purpose: 'evidence' },
    { order: 'rotate-master' },
    { order: 'rewrap' },
    { order: 'migrate', to: 'hsm', keep: true },
    { order: 'revoke', keyId, from: 0, reason: 'lost' },
    { order: 'destroy', keyId },
    { order: 'admit', fingerprint: '0f'.repeat(32) },
  ])('take the order $order in the name of the API key', async (order) => {
    const { ask, service } = createEdge()
    const response = await ask(path, { body: order })
    expect(response.status).toBe(200)
    expect(keyOrderDoneSchema.parse(await response.json())).toMatchObject({
      tenant: 'acme',
      order: order.order,
    })
    expect(service.asked.at(-1)).toEqual({ method: 'orderKeys', args: ['acme', order, by] })
  })

  it.each([
    ['no order', {}, '/order'],
    ['an order that is none', { order: 'reveal' }, '/order'],
    ['a purpose that cannot be rotated', { order: 'rotate', purpose: 'master' }, '/purpose'],
    ['an unknown member', { order: 'rewrap', force: true }, '/force'],
    ['a member of another order', { order: 'destroy', keyId, from: 1 }, '/from'],
    ['a provider that is no target', { order: 'migrate', to: 'memory' }, '/to'],
    ['half an id', { order: 'destroy', keyId: keyId.slice(0, 8) }, '/keyId'],
    ['an id in capitals', { order: 'destroy', keyId: keyId.toUpperCase() }, '/keyId'],
    ['a position before the log', { order: 'revoke', keyId, from: -1 }, '/from'],
    ['an empty reason', { order: 'revoke', keyId, reason: '' }, '/reason'],
    ['a reason too long', { order: 'revoke', keyId, reason: 'x'.repeat(2049) }, '/reason'],
    ['a fingerprint too short', { order: 'admit', fingerprint: '0f'.repeat(31) }, '/fingerprint'],
  ])('take no order with %s', async (_, body, field) => {
    const { ask, service } = createEdge()
    const problem = await expectProblem(await ask(path, { body }), 422, 'INPUT_INVALID')
    expect(problem.field).toBe(field)
    expect(service.asked.some(({ method }) => method === 'orderKeys')).toBe(false)
  })

  it('are nobody’s without the scope keys:manage, also not an administrator’s of API keys', async () => {
    const { ask, service } = createEdge()
    const token = fakeToken('manager')
    service.admit(token, 'acme', ['apikeys:manage', 'decisions:erase'])
    await expectProblem(await ask(path, { token }), 403, 'AUTH_SCOPE')
    const body = { order: 'rotate', purpose: 'log' }
    await expectProblem(await ask(path, { body, token }), 403, 'AUTH_SCOPE')
    await expectProblem(await ask(path, { body, token: null }), 401, 'AUTH_MISSING')
    service.admit(token, 'acme', ['keys:manage'])
    // Admission is remembered, so another token asks anew.
    const other = fakeToken('keeper')
    service.admit(other, 'acme', ['keys:manage'])
    expect((await ask(path, { body, token: other })).status).toBe(200)
  })

  it.each<[FailureCode, number]>([
    ['INPUT_NOT_FOUND', 404],
    ['INPUT_KEY_STATE', 409],
    ['KEK_DENIED', 503],
    ['KEK_UNAVAILABLE', 503],
    ['CONFIG_INVALID', 500],
    ['OPEN_FAILED', 500],
  ])('answer %s as the problem that the table has for it', async (code, status) => {
    const { ask, service } = createEdge()
    service.orderKeys = () => Promise.reject(new Failure(code, 'Inner words'))
    const problem = await expectProblem(
      await ask(path, { body: { order: 'rewrap' } }),
      status,
      code,
    )
    expect(problem.detail.includes('Inner words')).toBe(status < 500)
  })
})

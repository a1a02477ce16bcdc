import { describe, expect, it, vi } from 'vitest'
import { Authenticator } from '../../../src/api/authentication.ts'
import { FakeService, fakeToken } from '../../support/fake-service.ts'
import { createEdge, decision, expectProblem } from './edge.ts'

const asks = (service: FakeService): number =>
  service.asked.filter(({ method }) => method === 'authenticate').length

describe('the memory of authentication', () => {
  it('asks once in ten seconds', async () => {
    const { ask, service, time } = createEdge()
    await ask('/v1/trust-root')
    time.now += 9999
    await ask('/v1/trust-root')
    expect(asks(service)).toBe(1)
    time.now += 1
    await ask('/v1/trust-root')
    expect(asks(service)).toBe(2)
  })

  it('asks again when the clock went back', async () => {
    const { ask, service, time } = createEdge()
    await ask('/v1/trust-root')
    time.now -= 1
    await ask('/v1/trust-root')
    expect(asks(service)).toBe(2)
  })

  it('remembers no refusal', async () => {
    const { ask, service } = createEdge()
    const token = fakeToken('late')
    await expectProblem(await ask('/v1/trust-root', { token }), 401, 'AUTH_INVALID')
    service.admit(token, 'acme', [])
    expect((await ask('/v1/trust-root', { token })).status).toBe(200)
  })

  it('refuses a key at once that was revoked here', async () => {
    const { ask, service } = createEdge()
    const token = fakeToken('leaver')
    service.admit(token, 'acme', ['decisions:submit'])
    expect((await ask('/v1/decisions', { body: decision, token })).status).toBe(201)
    const id = token.slice(4, 20)
    expect((await ask(`/v1/api-keys/${id}`, { method: 'DELETE' })).status).toBe(200)
    const response = await ask('/v1/decisions', { body: decision, token })
    await expectProblem(response, 401, 'AUTH_INVALID')
  })

  it('refuses a key within ten seconds that was revoked elsewhere', async () => {
    const { ask, service, time } = createEdge()
    const token = fakeToken('leaver')
    service.admit(token, 'acme', [])
    await ask('/v1/trust-root', { token })
    service.principals.delete(token)
    time.now += 10_000
    await expectProblem(await ask('/v1/trust-root', { token }), 401, 'AUTH_INVALID')
  })

  it('forgets also when a revocation failed, for it may have happened', async () => {
    const { ask, service } = createEdge()
    await ask('/v1/trust-root')
    service.revokeApiKey = () => Promise.reject(new Error('lost'))
    await expectProblem(await ask('/v1/api-keys/x', { method: 'DELETE' }), 500, 'BUG')
    const before = asks(service)
    await ask('/v1/trust-root')
    expect(asks(service)).toBe(before + 1)
  })

  it('keeps no answer that was on its way while a key was revoked', async () => {
    const service = new FakeService()
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const answer = service.authenticate.bind(service)
    const authenticate = vi.fn(async (token: string) => {
      const principal = await answer(token)
      await promise
      return principal
    })
    const authenticator = new Authenticator({ authenticate }, () => 0)
    const header = `Bearer ${fakeToken('acme')}`
    const early = authenticator.authenticate(header)
    authenticator.forget()
    resolve(undefined)
    await early
    await authenticator.authenticate(header)
    expect(authenticate).toHaveBeenCalledTimes(2)
    await authenticator.authenticate(header)
    expect(authenticate, 'the later one is kept').toHaveBeenCalledTimes(2)
  })

  it('keeps the last 1024 and no more', async () => {
    const service = new FakeService()
    const authenticator = new Authenticator(service, () => 0)
    const headers = Array.from({ length: 1025 }, (_, i) => {
      const token = fakeToken(`${i}`)
      service.admit(token, 'acme', [])
      return `Bearer ${token}`
    })
    for (const header of headers) await authenticator.authenticate(header)
    const before = asks(service)
    for (const header of headers.slice(1)) await authenticator.authenticate(header)
    expect(asks(service)).toBe(before)
    await authenticator.authenticate(headers[0])
    expect(asks(service)).toBe(before + 1)
  })
})

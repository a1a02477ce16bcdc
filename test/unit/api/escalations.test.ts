import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import {
  escalationChallengeSchema,
  escalationPageSchema,
  escalationViewSchema,
} from '../../../src/wire/escalations.ts'
import { gatewayAnswerSchema } from '../../../src/wire/gateway.ts'
import { urlOf } from '../../support/ask-app.ts'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, expectProblem } from './edge.ts'

const id = '01890a5d-ac96-774b-bcce-b302099a8057'
const path = '/v1/escalations'
const by = { id: fakeToken('acme').slice(4, 20), owner: 'owner@example.com', type: 'apiKey' }
const deciding = { answer: 'approve', reason: 'Checked' }

describe('escalations over HTTP', () => {
  it('are answered in the name of the API key', async () => {
    const { ask, service } = createEdge()
    const response = await ask(`${path}/${id}/decide`, { body: deciding })
    expect(response.status).toBe(200)
    expect(escalationViewSchema.parse(await response.json()).id).toBe(id)
    const [principal, ...rest] = service.asked.at(-1)?.args ?? []
    expect(principal).toMatchObject({ caller: by, tenant: 'acme' })
    expect(rest).toEqual([id, deciding])
  })

  it.each<[string, unknown]>([
    ['without a reason', { answer: 'approve' }],
    ['with an empty reason', { ...deciding, reason: '' }],
    ['with a reason that is too long', { ...deciding, reason: 'x'.repeat(1025) }],
    ['with another word', { ...deciding, answer: 'APPROVE' }],
    ['of somebody else', { ...deciding, approver_id: 'ann' }],
    ['signed by nobody', { ...deciding, signature: { signature: 's' } }],
  ])('refuse an answer %s', async (_, body) => {
    const { ask, service } = createEdge()
    await expectProblem(await ask(`${path}/${id}/decide`, { body }), 422, 'INPUT_INVALID')
    expect(service.asked.map(({ method }) => method)).not.toContain('decideEscalation')
  })

  it.each([
    ['', 0],
    ['?wait=0', 0],
    ['?wait=60', 60_000],
  ])('are read with the time to wait: %s', async (query, waitMs) => {
    const { ask, service } = createEdge()
    const response = await ask(`${path}/${id}${query}`)
    expect(escalationViewSchema.parse(await response.json()).status).toBe('pending')
    expect(service.asked.at(-1)?.args).toEqual(['acme', id, waitMs])
  })

  it.each(['?wait=61', '?wait=-1', '?wait=1.5', '?wait=x', '?wait=1&wait=1', '?until=1'])(
    'are not read with %s',
    async (query) => {
      const { ask } = createEdge()
      await expectProblem(await ask(`${path}/${id}${query}`), 422, 'INPUT_INVALID')
    },
  )

  it('are listed by state, page by page, and give the text of an answer', async () => {
    const { ask, service } = createEdge()
    const listed = await ask(`${path}?status=timed-out&limit=7&cursor=3`)
    expect(escalationPageSchema.parse(await listed.json()).escalations).toEqual([])
    const query = { cursor: '3', limit: 7, status: 'timed-out' }
    expect(service.asked.at(-1)?.args).toEqual(['acme', query])
    await expectProblem(await ask(`${path}?status=open`), 422, 'INPUT_INVALID')
    const text = await ask(`${path}/${id}/challenge?answer=reject&reason=Not%20now`)
    expect(escalationChallengeSchema.parse(await text.json()).challenge).toContain('escalation v1')
    expect(service.asked.at(-1)?.args).toEqual([
      'acme',
      id,
      { answer: 'reject', reason: 'Not now' },
    ])
    await expectProblem(await ask(`${path}/${id}/challenge?answer=reject`), 422, 'INPUT_INVALID')
  })

  it('say why something may not happen', async () => {
    const { ask, service } = createEdge()
    service.decideEscalation = () =>
      Promise.reject(new Failure('ESCALATION_REFUSED', 'Escalation is not open'))
    const response = await ask(`${path}/${id}/decide`, { body: deciding })
    const problem = await expectProblem(response, 409, 'ESCALATION_REFUSED')
    expect(problem.detail).toBe('Escalation is not open')
  })
})

describe('a caller who is kept waiting', () => {
  afterEach(() => vi.useRealTimers())

  it.each([
    [`${path}/${id}?wait=60`, 1000, 61_000],
    [`${path}/${id}?wait=60`, 30_000, 85_000],
    [`${path}/${id}?wait=60`, 120_000, 120_000],
    [`${path}/${id}/challenge?answer=approve&reason=r`, 1000, 1000],
  ])('%s with a bound of %i ms is let go after %i', async (route, requestTimeoutMs, afterMs) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { ask, log, service } = createEdge({ requestTimeoutMs })
    const called = Promise.withResolvers<undefined>()
    const never = (): Promise<never> => {
      called.resolve(undefined)
      return new Promise<never>(() => undefined)
    }
    service.readEscalation = never
    service.challengeEscalation = never
    const answer = ask(route)
    await called.promise
    await vi.advanceTimersByTimeAsync(afterMs - 1)
    expect(log, 'nobody was answered').toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(log).toHaveLength(1)
    expect((await answer).status).toBe(503)
  })
})

describe('a caller who leaves', () => {
  const gateway = '{"action":"a","agent_id":"b","session_id":"c"}'
  const requests: Readonly<Record<string, string>> = {
    gateway: `POST /v1/gateway/execute HTTP/1.1\r\nHost: x\r\nX-PROVENANCE-API-KEY: ${fakeToken('acme')}\r\nContent-Type: application/json\r\nContent-Length: ${gateway.length}\r\n\r\n${gateway}`,
    wait: `GET ${path}/${id}?wait=60 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${fakeToken('acme')}\r\n\r\n`,
  }

  /** An edge whose service waits until told that the caller has left. */
  function keeping(requestTimeoutMs = 60_000) {
    const edge = createEdge({ requestTimeoutMs })
    const asked = Promise.withResolvers<undefined>()
    const left = Promise.withResolvers<never>()
    const wait = (signal?: AbortSignal): Promise<never> => {
      signal?.addEventListener('abort', () => {
        left.reject(new Failure('LOG_CLOSED', 'Left'))
      })
      asked.resolve(undefined)
      return left.promise
    }
    const look = edge.service.readEscalation.bind(edge.service)
    edge.service.readEscalation = (tenant, decision, waitMs, signal) =>
      waitMs === 0 ? look(tenant, decision, waitMs) : wait(signal)
    edge.service.executeGateway = (_principal, _request, signal) => wait(signal)
    return { ...edge, asked: asked.promise, left: left.promise }
  }

  const dial = async ({ app }: Pick<ReturnType<typeof createEdge>, 'app'>): Promise<Socket> => {
    const socket = connect(Number(new URL(await urlOf(app)).port), '127.0.0.1')
    await once(socket, 'connect')
    return socket
  }

  it.each([
    ['wait', 'ends the connection', (socket: Socket) => void socket.end()],
    ['wait', 'cuts the connection', (socket: Socket) => void socket.resetAndDestroy()],
    ['gateway', 'ends the connection', (socket: Socket) => void socket.end()],
    ['gateway', 'cuts the connection', (socket: Socket) => void socket.resetAndDestroy()],
  ])('is waited for no longer: %s, who %s', async (request, _, leave) => {
    const edge = keeping()
    const socket = await dial(edge)
    socket.write(requests[request] ?? '')
    await edge.asked
    leave(socket)
    await expect(edge.left).rejects.toThrow('Left')
    socket.destroy()
  })

  it('by being told that time is up is waited for no longer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const edge = keeping(1000)
    const answer = edge.ask(`${path}/${id}?wait=60`)
    await edge.asked
    await vi.advanceTimersByTimeAsync(61_000)
    await expect(edge.left).rejects.toThrow('Left')
    expect((await answer).status).toBe(503)
  })

  it('after the answer has left nothing, however much was asked on the connection', async () => {
    const { app, service } = createEdge()
    const signals: (AbortSignal | undefined)[] = []
    const read = service.readEscalation.bind(service)
    service.readEscalation = (tenant, decision, waitMs, signal) => {
      if (waitMs > 0) signals.push(signal)
      return read(tenant, decision, waitMs)
    }
    const socket = await dial({ app })
    for (let n = 0; n < 20; n++) {
      socket.write(requests['wait'] ?? '')
      await once(socket, 'data')
    }
    socket.end()
    await once(socket, 'close')
    expect(signals.map((signal) => signal?.aborted)).toEqual(Array(20).fill(false))
  })
})

describe('the gateway over HTTP', () => {
  const body = {
    action: 'payments.refund',
    agent_id: 'agent-1',
    decision: 'ALLOW',
    parameters: { amount: 7, deep: { er: [1, null] } },
    session_id: 'sess_0123456789abcdef',
  }

  it.each(['/v1/gateway/execute', '/api/v1/gateway/execute'])(
    'answers 200 to the key of its own header: %s',
    async (route) => {
      const { ask, service } = createEdge()
      const headers = { 'X-PROVENANCE-API-KEY': fakeToken('acme') }
      const response = await ask(route, { body, headers, token: null })
      expect(response.status).toBe(200)
      expect(gatewayAnswerSchema.parse(await response.json()).decision).toBe('BLOCK')
      const [principal, request] = service.asked.at(-1)?.args ?? []
      expect(principal).toMatchObject({ caller: by, tenant: 'acme' })
      expect(request).toEqual(body)
    },
  )

  it('takes what older clients send besides, and nothing else', async () => {
    const { ask } = createEdge()
    const more = {
      actor_human_id: null,
      escalation_id: null,
      idempotency_key: 'k',
      tenant_policy_id: 'p',
    }
    expect((await ask('/v1/gateway/execute', { body: { ...body, ...more } })).status).toBe(200)
    for (const change of [{ other: 1 }, { idempotency_key: 'with blank' }, { action: '' }])
      await expectProblem(
        await ask('/v1/gateway/execute', { body: { ...body, ...change } }),
        422,
        'INPUT_INVALID',
      )
  })

  it('lets in neither a wrong key nor one in the wrong header', async () => {
    const { ask } = createEdge()
    const asking = (headers: Record<string, string>) =>
      ask('/v1/gateway/execute', { body, headers, token: null })
    await expectProblem(
      await asking({ 'X-PROVENANCE-API-KEY': fakeToken('nobody') }),
      401,
      'AUTH_INVALID',
    )
    await expectProblem(await asking({ 'X-API-KEY': fakeToken('acme') }), 401, 'AUTH_MISSING')
    await expectProblem(await asking({ 'X-PROVENANCE-API-KEY': '' }), 401, 'AUTH_INVALID')
  })
})

import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Failure, failureCodes, type FailureCode } from '../../../src/base/failure.ts'
import type { Principal } from '../../../src/decisions/service.ts'
import { askApp, urlOf } from '../../support/ask-app.ts'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, decision, expectProblem } from './edge.ts'

interface Line {
  readonly level: number
  readonly requestId: string
  readonly [name: string]: unknown
}
const lines = (log: readonly string[]): Line[] => log.map((line) => JSON.parse(line) as Line)

describe('a request id', () => {
  it.each(['a', 'Trace-1.2_x', 'x'.repeat(64)])('is kept when it is one: %s', async (given) => {
    const { ask, log } = createEdge()
    const response = await ask('/nowhere', { headers: { 'X-Request-Id': given } })
    expect(response.headers.get('x-request-id')).toBe(given)
    expect((await expectProblem(response, 404, 'INPUT_NOT_FOUND')).requestId).toBe(given)
    expect(lines(log).at(-1)?.requestId).toBe(given)
  })

  it.each(['', 'x'.repeat(65), 'two words', 'a/b', fakeToken('acme')])(
    'is made when it is none: %s',
    async (given) => {
      const { ask } = createEdge()
      const response = await ask('/healthz', { headers: { 'X-Request-Id': given } })
      expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    },
  )

  it('is another for each request', async () => {
    const { ask } = createEdge()
    const ids = await Promise.all(
      [1, 2].map(async () => (await ask('/healthz')).headers.get('x-request-id')),
    )
    expect(new Set(ids).size).toBe(2)
  })
})

describe('what is not there', () => {
  it.each([
    '/',
    '/v1',
    '/v1/decisions/',
    '/V1/decisions',
    '/v2/decisions',
    '/metrics',
    '/%',
    '/v1/decisions/%E0%A4%A',
    '/log/open',
  ])('is a problem: %s', async (path) => {
    const { ask } = createEdge()
    await expectProblem(await ask(path), 404, 'INPUT_NOT_FOUND')
  })

  it.each([
    ['PUT', '/v1/decisions', 'GET, HEAD, POST'],
    ['PATCH', '/v1/decisions', 'GET, HEAD, POST'],
    ['OPTIONS', '/v1/verify', 'POST'],
    ['GET', '/v1/verify', 'POST'],
    ['POST', '/v1/trust-root', 'GET, HEAD'],
    ['GET', '/v1/api-keys/x', 'DELETE'],
    ['DELETE', '/log/open/tile/0/000', 'GET, HEAD'],
  ])('may be another method: %s %s', async (method, path, allow) => {
    const { ask } = createEdge()
    const response = await ask(path, { method })
    expect(response.headers.get('allow')).toBe(allow)
    await expectProblem(response, 405, 'INPUT_METHOD')
  })

  it('answers HEAD as GET without a body', async () => {
    const { ask } = createEdge()
    const found = await ask('/healthz', { method: 'HEAD' })
    expect(found.status).toBe(200)
    expect(await found.text()).toBe('')
    expect((await ask('/nowhere', { method: 'HEAD' })).status).toBe(404)
    const wrong = await ask('/v1/verify', { method: 'HEAD' })
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST'])
  })
})

describe('a failure of the service', () => {
  const codes = Object.keys(failureCodes) as FailureCode[]

  it.each(codes)('is answered from the table: %s', async (code) => {
    const { ask, service } = createEdge()
    const secret = 'a path, a value, what not'
    service.submit = () => Promise.reject(new Failure(code, secret, { field: '/f' }))
    const row = failureCodes[code]
    const response = await ask('/v1/decisions', { body: decision })
    const again = response.headers.get('retry-after')
    const problem = await expectProblem(response, row.status, code)
    expect(problem).toMatchObject({ retryable: row.retryable, title: row.title })
    // Why the machinery is broken is for the log alone.
    expect(problem.detail).toBe(row.status < 500 ? secret : row.title)
    expect(problem.field).toBe(row.status < 500 ? '/f' : undefined)
    expect(again).toBe(row.status === 503 && row.retryable ? '1' : null)
  })

  it('of a kind that nobody promised is a BUG, of which a stranger learns nothing', async () => {
    const { ask, log, service } = createEdge()
    service.submit = () => Promise.reject(new TypeError('x is not a function: secret-123'))
    const response = await ask('/v1/decisions', { body: decision })
    const problem = await expectProblem(response, 500, 'BUG')
    expect(problem.detail).toBe('An internal error occurred')
    expect(JSON.stringify(problem)).not.toMatch(/secret|TypeError|\.ts/)
    const line = lines(log).at(-1)
    expect(line).toMatchObject({ code: 'BUG', level: 50, status: 500 })
    // Where it was thrown, but not what it said: that may quote the body.
    expect(JSON.stringify(line)).toContain('exchange.test.ts')
    expect(JSON.stringify(line)).not.toContain('secret-123')
  })

  it('is logged with what the operator must know', async () => {
    const { ask, log, service } = createEdge()
    service.submit = () => Promise.reject(new Failure('STORE_FULL', 'No space left: /data'))
    await ask('/v1/decisions', { body: decision })
    expect(JSON.stringify(lines(log).at(-1)?.['causes'])).toContain('No space left: /data')
  })
})

describe('time', () => {
  const never = new Promise<never>(() => undefined)
  const requestTimeoutMs = 30

  it('that a body takes is the caller’s fault', async () => {
    const { app, service } = createEdge({ requestTimeoutMs })
    const response = await askApp(app, '/v1/decisions', {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${fakeToken('acme')}`,
        'Content-Type': 'application/json',
      },
      body: new ReadableStream({
        start(controller) {
          controller.enqueue(Buffer.from('{'))
        },
        pull: () => never,
      }),
      duplex: 'half',
    })
    const problem = await expectProblem(response, 408, 'INPUT_TIMEOUT')
    expect(problem.detail).toBe('Body was not complete after 30 ms')
    expect(service.asked.some(({ method }) => method === 'submit')).toBe(false)
  })

  it('that writing takes leaves open whether it was written', async () => {
    const { ask, service } = createEdge({ requestTimeoutMs })
    service.submit = () => never
    const response = await ask('/v1/decisions', { body: decision })
    await expectProblem(response, 503, 'LOG_STATE_UNKNOWN')
  })

  it('that reading takes only says to come again', async () => {
    const { ask, service } = createEdge({ requestTimeoutMs })
    service.readTrustRoot = () => never
    await expectProblem(await ask('/v1/trust-root'), 503, 'LOG_BUSY')
  })

  it('that authenticating takes means that nothing was written', async () => {
    const { ask, service } = createEdge({ requestTimeoutMs })
    service.authenticate = () => never
    await expectProblem(await ask('/v1/decisions', { body: decision }), 503, 'LOG_BUSY')
  })

  it('that was up before the caller was known means it also when he is known at last', async () => {
    const { ask, service } = createEdge({ requestTimeoutMs })
    const known = Promise.withResolvers<Principal>()
    const principal = await service.authenticate(fakeToken('acme'))
    service.authenticate = () => known.promise
    const response = await ask('/v1/api-keys/0123456789abcdef', { method: 'DELETE' })
    await expectProblem(response, 503, 'LOG_BUSY')
    const asked = service.asked.length
    known.resolve(principal)
    await setTimeout(20)
    expect(service.asked).toHaveLength(asked)
  })
})

describe('the log of requests', () => {
  it('tells who asked for what and what came of it', async () => {
    const { ask, log, notarise } = createEdge()
    const id = await notarise()
    await ask(`/v1/decisions/${id}`)
    expect(lines(log).at(-1)).toMatchObject({
      apiKey: fakeToken('acme').slice(4, 20),
      decision: id,
      durationMs: 0,
      level: 30,
      method: 'GET',
      msg: 'request',
      route: '/v1/decisions/{id}',
      status: 200,
      tenant: 'acme',
    })
  })

  it('holds neither token nor body nor query nor path as sent, and no problem holds the token', async () => {
    const { ask, log, service } = createEdge()
    const token = fakeToken('acme')
    const secret = 'TOPSECRET'
    const hidden = { ...decision, intent: { ...decision.intent, context: { [secret]: secret } } }
    const wrong = fakeToken(secret)
    const responses = [
      await ask('/v1/decisions', { body: hidden, headers: { 'Idempotency-Key': secret } }),
      await ask('/v1/decisions', { body: { ...decision, [secret]: 1 } }),
      await ask('/v1/decisions', { body: `{"${secret}` }),
      await ask(`/v1/decisions?actor=${secret}`),
      await ask(`/v1/decisions?${secret}=1`),
      await ask(`/v1/decisions/${token}`),
      await ask(`/v1/api-keys/${token}`, { method: 'DELETE' }),
      await ask(`/${secret}/${token}`),
      await ask(`/log/${secret}/checkpoint`),
      await ask('/v1/trust-root', { token: wrong }),
      await ask('/v1/api-keys', { body: { owner: secret, scopes: ['log:read'] } }),
    ]
    service.submit = (_, { lines }) => Promise.reject(new Error(`${token} ${lines}`))
    responses.push(await ask('/v1/decisions', { body: hidden }))
    expect(log).toHaveLength(responses.length)
    const all = log.join('')
    expect(all).not.toContain('csk_')
    expect(all).not.toContain(secret)
    for (const response of responses)
      if (response.status >= 400) {
        const text = await response.text()
        expect(text).not.toContain('csk_')
        expect(text).not.toMatch(/\bat .*:\d+:\d+/)
      }
  })
})

describe('the probes', () => {
  it('say that the process is alive, also when nothing works', async () => {
    const { ask, service } = createEdge()
    service.health = () => Promise.reject(new Error('lost'))
    const response = await ask('/healthz', { token: null })
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ status: 'ok', version: '1.2.3' })
    expect(service.asked).toEqual([])
  })

  it('say whether work can be done, part by part', async () => {
    const { ask, service } = createEdge()
    const ready = await ask('/readyz', { token: null })
    expect(ready.status).toBe(200)
    expect(await ready.json()).toEqual({ ready: true, parts: { log: 'ok' } })
    service.health = () => Promise.resolve({ ready: false, parts: { log: 'Disk is full' } })
    const unready = await ask('/readyz', { token: null })
    expect(unready.status).toBe(503)
    expect(await unready.json()).toEqual({ ready: false, parts: { log: 'Disk is full' } })
  })

  it('say no when nobody can say, and not why', async () => {
    const { ask, service } = createEdge()
    service.health = () => Promise.reject(new Error('secret'))
    const response = await ask('/readyz', { token: null })
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({
      ready: false,
      parts: { service: 'An internal error occurred' },
    })
  })

  it('ask the service once for all who ask together', async () => {
    const { app, ask, service } = createEdge()
    const socket = connect(Number(new URL(await urlOf(app)).port), '127.0.0.1')
    const head = 'GET /readyz HTTP/1.1\r\nHost: x\r\n'
    // In one write, so that they come in one turn.
    socket.write(`${`${head}\r\n`.repeat(9)}${head}Connection: close\r\n\r\n`)
    expect((await text(socket)).match(/HTTP\/1.1 200 /g)).toHaveLength(10)
    expect(service.asked).toHaveLength(1)
    await ask('/readyz', { token: null })
    expect(service.asked).toHaveLength(2)
  })
})

import { once } from 'node:events'
import { Agent, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../src/api/app.ts'
import { listen, type Listening, type ListenOptions } from '../../src/api/server.ts'
import type { Principal } from '../../src/decisions/service.ts'
import { createCertificate } from '../support/certificate.ts'
import { FakeService, fakeToken } from '../support/fake-service.ts'

const decision = '{"intent":{"actor":{"id":"a"},"action":{"type":"t"}},"status":"ALLOW"}'
const authorization = `Bearer ${fakeToken('acme')}`

async function start(
  options: Partial<ListenOptions> & {
    readonly log?: unknown[]
    readonly service?: FakeService
  } = {},
): Promise<Listening & { readonly port: number; readonly service: FakeService }> {
  const { log = [], requestTimeoutMs = 2000, service = new FakeService() } = options
  const app = createApp({
    clock: Date.now,
    logger: { error: () => undefined, info: (line) => void log.push(line) },
    maxBodyBytes: 1000,
    requestTimeoutMs,
    service,
    version: '1',
  })
  const listening = await listen(app, { drainMs: 200, port: 0, requestTimeoutMs, ...options })
  onTestFinished(() => listening.close())
  return { ...listening, port: Number(new URL(listening.url).port), service }
}

const post = (url: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${url}/v1/decisions`, {
    method: 'POST',
    body: decision,
    ...init,
    headers: { Authorization: authorization, 'Content-Type': 'application/json' },
  })

/** Writes bytes to the port, and gives what comes back until the other side ends. */
async function converse(port: number, ...writes: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  for (const bytes of writes) socket.write(bytes, 'latin1')
  return text(socket)
}

const headersOf = (length: string): string =>
  `POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\n${length}\r\n\r\n`

/** A listener whose decisions wait until they are let go. */
async function startHeld(drainMs = 200) {
  const service = new FakeService()
  const held = Promise.withResolvers<string>()
  const called = Promise.withResolvers<undefined>()
  service.submit = () => {
    called.resolve(undefined)
    return held.promise
  }
  const listening = await start({ drainMs, service })
  return { ...listening, called: called.promise, letGo: held.resolve }
}

describe('a listener', () => {
  it('takes a free port and answers there', async () => {
    const { url } = await start()
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    const response = await post(url)
    expect(response.status).toBe(201)
    expect(await response.json()).toMatchObject({ replayed: false, status: 'ALLOW' })
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('says so when the port is taken', async () => {
    const { port } = await start()
    await expect(start({ port })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `Cannot listen (EADDRINUSE), something listens there already, stop it or choose another --port: 127.0.0.1:${port}`,
    })
  })

  it('says so when the machine does not have the address', async () => {
    // Of a block that is for documentation alone.
    await expect(start({ host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message:
        'Cannot listen (EADDRNOTAVAIL), this machine does not have the address, choose another --host: 192.0.2.1:0',
    })
  })

  it('takes the form of a target that proxies send', async () => {
    const { port } = await start()
    const ask = (target: string): Promise<string> =>
      converse(port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(await ask('http://x/healthz')).toMatch(/^HTTP\/1.1 200 /)
    expect(await ask('http://x/healthz?a=b')).toMatch(/^HTTP\/1.1 200 /)
    for (const target of ['http://x', 'http://x/nowhere', '*', 'ftp://x/healthz'])
      expect(await ask(target)).toMatch(/^HTTP\/1.1 404 /)
  })

  it('answers nobody who has left, and lives on', async () => {
    const { called, letGo, port, url } = await startHeld()
    const socket = connect(port, '127.0.0.1')
    socket.write(`${headersOf(`Content-Length: ${decision.length}`)}${decision}`)
    await called
    socket.destroy()
    await once(socket, 'close')
    letGo('{"replayed":false}')
    expect((await post(url)).status).toBe(201)
  })

  it('answers HEAD and unknown ways as the app says', async () => {
    const { url } = await start()
    const head = await fetch(`${url}/healthz`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    const patch = await fetch(`${url}/v1/decisions`, { method: 'PATCH' })
    expect(patch.status).toBe(405)
    expect(patch.headers.get('content-type')).toBe('application/problem+json')
  })

  it('speaks TLS 1.3 with the certificate it is given, and nothing older', async () => {
    const tls = createCertificate()
    const { port, url } = await start({ tls })
    expect(url).toBe(`https://127.0.0.1:${port}`)
    const ask = async (maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<string> => {
      const asking = tlsRequest(`${url}/healthz`, { agent: false, ca: tls.cert, maxVersion })
      asking.end()
      const [response] = (await once(asking, 'response')) as [NodeJS.ReadableStream]
      return text(response)
    }
    expect(JSON.parse(await ask('TLSv1.3'))).toEqual({ status: 'ok', version: '1' })
    await expect(ask('TLSv1.2')).rejects.toThrow(/protocol version|SSL/i)
  })

  it('does not start with a key that is not the certificate’s', async () => {
    const tls = { cert: createCertificate().cert, key: createCertificate().key }
    await expect(start({ tls })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

describe('what is no request', () => {
  it.each([
    ['no HTTP', 'what?\r\n\r\n', 400, 'INPUT_MALFORMED'],
    ['an unknown method', 'FROB / HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'INPUT_MALFORMED'],
    ['no host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'INPUT_MALFORMED'],
    [
      'two hosts',
      'GET /healthz HTTP/1.1\r\nHost: a\r\nhost: b\r\nConnection: close\r\n\r\n',
      400,
      'INPUT_MALFORMED',
    ],
    [
      'a wrong host',
      'GET /healthz HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n',
      400,
      'INPUT_MALFORMED',
    ],
    [
      'two lengths',
      headersOf('Content-Length: 5\r\nTransfer-Encoding: chunked'),
      400,
      'INPUT_MALFORMED',
    ],
    ['no length but a word', headersOf('Content-Length: many'), 400, 'INPUT_MALFORMED'],
    ['a negative length', headersOf('Content-Length: -1'), 400, 'INPUT_MALFORMED'],
    ['a length with an exponent', headersOf('Content-Length: 1e1'), 400, 'INPUT_MALFORMED'],
    [
      'two different lengths',
      headersOf('Content-Length: 5\r\nContent-Length: 6'),
      400,
      'INPUT_MALFORMED',
    ],
    [
      'endless headers',
      `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      413,
      'INPUT_TOO_LARGE',
    ],
  ])('is answered with a problem too: %s', async (_, bytes, status, code) => {
    const { port } = await start()
    const answer = await converse(port, bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer.toLowerCase()).toContain('content-type: application/problem+json')
    const [, body = ''] = answer.split('\r\n\r\n')
    expect(JSON.parse(body)).toMatchObject({ code, status })
  })

  it.each([
    ['together', 0],
    ['while it waits', 50],
  ])('takes nothing from the answer to what was asked before: %s', async (_, afterMs) => {
    const service = new FakeService()
    const held = Promise.withResolvers<string>()
    service.submit = () => held.promise
    const { port } = await start({ service })
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.write(`${headersOf(`Content-Length: ${decision.length}`)}${decision}`)
    await setTimeout(afterMs)
    socket.write('what?\r\n\r\n')
    void setTimeout(100).then(() => {
      held.resolve('{"replayed":false}')
    })
    expect((await text(socket)).match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 201'])
  })

  it('is never written into another answer', async () => {
    const service = new FakeService()
    const long = `{"keys":"${'x'.repeat(20_000_000)}"}`
    service.readTrustRoot = () => Promise.resolve(Buffer.from(long))
    service.submit = () => new Promise<never>(() => undefined)
    const { port } = await start({ service, requestTimeoutMs: 500 })
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.write(
      `GET /v1/trust-root HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`,
    )
    socket.write(`${headersOf(`Content-Length: ${decision.length}`)}${decision}what?\r\n\r\n`)
    await setTimeout(200)
    const answers = (await text(socket)).split('HTTP/1.1 ').slice(1)
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(['200', '503'])
    expect(answers[0]?.endsWith(long)).toBe(true)
  })

  it('has no second answer when it is the rest of a body', async () => {
    const { port } = await start()
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => undefined)
    const answer = text(socket)
    socket.write(headersOf('Transfer-Encoding: chunked').replace('application/json', 'text/plain'))
    await once(socket, 'readable')
    socket.write('no chunk\r\n')
    expect((await answer).match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 415'])
  })
})

describe('a body on the wire', () => {
  it('without a length is taken to the bound and refused beyond', async () => {
    const { port } = await start()
    const send = async (bytes: number): Promise<string> => {
      const padded = decision.padEnd(bytes, ' ')
      const half = padded.length / 2
      const chunks = [padded.slice(0, half), padded.slice(half)].map(
        (part) => `${part.length.toString(16)}\r\n${part}\r\n`,
      )
      const headers = headersOf('Transfer-Encoding: chunked\r\nConnection: close')
      return converse(port, headers, ...chunks, '0\r\n\r\n')
    }
    expect(await send(1000)).toMatch(/^HTTP\/1.1 201 /)
    expect(await send(1002)).toMatch(/^HTTP\/1.1 413 .*"code":"INPUT_TOO_LARGE"/s)
  })

  it('is refused by the length it announces, before it comes', async () => {
    const { port } = await start()
    const answer = await converse(port, headersOf('Content-Length: 1001\r\nConnection: close'))
    expect(answer).toMatch(/^HTTP\/1.1 413 .*"code":"INPUT_TOO_LARGE"/s)
  })

  it('ends where it says, and what follows is another request', async () => {
    const { port } = await start()
    const headers = headersOf(`Content-Length: ${decision.length - 1}\r\nConnection: close`)
    expect(await converse(port, headers, decision)).toMatch(
      /^HTTP\/1.1 400 .*"code":"INPUT_MALFORMED"/s,
    )
  })

  it('that is too large may still be on its way: the answer arrives, and the connection ends', async () => {
    const { port } = await start()
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => undefined)
    socket.write(headersOf('Content-Length: 1000000'))
    const sending = setInterval(() => socket.write(Buffer.alloc(1000)), 20)
    const answer = await text(socket)
    clearInterval(sending)
    expect(answer).toMatch(/^HTTP\/1.1 413 .*"code":"INPUT_TOO_LARGE"/s)
  })

  it('that is sent whole before anything is read costs no answer, also on a last request', async () => {
    const { port } = await start()
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.pause()
    socket.write(headersOf('Content-Length: 700000\r\nConnection: close'))
    for (let i = 0; i < 7; i++) {
      await setTimeout(5)
      socket.write(Buffer.alloc(100_000))
    }
    expect(await text(socket)).toMatch(/^HTTP\/1.1 413 .*"code":"INPUT_TOO_LARGE"/s)
  })

  it('that does not end after its answer is not read for ever', async () => {
    const { port } = await start()
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => undefined)
    socket.write(headersOf('Transfer-Encoding: chunked'))
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`
    const push = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    }
    socket.on('drain', push)
    push()
    socket.resume()
    await closed
  })

  it('that was read late does not keep its connection from the next request', async () => {
    const { port } = await start()
    const refused = `${headersOf(`Content-Length: 1001`)}${decision.padEnd(1001)}`
    const taken = `${headersOf(`Content-Length: ${decision.length}\r\nConnection: close`)}${decision}`
    const answers = (await converse(port, refused, taken)).split('HTTP/1.1 ').slice(1)
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(['413', '201'])
  })

  it('that never ends is the caller’s fault, and the connection ends', async () => {
    const { port, service } = await start({ requestTimeoutMs: 150 })
    const answer = await converse(port, headersOf(`Content-Length: ${decision.length}`), '{"int')
    expect(answer).toMatch(/^HTTP\/1.1 408 .*"code":"INPUT_TIMEOUT"/s)
    expect(service.asked.some(({ method }) => method === 'submit')).toBe(false)
  })

  it('that ends after the caller was told of its lateness is not acted on', async () => {
    const { port, service } = await start({ requestTimeoutMs: 100 })
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.write(`${headersOf(`Content-Length: ${decision.length}`)}{"int`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(String(answer)).toMatch(/^HTTP\/1.1 408 /)
    socket.write(decision.slice('{"int'.length))
    await setTimeout(50)
    expect(service.asked.some(({ method }) => method === 'submit')).toBe(false)
  })

  it('whose caller left before it was asked for is not waited for', async () => {
    const service = new FakeService()
    const principal = await service.authenticate(fakeToken('acme'))
    const known = Promise.withResolvers<Principal>()
    const asked = Promise.withResolvers<undefined>()
    service.authenticate = () => {
      asked.resolve(undefined)
      return known.promise
    }
    const log: unknown[] = []
    const { port } = await start({ log, service })
    const socket = connect(port, '127.0.0.1')
    socket.write(`${headersOf(`Content-Length: ${decision.length}`)}{"int`)
    await asked.promise
    socket.destroy()
    await once(socket, 'close')
    await setTimeout(50)
    known.resolve(principal)
    await expect.poll(() => log).toMatchObject([{ code: 'INPUT_MALFORMED' }])
  })

  it('that breaks off reaches no service, and the listener lives on', async () => {
    const { port, service, url } = await start()
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(`${headersOf(`Content-Length: ${decision.length}`)}{"int`)
    await expect.poll(() => service.asked.length).toBe(1)
    socket.destroy()
    expect((await post(url)).status).toBe(201)
    expect(service.asked.filter(({ method }) => method === 'submit')).toHaveLength(1)
  })
})

describe('the end of a listener', () => {
  it('lets finish what was accepted, and accepts no more', async () => {
    const { called, close, letGo, url } = await startHeld(10_000)
    const answer = post(url)
    await called
    const closed = close()
    await expect(fetch(`${url}/healthz`)).rejects.toThrow()
    letGo('{"replayed":false}')
    const began = performance.now()
    expect((await answer).status).toBe(201)
    await closed
    expect(performance.now() - began, 'a kept connection holds nothing up').toBeLessThan(2000)
  })

  it('answers what still comes on an old connection, as the last on it', async () => {
    const { called, close, letGo, port } = await startHeld(10_000)
    const socket = connect(port, '127.0.0.1')
    const bytes = `${headersOf(`Content-Length: ${decision.length}`)}${decision}`
    socket.write(bytes)
    await called
    const closed = close()
    socket.write(bytes)
    letGo('{"replayed":false}')
    const answers = (await text(socket)).split('HTTP/1.1 ').slice(1)
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(['201', '201'])
    expect(answers[0]).toContain('Connection: keep-alive')
    expect(answers[1]).toContain('Connection: close')
    await closed
  })

  it('waits for nothing that is idle', async () => {
    const { close, port, url } = await start()
    const agent = new Agent({ keepAlive: true })
    const asking = plainRequest({ agent, host: '127.0.0.1', path: '/healthz', port })
    asking.end()
    const [response] = (await once(asking, 'response')) as [NodeJS.ReadableStream]
    await text(response)
    expect(Object.keys(agent.freeSockets), 'the connection is kept').toHaveLength(1)
    const began = performance.now()
    await close()
    expect(performance.now() - began).toBeLessThan(150)
    await expect(fetch(`${url}/healthz`)).rejects.toThrow()
    agent.destroy()
  })

  it('cuts what does not finish in time', async () => {
    const { called, close, url } = await startHeld(200)
    const answer = post(url).catch(() => 'cut')
    await called
    const began = performance.now()
    await close()
    expect(performance.now() - began).toBeGreaterThan(150)
    expect(await answer).toBe('cut')
  })

  it('is the same when it is asked for twice', async () => {
    const { close } = await start()
    expect(close()).toBe(close())
    await close()
  })
})

describe('a slow loris', () => {
  it('does not hold a connection by dribbling headers', async () => {
    const { port } = await start({ headersTimeoutMs: 200 })
    const socket: Socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => undefined)
    socket.write('GET /healthz HTTP/1.1\r\n')
    const dribble = setInterval(() => socket.write('X: x\r\n'), 100)
    const answer = await text(socket)
    clearInterval(dribble)
    expect(answer).toMatch(/^HTTP\/1.1 408 .*"code":"INPUT_TIMEOUT"/s)
  })
})

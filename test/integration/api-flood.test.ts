import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../src/api/app.ts'
import { LongAnswers, sendWhenMade, type LongAnswerBounds } from '../../src/api/send.ts'
import { listen, type ListenOptions } from '../../src/api/server.ts'
import { Turns } from '../../src/api/turns.ts'
import { limits } from '../../src/base/limits.ts'
import { FakeService, fakeToken } from '../support/fake-service.ts'
import { startWitness } from '../support/witness-edge.ts'

const decision = '{"intent":{"actor":{"id":"a"},"action":{"type":"t"}},"status":"ALLOW"}'
const authorization = `Authorization: Bearer ${fakeToken('acme')}`
const post = `POST /v1/decisions HTTP/1.1\r\nHost: x\r\n${authorization}\r\nContent-Type: application/json\r\nContent-Length: ${decision.length}\r\n\r\n${decision}`
const alive = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
const silent = { error: () => undefined, info: () => undefined }

async function start(
  options: Partial<ListenOptions> & {
    readonly service?: FakeService
    readonly log?: unknown[]
  } = {},
) {
  const { log = [], requestTimeoutMs = 5000, service = new FakeService() } = options
  const logger = {
    error: (line: unknown) => void log.push(line),
    info: (line: unknown) => void log.push(line),
  }
  const app = createApp({ clock: Date.now, logger, requestTimeoutMs, service, version: '1' })
  const listening = await listen(app, {
    drainMs: 200,
    logger,
    port: 0,
    requestTimeoutMs,
    ...options,
  })
  onTestFinished(() => listening.close())
  return { ...listening, log, port: Number(new URL(listening.url).port), service }
}

/** A bare server of node:http. */
async function serve(app: RequestListener): Promise<number> {
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function reach(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  return socket
}

const converse = (port: number, bytes: string): Promise<string> => {
  const socket = reach(port)
  socket.write(bytes, 'latin1')
  return text(socket)
}

const statuses = (answers: string): readonly string[] =>
  [...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status = '']) => status)

/** A service whose decisions wait until they are let go, one by one. */
function holding() {
  const service = new FakeService()
  const held: (() => void)[] = []
  service.submit = () =>
    new Promise((resolve) => {
      held.push(() => {
        resolve('{"replayed":false}')
      })
    })
  return { held, service }
}

describe('requests behind one another on a connection', () => {
  it('are worked on one at a time, and answered in their order', async () => {
    const { held, service } = holding()
    const { port } = await start({ service })
    const socket = reach(port)
    const answers = text(socket)
    socket.write(
      `${post}${alive}${post}${alive.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}`,
    )
    await expect.poll(() => held.length).toBe(1)
    await setTimeout(50)
    expect(held).toHaveLength(1)
    held[0]?.()
    await expect.poll(() => held.length).toBe(2)
    held[1]?.()
    expect(statuses(await answers)).toEqual(['201', '200', '201', '200'])
  })

  it.each([
    ['as many as may wait are answered', limits.requestsInTurn, ['201', '200'], 2],
    [
      'of one more the first is told, and none is worked on',
      limits.requestsInTurn + 1,
      ['201', '413'],
      0,
    ],
    ['of thousands also', 20_000, ['201', '413'], 0],
  ])('are bounded in number: %s', async (_, waiting, [first, then = ''], beside) => {
    const { held, service } = holding()
    const { log, port } = await start({ service })
    const socket = reach(port)
    let answers = ''
    socket.on('data', (bytes: Buffer) => (answers += String(bytes)))
    const closed = once(socket, 'close')
    socket.write(post + alive.repeat(waiting))
    await expect.poll(() => held.length).toBe(1)
    await setTimeout(50)
    held[0]?.()
    if (beside > 0) {
      await expect.poll(() => statuses(answers).length).toBe(1 + waiting)
      expect(new Set(statuses(answers).slice(1))).toEqual(new Set([then]))
      socket.write(alive)
      await expect.poll(() => statuses(answers).length).toBe(2 + waiting)
      return
    }
    await closed
    expect(log.filter((line) => (line as { route?: string }).route === '/healthz')).toEqual([])
    // What is sent on while a connection ends may take its last answer with it.
    expect(statuses(answers).slice(0, 2)).toEqual(waiting < 100 ? [first, then] : statuses(answers))
  })

  it('are neither made nor read any more once there are too many', async () => {
    const turns = new Turns(() => undefined)
    let offered = 0
    const port = await serve((request, response) => {
      offered++
      turns.take(request, response)
    })
    const socket = reach(port)
    socket.write(alive.repeat(1_000_000))
    await expect.poll(() => offered).toBe(limits.requestsInTurn + 2)
    await setTimeout(200)
    expect(offered).toBe(limits.requestsInTurn + 2)
    expect(socket.writableLength).toBeGreaterThan(0)
    socket.destroy()
  })

  it.each([
    [
      'all are when there are as many as may wait',
      limits.requestsInTurn + 1,
      limits.requestsInTurn + 1,
    ],
    ['the first is when there are more', limits.requestsInTurn + 2, 1],
  ])('are not answered at one go, however quickly that is done: %s', async (_, sent, answered) => {
    const turns = new Turns((_request, response) => {
      done++
      response.end()
    })
    let done = 0
    let together = 0
    const port = await serve((request, response) => {
      const before = done
      turns.take(request, response)
      if (done > before) together++
    })
    const socket = reach(port)
    socket.resume()
    socket.write(alive.repeat(sent))
    await expect.poll(() => done).toBe(answered)
    await setTimeout(50)
    expect([done, together]).toEqual([answered, 1])
  })

  it('are not worked on once their peer has gone', async () => {
    const { held, service } = holding()
    const { port } = await start({ service })
    const socket = reach(port)
    socket.write(post.repeat(3))
    await expect.poll(() => held.length).toBe(1)
    socket.resetAndDestroy()
    await setTimeout(50)
    held[0]?.()
    await setTimeout(50)
    expect(held).toHaveLength(1)
  })

  it('are not worked on behind one whose head is refused', async () => {
    const { port, service } = await start()
    const answers = await converse(port, `${alive.replace('Host: x', 'Host: a/b')}${post}`)
    expect(statuses(answers)).toEqual(['400'])
    expect(service.asked).toEqual([])
  })
})

describe('connections', () => {
  it('are taken to the bound, closed at once beyond it, and taken again when there is room', async () => {
    const log: unknown[] = []
    const { port } = await start({ log, maxConnections: 3 })
    const answered = (socket: Socket): Promise<string> =>
      new Promise((resolve) => {
        socket.once('data', (bytes) => {
          resolve(statuses(String(bytes))[0] ?? '')
        })
        socket.once('close', () => {
          resolve('closed')
        })
        socket.write(alive)
      })
    const sockets = [reach(port), reach(port), reach(port)]
    for (const socket of sockets) expect(await answered(socket)).toBe('200')
    for (let i = 0; i < 5; i++) expect(await answered(reach(port))).toBe('closed')
    const told = log.filter((line) => (line as { most?: number }).most !== undefined)
    expect(told, 'a flood is told of once').toEqual([{ closed: 1, most: 3 }])
    sockets[0]?.destroy()
    await expect.poll(() => answered(reach(port))).toBe('200')
    expect(await answered(sockets[1] ?? reach(port)), 'who was there stays').toBe('200')
  })
})

describe('a slow reader', () => {
  const long = 'x'.repeat(20_000_000)

  /** A server that answers everything with 20 MB. */
  async function startLong(bounds: Partial<LongAnswerBounds>) {
    const answers = new LongAnswers({
      bytes: Infinity,
      bytesPerSecond: 1_000_000,
      graceMs: 60_000,
      ...bounds,
    })
    const reply = { body: Buffer.from(long), status: 200, type: 'text/plain' }
    const closed: number[] = []
    const log: unknown[] = []
    const logger = { ...silent, error: (line: unknown) => void log.push(line) }
    const port = await serve((_, response) => {
      const began = performance.now()
      response.once('close', () => void closed.push(performance.now() - began))
      void sendWhenMade(response, Promise.resolve([reply, 'id-1']), logger, answers)
    })
    return { closed, log, port }
  }

  it('has the time that its answer’s length gives it, and is then cut off', async () => {
    const { closed, port } = await startLong({ bytesPerSecond: 200_000_000, graceMs: 200 })
    const socket = reach(port)
    socket.pause()
    socket.write(alive)
    await expect.poll(() => closed.length, { timeout: 3000 }).toBe(1)
    expect(closed[0]).toBeGreaterThanOrEqual(299)
  })

  it('that reads in time gets all, however often it pauses', async () => {
    const { port } = await startLong({ bytesPerSecond: 1_000_000, graceMs: 200 })
    const socket = reach(port)
    socket.write(alive.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
    let got = 0
    socket.on('data', (bytes: Buffer) => {
      got += bytes.length
      socket.pause()
      void setTimeout(1).then(() => socket.resume())
    })
    await once(socket, 'close')
    expect(got).toBeGreaterThan(long.length)
  })

  /** Asks, takes the head of the answer and leaves the rest. */
  async function ask(port: number, request = alive): Promise<{ head: string; socket: Socket }> {
    const socket = reach(port)
    socket.write(request)
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    socket.pause()
    return { head: bytes.toString('latin1', 0, 800), socket }
  }

  it.each([
    ['two fit', 2 * long.length, ['200', '200', '503']],
    ['the second is a byte too long', 2 * long.length - 1, ['200', '503', '503']],
    ['none fits, but one always may', 1, ['200', '503', '503']],
  ])('leaves with us no more than may be on its way: %s', async (_, bytes, expected) => {
    const { closed, log, port } = await startLong({ bytes })
    const asked = []
    while (asked.length < expected.length) asked.push(await ask(port))
    expect(asked.map(({ head }) => statuses(head)[0])).toEqual(expected)
    const refused = expected.filter((status) => status === '503').length
    expect(asked.at(-1)?.head).toMatch(/Retry-After: 1.*"code":"LOG_BUSY".*"requestId":"id-1"/s)
    expect(log).toEqual(
      Array.from({ length: refused }, () => ({ code: 'LOG_BUSY', requestId: 'id-1' })),
    )
    asked[0]?.socket.destroy()
    await expect.poll(() => closed.length).toBe(refused + 1)
    expect(statuses((await ask(port)).head), 'there is room again').toEqual(['200'])
  })

  it('keeps nobody from hearing what was done', async () => {
    const { port } = await startLong({ bytes: 1 })
    await ask(port)
    const { head } = await ask(port, post)
    expect(statuses(head)).toEqual(['200'])
  })

  it('is not cut off in the middle of an answer when the server ends', async () => {
    const service = new FakeService()
    service.readTrustRoot = () => Promise.resolve(Buffer.from(long))
    const { close, port } = await start({ drainMs: 5000, service })
    const socket = reach(port)
    socket.write(`GET /v1/trust-root HTTP/1.1\r\nHost: x\r\n${authorization}\r\n\r\n`)
    await once(socket, 'readable')
    const closed = close()
    await setTimeout(200)
    expect((await text(socket)).length).toBeGreaterThan(long.length)
    await closed
  })

  it('is counted with those of every other listener', async () => {
    const body = Buffer.alloc(limits.answerBytes / 2)
    const listen = () =>
      serve((_, response) => {
        const reply = { body, status: 200, type: 'text/plain' }
        void sendWhenMade(response, Promise.resolve([reply]), silent)
      })
    const ports = [await listen(), await listen(), await listen()]
    const heads = []
    for (const port of ports) heads.push((await ask(port)).head)
    expect(heads.flatMap(statuses)).toEqual(['200', '200', '503'])
  })
})

describe('a head', () => {
  const chunked = `${decision.length.toString(16)}\r\n${decision}\r\n0\r\n\r\n`
  const headOf = (lines: string, version = '1.1'): string =>
    `POST /v1/decisions HTTP/${version}\r\nHost: x\r\n${authorization}\r\nContent-Type: application/json\r\nConnection: close\r\n${lines}\r\n\r\n`
  const length = `Content-Length: ${decision.length}`

  it.each([
    ['one transfer coding', headOf('Transfer-Encoding: Chunked') + chunked],
    ['a known expectation', headOf(`Expect: 100-Continue\r\n${length}`) + decision],
    [
      'trailers that change nothing',
      headOf('Transfer-Encoding: chunked') + chunked.replace(/\r\n$/, 'X: y\r\n\r\n'),
    ],
  ])('is taken with %s', async (_, bytes) => {
    const { port } = await start()
    expect(statuses(await converse(port, bytes)).at(-1)).toBe('201')
  })

  it.each([
    [
      'a coding that is not undone',
      headOf('Transfer-Encoding: gzip, chunked') + chunked,
      'INPUT_MALFORMED',
    ],
    [
      'a coding that is not undone, on a line of its own',
      headOf('Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked') + chunked,
      'INPUT_MALFORMED',
    ],
    [
      'a coding before HTTP 1.1',
      headOf('Transfer-Encoding: chunked', '1.0') + chunked,
      'INPUT_MALFORMED',
    ],
    ['another expectation', headOf(`Expect: 200-ok\r\n${length}`) + decision, 'INPUT_MALFORMED'],
    [
      'one more expectation',
      headOf(`Expect: 100-continue, x\r\n${length}`) + decision,
      'INPUT_MALFORMED',
    ],
    ['an empty host beside one', headOf(`Host:\r\n${length}`) + decision, 'INPUT_MALFORMED'],
  ])('is refused with %s, and the connection ends', async (_, bytes, code) => {
    const { port, service } = await start()
    const answer = await converse(port, bytes.replace('Connection: close\r\n', ''))
    expect(answer).toContain(`"code":"${code}"`)
    expect(service.asked.some(({ method }) => method === 'submit')).toBe(false)
  })

  it.each([
    ['two keys', headOf(`${authorization}\r\n${length}`) + decision, 'AUTH_INVALID'],
    [
      'two media types',
      headOf(`Content-Type: text/plain\r\n${length}`) + decision,
      'INPUT_MEDIA_TYPE',
    ],
  ])('that says one thing twice is not taken by its first word: %s', async (_, bytes, code) => {
    const { port } = await start()
    expect(await converse(port, bytes)).toContain(`"code":"${code}"`)
  })
})

describe('a witness', () => {
  it.each([
    ['a coding that is not undone', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', '400'],
    ['an unknown expectation', 'Expect: 200-ok\r\nContent-Length: 0\r\n\r\n', '400'],
    ['a body beyond its bound', 'Content-Length: 262145\r\n\r\n', '413'],
  ])('refuses in plain words, and ends the connection: %s', async (_, rest, status) => {
    const { url } = await startWitness('witness.example/w')
    const head = 'POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n'
    const answer = await converse(Number(new URL(url).port), head + rest)
    expect(statuses(answer)).toEqual([status])
    expect(answer).toContain('Content-Type: text/plain')
  })
})

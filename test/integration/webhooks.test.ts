import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { OutgoingDelivery } from '../../src/decisions/service.ts'
import { isPublicAddress } from '../../src/webhook-address.ts'
import { sendOnce, WebhookSender } from '../../src/webhook-sender.ts'
import { createCertificate } from '../support/certificate.ts'
import { runHere } from '../support/cli-here.ts'
import { foundServed, startServed, type Served, type ServedPlace } from '../support/served.ts'

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly path: string
}

/** A receiver that answers as its path says; `/hang` never does, `/slow` never ends. */
async function receive(): Promise<{ server: Server; url: string; received: Received[] }> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const path = request.url ?? ''
      received.push({ body, headers: request.headers, path })
      if (path === '/hang') return
      if (path === '/redirect') response.setHeader('Location', '/200')
      response.statusCode = Number(/\d+/.exec(path)?.[0] ?? 302)
      if (path === '/200/endless') {
        response.write('x'.repeat(1 << 20))
        return
      }
      response.end('secret of the receiver')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { received, server, url: `http://127.0.0.1:${port}` }
}

const delivery = (url: string): OutgoingDelivery => ({
  body: '{"type":"webhook.test"}',
  headers: { 'webhook-id': 'evt_1', 'webhook-signature': 'v1,x', 'webhook-timestamp': '1' },
  id: 1,
  url,
})

describe('sending an announcement', () => {
  let receiver: Awaited<ReturnType<typeof receive>>
  beforeAll(async () => {
    receiver = await receive()
  })
  afterAll(() => {
    receiver.server.closeAllConnections()
    receiver.server.close()
  })
  const send = (path: string, change: { allowPrivate?: boolean; timeoutMs?: number } = {}) =>
    sendOnce(delivery(receiver.url + path), { allowPrivate: true, version: '1.2.3', ...change })

  it('posts the body with its headers', async () => {
    expect(await send('/204')).toEqual({ gone: false, ok: true, said: 'HTTP 204' })
    expect(receiver.received.at(-1)).toMatchObject({
      body: '{"type":"webhook.test"}',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'countersign/1.2.3',
        'webhook-id': 'evt_1',
        'webhook-signature': 'v1,x',
        'webhook-timestamp': '1',
      },
    })
  })

  it.each([
    ['/200', true],
    ['/299', true],
    ['/300', false],
    ['/404', false],
    ['/500', false],
  ])('takes %s for what it is', async (path, ok) => {
    expect(await send(path)).toEqual({ gone: false, ok, said: `HTTP ${path.slice(1)}` })
  })

  it('hears that nobody wants it any more', async () => {
    expect(await send('/410')).toEqual({ gone: true, ok: false, said: 'HTTP 410' })
  })

  it('follows no redirect', async () => {
    const before = receiver.received.length
    expect(await send('/redirect')).toMatchObject({ ok: false, said: 'HTTP 302' })
    expect(receiver.received.slice(before).map(({ path }) => path)).toEqual(['/redirect'])
  })

  it('does not wait for one that hangs, and reads no answer to its end', async () => {
    expect(await send('/hang', { timeoutMs: 100 })).toEqual({
      gone: false,
      ok: false,
      said: 'No answer in time',
    })
    expect(await send('/200/endless')).toMatchObject({ ok: true })
  })

  it('says in a word why there was no answer, and nothing that was answered', async () => {
    const nobody = await sendOnce(delivery('http://127.0.0.1:1/'), {
      allowPrivate: true,
      version: '1',
    })
    expect(nobody).toEqual({ gone: false, ok: false, said: 'ECONNREFUSED' })
    expect(JSON.stringify(await send('/500'))).not.toContain('secret of the receiver')
  })

  it('believes no certificate that nobody vouches for', async () => {
    const server = createHttpsServer(createCertificate(), (_, response) => {
      response.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const secured = delivery(`https://127.0.0.1:${port}/200`)
    expect(await sendOnce(secured, { allowPrivate: true, version: '1' })).toMatchObject({
      ok: false,
      said: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
  })

  it('goes to no private address and not over http unless that is allowed', async () => {
    const before = receiver.received.length
    const { port } = receiver.server.address() as AddressInfo
    const refused = (url: string) => sendOnce(delivery(url), { allowPrivate: false, version: '1' })
    expect(await refused(receiver.url)).toMatchObject({ ok: false, said: 'Not https' })
    for (const host of ['127.0.0.1', '[::1]', '0x7f.1', '2130706433', 'localhost'])
      expect(await refused(`https://${host}:${port}/200`)).toEqual({
        gone: false,
        ok: false,
        said: 'Address is private',
      })
    expect(receiver.received).toHaveLength(before)
  })
})

describe('an address', () => {
  it.each([
    ['9.255.255.255', true],
    ['10.0.0.0', false],
    ['10.255.255.255', false],
    ['11.0.0.0', true],
    ['0.0.0.0', false],
    ['100.63.255.255', true],
    ['100.64.0.0', false],
    ['127.0.0.1', false],
    ['169.254.169.254', false],
    ['172.15.255.255', true],
    ['172.16.0.0', false],
    ['172.31.255.255', false],
    ['172.32.0.0', true],
    ['192.168.0.1', false],
    ['198.18.0.1', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['8.8.8.8', true],
    ['::', false],
    ['::1', false],
    ['::ffff:8.8.8.8', false],
    ['::ffff:127.0.0.1', false],
    ['64:ff9b::7f00:1', false],
    ['2002:7f00:1::', false],
    ['2001:db8::1', false],
    ['fc00::1', false],
    ['fe80::1', false],
    ['ff02::1', false],
    ['2606:4700::1111', true],
    ['example.com', false],
    ['', false],
  ])('%s is public: %s', (address, expected) => {
    expect(isPublicAddress(address)).toBe(expected)
  })
})

describe('the sender', () => {
  it('goes on when the service is in trouble, and ends with what is under way', async () => {
    const { received, server, url } = await receive()
    onTestFinished(() => {
      server.close()
    })
    const settled: string[] = []
    let asked = 0
    const sender = new WebhookSender(
      {
        settleDelivery: (_, { said }) => {
          settled.push(said)
          return Promise.resolve()
        },
        takeDeliveries: () =>
          asked++ === 0
            ? Promise.reject(new Error('Trouble'))
            : Promise.resolve(asked === 2 ? [delivery(`${url}/200`)] : []),
      },
      { allowPrivate: true, version: '1' },
    )
    await expect.poll(() => received.length, { timeout: 10_000 }).toBe(1)
    await sender.close()
    expect(settled).toEqual(['HTTP 200'])
  })
})

describe('a server with a webhook', () => {
  let place: ServedPlace
  let served: Served
  let receiver: Awaited<ReturnType<typeof receive>>
  const cs = async (...args: string[]) => {
    const ran = await runHere([...args, '--data', place.data, '--keys', place.keys], {
      cwd: place.home,
    })
    expect([args, ran.code, ran.code === 0 ? '' : ran.stderr]).toEqual([args, 0, ''])
    return ran.stdout
  }
  beforeAll(async () => {
    receiver = await receive()
    place = await foundServed()
    served = await startServed(place, { serveFlags: ['--webhooks-allow-private'] })
  })
  afterAll(async () => {
    await served.end('SIGTERM')
    receiver.server.close()
    place.remove()
  })

  it('tells of a test over HTTP what its receiver believes, also after it was killed before', async () => {
    const secret = (await cs('webhook', 'add', `${receiver.url}/200`)).trim()
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    const listed = await cs('webhook', 'list', '--json')
    expect(listed).not.toContain('whsec_')
    const id = (JSON.parse(listed) as { webhooks: { id: string }[] }).webhooks[0]?.id ?? ''
    await served.end('SIGKILL')
    // Told while no server runs, it waits for the next one.
    await cs('webhook', 'test', id)
    expect(receiver.received).toEqual([])
    served = await startServed(place, { serveFlags: ['--webhooks-allow-private'] })
    await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBe(1)
    const [got] = receiver.received
    if (got === undefined) throw new Error('Nothing was told')
    const { 'webhook-id': event, 'webhook-signature': signature } = got.headers
    const { 'webhook-timestamp': time } = got.headers
    const due = createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
      .update(`${String(event)}.${String(time)}.${got.body}`)
      .digest('base64')
    expect(signature).toBe(`v1,${due}`)
    expect(JSON.parse(got.body)).toMatchObject({ data: { webhook: id }, type: 'webhook.test' })
    await cs('webhook', 'remove', id)
    expect(await cs('webhook', 'list')).toBe('')
  })
})

import { connect, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { foundServed, startServed } from '../support/served.ts'

const body = '{"intent":{"actor":{"id":"a"},"action":{"type":"t"}},"status":"ALLOW"}'

/** `serve` in a process that may open no more than so many files. */
async function startWithFiles(files: number) {
  const place = await foundServed()
  onTestFinished(() => {
    place.remove()
  })
  const served = await startServed(place, {
    prefix: ['bash', '-c', `ulimit -n ${files}; exec "$0" "$@"`],
  })
  onTestFinished(() => served.end('SIGTERM'))
  const headers = `Host: x\r\nAuthorization: Bearer ${place.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`
  return {
    port: Number(new URL(served.url).port),
    post: `POST /v1/decisions HTTP/1.1\r\n${headers}\r\n\r\n${body}`,
  }
}

/** The status of an answer, or `closed`. */
const ask = (socket: Socket, bytes: string): Promise<string> =>
  new Promise((resolve) => {
    socket.once('data', (answer) => {
      resolve(String(answer).slice(9, 12))
    })
    socket.once('close', () => {
      resolve('closed')
    })
    socket.write(bytes)
  })

it('a server with few files notarises through a flood of connections, and takes new ones after it', async () => {
  // 128 files are not for connections.
  const { port, post } = await startWithFiles(128 + 20)
  const reach = (): Socket => {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    return socket.on('error', () => undefined)
  }
  const first = reach()
  expect(await ask(first, post)).toBe('201')
  const flood = Array.from({ length: 300 }, reach)
  let closed = 0
  for (const socket of flood) socket.once('close', () => closed++)
  await expect.poll(() => closed, { timeout: 5000 }).toBe(300 - 19)
  expect(await ask(reach(), post)).toBe('closed')
  expect(await ask(first, post)).toBe('201')
  for (const socket of flood) socket.destroy()
  await expect.poll(() => ask(reach(), post), { timeout: 5000 }).toBe('201')
})

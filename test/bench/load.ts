// The load generator, a process of its own: keep-alive connections that each send a request as soon as the last was answered. It parses no more
// of an answer than where it ends, because it shares the machine with what it measures.
import { connect } from 'node:net'
import { Stopwatch, type Load, type Span } from './figures.ts'

/** What to send, and for how long. */
export interface LoadOrder extends Span {
  readonly port: number
  readonly path: string
  readonly token: string
  readonly body: string
  readonly connections: number
}

/** What came of it; an answer that is not 201 fails the whole. */
export type LoadReport = { readonly load: Load } | { readonly error: string }

const formatRequest = ({ path, port, token, body }: LoadOrder): string =>
  [
    `POST ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')

/** Counts an answer's bytes; gives true with its last one. */
class AnswerReader {
  #head = ''
  #missing = 0

  read(chunk: Buffer, length: number): boolean {
    if (this.#missing > 0) this.#missing -= length
    else {
      // As a rule the head comes whole, and no more than that is made a string.
      const at = chunk.subarray(0, length).indexOf('\r\n\r\n')
      const read = at < 0 ? length : at + 4
      this.#head += chunk.toString('latin1', 0, read)
      const end = this.#head.indexOf('\r\n\r\n')
      if (end < 0) return false
      const contentLength = /\r\ncontent-length: (\d+)\r\n/i.exec(this.#head.slice(0, end + 2))?.[1]
      if (!this.#head.startsWith('HTTP/1.1 201 ') || contentLength === undefined)
        throw new Error(`Unexpected answer: ${this.#head.slice(0, 500)}`)
      this.#missing = end + 4 + Number(contentLength) - this.#head.length - (length - read)
      this.#head = ''
    }
    if (this.#missing < 0) throw new Error('Answer is longer than it says')
    return this.#missing === 0
  }
}

/** One connection that asks until time is up. */
function keepAsking(port: number, request: Buffer, stopwatch: Stopwatch): Promise<void> {
  return new Promise((resolve, reject) => {
    const reader = new AnswerReader()
    let began = 0
    const ask = (): void => {
      began = performance.now()
      socket.write(request)
    }
    const socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(65_536),
        callback: (length, buffer) => {
          try {
            if (!reader.read(buffer as Buffer, length)) return true
            if (stopwatch.answered(began, performance.now())) ask()
            else socket.end()
          } catch (error) {
            socket.destroy(error as Error)
          }
          return true
        },
      },
    })
    socket.on('connect', ask)
    socket.on('error', reject)
    socket.on('close', () => {
      resolve()
    })
  })
}

async function runLoad(order: LoadOrder): Promise<Load> {
  const request = Buffer.from(formatRequest(order))
  const stopwatch = new Stopwatch(order, order.connections)
  const connections = Array.from({ length: order.connections }, () =>
    keepAsking(order.port, request, stopwatch),
  )
  await Promise.all(connections)
  return stopwatch.load
}

process.on('message', (order: LoadOrder) => {
  runLoad(order).then(
    (load) => process.send?.({ load } satisfies LoadReport),
    (error: unknown) => process.send?.({ error: String(error) } satisfies LoadReport),
  )
})

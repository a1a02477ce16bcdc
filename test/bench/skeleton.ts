// The threads of `serve` with nothing in them: HTTP and JSON.parse in one, the floor's pipeline in the other, batches as the service makes them. No
// caller is known, no schema asked, nothing pinned, logged or indexed. What it reaches is what this machine lets such a design reach.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createPipeline } from './floor.ts'

/** Decisions of a commit, and half of them, which cross together. */
const [most, together] = [32, 16]

/** What the process says once it listens. */
export interface Listening {
  readonly port: number
}

/** Answers requests by a worker that makes their decisions. */
async function serve(file: string): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: file })
  const waiting: ServerResponse[] = []
  const underWay: ServerResponse[] = []
  const pump = (): void => {
    while (waiting.length > 0 && underWay.length < 2 * most) {
      if (underWay.length > 0 && waiting.length < together) return
      const batch = waiting.splice(0, most)
      underWay.push(...batch)
      worker.postMessage(batch.length)
    }
  }
  worker.on('message', (answers: readonly string[]) => {
    for (const answer of answers) {
      const bytes = Buffer.from(answer, 'latin1')
      underWay.shift()?.writeHead(201, { 'Content-Length': bytes.length }).end(bytes)
    }
    pump()
  })
  const server = createServer((request, response) => {
    void json(request).then(() => {
      waiting.push(response)
      pump()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send?.({ port: (server.address() as AddressInfo).port } satisfies Listening)
  process.once('disconnect', () => process.exit())
}

/** Makes as many decisions as are asked for, at most so many in a commit. */
function work(file: string): void {
  const { pipeline } = createPipeline(file)
  let asked = 0
  const drain = (): void => {
    const batch = Math.min(asked, most)
    asked -= batch
    parentPort?.postMessage(pipeline(batch))
    if (asked > 0) setImmediate(drain)
  }
  parentPort?.on('message', (count: number) => {
    if (asked === 0) setImmediate(drain)
    asked += count
  })
}

if (isMainThread) await serve(process.argv[2] ?? '')
else work(workerData as string)

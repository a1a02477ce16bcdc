// A double of S3: PutObject with If-None-Match and If-Match, GetObject, HeadObject and ListObjectsV2 over HTTP, path style, with ETags, checksums and
// error bodies as S3 has them. It records what it was asked, and fails as it is told. It checks no signature.
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { crc32 } from 'node:zlib'

/** What goes wrong with a call. */
export type Fault =
  | { readonly error: string; readonly status: number }
  /** `deaf`: it is done, and the answer never comes. `blind`: conditions are not honoured. */
  | { readonly kind: 'reset' | 'hang' | 'deaf' | 'html' | 'cut' | 'blind' }
  | { readonly kind: 'slow'; readonly delayMs: number }

/** A call as it came in. */
export interface Asked {
  readonly method: string
  /** Without the bucket; empty for a call about the bucket. */
  readonly key: string
  readonly headers: IncomingMessage['headers']
}

interface Kept {
  readonly bytes: Buffer
  readonly etag: string
  readonly headers: Readonly<Record<string, string>>
}

interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
}

const messages: Readonly<Record<string, string>> = {
  AccessDenied: 'Access Denied',
  NoSuchBucket: 'The specified bucket does not exist',
  NoSuchKey: 'The specified key does not exist.',
  PreconditionFailed: 'At least one of the pre-conditions you specified did not hold',
  SlowDown: 'Please reduce your request rate.',
}

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const errorReply = (status: number, code: string): Reply => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${messages[code] ?? 'Scripted'}</Message><RequestId>${randomUUID()}</RequestId></Error>`,
})

/** An S3 on a port of 127.0.0.1. */
export class S3Double {
  readonly asked: Asked[] = []
  /** Objects listed in one answer. */
  pageSize = 1000
  /** What is told of where the next page of a list begins, by how many pages were asked for. */
  tellNext: (pages: number, next: string) => string | undefined = (_, next) => next
  #pages = 0
  /** Let in by no credentials at all when false. */
  mayList = true
  readonly #buckets = new Map<string, Map<string, Kept>>()
  readonly #faults: { method: string | undefined; fault: Fault; left: number; after: number }[] = []
  readonly #sockets = new Set<Socket>()
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#serve(request, response)
    })
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  /** Starts one with some buckets. */
  static async start(...buckets: readonly string[]): Promise<S3Double> {
    const double = new S3Double()
    for (const bucket of buckets) double.#buckets.set(bucket, new Map())
    await new Promise<void>((resolve, reject) => {
      double.#server.once('error', reject)
      double.#server.listen(0, '127.0.0.1', resolve)
    })
    return double
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Variables with which the SDK finds it. */
  get environment(): Record<string, string> {
    return {
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      AWS_REGION: 'eu-test-1',
      AWS_ENDPOINT_URL_S3: this.endpoint,
    }
  }

  /** The objects of a bucket by key, as they are. */
  objects(bucket: string): ReadonlyMap<string, Buffer> {
    return new Map([...this.#bucket(bucket)].map(([key, { bytes }]) => [key, bytes]))
  }

  /** How an object is served. */
  headersOf(bucket: string, key: string): Readonly<Record<string, string>> | undefined {
    return this.#bucket(bucket).get(key)?.headers
  }

  /** Puts an object behind everybody's back, or takes it away. */
  put(bucket: string, key: string, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.#bucket(bucket).delete(key)
    else this.#bucket(bucket).set(key, keep(Buffer.from(bytes), {}))
  }

  /** Lets the next calls fail, all of them or those of one method, `times` times, after letting some pass. */
  fail(fault: Fault, times = Infinity, method?: string, after = 0): void {
    this.#faults.push({ after, fault, left: times, method })
  }

  heal(): void {
    this.#faults.length = 0
  }

  #bucket(name: string): Map<string, Kept> {
    const bucket = this.#buckets.get(name)
    if (bucket === undefined) throw new Error(`No such bucket: ${name}`)
    return bucket
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', 'http://s3')
    const [, bucket = '', ...path] = url.pathname.split('/').map(decodeURIComponent)
    const call = { headers: request.headers, key: path.join('/'), method: request.method ?? '' }
    this.asked.push(call)
    const fault = this.#dueFault(call.method)
    const blind = fault !== undefined && 'kind' in fault && fault.kind === 'blind'
    const perform = (): Reply => this.#perform(bucket, call, url, Buffer.concat(chunks), blind)
    this.#answer(response, perform, call.method, blind ? undefined : fault)
  }

  #dueFault(method: string): Fault | undefined {
    const due = this.#faults.find(
      (fault) => fault.left > 0 && [undefined, method].includes(fault.method),
    )
    if (due === undefined || due.after-- > 0) return undefined
    due.left--
    return due.fault
  }

  #answer(response: ServerResponse, perform: () => Reply, method: string, fault?: Fault): void {
    if (fault === undefined) send(response, perform(), method)
    else if ('error' in fault) send(response, errorReply(fault.status, fault.error), method)
    else if (fault.kind === 'slow')
      setTimeout(() => {
        send(response, perform(), method)
      }, fault.delayMs)
    else if (fault.kind === 'reset') response.socket?.resetAndDestroy()
    else if (fault.kind === 'deaf') perform()
    else if (fault.kind === 'html') {
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad gateway</html>')
    } else if (fault.kind === 'cut') {
      const { body = '', headers, status } = perform()
      const whole = Buffer.from(body)
      response.writeHead(status, { ...headers, 'content-length': whole.length + 1 })
      response.write(whole, () => response.socket?.destroy())
    }
  }

  #perform(bucket: string, call: Asked, url: URL, body: Buffer, blind: boolean): Reply {
    const objects = this.#buckets.get(bucket)
    if (call.headers.authorization === undefined) return errorReply(403, 'AccessDenied')
    if (objects === undefined) return errorReply(404, 'NoSuchBucket')
    if (call.key === '' && call.method === 'GET') return this.#list(objects, url)
    if (call.method === 'PUT') return putObject(objects, call, body, blind)
    const kept = objects.get(call.key)
    // Without the right to list, S3 does not tell what is not there from what may not be seen.
    if (kept === undefined)
      return this.mayList ? errorReply(404, 'NoSuchKey') : errorReply(403, 'AccessDenied')
    return { body: kept.bytes, headers: { ...kept.headers, etag: kept.etag }, status: 200 }
  }

  #list(objects: ReadonlyMap<string, Kept>, url: URL): Reply {
    if (!this.mayList) return errorReply(403, 'AccessDenied')
    const prefix = url.searchParams.get('prefix') ?? ''
    const after = url.searchParams.get('continuation-token') ?? ''
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const page = keys.slice(0, this.pageSize)
    const last = page.at(-1)
    const more = keys.length > page.length && last !== undefined
    const contents = page.map((key) => `<Contents><Key>${escape(key)}</Key></Contents>`).join('')
    const told = more ? this.tellNext(++this.#pages, last) : undefined
    const next =
      told === undefined ? '' : `<NextContinuationToken>${escape(told)}</NextContinuationToken>`
    return {
      body: `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><KeyCount>${page.length}</KeyCount><IsTruncated>${String(more)}</IsTruncated>${next}${contents}</ListBucketResult>`,
      headers: { 'content-type': 'application/xml' },
      status: 200,
    }
  }
}

function send(
  response: ServerResponse,
  { body = '', headers = {}, status }: Reply,
  method: string,
): void {
  response.writeHead(status, { 'x-amz-request-id': randomUUID(), ...headers })
  response.end(method === 'HEAD' ? undefined : body)
}

const keep = (bytes: Buffer, headers: Kept['headers']): Kept => ({
  bytes,
  etag: `"${createHash('md5').update(bytes).digest('hex')}"`,
  headers,
})

function putObject(
  objects: Map<string, Kept>,
  { headers, key }: Asked,
  body: Buffer,
  blind: boolean,
): Reply {
  const kept = objects.get(key)
  const { 'if-match': wanted, 'if-none-match': none } = headers
  const sum = headers['x-amz-checksum-crc32']
  const sumBytes = Buffer.alloc(4)
  sumBytes.writeUInt32BE(crc32(body))
  if (sum !== undefined && sum !== sumBytes.toString('base64')) return errorReply(400, 'BadDigest')
  if (headers['content-encoding']?.includes('aws-chunked') === true)
    return errorReply(501, 'NotImplemented')
  if (!blind) {
    if (none === '*' && kept !== undefined) return errorReply(412, 'PreconditionFailed')
    if (wanted !== undefined && kept === undefined) return errorReply(404, 'NoSuchKey')
    if (wanted !== undefined && wanted !== kept?.etag) return errorReply(412, 'PreconditionFailed')
  }
  const served = Object.fromEntries(
    ['content-type', 'cache-control'].flatMap((name) => {
      const value = headers[name]
      return typeof value === 'string' ? [[name, value]] : []
    }),
  )
  const made = keep(body, served)
  objects.set(key, made)
  return { headers: { etag: made.etag }, status: 200 }
}

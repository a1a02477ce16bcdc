// A double of AWS KMS: the JSON 1.1 protocol over HTTP, with real key states, aliases, encryption contexts and error bodies. It records what it was
// asked, and fails as it is told. It checks no signature, and whoever can reach it can use its keys.
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** What a key's owner can make of it. */
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion'

/** What goes wrong with a call. */
export type Fault =
  | { readonly error: string; readonly status?: number; readonly message?: string }
  | { readonly kind: 'reset' | 'hang' | 'malformed' | 'html' | 'empty' }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** Answers successfully with what the function makes of the answer that would have been. */
  | { readonly answer: (usual: Answer) => Answer }

/** Members of a request or an answer. */
export type Answer = Readonly<Record<string, unknown>>

/** A call as it came in. */
export interface Asked {
  readonly operation: string
  readonly headers: IncomingMessage['headers']
  readonly body: Answer
}

interface Key {
  readonly id: string
  readonly arn: string
  readonly material: Buffer
  readonly usage: 'ENCRYPT_DECRYPT' | 'SIGN_VERIFY'
  state: KeyState
}

class KmsError extends Error {
  override readonly name: string
  constructor(name: string, message: string) {
    super(message)
    this.name = name
  }
}

/** HTTP status of the errors that are not 400. */
const statuses = new Map([
  ['DependencyTimeoutException', 503],
  ['DryRunOperationException', 412],
  ['KMSInternalException', 500],
  ['KeyUnavailableException', 500],
  ['ServiceUnavailable', 503],
])

const nonceBytes = 12
const tagBytes = 16
const idBytes = 36

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Members in the order of their names: KMS binds a context whatever its order. */
const additionalData = (id: string, context: unknown): Buffer =>
  Buffer.from(
    JSON.stringify([
      id,
      Object.entries((context ?? {}) as Answer).sort(([a], [b]) => (a < b ? -1 : 1)),
    ]),
  )

/** A KMS on a port of 127.0.0.1. */
export class KmsDouble {
  readonly asked: Asked[] = []
  readonly region = 'eu-test-1'
  readonly account = '111122223333'
  readonly #keys = new Map<string, Key>()
  readonly #aliases = new Map<string, string>()
  readonly #faults: { operation: string | undefined; fault: Fault; left: number }[] = []
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #bucket:
    { readonly burst: number; readonly perSecond: number; tokens: number; at: number } | undefined

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#serve(request, response)
    })
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  /** Starts one; the port is free to choose so that one can come back where it was. */
  static async start(port = 0): Promise<KmsDouble> {
    const double = new KmsDouble()
    await double.listen(port)
    return double
  }

  /** Listens again after {@link stop}, with the keys it had. */
  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, '127.0.0.1', resolve)
    })
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Variables with which the SDK finds it. */
  get environment(): Record<string, string> {
    return {
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      AWS_REGION: this.region,
      AWS_ENDPOINT_URL_KMS: this.endpoint,
    }
  }

  /** Makes a key and gives its ARN. */
  createKey(usage: Key['usage'] = 'ENCRYPT_DECRYPT'): string {
    const id = randomUUID()
    const arn = `arn:aws:kms:${this.region}:${this.account}:key/${id}`
    this.#keys.set(id, { id, arn, material: randomBytes(32), usage, state: 'Enabled' })
    return arn
  }

  /** Makes an alias (`alias/…`), or lets it name another key. */
  setAlias(alias: string, arn: string): void {
    this.#aliases.set(alias, arn)
  }

  setState(arn: string, state: KeyState): void {
    this.#find(arn).state = state
  }

  deleteKey(arn: string): void {
    this.#keys.delete(this.#find(arn).id)
  }

  /** Lets the next calls fail, all of them or those of one operation, `times` times. */
  fail(fault: Fault, times = Infinity, operation?: string): void {
    this.#faults.push({ fault, left: times, operation })
  }

  heal(): void {
    this.#faults.length = 0
    this.#bucket = undefined
  }

  /** Gives the account a bucket of `burst` calls that fills again by `perSecond`. */
  throttle(burst: number, perSecond = 0): void {
    this.#bucket = { burst, perSecond, tokens: burst, at: performance.now() }
  }

  #takeToken(): boolean {
    const bucket = this.#bucket
    if (bucket === undefined) return true
    const now = performance.now()
    const refilled = bucket.tokens + ((now - bucket.at) / 1000) * bucket.perSecond
    bucket.tokens = Math.min(bucket.burst, refilled)
    bucket.at = now
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const operation = text(request.headers['x-amz-target']).replace('TrentService.', '')
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Answer
    this.asked.push({ operation, headers: request.headers, body })
    const due = this.#faults.find(
      (fault) => fault.left > 0 && [undefined, operation].includes(fault.operation),
    )
    if (due !== undefined) due.left--
    this.#answer(response, operation, body, due?.fault)
  }

  #answer(response: ServerResponse, operation: string, body: Answer, fault?: Fault): void {
    if (fault === undefined || 'answer' in fault) {
      const { status, answer } = this.#outcome(operation, body)
      if (fault === undefined) this.#send(response, status, answer)
      else this.#send(response, 200, fault.answer(answer))
    } else if ('error' in fault) {
      const { error, status = statuses.get(error) ?? 400, message = 'Scripted' } = fault
      this.#send(response, status, { __type: error, message })
    } else if (fault.kind === 'slow') {
      setTimeout(() => {
        this.#answer(response, operation, body)
      }, fault.delayMs)
    } else if (fault.kind === 'reset') {
      response.socket?.resetAndDestroy()
    } else if (fault.kind === 'html') {
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad gateway</html>')
    } else if (fault.kind === 'empty') {
      this.#send(response, 200, {})
    } else if (fault.kind === 'malformed') {
      // Cut inside the answer, so that a message which quotes it would quote what matters.
      const whole = JSON.stringify(this.#outcome(operation, body).answer)
      this.#sendText(response, 200, `${whole.slice(0, -1)},}`)
    }
  }

  #outcome(operation: string, body: Answer): { status: number; answer: Answer } {
    try {
      return { status: 200, answer: this.#perform(operation, body) }
    } catch (error) {
      if (!(error instanceof KmsError)) throw error
      const { name, message } = error
      return { status: statuses.get(name) ?? 400, answer: { __type: name, message } }
    }
  }

  #send(response: ServerResponse, status: number, answer: Answer): void {
    this.#sendText(response, status, JSON.stringify(answer))
  }

  #sendText(response: ServerResponse, status: number, body: string): void {
    response
      .writeHead(status, {
        'content-type': 'application/x-amz-json-1.1',
        'x-amzn-requestid': randomUUID(),
      })
      .end(body)
  }

  #perform(operation: string, body: Answer): Answer {
    if (!this.#takeToken())
      throw new KmsError(
        'ThrottlingException',
        'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
      )
    if (operation === 'Encrypt') return this.#encrypt(body)
    if (operation === 'Decrypt') return this.#decrypt(body)
    if (operation === 'DescribeKey') return this.#describe(body)
    throw new KmsError('UnknownOperationException', '')
  }

  #encrypt({ KeyId, Plaintext, EncryptionContext, EncryptionAlgorithm, DryRun }: Answer): Answer {
    const key = this.#usable(KeyId)
    const plaintext = Buffer.from(text(Plaintext), 'base64')
    if (plaintext.length < 1 || plaintext.length > 4096)
      throw new KmsError('ValidationException', '1 validation error detected: plaintext')
    if (DryRun === true) throw dryRun()
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', key.material, nonce)
    cipher.setAAD(additionalData(key.id, EncryptionContext))
    const sealed = [cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]
    const blob = Buffer.concat([Buffer.from(key.id), nonce, ...sealed])
    return { CiphertextBlob: blob.toString('base64'), EncryptionAlgorithm, KeyId: key.arn }
  }

  #decrypt(body: Answer): Answer {
    const { KeyId, CiphertextBlob, EncryptionContext, EncryptionAlgorithm, DryRun } = body
    const key = this.#usable(KeyId)
    const blob = Buffer.from(text(CiphertextBlob), 'base64')
    const modifiers = JSON.stringify(body['DryRunModifiers'] ?? [])
    if (DryRun === true && modifiers === '["IGNORE_CIPHERTEXT"]') throw dryRun()
    if (blob.length < 1 || blob.length > 6144)
      throw new KmsError('ValidationException', '1 validation error detected: ciphertextBlob')
    const id = blob.subarray(0, idBytes).toString()
    if (!this.#keys.has(id) || blob.length < idBytes + nonceBytes + tagBytes)
      throw invalidCiphertext()
    if (id !== key.id)
      throw new KmsError(
        'IncorrectKeyException',
        'The key ID in the request does not identify a CMK that can perform this operation.',
      )
    const plaintext = open(key, blob.subarray(idBytes), additionalData(id, EncryptionContext))
    if (DryRun === true) throw dryRun()
    return { EncryptionAlgorithm, KeyId: key.arn, Plaintext: plaintext.toString('base64') }
  }

  #describe({ KeyId }: Answer): Answer {
    const { arn, id, state, usage } = this.#find(text(KeyId))
    const enabled = state === 'Enabled'
    return {
      KeyMetadata: { Arn: arn, Enabled: enabled, KeyId: id, KeyState: state, KeyUsage: usage },
    }
  }

  #usable(named: unknown): Key {
    const key = this.#find(text(named))
    if (key.state === 'Disabled') throw new KmsError('DisabledException', `${key.arn} is disabled.`)
    if (key.state === 'PendingDeletion')
      throw new KmsError('KMSInvalidStateException', `${key.arn} is pending deletion.`)
    if (key.usage !== 'ENCRYPT_DECRYPT')
      throw new KmsError('InvalidKeyUsageException', `${key.arn} key usage is ${key.usage}.`)
    return key
  }

  /** By key id, key ARN, alias or alias ARN. */
  #find(named: string): Key {
    const prefix = `arn:aws:kms:${this.region}:${this.account}:`
    const local = named.startsWith(prefix) ? named.slice(prefix.length) : named
    const target = local.startsWith('alias/') ? this.#aliases.get(local) : local
    const key = this.#keys.get((target ?? '').split('key/').at(-1) ?? '')
    if (key !== undefined) return key
    throw new KmsError(
      'NotFoundException',
      local.startsWith('alias/')
        ? `Alias ${prefix}${local} is not found.`
        : `Key '${named}' does not exist`,
    )
  }
}

const dryRun = (): KmsError =>
  new KmsError(
    'DryRunOperationException',
    'The request would have succeeded, but the DryRun option is set.',
  )

// KMS says no word here.
const invalidCiphertext = (): KmsError => new KmsError('InvalidCiphertextException', '')

function open(key: Key, sealed: Buffer, aad: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key.material, sealed.subarray(0, nonceBytes))
  decipher.setAAD(aad).setAuthTag(sealed.subarray(-tagBytes))
  try {
    return Buffer.concat([
      decipher.update(sealed.subarray(nonceBytes, -tagBytes)),
      decipher.final(),
    ])
  } catch {
    throw invalidCiphertext()
  }
}

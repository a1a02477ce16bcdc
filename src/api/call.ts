// One request as a handler sees it: names, parameters and a bounded body, each asked for when it is wanted.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { Failure } from '../base/failure.ts'
import { fromUtf8 } from '../base/bytes.ts'
import { isUuid } from '../base/uuid.ts'
import type { Principal } from '../decisions/service.ts'
import { parseBody, parseValue } from '../wire/decision.ts'
import { readBody } from './request-body.ts'
import { unescapePart, type Target } from './request-target.ts'

const requestIdPattern = /^[A-Za-z0-9._-]{1,64}$/

/** The caller's request id where it is one, else a new one. An API key would fit the pattern too, and ids are logged. */
const requestIdOf = (given: string | undefined): string =>
  given !== undefined && requestIdPattern.test(given) && !given.startsWith('csk_')
    ? given
    : randomUUID()

const numeric = new Set([
  'first',
  'index',
  'limit',
  'second',
  'since',
  'size',
  'until',
  'version',
  'wait',
])
const integer = /^(?:0|[1-9]\d{0,15})$/

/** The value of a query parameter; a number where the name wants one, and else left for the schema to refuse. */
const readParameter = (name: string, text: string): string | number =>
  numeric.has(name) && integer.test(text) ? Number(text) : text

/** What a call is busy with, which decides what it means when time is up. */
export type Phase = 'admission' | 'body' | 'work'

/** One request. */
export class Call {
  readonly requestId: string
  readonly #request: IncomingMessage
  readonly #target: Target
  readonly #params: Readonly<Record<string, string>>
  #principal: Principal | undefined
  #phase: Phase = 'admission'
  #isOver = false
  #leave: () => void = () => undefined

  /** @param params parts of the path by their names, as they were sent */
  constructor(request: IncomingMessage, target: Target, params: Readonly<Record<string, string>>) {
    this.#request = request
    this.#target = target
    this.#params = params
    this.requestId = requestIdOf(this.header('x-request-id'))
  }

  get path(): string {
    return this.#target.path
  }

  get phase(): Phase {
    return this.#phase
  }

  /** Who was authenticated, if anybody. */
  get principal(): Principal | undefined {
    return this.#principal
  }

  /** Time is up and the caller was told so: what is still awaited must not be acted on. */
  giveUp(): void {
    this.#isOver = true
    this.#leave()
  }

  /**
   * Works on what keeps the caller waiting on purpose.
   * @param work is given a signal that aborts when the caller has left, or was told that time is up
   */
  async whileThere<T>(work: (left: AbortSignal) => Promise<T>): Promise<T> {
    const { socket } = this.#request
    const leaver = new AbortController()
    this.#leave = () => {
      leaver.abort()
    }
    // A connection outlives its requests.
    socket.once('close', this.#leave)
    try {
      if (socket.destroyed) leaver.abort()
      return await work(leaver.signal)
    } finally {
      socket.off('close', this.#leave)
    }
  }

  /** @throws {@link Failure} LOG_BUSY when the caller has left, or was told that time is up */
  expectThere(): void {
    this.#checkTime()
    if (this.#request.socket.destroyed) throw new Failure('LOG_BUSY', 'The caller has left')
  }

  #checkTime(): void {
    if (this.#isOver) throw new Failure('LOG_BUSY', 'The caller was answered already')
  }

  admitted(principal: Principal): Principal {
    this.#checkTime()
    this.#principal = principal
    this.#phase = 'work'
    return principal
  }

  /** A header by its name in lower case; one that stands several times is one list. */
  header(name: string): string | undefined {
    const value = this.#request.headers[name]
    return typeof value === 'string' ? value : value?.join(', ')
  }

  param(name: string): string {
    return unescapePart(this.#params[name] ?? '')
  }

  /** The decision's id of the path. @throws INPUT_NOT_FOUND when it can be nobody's */
  decisionId(): string {
    const id = this.param('id')
    if (!isUuid(id)) throw new Failure('INPUT_NOT_FOUND', 'No such decision')
    return id
  }

  /**
   * The query as a schema has it; every parameter stands at most once.
   * @throws {@link Failure} INPUT_INVALID
   */
  query<T>(schema: z.ZodType<T>): T {
    const parameters = new URLSearchParams(this.#target.query)
    const seen = new Set<string>()
    const twice = [...parameters.keys()].find((name) => seen.size === seen.add(name).size)
    if (twice !== undefined)
      throw new Failure('INPUT_INVALID', 'Query parameter must not stand twice', {
        field: `/${twice}`,
      })
    // fromEntries, because an assignment to `__proto__` would be silent.
    return parseValue(
      schema,
      Object.fromEntries([...parameters].map(([name, text]) => [name, readParameter(name, text)])),
    )
  }

  /** @throws INPUT_INVALID when there is a query */
  refuseQuery(): void {
    const { query } = this.#target
    if (query !== '')
      throw new Failure('INPUT_INVALID', 'No query parameters are known here', {
        field: `/${[...new URLSearchParams(query).keys()][0] ?? ''}`,
      })
  }

  /**
   * The whole body, which must be of one of the media types; empty without a body.
   * @throws {@link Failure} INPUT_MEDIA_TYPE, INPUT_TOO_LARGE, INPUT_MALFORMED
   */
  async bytes(types: readonly string[], maxBytes: number): Promise<Uint8Array> {
    this.#phase = 'body'
    const bytes = await readBody(this.#request, types, maxBytes)
    this.#checkTime()
    this.#phase = 'work'
    return bytes
  }

  /**
   * The text of a JSON body. Bytes that are not UTF-8 are refused: replacing them would notarise what nobody sent.
   * @throws {@link Failure} INPUT_MEDIA_TYPE, INPUT_TOO_LARGE, INPUT_MALFORMED
   */
  async text(maxBytes: number): Promise<string> {
    const bytes = await this.bytes(['application/json'], maxBytes)
    try {
      return fromUtf8(bytes)
    } catch {
      throw new Failure('INPUT_MALFORMED', 'Body is not UTF-8')
    }
  }

  /**
   * The value of a JSON body; without a body that of `whenEmpty`.
   * @throws {@link Failure} INPUT_MEDIA_TYPE, INPUT_TOO_LARGE, INPUT_MALFORMED, INPUT_INVALID
   */
  async json<T>(schema: z.ZodType<T>, maxBytes: number, whenEmpty = ''): Promise<T> {
    const text = await this.text(maxBytes)
    return parseBody(schema, text === '' ? whenEmpty : text)
  }
}

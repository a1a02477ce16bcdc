// Asking witnesses to cosign (C2SP tlog-witness). A witness is a stranger: what it answers is bounded in size and time, and of its lines only those count
// that verify under its own keys of the policy. Whatever it does becomes a value. One that has seen a larger tree than ours, or another one of the same
// size, has seen a history that is not this one: that is an alarm for a person, and asking again would not mend it.
import { join } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { parseCheckpoint, verifyCheckpoint, type Checkpoint } from '../merkle/checkpoint.ts'
import { formatNote, parseNote, type NoteLine, type Vkey } from '../merkle/note.ts'
import type { WitnessPolicy } from '../merkle/witness-policy.ts'
import {
  formatAddCheckpoint,
  parseCosignatures,
  parseTreeSize,
  sizeType,
  witnessLimits,
} from './witness-protocol.ts'

/** Where a witness is asked, and the keys by which its lines are believed. */
export interface WitnessEndpoint {
  /** Its submission prefix, without a slash at its end. */
  readonly url: string
  readonly vkeys: readonly Vkey[]
}

/** What is to be cosigned. */
export interface CosignRequest {
  /** The signed note of a checkpoint that may leave the process. */
  readonly note: string
  /** How large the log is by now: a witness may be beyond the note, and never beyond this. */
  readonly logSize: number
  /** The consistency proof from an older size, at most the checkpoint's; empty from 0 and from its own. */
  readonly proofFrom: (size: number) => Promise<readonly Uint8Array[]>
  readonly signal?: AbortSignal
}

/** What became of asking one witness. */
export type Asked = {
  readonly url: string
} & (
  | { readonly outcome: 'cosigned'; readonly lines: readonly NoteLine[] }
  /** It gave nothing that counts; it may do so another time. */
  | {
      readonly outcome: 'failed'
      readonly reason: string
      /** Of its HTTP answer; null where none came. */
      readonly status: number | null
    }
  /** It has cosigned a larger tree of this log already, and does not go back. */
  | { readonly outcome: 'passed'; readonly size: number }
  /** It says that it has cosigned a history that is not this one. */
  | { readonly outcome: 'contradicted'; readonly reason: string; readonly size: number }
)

/** How witnesses are asked. */
export interface WitnessClientOptions {
  /** For each request, its answer included. */
  readonly timeoutMs: number
  readonly fetch?: typeof fetch
}

/**
 * The witnesses of a policy that have an address: keys with the same one are of the same witness.
 * @throws {@link Failure} CONFIG_INVALID for an address that is no http or https URL
 */
export function endpointsOf({ witnesses }: WitnessPolicy): readonly WitnessEndpoint[] {
  const endpoints = new Map<string, Vkey[]>()
  for (const { name, url, vkey } of witnesses) {
    if (url === undefined) continue
    const parsed = URL.parse(url)
    const usable =
      parsed !== null &&
      ['http:', 'https:'].includes(parsed.protocol) &&
      parsed.search === '' &&
      parsed.hash === '' &&
      parsed.username === ''
    if (!usable)
      throw new Failure(
        'CONFIG_INVALID',
        `Address of witness ${name} is no http or https URL: ${url}`,
      )
    const prefix = parsed.href.replace(/\/+$/, '')
    endpoints.set(prefix, [...(endpoints.get(prefix) ?? []), vkey])
  }
  return [...endpoints].map(([url, vkeys]) => ({ url, vkeys }))
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: Uint8Array
}

async function readBounded(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (response.body === null) return new Uint8Array()
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > witnessLimits.answerBytes) throw new Error('Answer is too long')
    chunks.push(chunk)
  }
  return join(chunks)
}

const explanations: Readonly<Record<number, string>> = {
  400: 'Witness takes the request for malformed',
  403: 'Witness does not take the log’s keys: add the log there again',
  404: 'Witness does not know this log: add it there',
}

/** One witness. It remembers the last size it heard, so that mostly one request is enough. */
export class WitnessClient {
  readonly endpoint: WitnessEndpoint
  readonly #options: WitnessClientOptions
  #size: number | undefined

  constructor(endpoint: WitnessEndpoint, options: WitnessClientOptions) {
    this.endpoint = endpoint
    this.#options = options
  }

  /** Asks for cosignatures; never rejects because of the witness. @throws {@link Failure} what the proof met */
  async cosign(request: CosignRequest): Promise<Asked> {
    const checkpoint = claimedBy(request.note)
    if (this.#size !== undefined && this.#size > checkpoint.size) return this.#passed(this.#size)
    // Whoever asks from the size it has needs no proof, and is told the other's size where that is another.
    const first = this.#size ?? checkpoint.size
    const asked = await this.#ask(request, checkpoint, first)
    if (typeof asked !== 'number') return asked
    const again = await this.#ask(request, checkpoint, asked)
    return typeof again === 'number'
      ? this.#failed('Witness changes its size meanwhile', 409)
      : again
  }

  /** What became of it, or the size that the witness has in place of `old`. */
  async #ask(request: CosignRequest, checkpoint: Checkpoint, old: number): Promise<Asked | number> {
    const { note, proofFrom, signal } = request
    const body = formatAddCheckpoint({ note, old, proof: await proofFrom(old) })
    let answer: Answer
    try {
      answer = await this.#post(body, signal)
    } catch (error) {
      return this.#failed(reasonOf(error), null)
    }
    const { status } = answer
    if (status === 200) return this.#take(note, checkpoint, answer.body)
    if (status === 409) return this.#resynchronise(answer, checkpoint.size, request.logSize, old)
    if (status === 422)
      return this.#contradicted(old, `Witness has another history than this log at size ${old}`)
    return this.#failed(explanations[status] ?? `Witness answers with status ${status}`, status)
  }

  async #post(body: string, signal: AbortSignal | undefined): Promise<Answer> {
    const { fetch = globalThis.fetch, timeoutMs } = this.#options
    const timeout = AbortSignal.timeout(timeoutMs)
    const response = await fetch(`${this.endpoint.url}/add-checkpoint`, {
      body,
      headers: { 'Content-Type': 'text/plain; charset=utf-8' },
      method: 'POST',
      redirect: 'error',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    const type = response.headers.get('content-type') ?? ''
    return { body: await readBounded(response), status: response.status, type }
  }

  #resynchronise(
    { body, type }: Answer,
    size: number,
    logSize: number,
    old: number,
  ): Asked | number {
    const told = type.split(';')[0]?.trim() === sizeType ? parseTreeSize(body) : undefined
    if (told === undefined) return this.#failed('Witness does not say which size it has', 409)
    if (told > logSize)
      return this.#contradicted(
        told,
        `Witness has cosigned a larger log than this one: ${told} > ${logSize}`,
      )
    if (told === old)
      return this.#failed(`Witness does not take the size that it has: ${told}`, 409)
    this.#size = told
    return told > size ? this.#passed(told) : told
  }

  /** The lines of the witness's own keys; one of them that is wrong spoils the answer. */
  #take(note: string, checkpoint: Checkpoint, body: Uint8Array): Asked {
    const { url, vkeys } = this.endpoint
    const lines = parseCosignatures(body)
    if (typeof lines === 'string') return this.#failed(lines, 200)
    const parsed = parseNote(note)
    const text = typeof parsed === 'string' ? '' : parsed.text
    const verified = verifyCheckpoint(formatNote(text, lines), vkeys)
    if ('reason' in verified) return this.#failed(verified.reason, 200)
    if (verified.lines.some(({ timestamp }) => timestamp === undefined || timestamp < 1))
      return this.#failed('Witness cosigns without a time', 200)
    this.#size = checkpoint.size
    const own = verified.lines.map(({ vkey }) => vkey)
    return {
      lines: lines.filter((line) => own.some((vkey) => isBy(vkey, line))),
      outcome: 'cosigned',
      url,
    }
  }

  #failed(reason: string, status: number | null): Asked {
    return { outcome: 'failed', reason, status, url: this.endpoint.url }
  }

  #passed(size: number): Asked {
    return { outcome: 'passed', size, url: this.endpoint.url }
  }

  #contradicted(size: number, reason: string): Asked {
    return { outcome: 'contradicted', reason, size, url: this.endpoint.url }
  }
}

const isBy = (vkey: Vkey, { keyId, name }: NoteLine): boolean =>
  vkey.keyId === keyId && vkey.name === name

function claimedBy(note: string): Checkpoint {
  const parsed = parseNote(note)
  const checkpoint = typeof parsed === 'string' ? parsed : parseCheckpoint(parsed.text)
  if (typeof checkpoint === 'string') throw new Failure('BUG', `Not our checkpoint: ${checkpoint}`)
  return checkpoint
}

/** What a failed exchange may say to an operator: a word of ours, or a code of the platform. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'Witness cannot be reached'
  if (error.name === 'TimeoutError') return 'Witness does not answer in time'
  if (error.message === 'Answer is too long') return 'Witness answers without end'
  const { cause } = error
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : error.name
  return `Witness cannot be reached: ${code}`
}

/** A note with more lines: those of keys that have one already are left out. */
export function addLines(note: string, more: readonly NoteLine[]): string {
  const parsed = parseNote(note)
  if (typeof parsed === 'string') throw new Failure('BUG', `Not our checkpoint: ${parsed}`)
  const fresh = more.filter(
    ({ keyId, name }, i) =>
      !parsed.lines.some((line) => line.keyId === keyId && line.name === name) &&
      more.findIndex((line) => line.keyId === keyId && line.name === name) === i,
  )
  return formatNote(parsed.text, [...parsed.lines, ...fresh])
}

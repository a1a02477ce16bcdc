// Notarising decisions from a file or a pipe, straight into the data directory. Many are in flight so that they share commits; answers come in
// the order of the input. Whatever ends it early, what was sent is finished and told, and idempotency keys let the same command resume.
import type { Readable } from 'node:stream'
import { asFailure, Failure } from '../base/failure.ts'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { limits } from '../base/limits.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Principal, Service } from '../decisions/service.ts'
import { isFinished, parseDecisionRequest, type DryRun, type Notarised } from '../wire/decision.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes } from './complain.ts'
import { openReadable } from './files.ts'
import { listenForInterrupt, signalExit, type Interrupt } from './interrupt.ts'
import { readDocuments, textOf, type Line } from './lines.ts'
import { localPrincipal } from './principal.ts'
import { Progress } from './progress.ts'
import { jsonLine, printable } from './terminal.ts'

/** Flags of `notarise`. */
export interface NotariseFlags extends TenantFlags {
  readonly failFast?: boolean
  readonly autoIdempotency?: boolean
  readonly full?: boolean
}

type Result =
  | { readonly line: number; readonly answer: string }
  | { readonly line: number; readonly failure: Failure }

const width = 64

/** Whether the line is to blame and not the machinery. */
const isRefusal = ({ code }: Failure): boolean => code.startsWith('INPUT_')

class Run {
  readonly #context: Context
  readonly #service: Service
  readonly #principal: Principal
  readonly #flags: NotariseFlags
  readonly #stop = new AbortController()
  readonly #progress: Progress
  done = 0
  replayed = 0
  refused = 0
  /** Of those that were notarised, which would be so again. */
  keyless = 0
  /** The last line that was told of; all before it were too. */
  line = 0
  /** What broke the machinery, first of all. */
  broken: Error | undefined

  constructor(context: Context, service: Service, principal: Principal, flags: NotariseFlags) {
    this.#context = context
    this.#service = service
    this.#principal = principal
    this.#flags = flags
    this.#progress = new Progress(context.err, context.out)
  }

  /** Notarises what a stream holds until it ends, or something stops it; then everything that was sent is finished and told. */
  async drain(input: Readable, interrupt: Interrupt): Promise<void> {
    const stopped = AbortSignal.any([this.#stop.signal, interrupt.signal])
    const end = (): void => void input.destroy()
    stopped.addEventListener('abort', end)
    const inFlight: Promise<void>[] = []
    let told = Promise.resolve()
    try {
      for await (const line of readDocuments(
        input as AsyncIterable<Uint8Array>,
        limits.bodyBytes,
      )) {
        if (stopped.aborted) break
        const result = this.#notarise(line)
        told = told.then(async () => this.#tell(await result))
        inFlight.push(told)
        if (inFlight.length >= width) await inFlight.shift()
      }
    } catch (error) {
      // Destroying the input ends the loop with an error of its own.
      if (!stopped.aborted)
        this.#break(new Failure('INPUT_INVALID', 'Input cannot be read', { cause: error }))
    } finally {
      stopped.removeEventListener('abort', end)
      await told
      this.#progress.clear()
    }
  }

  async #notarise({ number: line, bytes }: Line): Promise<Result> {
    try {
      const text = bytes === null ? undefined : textOf(bytes)
      if (bytes === null)
        throw new Failure('INPUT_TOO_LARGE', `Line is longer than ${limits.bodyBytes} bytes`)
      if (text === undefined) throw new Failure('INPUT_MALFORMED', 'Line is not UTF-8')
      const request = parseDecisionRequest(text)
      if (!isFinished(request) && request.mode === 'dry_run')
        return { line, answer: await this.#service.dryRun(this.#principal.tenant, request) }
      const isKeyless = request.idempotencyKey === undefined
      const isAuto = isKeyless && this.#flags.autoIdempotency === true
      const key = isAuto ? `sha256:${encodeHex(sha256(utf8(text)))}` : null
      const answer = await this.#service.notarise(this.#principal, text, key)
      if (isKeyless && !isAuto) this.keyless++
      return { line, answer }
    } catch (error) {
      const failure = asFailure(error)
      // At once, and not when its turn to be told comes: no later line must be sent.
      if (this.#flags.failFast === true || !isRefusal(failure)) this.#stop.abort()
      return { line, failure }
    }
  }

  async #tell(result: Result): Promise<void> {
    this.line = result.line
    if ('failure' in result) {
      this.#refuse(result.line, result.failure)
      return
    }
    const answer = JSON.parse(result.answer) as Notarised | DryRun
    this.done++
    if ('replayed' in answer && answer.replayed) this.replayed++
    const told = this.#flags.full === true ? answer : shorten(answer)
    try {
      await this.#context.out.write(jsonLine({ line: result.line, ...told }))
    } catch (error) {
      this.#break(error)
    }
    this.#progress.show(this.done, this.refused)
  }

  #refuse(line: number, failure: Failure): void {
    if (!isRefusal(failure)) {
      this.#break(failure)
      return
    }
    this.refused++
    this.#progress.clear()
    this.#context.err.note(
      `countersign: line ${line}: ${printable(failure.message)} (${failure.code})\n`,
    )
  }

  #break(error: unknown): void {
    this.broken ??= error instanceof Error ? error : asFailure(error)
    this.#stop.abort()
  }
}

function shorten(answer: Notarised | DryRun): object {
  if ('dryRun' in answer) return { dryRun: true, status: answer.status }
  const { id, index, obligations, proceed, reasons, replayed, status, time } = answer
  // A caller who was decided for must see what he has to do, and not only that he may.
  const decided = proceed === undefined ? {} : { proceed, reasons, obligations }
  return { id, status, ...decided, index, time, replayed }
}

/** How to go on, which may not be to run it all again. */
const howToGoOn = ({ keyless, line }: Run): string =>
  keyless === 0
    ? 'interrupted: run it again to resume, by idempotency keys'
    : `interrupted: go on behind line ${line}, for ${keyless} had no idempotency key and would be notarised twice`

function summary(each: Run, interrupted: boolean): string {
  const { done, refused, replayed } = each
  const decisions = `${done} decision${done === 1 ? '' : 's'} notarised`
  const parts = [replayed > 0 ? `${decisions}, ${replayed} of which had been before` : decisions]
  if (refused > 0) parts.push(`${refused} line${refused === 1 ? '' : 's'} refused`)
  if (interrupted) parts.push(howToGoOn(each))
  return `${parts.join('; ')}\n`
}

/** `notarise FILE|-` */
export async function notarise(
  context: Context,
  file: string,
  flags: NotariseFlags,
): Promise<number> {
  const { io } = context
  const input = file === '-' ? io.stdin : await openReadable(io.cwd, file)
  const service = await (await context.compose()).openService(flags).catch((error: unknown) => {
    input.destroy()
    throw error
  })
  const interrupt = listenForInterrupt(io.signals)
  const work = run(context, service, input, interrupt, flags).finally(async () => {
    input.destroy()
    await service.close()
  })
  try {
    // Who insists does not wait for the end of what is in flight; it may be durable or not, as after a crash.
    return await Promise.race([work, interrupt.insisted])
  } finally {
    interrupt.stop()
  }
}

async function run(
  context: Context,
  service: Service,
  input: Readable,
  interrupt: Interrupt,
  flags: NotariseFlags,
): Promise<number> {
  const principal = await localPrincipal(service, flags.tenant)
  const each = new Run(context, service, principal, flags)
  await each.drain(input, interrupt)
  const { received } = interrupt
  const eventful = received !== undefined || each.refused > 0 || each.broken !== undefined
  if (eventful || context.err.isTerminal) context.err.note(summary(each, received !== undefined))
  if (each.broken !== undefined) throw each.broken
  if (received !== undefined) return signalExit[received]
  return each.refused > 0 ? exitCodes.usage : exitCodes.done
}

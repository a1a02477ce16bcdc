// One child process with a PKCS#11 module. It is asked one thing at a time; when it does not answer in time it is killed, for a hanging module cannot
// be stopped otherwise.
import { fork, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { invariant } from '../base/failure.ts'
import { childEnvironment } from './child-environment.ts'
import type {
  HsmAnswer,
  HsmFault,
  HsmRequest,
  NumberedAnswer,
  NumberedRequest,
} from './hsm-messages.ts'

interface Asked {
  readonly id: number
  readonly settle: (answer: HsmAnswer) => void
}

/** A child process. It keeps nobody alive but while it is asked. */
export class HsmProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #asked: Asked | undefined
  #count = 0
  #gone: HsmFault | undefined

  /** Starts the process; `onExit` is called once, whatever ends it. */
  constructor(onExit: () => void) {
    // The ending differs between the sources and what is published.
    const program = new URL(`./hsm-child${extname(import.meta.url)}`, import.meta.url)
    this.#child = fork(program, [], {
      env: childEnvironment(process.env, ['SOFTHSM2_CONF']),
      execArgv: [],
      serialization: 'advanced',
      // Modules print what they like; standard output is ours.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    this.#child.on('message', (message) => {
      this.#receive(message as NumberedAnswer)
    })
    this.#exited = new Promise((resolve) => {
      const end = (how: string): void => {
        if (this.#gone !== undefined) return
        this.#gone = { type: 'exit', how }
        this.#settle({ ok: false, fault: this.#gone })
        onExit()
        resolve()
      }
      this.#child.once('exit', (code, signal) => {
        end(signal ?? `code ${code ?? 0}`)
      })
      this.#child.once('error', (error) => {
        end('code' in error ? String(error.code) : 'an error')
      })
    })
    this.#hold(false)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Asks and waits at most so long; a child that did not answer is killed. Never rejects. */
  ask(request: HsmRequest, timeoutMs: number): Promise<HsmAnswer> {
    invariant(this.#asked === undefined, 'HSM process was asked while it was busy')
    const gone = this.#gone
    if (gone !== undefined) return Promise.resolve({ ok: false, fault: gone })
    const id = ++this.#count
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#settle({ ok: false, fault: { type: 'hang', op: request.op, timeoutMs } })
        this.kill()
      }, timeoutMs)
      this.#asked = {
        id,
        settle: (answer) => {
          clearTimeout(timer)
          this.#hold(false)
          resolve(answer)
        },
      }
      this.#hold(true)
      const message: NumberedRequest = { id, request }
      // A child that just died is told by its exit.
      this.#child.send(message, () => undefined)
    })
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Lets it finalize its module, and kills it when that takes longer than `graceMs`. */
  async close(graceMs: number): Promise<void> {
    if (this.#gone !== undefined) return
    this.#hold(true)
    if (this.#child.connected) this.#child.disconnect()
    const timer = setTimeout(() => {
      this.kill()
    }, graceMs)
    await this.#exited
    clearTimeout(timer)
  }

  #receive({ answer, id }: NumberedAnswer): void {
    if (this.#asked?.id === id) this.#settle(answer)
  }

  #settle(answer: HsmAnswer): void {
    const asked = this.#asked
    this.#asked = undefined
    asked?.settle(answer)
  }

  #hold(alive: boolean): void {
    const { channel } = this.#child
    if (alive) {
      this.#child.ref()
      channel?.ref()
    } else {
      this.#child.unref()
      channel?.unref()
    }
  }
}

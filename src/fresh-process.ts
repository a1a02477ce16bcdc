// Proves that a slot opens without this process: a child that has seen nothing opens the data directory and the master key by one kind of provider
// alone, as a restart would. Secrets go to it over the channel, never in arguments or variables; back come only words.
import { fork, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { Failure, type FailureCode } from './base/failure.ts'
import { childEnvironment, type Environment } from './kek/child-environment.ts'
import type { KekKind } from './kek/kek.ts'
import {
  postKekSettings,
  wipePosted,
  type KekSettings,
  type PostedKekSettings,
} from './kek/kek-settings.ts'

/** What the child is to open. */
export interface CanaryTask {
  /** The data directory. */
  readonly data: string
  readonly tenant: string
  readonly kind: KekKind
  /** Id of the only slot to try, where not every one of the kind will do. */
  readonly slot: string | undefined
  /** The only master public key (1216 bytes) that is accepted, when one is demanded. */
  readonly masterPublic: Uint8Array | undefined
}

/** What goes to the child. */
export interface CanaryOrder extends CanaryTask {
  readonly kek: PostedKekSettings
}

/** What comes back. */
export type CanaryAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: FailureCode; readonly message: string }

/** Longest time for all of it. */
const watchdogMs = 20_000

/** The variables of the child: only where AWS KMS is asked does it get what its SDK reads. */
export const canaryEnvironment = (
  kind: KekKind,
  environment: Environment,
): Record<string, string | undefined> => ({
  ...childEnvironment(environment, ['SOFTHSM2_CONF']),
  ...Object.fromEntries(
    Object.entries(environment).filter(([name]) => kind === 'kms' && name.startsWith('AWS_')),
  ),
})

function start(kind: KekKind): ChildProcess {
  // The ending differs between the sources and what is published.
  const program = new URL(`./canary-child${extname(import.meta.url)}`, import.meta.url)
  return fork(program, [], {
    env: canaryEnvironment(kind, process.env),
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
}

const unavailable = (why: string): Failure =>
  new Failure('KEK_UNAVAILABLE', `Slot was not tried in a fresh process: ${why}`)

/**
 * Opens a master key in a process of its own, which is killed when it takes longer than 20 s or `closing` is aborted.
 * @throws {@link Failure} what the process met, KEK_UNAVAILABLE when it ended without a word
 */
export async function openInFreshProcess(
  task: CanaryTask,
  settings: KekSettings,
  closing: AbortSignal,
  timeoutMs = watchdogMs,
): Promise<void> {
  if (closing.aborted) throw unavailable('the service is closing')
  const kek = postKekSettings(task.kind, settings)
  const child = start(task.kind)
  const given = Promise.withResolvers<CanaryAnswer>()
  // It may be given up before it is waited for.
  given.promise.catch(() => undefined)
  const giveUp = (why: string): void => {
    given.reject(unavailable(why))
  }
  const close = (): void => {
    giveUp('the service is closing')
  }
  child.on('message', (answer) => {
    given.resolve(answer as CanaryAnswer)
  })
  child.on('exit', (code, signal) => {
    giveUp(`it ended without an answer (${signal ?? `code ${code ?? 0}`})`)
  })
  child.on('error', (error) => {
    giveUp(`it could not be started (${'code' in error ? String(error.code) : 'unknown'})`)
  })
  closing.addEventListener('abort', close)
  const timer = setTimeout(giveUp, timeoutMs, `no answer in ${timeoutMs} ms`)
  try {
    const order: CanaryOrder = { ...task, kek }
    // A child that could not be started is told by its own event.
    child.send(order, () => {
      wipePosted(kek)
    })
    const answer = await given.promise
    if (!answer.ok) throw new Failure(answer.code, answer.message)
  } finally {
    clearTimeout(timer)
    closing.removeEventListener('abort', close)
    wipePosted(kek)
    child.kill('SIGKILL')
  }
}

// The thread that owns the database and the keys while serving: canonicalises, signs, commits, pins. The thread that started it does HTTP.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { asFailure, invariant, type FailureCode } from './base/failure.ts'
import { hostService } from './decisions/service-host.ts'
import {
  foundService,
  openLocalService,
  type Founding,
  type ServiceSettings,
} from './open-service.ts'

/** What the thread is started with. */
export interface ThreadData {
  readonly settings: ServiceSettings
  /** Where calls come in. */
  readonly port: MessagePort
  /** Given when the data directory is to be made. */
  readonly founding: Founding | undefined
}

/** What the thread says besides its answers. */
export type ThreadMessage =
  | { readonly type: 'ready' }
  | {
      readonly type: 'failed'
      readonly code: FailureCode
      readonly message: string
      readonly stack: string | undefined
    }
  | {
      readonly type: 'event'
      readonly event: string
      readonly detail: Readonly<Record<string, string | number>>
    }

invariant(parentPort !== null, 'Service thread was started as a program')
const parent = parentPort
const say = (message: ThreadMessage): void => {
  parent.postMessage(message)
}

const { founding, port, settings } = workerData as ThreadData
const report = (event: string, detail: Readonly<Record<string, string | number>>): void => {
  say({ type: 'event', event, detail })
}

try {
  const service =
    founding === undefined
      ? await openLocalService(settings, report)
      : (await foundService(settings, founding, report)).service
  hostService(service, port)
  say({ type: 'ready' })
} catch (error) {
  const { cause, code, message } = asFailure(error)
  const stack = code === 'BUG' && cause instanceof Error ? cause.stack : undefined
  say({ type: 'failed', code, message, stack })
  port.close()
}

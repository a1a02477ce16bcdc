// A running server: the thread that owns the database and the keys, and the edges in front of it. The edges are loaded while the thread starts.
import { extname } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import { Failure } from './base/failure.ts'
import type { RunningServer, ServeFlags } from './cli/composition.ts'
import { loadConfig } from './config.ts'
import { connectService, type RemoteService } from './decisions/service-client.ts'
import { childEnvironment } from './kek/child-environment.ts'
import { isS3Url } from './log/s3-folder.ts'
import { isNew } from './data-directory.ts'
import type { Founding, ServiceSettings } from './open-service.ts'
import { openServerLog } from './server-log.ts'
import type { ThreadData, ThreadMessage } from './service-thread.ts'
import { readTls, reporter, settingsOf, type ProcessParts } from './settings.ts'

interface Thread {
  readonly service: RemoteService
  /** Resolves when the thread has ended by itself after close; rejects when it died. */
  readonly ended: Promise<void>
}

/** What the SDK of AWS reads: only a thread that asks KMS or S3 gets it, and no child process but the one that tries a slot of KMS. */
const awsVariables = (env: ProcessParts['env']): ProcessParts['env'] =>
  Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('AWS_')))

/** Starts the thread that owns the database and the keys; resolves when it can be asked. */
async function startThread(
  settings: ServiceSettings,
  founding: Founding | undefined,
  logger: Logger,
): Promise<Thread> {
  const { port1, port2 } = new MessageChannel()
  const workerData: ThreadData = { founding, port: port2, settings }
  // The ending differs between the sources and what is published.
  const worker = new Worker(
    new URL(`./service-thread${extname(import.meta.url)}`, import.meta.url),
    {
      // The thread gets its secrets by hand; the environment may still hold others.
      // What the HSM's module reads must go through the thread to its children.
      env: {
        ...childEnvironment(process.env, ['NODE_COMPILE_CACHE', 'SOFTHSM2_CONF']),
        ...(settings.kmsKeyId !== undefined || isS3Url(settings.pin ?? '')
          ? awsVariables(process.env)
          : {}),
      },
      transferList: [port2],
      workerData,
    },
  )
  settings.kekValue?.fill(0)
  settings.hsmPinValue?.fill(0)
  const service = connectService(port1)
  const ended = new Promise<void>((resolve, reject) => {
    const lose = (failure: Failure): void => {
      service.lose(failure)
      reject(failure)
    }
    worker.once('error', (cause: unknown) => {
      lose(new Failure('BUG', 'Service thread died', { cause }))
    })
    worker.once('exit', (code) => {
      if (code === 0) resolve()
      else lose(new Failure('BUG', `Service thread ended with code ${code}`))
    })
  })
  await Promise.race([
    new Promise<void>((resolve, reject) => {
      worker.on('message', (message: ThreadMessage) => {
        if (message.type === 'ready') resolve()
        else if (message.type === 'event') reporter(logger)(message.event, message.detail)
        else {
          const failure = new Failure(message.code, message.message)
          if (message.stack !== undefined) failure.stack = message.stack
          reject(failure)
        }
      })
    }),
    ended.then(() => {
      throw new Failure('BUG', 'Service thread ended before it was ready')
    }),
  ])
  return { ended, service }
}

/**
 * Serves an installation; a playground lays its own data directory, for its keys die with this process.
 * @throws {@link Failure} CONFIG_INVALID, STORE_*, KEK_*, OPEN_FAILED, KEY_STORE_REFUSED, LOG_ROLLBACK
 */
export async function serve(parts: ProcessParts, flags: ServeFlags): Promise<RunningServer> {
  const config = loadConfig({ ...parts, flags })
  const log = openServerLog(config.logLevel)
  const tls = readTls(config.serve.tls)
  const founding =
    config.dev && isNew(config.data)
      ? { origin: undefined, profile: 'each' as const, public: false }
      : undefined
  const settings = await settingsOf(config, parts.version)
  const loading = import('./edges.ts')
  // Whoever awaits it hears of it; until then it must only not go unheard.
  loading.catch(() => undefined)
  const { ended, service } = await startThread(settings, founding, log.logger)
  const closeService = async (): Promise<void> => {
    await service.close()
    await ended
  }
  const open = async () => {
    const { makeFirstToken, openEdges } = await loading
    // Before the edges, which would stay open where it fails.
    const devToken = founding === undefined ? null : await makeFirstToken(service)
    const { logger } = log
    return {
      devToken,
      edges: await openEdges(config, { logger, service, tls, version: parts.version }),
    }
  }
  const { devToken, edges } = await open().catch(async (error: unknown) => {
    await closeService()
    throw error
  })
  return {
    devToken,
    ended,
    url: edges.url,
    async close() {
      await edges.close()
      await closeService()
      log.close()
    },
  }
}

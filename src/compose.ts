// The composition root: settings → adapters → service → edges. The command line sees only what cli/composition.ts says.
// Long because every command ends here once; what has more than a few lines to do stands in a file of its own beside it.
import { existsSync, readFileSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import { pino, type Logger } from 'pino'
import { createApp } from './api/app.ts'
import { listen } from './api/server.ts'
import { asFailure, Failure } from './base/failure.ts'
import { localCaller } from './cli/principal.ts'
import type {
  Composition,
  GlobalFlags,
  Initialised,
  InitFlags,
  ReadingService,
  Recovered,
  Restored,
  RunningServer,
  RunningWitness,
  ServeFlags,
  WitnessFlags,
} from './cli/composition.ts'
import { checkLogs, rebuildLogs } from './check-logs.ts'
import { backUp } from './back-up.ts'
import { makeBreakGlass, recover } from './break-glass.ts'
import { configSchema, describeConfig, loadConfig, type Config } from './config.ts'
import { connectService, type RemoteService } from './decisions/service-client.ts'
import { Reading } from './decisions/reading.ts'
import { connectControl } from './control-client.ts'
import { listenControl, type ControlSocket } from './control-server.ts'
import type { Service } from './decisions/service.ts'
import { readWitnessPolicy } from './decisions/witnessing.ts'
import { fingerprint } from './dossier/trust-root.ts'
import type { Secret } from './crypto/secret.ts'
import { childEnvironment } from './kek/child-environment.ts'
import { getKekProvider, makeHsmKey } from './kek/choose.ts'
import { KekShelf } from './kek/kek-shelf.ts'
import { wipeSecrets } from './kek/kek-settings.ts'
import { askProviders, readStoredSlots } from './key-health.ts'
import { isS3Url } from './log/s3-folder.ts'
import { offerKey } from './offer-key.ts'
import {
  firstTenant,
  foundService,
  hsmFields,
  isNew,
  makeKekFile,
  openLocalService,
  openPins,
  wantsKekFile,
  type Founding,
  type ServiceSettings,
} from './open-service.ts'
import { publishFrom } from './publish-log.ts'
import { repin } from './repin.ts'
import { restore } from './restore.ts'
import type { ThreadData, ThreadMessage } from './service-thread.ts'
import { lineOptions, openServerLog } from './server-log.ts'
import { archiveName } from './store/sqlite-database.ts'
import { openSqliteStore } from './store/sqlite.ts'
import { scopes } from './wire/decision.ts'
import { WebhookSender } from './webhook-sender.ts'
import { serveWitnessOf } from './witness-server.ts'
import type { KekHealth } from './wire/keys.ts'

/** What the composition root takes from the process. */
export interface ProcessParts {
  /** Secrets are taken out of it. */
  readonly env: Record<string, string | undefined>
  readonly cwd: string
  readonly version: string
}

/** The bytes of a secret, which can be posted to a thread; the secret is wiped. */
function takeBytes(secret: Secret | undefined): Uint8Array | undefined {
  const bytes = secret?.use((lent) => lent.slice())
  secret?.wipe()
  return bytes
}

function settingsOf(config: Config, version: string): ServiceSettings {
  const { data, dev, kek, kekSettings, keys, masterPublic, maxOutageHours, pin } = config
  const { hsmPin, kek: secret, kekFile, kmsKeyId } = kekSettings
  return {
    ...hsmFields(kekSettings),
    data,
    dev,
    hsmPinValue: takeBytes(hsmPin),
    kek,
    kekFile,
    kekValue: takeBytes(secret),
    keys,
    kmsKeyId,
    dualControl: config.dualControl,
    masterPublic,
    maxOutageHours,
    overridesPerDay: config.overridesPerDay,
    pin,
    version,
    witnessPolicy:
      config.witnessPolicy === undefined ? undefined : readPolicy(config.witnessPolicy),
  }
}

/** The text of a witness policy that can be used. @throws {@link Failure} CONFIG_INVALID */
function readPolicy(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Failure('CONFIG_INVALID', `Witness policy cannot be read: ${path}`, { cause })
  }
  readWitnessPolicy(text)
  return text
}

const createLogger = (level: Config['logLevel']): Logger =>
  pino(lineOptions(level), pino.destination(2))

/** Events that tell of trouble which is over. */
const mended = ['log.reopened', 'kek.healthy', 'witness.recovered']

const reporter =
  (logger: Logger) =>
  (event: string, detail: Readonly<Record<string, string | number>>): void => {
    logger[mended.includes(event) ? 'warn' : 'error'](detail, event)
  }

async function init(parts: ProcessParts, flags: InitFlags): Promise<Initialised> {
  const config = loadConfig({ ...parts, flags })
  if (config.kek === 'memory' || config.kek === 'in_memory')
    throw new Failure(
      'CONFIG_INVALID',
      'Memory keys die with this process: use countersign serve --dev',
    )
  const settings = settingsOf(config, parts.version)
  const kekFile = wantsKekFile(settings) ? makeKekFile(settings.keys) : null
  const founding: Founding = {
    origin: flags.origin,
    profile: flags.profile ?? 'each',
    public: flags.public ?? false,
  }
  const usable = kekFile === null ? settings : { ...settings, kekFile }
  const { origin, provider, service, trustRootFile } = await foundService(
    usable,
    founding,
    reporter(createLogger(config.logLevel)),
  )
  await service.close()
  return {
    data: config.data,
    instance: service.instance.id,
    kekFile,
    keys: config.keys,
    origin,
    provider,
    tenant: firstTenant,
    trustRootFile,
    trustRootSha256: fingerprint(readFileSync(trustRootFile)),
  }
}

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

const readTls = (tls: Config['serve']['tls']): { cert: string; key: string } | undefined => {
  if (tls === undefined) return undefined
  try {
    return { cert: readFileSync(tls.cert, 'utf8'), key: readFileSync(tls.key, 'utf8') }
  } catch (cause) {
    throw new Failure('CONFIG_INVALID', `TLS files cannot be read: ${tls.cert}, ${tls.key}`, {
      cause,
    })
  }
}

/** The control socket; a server without one serves all the same. */
async function openControl(
  data: string,
  service: Service,
  logger: Logger,
): Promise<ControlSocket | undefined> {
  try {
    return await listenControl(data, service)
  } catch (error) {
    const { message } = asFailure(error)
    logger.warn({ reason: message }, 'control.unavailable')
    return undefined
  }
}

async function serve(parts: ProcessParts, flags: ServeFlags): Promise<RunningServer> {
  const config = loadConfig({ ...parts, flags })
  const log = openServerLog(config.logLevel)
  const { logger } = log
  const tls = readTls(config.serve.tls)
  // A playground lays its own data directory, for its keys die with this process.
  const founding =
    config.dev && isNew(config.data)
      ? { origin: undefined, profile: 'each' as const, public: false }
      : undefined
  const { ended, service } = await startThread(settingsOf(config, parts.version), founding, logger)
  const { host, maxBodyBytes, port, requestTimeoutMs } = config.serve
  const app = createApp({
    clock: Date.now,
    logger,
    maxBodyBytes,
    requestTimeoutMs,
    service,
    version: parts.version,
  })
  const sender = new WebhookSender(service, {
    allowPrivate: config.webhooksAllowPrivate,
    version: parts.version,
  })
  // Bound before anything else goes on in this process, whose umask it needs for a moment.
  const control = await openControl(config.data, service, logger)
  const closeService = async (): Promise<void> => {
    await sender.close()
    await service.close()
    await ended
  }
  const server = await listen(app, {
    host,
    port,
    requestTimeoutMs,
    ...(tls === undefined ? {} : { tls }),
  }).catch(async (error: unknown) => {
    await control?.close()
    await closeService()
    throw error
  })
  const devToken =
    founding === undefined
      ? null
      : (await service.createApiKey(firstTenant, 'dev', [...scopes], localCaller())).token
  return {
    devToken,
    ended,
    url: server.url,
    async close() {
      // Who is held is answered before connections are cut.
      const sentHome = service.endWaits().catch(() => undefined)
      await Promise.all([server.close(), control?.close(), sentHome])
      await closeService()
      log.close()
    },
  }
}

function serveWitness(parts: ProcessParts, flags: WitnessFlags): Promise<RunningWitness> {
  const { host, port = 8788, state, tlsCert, tlsKey } = flags
  const {
    logLevel,
    serve: { tls },
  } = loadPublicConfig(parts, {
    ...(tlsCert === undefined ? {} : { tlsCert }),
    ...(tlsKey === undefined ? {} : { tlsKey }),
  })
  const pem = tlsCert === undefined ? undefined : readTls(tls)
  return serveWitnessOf(resolve(parts.cwd, state), createLogger(logLevel), {
    port,
    ...(host === undefined ? {} : { host }),
    ...(pem === undefined ? {} : { tls: pem }),
  })
}

/** The configuration without secrets, which stay where they are for whoever asks next. */
function loadPublicConfig(parts: ProcessParts, flags: ServeFlags): Config {
  const config = loadConfig({ ...parts, env: { ...parts.env }, flags })
  wipeSecrets(config.kekSettings)
  return config
}

/** What a running server may make up for: it holds the lock, and it has the keys. */
const mayBeServed = (error: unknown): boolean =>
  error instanceof Failure && ['STORE_LOCKED', 'CONFIG_INVALID'].includes(error.code)

async function openService(parts: ProcessParts, flags: GlobalFlags): Promise<Service> {
  const config = loadConfig({ ...parts, flags })
  try {
    return await openLocalService(
      settingsOf(config, parts.version),
      reporter(createLogger(config.logLevel)),
    )
  } catch (error) {
    const server = mayBeServed(error) ? await connectControl(config.data) : undefined
    if (server === undefined) throw error
    return server
  }
}

function settingsAndReport(
  parts: ProcessParts,
  flags: GlobalFlags,
): [ServiceSettings, ReturnType<typeof reporter>] {
  const config = loadConfig({ ...parts, flags })
  return [settingsOf(config, parts.version), reporter(createLogger(config.logLevel))]
}

async function restoreBackup(
  parts: ProcessParts,
  ...[flags, request]: Parameters<Composition['restore']>
): Promise<Restored> {
  const [settings, report] = settingsAndReport(parts, flags)
  const { cwd } = parts
  const backup = resolve(cwd, request.backup)
  try {
    return await restore({ ...request, backup, cwd, report, settings })
  } finally {
    settings.kekValue?.fill(0)
    settings.hsmPinValue?.fill(0)
  }
}

async function recoverInstallation(
  parts: ProcessParts,
  ...[flags, passphrase, dropOthers, tell]: Parameters<Composition['recover']>
): Promise<Recovered> {
  try {
    const [settings, report] = settingsAndReport(parts, flags)
    return await recover(settings, { dropOthers, passphrase, report, tell })
  } finally {
    passphrase.wipe()
  }
}

async function keyHealth(
  parts: ProcessParts,
  flags: GlobalFlags,
  tenant: string,
): Promise<readonly KekHealth[]> {
  const slots = await readStoredSlots(loadPublicConfig(parts, flags).data, tenant)
  const { dev, kek, kekSettings } = loadConfig({ ...parts, flags })
  return askProviders(kek, kekSettings, dev, slots)
}

async function* checkLogsOf(
  parts: ProcessParts,
  ...[flags, request]: Parameters<Composition['checkLogs']>
): ReturnType<Composition['checkLogs']> {
  if (!request.unseal) {
    yield* checkLogs(loadPublicConfig(parts, flags), [], request)
    return
  }
  const config = loadConfig({ ...parts, flags })
  const shelf = new KekShelf(config.kekSettings, { dataIsNew: false, dev: config.dev })
  try {
    yield* checkLogs(config, getKekProvider(config.kek, shelf), request)
  } finally {
    await shelf.close()
  }
}

/** The composition root of a process. */
export const createComposition = (parts: ProcessParts): Composition => ({
  version: parts.version,
  init: (flags) => init(parts, flags),
  openService: (flags) => openService(parts, flags),
  connectServer: (flags) => connectControl(loadPublicConfig(parts, flags).data),
  async openReading(flags: GlobalFlags): Promise<ReadingService> {
    const config = loadPublicConfig(parts, flags)
    const store = await openSqliteStore({ mode: 'read', path: config.data })
    return new Reading(
      () => store,
      async (tenant) => {
        const instance = await store.readInstance()
        // An archive is behind its pin, and says so itself.
        const isArchive = existsSync(join(config.data, archiveName))
        if (instance === undefined || isArchive) return undefined
        const pins = openPins(config, instance.id)
        try {
          return await pins.read(tenant)
        } finally {
          await pins.close()
        }
      },
    )
  },
  keyHealth: (flags, tenant) => keyHealth(parts, flags, tenant),
  serve: (flags) => serve(parts, flags),
  checkLogs: (flags, request) => checkLogsOf(parts, flags, request),
  rebuildLogs: (flags, request) => rebuildLogs(loadPublicConfig(parts, flags), request),
  async backUp(flags, request) {
    const { data } = loadPublicConfig(parts, flags)
    const to = resolve(parts.cwd, request.to)
    return backUp({ ...request, clock: Date.now, data, to, version: parts.version })
  },
  restore: (flags, request) => restoreBackup(parts, flags, request),
  async repin(flags, statements) {
    return repin(...settingsAndReport(parts, flags), statements)
  },
  async publishLog(flags, request) {
    return publishFrom(loadPublicConfig(parts, flags), parts.cwd, request)
  },
  serveWitness: async (flags) => serveWitness(parts, flags),
  makeBreakGlass: async (flags) => makeBreakGlass(...settingsAndReport(parts, flags)),
  recover: (...given) => recoverInstallation(parts, ...given),
  async offerKey(flags, tenant, purpose) {
    const { data, keys, masterPublic } = loadPublicConfig(parts, flags)
    return offerKey({ data, keys, masterPublic, purpose, tenant })
  },
  makeHsmKey: (flags, by) => makeHsmKey(loadConfig({ ...parts, flags }).kekSettings, by),
  describeConfig: (flags) => Promise.resolve(describeConfig(loadConfig({ ...parts, flags }))),
  configSchema,
})

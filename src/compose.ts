// The composition root: settings → adapters → service → edges. The command line sees only what cli/composition.ts says. What a command does is loaded
// when it is asked for: loading all of it would take longer than most commands do.
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Failure } from './base/failure.ts'
import type {
  Composition,
  GlobalFlags,
  Initialised,
  InitFlags,
  ReadingService,
  Recovered,
  Restored,
  RunningWitness,
  WitnessFlags,
} from './cli/composition.ts'
import { configSchema, describeConfig, loadConfig } from './config.ts'
import { firstTenant } from './data-directory.ts'
import type { Service } from './decisions/service.ts'
import {
  createLogger,
  expectFiles,
  loadPublicConfig,
  readTls,
  reporter,
  settingsAndReport,
  settingsOf,
  type ProcessParts,
} from './settings.ts'
import type { KekHealth } from './wire/keys.ts'

async function init(parts: ProcessParts, flags: InitFlags): Promise<Initialised> {
  const config = loadConfig({ ...parts, flags })
  if (config.kek === 'memory' || config.kek === 'in_memory')
    throw new Failure(
      'CONFIG_INVALID',
      'Memory keys die with this process: use countersign serve --dev',
    )
  const { expectOrigin } = await import('./decisions/local-service.ts')
  // Before anything is made.
  expectOrigin(flags.origin)
  const { foundWithKekFile } = await import('./open-service.ts')
  const { fingerprint } = await import('./dossier/trust-root.ts')
  const settings = await settingsOf(config, parts.version)
  const founding = {
    origin: flags.origin,
    profile: flags.profile ?? ('each' as const),
    public: flags.public ?? false,
  }
  const { kekFile, origin, provider, service, trustRootFile } = await foundWithKekFile(
    settings,
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

/** The service of the server that runs on a data directory, if one answers. */
async function connect(data: string): Promise<Service | undefined> {
  const { connectControl } = await import('./control-client.ts')
  return connectControl(data)
}

async function serveWitness(parts: ProcessParts, flags: WitnessFlags): Promise<RunningWitness> {
  const { serveWitnessOf } = await import('./witness-server.ts')
  const { host, port = 8788, state, tlsCert, tlsKey } = flags
  const {
    logLevel,
    serve: { maxConnections, tls },
  } = loadPublicConfig(parts, {
    ...(tlsCert === undefined ? {} : { tlsCert }),
    ...(tlsKey === undefined ? {} : { tlsKey }),
  })
  const pem = tlsCert === undefined ? undefined : readTls(tls)
  return serveWitnessOf(resolve(parts.cwd, state), createLogger(logLevel), {
    maxConnections,
    port,
    ...(host === undefined ? {} : { host }),
    ...(pem === undefined ? {} : { tls: pem }),
  })
}

/** What a running server may make up for: it holds the lock, and it has the keys. */
const mayBeServed = (error: unknown): boolean =>
  error instanceof Failure && ['STORE_LOCKED', 'CONFIG_INVALID'].includes(error.code)

async function openService(parts: ProcessParts, flags: GlobalFlags): Promise<Service> {
  const config = loadConfig({ ...parts, flags })
  const { openLocalService } = await import('./open-service.ts')
  try {
    return await openLocalService(
      await settingsOf(config, parts.version),
      reporter(createLogger(config.logLevel)),
    )
  } catch (error) {
    const server = mayBeServed(error) ? await connect(config.data) : undefined
    if (server === undefined) throw error
    return server
  }
}

async function openReading(parts: ProcessParts, flags: GlobalFlags): Promise<ReadingService> {
  const { Reading } = await import('./decisions/reading.ts')
  const { openSqliteStore } = await import('./store/sqlite.ts')
  const { archiveName } = await import('./store/sqlite-database.ts')
  const { openPins } = await import('./open-service.ts')
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
}

async function restoreBackup(
  parts: ProcessParts,
  ...[flags, request]: Parameters<Composition['restore']>
): Promise<Restored> {
  const { restore } = await import('./restore.ts')
  const [settings, report] = await settingsAndReport(parts, flags)
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
    const { recover } = await import('./break-glass.ts')
    const [settings, report] = await settingsAndReport(parts, flags)
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
  const { askProviders, readStoredSlots } = await import('./key-health.ts')
  const slots = await readStoredSlots(loadPublicConfig(parts, flags).data, tenant)
  const { dev, kek, kekSettings } = loadConfig({ ...parts, flags })
  return askProviders(kek, kekSettings, dev, slots)
}

async function* checkLogsOf(
  parts: ProcessParts,
  ...[flags, request]: Parameters<Composition['checkLogs']>
): ReturnType<Composition['checkLogs']> {
  const { checkLogs } = await import('./check-logs.ts')
  if (!request.unseal) {
    yield* checkLogs(loadPublicConfig(parts, flags), [], request)
    return
  }
  const config = loadConfig({ ...parts, flags })
  const { getKekProvider } = await import('./kek/choose.ts')
  const { KekShelf } = await import('./kek/kek-shelf.ts')
  const shelf = new KekShelf(config.kekSettings, {
    dataIsNew: false,
    dev: config.dev,
    keys: config.keys,
  })
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
  connectServer: async (flags) => connect(loadPublicConfig(parts, flags).data),
  openReading: (flags) => openReading(parts, flags),
  keyHealth: (flags, tenant) => keyHealth(parts, flags, tenant),
  async serve(flags) {
    const { serve } = await import('./serve.ts')
    return serve(parts, flags)
  },
  checkLogs: (flags, request) => checkLogsOf(parts, flags, request),
  async *rebuildLogs(flags, request) {
    const { rebuildLogs } = await import('./check-logs.ts')
    yield* rebuildLogs(loadPublicConfig(parts, flags), request)
  },
  async backUp(flags, request) {
    const { backUp } = await import('./back-up.ts')
    const { data } = loadPublicConfig(parts, flags)
    const to = resolve(parts.cwd, request.to)
    return backUp({ ...request, clock: Date.now, data, to, version: parts.version })
  },
  restore: (flags, request) => restoreBackup(parts, flags, request),
  async repin(flags, statements) {
    const { repin } = await import('./repin.ts')
    return repin(...(await settingsAndReport(parts, flags)), statements)
  },
  async publishLog(flags, request) {
    const { publishFrom } = await import('./publish-log.ts')
    return publishFrom(loadPublicConfig(parts, flags), parts.cwd, request)
  },
  serveWitness: (flags) => serveWitness(parts, flags),
  async makeBreakGlass(flags) {
    const { makeBreakGlass } = await import('./break-glass.ts')
    return makeBreakGlass(...(await settingsAndReport(parts, flags)))
  },
  recover: (...given) => recoverInstallation(parts, ...given),
  async offerKey(flags, tenant, purpose) {
    const { offerKey } = await import('./offer-key.ts')
    const { data, keys, masterPublic } = loadPublicConfig(parts, flags)
    return offerKey({ data, keys, masterPublic, purpose, tenant })
  },
  async makeHsmKey(flags, by) {
    const { makeHsmKey } = await import('./kek/choose.ts')
    return makeHsmKey(loadConfig({ ...parts, flags }).kekSettings, by)
  },
  async describeConfig(flags) {
    const config = loadConfig({ ...parts, flags })
    await expectFiles(config)
    return describeConfig(config)
  },
  configSchema,
})

import { mkdtempSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { randomBytes } from '../../src/crypto/hash.ts'
import { Secret } from '../../src/crypto/secret.ts'
import {
  createInstance,
  LocalService,
  type ServiceParts,
} from '../../src/decisions/local-service.ts'
import type { Principal } from '../../src/decisions/service.ts'
import type { Profile } from '../../src/dossier/kinds.ts'
import type { Caller } from '../../src/dossier/matters.ts'
import { encodeBase64Url } from '../../src/base/base64.ts'
import { utf8 } from '../../src/base/bytes.ts'
import { createEnvironmentKek } from '../../src/kek/environment.ts'
import { Failure } from '../../src/base/failure.ts'
import type { KekProvider } from '../../src/kek/kek.ts'
import { PinFile, type PinStore } from '../../src/log/pin.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { holdDirectory } from '../../src/store/sqlite-lock.ts'
import type { Store } from '../../src/store/store.ts'
import { scopes, type Notarised } from '../../src/wire/decision.ts'

/** Who founds and administers in tests. */
export const founder: Caller = { type: 'local', id: 'cli', owner: 'founder' }

/** A principal of a tenant with every scope. */
export const principalOf = (profile: Profile, owner = 'alice', tenant = 'default'): Principal => ({
  tenant,
  profile,
  caller: { type: 'apiKey', id: `key-of-${owner}`, owner },
  scopes: [...scopes],
})

/** A decision request that differs by its number. */
export const requestOf = (n: number, change: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    intent: { actor: { id: `agent-${n % 3}` }, action: { type: 'transfer', amount: n } },
    status: 'ALLOW',
    reasons: [{ code: 'WITHIN_LIMIT' }],
    ...change,
  })

/** A directory that is gone after the test. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'countersign-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** What a test may change of a service. */
export interface ServiceOptions {
  readonly profile?: Profile
  readonly clock?: () => number
  /** Puts a fault between the service and its store. */
  readonly wrapStore?: (store: Store) => Store
  /** Puts a fault between the service and its pins. */
  readonly wrapPin?: (pin: PinStore) => PinStore
  readonly kek?: string
  readonly directory?: string
  /** The providers to open by, in place of the environment's. */
  readonly providers?: readonly KekProvider[]
  /** Providers that are described, though slots are not opened by them. */
  readonly others?: readonly KekProvider[]
  readonly openInFreshProcess?: ServiceParts['openInFreshProcess']
  /** Whether the log comes under dual control with its first roster; it does not unless told. */
  readonly dualControl?: 'all' | 'none'
  readonly masterPublic?: Uint8Array
  /** In a hook, where nothing closes it when a test ends. */
  readonly closeYourself?: true
  /** Sealed records by tenant and hex SHA-256. */
  readonly offers?: ReadonlyMap<string, Uint8Array>
  readonly keepRooms?: number
  readonly decideGateway?: ServiceParts['decideGateway']
  readonly mostWaits?: number
  readonly witnessPolicy?: string | undefined
  readonly witnessEveryMs?: number
  readonly overridesPerDay?: number
  /** Where the database lies when not in `directory`. */
  readonly dataDirectory?: string
}

/** A service on a directory of its own, with what is needed to open it again. */
export interface TestService {
  readonly service: LocalService
  readonly directory: string
  readonly events: readonly string[]
  readonly profile: Profile
  readonly principal: Principal
  /** Closes the service and opens another on the same directory. */
  reopen(change?: ServiceOptions): Promise<TestService>
  notarise(text: string, key?: string, principal?: Principal): Promise<Notarised>
}

/** Opens the service on a directory that was founded before. */
export async function openTestService(
  options: Required<Pick<ServiceOptions, 'kek' | 'directory'>> & ServiceOptions,
): Promise<TestService> {
  const {
    directory,
    kek,
    profile = 'checkpoint',
    clock = Date.now,
    wrapStore = (store: Store): Store => store,
  } = options
  const events: string[] = []
  const provider = createEnvironmentKek(new Secret(utf8(kek)))
  const parts: ServiceParts = {
    clock,
    closeProviders: () => provider.close(),
    findOffer: (_, tenant, sha256) => Promise.resolve(options.offers?.get(`${tenant} ${sha256}`)),
    maxOutageMs: 3_600_000,
    dualControl: options.dualControl ?? 'none',
    ...(options.masterPublic === undefined ? {} : { masterPublic: options.masterPublic }),
    openInFreshProcess: options.openInFreshProcess ?? (() => Promise.resolve()),
    openProvider: (kind) => {
      const other = options.others?.find(({ metadata }) => metadata.kind === kind)
      if (other === undefined) throw new Failure('CONFIG_INVALID', `Not configured: ${kind}`)
      return other
    },
    keepRooms: options.keepRooms ?? 32,
    holdPins: () => holdDirectory(join(directory, 'keys')),
    listPins: () =>
      Promise.resolve(
        readdirSync(join(directory, 'keys')).flatMap((name) =>
          name.endsWith('.pin') ? [name.slice(0, -4)] : [],
        ),
      ),
    openPin: (_, tenant) =>
      (options.wrapPin ?? ((pin) => pin))(new PinFile(join(directory, 'keys', `${tenant}.pin`))),
    openStore: async () =>
      wrapStore(
        await openSqliteStore({
          create: true,
          mode: 'write',
          path: options.dataDirectory ?? join(directory, 'data'),
        }),
      ),
    providers: options.providers ?? [provider],
    report: (event) => {
      events.push(event)
    },
    version: '0.0.0-test',
    ...(options.decideGateway === undefined ? {} : { decideGateway: options.decideGateway }),
    ...(options.mostWaits === undefined ? {} : { mostWaits: options.mostWaits }),
    ...(options.witnessPolicy === undefined ? {} : { witnessPolicy: options.witnessPolicy }),
    ...(options.overridesPerDay === undefined ? {} : { overridesPerDay: options.overridesPerDay }),
    ...(options.witnessEveryMs === undefined ? {} : { witnessEveryMs: options.witnessEveryMs }),
  }
  const service = await LocalService.open(parts)
  if (options.closeYourself !== true) onTestFinished(() => service.close())
  const principal = principalOf(profile)
  return {
    service,
    directory,
    events,
    profile,
    principal,
    async reopen(change = {}) {
      await service.close()
      return openTestService({ ...options, directory, ...change, kek: change.kek ?? kek })
    },
    async notarise(text, key, as = principal) {
      return JSON.parse(await service.notarise(as, text, key ?? null)) as Notarised
    },
  }
}

/** Founds an instance with its tenant `default` and opens it. */
export async function foundTestService(options: ServiceOptions = {}): Promise<TestService> {
  const { profile = 'checkpoint', clock = Date.now } = options
  const directory = options.directory ?? temporaryDirectory()
  const kek = options.kek ?? encodeBase64Url(randomBytes(32))
  const store = await openSqliteStore({
    create: true,
    mode: 'write',
    path: join(directory, 'data'),
  })
  await createInstance(store, { clock, dev: false, origin: 'log.example' })
  await store.close()
  const opened = await openTestService({ ...options, directory, kek, profile })
  await opened.service.createTenant('default', { profile, public: false }, founder)
  return opened
}

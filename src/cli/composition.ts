// What the command line needs from the composition root: it hands over flags and gets services, and never sees an adapter.
// Long because it is the one list of all that commands can ask for: a port, and nothing that runs.
import type { FsckReport } from '../decisions/fsck.ts'
import type { FailureCode } from '../base/failure.ts'
import type { PeriodRequest } from '../decisions/period-plan.ts'
import type { PeriodState, PeriodStep } from '../decisions/period-state.ts'
import type { Service } from '../decisions/service.ts'
import type { PeriodHead } from '../dossier/period.ts'
import type { Secret } from '../crypto/secret.ts'
import type { Vkey } from '../merkle/note.ts'
import type { KekHealth, MasterView, SlotView } from '../wire/keys.ts'

/** Flags that every command takes; what is undefined comes from the environment, the configuration file or a default, in falling order. */
export interface GlobalFlags {
  readonly config?: string
  readonly data?: string
  readonly keys?: string
  readonly pin?: string
  readonly kek?: string
  readonly dev?: boolean
}

/** Flags of `serve`. */
export interface ServeFlags extends GlobalFlags {
  readonly host?: string
  readonly port?: number
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly witnessPolicy?: string
  readonly webhooksAllowPrivate?: boolean
}

/** What `init` is told. */
export interface InitFlags extends GlobalFlags {
  /** Prefix of every log's origin: a schema-less URL. */
  readonly origin?: string
  readonly profile?: 'each' | 'checkpoint'
  readonly public?: boolean
  readonly witnessPolicy?: string
}

/** What `init` made. */
export interface Initialised {
  readonly instance: string
  readonly data: string
  readonly keys: string
  readonly provider: string
  /** Path of a KEK file that was made because none was configured. */
  readonly kekFile: string | null
  readonly tenant: string
  readonly origin: string
  /** Where the first trust root was written. */
  readonly trustRootFile: string
  readonly trustRootSha256: string
}

/** What can be asked without being the writer, also while a server runs. */
export type ReadingService = Pick<
  Service,
  | 'readDecision'
  | 'listDecisions'
  | 'exportDossier'
  | 'readTrustRoot'
  | 'exportTrustProof'
  | 'readCheckpoint'
  | 'readTile'
  | 'listTenants'
  | 'listApiKeys'
  | 'listKeys'
  | 'proveInclusion'
  | 'proveConsistency'
  | 'exportTlogProof'
  | 'close'
> & {
  listSlots(tenant: string): Promise<readonly SlotView[]>
  /** The head of the period file that a request asks for. @throws INPUT_NOT_FOUND, INPUT_INVALID, STORE_CORRUPT */
  planPeriod(tenant: string, request: PeriodRequest): Promise<PeriodHead>
  /** Its lines behind the head, in steps; goes on from where another process stopped. */
  exportPeriod(head: PeriodHead, state: PeriodState): AsyncIterable<PeriodStep>

  readMaster(tenant: string): Promise<MasterView>
}

/** A key-encryption key that was made on an HSM. */
interface MadeKek {
  readonly tokenLabel: string
  readonly keyLabel: string
  readonly kekId: string
  readonly mechanism: string
  readonly hardware: boolean
}

/** A passphrase that opens every master key; whoever gets it wipes it. */
export interface BreakGlass {
  /** 35 bytes of ASCII, as people write it down. */
  readonly passphrase: Secret
  /** The tenants whose master key it opens. */
  readonly tenants: readonly string[]
}

/** A tenant whose master key got new slots. */
export interface RecoveredTenant {
  readonly tenant: string
  /** The kinds of provider that open it now, besides the passphrase. */
  readonly providers: readonly string[]
  /** The entry that says so. */
  readonly index: number
}

/** A tenant that the passphrase did not open. */
export interface UnrecoveredTenant {
  readonly tenant: string
  readonly code: FailureCode
  readonly why: string
}

/** What recovering came to. */
export interface Recovered {
  /** The tenants that are as they were. */
  readonly left: readonly UnrecoveredTenant[]
  readonly providers: readonly string[]
  /** Path of a KEK file that was made because no provider was configured. */
  readonly kekFile: string | null
}

/** A key that was made while the master key was sealed. */
export interface KeyOffer {
  readonly tenant: string
  readonly purpose: 'evidence' | 'fast' | 'log'
  readonly version: number
  readonly keyId: string
  /** Hex SHA-256 of its sealed record. */
  readonly sha256: string
  /** Where the record was written. */
  readonly file: string
}

/** Which logs are worked on, and who is told how far it is. */
export interface LogsRequest {
  /** One tenant; all where it is left out. */
  readonly tenant?: string
  readonly signal: AbortSignal
  readonly progress: (tenant: string, part: string, done: number, total: number) => void
}

/** What a check of logs looks at. */
export interface CheckRequest extends LogsRequest {
  /** Whether signatures of entries are verified. */
  readonly signatures: boolean
  /** Whether the key store is unsealed by the providers configured, so that its manifest is known to be genuine. */
  readonly unseal: boolean
  /** A trust root from elsewhere; the database's own otherwise. */
  readonly trustFile?: Uint8Array
}

/** What became of the tiles of a log. */
export interface RebuiltLog {
  readonly tenant: string
  readonly size: number
  /** Tiles that were missing or wrong. */
  readonly written: number
  /** Tiles that belong to no tree of this size. */
  readonly removed: number
}

/** A backup that is to be made. */
export interface BackupRequest {
  /** A directory that does not exist yet. */
  readonly to: string
  readonly signal: AbortSignal
  readonly progress: (what: string, done: number, total: number) => void
}

/** A log in a backup. */
export interface BackedUpSize {
  readonly tenant: string
  readonly origin: string
  readonly size: number
}

/** A backup that was made. */
export interface BackedUp {
  /** Absolute. */
  readonly to: string
  readonly bytes: number
  /** Hex, of the database in it. */
  readonly sha256: string
  /** ms since 1970. */
  readonly createdAt: number
  readonly logs: readonly BackedUpSize[]
}

/** A backup that is to be restored. */
export interface RestoreRequest {
  readonly backup: string
  /** Where the logs are published: directories, `s3://bucket/prefix`, URLs. */
  readonly published: readonly string[]
  /** URLs of witnesses. */
  readonly witnesses: readonly string[]
  /** Whether it is only to be read, whatever is known of its logs. */
  readonly archive: boolean
  /** Prefix of the origins of a new installation that goes on in its place. */
  readonly newOrigin: string | undefined
  /** Whether nothing is to be restored. */
  readonly checkOnly: boolean
  /** Whether the signatures of entries are verified. */
  readonly signatures: boolean
  readonly signal: AbortSignal
  readonly progress: (what: string, done: number, total: number) => void
}

/** A backup that was restored, or checked. */
export interface Restored {
  readonly data: string
  readonly instance: string
  /** When it was backed up, ms since 1970. */
  readonly createdAt: number
  /** `known`: whether anything was known of the log elsewhere, by which it could be called the newest. */
  readonly logs: readonly (BackedUpSize & { readonly known: boolean })[]
  /** What is known of the logs that the backup does not hold, a sentence each. */
  readonly objections: readonly string[]
  /** Where the old logs can be read and not written, when that was asked for. */
  readonly archive: string | null
  /** The installation that goes on. */
  readonly successor: {
    readonly instance: string
    readonly provider: string
    readonly logs: readonly { readonly tenant: string; readonly origin: string }[]
    /** Path of a KEK file that was made because none was configured. */
    readonly kekFile: string | null
  } | null
}

/** A file that states a tree head: a signed checkpoint, a dossier with one, or a pin. */
export interface HeadStatement {
  readonly name: string
  readonly bytes: Uint8Array
}

/** A log that was pinned again. */
export interface Repinned {
  readonly tenant: string
  readonly origin: string
  /** Tree size that was stated. */
  readonly stated: number
  /** Tree size that is pinned now. */
  readonly size: number
  /** The entry that tells of it. */
  readonly index: number
}

/** A log that is to be published. */
export interface PublishRequest {
  readonly tenant: string
  /** A directory, or `s3://bucket/prefix`. */
  readonly to: string
  readonly signal: AbortSignal
  readonly progress: (done: number, total: number) => void
}

/** A log that was published. */
export interface PublishedLog {
  readonly origin: string
  /** Tree size that was published before; 0 when nothing was. */
  readonly from: number
  readonly size: number
  /** Files that were new. */
  readonly files: number
}

/** A server that listens. */
export interface RunningServer {
  readonly url: string
  /** A token with every scope, made when `--dev` laid a new data directory; null otherwise. */
  readonly devToken: string | null
  /** Resolves when the server has ended, by close or by itself. */
  readonly ended: Promise<void>
  close(): Promise<void>
}

/** Flags of `witness serve`. */
export interface WitnessFlags {
  /** Directory of the witness. */
  readonly state: string
  readonly host?: string
  readonly port?: number
  readonly tlsCert?: string
  readonly tlsKey?: string
}

/** A witness that listens. */
export interface RunningWitness {
  readonly url: string
  readonly vkeys: readonly Vkey[]
  close(): Promise<void>
}

/** The composition root as the command line sees it. */
export interface Composition {
  readonly version: string
  /** Makes a data directory with its first tenant, `default`. @throws INPUT_EXISTS */
  init(flags: InitFlags): Promise<Initialised>
  /**
   * Opens the data directory for writing in this process, or reaches the server that has it open.
   * @throws STORE_LOCKED, CONFIG_INVALID, KEK_*, LOG_ROLLBACK …
   */
  openService(flags: GlobalFlags): Promise<Service>
  /** The service of the server that runs on the data directory, or undefined when none answers. */
  connectServer(flags: GlobalFlags): Promise<Service | undefined>
  /** Opens the data directory for reading only; needs no key provider. */
  openReading(flags: GlobalFlags): Promise<ReadingService>
  /**
   * Asks each provider that is configured how it is, and whether it opens the slots of a tenant; within 8 s, without making anything. Never rejects
   * because of a provider.
   */
  keyHealth(flags: GlobalFlags, tenant: string): Promise<readonly KekHealth[]>
  serve(flags: ServeFlags): Promise<RunningServer>
  /** Copies the database as it is at one moment, beside a server that may run. @throws INPUT_EXISTS, CONFIG_INVALID, STORE_* */
  backUp(flags: GlobalFlags, request: BackupRequest): Promise<BackedUp>
  /**
   * Brings a backup back, or only checks it.
   * @throws INPUT_EXISTS, INPUT_NOT_FOUND, STORE_CORRUPT when it is damaged, LOG_ROLLBACK when more is known of its logs, STORE_*, KEK_*
   */
  restore(flags: GlobalFlags, request: RestoreRequest): Promise<Restored>
  /**
   * Pins logs whose pin is lost, by tree heads that are known of them from elsewhere.
   * @throws INPUT_EXISTS where there is a pin, LOG_ROLLBACK when the database does not hold a head, INPUT_MALFORMED, INPUT_NOT_FOUND, as openService
   */
  repin(flags: GlobalFlags, statements: readonly HeadStatement[]): Promise<readonly Repinned[]>
  /**
   * Publishes a log as static files, beside a server that may run.
   * @throws INPUT_NOT_FOUND, LOG_ROLLBACK when what is published contradicts this log, LOG_CONFLICT, STORE_*, CONFIG_INVALID
   */
  publishLog(flags: GlobalFlags, request: PublishRequest): Promise<PublishedLog>
  /** Checks everything that can be recomputed, as it is at one moment, beside a server that may run. @throws INPUT_NOT_FOUND, CONFIG_INVALID, STORE_*, KEK_* */
  checkLogs(flags: GlobalFlags, request: CheckRequest): AsyncIterable<FsckReport>
  /** Makes the tiles again from the leaves. @throws STORE_LOCKED, STORE_CORRUPT, INPUT_NOT_FOUND */
  rebuildLogs(flags: GlobalFlags, request: LogsRequest): AsyncIterable<RebuiltLog>
  /** @throws CONFIG_INVALID, STORE_LOCKED */
  serveWitness(flags: WitnessFlags): Promise<RunningWitness>
  /**
   * Makes a passphrase, and a slot of it for every master key in place of an older one; each is proved to open.
   * @throws STORE_LOCKED while a server runs, CONFIG_INVALID, KEK_*
   */
  makeBreakGlass(flags: GlobalFlags): Promise<BreakGlass>
  /**
   * Opens the installation by a passphrase alone, and gives every master key slots of the providers that are configured; wipes the passphrase.
   * @throws INPUT_INVALID for a typo, OPEN_FAILED for another one, INPUT_NOT_FOUND where no master key has a slot of one, STORE_LOCKED, KEK_*
   */
  recover(
    flags: GlobalFlags,
    passphrase: Secret,
    dropOthers: boolean,
    tell: (tenant: RecoveredTenant) => Promise<void>,
  ): Promise<Recovered>
  /** Makes the next key of a purpose without opening anything; it counts once it is admitted. @throws INPUT_NOT_FOUND */
  offerKey(flags: GlobalFlags, tenant: string, purpose: KeyOffer['purpose']): Promise<KeyOffer>
  /** Makes the key-encryption key on the HSM that is configured. @throws INPUT_EXISTS, CONFIG_INVALID, KEK_* */
  makeHsmKey(flags: GlobalFlags, by: 'wrap' | 'encrypt' | 'any'): Promise<MadeKek>
  /** The effective configuration without secrets, or the failure that says what is wrong. */
  describeConfig(
    flags: ServeFlags,
  ): Promise<Readonly<Record<string, { readonly value: unknown; readonly from: string }>>>
  /** JSON Schema of the configuration file. */
  configSchema(): Readonly<Record<string, unknown>>
}

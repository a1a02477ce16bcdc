import { setImmediate } from 'node:timers/promises'
import { Failure } from '../base/failure.ts'
import { checkDatabase } from './sqlite-check.ts'
import { collect, DecisionList, takeTurns } from './sqlite-decisions.ts'
import { loadSqlite, type Database } from './sqlite-database.ts'
import { storeFailure } from './sqlite-failure.ts'
import { prepareReads } from './sqlite-reads.ts'
import * as rows from './sqlite-rows.ts'
import type * as port from './store.ts'

/** The reading half of the store on one connection; each call is one statement, or one transaction where it takes several. */
export class SqliteReader implements port.StoreReader {
  protected readonly db: Database
  readonly #reads: ReturnType<typeof prepareReads>
  readonly #decisions: DecisionList
  readonly #nextTurn = takeTurns()
  readonly #tenantIds = new Map<string, number>()
  #closed = false
  #poison: Failure | undefined

  constructor(db: Database) {
    this.db = db
    this.#reads = prepareReads(db)
    this.#decisions = new DecisionList(db)
  }

  readInstance(): Promise<port.Instance | undefined> {
    return this.run('read the instance', () => map(this.#reads.instance.get(), rows.toInstance))
  }

  listTenants(): Promise<readonly port.Tenant[]> {
    return this.run('list tenants', () => this.#reads.tenants.all().map(rows.toTenant))
  }

  readTenant(name: string): Promise<port.Tenant | undefined> {
    return this.run('read a tenant', () => map(this.#reads.tenant.get(name), rows.toTenant))
  }

  readEntry(tenant: string, index: number): Promise<port.StoredEntry | undefined> {
    return this.#of(tenant, 'read an entry', undefined, (id) =>
      map(this.#reads.entry.get(id, index), rows.toEntry),
    )
  }

  readEntries(tenant: string, start: number, end: number): Promise<readonly port.StoredEntry[]> {
    return this.#of(tenant, 'read entries', [], (id) =>
      this.#reads.entries.all(id, start, end).map(rows.toEntry),
    )
  }

  readLeaves(tenant: string, start: number, end: number): Promise<readonly Uint8Array[]> {
    return this.#of(tenant, 'read leaves', [], (id) =>
      this.#reads.leaves.all(id, start, end).map(rows.ownBytes),
    )
  }

  readStream(tenant: string, stream: string): Promise<readonly port.StoredEntry[]> {
    return this.#of(tenant, 'read a stream', [], (id) =>
      this.#reads.stream.all(id, stream).map(rows.toEntry),
    )
  }

  readStreamStart(tenant: string, stream: string): Promise<port.StoredEntry | undefined> {
    return this.#of(tenant, 'read the start of a stream', undefined, (id) =>
      map(this.#reads.streamStart.get(id, stream), rows.toEntry),
    )
  }

  readStreamHead(tenant: string, stream: string): Promise<port.StreamHead | undefined> {
    return this.#of(tenant, 'read the head of a stream', undefined, (id) =>
      map(this.#reads.streamHead.get(id, stream), (row) => ({
        seq: row.seq,
        leafHash: rows.ownBytes(row.leaf_hash),
      })),
    )
  }

  async listDecisions(
    tenant: string,
    query: port.DecisionQuery,
  ): Promise<readonly port.DecisionRow[]> {
    const what = 'list decisions'
    const scan = await this.#of(tenant, what, undefined, (id) =>
      this.#decisions.scan(id, this.#reads.size.get(id) ?? 0, query),
    )
    const found = scan
      ? await collect(scan, query.limit, this.#nextTurn, (step) => this.run(what, step))
      : undefined
    if (found === undefined) return []
    return this.#of(tenant, what, [], (id) =>
      found.map((row) => ({ ...row, standings: this.#standingsOf(id, row.index) })),
    )
  }

  #standingsOf(tenant: number, index: number): readonly port.Standing[] {
    return this.#reads.standingsOf
      .all(tenant, index)
      .map(({ state, status, until, way }) => ({ state, status, until, way }))
  }

  listStandings(
    tenant: string,
    after: number,
    limit: number,
  ): Promise<readonly port.StoredStanding[]> {
    return this.#of(tenant, 'list standings', [], (id) =>
      this.#reads.standings.all(id, after, limit).map(rows.toStanding),
    )
  }

  listWaiting(way: port.StandingWay, limit: number): Promise<readonly port.WaitingStanding[]> {
    return this.run('list what waits', () => this.#reads.waiting.all(way, limit))
  }

  countDecided(tenant: string, way: port.StandingWay, since: number): Promise<number> {
    return this.#of(
      tenant,
      'count standings',
      0,
      (id) => this.#reads.decided.get(id, way, since) ?? 0,
    )
  }

  listWebhooks(tenant: string): Promise<readonly port.StoredWebhook[]> {
    return this.#of(tenant, 'list webhooks', [], (id) =>
      this.#reads.webhooks.all(id).map(rows.toWebhook),
    )
  }

  listDue(
    now: number,
    limit: number,
    except: readonly string[] = [],
  ): Promise<readonly port.StoredDelivery[]> {
    return this.run('list deliveries', () =>
      this.#reads.due.all(now, JSON.stringify(except), limit).map(rows.toDelivery),
    )
  }

  listDeadDeliveries(
    tenant: string,
    after: number,
    limit: number,
  ): Promise<readonly port.StoredDelivery[]> {
    return this.#of(tenant, 'list deliveries', [], (id) =>
      this.#reads.deadDeliveries.all(id, after, limit).map(rows.toDelivery),
    )
  }

  countDeliveries(tenant?: string): Promise<{ readonly waiting: number; readonly dead: number }> {
    return this.run(
      'count deliveries',
      () => this.#reads.deliveries.get(tenant ?? null, tenant ?? null) ?? { dead: 0, waiting: 0 },
    )
  }

  listOverrides(
    tenant: string,
    before: number,
    limit: number,
  ): Promise<readonly Pick<port.DecisionRow, 'index' | 'stream'>[]> {
    return this.#of(tenant, 'list overrides', [], (id) =>
      this.#reads.overrides.all(id, before, limit),
    )
  }

  listActions(
    tenant: string,
    before: number,
    limit: number,
  ): Promise<readonly Pick<port.DecisionRow, 'index' | 'stream'>[]> {
    return this.#of(tenant, 'list actions', [], (id) => this.#reads.actions.all(id, before, limit))
  }

  listProposals(
    tenant: string,
    before: string | undefined,
    limit: number,
  ): Promise<readonly string[]> {
    return this.#of(tenant, 'list proposals', [], (id) =>
      this.#reads.proposals.all(id, before ?? 'proposal.', limit).map(({ stream }) => stream),
    )
  }

  readTile(tenant: string, level: number, n: number): Promise<Uint8Array | undefined> {
    return this.#of(tenant, 'read a tile', undefined, (id) =>
      map(this.#reads.tile.get(id, level, n), rows.ownBytes),
    )
  }

  readLastCheckpoint(tenant: string): Promise<port.StoredCheckpoint | undefined> {
    return this.#of(tenant, 'read the last checkpoint', undefined, (id) =>
      map(this.#reads.lastCheckpoint.get(id), rows.toCheckpoint),
    )
  }

  readKeptCheckpoint(tenant: string, size?: number): Promise<port.StoredCheckpoint | undefined> {
    return this.#of(tenant, 'read a kept checkpoint', undefined, (id) =>
      map(
        size === undefined
          ? this.#reads.keptCheckpoint.get(id)
          : this.#reads.keptCheckpointAt.get(id, size),
        rows.toCheckpoint,
      ),
    )
  }

  readWitnessedCheckpoint(tenant: string): Promise<port.StoredCheckpoint | undefined> {
    return this.#of(tenant, 'read a witnessed checkpoint', undefined, (id) =>
      map(this.#reads.witnessedCheckpoint.get(id), rows.toCheckpoint),
    )
  }

  listKeptCheckpoints(
    tenant: string,
    after: number,
    limit: number,
  ): Promise<readonly port.StoredCheckpoint[]> {
    return this.#of(tenant, 'list kept checkpoints', [], (id) =>
      this.#reads.keptCheckpoints.all(id, after, limit).map(rows.toCheckpoint),
    )
  }

  listTiles(tenant: string): Promise<readonly Pick<port.StoredTile, 'level' | 'n'>[]> {
    return this.#of(tenant, 'list tiles', [], (id) => this.#reads.tileNames.all(id))
  }

  listIdempotency(
    tenant: string,
    cursor: number,
    limit: number,
  ): Promise<readonly (port.IdempotencyRecord & { readonly cursor: number })[]> {
    return this.#of(tenant, 'list idempotency keys', [], (id) =>
      this.#reads.idempotencies
        .all(id, cursor, limit)
        .map((row) => ({ ...rows.toIdempotency(row), cursor: row.id })),
    )
  }

  async checkStructure(signal?: AbortSignal): Promise<readonly string[]> {
    const steps = checkDatabase(this.db, await loadSqlite())
    const wrong: string[] = []
    for (;;) {
      const { done, value } = await this.run('check the database', () => steps.next())
      if (done === true) return wrong
      wrong.push(...value)
      await setImmediate()
      signal?.throwIfAborted()
    }
  }

  readKeys(tenant: string): Promise<port.StoredKeys | undefined> {
    const { slots, keys, manifest } = this.#reads
    const read = this.db.transaction((id: number) =>
      map(manifest.get(id), (bytes) => ({
        slots: slots.all(id).map((row) => ({ id: row.id, body: rows.ownBytes(row.body) })),
        keys: keys.all(id).map(rows.toKey),
        manifest: rows.ownBytes(bytes),
      })),
    )
    return this.#of(tenant, 'read keys', undefined, (id) => read(id))
  }

  readIdempotency(
    tenant: string,
    owner: string,
    key: string,
  ): Promise<port.IdempotencyRecord | undefined> {
    return this.#of(tenant, 'read an idempotency key', undefined, (id) =>
      map(this.#reads.idempotency.get(id, owner, key), rows.toIdempotency),
    )
  }

  readApiKey(id: string): Promise<port.StoredApiKey | undefined> {
    return this.run('read an API key', () => map(this.#reads.apiKey.get(id), rows.toApiKey))
  }

  listApiKeys(tenant: string): Promise<readonly port.StoredApiKey[]> {
    return this.#of(tenant, 'list API keys', [], (id) =>
      this.#reads.apiKeys.all(id).map(rows.toApiKey),
    )
  }

  readTrustRoot(tenant: string, version?: number): Promise<port.StoredTrustRoot | undefined> {
    const { trustRoot, newestTrustRoot } = this.#reads
    return this.#of(tenant, 'read a trust root', undefined, (id) =>
      map(
        version === undefined ? newestTrustRoot.get(id) : trustRoot.get(id, version),
        rows.toTrustRoot,
      ),
    )
  }

  close(): Promise<void> {
    this.#closed = true
    return attempt('close the database', () => {
      this.dispose()
    })
  }

  /** Gives back what the store holds; a second time there is nothing left to give back. */
  protected dispose(): void {
    this.db.close()
  }

  /** Makes the store refuse every later call but `close` with this failure. */
  protected poison(failure: Failure): Failure {
    this.#poison ??= failure
    return failure
  }

  /** Runs what one call does, as the port promises it: rejecting, not throwing, and with failures of our table only. */
  protected run<T>(what: string, work: () => T): Promise<T> {
    if (this.#closed)
      return Promise.reject(new Failure('STORE_FAILED', `Cannot ${what}: the store is closed`))
    if (this.#poison) return Promise.reject(this.#poison)
    return attempt(what, work)
  }

  /** The number a tenant has inside the database. */
  protected tenantId(name: string): number | undefined {
    const known = this.#tenantIds.get(name)
    if (known !== undefined) return known
    const id = this.#reads.tenantId.get(name)
    // A tenant is never removed or renamed, so a number once seen stays true; one that may be rolled back is not asked for here.
    if (id !== undefined) this.#tenantIds.set(name, id)
    return id
  }

  #of<T>(tenant: string, what: string, absent: T, work: (id: number) => T): Promise<T> {
    return this.run(what, () => {
      const id = this.tenantId(tenant)
      return id === undefined ? absent : work(id)
    })
  }
}

const map = <Row, T>(row: Row | undefined, make: (row: Row) => T): T | undefined =>
  row === undefined ? undefined : make(row)

function attempt<T>(what: string, work: () => T): Promise<T> {
  try {
    return Promise.resolve(work())
  } catch (error) {
    return Promise.reject(storeFailure(error, `Cannot ${what}`))
  }
}

import { createHash } from 'node:crypto'
import { Failure, invariant } from '../base/failure.ts'
import { hashFilter } from './sqlite-decisions.ts'
import type { Database } from './sqlite-database.ts'
import { codeOf, commitFailure, transactionFailure, unknownState } from './sqlite-failure.ts'
import { busyMs, emptyWal } from './sqlite-pragmas.ts'
import { SqliteReader } from './sqlite-reader.ts'
import { prepareWrites } from './sqlite-writes.ts'
import type * as port from './store.ts'

const emptyRoot = createHash('sha256').digest()

/** Deliveries that were given up and are kept, of each webhook. */
const mostDeadDeliveries = 100

const isTaken = (error: unknown): boolean =>
  /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(codeOf(error))

/** Runs an insertion whose unique key may be taken; then it fails with that code instead. */
function insert<T>(code: 'LOG_CONFLICT' | 'INPUT_EXISTS', message: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (!isTaken(cause)) throw cause
    throw new Failure(code, message, { cause })
  }
}

/** The one writer, on its connection and the lock of the directory. */
export class SqliteStore extends SqliteReader implements port.Store {
  readonly #writes: ReturnType<typeof prepareWrites>
  readonly #lock: Database
  /** Whether the WAL may still hold what was erased. */
  #unclean = false

  constructor(db: Database, lock: Database) {
    super(db)
    this.#lock = lock
    this.#writes = prepareWrites(db)
  }

  createInstance(instance: port.Instance): Promise<void> {
    const { id, origin, createdAt, dev } = instance
    return this.#write('create the instance', () => {
      insert('INPUT_EXISTS', 'The data directory has an instance already', () => {
        this.#writes.instance.run(id, origin, createdAt, Number(dev))
      })
    })
  }

  createTenant(tenant: Omit<port.Tenant, 'head'>, keys: port.StoredKeys): Promise<void> {
    const { name, origin, profile, createdAt } = tenant
    return this.#write('create a tenant', () => {
      const id = insert('INPUT_EXISTS', `Tenant exists already: ${name} (${origin})`, () =>
        this.#writes.tenant.run(
          name,
          origin,
          profile,
          Number(tenant.public),
          createdAt,
          emptyRoot,
          keys.manifest,
        ),
      ).lastInsertRowid
      // Not by its name, which is remembered: where this is rolled back the next tenant gets the number.
      this.#replaceKeys(Number(id), keys)
    })
  }

  /**
   * After a commit that erased or replaced keys the WAL is emptied, for it holds the pages as they were. Where a reader hinders that the commit is
   * durable all the same and resolves; it is tried again after every later commit, and when the store is closed or opened.
   */
  async commit(commit: port.Commit): Promise<void> {
    await this.#write('commit', () => {
      const tenant = this.#tenant(commit.tenant)
      this.#swapHead(tenant, commit)
      this.#checkKeys(tenant, commit)
      insert('LOG_CONFLICT', 'Place in the stream is taken', () => {
        for (const entry of commit.entries) this.#insertEntry(tenant, entry)
      })
      for (const { level, n, hashes } of commit.tiles)
        this.#writes.tile.run(tenant, level, n, hashes)
      const { size, root, note, time } = commit.checkpoint
      this.#writes.lastCheckpoint.run(tenant, size, root, note, time)
      if (commit.keepCheckpoint) this.#writes.keptCheckpoint.run(tenant, size, root, note, time)
      for (const effect of commit.effects) this.#apply(tenant, commit, effect)
    })
    if (commit.effects.some(({ type }) => type === 'erase' || type === 'keys'))
      this.#emptyWal(busyMs)
    else if (this.#unclean) this.#emptyWal(0)
  }

  mendTiles(
    tenant: string,
    put: readonly port.StoredTile[],
    remove: readonly Pick<port.StoredTile, 'level' | 'n'>[],
  ): Promise<void> {
    return this.#write('mend tiles', () => {
      const id = this.#tenant(tenant)
      for (const { level, n } of remove) this.#writes.removeTile.run(id, level, n)
      for (const { hashes, level, n } of put) this.#writes.tile.run(id, level, n, hashes)
    })
  }

  keepCosigned(
    tenant: string,
    { note, root, size, time }: port.StoredCheckpoint,
    quorum: boolean,
  ): Promise<void> {
    return this.#write('keep a cosigned checkpoint', () => {
      const id = this.#tenant(tenant)
      const { cosignedCheckpoint, cosignedLast } = this.#writes
      if (cosignedCheckpoint.run(id, size, root, note, time, Number(quorum)).changes !== 1)
        throw new Failure('LOG_CONFLICT', `Another root is kept at size ${size}: ${tenant}`)
      cosignedLast.run(note, id, size, root)
    })
  }

  settleDelivery(
    id: number,
    outcome: 'delivered' | Pick<port.StoredDelivery, 'attempts' | 'dead' | 'due' | 'last'>,
  ): Promise<void> {
    return this.#write('settle a delivery', () => {
      if (outcome === 'delivered') this.#writes.delivered.run(id)
      else {
        const { attempts, dead, due, last } = outcome
        this.#writes.attempted.run(attempts, due, Number(dead), last, id)
        if (dead) this.#writes.forgetDead.run(id, id, mostDeadDeliveries)
      }
    })
  }

  probe(): Promise<void> {
    return this.#write('probe', () => {
      this.#writes.probe.run()
    })
  }

  protected override dispose(): void {
    // The lock goes last, and goes even when closing fails: the next writer must find the file at rest.
    try {
      super.dispose()
    } finally {
      this.#lock.close()
    }
  }

  #write(what: string, work: () => void): Promise<void> {
    return this.run(what, () => {
      this.#transaction(`Cannot ${what}`, work)
    })
  }

  // A process that dies before COMMIT has written its commit frame leaves nothing; one that dies later leaves all of it, acknowledged or not.
  #transaction(what: string, work: () => void): void {
    this.#writes.begin.run()
    try {
      work()
    } catch (error) {
      this.#abandon(transactionFailure(error, what))
    }
    try {
      this.#writes.commit.run()
    } catch (error) {
      this.#abandon(commitFailure(error, what))
    }
  }

  #abandon(failure: Failure): never {
    try {
      // SQLite has ended the transaction itself after some errors.
      if (this.db.inTransaction) this.db.exec('ROLLBACK')
    } catch (error) {
      throw this.poison(unknownState(error, 'Cannot roll back'))
    }
    throw failure.code === 'LOG_STATE_UNKNOWN' ? this.poison(failure) : failure
  }

  #tenant(name: string): number {
    const id = this.tenantId(name)
    if (id === undefined) throw new Failure('INPUT_NOT_FOUND', `There is no tenant: ${name}`)
    return id
  }

  #swapHead(tenant: number, { expected, head, entries }: port.Commit): void {
    invariant(head.size === expected.size + entries.length, 'Head does not fit its entries')
    invariant(
      entries.every(({ index }, i) => index === expected.size + i),
      'Indexes are not consecutive',
    )
    const { changes } = this.#writes.head.run(
      head.size,
      head.root,
      head.time,
      tenant,
      expected.size,
      expected.root,
    )
    if (changes !== 1)
      throw new Failure('LOG_CONFLICT', `Head of the log is another than at size ${expected.size}`)
  }

  #checkKeys(tenant: number, { entries }: port.Commit): void {
    const spans = new Map<string, { first: number; last: number }>()
    for (const { keyid, index } of entries) {
      const span = spans.get(keyid)
      if (span) span.last = index
      else spans.set(keyid, { first: index, last: index })
    }
    // Where a key counts is one interval, so its first and last entry speak for all.
    for (const [keyid, { first, last }] of spans)
      if (this.#writes.keyCounts.get(tenant, keyid, first, last, last) === undefined)
        throw new Failure('LOG_KEY_STALE', `Key does not count at ${first} to ${last}: ${keyid}`)
  }

  #insertEntry(tenant: number, entry: port.NewEntry): void {
    const { filter } = entry
    this.#writes.entry.run(
      tenant,
      entry.index,
      entry.kind,
      entry.stream,
      entry.seq,
      entry.time,
      entry.keyid,
      entry.leafHash,
      filter && hashFilter(filter.status),
      filter && hashFilter(filter.actor),
      filter && hashFilter(filter.action),
      filter && filter.status,
      filter && filter.actor,
      filter && filter.action,
      entry.leaf,
      entry.signature,
      entry.payload,
    )
  }

  #apply(tenant: number, commit: port.Commit, effect: port.Effect): void {
    switch (effect.type) {
      case 'idempotency':
        this.#remember(tenant, effect.record)
        break
      case 'erase':
        this.#erase(tenant, effect.stream, effect.seqs)
        break
      case 'apiKey':
        invariant(effect.apiKey.tenant === commit.tenant, 'API key is of another tenant')
        this.#putApiKey(tenant, effect.apiKey)
        break
      case 'keys':
        this.#replaceKeys(tenant, effect.keys)
        break
      case 'trustRoot':
        this.#addTrustRoot(tenant, effect.trustRoot)
        break
      case 'standing':
        this.#stand(tenant, commit, effect.stream, effect.standing)
        break
      case 'announce':
        this.#announce(tenant, effect.announcement)
        break
      case 'webhook':
        this.#putWebhook(tenant, effect.webhook)
        break
      case 'removeWebhook':
        this.#writes.removeWebhook.run(effect.id, tenant)
        this.#writes.removeDeliveries.run(effect.id, tenant)
        break
    }
  }

  #remember(tenant: number, record: port.IdempotencyRecord): void {
    const { owner, key, stream, salt, fingerprint } = record
    insert('LOG_CONFLICT', 'Idempotency key is taken', () => {
      const bytes = fingerprint ?? new Uint8Array(32)
      this.#writes.idempotency.run(
        tenant,
        owner,
        key,
        stream,
        Number(fingerprint === null),
        salt,
        bytes,
      )
    })
  }

  #erase(tenant: number, stream: string, seqs: readonly number[]): void {
    for (const seq of seqs) {
      const { changes } = this.#writes.eraseEntry.run(tenant, stream, seq)
      invariant(changes === 1, `Entry to erase does not exist: ${stream} ${seq}`)
    }
    this.#writes.eraseIdempotency.run(tenant, stream)
    this.#writes.eraseStandings.run(tenant, tenant, stream)
  }

  #stand(
    tenant: number,
    { entries, head }: port.Commit,
    stream: string,
    { state, status, until, way }: port.Standing,
  ): void {
    const step = entries.findLast((entry) => entry.stream === stream)
    invariant(step !== undefined, `Standing without a step: ${stream}`)
    const decidedAt = status === null ? null : head.time
    const { changes } = this.#writes.standing.run(
      way,
      state,
      status,
      until,
      step.index,
      decidedAt,
      tenant,
      stream,
    )
    invariant(changes === 1, `Standing of no decision: ${stream}`)
  }

  #announce(tenant: number, { body, id, kind, time, to }: port.Announcement): void {
    const [family = ''] = kind.split('.')
    const kinds = JSON.stringify(to === undefined ? [kind, `${family}.*`, '*'] : [])
    this.#writes.announce.run(id, kind, body, time, tenant, to ?? null, kinds)
  }

  #putWebhook(tenant: number, { body, id, kinds }: port.StoredWebhook): void {
    const { changes } = this.#writes.webhook.run(id, tenant, JSON.stringify(kinds), body)
    if (changes !== 1)
      throw new Failure('STORE_FAILED', `Id of the webhook is another tenant's: ${id}`)
  }

  #putApiKey(tenant: number, apiKey: port.StoredApiKey): void {
    const { id, hash, owner, scopes, createdAt, revokedAt } = apiKey
    const { changes } = this.#writes.apiKey.run(
      id,
      tenant,
      hash,
      owner,
      JSON.stringify(scopes),
      createdAt,
      revokedAt,
    )
    if (changes !== 1)
      throw new Failure('STORE_FAILED', `Id of the API key is another tenant's: ${id}`)
  }

  #replaceKeys(tenant: number, { slots, keys, manifest }: port.StoredKeys): void {
    this.#writes.removeSlots.run(tenant)
    this.#writes.removeKeys.run(tenant)
    this.#writes.manifest.run(manifest, tenant)
    slots.forEach(({ id, body }, place) => this.#writes.slot.run(tenant, place, id, body))
    keys.forEach((key, place) => {
      const { keyId, purpose, version, state, keyid, body, from, to, revokedAt } = key
      this.#writes.key.run(
        tenant,
        place,
        keyId,
        purpose,
        version,
        state,
        keyid,
        body,
        from,
        to,
        revokedAt,
      )
    })
  }

  #addTrustRoot(tenant: number, { version, sha256, file }: port.StoredTrustRoot): void {
    insert('LOG_CONFLICT', `Version of the trust root is taken: ${version}`, () => {
      this.#writes.trustRoot.run(tenant, version, sha256, file)
    })
  }

  // The commit is durable, so its caller must not hear of a failure here: it is tried again.
  #emptyWal(waitMs: number): void {
    try {
      this.#unclean = !emptyWal(this.db, waitMs)
    } catch {
      this.#unclean = true
    }
  }
}

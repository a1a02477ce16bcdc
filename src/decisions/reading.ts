// What can be read of a data directory without being its writer and without any key.
import { decodeBase64Url, encodeBase64Url } from '../base/base64.ts'
import { concat, fromUtf8, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { canonicalize } from '../base/canonical-json.ts'
import { isUuid } from '../base/uuid.ts'
import { parseLeaf } from '../dossier/leaf.ts'
import type { PeriodHead } from '../dossier/period.ts'
import { parseSealedKey } from '../keyring/sealed-key.ts'
import { parseSlot } from '../keyring/slot.ts'
import { entryBundle, parseTilePath } from '../merkle/tiles.ts'
import type { DecisionQuery, StoredKey, StoredKeys, StoreReader, Tenant } from '../store/store.ts'
import type { ApiKeyView, DecisionPage } from '../wire/decision.ts'
import type { ConsistencyProofView, InclusionProofView, InclusionQuery } from '../wire/log.ts'
import type { KeyView, MasterView, SlotView } from '../wire/keys.ts'
import { listApiKeys } from './api-keys.ts'
import { matterOf } from './checked.ts'
import { decisionOf } from './follow-up.ts'
import { dossierUrl } from './reply.ts'
import { exportPeriod } from './period-export.ts'
import { planPeriod, type PeriodRequest } from './period-plan.ts'
import type { PeriodState, PeriodStep } from './period-state.ts'
import { exportDossier } from './prove.ts'
import { checkPinnedHead } from '../log/pinned-head.ts'
import type { Pin } from '../log/pin.ts'
import { readCheckedTrustRoot } from './trust.ts'
import type { DecisionView, ListRequest, TenantView } from './service.ts'
import { inForceOf, standingsOf } from './standing.ts'
import { exportTlogProof, proveConsistency, proveInclusion } from './tree-proofs.ts'

/** How old a cosigned checkpoint may be to be served in the place of a later one, whose cosignatures are on their way. */
const witnessedForMs = 5000

const notFound = (what: string): Failure => new Failure('INPUT_NOT_FOUND', what)

/** A tenant as it is told. */
export const viewTenant = ({ head, ...tenant }: Tenant): TenantView => ({
  name: tenant.name,
  origin: tenant.origin,
  profile: tenant.profile,
  public: tenant.public,
  createdAt: tenant.createdAt,
  size: head.size,
})

const formatCursor = (index: number): string => encodeBase64Url(utf8(`v1:${index}`))

function parseCursor(cursor: string): number {
  const bytes = decodeBase64Url(cursor)
  const [, digits] = /^v1:(\d{1,15})$/.exec(bytes === undefined ? '' : latin(bytes)) ?? []
  if (digits === undefined)
    throw new Failure('INPUT_INVALID', 'Cursor is not one of ours', { field: 'cursor' })
  return Number(digits)
}

const latin = (bytes: Uint8Array): string => {
  try {
    return fromUtf8(bytes)
  } catch {
    return ''
  }
}

function viewKey(key: StoredKey, since: number | null): KeyView {
  const { header } = parseSealedKey(key.body)
  return {
    purpose: key.purpose,
    version: key.version,
    state: key.state,
    algorithm: header.algorithm,
    keyId: key.keyId,
    keyid: key.keyid,
    from: key.from,
    to: key.to,
    revokedAt: key.revokedAt,
    createdAt: header.createdAt,
    since,
  }
}

/** The index of the first entry that a key counts for; the positions of a log key are tree sizes. */
const firstEntryOf = ({ from, purpose }: StoredKey): number | null =>
  from === null || purpose !== 'log' ? from : Math.max(0, from - 1)

/** The read side of a data directory. */
export class Reading {
  readonly #store: () => StoreReader
  readonly #pinOf: (tenant: string) => Promise<Pin | undefined>

  /**
   * @param store asked for every time, because a writer may reopen it
   * @param pinOf gives the pin of a tenant, where it is at hand
   */
  constructor(
    store: () => StoreReader,
    pinOf: (tenant: string) => Promise<Pin | undefined> = () => Promise.resolve(undefined),
  ) {
    this.#store = store
    this.#pinOf = pinOf
  }

  async readDecision(tenant: string, id: string, now = Date.now()): Promise<DecisionView> {
    const entries = isUuid(id) ? await this.#store().readStream(tenant, id) : []
    const [first] = entries
    if (first?.kind !== 'decision') throw notFound(`No such decision: ${id}`)
    const matter = first.payload === null ? null : decisionOf(first)
    return {
      id,
      status: matter?.status ?? null,
      ...inForceOf(matter?.status ?? null, standingsOf(entries), now),
      erased: matter === null,
      index: first.index,
      time: first.time,
      decision: matter === null ? null : canonicalize(matter),
      executions: entries.filter(({ kind }) => kind === 'execution').length,
      dossierUrl: dossierUrl(id),
    }
  }

  async listDecisions(
    tenant: string,
    request: ListRequest,
    now = Date.now(),
  ): Promise<DecisionPage> {
    const { cursor, escalation, limit, override, ...filters } = request
    if (override !== undefined && escalation !== undefined)
      throw new Failure(
        'INPUT_INVALID',
        'Decisions are listed by one of both: override, escalation',
        {
          field: 'escalation',
        },
      )
    const query: DecisionQuery = {
      ...filters,
      ...(override === undefined ? {} : { standing: { state: override, way: 'override' } }),
      ...(escalation === undefined ? {} : { standing: { state: escalation, way: 'escalation' } }),
      limit: limit + 1,
      now,
      ...(cursor === undefined ? {} : { before: parseCursor(cursor) }),
    }
    const rows = await this.#store().listDecisions(tenant, query)
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    return {
      decisions: page.map(({ stream, index, time, filter, standings }) => ({
        id: stream,
        index,
        time,
        status: filter?.status ?? null,
        ...inForceOf(filter?.status ?? null, standings, now),
        actor: filter?.actor ?? null,
        action: filter?.action ?? null,
        erased: filter === null,
      })),
      cursor: rows.length > limit && last !== undefined ? formatCursor(last.index) : null,
    }
  }

  exportDossier(tenant: string, stream: string, size?: number): Promise<Uint8Array> {
    return exportDossier(this.#store(), tenant, stream, size)
  }

  async exportTrustProof(tenant: string, version: number): Promise<Uint8Array> {
    const entries = await this.#store().readStream(tenant, 'trust')
    const announced = entries.find((entry) => matterOf(entry, 'trust')?.version === version)
    if (announced === undefined) throw notFound(`No such trust root: ${tenant} ${version}`)
    return this.exportDossier(tenant, 'trust', announced.index + 1)
  }

  async readTrustRoot(tenant: string, version?: number): Promise<Uint8Array> {
    // Asked before the log is read: a server that goes on meanwhile must not put it ahead.
    const pin = await this.#pinOf(tenant)
    const store = this.#store()
    const known = await store.readTenant(tenant)
    if (known === undefined) throw notFound(`Unknown tenant: ${tenant}`)
    const { head, origin } = known
    // Whoever takes it vouches for it to others: what a database says alone is not enough.
    if (pin !== undefined) await checkPinnedHead({ head, origin, store, tenant }, pin)
    return (await readCheckedTrustRoot({ log: known, store, tenant: known }, version)).file
  }

  /** The checkpoint to serve; one that witnesses have cosigned unless that would hide for long what came later. */
  async readCheckpoint(tenant: string, now = Date.now()): Promise<string> {
    const last = await this.#store().readLastCheckpoint(tenant)
    if (last === undefined) throw notFound(`No checkpoint: ${tenant}`)
    const witnessed = await this.#store().readWitnessedCheckpoint(tenant)
    const fresh = witnessed !== undefined && now - witnessed.time <= witnessedForMs
    return fresh ? witnessed.note : last.note
  }

  async readTile(tenant: string, path: string): Promise<Uint8Array> {
    const tile = parseTilePath(path)
    if (tile === undefined) throw notFound(`Not a tile: ${path}`)
    const { level, n, width } = tile
    if (level === 'entries') {
      const leaves = await this.#store().readLeaves(tenant, n * 256, n * 256 + width)
      if (leaves.length < width) throw notFound(`Entries are beyond the log: ${path}`)
      return entryBundle(leaves)
    }
    const hashes = await this.#store().readTile(tenant, level, n)
    if (hashes === undefined || hashes.length < width * 32)
      throw notFound(`Tile is beyond the log: ${path}`)
    return concat(hashes.subarray(0, width * 32))
  }

  proveInclusion(tenant: string, query: InclusionQuery): Promise<InclusionProofView> {
    return proveInclusion(this.#store(), tenant, query)
  }

  proveConsistency(tenant: string, first: number, second: number): Promise<ConsistencyProofView> {
    return proveConsistency(this.#store(), tenant, first, second)
  }

  exportTlogProof(tenant: string, index: number): Promise<string> {
    return exportTlogProof(this.#store(), tenant, index)
  }

  planPeriod(tenant: string, request: PeriodRequest): Promise<PeriodHead> {
    return planPeriod(this.#store(), tenant, request)
  }

  exportPeriod(head: PeriodHead, state: PeriodState): AsyncGenerator<PeriodStep, void, undefined> {
    return exportPeriod(this.#store(), head, state)
  }

  async listTenants(): Promise<readonly TenantView[]> {
    return (await this.#store().listTenants()).map(viewTenant)
  }

  listApiKeys(tenant: string): Promise<readonly ApiKeyView[]> {
    return listApiKeys(this.#store(), tenant)
  }

  async listKeys(tenant: string): Promise<readonly KeyView[]> {
    const { keys } = await this.#readKeys(tenant)
    return Promise.all(keys.map(async (key) => viewKey(key, await this.#sinceOf(tenant, key))))
  }

  /** The master key that the slots open. */
  async readMaster(tenant: string): Promise<MasterView> {
    const [slot] = (await this.#readKeys(tenant)).slots
    if (slot === undefined) throw new Failure('STORE_CORRUPT', `Tenant has no slot: ${tenant}`)
    const { algorithm, createdAt, keyId, version } = parseSlot(slot.body).header
    return { algorithm, createdAt, keyId, version }
  }

  /** By whom the master key can be opened: one slot for each provider. */
  async listSlots(tenant: string): Promise<readonly SlotView[]> {
    const { slots } = await this.#readKeys(tenant)
    return slots.map(({ body }) => {
      const { id, kekId, mechanism, provider } = parseSlot(body)
      return { id, kekId, mechanism, provider }
    })
  }

  async close(): Promise<void> {
    await this.#store().close()
  }

  async #readKeys(tenant: string): Promise<StoredKeys> {
    const keys = await this.#store().readKeys(tenant)
    if (keys === undefined) throw notFound(`Unknown tenant: ${tenant}`)
    return keys
  }

  async #sinceOf(tenant: string, key: StoredKey): Promise<number | null> {
    const first = firstEntryOf(key)
    if (first === null) return null
    const [bytes] = await this.#store().readLeaves(tenant, first, first + 1)
    const leaf = bytes === undefined ? undefined : parseLeaf(bytes)
    return leaf === undefined || typeof leaf === 'string' ? null : leaf.time
  }
}

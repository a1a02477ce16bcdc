// The whole check of a tenant: the log from its entries (log/fsck.ts), and every row of the database that repeats what the log says: decisions' filters,
// idempotency keys, API keys, trust roots, sealed keys. Needs no key provider; what only the holder of the master key can check is said to be left out.
import { asFailure, Failure, type FailureCode } from '../base/failure.ts'
import type { TrustMatter } from '../dossier/matters.ts'
import { fingerprint, parseTrustRoot, type OriginSection } from '../dossier/trust-root.ts'
import { parseSealedKey } from '../keyring/sealed-key.ts'
import { canonicalize } from '../base/canonical-json.ts'
import { uuidv7 } from '../base/uuid.ts'
import { checkLog, type Finding, type FsckOptions } from '../log/fsck.ts'
import type { Pin } from '../log/pin.ts'
import type { Instance, StoredKeys, StoreReader, Tenant } from '../store/store.ts'
import { followsTrust } from '../verify/judge-trust-stream.ts'
import { isAsLogged, readLoggedKeys } from './api-keys.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { watchClosing } from './fsck-closing.ts'
import { checkControl, guardedEntry, type GuardedEntry } from './fsck-control.ts'
import { checkDecisions, checkIdempotency } from './fsck-decisions.ts'
import { row, type Counted, type Found } from './fsck-findings.ts'
import { checkKeyLife, checkKeyStore } from './fsck-keys.ts'
import { checkProposals, proposalMark, type ProposalMark } from './fsck-proposals.ts'
import { checkStandings } from './fsck-standings.ts'
import { checkWebhooks } from './fsck-webhooks.ts'
import { isOwnOrigin } from './genesis.ts'

/** What is to be checked, and who hears of it. */
export interface FsckRequest {
  readonly store: StoreReader
  readonly tenant: string
  /** Undefined when it is not at hand; then a rolled back log is not noticed. */
  readonly pin: Pin | undefined
  /** Whether it is kept for reading only: it is meant to be behind the pin then. */
  readonly archive?: boolean
  /** A trust root file from elsewhere; without it the newest that the database holds. */
  readonly trustFile: Uint8Array | undefined
  /** Whether that file was given for this very tenant: it is a finding then that it does not name its log. */
  readonly trustIsOfTenant?: boolean
  readonly signatures: boolean
  /** Unseals the key store and rejects when it is not genuine; without it that is not checked. */
  readonly unseal?: (keys: StoredKeys) => Promise<void>
  /** Entries that are later by this clock are told; left out where none is to be believed. */
  readonly clock?: () => number
  readonly signal?: AbortSignal
  readonly progress: (part: string, done: number, total: number) => void
}

/** What was checked and what was found. */
export interface FsckReport {
  readonly tenant: string
  readonly origin: string
  readonly size: number
  readonly decisions: number
  readonly erased: number
  /** In the order of finding; at most 1000. */
  readonly findings: readonly Finding[]
  /** How many there are. */
  readonly count: number
  /** The smallest index that a finding names. */
  readonly firstIndex: number | null
  /** What was not checked, a sentence each. */
  readonly unchecked: readonly string[]
  /** False where some of that was to be checked and could not be: nothing found is no good news then. */
  readonly conclusive: boolean
}

/** Findings that are told one by one. */
const mostFindings = 1000

/** Whether a failure can be the doing of a damaged database; the others are of the machine. Reading what is not as it must be ends in anything. */
const isOfTheData = (code: FailureCode): boolean =>
  /^(STORE|INPUT)_/.test(code) || ['BUG', 'KEY_STORE_REFUSED', 'OPEN_FAILED'].includes(code)

/** Runs a part; what it meets in a database that cannot be read is a finding and not the end. */
async function part(
  found: Found,
  signal: AbortSignal | undefined,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    const { cause, code, message } = asFailure(error)
    if (signal?.aborted === true || !isOfTheData(code)) throw error
    const [, index] = / at index (\d+)$/.exec(message) ?? []
    const why = cause instanceof Error ? cause.message : message
    const what = code === 'BUG' ? `Cannot be read: ${why}` : message
    found({ index: index === undefined ? null : Number(index), part: 'database', what })
  }
}

const unnamed = (origin: string): string => `Trust root does not name the log: ${origin}`

function sectionOf(trustFile: Uint8Array, { name, origin }: Tenant): OriginSection | undefined {
  const root = parseTrustRoot(trustFile)
  if (typeof root === 'string') throw new Failure('STORE_CORRUPT', root)
  return root.origins.find((one) => one.origin === origin && one.tenant === name)
}

/** What the newest trust root in the database says of the log. */
async function storedSection(store: StoreReader, tenant: Tenant): Promise<OriginSection> {
  const newest = await store.readTrustRoot(tenant.name)
  if (newest === undefined) throw new Failure('STORE_CORRUPT', `No trust root: ${tenant.name}`)
  const section = sectionOf(newest.file, tenant)
  if (section === undefined) throw new Failure('STORE_CORRUPT', unnamed(tenant.origin))
  return section
}

async function checkApiKeys(
  { store }: FsckRequest,
  { head, name }: Tenant,
  found: Found,
): Promise<void> {
  const logged = await readLoggedKeys(store, name, head)
  const kept = await store.listApiKeys(name)
  for (const apiKey of kept)
    if (!isAsLogged(apiKey, logged.get(apiKey.id)))
      row(found, null, `API key is not what the log says of it: ${apiKey.id}`)
  for (const id of logged.keys())
    if (!kept.some((apiKey) => apiKey.id === id)) row(found, null, `API key is missing: ${id}`)
}

async function checkTrustRoots(
  { store }: FsckRequest,
  { head, name }: Tenant,
  found: Found,
): Promise<void> {
  let before: TrustMatter | undefined
  for (const entry of await readCheckedStream(store, name, 'trust', head)) {
    const matter = matterOf(entry, 'trust')
    if (matter === undefined) continue
    const { sha256, version } = matter
    // Under it the holder of one version takes the next.
    if ((await store.readKeptCheckpoint(name, entry.index + 1)) === undefined)
      found({
        index: entry.index,
        part: 'checkpoint',
        what: `Checkpoint behind trust root version ${version} is not kept`,
      })
    const stored = await store.readTrustRoot(name, version)
    if (stored === undefined) row(found, entry.index, `Trust root is missing: version ${version}`)
    else if (fingerprint(stored.file) !== sha256 || stored.sha256 !== sha256)
      row(found, entry.index, `Trust root is not the one announced: version ${version}`)
    if (!followsTrust(matter, before))
      row(found, entry.index, `Trust root does not follow the one before it: version ${version}`)
    before = matter
  }
  if ((await store.readTrustRoot(name))?.sha256 !== before?.sha256)
    row(found, null, 'Newest trust root is not the last one announced')
}

/** That instance and tenant are what the log says of its creation, and their times those that their keys and ids hold. */
async function checkRows(
  { store }: FsckRequest,
  { createdAt, head, name, origin, profile, public: isPublic }: Tenant,
  instance: Instance,
  found: Found,
): Promise<void> {
  const [first] = await readCheckedStream(store, name, 'admin', head)
  const matter = first === undefined ? undefined : matterOf(first, 'admin')
  const detail = { dev: instance.dev, profile, public: isPublic }
  if (matter?.subject !== name || canonicalize(matter.detail) !== canonicalize(detail))
    row(found, first?.index ?? null, 'Tenant is not as its log says it was created')
  const made = uuidv7(instance.createdAt, new Uint8Array(10)).slice(0, 13)
  if (!instance.id.startsWith(made)) row(found, null, 'Instance was not made when its id says')
  const section = await store.readTrustRoot(name)
  const root = section === undefined ? 'missing' : parseTrustRoot(section.file)
  const said = typeof root === 'string' ? undefined : root.origins[0]
  if (said?.instance !== instance.id || said.origin !== origin)
    row(found, null, 'Instance or origin is not the one of the trust root')
  if (!isOwnOrigin(instance, { name, origin }))
    row(found, null, 'Origin of the tenant does not follow from the one of the instance')
  const keys = await store.readKeys(name)
  const oldest = keys?.keys.find(({ purpose, version }) => purpose === 'evidence' && version === 1)
  if (oldest !== undefined && parseSealedKey(oldest.body).header.createdAt !== createdAt)
    row(found, null, 'Tenant was not made when its first key was')
}

/**
 * Checks everything of a tenant.
 * @throws {@link Failure} INPUT_NOT_FOUND, STORE_* when the database cannot be opened; what `signal` was aborted with
 */
export async function fsck(request: FsckRequest): Promise<FsckReport> {
  const { progress, signal, signatures, store } = request
  const tenant = await store.readTenant(request.tenant)
  if (tenant === undefined)
    throw new Failure('INPUT_NOT_FOUND', `Unknown tenant: ${request.tenant}`)
  const instance = await store.readInstance()
  if (instance === undefined) throw new Failure('STORE_CORRUPT', 'Instance is missing')
  const isBehind = request.archive === true && (request.pin?.size ?? 0) > tenant.head.size
  const pin = isBehind ? undefined : request.pin
  const findings: Finding[] = []
  let count = 0
  let firstIndex: number | null = null
  const found: Found = (finding) => {
    count++
    if (findings.length < mostFindings) findings.push(finding)
    if (finding.index !== null) firstIndex = Math.min(firstIndex ?? Infinity, finding.index)
  }
  const counted: Counted = { decisions: 0, erased: 0 }
  const guarded: GuardedEntry[] = []
  const watch = watchClosing(found)
  const proposed: ProposalMark[] = []
  const unsure: string[] = []
  const options: Omit<FsckOptions, 'mayBeOlder' | 'section'> = {
    entry: (entry, leaf, statement) => {
      const { index, payload } = entry
      const { kind } = leaf
      const mark = proposalMark(entry, leaf, statement)
      if (mark !== undefined) proposed.push(mark)
      const one = guardedEntry(index, leaf, statement)
      if (one !== undefined) guarded.push(one)
      watch(index, leaf, statement)
      if (kind === 'decision') counted.decisions++
      if (payload === null) counted.erased++
    },
    found,
    pin,
    progress: (done, total) => {
      progress('entries', done, total)
    },
    signatures,
    store,
    tenant,
    unsure: (what) => unsure.push(what),
    ...(request.clock === undefined ? {} : { now: request.clock() }),
    ...(signal === undefined ? {} : { signal }),
  }
  await part(found, signal, async () => {
    for (const what of await store.checkStructure(signal))
      found({ index: null, part: 'database', what })
  })
  const keys = { areOwn: true }
  await part(found, signal, async () => {
    const { trustFile, trustIsOfTenant } = request
    const given = trustFile === undefined ? undefined : sectionOf(trustFile, tenant)
    if (trustFile !== undefined && given !== undefined) {
      keys.areOwn = false
      const newest = await store.readTrustRoot(tenant.name)
      const mayBeOlder = newest?.sha256 !== fingerprint(trustFile)
      await checkLog({ ...options, mayBeOlder, section: given })
      return
    }
    const what = unnamed(tenant.origin)
    if (trustFile !== undefined && trustIsOfTenant === true)
      found({ index: null, part: 'database', what })
    else if (trustFile !== undefined) options.unsure(what)
    await checkLog({ ...options, mayBeOlder: false, section: await storedSection(store, tenant) })
  })
  await part(found, signal, () => checkDecisions(request, found, counted, options.unsure))
  await part(found, signal, () => checkIdempotency(request, found))
  await part(found, signal, () => checkStandings(request, found))
  await part(found, signal, () => checkApiKeys(request, tenant, found))
  await part(found, signal, () => checkWebhooks(request, tenant, found))
  await part(found, signal, () => checkTrustRoots(request, tenant, found))
  await part(found, signal, () => checkKeyStore(request, tenant, instance, pin?.epoch ?? 0, found))
  await part(found, signal, () => checkKeyLife(request, tenant, found))
  await part(found, signal, () => checkRows(request, tenant, instance, found))
  await part(found, signal, () => checkControl(request, tenant, instance, guarded, found))
  await part(found, signal, () => checkProposals(request, tenant, instance, proposed, found))
  const unchecked = [...unsure]
  if (request.unseal === undefined)
    unchecked.push(
      'Manifest of the key store: its tag needs its key provider, and is checked at every start',
    )
  if (isBehind)
    unchecked.push(
      `Rollback: this is an archive, kept for reading though the log went on to size ${request.pin?.size ?? 0}`,
    )
  else if (pin === undefined) unchecked.push('Rollback: the pin is not at hand')
  if (keys.areOwn)
    unchecked.push('Keys were taken from the newest trust root in the database itself')
  if (!signatures) unchecked.push('Signatures of entries')
  return {
    ...counted,
    conclusive: unsure.length === 0,
    count,
    findings,
    firstIndex,
    origin: tenant.origin,
    size: tenant.head.size,
    tenant: tenant.name,
    unchecked,
  }
}

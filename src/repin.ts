// Pinning logs again whose pins are lost. What is known of a log elsewhere takes the place of the pin, so that every check of it is made as at any start;
// that nothing newer is known is the word of whoever orders it, and the log says so.
import { encodeBase64 } from './base/base64.ts'
import { encodeHex, fromUtf8, utf8 } from './base/bytes.ts'
import { Failure } from './base/failure.ts'
import type { HeadStatement, Repinned } from './cli/composition.ts'
import { localCaller } from './cli/principal.ts'
import { sha256 } from './crypto/hash.ts'
import type { ServiceParts } from './decisions/local-service.ts'
import { parseTrustRoot, standingAt } from './dossier/trust-root.ts'
import { parseDossier } from './dossier/v1.ts'
import { standingTo } from './log/known-head.ts'
import { parsePinFile } from './log/pin.ts'
import { verifyCheckpoint, type Checkpoint } from './merkle/checkpoint.ts'
import {
  expectInstallation,
  openPins,
  openServiceStating,
  type ServiceSettings,
} from './open-service.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { StoreReader, Tenant } from './store/store.ts'
import { readCheckpointKeys } from './verify/check-trust-root.ts'
import { claimedCheckpoint } from './verify/verify-checkpoint.ts'

/** A tree head that somebody outside knows of one of our logs. */
interface Stated {
  readonly tenant: Tenant
  readonly head: Checkpoint
  /** By which both keys of the log vouch for it; undefined for a pin. */
  readonly note: string | undefined
  /** Of the key manifest, where a pin tells it. */
  readonly epoch: number
}

/** A statement as it was read: of a pin, or of a note. */
type Claim = Pick<Stated, 'epoch' | 'head' | 'note'>

const isNeither = (name: string): Failure =>
  new Failure('INPUT_MALFORMED', `Not a checkpoint, dossier or pin: ${name}`)

function noteOf({ bytes, name }: HeadStatement): string {
  const dossier = parseDossier(bytes)
  if (typeof dossier !== 'string') return dossier.checkpoint
  try {
    return fromUtf8(bytes)
  } catch {
    throw isNeither(name)
  }
}

function claimOf(statement: HeadStatement): Claim {
  const pin = parsePinFile(statement.bytes)
  if (pin !== undefined) return { epoch: pin.epoch, head: pin, note: undefined }
  const note = noteOf(statement)
  const head = claimedCheckpoint(note)
  if (typeof head === 'string') throw isNeither(statement.name)
  return { epoch: 0, head, note }
}

/** That both log keys of its size have signed a note, by the trust root that the database holds. */
async function isOwn(
  store: StoreReader,
  { name, origin }: Tenant,
  note: string,
  size: number,
): Promise<boolean> {
  const file = (await store.readTrustRoot(name))?.file
  const root = file === undefined ? 'missing' : parseTrustRoot(file)
  const section =
    typeof root === 'string' ? undefined : root.origins.find((one) => one.origin === origin)
  const keys = section === undefined ? undefined : readCheckpointKeys(section)
  if (keys === undefined || 'reason' in keys) return false
  const due = keys.logKeys.flatMap(({ trusted, vkey }) =>
    ['valid', 'revoked'].includes(standingAt(trusted, size)) ? [vkey] : [],
  )
  const verified = verifyCheckpoint(note, due)
  return 'checkpoint' in verified && due.length > 0 && verified.lines.length === due.length
}

async function readStatement(store: StoreReader, statement: HeadStatement): Promise<Stated> {
  const { name } = statement
  const claim = claimOf(statement)
  const { origin, size } = claim.head
  const tenant = (await store.listTenants()).find((one) => one.origin === origin)
  if (tenant === undefined)
    throw new Failure('INPUT_NOT_FOUND', `The log of ${name} is not here: ${origin}`)
  const refuse = (why: string): Failure =>
    new Failure('LOG_ROLLBACK', `Database of ${origin} ${why}, bring the right one back: ${name}`)
  const standing = await standingTo(store, tenant.name, tenant.head, claim.head)
  if (standing === 'behind') throw refuse(`has ${tenant.head.size} entries and not ${size}`)
  if (standing === 'forked') throw refuse(`has another root at size ${size}`)
  if (claim.note !== undefined && !(await isOwn(store, tenant, claim.note, size)))
    throw new Failure('INPUT_INVALID', `Not signed by both log keys of ${origin}: ${name}`)
  return { ...claim, tenant }
}

async function readStatements(
  settings: ServiceSettings,
  statements: readonly HeadStatement[],
): Promise<readonly Stated[]> {
  const store = await openSqliteStore({ mode: 'read', path: settings.data })
  try {
    const instance = await store.readInstance()
    if (instance === undefined) throw new Failure('STORE_CORRUPT', 'Instance is missing')
    const pins = openPins(settings, instance.id)
    try {
      const all: Stated[] = []
      for (const statement of statements) {
        const stated = await readStatement(store, statement)
        if ((await pins.read(stated.tenant.name)) !== undefined)
          throw new Failure('INPUT_EXISTS', `Log has its pin: ${stated.tenant.origin}`)
        all.push(stated)
      }
      return all
    } finally {
      await pins.close()
    }
  } finally {
    await store.close()
  }
}

/**
 * Pins logs again whose pins are lost, by tree heads that are known of them elsewhere; of several for one log the largest stands.
 * @throws {@link Failure} INPUT_*, LOG_ROLLBACK when a database does not hold the head, STORE_LOCKED while a server runs, KEK_*, as every start
 */
export async function repin(
  settings: ServiceSettings,
  report: ServiceParts['report'],
  statements: readonly HeadStatement[],
): Promise<readonly Repinned[]> {
  expectInstallation(settings.data)
  const newest = new Map<string, Stated>()
  for (const stated of await readStatements(settings, statements)) {
    const known = newest.get(stated.tenant.name)
    if (known === undefined || known.head.size < stated.head.size)
      newest.set(stated.tenant.name, stated)
  }
  const pins = [...newest].map(([name, { epoch, head }]) => [name, { ...head, epoch }] as const)
  const { confirm, service } = await openServiceStating(settings, new Map(pins), report)
  try {
    const done: Repinned[] = []
    // A log that is opened has passed every check, those of its witnesses included: none is told to go on, or pinned, before all have.
    for (const tenant of newest.keys()) await service.readTrustRoot(tenant)
    for (const [tenant, { head, note }] of newest) {
      const { origin, root, size } = head
      const detail = {
        by: note === undefined ? 'pin' : 'checkpoint',
        checkpoint: note === undefined ? null : encodeHex(sha256(utf8(note))),
        root: encodeBase64(root),
        size,
      }
      const { index } = await service.recordAct(
        tenant,
        { action: 'log.repin', detail, subject: tenant },
        localCaller(),
      )
      // Last of all: whoever is cut off before this has no pin, and is asked again.
      await confirm(tenant)
      done.push({ index, origin, size: index + 1, stated: size, tenant })
    }
    return done
  } finally {
    await service.close()
  }
}

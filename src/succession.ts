// The installation that goes on where the newest state of another is lost: new keys, new origins, and in each log an entry that names the one before it.
import { encodeBase64 } from './base/base64.ts'
import { encodeHex, utf8 } from './base/bytes.ts'
import { Failure } from './base/failure.ts'
import type { Restored } from './cli/composition.ts'
import { localCaller } from './cli/principal.ts'
import { sha256 } from './crypto/hash.ts'
import { firstTenant } from './data-directory.ts'
import type { BackupManifest } from './decisions/backup-manifest.ts'
import type { ServiceParts } from './decisions/local-service.ts'
import type { KnownHead } from './log/known-head.ts'
import { foundWithKekFile, type ServiceSettings } from './open-service.ts'
import type { Tenant } from './store/store.ts'

/** An installation of which a backup is left, and what is known of its logs. */
export interface Predecessor {
  readonly manifest: BackupManifest
  readonly tenants: readonly Tenant[]
  /** Prefix of the logs' origins. */
  readonly origin: string
  readonly known: readonly KnownHead[]
}

/** @throws {@link Failure} INPUT_INVALID when a log of the new origin would have the name of an old one */
export function refuseOldOrigin({ origin, tenants }: Predecessor, wanted: string): void {
  const same = tenants.find((tenant) => `${wanted}/${tenant.name}` === tenant.origin)
  if (wanted === origin || same !== undefined)
    throw new Failure('INPUT_INVALID', `New origin is the old one: ${wanted}`, { field: 'origin' })
}

/** What a log tells of the one before it: where that ended, as far as anybody knows; undefined where its backup has no log of this name. */
function endOf({ known, manifest }: Predecessor, name: string) {
  const log = manifest.logs.find((one) => one.name === name)
  if (log === undefined) return undefined
  const { checkpoint, origin, root, size } = log
  return {
    checkpoint: checkpoint === null ? null : encodeHex(sha256(utf8(checkpoint))),
    instance: manifest.instance,
    known: known
      .filter((head) => head.origin === origin)
      .map((head) => ({ root: encodeBase64(head.root), size: head.size, who: head.who })),
    origin,
    root: encodeBase64(root),
    size,
  }
}

/**
 * Founds the installation that goes on, and lets each of its logs name the one before it.
 * @throws {@link Failure} as {@link foundService}
 */
export async function foundSuccessor(
  settings: ServiceSettings,
  predecessor: Predecessor,
  origin: string,
  report: ServiceParts['report'],
): Promise<NonNullable<Restored['successor']>> {
  const { tenants } = predecessor
  const first = tenants.find(({ name }) => name === firstTenant)
  const founding = {
    origin,
    profile: first?.profile ?? 'each',
    public: first?.public ?? false,
  } as const
  if (settings.kek === 'memory' || settings.kek === 'in_memory')
    throw new Failure('CONFIG_INVALID', 'Memory keys die with this process: configure others')
  const { kekFile, provider, service } = await foundWithKekFile(settings, founding, report)
  try {
    for (const { name, profile, public: isPublic } of tenants) {
      if (name !== firstTenant)
        await service.createTenant(name, { profile, public: isPublic }, localCaller())
      const detail = endOf(predecessor, name)
      if (detail !== undefined)
        await service.recordAct(
          name,
          { action: 'log.succeed', detail, subject: name },
          localCaller(),
        )
    }
    const made = await service.listTenants()
    const logs = made.map((tenant) => ({ origin: tenant.origin, tenant: tenant.name }))
    return { instance: service.instance.id, kekFile, logs, provider }
  } finally {
    await service.close()
  }
}

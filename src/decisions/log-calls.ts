// The use cases of a tenant's log: its checkpoint, tiles and proofs, its trust root, and what is told it of copies that were taken out.
import { verifyDossier } from '../verify/verify-dossier.ts'
import type { Access } from './access.ts'
import { recordExport } from './export-record.ts'
import type { Service } from './service.ts'
import { publishTrustRoot, readCheckedTrustRoot } from './trust.ts'

type LogCalls = Pick<
  Service,
  | 'readTrustRoot'
  | 'exportTrustProof'
  | 'publishTrustRoot'
  | 'verify'
  | 'readCheckpoint'
  | 'readTile'
  | 'proveInclusion'
  | 'proveConsistency'
  | 'exportTlogProof'
  | 'recordExport'
>
type LogAccess = Pick<Access, 'clock' | 'read' | 'use'>

const publishEveryMs = 1000

/** The tree size of one of our own notes. */
const treeSizeOf = (note: string): number => Number(note.split('\n', 2)[1])

/** What is asked of logs. */
export function logCalls(access: LogAccess): LogCalls {
  const readTrustRoot: Service['readTrustRoot'] = async (tenant, version) =>
    access.use(tenant, async (room) => (await readCheckedTrustRoot(room, version)).file)
  return {
    readTrustRoot,

    exportTrustProof: async (tenant, version) =>
      access.read(tenant, (reading) => reading.exportTrustProof(tenant, version)),

    publishTrustRoot: async (tenant) =>
      access.use(tenant, async (room) => (await publishTrustRoot(room)).file),

    verify: async (tenant, dossier) => verifyDossier(dossier, await readTrustRoot(tenant)),

    readCheckpoint: publishCheckpoint(access),

    readTile: async (tenant, path) =>
      access.read(tenant, (reading) => reading.readTile(tenant, path)),

    proveInclusion: async (tenant, query) =>
      access.read(tenant, (reading) => reading.proveInclusion(tenant, query)),

    proveConsistency: async (tenant, first, second) =>
      access.read(tenant, (reading) => reading.proveConsistency(tenant, first, second)),

    exportTlogProof: async (tenant, index) =>
      access.read(tenant, (reading) => reading.exportTlogProof(tenant, index)),

    recordExport: async (tenant, record, by) =>
      access.use(tenant, (room) => recordExport(room, record, by)),
  }
}

/** The static tree advances at most once a second, so that caches in front of it are worth having. */
function publishCheckpoint(access: LogAccess): Service['readCheckpoint'] {
  const published = new Map<string, { readonly at: number; readonly note: string }>()
  return async (tenant) => {
    const now = access.clock()
    const last = published.get(tenant)
    if (last !== undefined && Math.abs(now - last.at) < publishEveryMs) return last.note
    const newest = await access.read(tenant, (reading) => reading.readCheckpoint(tenant, now))
    // What witnesses have cosigned may lie behind what was served while they were away.
    const note =
      last !== undefined && treeSizeOf(newest) < treeSizeOf(last.note) ? last.note : newest
    published.set(tenant, { at: now, note })
    return note
  }
}

// That evidence was taken out is evidence: who took which part of the log, told by the digest of what was taken.
import type { Caller } from '../dossier/matters.ts'
import { enterAdmin } from './admin-entry.ts'
import type { Room } from './room.ts'
import type { ExportRecord } from './service.ts'

/** Enters an export into the log; gives the index of the entry. */
export async function recordExport(
  room: Room,
  { sha256, ...detail }: ExportRecord,
  by: Caller,
): Promise<{ readonly index: number }> {
  const matter = { action: 'audit.export', by, detail, subject: sha256, time: room.clock() }
  return { index: (await enterAdmin(room, matter)).appended.index }
}

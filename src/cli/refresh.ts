// A dossier again, under today's checkpoint: for one whose own checkpoint stands under a log key that was revoked since. Nothing that the old one shows
// may be missing or other in the new one.
import { equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { parseDossier, type Dossier } from '../verify/index.ts'
import type { Context } from './command.ts'
import type { GlobalFlags, ReadingService } from './composition.ts'
import { exitCodes } from './complain.ts'
import { whileReading } from './evidence.ts'
import { readBounded, writeWhole } from './files.ts'
import { printable } from './terminal.ts'

/** The first line of a checkpoint names its log. */
const originOf = ({ checkpoint }: Dossier): string => checkpoint.slice(0, checkpoint.indexOf('\n'))

/** Undefined when the log has no such stream. */
async function exportAgain(service: ReadingService, old: Dossier): Promise<Uint8Array | undefined> {
  const origin = originOf(old)
  const tenant = (await service.listTenants()).find((one) => one.origin === origin)
  if (tenant === undefined)
    throw new Failure('INPUT_NOT_FOUND', `The log of this dossier is not here: ${origin}`)
  try {
    return await service.exportDossier(tenant.name, old.stream)
  } catch (error) {
    if (error instanceof Failure && error.code === 'INPUT_NOT_FOUND') return undefined
    throw error
  }
}

/** The first thing that the old dossier shows and the fresh one does not, if anything. */
function difference(old: Dossier, fresh: Dossier): string | undefined {
  const citedAnew = new Map(fresh.cited.map((entry) => [entry.index, entry.leaf]))
  const isErased = fresh.entries[0]?.payload === null
  // What an erased decision cited cannot be told any more.
  const uncited = old.cited.find(({ index, leaf }) => {
    const now = citedAnew.get(index)
    return now === undefined ? !isErased : !equalBytes(now, leaf)
  })
  if (uncited !== undefined) return `Entry ${uncited.index} is not the policy of the log`
  const lost = old.entries.find(({ index, leaf }) => {
    const now = fresh.entries.find((entry) => entry.index === index)
    return now === undefined || !equalBytes(now.leaf, leaf)
  })
  if (lost === undefined) return undefined
  return fresh.entries.some(({ index }) => index === lost.index)
    ? `Entry ${lost.index} has another leaf in the log`
    : `Entry ${lost.index} is not in the log’s stream ${old.stream}`
}

/** How many entries had their content in the old dossier and have it no more. */
const erasedSince = (old: Dossier, fresh: Dossier): number =>
  old.entries.filter(
    ({ index, payload }) =>
      payload !== null && fresh.entries.find((entry) => entry.index === index)?.payload === null,
  ).length

/** `dossier refresh FILE` */
export async function refreshDossier(
  context: Context,
  name: string,
  flags: GlobalFlags & { readonly output?: string },
): Promise<number> {
  const { err, io, out } = context
  const { output = '-', ...globals } = flags
  const refuse = (why: string): number => {
    err.note(`countersign: ${printable(name)}: ${printable(why)}\n`)
    return exitCodes.badEvidence
  }
  const old = parseDossier(await readBounded(io.cwd, name, limits.dossierBytes))
  if (typeof old === 'string') return refuse(old)
  const file = await whileReading(context, globals, (service) => exportAgain(service, old))
  if (file === undefined) return refuse(`The log has no stream ${old.stream}`)
  const fresh = parseDossier(file)
  if (typeof fresh === 'string') throw new Failure('BUG', `Dossier cannot be read: ${fresh}`)
  const why = difference(old, fresh)
  if (why !== undefined) return refuse(why)
  if (output === '-') await out.write(file)
  else await writeWhole(io.cwd, output, file)
  const erased = erasedSince(old, fresh)
  if (erased > 0) err.note(`Erased since, the old file still has the content: entries ${erased}\n`)
  const more = fresh.entries.length - old.entries.length
  err.note(`${old.entries.length} entries as before, ${more} more\n`)
  return exitCodes.done
}

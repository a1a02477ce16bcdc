// Pinning a log again whose pin is lost.
import { limits } from '../base/limits.ts'
import type { Context } from './command.ts'
import type { GlobalFlags, HeadStatement } from './composition.ts'
import { exitCodes } from './complain.ts'
import { readBounded } from './files.ts'
import { jsonLine, printable } from './terminal.ts'

/** Flags of `log repin`. */
export interface RepinFlags extends GlobalFlags {
  readonly checkpoint: readonly string[]
  readonly json?: boolean
}

/** `log repin --checkpoint FILE…` */
export async function repin(
  { compose, err, io, out }: Context,
  flags: RepinFlags,
): Promise<number> {
  const { checkpoint, json, ...globals } = flags
  const statements: HeadStatement[] = []
  for (const name of checkpoint)
    statements.push({ bytes: await readBounded(io.cwd, name, limits.dossierBytes), name })
  for (const done of await (await compose()).repin(globals, statements))
    await out.write(
      json === true
        ? jsonLine(done)
        : `repinned  ${printable(done.origin)}  known size ${done.stated}  pinned size ${done.size}  told by entry ${done.index}\n`,
    )
  err.note(
    'Whoever holds a later checkpoint of these logs than the one you gave can show that entries are missing\n',
  )
  return exitCodes.done
}

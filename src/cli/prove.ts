// Proofs out of the log, for whoever verifies with tools that know only Merkle trees.
import { isUuid } from '../base/uuid.ts'
import type { Context, TenantFlags } from './command.ts'
import type { ReadingService } from './composition.ts'
import { exitCodes, Usage } from './complain.ts'
import { whileReading } from './evidence.ts'
import { writeWhole } from './files.ts'
import { utf8 } from '../base/bytes.ts'
import { jsonLine, printable } from './terminal.ts'

/** Flags of `log proof`. */
export interface ProofFlags extends TenantFlags {
  readonly output?: string
}

/** The index of a leaf that is named by its index, its hash, or the id of its decision. */
async function indexOf(service: ReadingService, tenant: string, leaf: string): Promise<number> {
  if (/^\d{1,15}$/.test(leaf)) return Number(leaf)
  if (/^[0-9a-f]{64}$/.test(leaf))
    return (await service.proveInclusion(tenant, { leafHash: leaf })).leafIndex
  if (isUuid(leaf)) return (await service.readDecision(tenant, leaf)).index
  throw new Usage(`Neither an index, nor a leaf hash in hexadecimal, nor a decision’s id: ${leaf}`)
}

/** `log proof LEAF` */
export async function proveLeaf(
  context: Context,
  leaf: string,
  flags: ProofFlags,
): Promise<number> {
  const { err, io, out } = context
  const [index, file] = await whileReading(context, flags, async (service) => {
    const at = await indexOf(service, flags.tenant, leaf)
    return [at, utf8(await service.exportTlogProof(flags.tenant, at))] as const
  })
  const { output = '-' } = flags
  if (output === '-') await out.write(file)
  else {
    await writeWhole(io.cwd, output, file)
    err.note(`${printable(output)}: leaf ${index}, ${file.length} bytes\n`)
  }
  return exitCodes.done
}

/** `log consistency FIRST SECOND` */
export async function proveGrowth(
  context: Context,
  [first, second]: readonly [number, number],
  flags: TenantFlags,
): Promise<number> {
  const proof = await whileReading(context, flags, (service) =>
    service.proveConsistency(flags.tenant, first, second),
  )
  const { consistencyPath, firstRoot, firstSize, secondRoot, secondSize } = proof
  await context.out.write(
    flags.json === true
      ? jsonLine(proof)
      : [
          `${firstSize} ${firstRoot}`,
          `${secondSize} ${secondRoot}`,
          ...consistencyPath.map((hash) => `path ${hash}`),
          '',
        ].join('\n'),
  )
  return exitCodes.done
}

// Taking evidence out: dossiers and trust roots as files, and what may be undone of them, their content.
import { limits } from '../base/limits.ts'
import { fingerprint, parseTrustRoot, updateTrustRoot } from '../verify/index.ts'
import type { Context, TenantFlags } from './command.ts'
import type { ReadingService } from './composition.ts'
import { exitCodes } from './complain.ts'
import { readBounded, writeWhole } from './files.ts'
import { localPrincipal } from './principal.ts'
import { jsonLine, printable } from './terminal.ts'

/** Flags of what writes a file. */
export interface ExportFlags extends TenantFlags {
  readonly output?: string
  readonly version?: number
}

/** Runs `work` on the data directory opened for reading. */
export async function whileReading<T>(
  { compose }: Context,
  flags: TenantFlags,
  work: (service: ReadingService) => Promise<T>,
): Promise<T> {
  const service = await (await compose()).openReading(flags)
  try {
    return await work(service)
  } finally {
    await service.close()
  }
}

/** `dossier export ID` */
export async function exportDossier(
  context: Context,
  stream: string,
  flags: ExportFlags,
): Promise<number> {
  const { output = '-' } = flags
  const file = await whileReading(context, flags, (service) =>
    service.exportDossier(flags.tenant, stream),
  )
  if (output === '-') await context.out.write(file)
  else {
    await writeWhole(context.io.cwd, output, file)
    context.err.note(`${printable(output)}: ${file.length} bytes\n`)
  }
  return exitCodes.done
}

async function deliverTrustRoot(
  { err, io, out }: Context,
  file: Uint8Array,
  { json, output = '-' }: ExportFlags,
): Promise<void> {
  if (output === '-') {
    await out.write(file)
    return
  }
  await writeWhole(io.cwd, output, file)
  const sha256 = fingerprint(file)
  const parsed = parseTrustRoot(file)
  const version = typeof parsed === 'string' ? null : parsed.version
  // As sha256sum prints it, so that `sha256sum -c` reads it.
  await out.write(
    json === true
      ? jsonLine({ file: output, sha256, version })
      : `${sha256}  ${printable(output)}\n`,
  )
  err.note(
    `trust root version ${version ?? '?'}: tell others its fingerprint by another way than the file\n`,
  )
}

/** `trust-root` */
export async function exportTrustRoot(context: Context, flags: ExportFlags): Promise<number> {
  const file = await whileReading(context, flags, (service) =>
    service.readTrustRoot(flags.tenant, flags.version),
  )
  await deliverTrustRoot(context, file, flags)
  return exitCodes.done
}

/** `trust-root publish` */
export async function publishTrustRoot(context: Context, flags: ExportFlags): Promise<number> {
  const service = await (await context.compose()).openService(flags)
  try {
    await deliverTrustRoot(context, await service.publishTrustRoot(flags.tenant), flags)
  } finally {
    await service.close()
  }
  return exitCodes.done
}

/** `trust-root update OLD NEW` */
export async function judgeTrustRootUpdate(
  { io, out }: Context,
  older: string,
  newer: string,
  flags: { readonly dossier: readonly string[]; readonly json?: boolean },
): Promise<number> {
  const read = (name: string): Promise<Uint8Array> =>
    readBounded(io.cwd, name, limits.trustRootBytes)
  const files = [await read(older), await read(newer)] as const
  const proofs: Uint8Array[] = []
  for (const name of flags.dossier)
    proofs.push(await readBounded(io.cwd, name, limits.dossierBytes))
  const update = updateTrustRoot(...files, proofs)
  if (flags.json === true) await out.write(jsonLine({ file: newer, ...update }))
  else {
    const failed = update.checks.find(({ ok }) => !ok)
    const said = failed === undefined ? update.fingerprint : `${failed.name}: ${failed.reason}`
    await out.write(
      `${(update.ok ? 'valid' : 'invalid').padEnd(12)}  ${printable(newer)}  ${printable(said)}\n`,
    )
  }
  return update.ok ? exitCodes.done : exitCodes.badEvidence
}

/** `erase ID` */
export async function erase(
  { compose, out }: Context,
  id: string,
  flags: TenantFlags & { readonly reason: string },
): Promise<number> {
  const service = await (await compose()).openService(flags)
  try {
    const principal = await localPrincipal(service, flags.tenant)
    const { index } = await service.erase(principal, id, flags.reason)
    await out.write(
      flags.json === true
        ? jsonLine({ id, index })
        : `erased  ${printable(id)}  proved by entry ${index}\n`,
    )
  } finally {
    await service.close()
  }
  return exitCodes.done
}

// Taking evidence out: dossiers and trust roots as files, and what may be undone of them, their content.
import { utf8 } from '../base/bytes.ts'
import { limits } from '../base/limits.ts'
import { fingerprint, parseTrustRoot, updateTrustRoot, type TrustUpdate } from '../verify/index.ts'
import type { Context, TenantFlags } from './command.ts'
import type { GlobalFlags, ReadingService } from './composition.ts'
import { exitCodes, Usage } from './complain.ts'
import { readBounded, writeWhole } from './files.ts'
import { localPrincipal } from './principal.ts'
import { jsonLine, printable } from './terminal.ts'
import { underTwoKeys, type TwoKeyFlags } from './two-keys.ts'

/** Flags of what writes a file. */
export interface ExportFlags extends TenantFlags {
  readonly output?: string
  readonly version?: number
}

/** Runs `work` on the data directory opened for reading. */
export async function whileReading<T>(
  { compose }: Context,
  flags: GlobalFlags,
  work: (service: ReadingService) => Promise<T>,
): Promise<T> {
  const service = await (await compose()).openReading(flags)
  try {
    return await work(service)
  } finally {
    await service.close()
  }
}

/** Flags of `dossier bundle`. */
export interface BundleFlags extends ExportFlags {
  readonly publicKey?: string
}

/** `dossier bundle ID` */
export async function exportBundle(
  context: Context,
  id: string,
  flags: BundleFlags,
): Promise<number> {
  const service = await (await context.compose()).openService(flags)
  try {
    const { bundle, publicKey } = await service.exportSigstoreBundle(flags.tenant, id)
    if (flags.publicKey !== undefined)
      await writeWhole(context.io.cwd, flags.publicKey, utf8(publicKey))
    return await deliverDossier(context, bundle, flags)
  } finally {
    await service.close()
  }
}

async function deliverDossier(
  context: Context,
  file: Uint8Array,
  { output = '-' }: ExportFlags,
): Promise<number> {
  if (output === '-') await context.out.write(file)
  else {
    await writeWhole(context.io.cwd, output, file)
    context.err.note(`${printable(output)}: ${file.length} bytes\n`)
  }
  return exitCodes.done
}

/** `dossier export ID` */
export async function exportDossier(
  context: Context,
  stream: string,
  flags: ExportFlags,
): Promise<number> {
  const file = await whileReading(context, flags, (service) =>
    service.exportDossier(flags.tenant, stream),
  )
  return deliverDossier(context, file, flags)
}

/** `trust-root proof` */
export async function exportTrustProof(
  context: Context,
  flags: ExportFlags & { readonly version: number },
): Promise<number> {
  const file = await whileReading(context, flags, (service) =>
    service.exportTrustProof(flags.tenant, flags.version),
  )
  return deliverDossier(context, file, flags)
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

/** Flags of `trust-root update`. */
export interface UpdateFlags {
  readonly dossier: readonly string[]
  readonly sha256?: string
  readonly json?: boolean
}

/** What becomes of a step: refused, not to be told without its fingerprint, or taken. */
function judged({ checks, fingerprint: sha256 }: TrustUpdate): readonly [string, string, number] {
  const failed = checks.find(({ outcome }) => outcome === 'fail') ?? checks.find(({ ok }) => !ok)
  if (failed === undefined) return ['valid', sha256, exitCodes.done]
  const said = `${failed.name}: ${failed.reason}`
  return failed.outcome === 'inconclusive'
    ? ['inconclusive', said, exitCodes.inconclusive]
    : ['invalid', said, exitCodes.badEvidence]
}

/** `trust-root update OLD NEW` */
export async function judgeTrustRootUpdate(
  { io, out }: Context,
  older: string,
  newer: string,
  { dossier, json, sha256 }: UpdateFlags,
): Promise<number> {
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256))
    throw new Usage('A SHA-256 is 64 hexadecimal digits: --sha256')
  const read = (name: string): Promise<Uint8Array> =>
    readBounded(io.cwd, name, limits.trustRootBytes)
  const files = [await read(older), await read(newer)] as const
  const proofs: Uint8Array[] = []
  for (const name of dossier) proofs.push(await readBounded(io.cwd, name, limits.dossierBytes))
  const update = updateTrustRoot(...files, proofs, sha256 === undefined ? {} : { sha256 })
  const [verdict, said, exit] = judged(update)
  await out.write(
    json === true
      ? jsonLine({ file: newer, ...update })
      : `${verdict.padEnd(12)}  ${printable(newer)}  ${printable(said)}\n`,
  )
  return exit
}

/** `erase ID` */
export const erase = (
  context: Context,
  id: string,
  flags: TwoKeyFlags & { readonly reason: string },
): Promise<number> =>
  underTwoKeys(
    context,
    flags,
    () => Promise.resolve({ action: 'erase', decision: id, reason: flags.reason }),
    (action) => eraseNow(context, id, flags, action),
  )

async function eraseNow(
  { compose, out }: Context,
  id: string,
  flags: TenantFlags & { readonly reason: string },
  action: string | undefined,
): Promise<number> {
  const service = await (await compose()).openService(flags)
  try {
    const principal = await localPrincipal(service, flags.tenant)
    const { index } = await service.erase(principal, id, flags.reason, action)
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

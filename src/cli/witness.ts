// Running a witness: its keys, the logs it knows, and what it has cosigned. It needs no installation; everything of it lies in one directory.
import { resolve } from 'node:path'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import type { OriginSection } from '../dossier/trust-root.ts'
import { createWitness, openWitness, peekWitness } from '../log/witness.ts'
import type { WitnessedLog } from '../log/witness-state.ts'
import { formatVkey, type Vkey } from '../merkle/note.ts'
import { sectionsProblem } from '../verify/check-trust-root.ts'
import { fingerprint, parseTrustRoot } from '../verify/index.ts'
import type { Context } from './command.ts'
import type { WitnessFlags } from './composition.ts'
import { exitCodes, Usage } from './complain.ts'
import { readBounded } from './files.ts'
import { listenForInterrupt } from './interrupt.ts'
import { date, formatTable, jsonLine, printable } from './terminal.ts'

/** Flags of the commands about a witness. */
export interface WitnessCommandFlags {
  readonly state: string
  readonly json?: boolean
}

/** A witness in a policy: its two keys in a group, so that they never count as two witnesses. */
function policyLines(vkeys: readonly Vkey[], url: string): string {
  const lines = vkeys.map((vkey) => `witness ${nameOf(vkey)} ${formatVkey(vkey)} ${url}\n`)
  const [first] = vkeys
  const group = first === undefined ? [] : [first.name, 'all', ...vkeys.map(nameOf)]
  return `${lines.join('')}group ${group.join(' ')}\n`
}

const nameOf = ({ name, type }: Vkey): string => `${name}/${type === 4 ? 'ed25519' : 'ml-dsa-44'}`

function told(name: string, vkeys: readonly Vkey[], json: boolean | undefined): string {
  return json === true
    ? jsonLine({ name, vkeys: vkeys.map(formatVkey) })
    : policyLines(vkeys, 'URL')
}

/** `witness init NAME` */
export async function initWitness(
  { err, io, out }: Context,
  name: string,
  { json, state }: WitnessCommandFlags,
): Promise<number> {
  const directory = resolve(io.cwd, state)
  await createWitness(directory, name)
  const { vkeys } = peekWitness(directory)
  await out.write(told(name, vkeys, json))
  err.note(
    `Its private keys lie in ${printable(directory)}/witness.key. Keep the directory, and never put back an older copy of it: a witness that forgets is none.\n`,
  )
  return exitCodes.done
}

/** `witness serve` */
export async function serveWitness(
  { compose, err, io, out }: Context,
  { json, ...flags }: WitnessFlags & { readonly json?: boolean },
): Promise<number> {
  const server = await (await compose()).serveWitness(flags)
  const { url, vkeys } = server
  const interrupt = listenForInterrupt(io.signals)
  try {
    const told = json === true ? jsonLine({ url, vkeys: vkeys.map(formatVkey) }) : `${url}\n`
    await out.write(told).catch(async (error: unknown) => {
      await server.close()
      throw error
    })
    if (json !== true) err.note(policyLines(vkeys, url))
    await interrupt.asked
    const closed = server.close().then(() => exitCodes.done)
    return await Promise.race([closed, interrupt.insisted])
  } finally {
    interrupt.stop()
  }
}

/** The verifier keys of what a witness may still be asked to cosign: also of older ones whose last checkpoint lies beyond what it has. */
const usableVkeys = ({ logKeys }: OriginSection, cosigned: number): readonly string[] =>
  logKeys
    .filter(({ revokedAt, to }) => revokedAt === null && (to === null || to - 1 > cosigned))
    .map(({ vkey }) => vkey)

/**
 * A trust root from before what a witness knows would give keys back to the log that it has put away.
 * @throws {@link Failure} INPUT_INVALID
 */
function refuseOlder(
  { asOf, logKeys, origin }: OriginSection,
  known: WitnessedLog | undefined,
): void {
  const unknown = known?.vkeys
    .map(formatVkey)
    .find((text) => !logKeys.some(({ vkey }) => vkey === text))
  if (asOf.size < (known?.asOf ?? 0) || (known?.asOf !== undefined && unknown !== undefined))
    throw new Failure(
      'INPUT_INVALID',
      `Trust root is older than the one that this witness has its keys from, give the newest (to go back, name the keys): ${origin}`,
    )
}

async function readTrusted({ err, io }: Context, name: string): Promise<readonly OriginSection[]> {
  const file = await readBounded(io.cwd, name, limits.trustRootBytes)
  const trustRoot = parseTrustRoot(file)
  const problem = typeof trustRoot === 'string' ? trustRoot : sectionsProblem(trustRoot)?.reason
  if (typeof trustRoot === 'string' || problem !== undefined)
    throw new Failure('INPUT_INVALID', `Trust root cannot be used: ${problem ?? ''}`)
  err.note(`trust root ${fingerprint(file)}  ${printable(name)}  version ${trustRoot.version}\n`)
  return trustRoot.origins
}

const viewLog = ({ latest, origin, vkeys }: WitnessedLog) => ({
  origin,
  vkeys: vkeys.map(formatVkey),
  size: latest?.size ?? null,
  time: latest === null ? null : latest.time * 1000,
})

const logRow = ({ latest, origin, vkeys }: WitnessedLog): readonly string[] => [
  printable(origin),
  `${vkeys.length} keys`,
  latest === null ? 'nothing cosigned' : `size ${latest.size}`,
  latest === null ? '' : date(latest.time * 1000),
]

/** `witness add-log` */
export async function addLog(
  context: Context,
  [origin, ...vkeys]: readonly string[],
  { json, state, trust }: WitnessCommandFlags & { readonly trust?: string },
): Promise<number> {
  const { io, out } = context
  if ((trust === undefined) === (origin === undefined))
    throw new Usage('Either --trust or an origin with its verifier keys is expected')
  const sections = trust === undefined ? [] : await readTrusted(context, trust)
  const witness = await openWitness(resolve(io.cwd, state), Date.now)
  try {
    const known = new Map(witness.logs().map((log) => [log.origin, log]))
    for (const section of sections) refuseOlder(section, known.get(section.origin))
    const wanted =
      origin === undefined
        ? sections.map((one) => {
            const cosigned = known.get(one.origin)?.latest?.size ?? 0
            return [one.origin, usableVkeys(one, cosigned), one.asOf.size] as const
          })
        : [[origin, vkeys, undefined] as const]
    for (const [name, keys, asOf] of wanted) {
      const log = witness.putLog(name, keys, asOf)
      await out.write(json === true ? jsonLine(viewLog(log)) : formatTable([logRow(log)]))
    }
  } finally {
    witness.close()
  }
  return exitCodes.done
}

/** `witness status` */
export async function witnessStatus(
  { io, out }: Context,
  { json, state }: WitnessCommandFlags,
): Promise<number> {
  const { logs, name, vkeys } = peekWitness(resolve(io.cwd, state))
  await out.write(
    json === true
      ? jsonLine({ name, vkeys: vkeys.map(formatVkey), logs: logs.map(viewLog) })
      : `${policyLines(vkeys, 'URL')}${logs.length === 0 ? 'no logs: run countersign witness add-log\n' : formatTable(logs.map(logRow))}`,
  )
  return exitCodes.done
}

// Following a log that one does not trust, and judging evidence against one. Both need a trust root and no installation.
import { resolve } from 'node:path'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import type { OriginSection, TrustRoot } from '../dossier/trust-root.ts'
import { LogSource } from '../log/log-source.ts'
import { MonitorState } from '../log/monitor-state.ts'
import { isOfSource, Monitor, type Look } from '../log/monitor.ts'
import { checkTrustRoot } from '../verify/check-trust-root.ts'
import { fingerprint, parseTrustRoot, verifyLogEvidence } from '../verify/index.ts'
import type { Context } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { readBounded, writeWhole } from './files.ts'
import { listenForInterrupt, signalExit, type Interrupt } from './interrupt.ts'
import { Meter } from './progress.ts'
import { jsonLine, printable } from './terminal.ts'

/** Flags of `monitor`. */
export interface MonitorFlags {
  readonly trust?: string
  readonly state?: string
  readonly evidence?: string
  readonly once?: boolean
  /** Seconds. */
  readonly interval: number
  /** Name of the variable that holds a bearer token. */
  readonly tokenEnv?: string
  readonly json?: boolean
}

const timeoutMs = 10_000

async function readTrust({ err, io }: Context, name: string): Promise<TrustRoot> {
  const file = await readBounded(io.cwd, name, limits.trustRootBytes)
  const trustRoot = parseTrustRoot(file)
  const problem = typeof trustRoot === 'string' ? trustRoot : checkTrustRoot(trustRoot)?.reason
  if (typeof trustRoot === 'string' || problem !== undefined)
    throw new Failure('INPUT_INVALID', `Trust root cannot be used: ${problem ?? ''}`)
  err.note(`trust root ${fingerprint(file)}  ${printable(name)}  version ${trustRoot.version}\n`)
  return trustRoot
}

/** The log of a trust root that is served: the only one, the one that was seen before, or the one that the checkpoint names. */
async function findSection(
  { origins }: TrustRoot,
  source: LogSource,
  seen: string | undefined,
): Promise<OriginSection> {
  const [only] = origins
  if (only !== undefined && origins.length === 1) return only
  const origin = seen ?? (await source.checkpoint()).split('\n', 1)[0] ?? ''
  const section = origins.find((one) => one.origin === origin)
  if (section === undefined)
    throw new Failure(
      seen === undefined ? 'INPUT_NOT_FOUND' : 'CONFIG_INVALID',
      `Trust root does not know this log: ${origin}`,
    )
  return section
}

function tokenOf({ io }: Context, name: string | undefined): string | undefined {
  const token = name === undefined ? undefined : io.env[name]
  if (name !== undefined && (token === undefined || token === ''))
    throw new Usage(`Environment variable is not set: ${name}`)
  return token
}

function told(look: Look): string {
  switch (look.outcome) {
    case 'verified':
      return `verified  size ${look.from} -> ${look.size}  witnesses ${look.witnesses}${look.quorum ? '' : '  quorum missing'}\n`
    case 'stale':
      return `stale  size ${look.size}, seen before ${look.seen}\n`
    case 'evidence':
      return `evidence  ${look.claim}  ${printable(look.reason)}\n`
    case 'unproved':
      return `unproved  ${printable(look.reason)}\n`
  }
}

function exitOf(look: Look): number {
  if (look.outcome === 'evidence') return exitCodes.badEvidence
  const isProved = look.outcome === 'stale' || (look.outcome === 'verified' && look.quorum)
  return isProved ? exitCodes.done : exitCodes.inconclusive
}

/** Tells what a look came to, with its evidence in a file. */
async function tell(
  { err, io, out }: Context,
  look: Look,
  { evidence, json, state = '' }: MonitorFlags,
): Promise<void> {
  const file = look.outcome === 'evidence' ? (evidence ?? `${state}.evidence.json`) : null
  if (look.outcome === 'evidence' && file !== null) await writeWhole(io.cwd, file, look.file)
  await out.write(json === true ? jsonLine({ ...look, file }) : told(look))
  if (file !== null)
    err.note(
      `${printable(file)}: whoever has the trust root checks it by countersign monitor check\n`,
    )
}

/** By what one state of a log is told from another: that it has other numbers is no news. */
const stateOf = (said: string): string => said.replaceAll(/\d+/g, '')

/** Whether a look is worth a line when it is one of many. */
function isNews(look: Look, state: string, before: string): boolean {
  if (look.outcome === 'evidence') return true
  if (look.outcome !== 'verified') return state !== before
  return look.from !== look.size || (state !== before && (before !== '' || !look.quorum))
}

async function sleep(seconds: number, interrupt: Interrupt): Promise<void> {
  const { promise, resolve: wake } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => {
    wake(undefined)
  }, seconds * 1000)
  await Promise.race([promise, interrupt.asked])
  clearTimeout(timer)
}

/** Looks at the log, again and again unless once is enough; only evidence ends that, and nothing else that the log answers. */
async function follow(
  context: Context,
  look: () => Promise<Look>,
  flags: MonitorFlags,
  interrupt: Interrupt,
): Promise<number> {
  let before = ''
  for (;;) {
    let now: string
    try {
      const found = await look()
      now = stateOf(told(found))
      if (flags.once === true || isNews(found, now, before)) await tell(context, found, flags)
      if (flags.once === true || found.outcome === 'evidence') return exitOf(found)
    } catch (error) {
      if (flags.once === true || !isOfSource(error) || interrupt.received !== undefined) throw error
      now = stateOf(error.message)
      if (now !== before) context.err.note(`countersign: ${printable(error.message)}\n`)
    }
    before = now
    await sleep(flags.interval, interrupt)
    if (interrupt.received !== undefined) return exitCodes.done
  }
}

/** `monitor URL` */
export async function monitor(context: Context, url: string, flags: MonitorFlags): Promise<number> {
  const { err, io } = context
  const { state: stateFile, trust } = flags
  // Asked for here, because a command with others below it cannot demand options of its own alone.
  if (trust === undefined || stateFile === undefined)
    throw new Usage('Options are expected: --trust and --state')
  const trustRoot = await readTrust(context, trust)
  const token = tokenOf(context, flags.tokenEnv)
  const interrupt = listenForInterrupt(io.signals)
  const meter = new Meter(err, 'entries')
  try {
    const source = new LogSource({ signal: interrupt.signal, timeoutMs, token, url })
    const state = await MonitorState.open(resolve(io.cwd, stateFile))
    try {
      let watching: Monitor | undefined
      const look = async (): Promise<Look> => {
        watching ??= new Monitor({
          progress: (done, total) => {
            meter.show(done, total)
          },
          section: await findSection(trustRoot, source, state.origin),
          signal: interrupt.signal,
          source,
          state,
        })
        return watching.look()
      }
      return await follow(context, look, flags, interrupt)
    } finally {
      meter.clear()
      state.close()
    }
  } catch (error) {
    if (interrupt.received === undefined) throw error
    err.note('countersign: Interrupted; run it again and it goes on from here\n')
    return signalExit[interrupt.received]
  } finally {
    interrupt.stop()
  }
}

/** `monitor check EVIDENCE` */
export async function checkEvidence(
  context: Context,
  name: string,
  { json, trust }: { readonly trust: string; readonly json?: boolean },
): Promise<number> {
  const { err, io, out } = context
  const trustFile = await readBounded(io.cwd, trust, limits.trustRootBytes)
  const file = await readBounded(io.cwd, name, limits.trustRootBytes)
  const report = verifyLogEvidence(file, trustFile)
  const { claim, origin, reason, verdict } = report
  if (json !== true) err.note(`trust root ${fingerprint(trustFile)}  ${printable(trust)}\n`)
  await out.write(
    json === true
      ? jsonLine({ file: name, ...report, trustRoot: fingerprint(trustFile) })
      : `${[verdict.padEnd(12), printable(name), claim ?? '-', printable(origin ?? '-'), printable(reason)].join('  ')}\n`,
  )
  if (verdict === 'proved') return exitCodes.done
  return verdict === 'inconclusive' ? exitCodes.inconclusive : exitCodes.badEvidence
}

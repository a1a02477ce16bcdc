// Verifying without an installation: dossiers, a trust root and nothing else. One line a file, exit 0 only when every one is valid.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { limits } from '../base/limits.ts'
import { parseEntryBundle, tilePath } from '../merkle/tiles.ts'
import {
  fingerprint,
  isTlogProof,
  parseDossier,
  parseTrustRoot,
  verifyDossier,
  verifyTlogProof,
  type PeriodReport,
  type Report,
} from '../verify/index.ts'
import { decisiveCheck } from '../verify/period-report.ts'
import { claimedCheckpoint } from '../verify/verify-checkpoint.ts'
import type { Context } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { expectReadable, readBounded } from './files.ts'
import { Interrupted, listenForInterrupt } from './interrupt.ts'
import { Meter } from './progress.ts'
import { jsonLine, printable } from './terminal.ts'
import { isPeriodFile, judgePeriod, openEvidence } from './verify-period.ts'

/** Flags of `verify`. */
export interface VerifyFlags {
  readonly trust: string
  readonly trustSha256?: string
  readonly entries?: string
  readonly json?: boolean
}

type AnyReport = Report | PeriodReport

/** The check that made the verdict what it is. */
function decisive({ checks, verdict }: AnyReport): string {
  const found = decisiveCheck(checks, verdict)
  return found === undefined ? 'nothing could be checked' : `${found.name}: ${found.reason}`
}

/** What is said of good evidence. */
const merits = (report: AnyReport): readonly string[] =>
  'summary' in report
    ? [report.summary, `assurance ${report.assurance}`]
    : [
        report.status ?? report.stream ?? '',
        `assurance ${report.assurance}`,
        `complete ${report.complete}`,
      ]

function line(file: string, width: number, report: AnyReport): string {
  // A period that holds something erased still shows that nothing is missing.
  const whole = 'whole' in report && report.whole && report.verdict !== 'invalid'
  const said = report.ok ? [] : [decisive(report)]
  if (report.ok || whole) said.push(...merits(report))
  return `${[report.verdict.padEnd(12), printable(file).padEnd(width), ...said.map(printable)].join('  ')}\n`
}

/** The widest bundle of a place that a copy of the log holds. */
function readBundle(directory: string, n: number): Uint8Array | undefined {
  const path = join(directory, 'tile', tilePath('entries', n, 256))
  const read = (file: string): Uint8Array | undefined => {
    try {
      return readFileSync(file)
    } catch {
      return undefined
    }
  }
  const full = read(path)
  if (full !== undefined) return full
  try {
    const widths = readdirSync(`${path}.p`).map(Number).filter(Number.isInteger)
    return widths.length === 0 ? undefined : read(join(`${path}.p`, String(Math.max(...widths))))
  } catch {
    return undefined
  }
}

/** The leaves of a copy of the log's static tree, as far as it goes. */
export function* readLeaves(directory: string): Generator<Uint8Array, void, undefined> {
  for (let n = 0; ; n++) {
    const bundle = readBundle(directory, n)
    const leaves = bundle === undefined ? undefined : parseEntryBundle(bundle)
    if (leaves === undefined) return
    yield* leaves
    if (leaves.length < 256) return
  }
}

function announceTrustRoot({ err }: Context, name: string, file: Uint8Array): void {
  const parsed = parseTrustRoot(file)
  const what = typeof parsed === 'string' ? printable(parsed) : `version ${parsed.version}`
  err.note(`trust root ${fingerprint(file)}  ${printable(name)}  ${what}\n`)
}

const severity: Readonly<Record<Report['verdict'], number>> = {
  valid: exitCodes.done,
  erased: exitCodes.inconclusive,
  inconclusive: exitCodes.inconclusive,
  unprovable: exitCodes.inconclusive,
  invalid: exitCodes.badEvidence,
}

/** Bad evidence outweighs what is inconclusive. */
const exitOf = (verdicts: readonly Report['verdict'][]): number => {
  const codes = verdicts.map((verdict) => severity[verdict])
  if (codes.includes(exitCodes.badEvidence)) return exitCodes.badEvidence
  return Math.max(exitCodes.done, ...codes)
}

const isUrl = (text: string): boolean => /^https?:\/\//.test(text)

async function checkUsage(
  { io }: Context,
  files: readonly string[],
  { entries, trust, trustSha256 }: VerifyFlags,
): Promise<void> {
  if (trustSha256 !== undefined && !/^[0-9a-f]{64}$/i.test(trustSha256))
    throw new Usage('A SHA-256 is 64 hexadecimal digits: --trust-sha256')
  // All are looked for before any is judged: exit 2 must not hide that some evidence is bad.
  for (const file of [trust, ...files]) await expectReadable(io.cwd, file)
  expectEntries(io.cwd, entries)
}

/** Refuses a directory without a copy of a log. @throws {@link Usage} */
export function expectEntries(cwd: string, entries: string | undefined): void {
  if (entries === undefined || isUrl(entries)) return
  if (readBundle(resolve(cwd, entries), 0) === undefined)
    throw new Usage(`There is no copy of a log, no tile/entries/000: ${entries}`)
}

/** The tree size that a dossier claims, 0 where it is none. */
function claimedSize(file: Uint8Array): number {
  const dossier = parseDossier(file)
  const claimed = typeof dossier === 'string' ? dossier : claimedCheckpoint(dossier.checkpoint)
  return typeof claimed === 'string' ? 0 : claimed.size
}

/** The largest size that some of the dossiers claim; of a period it is not asked. */
async function largestSize(cwd: string, files: readonly string[]): Promise<number> {
  const sizes: number[] = []
  for (const file of files) {
    if (await isPeriodFile(cwd, file)) continue
    // A pipe gives its bytes once, and they are wanted again.
    if (!(await stat(resolve(cwd, file))).isFile())
      throw new Usage(`With --entries URL a file is read twice, which a pipe cannot be: ${file}`)
    sizes.push(claimedSize(await readBounded(cwd, file, limits.dossierBytes)))
  }
  return Math.max(0, ...sizes)
}

/**
 * Runs `work` on a directory with the log's entries: the one named, or a copy that is fetched and thrown away.
 * @throws {@link Interrupted} when a signal comes while there is a copy
 */
export async function withEntries<T>(
  { err, io }: Context,
  files: readonly string[],
  entries: string | undefined,
  work: (directory: string | undefined) => Promise<T>,
): Promise<T> {
  if (entries === undefined) return work(undefined)
  if (!isUrl(entries)) return work(resolve(io.cwd, entries))
  const size = await largestSize(io.cwd, files)
  const directory = mkdtempSync(join(tmpdir(), 'countersign-entries-'))
  const interrupt = listenForInterrupt(io.signals)
  const { asked, signal } = interrupt
  const meter = new Meter(err, 'bundles of entries fetched')
  const progress = (done: number, total: number): void => {
    meter.show(done, total)
  }
  try {
    const { copyEntries } = await import('./log-copy.ts')
    const token = io.env['COUNTERSIGN_TOKEN']
    await copyEntries({ directory, progress, signal, size, token, url: entries })
    meter.clear()
    const interrupted = asked.then((name) => {
      throw new Interrupted(name)
    })
    return await Promise.race([work(directory), interrupted])
  } catch (error) {
    throw interrupt.received === undefined ? error : new Interrupted(interrupt.received)
  } finally {
    meter.clear()
    interrupt.stop()
    rmSync(directory, { force: true, recursive: true })
  }
}

/** Judges a file by what it says of itself to be. */
async function judge(
  context: Context,
  name: string,
  trust: Uint8Array,
  trustSha256: string | undefined,
  directory: string | undefined,
): Promise<AnyReport> {
  const options = trustSha256 === undefined ? {} : { trustSha256 }
  const evidence = await openEvidence(context.io.cwd, name)
  // A period brings the leaves that it is held against with it.
  if ('period' in evidence) return judgePeriod(context, name, evidence.period, trust, options)
  const { file } = evidence
  if (isTlogProof(file)) return verifyTlogProof(file, trust, options)
  return verifyDossier(file, trust, {
    ...options,
    ...(directory === undefined ? {} : { leaves: readLeaves(directory) }),
  })
}

const mostNamed = 3
const newerTrustRoot =
  'inconclusive: ask for a newer trust root, take it by countersign trust-root update, and verify again with it\n'

/** A note with the files that it is about, unless it is about all. */
function formatNote(note: string, about: readonly string[], all: readonly string[]): string {
  if (about.length === all.length) return `note: ${printable(note)}\n`
  const more = about.length - mostNamed
  const names = about.slice(0, mostNamed).map(printable).join(', ')
  return `note: ${names}${more > 0 ? ` and ${more} more` : ''}: ${printable(note)}\n`
}

/** `verify FILE… --trust FILE` */
export async function verify(
  context: Context,
  files: readonly string[],
  flags: VerifyFlags,
): Promise<number> {
  const { err, io, out } = context
  await checkUsage(context, files, flags)
  const trust = await readBounded(io.cwd, flags.trust, limits.trustRootBytes)
  if (flags.json !== true) announceTrustRoot(context, flags.trust, trust)
  const width = Math.max(...files.map((file) => printable(file).length))
  const verdicts: Report['verdict'][] = []
  const notes = new Map<string, string[]>()
  await withEntries(context, files, flags.entries, async (directory) => {
    for (const file of files) {
      const report = await judge(context, file, trust, flags.trustSha256, directory)
      verdicts.push(report.verdict)
      for (const note of report.notes) {
        const about = notes.get(note) ?? []
        about.push(file)
        notes.set(note, about)
      }
      await out.write(
        flags.json === true ? jsonLine({ file, ...report }) : line(file, width, report),
      )
    }
  })
  if (flags.json !== true)
    for (const [note, about] of notes) err.note(formatNote(note, about, files))
  if (flags.json !== true && verdicts.includes('inconclusive')) err.note(newerTrustRoot)
  return exitOf(verdicts)
}

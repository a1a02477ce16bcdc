// Verifying a period: that the file holds every entry of the log from one size to another and nothing else, and that each dossier in it is good and
// complete. It reads once, from front to back, and keeps numbers: 20 bytes a dossier, and nothing of a leaf. What an attacker sent becomes a report.
import { limits } from '../base/limits.ts'
import { encodeHex } from '../base/bytes.ts'
import { runningSha256 } from '../crypto/running-hash.ts'
import {
  parseLaterCheckpoint,
  parsePeriodEnd,
  parsePeriodHead,
  periodLineOf,
} from '../dossier/period.ts'
import { fingerprint, type TrustRoot } from '../dossier/trust-root.ts'
import { signingKeysProblem } from './check-trust-root.ts'
import { expectSections, readTrustRoot } from './find-section.ts'
import { LineReader } from './line-reader.ts'
import { PeriodDossiers } from './period-dossiers.ts'
import { judgeGround, judgeLater, type PeriodGround } from './period-ground.ts'
import { PeriodLeaves } from './period-leaves.ts'
import { notesOf } from './period-notes.ts'
import { summarise, type PeriodReport } from './period-report.ts'
import type { PeriodWatch } from './period-watch.ts'
import { Checks } from './report.ts'
import { StreamCounts } from './stream-counts.ts'
import type { FinalProof } from './verify-checkpoint.ts'

/** What may be given along with a period. */
export interface PeriodOptions {
  /** Hex SHA-256 that the trust root must have; compare it with what the operator told you by another channel. */
  readonly trustSha256?: string
  /** Consistency proof from the period's last tree to the `final` tree head of a revoked log key. */
  readonly finalProof?: FinalProof
  /** Is shown what the file holds as it is read. */
  readonly watch?: PeriodWatch
}

/** What is known once the head was read. */
interface Parts {
  readonly ground: PeriodGround
  readonly dossiers: PeriodDossiers
  readonly leaves: PeriodLeaves
}

/** Where in a file the reading is. */
type Section = 'head' | 'dossiers' | 'leaves' | 'ended' | 'stopped'

class PeriodReading {
  readonly #checks = new Checks()
  readonly #trustFile: Uint8Array
  readonly #options: PeriodOptions
  readonly #lines = new LineReader(limits.dossierBytes)
  readonly #hash = runningSha256()
  /** Witnesses of the later checkpoint that has the fewest. */
  #fewest = Infinity
  #section: Section = 'head'
  #line = 0
  #trustRoot: TrustRoot | undefined
  #parts: Parts | undefined
  #whole = false
  #complete = false

  constructor(trustFile: Uint8Array, options: PeriodOptions) {
    this.#trustFile = trustFile
    this.#options = options
    const trustRoot = readTrustRoot(this.#checks, trustFile, options.trustSha256)
    this.#trustRoot = trustRoot
    if (trustRoot === undefined || !expectSections(this.#checks, trustRoot))
      this.#section = 'stopped'
  }

  /** Whether nothing that follows can change the report. */
  isStopped(): boolean {
    return this.#section === 'stopped'
  }

  /** Reads the next bytes of the file. */
  take(chunk: Uint8Array): void {
    if (this.isStopped()) return
    try {
      for (const line of this.#lines.push(chunk)) {
        this.#line++
        if (line === undefined) this.#stop(`Line is longer than ${limits.dossierBytes} bytes`)
        else this.#read(line)
        if (this.isStopped()) return
      }
      if (this.#section === 'ended' && this.#lines.left > 0) this.#stop('Something follows the end')
    } catch (error) {
      this.#blame(error)
    }
  }

  /** Our own mistake; it must not become a yes, nor take down who asked. */
  #blame(error: unknown): void {
    const message = error instanceof Error ? error.message : 'unknown'
    this.#checks.add('verifier', 'fail', `Internal error: ${message}`)
    this.#section = 'stopped'
  }

  #stop(why: string): void {
    this.#checks.add('period.format', 'fail', `Line ${this.#line}: ${why}`)
    this.#section = 'stopped'
  }

  #read(line: Uint8Array): void {
    if (this.#parts === undefined) this.#readHead(line)
    else this.#readBody(line, this.#parts)
    if (this.#section === 'ended' || this.isStopped()) return
    this.#hash.update(line)
    this.#hash.update(lineFeed)
  }

  #readHead(line: Uint8Array): void {
    const head = parsePeriodHead(line)
    if (typeof head === 'string') {
      this.#stop(head)
      return
    }
    const ground =
      this.#trustRoot && judgeGround(this.#checks, head, this.#trustRoot, this.#options.finalProof)
    if (ground === undefined) {
      this.#section = 'stopped'
      return
    }
    const counts = new StreamCounts()
    const dossiers = new PeriodDossiers(ground, counts)
    this.#parts = {
      dossiers,
      ground,
      leaves: new PeriodLeaves(ground, counts, this.#options.watch),
    }
    this.#section = 'dossiers'
  }

  #readBody(line: Uint8Array, { dossiers, ground, leaves }: Parts): void {
    const kind = periodLineOf(line)
    if (this.#section === 'ended') this.#stop('Something follows the end')
    else if (kind === 'end') this.#readEnd(line)
    else if (kind === 'leaf') {
      this.#section = 'leaves'
      if (leaves.count < leaves.due) leaves.take(line)
      else this.#stop(`More leaves than the period has: ${leaves.due}`)
    } else if (this.#section === 'leaves') this.#stop('Neither a leaf nor the end')
    else if (kind === 'dossier') {
      const verdict = dossiers.take(line, this.#line)
      this.#options.watch?.dossier(line, this.#line, verdict)
      if (dossiers.hopeless) this.#stop(`As many as ${dossiers.verdicts.invalid} dossiers are bad`)
    } else if (kind === 'later') this.#readLater(line, ground, dossiers)
    else this.#stop('Neither a dossier, a leaf, a later checkpoint nor the end')
  }

  #readLater(line: Uint8Array, ground: PeriodGround, dossiers: PeriodDossiers): void {
    const later = parseLaterCheckpoint(line)
    if (typeof later === 'string') {
      this.#stop(later)
      return
    }
    const judged = judgeLater(this.#checks, later, ground)
    if (judged === undefined) this.#section = 'stopped'
    else {
      this.#fewest = Math.min(this.#fewest, judged.witnesses)
      dossiers.standUnder(later.later, judged)
    }
  }

  #readEnd(line: Uint8Array): void {
    const end = parsePeriodEnd(line)
    if (typeof end === 'string') {
      this.#stop(end)
      return
    }
    const { dossiers, leaves } = this.#parts ?? {}
    const same = end.leaves === leaves?.count && end.dossiers === dossiers?.count
    this.#sum()
    this.#checks.expect(
      'period.end',
      same && encodeHex(this.#hash.digest()) === end.sha256,
      'The file is as it was written',
      same
        ? 'The file is not as it was written: its SHA-256 is another'
        : 'The file is not as it was written: it holds another number of lines',
    )
    this.#section = 'ended'
  }

  /** Draws the conclusions that need every line. */
  #sum(): void {
    const { dossiers, leaves } = this.#parts ?? {}
    if (dossiers === undefined || leaves === undefined) return
    this.#whole = leaves.judge(this.#checks)
    dossiers.judge(this.#checks)
    this.#complete = leaves.judgeComplete(this.#checks, dossiers.allRead) && this.#whole
    leaves.judgeSelection(this.#checks)
  }

  /** What is to be said once nothing follows. */
  finish(): PeriodReport {
    try {
      if (this.#section !== 'ended' && this.#section !== 'stopped') {
        if (this.#lines.left > 0) this.#line++
        this.#checks.add(
          'period.format',
          'fail',
          `The file is cut off in or behind line ${this.#line}`,
        )
      }
      if (this.#section !== 'ended') this.#whole = false
      const problem = this.#trustRoot && signingKeysProblem(this.#trustRoot)
      if (problem !== undefined) this.#checks.add(problem.check, 'fail', problem.reason)
    } catch (error) {
      this.#blame(error)
    }
    return this.#report()
  }

  #report(): PeriodReport {
    const { list, verdict } = this.#checks
    const { dossiers, ground, leaves } = this.#parts ?? {}
    const witnesses = Math.min(this.#fewest, ground?.to.witnesses ?? 0)
    const to = ground?.to.checkpoint.size ?? null
    const complete = this.#complete && this.#section === 'ended'
    const report = {
      anchor: ground?.anchor ?? null,
      assurance: witnesses > 0 ? (`witnessed(${witnesses})` as const) : ('operator' as const),
      checks: list,
      complete: complete && to !== null ? (`as of size ${to}` as const) : ('no' as const),
      dev: this.#trustRoot?.dev ?? false,
      dossiers: dossiers?.verdicts ?? none,
      entries: leaves?.count ?? 0,
      from: ground?.head.from.size ?? null,
      inForce: dossiers?.inForce ?? {},
      kinds: leaves?.kinds ?? {},
      ofActions: leaves?.ofActions ?? 0,
      ofDecisions: leaves?.ofDecisions ?? {},
      open: dossiers?.open ?? { escalation: 0, override: 0 },
      notes: notesOf(this.#trustRoot, this.#parts),
      ok: verdict === 'valid',
      origin: ground?.section.origin ?? null,
      problems: dossiers?.problems ?? [],
      selected: ground?.head.statuses ?? null,
      statuses: dossiers?.statuses ?? {},
      steps: dossiers?.steps ?? {},
      tenant: ground?.section.tenant ?? null,
      times: leaves?.times ?? null,
      to,
      trustRoot: fingerprint(this.#trustFile),
      verdict,
      whole: this.#whole,
    }
    return { ...report, summary: summarise(report) }
  }
}

const lineFeed = Uint8Array.of(0x0a)
const none = Object.freeze({ erased: 0, inconclusive: 0, invalid: 0, unprovable: 0, valid: 0 })

/**
 * Verifies a period file offline; rejects only when the bytes cannot be had.
 * @param bytes of the file, in pieces of any size
 * @param trustFile the trust root's bytes, from a source you trust
 */
export async function verifyPeriod(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  trustFile: Uint8Array,
  options: PeriodOptions = {},
): Promise<PeriodReport> {
  const reading = new PeriodReading(trustFile, options)
  for await (const piece of bytes) {
    reading.take(piece)
    if (reading.isStopped()) break
  }
  return reading.finish()
}

// Verifying a dossier needs its bytes, a trust root and nothing else: no network, no clock, no key store. What an attacker sent becomes a report;
// nothing in here throws on it.
import { fingerprint, type OriginSection, type TrustRoot } from '../dossier/trust-root.ts'
import type { DecisionMatter } from '../dossier/matters.ts'
import { parseDossier, type Dossier } from '../dossier/v1.ts'
import { signingKeysProblem } from './check-trust-root.ts'
import { expectSections, findSection, readTrustRoot } from './find-section.ts'
import { judgeCompleteness } from './verify-completeness.ts'
import {
  claimedCheckpoint,
  judgeCheckpoint,
  noteOnTimes,
  type FinalProof,
  type JudgedCheckpoint,
} from './verify-checkpoint.ts'
import { judgeEntry, type JudgedEntry } from './verify-entry.ts'
import { judgeCitedPolicies } from './judge-policies.ts'
import { actionsNamed } from './judge-control.ts'
import { readProposalTrace } from './judge-proposal.ts'
import { judgeStream } from './verify-stream.ts'
import {
  Checks,
  type EntryReport,
  type EscalationReport,
  type ActionReport,
  type OverrideReport,
  type ProposalReport,
  type Report,
} from './report.ts'

/** What may be given along with a dossier. */
export interface VerifyOptions {
  /** Hex SHA-256 that the trust root must have; compare it with what the operator told you by another channel. */
  readonly trustSha256?: string
  /** Every leaf of the log from index 0 to the dossier's tree size, in order: shows whether the stream has further entries. */
  readonly leaves?: Iterable<Uint8Array>
  /** Consistency proof from the dossier's tree to the `final` tree head of a revoked log key. */
  readonly finalProof?: FinalProof
}

interface Findings {
  checks: Checks
  trustRoot: TrustRoot | undefined
  section: OriginSection | undefined
  judged: JudgedCheckpoint | undefined
  dossier: Dossier | undefined
  entries: readonly JudgedEntry[]
  decision: DecisionMatter | undefined
  override: OverrideReport | null
  escalation: EscalationReport | null
  action: ActionReport | null
  proposal: ProposalReport | null
  isTold: boolean
  complete: Report['complete']
}

function judgeCited(
  checks: Checks,
  dossier: Dossier,
  judged: JudgedCheckpoint,
  section: OriginSection,
): readonly JudgedEntry[] {
  const cited = dossier.cited.flatMap((entry, i) => {
    const one = judgeEntry(checks, `cited[${i}]`, entry, section, judged.checkpoint)
    return one === undefined ? [] : [one]
  })
  const empty = cited.find(({ erased }) => erased)
  if (empty !== undefined)
    checks.add(
      'cited.payload',
      'fail',
      `Payload of a cited entry is missing, and its stream knows no erasure: ${empty.index}`,
    )
  const wrong = cited.find(({ leaf, index }, i) => {
    const before = cited[i - 1]
    return (
      leaf.kind !== 'policy' ||
      leaf.stream !== 'policies' ||
      (before !== undefined && index <= before.index)
    )
  })
  if (wrong !== undefined)
    checks.add(
      'cited',
      'fail',
      `Only policy entries are cited, each once, by index: ${wrong.index}`,
    )
  return cited
}

/** Every cited entry is named by the decision, and every policy that the decision names by index is cited, with the digest that it names. */
function judgeCitations(
  checks: Checks,
  decision: DecisionMatter | undefined,
  cited: readonly JudgedEntry[],
): void {
  const named = new Set(
    (decision?.policies ?? []).flatMap(({ index }) => (index === undefined ? [] : [index])),
  )
  const stray = cited.find(({ index }) => !named.has(index))
  if (stray !== undefined)
    checks.add('cited.named', 'fail', `Decision does not cite the entry at index ${stray.index}`)
  const absent = [...named].find((index) => !cited.some((entry) => entry.index === index))
  if (absent !== undefined)
    checks.add(
      'cited.present',
      'inconclusive',
      `Policy entry that the decision cites is not in the dossier: index ${absent}`,
    )
}

/** Whether no index stands twice among the entries, nor among those cited. */
function judgeDistinct(checks: Checks, { cited, entries }: Dossier): boolean {
  const twice = (list: readonly { readonly index: number }[]): boolean =>
    new Set(list.map(({ index }) => index)).size !== list.length
  if (twice(entries)) checks.add('stream.chain', 'fail', 'An index stands twice')
  if (twice(cited)) checks.add('cited', 'fail', 'An index is cited twice')
  return !twice(entries) && !twice(cited)
}

/** What a dossier holds, as far as it could be read. */
interface Content {
  readonly entries: readonly JudgedEntry[]
  readonly decision: DecisionMatter | undefined
  readonly override: OverrideReport | null
  readonly escalation: EscalationReport | null
  readonly action: ActionReport | null
  readonly proposal: ProposalReport | null
  /** Whether it is known what became of the decision by two leads or a reviewer. */
  readonly isTold: boolean
  /** Whether the rules of the stream could be held against it. */
  readonly whole: boolean
}

/** Judges all that a dossier holds under a checkpoint that was judged before. */
export function judgeContent(
  checks: Checks,
  dossier: Dossier,
  judged: JudgedCheckpoint,
  section: OriginSection,
): Content {
  // Before any signature of an entry is looked at, for the same entry is as easily named ten thousand times as once.
  const unread = {
    action: null,
    proposal: null,
    decision: undefined,
    escalation: null,
    isTold: false,
    override: null,
    whole: false,
  }
  if (!judgeDistinct(checks, dossier)) return { ...unread, entries: [] }
  const entries = dossier.entries.flatMap((entry, i) => {
    const one = judgeEntry(checks, `entries[${i}]`, entry, section, judged.checkpoint)
    return one === undefined ? [] : [one]
  })
  // An entry that could not be read has failed already; the rules of the stream are for whole streams.
  if (entries.length !== dossier.entries.length) return { ...unread, entries }
  const cited = judgeCited(checks, dossier, judged, section)
  const story = judgeStream(checks, dossier.stream, entries, section)
  judgeCitations(checks, story.decision, cited)
  judgeCitedPolicies(checks, story.decision, cited)
  return { ...story, entries, whole: true }
}

/** Last, so that what is told first of a key that is not the one named is which entry it was to sign. */
function judgeSigningKeys({ checks, trustRoot }: Findings): void {
  const problem = trustRoot && signingKeysProblem(trustRoot)
  if (problem !== undefined) checks.add(problem.check, 'fail', problem.reason)
}

function inspect(
  file: Uint8Array,
  trustFile: Uint8Array,
  options: VerifyOptions,
  found: Findings,
): void {
  const { checks } = found
  const trustRoot = readTrustRoot(checks, trustFile, options.trustSha256)
  if (trustRoot === undefined) return
  found.trustRoot = trustRoot
  if (!expectSections(checks, trustRoot)) return
  const dossier = parseDossier(file)
  if (typeof dossier === 'string') {
    checks.add('dossier.format', 'fail', dossier)
    return
  }
  checks.add('dossier.format', 'pass', 'Canonical v1 dossier')
  found.dossier = dossier
  const section = findSection(checks, trustRoot, claimedCheckpoint(dossier.checkpoint))
  if (section === undefined) return
  found.section = section
  const judged = judgeCheckpoint(checks, dossier.checkpoint, section, options.finalProof)
  if (judged === undefined) return
  found.judged = judged
  const content = judgeContent(checks, dossier, judged, section)
  found.entries = content.entries
  found.decision = content.decision
  found.override = content.override
  found.escalation = content.escalation
  found.action = content.action
  found.proposal = content.proposal
  found.isTold = content.isTold
  if (!content.whole) return
  if (options.leaves !== undefined)
    found.complete = judgeCompleteness(
      checks,
      options.leaves,
      dossier.stream,
      found.entries,
      judged.checkpoint,
    )
}

const isoOf = (time: number): string => new Date(time).toISOString()

/** Who overruled, until when he might, and by whose clock. */
function noteOnOverride({ approveBy, executeBy, signatures, status }: OverrideReport): string {
  const signed = signatures.map(({ person, role }) => `${person} as ${role}`).join(' and ')
  return `Override is ${status}, signed by ${signed || 'nobody'}; approve by ${isoOf(approveBy)}, execute by ${isoOf(executeBy)}, judged by the log’s clock, which is the operator’s`
}

const vouching = {
  service: 'by the word of the service, which knew the API key',
  signature: 'by a signature of a key in the roster',
} as const

/** Who answered, by whose word, until when he might, and by whose clock. */
function noteOnEscalation({ answered, deadline, status }: EscalationReport): string {
  const who =
    answered === null
      ? ''
      : ` by ${answered.person}, ${vouching[answered.vouchedBy]}${answered.roster === null ? '; there was no roster' : ''}`
  return `Escalation is ${status}${who}; deadline ${isoOf(deadline)}, judged by the log’s clock, which is the operator’s`
}

/** What the decision has come to; null where that cannot be said, for what it was at first may not be what it is. */
export function statusInForce({
  decision,
  escalation,
  isTold,
  override,
}: Pick<Findings, 'decision' | 'escalation' | 'isTold' | 'override'>): string | null {
  if (!isTold) return null
  if (override?.status === 'executed') return 'ALLOW by override'
  if (escalation === null || escalation.status === 'pending') return decision?.status ?? null
  return escalation.status === 'approved' ? 'ALLOW by escalation' : 'BLOCK by escalation'
}

/** Who signed an action, until when he might, and by whose clock. */
function noteOnAction({ approveBy, effect, executeBy, signatures, status }: ActionReport): string {
  const signed = signatures.map(({ person, role }) => `${person} as ${role}`).join(' and ')
  return `Action ${effect.action} is ${status}, signed by ${signed || 'nobody'}; approve by ${isoOf(approveBy)}, execute by ${isoOf(executeBy)}, judged by the log’s clock, which is the operator’s`
}

/** Who voted, by whose word, until when they might, and by whose clock. */
function noteOnProposal({ deadline, proposer, status, votes }: ProposalReport): string {
  const cast = votes.map(({ vote, voter }) => `${voter} (${vote})`).join(', ')
  return `Proposal by ${proposer} is ${status}, votes: ${cast || 'none'}, by the word of the service, which knew who called; deadline ${isoOf(deadline)}, judged by the log’s clock, which is the operator’s`
}

const notesOnStories = ({ action, escalation, override, proposal }: Findings): string[] => [
  ...(override === null ? [] : [noteOnOverride(override)]),
  ...(escalation === null ? [] : [noteOnEscalation(escalation)]),
  ...(action === null ? [] : [noteOnAction(action)]),
  ...(proposal === null ? [] : [noteOnProposal(proposal)]),
]

function notesOf(found: Findings): string[] {
  const { trustRoot, section, judged, decision, complete, entries } = found
  const notes: string[] = []
  if (trustRoot?.dev === true)
    notes.push('Development installation: its keys protect nothing, this proves nothing to others')
  if (judged === undefined || section === undefined) return notes
  if (judged.witnesses === 0)
    notes.push('No witness has cosigned: the operator could show others another log')
  notes.push(noteOnTimes(judged))
  if (complete === 'no')
    notes.push(
      'Later entries of this stream are not excluded: compare with the log’s own leaves to know',
    )
  // Of bad evidence nothing is told that would sound as if it had happened.
  if (found.checks.verdict !== 'invalid') notes.push(...notesOnStories(found))
  const proposed = decision && readProposalTrace(decision)
  if (proposed !== undefined)
    notes.push(
      `Follows from ${proposed.proposal.stream}: who voted stands in the dossier of that stream`,
    )
  for (const stream of actionsNamed(entries))
    notes.push(
      `Names ${stream}: whether two leads have signed for this stands in the dossier of that stream`,
    )
  if (decision?.source === 'submitted')
    notes.push(`Status was submitted by ${decision.caller.owner}, not evaluated by Countersign`)
  if (decision?.source === 'evaluated')
    notes.push('Whether the status follows from the policies cited is for reevaluate to say')
  if (entries.some(({ index }) => index >= section.asOf.size))
    notes.push(`Trust root knows of revocations and rosters up to size ${section.asOf.size} only`)
  return notes
}

const entryReport = ({ erased, index, leaf }: JudgedEntry): EntryReport => ({
  index,
  seq: leaf.seq,
  kind: leaf.kind,
  time: leaf.time,
  keyid: leaf.keyid,
  erased,
})

/**
 * Verifies a dossier offline.
 * @param file the dossier's bytes
 * @param trustFile the trust root's bytes, from a source you trust
 */
export function verifyDossier(
  file: Uint8Array,
  trustFile: Uint8Array,
  options: VerifyOptions = {},
): Report {
  const found: Findings = {
    checks: new Checks(),
    trustRoot: undefined,
    section: undefined,
    judged: undefined,
    dossier: undefined,
    entries: [],
    decision: undefined,
    override: null,
    escalation: null,
    action: null,
    proposal: null,
    isTold: false,
    complete: 'no',
  }
  try {
    inspect(file, trustFile, options, found)
    judgeSigningKeys(found)
  } catch (error) {
    // Our own mistake; it must not become a yes, nor take down who asked.
    found.checks.add(
      'verifier',
      'fail',
      `Internal error: ${error instanceof Error ? error.message : 'unknown'}`,
    )
  }
  const { verdict, list } = found.checks
  return {
    verdict,
    ok: verdict === 'valid',
    checks: list,
    stream: found.dossier?.stream ?? null,
    origin: found.section?.origin ?? null,
    tenant: found.section?.tenant ?? null,
    status: statusInForce(found),
    override: found.override,
    escalation: found.escalation,
    action: found.action,
    proposal: found.proposal,
    treeSize: found.judged?.checkpoint.size ?? null,
    entries: found.entries.map(entryReport),
    assurance:
      found.judged !== undefined && found.judged.witnesses > 0
        ? `witnessed(${found.judged.witnesses})`
        : 'operator',
    complete: found.complete,
    trustRoot: fingerprint(trustFile),
    dev: found.trustRoot?.dev ?? false,
    notes: notesOf(found),
  }
}

// Of the check of a tenant: that every proposal has come to what its votes say, and that each decision that follows from one stands right behind its closing.
import type { Leaf } from '../dossier/leaf.ts'
import { isProposalStream, proposalOfStream } from '../dossier/kinds.ts'
import { matters } from '../dossier/matters.ts'
import type { ProposalOutcome } from '../dossier/proposal-events.ts'
import type { Statement } from '../dossier/statement.ts'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { canonicalize } from '../base/canonical-json.ts'
import { sha256 } from '../crypto/hash.ts'
import { asFailure } from '../base/failure.ts'
import type { Instance, StoredEntry, Tenant } from '../store/store.ts'
import { claimsProposal, readProposalStep, readProposalTrace } from '../verify/judge-proposal.ts'
import type { FsckRequest } from './fsck.ts'
import { breathe, type Found } from './fsck-findings.ts'
import { readStandingProposal } from './proposal-reading.ts'
import type { ReadableLog } from './roster-story.ts'

/** An entry that opens or closes a proposal, or the decision that follows from one. */
export type ProposalMark =
  | { readonly is: 'proposal'; readonly index: number; readonly stream: string }
  | {
      readonly is: 'closing'
      readonly index: number
      readonly stream: string
      readonly leaf: string
      readonly outcome: ProposalOutcome
      readonly decision: string
    }
  | {
      readonly is: 'decision'
      readonly index: number
      readonly stream: string
      /** What it follows from; undefined where it does not say. */
      readonly from: ReturnType<typeof readProposalTrace>
      /** Digest of what it takes over from its proposal. */
      readonly asked: string
    }
  | { readonly is: 'erased decision'; readonly index: number; readonly stream: string }

/** Digest of what a decision takes over from its proposal: its id, who asked, and for what. */
const askedDigest = (
  parents: readonly string[] | undefined,
  ...asked: readonly unknown[]
): string => encodeHex(sha256(utf8(canonicalize([parents ?? [], ...asked]))))

/** What an entry is to proposals; undefined where it is nothing to them, or cannot be read, which is told elsewhere. */
export function proposalMark(
  { index, leafHash, payload }: Pick<StoredEntry, 'index' | 'leafHash' | 'payload'>,
  { kind, seq, stream }: Leaf,
  statement: Statement | undefined,
): ProposalMark | undefined {
  const said = statement?.predicate.matter
  if (kind === 'decision') {
    if (payload === null) return { index, is: 'erased decision', stream }
    const matter = matters.decision.safeParse(said).data
    if (matter === undefined || !claimsProposal(matter)) return undefined
    const { caller, intent, links } = matter
    const asked = askedDigest(links.parents, caller, intent)
    return { asked, from: readProposalTrace(matter), index, is: 'decision', stream }
  }
  if (!isProposalStream(stream)) return undefined
  const step = readProposalStep(said)
  if (step?.event === 'closed') {
    const { decision, outcome } = step
    return { decision, index, is: 'closing', leaf: encodeHex(leafHash), outcome, stream }
  }
  return seq === 0 ? { index, is: 'proposal', stream } : undefined
}

/** What is wrong with an entry in its place, if anything. */
function problemOf(
  mark: ProposalMark,
  before: ProposalMark | undefined,
  after: ProposalMark | undefined,
): string | undefined {
  if (mark.is === 'closing') {
    const isThere =
      after?.index === mark.index + 1 && 'stream' in after && after.stream === mark.decision
    return isThere && (after.is === 'decision' || after.is === 'erased decision')
      ? undefined
      : `Proposal was closed without its decision behind it: ${mark.stream}`
  }
  if (mark.is !== 'decision') return undefined
  const follows =
    before?.is === 'closing' &&
    before.index === mark.index - 1 &&
    before.decision === mark.stream &&
    before.leaf === mark.from?.proposal.leaf &&
    before.stream === mark.from.proposal.stream &&
    before.outcome === mark.from.outcome
  return follows ? undefined : 'Decision follows from a vote that does not stand in front of it'
}

/** What is wrong with a proposal as a whole, or with what its decision took over from it, if anything. */
async function storyProblem(
  log: ReadableLog,
  mark: ProposalMark,
  after: ProposalMark | undefined,
): Promise<string | undefined> {
  if (mark.is !== 'proposal' && mark.is !== 'closing') return undefined
  try {
    const { id, opening } = await readStandingProposal(log, proposalOfStream(mark.stream))
    if (mark.is === 'proposal' || after?.is !== 'decision') return undefined
    return after.asked === askedDigest([id], opening.by, opening.intent)
      ? undefined
      : `Decision is not on what was proposed: ${after.stream}`
  } catch (error) {
    return asFailure(error).message
  }
}

/** Checks every proposal, and what follows from it. */
export async function checkProposals(
  { signal, store }: FsckRequest,
  tenant: Tenant,
  instance: Instance,
  marks: readonly ProposalMark[],
  found: Found,
): Promise<void> {
  const log: ReadableLog = { instance, log: tenant, store, tenant }
  for (const [i, mark] of marks.entries()) {
    await breathe(signal)
    const what =
      problemOf(mark, marks[i - 1], marks[i + 1]) ?? (await storyProblem(log, mark, marks[i + 1]))
    if (what !== undefined) found({ index: mark.index, part: 'entry', what })
  }
}

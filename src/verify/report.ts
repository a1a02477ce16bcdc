// What a verification says. Bad evidence is a value: a report names every check with its outcome, says what could not be checked, and never turns
// silence into assent.

import type { EscalationAnswered, EscalationStatus } from './escalation-story.ts'
import type { ActionEffect } from '../dossier/action-effects.ts'
import type { LeadSignature, RequestStatus } from './two-key-story.ts'

/** How a check came out; from `pass` downward each is worse for the verdict. */
export type Outcome = 'pass' | 'erased' | 'inconclusive' | 'unprovable' | 'fail'

/** What a dossier is worth. Only `valid` is a yes. */
export type Verdict = 'valid' | 'erased' | 'inconclusive' | 'unprovable' | 'invalid'

/** One check by name. */
export interface Check {
  readonly name: string
  /** True for `pass` only. */
  readonly ok: boolean
  readonly outcome: Outcome
  /** What was found, for a person. */
  readonly reason: string
}

/** What is said of one entry. */
export interface EntryReport {
  readonly index: number
  readonly seq: number
  readonly kind: string
  /** The sequencer's clock, ms since 1970: the operator's word. */
  readonly time: number
  readonly keyid: string
  readonly erased: boolean
}

/** What came of a request to overrule the decision: of the one that was executed, else of the last. */
export interface OverrideReport {
  /** Nonce of its challenge, hex. */
  readonly request: string
  readonly status: RequestStatus
  /** Version of the roster by which the signatures count. */
  readonly roster: number
  /** Who signed, by their ids in the roster. */
  readonly signatures: readonly LeadSignature[]
  /** Deadlines, ms since 1970; judged by leaf times, which are the operator's word. */
  readonly approveBy: number
  readonly executeBy: number
}

/** What came of the escalation of the decision. */
export interface EscalationReport {
  readonly status: EscalationStatus
  /** Log times, ms since 1970, which are the operator's word; `endedAt` is null while it is pending. */
  readonly openedAt: number
  readonly deadline: number
  readonly endedAt: number | null
  /** Who answered, and by whose word; null where nobody has. */
  readonly answered: EscalationAnswered | null
}

/** What came of an action that takes two keys. */
export interface ActionReport extends OverrideReport {
  /** What comes to pass, exactly. */
  readonly effect: ActionEffect
}

/** What came of a proposal on which people of the roster voted. */
export interface ProposalReport {
  readonly status: 'open' | 'approved' | 'rejected' | 'no-quorum' | 'withdrawn'
  /** Owner of the key of whoever proposed. */
  readonly proposer: string
  readonly voters: readonly string[]
  /** In the order in which they voted, by the word of the service, which knew who called. */
  readonly votes: readonly { readonly voter: string; readonly vote: string }[]
  readonly quorum: number
  /** Share of approvals among approvals and rejections that approves, at least. */
  readonly threshold: { readonly approvals: number; readonly of: number }
  /** Log time before which votes count, ms since 1970. */
  readonly deadline: number
  /** Id of the decision that it came to; null while there is none. */
  readonly decision: string | null
}

/** The result of verifying a dossier. */
export interface Report {
  readonly verdict: Verdict
  /** Whether the verdict is `valid`. */
  readonly ok: boolean
  readonly checks: readonly Check[]
  readonly stream: string | null
  readonly origin: string | null
  readonly tenant: string | null
  /** Status of the decision, when there is one that could be read; `ALLOW by override` where it was overruled, `ALLOW` or `BLOCK by escalation` where that has ended, null where it cannot be said what became of it. */
  readonly status: string | null
  /** Null where nobody asked to overrule it, or that could not be judged. */
  readonly override: OverrideReport | null
  /** Null where it was not held for a reviewer, or that could not be judged. */
  readonly escalation: EscalationReport | null
  /** Null where the stream is not an action's, or that could not be judged. */
  readonly action: ActionReport | null
  /** Null where the stream is not a proposal's, or that could not be judged. */
  readonly proposal: ProposalReport | null
  readonly treeSize: number | null
  readonly entries: readonly EntryReport[]
  /** Who vouches that everybody sees the same log: the operator alone, or k witnesses. */
  readonly assurance: 'operator' | `witnessed(${number})`
  /** Whether the stream is known to have no further entry, and up to which size. */
  readonly complete: 'no' | `as of size ${number}`
  /** Hex SHA-256 of the trust root used. */
  readonly trustRoot: string
  /** True when the trust root is of a development installation: its keys protect nothing. */
  readonly dev: boolean
  /** What this report does not say, and by whose word the rest stands. */
  readonly notes: readonly string[]
}

const order: readonly Outcome[] = ['pass', 'erased', 'inconclusive', 'unprovable', 'fail']

const verdicts: Readonly<Record<Outcome, Verdict>> = Object.freeze({
  pass: 'valid',
  erased: 'erased',
  inconclusive: 'inconclusive',
  unprovable: 'unprovable',
  fail: 'invalid',
})

/** Collects checks in the order they are made. */
export class Checks {
  readonly list: Check[] = []

  add(name: string, outcome: Outcome, reason: string): void {
    this.list.push({ name, ok: outcome === 'pass', outcome, reason })
  }

  /** Adds a check that either holds or fails; gives back whether it held. */
  expect(name: string, holds: boolean, whenGood: string, whenBad: string): boolean {
    this.add(name, holds ? 'pass' : 'fail', holds ? whenGood : whenBad)
    return holds
  }

  get verdict(): Verdict {
    // No check at all is not a yes.
    const worst = this.list.reduce((at, { outcome }) => Math.max(at, order.indexOf(outcome)), -1)
    const outcome = order[worst]
    return outcome === undefined ? 'invalid' : verdicts[outcome]
  }
}

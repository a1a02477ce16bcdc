// What a period stands on: its two ends. The last is a checkpoint that counts; of the first it is shown that the last only adds to it.
import { decodeBase64 } from '../base/base64.ts'
import { equalBytes } from '../base/bytes.ts'
import type { LaterCheckpoint, PeriodHead } from '../dossier/period.ts'
import type { OriginSection, TrustRoot } from '../dossier/trust-root.ts'
import { Frontier } from '../merkle/frontier.ts'
import { verifyConsistency } from '../merkle/proof.ts'
import { findSection } from './find-section.ts'
import type { PeriodReport } from './period-report.ts'
import { Checks, type Outcome } from './report.ts'
import {
  claimedCheckpoint,
  judgeCheckpoint,
  type FinalProof,
  type JudgedCheckpoint,
} from './verify-checkpoint.ts'

/** The ends of a period that were found good enough to go on from. */
export interface PeriodGround {
  readonly head: PeriodHead
  readonly section: OriginSection
  readonly to: JudgedCheckpoint
  readonly anchor: Exclude<PeriodReport['anchor'], null>
  /** The edge of the tree before the first leaf; it grows with the leaves. */
  readonly frontier: Frontier
}

/** Holds what the head says of its log against the trust root. */
function judgePlace(checks: Checks, head: PeriodHead, section: OriginSection): boolean {
  const pairs: readonly (readonly [string, string, string])[] = [
    ['instance', head.instance, section.instance],
    ['origin', head.origin, section.origin],
    ['tenant', head.tenant, section.tenant],
  ]
  const wrong = pairs.find(([, said, is]) => said !== is)?.[0]
  return checks.expect(
    'period.place',
    wrong === undefined,
    'Head names this log',
    `Head contradicts the trust root in: ${wrong ?? ''}`,
  )
}

/** What a signed checkpoint of the first end adds. It may have lost its worth since, without harm: the last end vouches for it. */
function judgeAnchor(
  checks: Checks,
  head: PeriodHead,
  root: Uint8Array,
  section: OriginSection,
): PeriodGround['anchor'] {
  const name = 'period.from'
  const { checkpoint: note, size } = head.from
  if (size === 0) {
    if (note === null) checks.add(name, 'pass', 'The period begins with the log')
    else checks.add(name, 'fail', 'There is no checkpoint before the log begins')
    return 'empty'
  }
  if (note === null) {
    checks.add(name, 'pass', `Tree of size ${size} is known by the last checkpoint`)
    return 'to'
  }
  const claimed = claimedCheckpoint(note)
  if (
    typeof claimed === 'string' ||
    claimed.origin !== head.origin ||
    claimed.size !== size ||
    !equalBytes(claimed.root, root)
  ) {
    checks.add(name, 'fail', `First checkpoint is not the one of size ${size}`)
    return 'to'
  }
  const own = new Checks()
  const judged = judgeCheckpoint(own, note, section, undefined)
  // A key may have been revoked since; but a signature that is wrong was never right.
  const forged = own.list.find(
    ({ name: check, outcome }) => outcome === 'fail' && check !== 'checkpoint.revoked-key',
  )
  if (forged !== undefined) {
    checks.add(name, 'fail', `First checkpoint: ${forged.reason}`)
    return 'to'
  }
  if (judged === undefined || own.verdict !== 'valid') {
    checks.add(name, 'pass', `Tree of size ${size} is known by the last checkpoint alone`)
    return 'to'
  }
  checks.add(name, 'pass', `Checkpoint of size ${size} is signed`)
  return judged.witnesses === 0 ? 'checkpoint' : `witnessed(${judged.witnesses})`
}

/** The trust root's own tree heads, where the first end is one of them. */
function judgeKnownStart(
  checks: Checks,
  { asOf, logKeys }: OriginSection,
  size: number,
  root: Uint8Array,
): void {
  const heads = [asOf, ...logKeys.flatMap(({ final }) => (final === null ? [] : [final]))]
  const forked = heads.some((head) => {
    const known = decodeBase64(head.root)
    return head.size === size && (known === undefined || !equalBytes(known, root))
  })
  if (forked)
    checks.add(
      'period.known-heads',
      'fail',
      `Root differs from the trust root's at size ${size}: the log has been forked`,
    )
}

/** Judges the head of a period; undefined when there is nothing to hold the rest against. */
export function judgeGround(
  checks: Checks,
  head: PeriodHead,
  trustRoot: TrustRoot,
  finalProof: FinalProof | undefined,
): PeriodGround | undefined {
  const section = findSection(checks, trustRoot, claimedCheckpoint(head.to))
  if (section === undefined || !judgePlace(checks, head, section)) return undefined
  const to = judgeCheckpoint(checks, head.to, section, finalProof)
  if (to === undefined) return undefined
  const { size } = head.from
  const frontier = Frontier.from(size, head.from.frontier)
  if (frontier === undefined || size > to.checkpoint.size) {
    checks.add('period.from', 'fail', `Not the edge of a tree of size ${size}`)
    return undefined
  }
  const root = frontier.root()
  const grows =
    size === 0
      ? head.consistency.length === 0
      : verifyConsistency(size, to.checkpoint.size, root, to.checkpoint.root, head.consistency)
  checks.expect(
    'period.consistency',
    grows,
    `The log of size ${to.checkpoint.size} only adds to that of size ${size}`,
    `The log of size ${to.checkpoint.size} is not shown to only add to that of size ${size}`,
  )
  judgeKnownStart(checks, section, size, root)
  return { anchor: judgeAnchor(checks, head, root, section), frontier, head, section, to }
}

/** Adds a check once: a file may bring the same checkpoint as often as it likes. */
function addOnce(checks: Checks, name: string, outcome: Outcome, reason: string): void {
  if (!checks.list.some((check) => check.name === name && check.reason === reason))
    checks.add(name, outcome, reason)
}

/** Judges a newer checkpoint of the same log; undefined when nothing can be proved under it. */
export function judgeLater(
  checks: Checks,
  { later, proof }: LaterCheckpoint,
  { section, to: { checkpoint } }: PeriodGround,
): JudgedCheckpoint | undefined {
  const name = 'period.later'
  const claimed = claimedCheckpoint(later)
  if (typeof claimed !== 'string' && claimed.origin !== section.origin) {
    checks.add(name, 'fail', `Later checkpoint is of another log: ${claimed.origin}`)
    return undefined
  }
  const own = new Checks()
  const judged = judgeCheckpoint(own, later, section, undefined)
  for (const check of own.list)
    if (!check.ok) addOnce(checks, check.name, check.outcome, `Later checkpoint: ${check.reason}`)
  if (judged === undefined) return undefined
  const { root, size } = judged.checkpoint
  const grows =
    size > checkpoint.size && verifyConsistency(checkpoint.size, size, checkpoint.root, root, proof)
  if (grows) addOnce(checks, name, 'pass', `Later checkpoints only add to size ${checkpoint.size}`)
  else
    checks.add(
      name,
      'fail',
      `Later checkpoint is not shown to only add to that of size ${checkpoint.size}`,
    )
  return grows ? judged : undefined
}

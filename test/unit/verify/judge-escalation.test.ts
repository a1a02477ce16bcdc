import { describe, expect, it } from 'vitest'
import type { EscalationChallenge } from '../../../src/dossier/escalation-challenge.ts'
import { formatDossier } from '../../../src/dossier/v1.ts'
import { verifyDossier, type Report } from '../../../src/verify/index.ts'
import {
  operatorHolds,
  reseal,
  type Draft,
  type ForgedLog,
  type Step,
} from '../../support/forge.ts'
import { dossierOf } from '../../support/forge-dossier.ts'
import {
  answered,
  by,
  byService,
  heldIn,
  heldLog,
  named,
  signedBy,
  textOf,
} from '../../support/forge-escalation.ts'
import {
  decidedLog,
  grown,
  leadSign,
  overruled as stream,
  published,
  trusting,
} from '../../support/forge-override.ts'
import { createWorld, decisionOf, erasureOf, executionOf } from '../../support/forge-world.ts'
import { stepAt } from './forgery.ts'

const minute = 60_000
const decided = decidedLog({ status: 'ESCALATE' })
const held = heldLog(decided)
const approved = grown(held, [
  'escalation',
  stream,
  { ...answered('approved', 'ann'), ...signedBy('ann', textOf(decided)), ...by('zoe') },
])
const genuine = grown(approved, ['execution', stream, executionOf(stream, 1)])

const verify = (log: ForgedLog, trustFile = trusting(log)): Report =>
  verifyDossier(formatDossier(dossierOf(published(log), stream)), trustFile)

const worst = ({ checks }: Report, outcome = 'fail'): string => {
  const found = checks.find((check) => check.outcome === outcome)
  return `${found?.name ?? ''}: ${found?.reason ?? ''}`
}

/** What the log says after its operator has changed steps. */
const rewritten = (change: (steps: Step[]) => void, log = genuine): string =>
  worst(verify(reseal(log, operatorHolds, change)))

/** What the log says after one member of one step's matter was changed. */
const refusal = (seq: number, change: Draft, log = genuine): string =>
  rewritten((steps) => {
    Object.assign(stepAt(steps, stream, seq).matter, change)
  }, log)

describe('a decision that was held', () => {
  it('is an ALLOW for one use once it was approved, and says by whom, by whose word and clock', () => {
    const report = verify(genuine)
    expect(report).toMatchObject({
      escalation: {
        answered: { person: 'ann', roster: 1, vouchedBy: 'signature' },
        deadline: heldIn(decided).deadline,
        openedAt: heldIn(decided).time,
        status: 'approved',
      },
      status: 'ALLOW by escalation',
      verdict: 'valid',
    })
    expect(report.notes.join()).toContain('judged by the log’s clock, which is the operator’s')
    expect(report.checks.map(({ reason }) => reason)).toContain('Executed 1 of 1 times')
    const twice = grown(genuine, ['execution', stream, executionOf(stream, 2)])
    expect(worst(verify(twice))).toBe('stream.executions: Executed 2 times, allowed 1')
  })

  it('is what it was while nobody has answered, and a BLOCK once it was rejected', () => {
    expect(verify(held)).toMatchObject({ status: 'ESCALATE', verdict: 'valid' })
    const rejected = grown(held, ['escalation', stream, answered('rejected', 'ann')])
    expect(verify(rejected)).toMatchObject({
      escalation: { answered: { vouchedBy: 'service' } },
      status: 'BLOCK by escalation',
      verdict: 'valid',
    })
    const used = grown(rejected, ['execution', stream, executionOf(stream, 1)])
    expect(worst(verify(used))).toContain('A decision that is not ALLOW was executed: ESCALATE')
  })

  it('is used behind the approval, not before', () => {
    const before = grown(held, ['execution', stream, executionOf(stream, 1)])
    const late = grown(before, ['escalation', stream, answered('approved', 'ann')])
    expect(worst(verify(late))).toContain('A decision that is not ALLOW was executed: ESCALATE')
  })

  it('has timed out behind its deadline, and not at it', () => {
    const timedOut = grown(held, ['escalation', stream, { ...byService, event: 'timed-out' }])
    const at = (time: number): Report =>
      verify(
        reseal(timedOut, operatorHolds, (steps) => {
          stepAt(steps, stream, 2).time = time
        }),
      )
    const { deadline } = heldIn(decided)
    expect(at(deadline + 1)).toMatchObject({ status: 'BLOCK by escalation', verdict: 'valid' })
    expect(worst(at(deadline))).toContain('Step 2 (timed-out): Deadline has not passed')
  })

  it('cannot be judged under a trust root that does not know the roster', () => {
    // It may be an ALLOW, and may not: what it was at first is not what it is.
    expect(verify(genuine, trusting(genuine, []))).toMatchObject({
      escalation: null,
      status: null,
      verdict: 'inconclusive',
    })
    // What can be said all the same is said.
    const elsewhere = reseal(genuine, operatorHolds, (steps) => {
      stepAt(steps, stream, 3).matter['decision'] = '01890a5d-ac96-774b-bcce-b302099a8001'
    })
    expect(worst(verify(elsewhere, trusting(elsewhere, [])))).toBe(
      'stream.executions: An execution names another decision',
    )
  })

  it('needs no roster where there is none, and says so', () => {
    const { log } = createWorld(151).each
    const alone = heldLog(
      grown(log, ['decision', stream, decisionOf(stream, { status: 'REVIEW_REQUIRED' })]),
    )
    const open = grown(alone, ['escalation', stream, answered('approved', 'zoe', { roster: null })])
    const report = verify(open)
    expect(report).toMatchObject({ status: 'ALLOW by escalation', verdict: 'valid' })
    expect(report.notes.join()).toContain('there was no roster')
    // Where there is one, nobody can say that there is none.
    expect(refusal(2, { roster: null })).toContain('another roster than the one that counts')
  })

  it('is erased, never valid, when any part of it is', () => {
    for (const seqs of [[0], [1], [2], [0, 1, 2, 3]]) {
      const gone = reseal(
        grown(genuine, ['erasure', stream, erasureOf(stream, seqs)]),
        operatorHolds,
        (steps) => {
          for (const seq of seqs) stepAt(steps, stream, seq).erased = true
        },
      )
      expect([seqs, verify(gone).verdict]).toEqual([seqs, 'erased'])
    }
  })

  it('is a valid dossier without any escalation, as all were before there were any', () => {
    expect(verify(decided)).toMatchObject({
      escalation: null,
      status: 'ESCALATE',
      verdict: 'valid',
    })
  })
})

describe('whoever holds the keys of the log cannot change', () => {
  const other = 'ef'.repeat(32)
  it.each<[what: string, seq: number, change: Draft, why: string]>([
    ['the leaf that was held', 1, { leaf: other }, 'another decision leaf'],
    ['the intent that was held', 1, { intent: other }, 'another intent'],
    ['the deadline, to beyond a week', 1, { deadline: 2 ** 45 }, '1 second to 7 days'],
    ['the deadline that was signed', 1, { deadline: heldIn(decided).deadline + 1 }, 'Decide by'],
    ['the answer', 2, { event: 'rejected' }, 'by its Answer'],
    ['the reason', 2, { reason: 'Whatever' }, 'by its Reason'],
    ['who answered', 2, { person: 'bob' }, 'Key is not one of this person'],
    ['the roster', 2, { roster: { ...named, sha256: other } }, 'another roster'],
    ['the signature away', 2, { signature: null }, 'Whoever answers must be who is calling'],
    ['the signer to who asked', 2, { person: 'alice' }, 'Whoever asked'],
    ['the signer to the actor', 2, { person: 'agent-7' }, 'Whoever asked'],
    ['the signer to a stranger', 2, { person: 'zoe' }, 'Nobody of this id'],
  ])('%s', (_, seq, change, why) => {
    expect(refusal(seq, change)).toContain(why)
  })

  it.each<[label: string, change: Partial<EscalationChallenge>]>([
    ['Instance', { place: { ...decided.identity, instance: stream } }],
    ['Tenant', { place: { ...decided.identity, tenant: 'other' } }],
    ['Origin', { place: { ...decided.identity, origin: 'log.example/other' } }],
    ['Decision', { decision: '01890a5d-ac96-774b-bcce-b302099a8092' }],
    ['Decision leaf', { leaf: other }],
    ['Intent', { intent: other }],
    ['Actor', { actor: 'agent-8' }],
    ['Action', { action: 'refund' }],
    ['Roster', { roster: { ...named, version: 2 } }],
    ['Decide by', { deadline: heldIn(decided).deadline + minute }],
  ])('the text by putting one of another %s in its place', (label, change) => {
    expect(refusal(2, signedBy('ann', textOf(decided, change)))).toContain(`by its ${label}`)
  })

  it('the signature for one of another key, or of another text', () => {
    const text = textOf(decided)
    const { signature } = signedBy('ann', text)
    const bad = { ...(signature as Draft), signature: leadSign('bob', text) }
    expect(refusal(2, { signature: bad })).toContain('Signature of ann')
  })

  it('when it was held, when it was answered, or what it was', () => {
    expect(
      rewritten((steps) => {
        for (const seq of [1, 2, 3]) stepAt(steps, stream, seq).time += 1
      }),
    ).toContain('not opened together with its decision')
    const late = heldIn(decided).deadline + 1
    expect(
      rewritten((steps) => {
        for (const seq of [2, 3]) stepAt(steps, stream, seq).time = late
      }),
    ).toContain('Deadline has passed')
    for (const change of [{ status: 'BLOCK' }, { mode: 'shadow' }])
      expect(refusal(0, change)).toContain('Only a decision ESCALATE or REVIEW_REQUIRED')
    expect(refusal(0, { trace: 1 })).toContain('another decision leaf')
  })

  it('that it was answered once', () => {
    const again = grown(approved, ['escalation', stream, answered('rejected', 'bob')])
    expect(worst(verify(again))).toContain('Step 3 (rejected): Escalation is not open')
  })
})

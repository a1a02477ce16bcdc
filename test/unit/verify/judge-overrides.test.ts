import { describe, expect, it } from 'vitest'
import { formatChallenge, type Challenge } from '../../../src/dossier/challenge.ts'
import { formatDossier } from '../../../src/dossier/v1.ts'
import { rosterDigest } from '../../../src/dossier/roster.ts'
import { judgeTrustStep } from '../../../src/verify/judge-trust-step.ts'
import { parseTrustRoot, type TrustRoot } from '../../../src/dossier/trust-root.ts'
import { Checks } from '../../../src/verify/report.ts'
import { verifyDossier, type Report } from '../../../src/verify/index.ts'
import {
  operatorHolds,
  reseal,
  type Draft,
  type ForgedLog,
  type Step,
} from '../../support/forge.ts'
import { dossierOf } from '../../support/forge-dossier.ts'
import { erasureOf, executionOf } from '../../support/forge-world.ts'
import {
  challengeOf,
  decidedLog,
  firstRoster,
  grown,
  leadKey,
  leadSign,
  nonce,
  overrideMatter,
  overruled,
  overruledLog,
  published,
  rosterMatter,
  rostersOf,
  secondRoster,
  signedBy,
  trusting,
} from '../../support/forge-override.ts'
import { stepAt } from './forgery.ts'

const decided = decidedLog()
const genuine = overruledLog(decided)
const opened = formatChallenge(challengeOf(decided))

const verify = (log: ForgedLog, stream = overruled, trustFile = trusting(log)): Report =>
  verifyDossier(formatDossier(dossierOf(published(log), stream)), trustFile)

const worst = ({ checks }: Report, outcome = 'fail'): string => {
  const found = checks.find((check) => check.outcome === outcome)
  return `${found?.name ?? ''}: ${found?.reason ?? ''}`
}

/** The log after its operator has changed steps of the override. */
const rewritten = (change: (steps: Step[]) => void): ForgedLog =>
  reseal(genuine, operatorHolds, change)

/** What the log says after one member of one step's matter was changed. */
const refusal = (seq: number, change: Draft): string =>
  worst(
    verify(
      rewritten((steps) => {
        Object.assign(stepAt(steps, overruled, seq).matter, change)
      }),
    ),
  )

describe('a decision that was overruled', () => {
  it('is valid, an ALLOW for one use, and says by whom and until when', () => {
    const report = verify(genuine)
    expect(report).toMatchObject({ status: 'ALLOW by override', verdict: 'valid' })
    expect(report.override).toMatchObject({
      request: nonce,
      roster: 1,
      signatures: [
        { person: 'ann', role: 'risk_lead' },
        { person: 'bob', role: 'security_lead' },
      ],
      status: 'executed',
    })
    expect(report.notes.join()).toContain('ann as risk_lead and bob as security_lead')
    expect(report.checks.map(({ reason }) => reason)).toContain('Executed 1 of 1 times')
  })

  it('is told of in no note where the evidence is bad', () => {
    const twice = verify(grown(genuine, ['execution', overruled, executionOf(overruled, 2)]))
    expect(worst(twice)).toContain('stream.executions: ')
    expect(twice.notes.join()).not.toContain('Override is')
  })

  it('is no ALLOW before it was executed, whatever is signed', () => {
    const short = reseal(genuine, operatorHolds, (steps) => {
      steps.splice(-2)
    })
    const report = verify(short)
    expect(report).toMatchObject({ status: 'BLOCK', verdict: 'valid' })
    expect(report.override).toMatchObject({ status: 'approved' })
  })

  it('cannot be judged under a trust root that does not know the roster', () => {
    expect(verify(genuine, overruled, trusting(genuine, []))).toMatchObject({
      override: null,
      status: null,
      verdict: 'inconclusive',
    })
    const later = overruledLog(
      grown(decided, [
        'roster',
        'roster',
        rosterMatter(decided, secondRoster, ['ann', 'bob', 'dan']),
      ]),
      challengeOf(decided, { roster: { sha256: rosterDigest(secondRoster), version: 2 } }),
    )
    expect(verify(later).verdict).toBe('valid')
    expect(verify(later, overruled, trusting(decided)).verdict).toBe('inconclusive')
    const old = rostersOf(later).slice(0, 1)
    expect(worst(verify(later, overruled, trusting(later, old)))).toContain('another roster')
  })

  it('is erased, never valid, when any part of it is', () => {
    for (const seqs of [[0], [1], [2], [4], [0, 1, 2, 3, 4, 5]]) {
      const gone = reseal(
        grown(genuine, ['erasure', overruled, erasureOf(overruled, seqs)]),
        operatorHolds,
        (steps) => {
          for (const seq of seqs) stepAt(steps, overruled, seq).erased = true
        },
      )
      expect([seqs, verify(gone).verdict]).toEqual([seqs, 'erased'])
    }
  })

  it('is used once and after, not before', () => {
    const twice = grown(genuine, ['execution', overruled, executionOf(overruled, 2)])
    expect(worst(verify(twice))).toBe('stream.executions: Executed 2 times, allowed 1')
    const before = overruledLog(
      grown(decided, ['execution', overruled, executionOf(overruled, 1)]),
      challengeOf(decided),
    )
    expect(worst(verify(before))).toContain('A decision that is not ALLOW was executed: BLOCK')
  })
})

describe('a gate whose name holds a line break', () => {
  const named = (gates: readonly string[], failedGates: readonly string[]): Report => {
    const log = decidedLog({ gates: gates.map((name) => ({ name, passed: false })) })
    return verify(overruledLog(log, challengeOf(log, { failedGates: [...failedGates] })))
  }

  it('is one gate, not two, to who signs', () => {
    expect(named(['risk\ndrift'], ['risk\ndrift']).verdict).toBe('valid')
    expect(worst(named(['risk\ndrift'], ['risk', 'drift']))).toContain('other gates')
    expect(worst(named(['risk', 'drift'], ['risk\ndrift']))).toContain('other gates')
  })
})

describe('a bound value that was changed, all being sealed anew', () => {
  const other = (change: Partial<Challenge>): string =>
    formatChallenge(challengeOf(decided, change))

  it.each([
    ['instance', 'another instance', { instance: overruled }],
    ['tenant', 'another tenant', { tenant: 'other' }],
    ['origin', 'another origin', { origin: 'log.example/other' }],
    ['effect', 'Effect', { effect: { action: 'override', status: 'ALLOW', uses: 2 } }],
    ['effect', 'Effect', { effect: { action: 'erase' } }],
    ['decision', 'another decision', { decision: challengeOf(decided).instance }],
    ['decision leaf', 'another decision leaf', { decisionLeaf: 'ab'.repeat(32) }],
    ['gates', 'other gates', { failedGates: [] }],
    ['justification', 'Justification', { justification: 'Customer  waits' }],
    ['requesters', 'Requested by', { requesters: ['agent-7', 'alice', 'carl', 'eve'] }],
    ['requester', 'who asked', { requesters: ['agent-7', 'carl'] }],
    ['roster digest', 'another roster', { roster: { sha256: 'ab'.repeat(32), version: 1 } }],
    ['nonce', 'nonce', { nonce: 'ab'.repeat(32) }],
    ['approve-by', 'Approve by', { approveBy: challengeOf(decided).approveBy + 1 }],
    ['execute-by', 'Execute by', { executeBy: challengeOf(decided).executeBy + 1 }],
  ] satisfies readonly (readonly [string, string, Partial<Challenge>])[])(
    'names it: %s (%s)',
    (_, named, change) => {
      expect(refusal(1, { challenge: other(change) })).toContain(named)
    },
  )

  it.each([
    ['the person', 2, { person: 'bob' }, 'holds the role risk_lead'],
    ['the role', 2, { role: 'security_lead' }, 'holds the role security_lead'],
    ['the key', 2, { key: leadKey('dan') }, 'Key is not one of this person'],
    ['the kind of key', 2, { kind: 'SSHSIG' }, 'Key is not one of this person'],
    ['the signature', 2, { signature: leadSign('bob', opened) }, 'Signature of ann'],
    ['the text signed', 2, { challenge: opened.replace('waits', 'wants') }, 'by its Justification'],
    ['the request', 2, { request: 'ab'.repeat(32) }, 'There is no such request'],
    ['who opened it', 1, { by: { id: 'k', owner: 'eve', type: 'apiKey' } }, 'who asked'],
    ['its last word', 4, { maxUses: 2 }, 'Matter is not a v1 override'],
    ['what it became', 4, { status: 'BLOCK' }, 'Matter is not a v1 override'],
    ['the request executed', 4, { request: 'ab'.repeat(32) }, 'There is no such request'],
    ['the decision', 0, { status: 'ERROR' }, 'Only a decision that said no'],
    ['whether it may be', 0, { overridable: false }, 'Policy does not let'],
    ['its mode', 0, { mode: 'shadow' }, 'mode enforce'],
    ['what was decided', 0, { reasons: [] }, 'another decision leaf'],
    ['the floor', 0, { gates: [{ name: 'complexity', passed: false }] }, 'Complexity floor'],
  ] satisfies readonly (readonly [string, number, Draft, string])[])(
    'names it: %s',
    (_, seq, change, named) => {
      expect(refusal(seq, change)).toContain(named)
    },
  )

  it('is refused also where the signers’ text was changed along, for they did not sign it', () => {
    const text = other({ justification: 'Customer  waits' })
    const forged = rewritten((steps) => {
      for (const seq of [1, 2, 3]) stepAt(steps, overruled, seq).matter['challenge'] = text
    })
    expect(worst(verify(forged))).toContain('Signature of ann')
  })

  it('is refused where one lead signed twice, or one signature is missing', () => {
    expect(refusal(3, signedBy('ann', 'security_lead', opened))).toContain('holds the role')
    expect(refusal(3, signedBy('ann', 'risk_lead', opened))).toContain('Role has signed already')
    const half = reseal(genuine, operatorHolds, (steps) => {
      const at = steps.indexOf(stepAt(steps, overruled, 3))
      steps.splice(at, 1)
      for (const step of steps) if (step.stream === overruled && step.seq > 3) step.seq--
    })
    expect(worst(verify(half))).toContain('has not both signatures')
  })

  it('is refused where a requester signed', () => {
    const asked = decidedLog({ caller: { id: 'k', owner: 'ann', type: 'apiKey' } })
    const challenge = challengeOf(asked, { requesters: ['agent-7', 'ann', 'carl'] })
    expect(worst(verify(overruledLog(asked, challenge)))).toContain('Whoever asked may not sign')
  })
})

describe('the deadlines of an override', () => {
  const { approveBy, executeBy } = challengeOf(decided)
  const moved = (seq: number, time: number): Report =>
    verify(
      rewritten((steps) => {
        for (const step of steps)
          if (step.stream === overruled && step.seq >= seq) step.time = Math.max(step.time, time)
      }),
    )

  it.each([
    ['the second signature', 3, approveBy, 'Approve-by has passed'],
    ['the execution', 4, executeBy, 'Execute-by has passed'],
  ] as const)('hold for %s on both sides of the millisecond', (_, seq, time, why) => {
    expect(moved(seq, time).verdict).toBe('valid')
    expect(worst(moved(seq, time + 1))).toContain(why)
  })

  it('let a request expire when they have passed, and not before', () => {
    const expiredAt = (time: number): Report =>
      verify(
        reseal(genuine, operatorHolds, (steps) => {
          steps.splice(-3)
          const last = stepAt(steps, overruled, 2)
          const matter = overrideMatter('expired', { by: null })
          steps.push({ ...last, kind: 'override', matter, seq: 3, time })
        }),
      )
    expect(expiredAt(approveBy + 1)).toMatchObject({ status: 'BLOCK', verdict: 'valid' })
    expect(worst(expiredAt(approveBy))).toContain('No deadline has passed')
  })
})

describe('the stream of a roster', () => {
  const second = grown(decided, [
    'roster',
    'roster',
    rosterMatter(decided, secondRoster, ['ann', 'bob', 'dan']),
  ])

  it('is valid under a trust root that names its versions', () => {
    expect(verify(second, 'roster').verdict).toBe('valid')
    expect(verify(second, 'roster', trusting(decided)).verdict).toBe('inconclusive')
    expect(verify(second, 'roster', trusting(second, [])).verdict).toBe('inconclusive')
  })

  it('is refused where a version is not signed as the one before demands', () => {
    const by = (...leads: ('ann' | 'bob' | 'dan')[]): string =>
      worst(
        verify(
          grown(decided, ['roster', 'roster', rosterMatter(decided, secondRoster, leads)]),
          'roster',
          trusting(decided),
        ),
      )
    expect(by('ann', 'dan')).toContain('No security_lead of version 1 has signed')
    expect(by('ann', 'bob')).toContain('New key has not signed')
  })

  it('makes what was signed under the version before void', () => {
    const late = reseal(genuine, operatorHolds, (steps) => {
      steps.splice(-3)
    })
    const changed = grown(
      late,
      ['roster', 'roster', rosterMatter(late, secondRoster, ['ann', 'bob', 'dan'])],
      ['approval', overruled, signedBy('bob', 'security_lead', opened)],
    )
    expect(worst(verify(changed))).toContain('Roster has changed since')
  })

  it('is refused where the trust root names another version, or time, or place', () => {
    for (const change of [{ from: 0 }, { time: 5 }, { askedAt: 1 }]) {
      const rosters = rostersOf(second).map((one, i) => (i === 1 ? { ...one, ...change } : one))
      expect(verify(second, 'roster', trusting(second, rosters)).verdict).toBe('invalid')
    }
  })
})

describe('a trust root with rosters', () => {
  it('is refused when one of them does not follow from the one before', () => {
    const [only] = rostersOf(decided)
    if (only === undefined) throw new Error('No roster')
    const forged = { ...firstRoster, people: firstRoster.people.toReversed() }
    const problem = (change: Partial<typeof only>): string =>
      worst(verify(genuine, overruled, trusting(genuine, [{ ...only, ...change }])))
    expect(problem({ roster: forged })).toContain('trust-root.rosters: Roster 1: Signature of')
    expect(problem({ endorsements: only.endorsements.slice(1) })).toContain(
      'New key has not signed',
    )
    expect(problem({ from: genuine.size })).toContain('Roster does not stand in its place')
    expect(problem({ roster: { ...firstRoster, version: 2 } })).toContain('trust-root.rosters')
  })
})

describe('a newer trust root', () => {
  const second = grown(decided, [
    'roster',
    'roster',
    rosterMatter(decided, secondRoster, ['ann', 'bob', 'dan']),
  ])
  const root = (log: ForgedLog, rosters = rostersOf(log)): TrustRoot => {
    const parsed = parseTrustRoot(trusting(log, rosters))
    if (typeof parsed === 'string') throw new Error(parsed)
    return parsed
  }
  const judged = (older: TrustRoot, newer: TrustRoot): string | undefined => {
    const checks = new Checks()
    judgeTrustStep(checks, older, newer, '', undefined)
    return checks.list.find(({ ok }) => !ok)?.reason
  }
  const [first, next] = rostersOf(second)

  it('adds rosters, and takes none back', () => {
    expect(judged(root(decided), root(second))).toBeUndefined()
    expect(judged(root(decided, []), root(second, []))).toBeUndefined()
    expect(judged(root(decided), root(second, []))).toContain('A roster is missing or is another')
    expect(judged(root(decided, []), root(second))).toContain('A roster was added before size')
    const moved = [first, next].flatMap((one) => (one === undefined ? [] : [one]))
    expect(judged(root(second), root(genuine, moved.slice(0, 1)))).toContain('A roster is missing')
  })
})

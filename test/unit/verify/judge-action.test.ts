import { describe, expect, it } from 'vitest'
import { actionIdOf } from '../../../src/dossier/action-effects.ts'
import { formatChallenge, type Challenge } from '../../../src/dossier/challenge.ts'
import { actionStreamOf } from '../../../src/dossier/kinds.ts'
import { rosterDigest } from '../../../src/dossier/roster.ts'
import {
  formatTrustRoot,
  type OriginSection,
  type TrustRoot,
} from '../../../src/dossier/trust-root.ts'
import { formatDossier } from '../../../src/dossier/v1.ts'
import { verifyDossier, type Report } from '../../../src/verify/index.ts'
import { judgeTrustStep } from '../../../src/verify/judge-trust-step.ts'
import { Checks } from '../../../src/verify/report.ts'
import { operatorHolds, reseal, type Draft, type ForgedLog } from '../../support/forge.ts'
import { dossierOf, sectionOf } from '../../support/forge-dossier.ts'
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
  published,
  rostersOf,
  secondRoster,
  signedBy,
  trusting,
} from '../../support/forge-override.ts'
import { stepAt } from './forgery.ts'

type Periods = OriginSection['control']

/** A trust root that knows everything of a log, and these times. */
const trustingControl = (
  log: ForgedLog,
  control: Periods,
  asOf = sectionOf(log).asOf,
): Uint8Array =>
  formatTrustRoot({
    dev: false,
    origins: [
      {
        ...sectionOf(log),
        asOf,
        rosters: rostersOf(log).filter(({ from }) => from < asOf.size),
        ...(control === undefined ? {} : { control }),
      },
    ],
    previous: null,
    v: 1,
    version: 1,
  })

/** The times under dual control that a log tells of. */
function periodsOf({ sealed }: ForgedLog): { from: number; to: number | null }[] {
  const periods: { from: number; to: number | null }[] = []
  for (const [index, { step }] of sealed.entries()) {
    if (step.stream !== 'control' || step.matter['action'] !== 'control.set') continue
    const set = (step.matter['detail'] as Draft)['dualControl']
    const open = periods.find(({ to }) => to === null)
    if (set === 'all' && open === undefined) periods.push({ from: index, to: null })
    if (set === 'none' && open !== undefined) open.to = index
  }
  return periods
}

const decided = decidedLog()
const stream = actionStreamOf(actionIdOf(nonce))

const actionOf = (change: Partial<Challenge> = {}): string =>
  formatChallenge({
    ...challengeOf(decided),
    decision: null,
    decisionLeaf: null,
    effect: { action: 'tenant.close', reason: 'Merged' },
    failedGates: [],
    requesters: ['carl'],
    ...change,
  })

/** A log in which an action was signed and used, as its operator makes it. */
const signedLog = (text = actionOf(), name = stream): ForgedLog =>
  grown(
    decided,
    ['override', name, overrideMatter('opened', { challenge: text })],
    ['approval', name, signedBy('ann', 'risk_lead', text)],
    ['approval', name, signedBy('bob', 'security_lead', text)],
    ['override', name, overrideMatter('executed', { maxUses: 1, status: 'ALLOW' })],
  )
const genuine = signedLog()

const verify = (log: ForgedLog, name = stream, control = periodsOf(log)): Report =>
  verifyDossier(
    formatDossier(dossierOf(published(log), name)),
    control.length === 0 ? trusting(log) : trustingControl(log, control),
  )

const worst = ({ checks }: Report, outcome = 'fail'): string => {
  const found = checks.find((check) => check.outcome === outcome)
  return `${found?.name ?? ''}: ${found?.reason ?? ''}`
}

describe('the dossier of an action', () => {
  it('is valid, and says what was done and by whom', () => {
    const report = verify(genuine)
    expect(report).toMatchObject({
      action: {
        effect: { action: 'tenant.close', reason: 'Merged' },
        roster: 1,
        signatures: [{ person: 'ann' }, { person: 'bob' }],
        status: 'executed',
      },
      override: null,
      status: null,
      verdict: 'valid',
    })
    expect(report.notes.join()).toContain('ann as risk_lead and bob as security_lead')
  })

  it('is inconclusive under a trust root that does not know the roster', () => {
    const report = verifyDossier(
      formatDossier(dossierOf(published(genuine), stream)),
      trusting(genuine, []),
    )
    expect(report).toMatchObject({ action: null, verdict: 'inconclusive' })
  })

  it.each([
    ['instance', 'another instance', { instance: overruled }],
    ['tenant', 'another tenant', { tenant: 'other' }],
    ['origin', 'another origin', { origin: 'log.example/other' }],
    ['effect', 'Not an effect', { effect: { action: 'tenant.close', more: 1 } }],
    ['decision', 'another decision', { decision: overruled, decisionLeaf: 'ab'.repeat(32) }],
    ['gates', 'names gates', { failedGates: ['risk'] }],
    ['requester', 'who asked', { requesters: ['dora'] }],
    ['roster', 'another roster', { roster: { sha256: rosterDigest(secondRoster), version: 1 } }],
    ['nonce', 'Stream is not the one', { nonce: 'ab'.repeat(32) }],
    ['approve-by', 'Deadlines', { approveBy: 1 }],
    ['execute-by', 'Deadlines', { executeBy: 8_000_000_000_000_000 }],
  ] as const)('is refused for another %s that all have signed', (_, why, change) => {
    const text = actionOf(change as Partial<Challenge>)
    const log = reseal(signedLog(text), operatorHolds, (steps) => {
      const request = 'nonce' in change ? change.nonce : nonce
      for (const step of steps) if (step.stream === stream) step.matter['request'] = request
    })
    expect(worst(verify(log))).toContain(why)
  })

  it.each([
    ['Effect', { effect: { action: 'tenant.close', reason: 'Other' } }],
    ['Justification', { justification: 'Pay me' }],
    ['Requested by', { requesters: ['carl', 'dora'] }],
    ['Approve by', { approveBy: challengeOf(decided).approveBy - 1 }],
    ['Execute by', { executeBy: challengeOf(decided).executeBy + 1 }],
  ] as const)(
    'is refused by its %s where that was changed after the leads signed',
    (line, change) => {
      const text = actionOf(change as Partial<Challenge>)
      const log = reseal(genuine, operatorHolds, (steps) => {
        stepAt(steps, stream, 0).matter['challenge'] = text
      })
      expect(worst(verify(log))).toBe(
        `stream.action: Step 1 (signed): What was signed is another challenge, by its ${line}`,
      )
    },
  )

  const refusal = (seq: number, change: Draft): string =>
    worst(
      verify(
        reseal(genuine, operatorHolds, (steps) => {
          Object.assign(stepAt(steps, stream, seq).matter, change)
        }),
      ),
    )

  it('is refused for signatures of one lead, of strangers, in other roles, or of another text', () => {
    const text = actionOf()
    expect(refusal(2, signedBy('ann', 'risk_lead', text))).toContain('Role has signed already')
    expect(refusal(2, { role: 'risk_lead' })).toContain('holds the role risk_lead')
    expect(refusal(1, { key: leadKey('dan') })).toContain('Key is not one of this person')
    expect(refusal(1, { signature: leadSign('dan', text) })).toContain('Signature of ann')
    const asking = signedLog(actionOf({ requesters: ['carl', 'ann'] }))
    expect(worst(verify(asking))).toContain('Whoever asked may not sign')
  })

  it('is refused where a step is left out, comes twice, or stands in another stream', () => {
    const without = (seq: number): ForgedLog =>
      reseal(genuine, operatorHolds, (steps) => {
        steps.splice(steps.indexOf(stepAt(steps, stream, seq)), 1)
        for (const step of steps) if (step.stream === stream && step.seq > seq) step.seq--
      })
    expect(worst(verify(without(1)))).toContain('not both signatures')
    const twice = grown(genuine, [
      'override',
      stream,
      overrideMatter('executed', { maxUses: 1, status: 'ALLOW' }),
    ])
    expect(worst(verify(twice))).toContain('Request is over: executed')
    const elsewhere = actionStreamOf(overruled)
    expect(worst(verify(signedLog(actionOf(), elsewhere), elsewhere))).toContain(
      'Stream is not the one of the nonce',
    )
    const past = reseal(genuine, operatorHolds, (steps) => {
      stepAt(steps, stream, 3).time = challengeOf(decided).executeBy + 1
    })
    expect(worst(verify(past))).toContain('Execute-by has passed')
    const last = reseal(genuine, operatorHolds, (steps) => {
      stepAt(steps, stream, 3).time = challengeOf(decided).executeBy
    })
    expect(verify(last).verdict).toBe('valid')
  })
})

describe('the stream control', () => {
  const by = { id: 'cli', owner: 'carl', type: 'local' }
  const act = (action: string, detail: Draft, control?: Draft): Draft => ({
    action,
    by,
    detail,
    subject: 'default',
    time: 1,
    ...(control === undefined ? {} : { control }),
  })
  const begun = grown(decided, ['admin', 'control', act('control.set', { dualControl: 'all' })])
  const allowed = { action: stream, sha256: 'ab'.repeat(32) }
  const ending = (control?: Draft) =>
    grown(begun, ['admin', 'control', act('control.set', { dualControl: 'none' }, control)])

  it('tells since when two leads must sign, and names the actions by which that ended', () => {
    expect(verify(begun, 'control')).toMatchObject({ verdict: 'valid' })
    const report = verify(ending(allowed), 'control')
    expect(report.verdict).toBe('valid')
    expect(report.notes.join('\n')).toContain(`Names ${stream}`)
  })

  it('is refused where it ended, or the tenant was closed, by nobody’s leave', () => {
    const from = begun.size - 1
    const demand = `Two leads must sign such a thing from index ${from} on`
    expect(worst(verify(ending(), 'control'))).toContain(`${demand}, and it names no approved`)
    expect(worst(verify(ending({ waived: 'break-glass' }), 'control'))).toContain(demand)
    expect(worst(verify(ending({ waived: 'not controlled' }), 'control'))).toContain(demand)
    expect(worst(verify(ending({ waived: 'no roster' }), 'control'))).toContain('no roster')
    const closed = grown(begun, ['admin', 'control', act('tenant.close', { reason: 'x' })])
    expect(worst(verify(closed, 'control'))).toContain(demand)
    const twice = grown(begun, ['admin', 'control', act('control.set', { dualControl: 'all' })])
    expect(worst(verify(twice, 'control'))).toContain('already')
    const other = grown(begun, ['admin', 'control', act('apikey.create', {})])
    expect(worst(verify(other, 'control'))).toContain('Not an act of this stream')
  })

  it('is refused under a trust root that names other times', () => {
    const from = begun.size - 1
    const ended = ending(allowed)
    const named = (log: ForgedLog, control: { from: number; to: number | null }[]): string =>
      worst(verify(log, 'control', control))
    expect(worst(verify(ended, 'control', []))).toContain('other times')
    for (const periods of [
      [{ from, to: null }],
      [{ from: from - 1, to: from + 1 }],
      [{ from: from - 2, to: from - 1 }],
      [
        { from: from - 2, to: from - 1 },
        { from, to: from + 1 },
      ],
    ])
      expect(named(ended, periods)).toContain('stream.control.named')
    expect(named(ended, [{ from, to: from + 1 }])).toBe(': ')
  })

  it('is not held against times that a trust root, or a dossier, is too old to know', () => {
    const from = begun.size - 1
    const ended = ending(allowed)
    const old = (size: number, control: Periods): string =>
      verifyDossier(
        formatDossier(dossierOf(published(ended), 'control')),
        trustingControl(ended, control, sectionOf(ended, [], size).asOf),
      ).verdict
    expect(old(from + 1, [{ from, to: null }])).toBe('valid')
    expect(old(from + 2, [{ from, to: null }])).toBe('invalid')
    expect(old(from, undefined)).toBe('valid')
    expect(old(from + 1, undefined)).toBe('invalid')
    const later = grown(begun, ['admin', 'admin', act('apikey.create', {})])
    expect(verify(later, 'control', [{ from, to: from + 1 }]).verdict).toBe('valid')
  })

  it('is refused where a closing does not say why', () => {
    const closed = (detail: Draft) =>
      verify(grown(decided, ['admin', 'control', act('tenant.close', detail)]), 'control')
    expect(closed({ reason: 'Merged' }).verdict).toBe('valid')
    expect(worst(closed({}))).toContain('Why the tenant was closed')
    expect(worst(closed({ reason: '' }))).toContain('Why the tenant was closed')
    expect(worst(closed({ reason: 'Merged', refund: true }))).toContain('Why the tenant was closed')
  })

  it('does not let an erasure say that there was no roster behind one', () => {
    const erasing = (control: Draft) =>
      grown(decided, [
        'erasure',
        overruled,
        { by, control, reason: 'x', seqs: [0], stream: overruled, time: 1 },
      ])
    const gone = (log: ForgedLog) =>
      reseal(log, operatorHolds, (steps) => {
        stepAt(steps, overruled, 0).erased = true
      })
    expect(worst(verify(gone(erasing({ waived: 'no roster' })), overruled))).toContain(
      'stream.control',
    )
    expect(verify(gone(erasing(allowed)), overruled).verdict).toBe('erased')
  })
})

describe('slots in the stream keys', () => {
  const slots = (providers: readonly string[], control: Draft): Draft => ({
    algorithm: 'X-Wing',
    control,
    event: 'slots',
    from: null,
    keyId: overruled,
    keyid: null,
    publicKey: '',
    purpose: 'master',
    slots: providers.map((provider) => ({
      id: overruled,
      kekId: 'kek',
      mechanism: 'RSA-OAEP',
      provider,
    })),
    time: 1,
    version: 1,
    vkeys: [],
  })
  const allowed = { action: stream, sha256: 'ab'.repeat(32) }
  const rewrapped = (...providers: readonly string[]): Report =>
    verify(
      grown(
        decided,
        ['key', 'keys', slots(['kms', 'hsm'], allowed)],
        ['key', 'keys', slots(providers, { waived: 'rewrap' })],
      ),
      'keys',
    )

  it('that say that they were made again are of the providers before, in any order', () => {
    expect(rewrapped('kms', 'hsm').verdict).toBe('valid')
    expect(rewrapped('hsm', 'kms').verdict).toBe('valid')
    for (const others of [['kms'], ['kms', 'hsm', 'environment'], ['kms', 'environment']])
      expect(worst(rewrapped(...others))).toContain('they are others')
    const first = grown(decided, ['key', 'keys', slots(['kms'], { waived: 'rewrap' })])
    expect(verify(first, 'keys').verdict).toBe('valid')
  })
})

describe('a time under dual control that the trust root names', () => {
  const by = { id: 'cli', owner: 'carl', type: 'local' }
  const erased = (control?: Draft): ForgedLog =>
    reseal(
      grown(decided, [
        'erasure',
        overruled,
        {
          by,
          reason: 'x',
          seqs: [0],
          stream: overruled,
          time: 1,
          ...(control === undefined ? {} : { control }),
        },
      ]),
      operatorHolds,
      (steps) => {
        stepAt(steps, overruled, 0).erased = true
      },
    )
  const at = decided.size
  const under = (
    log: ForgedLog,
    periods: { from: number; to: number | null }[],
    known = log.size,
  ): Report =>
    verifyDossier(
      formatDossier(dossierOf(published(log), overruled)),
      formatTrustRoot({
        dev: false,
        origins: [{ ...sectionOf(log, [], known), control: periods, rosters: rostersOf(log) }],
        previous: null,
        v: 1,
        version: 1,
      }),
    )

  it('demands an action of what is guarded in it, and of nothing on either side', () => {
    const action = { action: stream, sha256: 'ab'.repeat(32) }
    const always = [{ from: at - 1, to: null }]
    expect(under(erased(action), always).verdict).toBe('erased')
    expect(worst(under(erased(), always))).toContain(
      `Two leads must sign such a thing from index ${at - 1} on, and it names no approved action`,
    )
    expect(worst(under(erased({ waived: 'not controlled' }), always))).toContain('not controlled')
    expect(worst(under(erased({ waived: 'break-glass' }), always))).toContain('Only slots')
    expect(under(erased(), [{ from: at, to: null }]).verdict).toBe('erased')
    expect(under(erased(), [{ from: at - 2, to: at }]).verdict).toBe('erased')
    expect(worst(under(erased(), [{ from: at - 2, to: at + 1 }]))).toContain('Two leads')
  })

  it('may have ended where the trust root is too old to know', () => {
    const log = erased()
    const always = [{ from: at - 1, to: null }]
    expect(under(log, always, at + 1).verdict).toBe('invalid')
    const old = under(log, always, at)
    expect(old.verdict).toBe('inconclusive')
    expect(old.checks.find(({ outcome }) => outcome === 'inconclusive')?.reason).toContain(
      'a newer trust root is needed',
    )
    expect(under(log, [{ from: at - 1, to: at + 1 }], at).verdict).toBe('invalid')
  })

  it('is refused where it does not follow the one before', () => {
    for (const periods of [
      [{ from: 2, to: 2 }],
      [
        { from: 1, to: null },
        { from: 3, to: null },
      ],
      [
        { from: 1, to: 3 },
        { from: 3, to: null },
      ],
    ])
      expect(worst(under(erased(), periods))).toContain('do not follow each other')
  })

  it('is not taken back by a later trust root', () => {
    const section = { ...sectionOf(decided), rosters: rostersOf(decided) }
    const known = section.asOf.size
    const step = (before: Periods, after: Periods): string => {
      const root = (control: Periods, version: number): TrustRoot => ({
        dev: false,
        origins: [{ ...section, ...(control === undefined ? {} : { control }) }],
        previous: version === 1 ? null : 'ab'.repeat(32),
        v: 1,
        version,
      })
      const checks = new Checks()
      judgeTrustStep(checks, root(before, 1), root(after, 2), 'ab'.repeat(32), undefined)
      return checks.list.find(({ name }) => name === 'update.keys')?.reason ?? ''
    }
    const open = [{ from: 2, to: null }]
    const ended = [{ from: 2, to: known }]
    const [kept, gone, added] = [
      'Nothing that was said',
      'missing or is another',
      'was added before',
    ]
    expect(step(undefined, [{ from: known, to: null }])).toContain(kept)
    expect(step(open, open)).toContain(kept)
    expect(step(open, ended)).toContain(kept)
    expect(step(undefined, [{ from: known - 1, to: null }])).toContain(added)
    expect(step(open, [{ from: 2, to: known - 1 }])).toContain(gone)
    expect(step(open, undefined)).toContain(gone)
    expect(step(open, [{ from: 3, to: null }])).toContain(gone)
    expect(step(ended, open)).toContain(gone)
  })
})

it('rosters of the forged log are those of the tests', () => {
  expect(challengeOf(decided).roster.sha256).toBe(rosterDigest(firstRoster))
})

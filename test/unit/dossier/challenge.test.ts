import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  challengeDifference,
  challengeLimits,
  formatChallenge,
  parseChallenge,
  type Challenge,
} from '../../../src/dossier/challenge.ts'

const good: Challenge = {
  instance: '0197a9d0-0000-7000-8000-000000000001',
  tenant: 'default',
  origin: 'log.example/default',
  effect: { action: 'override', status: 'ALLOW' },
  decision: '0197a9d0-0000-7000-8000-000000000002',
  decisionLeaf: 'ab'.repeat(32),
  failedGates: ['risk', 'profit'],
  justification: 'Customer waits',
  requesters: ['alice'],
  roles: ['risk_lead', 'security_lead'],
  roster: { version: 3, sha256: 'cd'.repeat(32) },
  nonce: 'ef'.repeat(32),
  approveBy: 1_790_000_000_000,
  executeBy: 1_790_000_600_000,
}

describe('a challenge', () => {
  it('is this text', () => {
    expect(formatChallenge(good)).toBe(`Countersign override v1
Instance: 0197a9d0-0000-7000-8000-000000000001
Tenant: default
Origin: log.example/default
Effect: {"action":"override","status":"ALLOW"}
Decision: 0197a9d0-0000-7000-8000-000000000002
Decision leaf: ${'ab'.repeat(32)}
Failed gates: ["risk","profit"]
Justification: "Customer waits"
Requested by: ["alice"]
Roles: risk_lead, security_lead
Roster: 3 ${'cd'.repeat(32)}
Nonce: ${'ef'.repeat(32)}
Approve by: 2026-09-21T14:13:20.000Z
Execute by: 2026-09-21T14:23:20.000Z
`)
  })

  it('is read back as what it was made of', () => {
    expect(parseChallenge(formatChallenge(good))).toEqual(good)
    const order: Challenge = {
      ...good,
      decision: null,
      decisionLeaf: null,
      effect: { action: 'keys.revoke', from: 7, keyId: good.instance },
      failedGates: [],
    }
    expect(formatChallenge(order)).toContain('\nDecision: none\nDecision leaf: none\n')
    expect(parseChallenge(formatChallenge(order))).toEqual(order)
  })

  it.each([
    ['a newline', 'Good\nDecision: none'],
    ['a carriage return', 'Good\rEffect: {}'],
    ['a right-to-left override', 'pay \u202e000,1 only'],
    ['an isolate', '\u2066x\u2069'],
    ['a line separator', 'a\u2028b'],
    ['a delete', 'a\u007fb'],
    ['a letter from elsewhere', 'p\u0430y'],
    ['an emoji', '\u{1f600}'],
    ['quotes and backslashes', '\\" \\n "'],
  ])('shows %s in a justification as an escape on one line of ASCII', (_, justification) => {
    const text = formatChallenge({ ...good, justification })
    expect(text).toMatch(/^[\x0a\x20-\x7e]+$/)
    expect(text.split('\n')).toHaveLength(16)
    expect(parseChallenge(text)).toEqual({ ...good, justification })
  })

  it('has one text for whatever it binds, and another for whatever else', () => {
    const text = fc.string({ minLength: 1, maxLength: 40, unit: 'binary' })
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 3 }), (justification, failedGates) => {
        const challenge = { ...good, failedGates, justification }
        expect(parseChallenge(formatChallenge(challenge))).toEqual(challenge)
      }),
    )
  })

  it('is refused with any byte of it changed, unless it then says something else', () => {
    const text = formatChallenge(good)
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 0, max: 127 }), (at, code) => {
        const char = String.fromCharCode(code)
        if (text[at] === char) return
        const parsed = parseChallenge(text.slice(0, at) + char + text.slice(at + 1))
        expect(parsed).not.toEqual(good)
      }),
      { numRuns: 300 },
    )
  })

  it.each<[string, (text: string) => string]>([
    ['lines in another order', (text) => text.replace(/(Tenant: .*\n)(Origin: .*\n)/, '$2$1')],
    ['a line more', (text) => text.replace('Nonce', 'Note: x\nNonce')],
    ['a line less', (text) => text.replace(/Roles: .*\n/, '')],
    ['no newline at its end', (text) => text.trimEnd()],
    ['another first line', (text) => text.replace('v1', 'v2')],
    ['spaces in its JSON', (text) => text.replace('["risk",', '["risk", ')],
    ['a name twice in its JSON', (text) => text.replace('{"action"', '{"action":"erase","action"')],
    ['an escape that is none needed', (text) => text.replace('Customer', '\\u0043ustomer')],
    ['another form of a time', (text) => text.replace('14:13:20.000Z', '14:13:20Z')],
    ['a version with a zero in front', (text) => text.replace('Roster: 3', 'Roster: 03')],
    [
      'the roles exchanged',
      (text) => text.replace('risk_lead, security_lead', 'security_lead, risk_lead'),
    ],
    ['an effect that is none', (text) => text.replace('"override"', '"overrule"')],
    ['letters beyond ASCII', (text) => text.replace('waits', 'wäits')],
  ])('is refused with %s', (_, change) => {
    const text = formatChallenge(good)
    expect(change(text)).not.toBe(text)
    expect(parseChallenge(change(text))).toEqual(expect.any(String))
  })

  it('keeps its bounds', () => {
    const long = 'x'.repeat(challengeLimits.justification)
    expect(parseChallenge(formatChallenge({ ...good, justification: long }))).toMatchObject({
      justification: long,
    })
    expect(() => formatChallenge({ ...good, justification: `${long}x` })).toThrow('Not a challenge')
    expect(() => formatChallenge({ ...good, justification: '' })).toThrow('Not a challenge')
    expect(() => formatChallenge({ ...good, justification: '\u{1f600}'.repeat(512) })).toThrow(
      'more than 4096 bytes',
    )
    const spare =
      challengeLimits.bytes -
      formatChallenge({ ...good, effect: { action: 'erase', note: '' } }).length
    const fitting = { ...good, effect: { action: 'erase' as const, note: 'y'.repeat(spare) } }
    expect(formatChallenge(fitting)).toHaveLength(challengeLimits.bytes)
    expect(parseChallenge(formatChallenge(fitting))).toEqual(fitting)
    expect(() =>
      formatChallenge({ ...fitting, effect: { ...fitting.effect, note: 'y'.repeat(spare + 1) } }),
    ).toThrow('more than')
    expect(parseChallenge(`${formatChallenge(fitting)} `)).toBe('Challenge is too long')
  })

  it('cannot bind what contradicts itself', () => {
    expect(() => formatChallenge({ ...good, decisionLeaf: null })).toThrow('its leaf')
    expect(() => formatChallenge({ ...good, executeBy: good.approveBy - 1 })).toThrow('after')
    expect(() => formatChallenge({ ...good, executeBy: good.approveBy })).not.toThrow()
    expect(() => formatChallenge({ ...good, requesters: [] })).toThrow('Not a challenge')
    expect(() => formatChallenge({ ...good, justification: '\ud800' })).toThrow('Lone surrogate')
  })
})

describe('the difference of two challenges', () => {
  const text = formatChallenge(good)

  it.each([
    ['Instance', { instance: good.decision ?? '' }],
    ['Tenant', { tenant: 'other' }],
    ['Origin', { origin: 'log.example/other' }],
    ['Effect', { effect: { action: 'override', status: 'BLOCK' } }],
    ['Decision', { decision: good.instance }],
    ['Decision leaf', { decisionLeaf: 'ac'.repeat(32) }],
    ['Failed gates', { failedGates: ['risk'] }],
    ['Justification', { justification: 'Customer  waits' }],
    ['Requested by', { requesters: ['bob'] }],
    ['Roster', { roster: { ...good.roster, version: 4 } }],
    ['Nonce', { nonce: 'ee'.repeat(32) }],
    ['Approve by', { approveBy: good.approveBy - 1 }],
    ['Execute by', { executeBy: good.executeBy + 1 }],
  ] satisfies readonly (readonly [string, Partial<Challenge>])[])('is %s', (label, change) => {
    expect(challengeDifference(text, formatChallenge({ ...good, ...change }))).toBe(label)
  })

  it('is none between equal ones, and the form where it is in no value', () => {
    expect(challengeDifference(text, text)).toBeUndefined()
    for (const other of ['', text.trimEnd(), `${text}\n`, text.replace('Nonce', 'Once')])
      expect(challengeDifference(text, other)).toBe('form')
    expect(challengeDifference('', text)).toBe('form')
    expect(challengeDifference(text, text.replace('v1', 'v2'))).toBe('form')
  })
})

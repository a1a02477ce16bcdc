import { expect, it } from 'vitest'
import { canonicalize } from '../../../src/base/canonical-json.ts'
import { canonicalSaid, membersIn, submissionOf } from '../../../src/decisions/submission.ts'
import { decisionRequestSchema } from '../../../src/wire/decision.ts'

const request = decisionRequestSchema.parse({
  intent: {
    actor: { id: 'a\nb' },
    action: { type: 'pay', note: 'one\r\ntwo\u2028three', '\n': [1, { z: 0, a: '\\n' }] },
  },
  status: 'ESCALATE',
  reasons: [{ code: 'X', text: '"\n"' }],
  trace: '\n\n',
  decideWithinSeconds: 9,
})

it('has a line for each member, whatever line breaks are in them', () => {
  const submission = submissionOf(request, 'key')
  expect(submission).toMatchObject({
    actor: 'a\nb',
    decideWithinSeconds: 9,
    idempotencyKey: 'key',
    mode: 'enforce',
  })
  expect(submission.lines.split('\n')).toHaveLength(12)
  const members = Object.entries(membersIn(submission)).map(([name, text]) => [
    name,
    JSON.parse(text) as unknown,
  ])
  expect(Object.fromEntries(members)).toEqual({
    confidence: null,
    gates: [],
    intent: request.intent,
    links: {},
    maxUses: null,
    mode: 'enforce',
    obligations: [],
    overridable: true,
    policies: [],
    reasons: request.reasons,
    status: 'ESCALATE',
    trace: '\n\n',
  })
})

it('is known again by the canonical text of all members', () => {
  const text = canonicalSaid(submissionOf(request))
  expect(canonicalize(JSON.parse(text))).toBe(text)
})

it.each(['', '\nnull'])('is no submission with a line less or more', (more) => {
  const { lines } = submissionOf(request)
  const wrong = more === '' ? lines.slice(0, lines.lastIndexOf('\n')) : lines + more
  expect(() => membersIn({ lines: wrong })).toThrow(/twelve/)
})

import { expect, it } from 'vitest'
import { runCases, readCases } from '../../../src/policy/cases.ts'
import { compileSource, formatOfName, readBundleSource } from '../../../src/policy/source.ts'
import { answerLine } from '../../../src/policy/batch.ts'

const bundleText = `
bundle_id: payments
policies:
  - id: limits
    rules:
      - {id: small, effect: allow, when: {kind: lt, field: amount, value: 100}}
      - {id: banned, effect: deny, when: {kind: eq, field: to, value: mallory}}
      - {id: raising, effect: deny, when: {kind: contains, field: note, value: [1]}}
`
const compiled = compileSource(bundleText, '0.1')

const report = (cases: string) => runCases(compiled, readCases(cases, compiled))

it('passes a case whose decision is the one expected, and fails one whose is not', () => {
  const { failed, results } = report(`
cases:
  - {name: right, context: {data: {amount: 1}}, expect: allow}
  - {name: wrong, context: {data: {amount: 100}}, expect: allow}
`)
  expect(failed).toBe(1)
  expect(results.map(({ passed }) => passed)).toEqual([true, false])
  expect(results[1]).toMatchObject({ expected: 'allow', found: 'deny by policy limits by no rule' })
})

it('holds a case to the policy and the rule that it names', () => {
  const { results } = report(`
cases:
  - {name: rule, context: {data: {amount: 1}}, expect: {decision: allow, policy: limits, rule: small}}
  - {name: other rule, context: {data: {amount: 1}}, expect: {decision: allow, rule: banned}}
  - {name: other policy, context: {data: {amount: 1}}, expect: {decision: allow, policy: another}}
  - {name: no rule, context: {data: {amount: 500}}, expect: {decision: deny, rule: null}}
`)
  expect(results.map(({ passed }) => passed)).toEqual([true, false, false, true])
})

it('names the rules that no case has matched', () => {
  const { rules, unmatched } = report(`
cases:
  - {name: small, context: {data: {amount: 1}}, expect: allow}
  - {name: banned, context: {data: {to: mallory}}, expect: deny}
`)
  expect(rules).toBe(3)
  expect(unmatched).toEqual([{ policy: 'limits', rule: 'raising' }])
})

it('takes a policy that raises for an error and for nothing else', () => {
  const { results } = report(`
cases:
  - {name: raises, context: {data: {note: {a: 1}}}, expect: error}
  - {name: not a denial, context: {data: {note: {a: 1}}}, expect: deny}
  - {name: not a context, context: {data: 1}, expect: error}
`)
  expect(results.map(({ passed }) => passed)).toEqual([true, false, false])
})

it('refuses cases that are none, naming the place', () => {
  expect(() => report('cases: []')).toThrow('at /cases')
  expect(() => report('cases: [{name: a, context: {}, expect: maybe}]')).toThrow('/cases/0/expect')
  expect(() => report('cases: [{name: a, context: {}, expect: allow, then: 1}]')).toThrow('then')
})

it('takes the dialect that a bundle names before the one it is given', () => {
  expect(readBundleSource('{"dialect":"native","bundle_id":"b"}', '0.1')).toEqual({
    dialect: 'native',
    value: { bundle_id: 'b' },
  })
  expect(readBundleSource('{"bundle_id":"b"}', '0.2').dialect).toBe('0.2')
  expect(() => readBundleSource('{"dialect":"0.3"}', '0.1')).toThrow('none of ours')
})

it('reads a bundle as strictly as the dialect that it names', () => {
  const twice = '"bundle_id":"b","bundle_id":"c"'
  expect(readBundleSource(`{${twice}}`, '0.1').value).toEqual({ bundle_id: 'c' })
  expect(() => readBundleSource(`{"dialect":"native",${twice}}`, '0.1')).toThrow('bundle_id')
})

it('tells the format of a file from its name alone', () => {
  expect(['a.yaml', 'a.YML', 'a.json', '-', 'a'].map(formatOfName)).toEqual([
    'yaml',
    'yaml',
    'json',
    undefined,
    undefined,
  ])
  expect(() => formatOfName('a.toml')).toThrow('a.toml')
})

it('answers every line of a batch, whatever it holds', () => {
  const code = (line: string): unknown =>
    (answerLine(line, '0.1', 0) as { error?: { code: string } }).error?.code
  expect(code('')).toBe('INPUT_MALFORMED')
  expect(code('[]')).toBe('INPUT_INVALID')
  expect(code('{"bundle":{}}')).toBe('INPUT_INVALID')
  expect(code('{"bundle":{},"context":{}}')).toBe('POLICY_INVALID')
  expect(code('{"card":{}}')).toBe('POLICY_INVALID')
  expect(code(`${'['.repeat(100)}${']'.repeat(100)}`)).toBe('INPUT_MALFORMED')
  expect(code(`{"bundle":"${'x'.repeat(1_100_000)}"}`)).toBe('INPUT_TOO_LARGE')
  expect(code('{"bundle":{"dialect":"x"},"context":{}}')).toBe('POLICY_INVALID')
  expect(code('{"dialect":"x","bundle":{},"context":{}}')).toBe('INPUT_INVALID')
})

it('compares integers of a line exactly in dialect 0.1, and refuses them in the others', () => {
  const line = (dialect: string, amount: string): string =>
    `{"dialect":"${dialect}","bundle":{"bundle_id":"b","policies":[{"id":"p","rules":[{"id":"r","effect":"allow","when":{"kind":"eq","field":"x","value":9007199254740993}}]}]},"context":{"data":{"x":${amount}}}}`
  const kind = (text: string): unknown =>
    (answerLine(text, '0.1', 0) as { decision?: { kind: string } }).decision?.kind
  expect(kind(line('0.1', '9007199254740993'))).toBe('allow')
  expect(kind(line('0.1', '9007199254740992'))).toBe('deny')
  expect(answerLine(line('0.2', '1'), '0.1', 0)).toMatchObject({ error: { code: 'INPUT_INVALID' } })
})

it('evaluates a card’s bundle where a line has a context', () => {
  const card = '{"decision_id":"d","decision":{"status":"approved"},"subject":{"vendor_name":"v"}}'
  expect(answerLine(`{"card":${card},"context":{}}`, '0.1', 0)).toMatchObject({
    decision: { kind: 'allow' },
  })
})

it('may expect what native rules say beyond yes and no', () => {
  const native = compileSource(
    `
dialect: native
bundle_id: b
policies:
  - id: p
    rules:
      - {id: hold, effect: escalate, when: {kind: eq, field: x, value: 1}}
      - {id: look, effect: review, when: {kind: eq, field: x, value: 2}}
`,
    '0.1',
  )
  const cases = `
cases:
  - {name: hold, context: {data: {x: 1}}, expect: escalate}
  - {name: look, context: {data: {x: 2}}, expect: {decision: review, rule: look}}
  - {name: other, context: {data: {x: 2}}, expect: escalate}
`
  const { results } = runCases(native, readCases(cases, native))
  expect(results.map(({ passed }) => passed)).toEqual([true, true, false])
})

it('takes an intent for the context that the service makes of it', () => {
  const native = compileSource(
    `
dialect: native
bundle_id: b
policies:
  - id: p
    rules:
      - id: r
        effect: allow
        when:
          matchers:
            - {kind: eq, field: action, value: pay}
            - {kind: eq, field: subject.id, value: bot}
            - {kind: eq, field: intent.action.amount, value: 5}
            - {kind: eq, field: checked, value: true}
            - {kind: missing, field: conditions_satisfied}
`,
    '0.1',
  )
  const intent = (amount: number) =>
    `{actor: {id: bot}, action: {type: pay, amount: ${amount}}, context: {checked: true, conditions_satisfied: [x]}}`
  const { results } = runCases(
    native,
    readCases(
      `
cases:
  - {name: five, intent: ${intent(5)}, expect: allow}
  - {name: six, intent: ${intent(6)}, expect: deny}
  - {name: no intent, intent: {actor: {id: bot}}, expect: deny}
  - {name: both, intent: ${intent(5)}, context: {data: {}}, expect: allow}
  - {name: neither, expect: deny}
`,
      native,
    ),
  )
  expect(results.map(({ passed }) => passed)).toEqual([true, true, false, false, false])
  expect(results[2]?.found).toContain('actor.id and action.type at /intent')
  expect(results[3]?.found).toContain('either a context or an intent: both')
})

it('says what cases are where there are none', () => {
  expect(() => report('- {name: a, intent: {}, expect: allow}')).toThrow(
    'Not cases, a member cases that lists {name, intent, expect}: Invalid input',
  )
})

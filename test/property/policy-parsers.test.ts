import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Failure } from '../../src/base/failure.ts'
import { answerLine } from '../../src/policy/batch.ts'
import { readBundle } from '../../src/policy/bundle.ts'
import { verifyAttestation } from '../../src/policy/card-attestation.ts'
import { bundleOfAttestedCard } from '../../src/policy/card-attested.ts'
import { readCard } from '../../src/policy/card-schema.ts'
import { bundleOfCard } from '../../src/policy/card.ts'
import { readCases, runCases } from '../../src/policy/cases.ts'
import { compileBundle } from '../../src/policy/compile.ts'
import { decomposeComplexity } from '../../src/policy/complexity-parts.ts'
import { castVote, openConsensus, replayConsensus } from '../../src/policy/consensus.ts'
import { readContext } from '../../src/policy/context.ts'
import { parseDecionisMarkdown } from '../../src/policy/decionis.ts'
import { dialects, type DialectName } from '../../src/policy/dialect.ts'
import { assessDrift, createDriftBaseline } from '../../src/policy/drift.ts'
import { readEcmaPattern } from '../../src/policy/ecma-pattern.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { compileGates, defaultAegisConfig, readAegisConfig } from '../../src/policy/gate-config.ts'
import { parseAegisConfig, validateAegisConfig } from '../../src/policy/gate-config-text.ts'
import { compileGlob } from '../../src/policy/glob.ts'
import { parseInstant } from '../../src/policy/instant.ts'
import { compileRecord } from '../../src/policy/open-record.ts'
import { compilePath } from '../../src/policy/path.ts'
import { PatternProblem } from '../../src/policy/pattern-flags.ts'
import { compilePattern } from '../../src/policy/pattern.ts'
import { parsePolicyJson, parsePolicyYaml } from '../../src/policy/policy-text.ts'
import { replayProposal } from '../../src/policy/proposals.ts'
import { compileSource } from '../../src/policy/source.ts'
import { hostileText, hostileValue } from '../support/mutations.ts'

// One row for each parser: hostile inputs around samples that it takes. It answers, or it throws a failure of the table that is not its own bug; two
// calls do the same. FAULTS=all (npm run test:fault) asks each five thousand times.
const numRuns = process.env['FAULTS'] === 'all' ? 5_000 : 200

const bundle = {
  bundle_id: 'b',
  version: '1',
  policies: [
    {
      id: 'p',
      default_effect: 'deny',
      rules: [
        {
          id: 'r',
          effect: 'allow',
          when: {
            kind: 'all_of',
            matchers: [
              { kind: 'eq', field: 'a.b', value: 1 },
              { kind: 'not', matcher: { kind: 'in', field: 'c', value: ['x', 2] } },
              {
                kind: 'any_of',
                matchers: [
                  { kind: 'regex', field: 'd', value: '^a+$' },
                  { kind: 'exists', field: 'e.0' },
                ],
              },
            ],
          },
          tags: ['t'],
        },
      ],
    },
  ],
}
const windowed = {
  ...bundle,
  effective_from: '2026-01-01T00:00:00Z',
  effective_until: '2027-01-01T00:00:00+01:00',
}
const context = {
  data: { a: { b: 1 }, c: 'y', d: 'aaa', e: [0] },
  subject: { id: 's' },
  action: 'x',
  resource: null,
}
const yaml = `
bundle_id: b
policies:
  - id: &p p
    rules:
      - {id: r, effect: allow, when: {kind: gt, field: n, value: 0x1f}}
      - {id: *p, effect: deny, when: {}}
`
const cases = JSON.stringify({
  cases: [
    { name: 'n', context, at: '2026-05-01T00:00:00Z', expect: 'allow' },
    { name: 'm', context: {}, expect: { decision: 'deny', policy: 'p', rule: null } },
  ],
})
const simpleCard = {
  decision_id: 'd',
  decision: { status: 'approved-with-conditions' },
  subject: { vendor_name: 'v' },
  conditions: [{ id: 'c', description: 'e' }],
}
const fullCard = {
  decision_card_version: '0.1',
  decision_id: 'TEST-001',
  issued_at: '2026-10-07T12:00:00Z',
  buyer: { id: 'buyer-1', name: 'Test Buyer', type: 'school-district' },
  decision: { status: 'approved', effective_until: '2026-12-31T00:00:00Z' },
  subject: { vendor_name: 'AcmeTutor', vendor_id: 'vendor-1' },
  rationale: 'Approved after review.',
}
const attestation = {
  algorithm: 'ed25519',
  hash_profile: 'jcs-rfc8785-v1',
  signed_hash: `sha256:${'a'.repeat(64)}`,
  key_url: 'https://buyer.example/keys/decision-card',
  signed_at: '2026-10-07T12:00:00Z',
  signature: 'A'.repeat(88),
}
const provenance = [
  {
    action: 'pay.*',
    reason: 'r',
    on_match: 'BLOCK',
    conditions: [{ name: 'c', field: 'n', operator: '>=', value: 5 }],
  },
]
const decionis = {
  protocol_version: '1.0',
  bundle_id: '7b0d4c1e-4a52-4a42-9a39-0b8f3a1c2d11',
  org_id: 'o',
  version: '1',
  rules: [
    {
      rule_id: 'r',
      when: { all: [{ field: 'n', operator: 'LTE', value: 1 }] },
      then: { action: 'ALLOW' },
    },
  ],
}
const block = {
  version: '3',
  rules: [{ name: 'r', all: [{ field: 'x', op: 'matches', value: '^a+$' }], action: 'allow' }],
}
const markdown = [
  '# Policy',
  '```decionis yaml',
  'version: "3"',
  'rules:',
  '  - {name: r, any: [{field: x, op: eq, value: 1}], action: allow}',
  '```',
].join('\n')
const now = Date.parse('2026-10-07T13:00:00Z')
const conversion = { dialect: 'native', now, allowedActions: ['use'] } as const
const key = { buyer: 'buyer-1', keyUrl: attestation.key_url, publicKey: new Uint8Array(32).fill(2) }
const settings =
  'gamma: {value: 0.5}\nparameters:\n  novelty_gate: {N0: 0.7, k: 10}\n  kl_drift: {tau_warning: 0.2}\n'
const counts = { baseline: 'a'.repeat(64), expected: [0, 30, 0], recent: [0, 30, 0] }
const proposal = { id: 'p', proposer: 'a', createdAt: 1, expiresAt: 9 }
const vote = {
  id: 'c',
  proposer: 'a',
  voters: ['b', 'c'],
  quorum: 1,
  threshold: { approvals: 2, of: 3 },
  createdAt: 1,
  deadline: 9,
}
const compiled = compileBundle(bundle, 'native')
/** A sample of each rule form. */
const forms: Readonly<Record<DialectName, unknown>> = {
  '0.1': bundle,
  '0.2': windowed,
  native: {
    ...windowed,
    gates: { version: 'countersign/gates/v1', settings: { novelty_k: 12, kl_drift: { bins: 4 } } },
  },
  brane: {
    bundle_id: 'b',
    policies: [{ id: 'p', priority: 1, rules: [{ id: 'r', effect: 'deny', when: {} }] }],
  },
  provenance,
  decionis,
  'decionis-block': block,
}
const names = Object.keys(dialects) as DialectName[]

interface Target {
  readonly parser: string
  readonly inputs: fc.Arbitrary<unknown>
  readonly run: (input: never) => unknown
}
const target = <T>(
  parser: string,
  inputs: fc.Arbitrary<T>,
  run: (input: T) => unknown,
): Target => ({ parser, inputs, run })

const targets: readonly Target[] = [
  ...names.flatMap((name) => [
    target(`bundle of ${name}, asked`, hostileValue(forms[name]), (value) =>
      evaluate(compileBundle(value, name), readContext(context), 0),
    ),
    target(
      `source of ${name}`,
      hostileText(
        JSON.stringify(forms[name]),
        JSON.stringify({ dialect: name, rules: forms[name] }),
      ),
      (text) => compileSource(text, name).digest,
    ),
  ]),
  ...(['0.1', '0.2', 'native'] as const).flatMap((name) => [
    target(`JSON of ${name}`, hostileText(JSON.stringify(bundle)), (text) =>
      parsePolicyJson(text, dialects[name]),
    ),
    target(`YAML of ${name}`, hostileText(yaml), (text) => parsePolicyYaml(text, dialects[name])),
    target(`context of ${name}`, hostileText(JSON.stringify(context)), (text) =>
      readContext(parsePolicyJson(text, dialects[name])),
    ),
    target(`path of ${name}`, hostileText('a.b.0', 'a\\.b.c'), (text) =>
      compilePath(text, dialects[name].extended)(readContext(context)),
    ),
    target(`pattern of ${name}`, hostileText('^a+(b|c)*$', '(?i)\\d{2,3}[^x-z]\\b'), (text) =>
      compilePattern(text, dialects[name].extended).test('aab'),
    ),
  ]),
  target('pattern of ECMAScript', hostileText('^a+(b|c)*$', '\\d{2,3}[^x-z]'), (text) =>
    readEcmaPattern(text)?.compile()('aab'),
  ),
  target('glob', hostileText('pay.*', '[!a-c]?x'), (text) => compileGlob(text)('pay.send')),
  target(
    'Markdown text',
    hostileText(markdown),
    (text) => compileBundle(parseDecionisMarkdown(text, dialects.native), 'decionis-block').digest,
  ),
  target('bundle as read', hostileValue(bundle), (value) => readBundle(value, dialects.native).id),
  target('context', hostileValue(context), readContext),
  target(
    'record',
    hostileValue(
      { dialect: 'native', bundle },
      { dialect: '0.1', bundle, exact: { '/policies/0/rules/0/id': 'integer' } },
    ),
    (value) => compileRecord(value).digest,
  ),
  target('card of 0.1', hostileValue(simpleCard), bundleOfCard),
  target('card', hostileValue(fullCard), readCard),
  target('card with its window', hostileValue(fullCard), (value) =>
    bundleOfAttestedCard(value, conversion),
  ),
  target('attestation', hostileValue(attestation), (value) =>
    verifyAttestation(fullCard, value, key, now),
  ),
  target('cases, run', hostileText(cases), (text) => runCases(compiled, readCases(text, compiled))),
  target(
    'line of a batch',
    hostileText(JSON.stringify({ bundle, context }), JSON.stringify({ card: simpleCard, context })),
    (text) => answerLine(text, 'native', 0),
  ),
  target(
    'instant',
    hostileText('2026-01-01T00:00:00.123+01:00', '2026-02-30 10:00Z'),
    parseInstant,
  ),
  target(
    'settings of the gates as text',
    hostileText(settings),
    (text) => parseAegisConfig(text).parameters,
  ),
  target('verdict on settings', hostileText(settings), validateAegisConfig),
  target(
    'settings of the gates',
    hostileValue({ ...defaultAegisConfig }),
    (value) => compileGates(readAegisConfig(value)).digest,
  ),
  target('baseline', hostileValue(Array.from({ length: 40 }, (_, i) => i / 7)), (value) =>
    createDriftBaseline(value, defaultAegisConfig),
  ),
  target('drift snapshot', hostileValue(counts), (value) => assessDrift(value, defaultAegisConfig)),
  target(
    'parts of complexity',
    hostileValue([{ name: 'x', kind: 'static', complexity: 0.5, weight: 2 }]),
    decomposeComplexity,
  ),
  target('proposal', hostileValue(proposal), (value) =>
    replayProposal(value, [{ step: 'submit', by: 'a', time: 1 }]),
  ),
  target('step', hostileValue({ step: 'submit', by: 'a', time: 1, note: 'n' }), (value) =>
    replayProposal(proposal, [value]),
  ),
  target('consensus', hostileValue(vote), openConsensus),
  target('vote', hostileValue({ voter: 'b', vote: 'APPROVE', time: 1 }), (value) => {
    const opened = openConsensus(vote)
    return [
      opened.ok ? castVote(opened.consensus, value) : opened,
      replayConsensus(vote, [value], 9),
    ]
  }),
]

const refusals = [
  'INPUT_MALFORMED',
  'INPUT_INVALID',
  'INPUT_TOO_LARGE',
  'POLICY_INVALID',
  'POLICY_RAISED',
]

/** What a parser answers, or by which failure it refuses; anything else it throws comes through. */
function outcome(run: (input: never) => unknown, input: unknown): unknown {
  try {
    return { answer: run(input as never) }
  } catch (error) {
    if (error instanceof Failure && refusals.includes(error.code)) return { refused: error.message }
    if (error instanceof PatternProblem) return { refused: error.message }
    throw error
  }
}

it.each(targets)(
  'the parser of a $parser answers or refuses, and does the same twice',
  ({ inputs, run }) => {
    let answers = 0
    let refused = 0
    fc.assert(
      fc.property(inputs, (input) => {
        const first = outcome(run, input) as object
        expect(outcome(run, input)).toEqual(first)
        if ('answer' in first) answers++
        else refused++
      }),
      { numRuns },
    )
    // A target that never takes anything, or whose inputs never reach it, shows nothing.
    expect(answers).toBeGreaterThan(0)
    expect(answers + refused).toBe(numRuns)
  },
)

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { mostText } from '../../../src/policy/policy-text.ts'
import { runHere } from '../../support/cli-here.ts'
import { run } from './harness.ts'

let cwd = ''

const bundle = `
bundle_id: payments
policies:
  - id: limits
    rules:
      - {id: small, effect: allow, when: {kind: lt, field: amount, value: 100}}
      - {id: häßlich, effect: deny, when: {kind: eq, field: to, value: mallory}}
`
const files: Readonly<Record<string, string>> = {
  'payments.yaml': bundle,
  'payments.cases.yaml': 'cases:\n  - {name: small, context: {data: {amount: 1}}, expect: allow}\n',
  'wrong.cases.json': '{"cases":[{"name":"w","context":{"data":{"amount":1}},"expect":"deny"}]}',
  'bare.yaml': bundle,
  'broken.json': '{"bundle_id":"b","policies":[{"id":"p","rules":[{"id":"r"}]}]}',
  'raising.yaml':
    'bundle_id: b\npolicies: [{id: p, rules: [{id: r, effect: allow, when: {kind: contains, field: x, value: 1}}]}]\n',
  'text.json': '{"data":{"x":"text"}}',
  'small.json': '{"data":{"amount":99}}',
  'large.json': '{"data":{"amount":100}}',
  'DECIONIS_POLICY.md':
    '# Ours\n\n```decionis yaml\nrules:\n  - {name: r, all: [{field: amount, op: lt, value: 100}], action: allow}\n```\n',
  'inverted.json':
    '[{"action":"pay","reason":"Large","conditions":[{"field":"amount","operator":">=","value":500}],"on_violation":"ESCALATE"}]',
  'mallory.json': '{"data":{"to":"mallory"}}',
}

const policy = (...args: readonly string[]) => runHere(['policy', ...args], { cwd })

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'policy-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text)
})
afterAll(() => rm(cwd, { recursive: true }))

it('prints the result as the original does, in ASCII, and exits 1 on deny alone', async () => {
  const allowed = await policy('eval', 'payments.yaml', 'small.json')
  expect(allowed.code).toBe(0)
  expect(allowed.stdout).toContain('{\n  "bundle_id": "payments",\n  "decision": {\n')
  expect((await policy('eval', 'payments.yaml', 'large.json')).code).toBe(1)
  const denied = await policy('eval', 'payments.yaml', 'mallory.json')
  expect(denied.code).toBe(1)
  expect(denied.stdout).toContain('"matched_rule_id": "h\\u00e4\\u00dflich"')
})

it('exits 2 on usage and on what is no bundle, and 1 where a policy raises', async () => {
  expect((await policy('eval')).code).toBe(2)
  expect((await policy('eval', 'payments.yaml')).code).toBe(2)
  expect((await policy('eval', 'payments.yaml', 'absent.json')).code).toBe(2)
  expect((await policy('eval', '-', '-')).code).toBe(2)
  expect((await policy('eval', 'payments.yaml', '--batch', '-')).code).toBe(2)
  const broken = await policy('eval', 'broken.json', 'small.json')
  expect(broken).toMatchObject({ code: 2, stdout: '' })
  expect(broken.stderr).toContain('/policies/0/rules/0')
  const raised = await policy('eval', 'raising.yaml', 'text.json')
  expect(raised).toMatchObject({ code: 1, stdout: '' })
  expect(raised.stderr).toContain('POLICY_RAISED')
})

it('explains an answer', async () => {
  const { code, stdout } = await policy('eval', '--explain', 'payments.yaml', 'large.json')
  expect(code).toBe(1)
  expect(stdout).toContain('near miss: only amount kept it from matching')
})

describe('a batch', () => {
  const card =
    '{"card":{"decision_id":"d","decision":{"status":"approved"},"subject":{"vendor_name":"v"}}}'
  const answers = async (input: string): Promise<readonly string[]> => {
    const { code, stdout } = await runHere(['policy', 'eval', '--batch', '-'], { cwd, input })
    expect(code).toBe(0)
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const { error } = JSON.parse(line) as { error?: { message: string } }
        return error?.message ?? 'bundle'
      })
  }

  it('gets one answer a line, of each blank one too, and goes on behind an error', async () => {
    const notJson = 'Text is not JSON'
    expect(await answers(`${card}\n\nno json\r\n${card}\r\n \r\n\n`)).toEqual([
      'bundle',
      notJson,
      notJson,
      'bundle',
      notJson,
      notJson,
    ])
    expect(await answers(`${card}\n${card}`)).toEqual(['bundle', 'bundle'])
    expect(await answers('')).toEqual([])
  })

  it('refuses a line that is too long, and no other', async () => {
    const [fits, text, line] = [mostText, mostText + 1, 4 * mostText + 1].map((length) =>
      card.padEnd(length),
    )
    expect(await answers([fits, text, line, card].join('\n'))).toEqual([
      'bundle',
      `Text must not be longer than ${mostText} characters`,
      `Line is longer than ${4 * mostText} bytes`,
      'bundle',
    ])
  })

  it('is answered as it comes, blank lines too', async () => {
    let told = 0
    const stdout = new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        told += chunk.filter((byte) => byte === 0x0a).length
        done()
      },
    })
    const input = new PassThrough()
    const ran = run(['policy', 'eval', '--batch', '-'], { cwd, input, stdout })
    for (const [at, line] of ['', card, '', ''].entries()) {
      input.write(`${line}\n`)
      await vi.waitFor(() => {
        expect(told).toBe(at + 1)
      })
    }
    input.end()
    expect((await ran).code).toBe(0)
    expect(told).toBe(4)
  })
})

it('validates bundles and prints the digest that decisions cite', async () => {
  const { code, stdout } = await policy('validate', 'payments.yaml', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ bundle: 'payments', dialect: '0.1', rules: 2 })
})

it('validates all that it is given, and names the file and the place of what is refused', async () => {
  const told = await policy('validate', 'broken.json', 'text.json', 'payments.yaml', '--json')
  expect(told.code).toBe(2)
  expect(JSON.parse(told.stdout)).toMatchObject({ bundle: 'payments' })
  expect(told.stderr).toContain(
    'expected one of "allow"|"deny" at /policies/0/rules/0/effect (no dialect named, read as 0.1) in broken.json (POLICY_INVALID)',
  )
  expect(told.stderr).toContain('at /bundle_id')
  expect(told.stderr).toContain('in text.json')
})

it('refuses what could not be registered: patterns too heavy, a record too large, a name too long', async () => {
  const withRules = (rules: readonly object[], id = 'b'): string =>
    JSON.stringify({ bundle_id: id, policies: [{ id: 'p', rules }] })
  const rule = (id: string, value: string) => ({
    id,
    effect: 'deny',
    when: { kind: 'regex', field: 'x', value },
  })
  // Weighs 24,004 steps; with three for each of 330 times, one for each character is left.
  const heavy = 'a{1000}'.repeat(8)
  const pattern = (more: number): string =>
    withRules([rule('r', `${heavy}a{330}${'a'.repeat(more)}`)])
  const padded = (more: number): string => {
    const bare = withRules([rule('', 'a')]).length + '{"bundle":,"dialect":"0.1"}'.length
    return withRules([rule('r'.repeat(245_760 - bare + more), 'a')])
  }
  const cases = {
    'heavy.json': [pattern(6), pattern(7), 'weigh more than 25000 steps'],
    'sized.json': [padded(0), padded(1), 'more than 245760 bytes: 245761'],
    'named.json': [
      withRules([rule('r', 'a')], 'b'.repeat(256)),
      withRules([rule('r', 'a')], 'b'.repeat(257)),
      'Must have 1 to 256 characters: /bundle_id',
    ],
    'weighty.json': [
      withRules(Array.from({ length: 20 }, (_, n) => rule(String(n), heavy))),
      withRules(Array.from({ length: 21 }, (_, n) => rule(String(n), heavy))),
      'weigh more than 500000 steps in all',
    ],
  } as const
  for (const [name, [within, beyond, why]] of Object.entries(cases)) {
    await writeFile(join(cwd, name), within)
    expect([name, (await policy('validate', name)).code]).toEqual([name, 0])
    await writeFile(join(cwd, name), beyond)
    const told = await policy('validate', name, 'payments.yaml', '--json')
    expect(told.code).toBe(2)
    expect(told.stderr).toContain(why)
    expect(told.stderr).toContain(name)
    expect(JSON.parse(told.stdout)).toMatchObject({ bundle: 'payments' })
  }
})

it('evaluates a request as the service would see it', async () => {
  const input = '{"intent":{"actor":{"id":"a"},"action":{"type":"x"},"context":{"amount":99}}}'
  expect((await runHere(['policy', 'eval', 'payments.yaml', '-'], { cwd, input })).code).toBe(0)
  const bare = '{"intent":{"actor":{"id":"a"}}}'
  const refused = await runHere(['policy', 'eval', 'payments.yaml', '-'], { cwd, input: bare })
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('Not an intent')
})

it('does not explain in JSON', async () => {
  const both = await policy('eval', '--explain', '--json', 'payments.yaml', 'small.json')
  expect(both).toMatchObject({ code: 2, stdout: '' })
})

it('runs the cases beside a bundle and says which rules nobody has seen work', async () => {
  const { code, stdout } = await policy('test', 'payments.yaml')
  expect(code).toBe(0)
  expect(stdout).toContain('1 of 1 cases hold, 1 of 2 rules were matched')
  expect(stdout).toContain('never matched: policy limits, rule häßlich')
  expect((await policy('test', 'payments.yaml', '--all-rules')).code).toBe(1)
})

it('fails where a case fails, and where there are none', async () => {
  const failed = await policy('test', 'payments.yaml', '--cases', 'wrong.cases.json')
  expect(failed.code).toBe(1)
  expect(failed.stdout).toContain('FAIL  w')
  expect((await policy('test', 'bare.yaml')).code).toBe(2)
})

it('lints, and exits 1 where there is a warning', async () => {
  const clean = await policy('lint', 'payments.yaml')
  expect(clean).toMatchObject({ code: 0, stdout: '' })
  const inverted = await policy('lint', '--dialect', 'provenance', 'inverted.json')
  expect(inverted.code).toBe(1)
  expect(inverted.stdout).toBe(
    'inverted.json: warning INVERTED_VIOLATION provenance-rules/rules/0 at /rules/0: It fires below the bound, not from it on: amount >= 500\n',
  )
  const told = await policy('lint', '--dialect', 'provenance', 'inverted.json', '--json')
  expect(JSON.parse(told.stdout)).toMatchObject({
    file: 'inverted.json',
    findings: [{ code: 'INVERTED_VIOLATION', level: 'warning' }],
  })
  expect((await policy('lint', 'broken.json')).code).toBe(2)
})

it('reads the rules in the block of a Markdown file', async () => {
  const valid = await policy('validate', 'DECIONIS_POLICY.md', '--json')
  expect(JSON.parse(valid.stdout)).toMatchObject({ dialect: 'decionis-block', rules: 1 })
  expect((await policy('eval', 'DECIONIS_POLICY.md', 'small.json')).stdout).toContain('"allow"')
  expect((await policy('eval', 'DECIONIS_POLICY.md', 'large.json')).stdout).toContain('"review"')
})

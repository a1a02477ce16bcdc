import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileBundle } from '../../../src/policy/compile.ts'
import { run, type Ran } from './harness.ts'

let cwd = ''
const rules = {
  bundle_id: 'b',
  policies: [{ id: 'p', rules: [{ id: 'r', effect: 'allow', when: {} }] }],
}
const files: Readonly<Record<string, string>> = {
  'aegis.yaml': 'parameters:\n  novelty_gate: {output_threshold: {value: 0.8}}\n  gama: 1\n',
  'wrong.yaml': 'complexity_floor: 7\n',
  'good.json': '{"novelty_score":0.75,"risk_proposed":0.01,"estimated_impact":"low"}',
  'bad.json': '{"novelty_score":0.75,"risk_proposed":0.9,"estimated_impact":"high"}',
  'plain.json': JSON.stringify(rules),
  'gated.json': JSON.stringify({ ...rules, gates: { version: 'countersign/gates/v1' } }),
  'gated.cases.json': '{"cases":[{"name":"n","context":{},"expect":"allow"}]}',
  'context.json': '{}',
  'twice.json': '{"risk":0,"risk":1}',
}

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'gates-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text)
})
afterAll(() => rm(cwd, { recursive: true }))

const gates = (...args: readonly string[]): Promise<Ran> =>
  run(['policy', 'gates', ...args], { cwd })
const answer = ({ stdout }: Ran): Record<string, unknown> =>
  JSON.parse(stdout) as Record<string, unknown>

describe('policy gates', () => {
  it('prints the settings of a file, what it names in vain, and the member of a bundle', async () => {
    const checked = await gates('aegis.yaml', '--json')
    expect(checked.code).toBe(0)
    expect(checked.stdout.trim()).not.toContain('\n')
    expect(answer(checked)).toEqual({
      valid: true,
      parameters: { novelty_threshold: 0.8 },
      ignored: ['parameters/gama'],
      gates: { version: 'countersign/gates/v1', settings: { novelty_threshold: 0.8 } },
    })
    const bundle = { ...rules, gates: answer(checked)['gates'] }
    expect(compileBundle(bundle, 'native').bundle.gates?.config.novelty_threshold).toBe(0.8)
  })

  it('exits 2 on settings that are none, and says why', async () => {
    const refused = await gates('wrong.yaml')
    expect(refused.code).toBe(2)
    expect(answer(refused)).toMatchObject({
      valid: false,
      error: expect.stringContaining('/complexity_floor') as string,
    })
    expect((await gates('wrong.yaml', '--measures', 'good.json')).code).toBe(2)
    expect(await gates('absent.yaml')).toMatchObject({ code: 2, stdout: '' })
    expect(await gates('-', '--measures', '-')).toMatchObject({ code: 2, stdout: '' })
    expect(await gates('--measures', 'twice.json')).toMatchObject({ code: 2, stdout: '' })
  })

  it('evaluates a proposal, and exits 1 unless it may proceed', async () => {
    const good = await gates('--measures', 'good.json')
    expect(good.code).toBe(0)
    expect(answer(good)).toMatchObject({ status: 'PROCEED', gates_failed: 0, shadow_result: null })
    const stricter = await gates('aegis.yaml', '--measures', 'good.json')
    expect(stricter.code).toBe(1)
    expect(answer(stricter)).toMatchObject({ status: 'HALT', failing_gates: ['novelty'] })
    const bad = await gates('--measures', 'bad.json')
    expect(bad.code).toBe(1)
    expect(answer(bad)).toMatchObject({ status: 'ESCALATE', failing_gates: ['risk'] })
  })

  it('are what policy eval and policy test say they do not ask', async () => {
    const offline = (...args: string[]): Promise<Ran> => run(['policy', ...args], { cwd })
    const note = 'Gates of the bundle are not asked here: countersign policy gates\n'
    const gated = ['gated.json', '--dialect', 'native']
    const evaluated = await offline('eval', 'gated.json', 'context.json', '--dialect', 'native')
    expect(evaluated).toMatchObject({ code: 0, stderr: note })
    expect(await offline('test', ...gated)).toMatchObject({ code: 0, stderr: note })
    expect(await offline('eval', 'plain.json', 'context.json')).toMatchObject({
      code: 0,
      stderr: '',
    })
  })

  it('in shadow mode tells what would be observed, and exits 0', async () => {
    const shadow = await gates('--measures', 'bad.json', '--shadow')
    expect(shadow.code).toBe(0)
    expect(answer(shadow)).toMatchObject({
      status: 'ESCALATE',
      shadow_result: { shadow_only: true, observation_values: [90, 0] },
    })
  })
})

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { fieldKinds } from '../../../src/policy/bundle-schema.ts'
import { readCases, runCases } from '../../../src/policy/cases.ts'
import { lintBundle } from '../../../src/policy/lint.ts'
import { compileSource } from '../../../src/policy/source.ts'

const page = readFileSync(resolve(import.meta.dirname, '../../../src/policy/BUNDLES.md'), 'utf8')
const [bundle = '', cases = ''] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text)
const compiled = compileSource(bundle, '0.1')

it('has an example that its own cases hold, each rule seen at work', () => {
  const report = runCases(compiled, readCases(cases, compiled))
  expect(report.results.map(({ found, passed }) => (passed ? 'holds' : found))).toEqual(
    Array.from({ length: 4 }, () => 'holds'),
  )
  expect(report.unmatched).toEqual([])
})

it('has an example of which the linter warns of nothing', () => {
  expect(lintBundle(compiled).filter(({ level }) => level === 'warning')).toEqual([])
})

it('names every kind of matcher, and none that there is not', () => {
  const table = page.slice(page.indexOf('| kind'), page.indexOf('## How large'))
  const told = [...table.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, kind]) => kind),
  )
  const composed = ['all_of', 'any_of', 'not', 'always', 'predicate']
  expect(told.toSorted()).toEqual([...fieldKinds, ...composed].toSorted())
})

it('tells how large a bundle may be, and how many there may be', () => {
  const part = page.slice(page.indexOf('## How large'), page.indexOf('## Cases'))
  for (const limit of [
    limits.patternWeight,
    limits.bundlePatternWeight,
    limits.activePatternWeight,
    limits.policies,
    limits.policyBytes,
    limits.activePolicies,
  ])
    expect(part).toContain(limit.toLocaleString('en-US'))
})

import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import type { Report } from '../bench/report.ts'
import { outcomeOf } from '../support/cli.ts'

/** Every number of a value by its path. */
function numbersOf(value: unknown, path = ''): readonly (readonly [string, number])[] {
  if (typeof value === 'number') return [[path, value]]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) =>
    numbersOf(member, path === '' ? name : `${path}.${name}`),
  )
}

const of = (names: readonly string[], members: readonly string[]): readonly string[] =>
  names.flatMap((name) => members.map((member) => `${name}.${member}`))

const load = ['perSecond', 'p50Ms', 'p99Ms']
const both = ['checkpoint', 'each']
const promised = [
  'v',
  'rounds',
  'connections',
  ...of(['machine'], ['cores', 'memoryGb', 'fsyncMs']),
  ...of(of(['sizes'], both), ['request', 'answer', 'statement', 'dossier']),
  ...of(['floors'], ['ed25519', 'composite', 'sqliteRows', 'pipeline']),
  ...of(['floors.http', 'floors.skeleton'], load),
  ...of(of(['http', 'evaluated', 'inProcess'], both), load),
  ...of(of(['ratios'], ['http', 'evaluated', 'inProcess']), both),
  'ratios.skeleton',
  ...of(['verifyMs'], both),
  ...of(
    ['1', '10', '100', '1000'].map((rules) => `policy.${rules}`),
    ['perSecond', 'p50Us', 'p99Us'],
  ),
  ...of(['size.entries'], ['small', 'middle', 'large']),
  ...of(['size.appendUs', 'size.startMs'], ['small', 'large']),
  ...of(['size.residentMb'], ['middle', 'large']),
  ...of(['size.ratios'], ['append', 'resident', 'start']),
]

test('the benchmark prints every figure it promises, and ratios that follow from them', async () => {
  const program = resolve(import.meta.dirname, '../bench/main.ts')
  const { code, stderr, stdout } = await outcomeOf(
    spawn(process.execPath, [program, '--json', '--quick', '--smoke']),
  )
  expect(code, stderr).toBe(0)
  const report = JSON.parse(stdout) as Report
  const { floors, http, inProcess, machine, othersBusy, ratios } = report
  expect(othersBusy).toBeGreaterThanOrEqual(0)
  expect(machine.node).toBe(process.version)
  expect(machine.platform).toBe(`${process.platform} ${process.arch}`)
  expect(machine.fileSystem).not.toBe('')
  expect(typeof machine.onDisk).toBe('boolean')
  const numbers = numbersOf(report).filter(([path]) => path !== 'othersBusy')
  expect(numbers.map(([path]) => path).sort()).toEqual(promised.sort())
  expect(numbers.filter(([, value]) => !(value > 0 && Number.isFinite(value)))).toEqual([])

  // There is one round, so that medians of ratios are ratios of medians.
  const composites = floors.composite * machine.cores
  expect(ratios.http.checkpoint).toBeCloseTo(http.checkpoint.perSecond / floors.pipeline, 1)
  expect(ratios.http.each).toBeCloseTo(http.each.perSecond / composites, 1)
  expect(ratios.skeleton).toBeCloseTo(floors.skeleton.perSecond / floors.pipeline, 1)
  expect(ratios.inProcess.checkpoint).toBeCloseTo(
    inProcess.checkpoint.perSecond / floors.pipeline,
    1,
  )
  expect(ratios.inProcess.each).toBeCloseTo(inProcess.each.perSecond / composites, 1)
})

import { describe, expect, it } from 'vitest'
import { verifyDossier, type Report } from '../../../src/verify/index.ts'
import { operatorHolds, type Draft, type Step } from '../../support/forge.ts'
import { digestOf, registrationOf } from '../../support/forge-policy.ts'
import { createWorld, erasureOf, executionOf, streams } from '../../support/forge-world.ts'
import { append, attack, stepAt, type Tenant } from './forgery.ts'

const world = createWorld()

/** The report on a stream that its operator changed. */
const logged = (tenant: Tenant, stream: string, steps: (steps: Step[]) => void): Report =>
  verifyDossier(
    attack(world, tenant, stream, { holds: operatorHolds, steps }).file,
    world.trustFile,
  )

const used = (stream: string, ...uses: readonly Draft[]) =>
  logged('each', stream, (steps) => {
    for (const use of uses) append(steps, 'execution', stream, executionOf(stream, 1, use))
  })

const reasonOf = ({ checks }: Report, name: string): string | undefined =>
  checks.find((check) => check.name === name)?.reason

describe('the uses of a decision', () => {
  const finished = (use: number): Draft => ({ phase: 'finished', use })

  it('are counted up to its bound', () => {
    const three = [{}, { use: 2 }, { use: 3 }]
    const report = used(streams.rich, ...three)
    expect(report.verdict).toBe('valid')
    expect(reasonOf(report, 'stream.executions')).toBe('Executed 3 of 3 times')
    expect(used(streams.rich, ...three, { use: 4 }).verdict).toBe('invalid')
  })

  it('have no bound where none is said', () => {
    const report = used(streams.open, { use: 3 }, { use: 4 })
    expect(report.verdict).toBe('valid')
    expect(reasonOf(report, 'stream.executions')).toBe('Executed 4 of any number of times')
  })

  it('may be finished once each, in any order', () => {
    expect(used(streams.rich, {}, finished(1)).verdict).toBe('valid')
    expect(used(streams.rich, {}, { use: 2 }, finished(2), finished(1)).verdict).toBe('valid')
    expect(used(streams.rich, {}, finished(1), { use: 2 }, finished(2)).verdict).toBe('valid')
    expect(used(streams.rich, {}, finished(2)).verdict).toBe('invalid')
    expect(used(streams.rich, {}, finished(1), finished(1)).verdict).toBe('invalid')
    expect(used(streams.rich, finished(1), {}).verdict).toBe('invalid')
    expect(used(streams.rich, {}, finished(4)).verdict).toBe('invalid')
  })

  it('that were erased leave the rest to be counted as far as it goes', () => {
    const erasing = (...uses: readonly Draft[]) =>
      logged('each', streams.open, (steps) => {
        stepAt(steps, streams.open, 1).erased = true
        for (const use of uses)
          append(steps, 'execution', streams.open, executionOf(streams.open, 1, use))
        append(steps, 'erasure', streams.open, erasureOf(streams.open, [1]))
      })
    expect(erasing().verdict).toBe('erased')
    expect(erasing(finished(1), { use: 3 }).verdict).toBe('erased')
    expect(erasing({ use: 2 }).verdict).toBe('invalid')
    expect(erasing({ use: 1 }).verdict).toBe('invalid')
  })
})

describe('an erased stream', () => {
  it.each(['each', 'fast', 'seen'] as const)('is erased at best in the log %s', (tenant) => {
    const { file } = attack(world, tenant, streams.erased, {})
    const report = verifyDossier(file, world.trustFile)
    expect(report).toMatchObject({ ok: false, status: null, verdict: 'erased' })
    expect(report.entries.map(({ erased }) => erased)).toEqual([true, true, false])
    expect(reasonOf(report, 'stream.erasure')).toBe('Steps erased, as an entry proves: 0, 1')
    expect(report.checks.find(({ name }) => name === 'stream.executions')?.outcome).toBe('erased')
  })

  it('may lose its steps one by one', () => {
    const report = logged('each', streams.allow, (steps) => {
      stepAt(steps, streams.allow, 1).erased = true
      append(steps, 'erasure', streams.allow, erasureOf(streams.allow, [1]))
      stepAt(steps, streams.allow, 0).erased = true
      append(steps, 'erasure', streams.allow, erasureOf(streams.allow, [0, 2]))
      stepAt(steps, streams.allow, 2).erased = true
    })
    // The first erasure was erased with what it says; nobody is left to account for step 1.
    expect(report.verdict).toBe('invalid')
    expect(reasonOf(report, 'stream.erasure')).toBe(
      'Payload of step 1 is missing without a proved erasure',
    )
  })
})

describe('the steps of a stream', () => {
  it('may share a millisecond, and never go back', () => {
    const after = (ms: number): string =>
      logged('each', streams.allow, (steps) => {
        stepAt(steps, streams.allow, 1).time = stepAt(steps, streams.allow).time + ms
      }).verdict
    expect(after(1)).toBe('valid')
    expect(after(0)).toBe('valid')
    expect(after(-1)).toBe('invalid')
  })
})

describe('a system stream', () => {
  it('is no decision’s, and needs none', () => {
    for (const stream of ['keys', 'admin', 'trust']) {
      const report = verifyDossier(attack(world, 'each', stream, {}).file, world.trustFile)
      expect(report).toMatchObject({ status: null, stream, verdict: 'valid' })
    }
  })

  it('of a kind that is not known yet is inconclusive', () => {
    const report = logged('each', 'admin', (steps) => {
      append(steps, 'anchor', 'admin', { anything: 1 })
    })
    expect(report.verdict).toBe('inconclusive')
  })
})

describe('the stream of policies', () => {
  const judged = (...matters: readonly Draft[]) =>
    logged('each', 'policies', (steps) => {
      for (const matter of matters) append(steps, 'policy', 'policies', matter)
    })
  const first = world.each.log.size
  const by = registrationOf('1')['by']
  const activation = { by, event: 'activated', index: first, rollback: false, scope: {}, time: 0 }

  it('is valid where each step may follow', () => {
    const { checks, verdict } = judged(registrationOf('1'), registrationOf('2'), {
      ...activation,
      replaces: null,
      sha256: digestOf('1'),
    })
    expect(verdict).toBe('valid')
    expect(checks.find(({ name }) => name === 'stream.policies')?.ok).toBe(true)
  })

  it('is invalid where a version is registered twice, or what was never registered decides', () => {
    expect(judged(registrationOf('1'), registrationOf('1')).verdict).toBe('invalid')
    const stranger = { ...activation, replaces: null, sha256: digestOf('2') }
    expect(judged(registrationOf('1'), stranger).verdict).toBe('invalid')
  })
})

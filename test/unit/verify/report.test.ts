import { describe, expect, it } from 'vitest'
import { Checks, type Outcome } from '../../../src/verify/report.ts'

const verdictOf = (...outcomes: Outcome[]): string => {
  const checks = new Checks()
  for (const outcome of outcomes) checks.add('check', outcome, 'reason')
  return checks.verdict
}

describe('the verdict', () => {
  it('is invalid where nothing was checked', () => {
    expect(verdictOf()).toBe('invalid')
  })

  it('is valid only where everything passed', () => {
    expect(verdictOf('pass')).toBe('valid')
    expect(verdictOf('pass', 'pass')).toBe('valid')
  })

  it('is that of the worst check, wherever it stands', () => {
    const order: readonly (readonly [Outcome, string])[] = [
      ['pass', 'valid'],
      ['erased', 'erased'],
      ['inconclusive', 'inconclusive'],
      ['unprovable', 'unprovable'],
      ['fail', 'invalid'],
    ]
    for (const [i, [worse, verdict]] of order.entries())
      for (const [better] of order.slice(0, i + 1)) {
        expect(verdictOf(worse, better)).toBe(verdict)
        expect(verdictOf(better, worse)).toBe(verdict)
        expect(verdictOf('pass', better, worse, better)).toBe(verdict)
      }
  })
})

describe('checks', () => {
  it('stand in the order in which they were made, ok only where they passed', () => {
    const checks = new Checks()
    expect(checks.expect('one', true, 'good', 'bad')).toBe(true)
    expect(checks.expect('two', false, 'good', 'bad')).toBe(false)
    checks.add('three', 'erased', 'gone')
    expect(checks.list).toEqual([
      { name: 'one', ok: true, outcome: 'pass', reason: 'good' },
      { name: 'two', ok: false, outcome: 'fail', reason: 'bad' },
      { name: 'three', ok: false, outcome: 'erased', reason: 'gone' },
    ])
  })
})

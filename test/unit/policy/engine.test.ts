import { describe, expect, it } from 'vitest'
import { compileBundle } from '../../../src/policy/compile.ts'
import { decide, type Decided } from '../../../src/policy/decide.ts'
import type { DialectName } from '../../../src/policy/dialect.ts'
import { engineNames, engineVersion, type EngineName } from '../../../src/policy/engine.ts'
import type { ActivePolicy } from '../../../src/policy/select.ts'

const policy = (rules: readonly object[], more: object, dialect: DialectName): ActivePolicy => ({
  compiled: compileBundle({ bundle_id: 'b', policies: [{ id: 'p', rules }], ...more }, dialect),
  index: 1,
})

const ask = (
  active: readonly ActivePolicy[],
  context: Readonly<Record<string, unknown>>,
  engine?: EngineName,
): Decided =>
  decide({
    active,
    request: { action: { type: 'send' }, actor: { id: 'bot' }, context },
    time: 0,
    ...(engine === undefined ? {} : { engine }),
  })

const [first = engineVersion] = engineNames
const allow = { id: 'allow', effect: 'allow', when: { kind: 'always' } }

describe('engines', () => {
  it('are these for ever, the newest of which decides', () => {
    expect(engineNames).toEqual(['countersign-engine/1', 'countersign-engine/2'])
    expect(ask([], {}).trace.engine).toBe('countersign-engine/2')
    expect(ask([], {}, first).trace.engine).toBe(first)
  })

  it('let nobody past a policy of some resources by leaving the resource out, from the second on', () => {
    const open = policy([allow], { version: '1', bundle_id: 'open' }, 'native')
    const vault = policy(
      [{ id: 'deny', effect: 'deny', when: { kind: 'always' } }],
      { scope: { resources: ['vault:*'] }, version: '1' },
      'native',
    )
    expect(ask([open, vault], {})).toMatchObject({ overridable: false, status: 'ERROR' })
    expect(ask([open, vault], {}, first).status).toBe('ALLOW')
  })
})

describe('what deciding may cost', () => {
  const length = 500_000
  const text = 'x'.repeat(length)
  const asking = (count: number, when: object): ActivePolicy =>
    policy(
      [
        ...Array.from({ length: count }, (_, n) => ({ id: `r${n}`, effect: 'deny', when })),
        { ...allow, when: { kind: 'eq', field: 'action', value: 'send' } },
      ],
      {},
      '0.1',
    )
  const contains = { kind: 'contains', field: 'text', value: 'y' }

  it('is bounded for all policies together, from the second engine on', () => {
    const almost = [asking(999, contains), asking(1, { ...contains, field: 'last' })]
    // Each bundle compares the name of the action too, which has four characters.
    const within = ask(almost, { last: text.slice(0, -8), text })
    expect(within.status).toBe('ALLOW')
    const beyond = ask(almost, { last: text.slice(0, -7), text })
    expect(beyond).toMatchObject({ overridable: false, status: 'ERROR' })
    expect(beyond.reasons[0]?.text).toContain('too many steps')
    expect(ask(almost, { last: text, text }, first).status).toBe('ALLOW')
  })

  it('counts what a pattern weighs, and the items of lists', () => {
    const pattern = { kind: 'regex', field: 'text', value: '[a-f]{9}q' }
    expect(ask([asking(1, pattern)], { text: text.slice(0, 200_000) }).status).toBe('ALLOW')
    expect(ask([asking(150, pattern)], { text: text.slice(0, 200_000) }).status).toBe('ERROR')
    const values = Array.from({ length: 2000 }, (_, n) => `v${n}`)
    const within = { kind: 'in', field: 'list', value: values }
    const list = Array.from({ length: 50_000 }, () => 0)
    expect(ask([asking(5, within)], { list }).status).toBe('ERROR')
    expect(ask([asking(5, within)], { list: list.slice(0, 49_990) }).status).toBe('ALLOW')
  })

  it('leaves untold why, where telling would cost as much again', () => {
    const deny = { kind: 'not', matcher: { kind: 'contains', field: 'text', value: 'y' } }
    const rules = [
      { id: 'no', effect: 'deny', when: { kind: 'all_of', matchers: Array(600).fill(deny) } },
      allow,
    ]
    const told = ask([policy(rules, {}, '0.1')], { text })
    expect(told.status).toBe('BLOCK')
    expect(told.trace.passes[0]?.[0]?.policies[0]?.because).toEqual([])
    const less = ask([policy(rules, {}, '0.1')], { text: text.slice(0, 1000) })
    expect(less.trace.passes[0]?.[0]?.policies[0]?.because).toHaveLength(32)
  })
})

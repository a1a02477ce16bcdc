import { expect, it } from 'vitest'
import { compileBundle } from '../../../src/policy/compile.ts'
import { decide, type Decided } from '../../../src/policy/decide.ts'
import type { DialectName } from '../../../src/policy/dialect.ts'

const secret = { kind: 'regex', field: 'text', value: '(?i)password=\\S+' }
const rule = (effect: string, when: object) => ({ effect, id: effect, when })

const ask = (dialect: DialectName, text: string, when: object = secret): Decided =>
  decide({
    active: [
      {
        compiled: compileBundle(
          {
            bundle_id: 'no-secrets',
            policies: [{ id: 'p', rules: [rule('deny', when), rule('allow', { kind: 'always' })] }],
          },
          dialect,
        ),
        index: 1,
      },
    ],
    request: { action: { type: 'send' }, actor: { id: 'bot' }, context: { text } },
    time: 0,
  })

const long = (text: string, length: number): string => text.padEnd(length, '.')

it('nobody escapes a rule that denies by writing more than a pattern is held against', () => {
  expect(ask('native', long('password=x', 4096)).status).toBe('BLOCK')
  expect(ask('native', long('hello', 4096)).status).toBe('ALLOW')
  for (const text of ['password=x', 'hello'])
    expect(ask('native', long(text, 4097))).toMatchObject({ status: 'ERROR' })
  const not = { kind: 'not', matcher: { kind: 'regex', field: 'text', value: '^hello' } }
  expect(ask('native', long('hello', 4097), not).status).toBe('ERROR')
})

it('a dialect that is another engine’s answers as that does', () => {
  expect(ask('0.2', long('password=x', 4096)).status).toBe('BLOCK')
  expect(ask('0.2', long('password=x', 4097)).status).toBe('ALLOW')
  expect(ask('0.1', long('password=x', 4097)).status).toBe('BLOCK')
})

import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/crypto/hash.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { createVkey, formatVkey, type Vkey } from '../../../src/merkle/note.ts'
import {
  parseWitnessPolicy,
  policyLimits,
  quorumHolds,
  type WitnessPolicy,
} from '../../../src/merkle/witness-policy.ts'

/** A made-up Ed25519 cosigner of a name. */
const key = (name: string): Vkey => createVkey(`${name}.example`, 4, sha256(utf8(name)))
const witnessLine = (name: string): string => `witness ${name} ${formatVkey(key(name))}\n`
const witnessLines = (...names: string[]): string => names.map(witnessLine).join('')

function policy(text: string): WitnessPolicy {
  const parsed = parseWitnessPolicy(text)
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

const holds = (text: string, ...names: string[]): boolean =>
  quorumHolds(policy(text), names.map(key))

const abc = witnessLines('A', 'B', 'C')

describe('a quorum', () => {
  it('of none holds always', () => {
    expect(holds('quorum none\n')).toBe(true)
    expect(holds(`${abc}quorum none\n`, 'A')).toBe(true)
    expect(policy(`${abc}quorum none\n`).quorum).toBeUndefined()
  })

  it('of one witness wants just that one', () => {
    const text = `${abc}quorum B\n`
    expect(holds(text, 'B')).toBe(true)
    expect(holds(text, 'A', 'C')).toBe(false)
    expect(holds(text)).toBe(false)
  })

  it.each([
    ['any', 1],
    ['1', 1],
    ['2', 2],
    ['3', 3],
    ['all', 3],
  ])('of a group with threshold %s wants %d of 3', (threshold, wanted) => {
    const text = `${abc}group G ${threshold} A B C\nquorum G\n`
    const names = ['C', 'A', 'B']
    for (let count = 0; count <= 3; count++)
      expect(holds(text, ...names.slice(0, count))).toBe(count >= wanted)
  })

  it('of groups in groups follows the standard’s example', () => {
    const text =
      witnessLines('X1', 'X2', 'X3') +
      'group X-witnesses 2 X1 X2 X3\n' +
      witnessLines('Y1', 'Y2', 'Y3') +
      'group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n'
    expect(holds(text, 'X1', 'X3', 'Y2')).toBe(true)
    expect(holds(text, 'X1', 'Y1', 'Y2', 'Y3')).toBe(false)
    expect(holds(text, 'X1', 'X2', 'X3')).toBe(false)
  })

  it('counts a key once, and keys that are no witness not at all', () => {
    const text = `${abc}group G 2 A B C\nquorum G\n`
    expect(holds(text, 'A', 'A', 'A')).toBe(false)
    expect(holds(text, 'A', 'D', 'E')).toBe(false)
    const asLogKey = createVkey('B.example', 1, key('B').publicKey)
    const renamed = createVkey('b.example', 4, key('B').publicKey)
    expect(quorumHolds(policy(text), [key('A'), asLogKey, renamed])).toBe(false)
  })
})

describe('a policy', () => {
  it('keeps what its lines say', () => {
    const url = 'https://witness.example/a'
    const text = `witness A ${formatVkey(key('A'))} ${url}\ngroup G all A\nquorum G\n`
    expect(policy(text)).toEqual({
      witnesses: [{ name: 'A', vkey: key('A'), url }],
      groups: [{ name: 'G', threshold: 1, members: ['A'] }],
      quorum: 'G',
    })
  })

  it('takes ML-DSA-44 cosigners', () => {
    const vkey = createVkey('m', 6, new Uint8Array(1312).fill(5))
    expect(policy(`witness m ${formatVkey(vkey)}\nquorum m\n`).witnesses[0]?.vkey).toEqual(vkey)
  })

  it('may have comments, blank lines, tabs and names beyond ASCII', () => {
    const text = `# ours\n\n \t# indented ü\n\twitness\tК ${formatVkey(key('A'))} \ngroup all all К\nquorum all  \n`
    expect(quorumHolds(policy(text), [key('A')])).toBe(true)
  })

  it('compares names as they are written', () => {
    expect(parseWitnessPolicy(`witness \u212a ${formatVkey(key('A'))}\nquorum K\n`)).toBe(
      'Line 2: Quorum is not defined before: K',
    )
  })

  const a = formatVkey(key('A'))
  it.each([
    ['no quorum', abc],
    ['nothing in it', ''],
    ['no final newline', `${abc}quorum A`],
    ['a comment without newline at its end', `${abc}quorum A\n# end`],
    ['two quorums', `${abc}quorum A\nquorum A\n`],
    ['a quorum of none and another', `${abc}quorum none\nquorum A\n`],
    ['a quorum without name', `${abc}quorum\n`],
    ['a quorum of two names', `${abc}quorum A B\n`],
    ['a quorum not defined', `${abc}quorum D\n`],
    ['a quorum defined later', `quorum A\n${abc}`],
    ['a log line', `log ${formatVkey(createVkey('l', 1, new Uint8Array(32)))}\nquorum none\n`],
    ['an unknown line', 'monitor x\nquorum none\n'],
    ['an upper-case keyword', 'QUORUM none\n'],
    ['an inherited name as keyword', 'constructor x\nquorum none\n'],
    ['a witness without key', 'witness A\nquorum A\n'],
    ['a witness with two URLs', `witness A ${a} u v\nquorum A\n`],
    ['a witness called none', `witness none ${a}\nquorum none\n`],
    ['a group called none', `${abc}group none any A\nquorum none\n`],
    ['none as member', `${abc}group G any none\nquorum G\n`],
    ['a name twice', `${abc}witness A ${formatVkey(key('D'))}\nquorum A\n`],
    ['a group named as a witness', `${abc}group A any B\nquorum A\n`],
    ['a group named twice', `${abc}group G any A\ngroup G any B\nquorum G\n`],
    ['a key that is broken', `witness A ${a.slice(0, -1)}\nquorum A\n`],
    [
      'a key of type 1',
      `witness A ${formatVkey(createVkey('l', 1, new Uint8Array(32)))}\nquorum A\n`,
    ],
    [
      'a key of the wrong length',
      `witness A ${formatVkey(createVkey('l', 4, new Uint8Array(31)))}\nquorum A\n`,
    ],
    [
      'one key under two names',
      `${abc}witness D ${formatVkey(createVkey('other', 4, key('A').publicKey))}\nquorum A\n`,
    ],
    ['a group without members', `${abc}group G any\nquorum G\n`],
    ['a group without threshold', `${abc}group G\nquorum G\n`],
    ['a threshold of 0', `${abc}group G 0 A B\nquorum G\n`],
    ['a threshold above its members', `${abc}group G 3 A B\nquorum G\n`],
    ['a threshold with leading zero', `${abc}group G 01 A B\nquorum G\n`],
    ['a threshold with a sign', `${abc}group G +1 A B\nquorum G\n`],
    ['a threshold of another word', `${abc}group G most A B\nquorum G\n`],
    ['a member twice in a group', `${abc}group G 2 A A\nquorum G\n`],
    ['a member of two groups', `${abc}group G any A\ngroup H any A\nquorum H\n`],
    ['a member not defined', `${abc}group G any D\nquorum G\n`],
    ['a member defined later', `${witnessLine('A')}group G any A B\n${witnessLine('B')}quorum G\n`],
    ['a group in itself', `${abc}group G any G\nquorum G\n`],
    ['a carriage return', `${abc}quorum A\r\n`],
    ['a NUL', `${abc}# \0\nquorum A\n`],
    ['DEL', `${abc}# \u007f\nquorum A\n`],
    ['a lone surrogate', `${abc}# \ud800\nquorum A\n`],
  ])('is refused with %s', (_what, text) => {
    expect(parseWitnessPolicy(text)).toBeTypeOf('string')
  })

  it('does not split at spaces beyond ASCII', () => {
    expect(parseWitnessPolicy('quorum\u00a0none\n')).toContain('Not a policy line')
  })

  it('names the line that is wrong', () => {
    expect(parseWitnessPolicy(`${abc}\nlog x\nquorum A\n`)).toBe('Line 5: Not a policy line: log')
  })

  it('may have as many witnesses and groups as the limits say, at least 32, and no more', () => {
    const names = Array.from({ length: policyLimits.witnesses }, (_, i) => `w${i}`)
    const groups = names
      .slice(0, policyLimits.groups)
      .map((name) => `group g-${name} any ${name}\n`)
    expect(Math.min(policyLimits.witnesses, policyLimits.groups)).toBeGreaterThanOrEqual(32)
    const largest = witnessLines(...names) + groups.join('')
    expect(policy(`${largest}quorum none\n`).groups.length).toBe(policyLimits.groups)
    expect(parseWitnessPolicy(`${largest}${witnessLine('more')}quorum none\n`)).toContain(
      `More than ${policyLimits.witnesses} witnesses`,
    )
    expect(parseWitnessPolicy(`${largest}group more any g-w0\nquorum none\n`)).toContain(
      `More than ${policyLimits.groups} groups`,
    )
  })

  it('may be as long as the limit and no longer', () => {
    const end = '\nquorum none\n'
    const longest = `#${'x'.repeat(policyLimits.chars - end.length - 1)}${end}`
    expect(policy(longest).quorum).toBeUndefined()
    expect(parseWitnessPolicy(`#${longest}`)).toContain('longer')
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalBytes, canonicalize } from '../../../src/base/canonical-json.ts'
import { encodeHex, fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { kinds } from '../../../src/dossier/kinds.ts'
import { formatLeaf, parseLeaf, type Leaf } from '../../../src/dossier/leaf.ts'

const leaf: Leaf = {
  keyid: '0f'.repeat(32),
  kind: 'decision',
  pae: '1e'.repeat(64),
  prev: null,
  seq: 0,
  sig: '2d'.repeat(32),
  stream: '01890a5d-ac96-774b-bcce-b302099a8001',
  time: 1_760_000_000_000,
  v: 1,
}

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((found) => encodeHex(found))
const leaves: fc.Arbitrary<Leaf> = fc.record({
  keyid: hex(32),
  kind: fc.constantFrom(...kinds),
  pae: hex(64),
  prev: fc.option(hex(32)),
  seq: fc.maxSafeNat(),
  sig: hex(32),
  stream: fc.stringMatching(/^[a-z0-9-]{1,64}$/),
  time: fc.maxSafeNat(),
  v: fc.constant(1 as const),
})

const reasonOf = (change: Record<string, unknown>): Leaf | string =>
  parseLeaf(canonicalBytes({ ...leaf, ...change }))

describe('a leaf', () => {
  it('is written as its canonical form, and read as it was written', () => {
    fc.assert(
      fc.property(leaves, (any) => {
        const bytes = formatLeaf(any)
        expect(fromUtf8(bytes)).toBe(canonicalize(any))
        expect(parseLeaf(bytes)).toEqual(any)
      }),
      { numRuns: 200 },
    )
  })

  it('has these bytes', () => {
    expect(fromUtf8(formatLeaf(leaf))).toBe(
      `{"keyid":"${leaf.keyid}","kind":"decision","pae":"${leaf.pae}","prev":null,"seq":0,` +
        `"sig":"${leaf.sig}","stream":"${leaf.stream}","time":1760000000000,"v":1}`,
    )
  })

  it('at its longest still fits', () => {
    const longest: Leaf = {
      ...leaf,
      kind: 'escalation',
      prev: '3c'.repeat(32),
      seq: Number.MAX_SAFE_INTEGER,
      stream: 'a'.repeat(64),
      time: Number.MAX_SAFE_INTEGER,
    }
    expect(formatLeaf(longest).length).toBeLessThan(600)
    expect(parseLeaf(formatLeaf(longest))).toEqual(longest)
  })

  it('is not written beyond 1024 bytes', () => {
    const spare = 1024 - formatLeaf({ ...leaf, stream: '' }).length
    expect(formatLeaf({ ...leaf, stream: 'a'.repeat(spare) })).toHaveLength(1024)
    expect(() => formatLeaf({ ...leaf, stream: 'a'.repeat(spare + 1) })).toThrow(
      expect.objectContaining({ code: 'BUG' }),
    )
  })

  it('is not read beyond 1024 bytes', () => {
    const spare = 1024 - formatLeaf({ ...leaf, stream: '' }).length
    expect(reasonOf({ stream: 'a'.repeat(spare + 1) })).toBe('Leaf is longer than 1024 bytes')
    expect(reasonOf({ stream: 'a'.repeat(spare) })).toMatch(/^Leaf is not v1: \/stream /)
  })

  it.each([
    ['keyid', 'AB'.repeat(32)],
    ['keyid', 'ab'.repeat(31)],
    ['keyid', 'ab'.repeat(33)],
    ['keyid', null],
    ['kind', 'consensus'],
    ['kind', null],
    ['pae', 'ab'.repeat(63)],
    ['pae', 'ab'.repeat(65)],
    ['prev', ''],
    ['prev', 'ab'.repeat(31)],
    ['prev', 0],
    ['seq', -1],
    ['seq', 0.5],
    ['seq', '0'],
    ['seq', null],
    ['sig', 'ab'.repeat(31)],
    ['sig', 'xy'.repeat(32)],
    ['stream', ''],
    ['stream', 'a'.repeat(65)],
    ['stream', 'a b'],
    ['stream', 'a\n'],
    ['stream', 'ä'],
    ['time', -1],
    ['time', 0.5],
    ['time', null],
    ['v', 2],
    ['v', '1'],
    ['more', 1],
  ])('is refused with %s %j', (name, value) => {
    expect(reasonOf({ [name]: value })).toMatch(/^Leaf is not v1: /)
  })

  it.each(Object.keys(leaf))('is refused without %s', (name) => {
    const rest = Object.entries(leaf).filter(([member]) => member !== name)
    expect(parseLeaf(canonicalBytes(Object.fromEntries(rest)))).toMatch(/^Leaf is not v1: /)
  })

  it.each([
    ['a space', ' '],
    ['a newline', '\n'],
    ['a null byte', '\0'],
  ])('is refused in another form: %s behind it', (_what, more) => {
    expect(parseLeaf(utf8(fromUtf8(formatLeaf(leaf)) + more))).toMatch(/^Leaf: /)
  })

  it('is refused when it is not even text', () => {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(0xff), utf8('null'), utf8('[]')])
      expect(parseLeaf(bytes)).toBeTypeOf('string')
  })
})

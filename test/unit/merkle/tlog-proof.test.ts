import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { limits } from '../../../src/base/limits.ts'
import { formatCheckpoint } from '../../../src/merkle/checkpoint.ts'
import { formatNote } from '../../../src/merkle/note.ts'
import { formatTlogProof, parseTlogProof } from '../../../src/merkle/tlog-proof.ts'

const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const line = { name: 'log.example', keyId: 1, signature: Uint8Array.of(1) }
const checkpoint = formatNote(formatCheckpoint({ origin: 'log.example', size: 9, root: hash(3) }), [
  line,
])
const proof = { index: 7, proof: [hash(1), hash(2)], checkpoint }
const text = formatTlogProof(proof)

describe('a proof file', () => {
  it('has the lines of the standard', () => {
    expect(text).toBe(
      `c2sp.org/tlog-proof@v1\nindex 7\n${encodeBase64(hash(1))}\n${encodeBase64(hash(2))}\n\n${checkpoint}`,
    )
  })

  it('reads as it was written, with and without extra data and hashes', () => {
    for (const one of [
      proof,
      { ...proof, extra: Uint8Array.of(1, 2, 3) },
      { ...proof, index: 0, proof: [] },
      { ...proof, index: Number.MAX_SAFE_INTEGER },
    ])
      expect(parseTlogProof(formatTlogProof(one))).toEqual(one)
  })

  const withHeader = (rest: string): string => `c2sp.org/tlog-proof@v1\n${rest}`
  it.each([
    ['nothing in it', ''],
    ['another version', text.replace('@v1', '@v2')],
    ['a blank line in front', `\n${text}`],
    ['carriage returns', text.replaceAll('\n', '\r\n')],
    ['no index', withHeader(`\n${checkpoint}`)],
    ['an index with leading zero', text.replace('index 7', 'index 07')],
    ['a negative index', text.replace('index 7', 'index -7')],
    ['an index of 2^53', text.replace('index 7', 'index 9007199254740992')],
    ['two spaces', text.replace('index 7', 'index  7')],
    ['an upper-case name', text.replace('index 7', 'Index 7')],
    ['two indexes', text.replace('index 7', 'index 7\nindex 7')],
    ['empty extra data', text.replace('index 7', 'extra \nindex 7')],
    ['extra data that is no base64', text.replace('index 7', 'extra a\nindex 7')],
    ['extra data behind the index', text.replace('index 7', 'index 7\nextra AQ==')],
    ['extra data twice', text.replace('index 7', 'extra AQ==\nextra AQ==\nindex 7')],
    ['a hash of 31 bytes', text.replace(encodeBase64(hash(1)), encodeBase64(hash(1).subarray(1)))],
    ['a hash that is no base64', text.replace(encodeBase64(hash(1)), '?')],
    ['a space behind a hash', text.replace(encodeBase64(hash(1)), `${encodeBase64(hash(1))} `)],
    ['no blank line', text.replace('\n\n', '\n')],
    ['two blank lines', text.replace('\n\n', '\n\n\n')],
    ['no checkpoint', text.slice(0, text.indexOf('\n\n') + 2)],
    [
      'a note that is no checkpoint',
      formatTlogProof({ ...proof, checkpoint: formatNote('x\n', [line]) }),
    ],
    ['a checkpoint without signature', text.slice(0, text.lastIndexOf('—'))],
    ['something behind the checkpoint', `${text}x`],
  ])('is refused with %s', (_what, input) => {
    expect(parseTlogProof(input)).toBeTypeOf('string')
  })

  it('may have 524,288 characters before its checkpoint, of which it needs fewer', () => {
    const before = (length: number): string => {
      const start = 'c2sp.org/tlog-proof@v1\nindex 7\n'
      return `${start}${'A\n'.repeat(length).slice(0, length - start.length - 1)}A\n\n${checkpoint}`
    }
    expect(before(524_288).indexOf('\n\n')).toBe(524_288)
    expect(parseTlogProof(before(524_288))).toBe('Proof has more than 63 hashes')
    const tooLong = 'Proof has more than 524288 characters before its checkpoint'
    expect(parseTlogProof(before(524_289))).toBe(tooLong)
    const largest = { ...proof, extra: new Uint8Array(limits.payloadBytes), index: 2 ** 53 - 1 }
    const full = { ...largest, proof: Array.from({ length: 63 }, () => hash(1)) }
    expect(parseTlogProof(formatTlogProof(full))).toEqual(full)
  })

  it('may have 63 hashes and not 64', () => {
    const many = (count: number): string =>
      formatTlogProof({ ...proof, proof: Array.from({ length: count }, () => hash(1)) })
    expect(parseTlogProof(many(63))).toMatchObject({ index: 7 })
    expect(parseTlogProof(many(64))).toBe('Proof has more than 63 hashes')
  })

  it('may carry as much extra data as a payload and no more', () => {
    const extra = new Uint8Array(limits.payloadBytes)
    expect(parseTlogProof(formatTlogProof({ ...proof, extra }))).toMatchObject({ index: 7 })
    const more = new Uint8Array(limits.payloadBytes + 1)
    expect(parseTlogProof(formatTlogProof({ ...proof, extra: more }))).toContain('Extra data')
  })

  it('is not written for an index that is none', () => {
    for (const index of [-1, 0.5, 2 ** 53])
      expect(() => formatTlogProof({ ...proof, index })).toThrow('Not a leaf index')
  })
})

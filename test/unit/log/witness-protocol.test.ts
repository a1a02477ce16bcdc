import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { limits } from '../../../src/base/limits.ts'
import {
  formatAddCheckpoint,
  formatTreeSize,
  parseAddCheckpoint,
  parseCosignatures,
  parseTreeSize,
  witnessLimits,
} from '../../../src/log/witness-protocol.ts'

const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const line = `${encodeBase64(hash(1))}\n`
const note = 'example.com/log\n1\nAAAA\n\n— example.com/log AAAAAAAA\n'
const read = (text: string) => parseAddCheckpoint(utf8(text))

describe('the body of add-checkpoint', () => {
  it('reads and writes as the standard has it', () => {
    const request = { note, old: 20852163, proof: [hash(1), hash(2)] }
    const body = formatAddCheckpoint(request)
    expect(body).toBe(`old 20852163\n${line}${encodeBase64(hash(2))}\n\n${note}`)
    expect(read(body)).toEqual(request)
  })

  it('needs no proof', () => {
    expect(read(`old 0\n\n${note}`)).toEqual({ note, old: 0, proof: [] })
    expect(formatAddCheckpoint({ note, old: 0, proof: [] })).toBe(`old 0\n\n${note}`)
  })

  it('has at most as many hashes as a proof can need', () => {
    const full = { note, old: 1, proof: Array.from({ length: limits.proofHashes }, () => hash(1)) }
    expect(read(formatAddCheckpoint(full))).toEqual(full)
    expect(read(`old 1\n${line.repeat(limits.proofHashes + 1)}\n${note}`)).toContain('more than 63')
    expect(read(`old 1\n${line.repeat(4999)}\n${note}`)).toContain('more than 63')
    expect(() => formatAddCheckpoint({ ...full, proof: [...full.proof, hash(2)] })).toThrow(
      'Too many',
    )
  })

  it('has at most so many bytes', () => {
    const fill = 'x'.repeat(witnessLimits.requestBytes - 'old 1\n\n'.length)
    expect(read(`old 1\n\n${fill}`)).toMatchObject({ old: 1 })
    expect(read(`old 1\n\n${fill}x`)).toContain('at most 262144 bytes')
  })

  it.each([
    ['nothing', ''],
    ['no blank line', `old 1\n${line}`],
    ['no size', `old \n\n${note}`],
    ['a size with a sign', `old +1\n\n${note}`],
    ['a size with a leading zero', `old 01\n\n${note}`],
    ['a size beyond 2^53', `old 9007199254740992\n\n${note}`],
    ['another word', `new 1\n\n${note}`],
    ['a word in capitals', `OLD 1\n\n${note}`],
    ['a space behind the size', `old 1 \n\n${note}`],
    ['a carriage return', `old 1\r\n\n${note}`],
    ['a hash of 31 bytes', `old 1\n${encodeBase64(hash(1).subarray(1))}\n\n${note}`],
    ['a hash without padding', `old 1\n${line.replace('=', '')}\n${note}`],
    ['a blank line in front', `\nold 1\n\n${note}`],
  ])('is refused with %s', (_, body) => {
    expect(typeof read(body)).toBe('string')
  })

  it('is refused when it is not UTF-8', () => {
    expect(parseAddCheckpoint(Uint8Array.of(...utf8('old 1\n\n'), 0xff))).toContain('UTF-8')
  })
})

describe('the size of a witness', () => {
  it('reads and writes as the standard has it', () => {
    expect(parseTreeSize(utf8(formatTreeSize(20852163)))).toBe(20852163)
    expect(parseTreeSize(utf8('9007199254740991\n'))).toBe(Number.MAX_SAFE_INTEGER)
  })

  it.each([
    '',
    '\n',
    '1',
    '1\n\n',
    ' 1\n',
    '-1\n',
    '9007199254740992\n',
    'x\n',
    `${'1'.repeat(40)}\n`,
  ])('is none in %j', (text) => {
    expect(parseTreeSize(utf8(text))).toBeUndefined()
  })
})

describe('the answer of a witness', () => {
  const cosignature = '— w.example AAAAAAAA\n'

  it('is lines of signatures', () => {
    const lines = parseCosignatures(utf8(cosignature.repeat(2)))
    expect(lines).toEqual([
      { keyId: 0, name: 'w.example', signature: Uint8Array.of(0, 0) },
      { keyId: 0, name: 'w.example', signature: Uint8Array.of(0, 0) },
    ])
  })

  it('has at most as many lines as a note', () => {
    expect(parseCosignatures(utf8(cosignature.repeat(limits.noteLines)))).toHaveLength(64)
    expect(parseCosignatures(utf8(cosignature.repeat(limits.noteLines + 1)))).toContain('more than')
  })

  it('has at most so many bytes', () => {
    const long = '— w.example AAAAAAAA\n'.replace('w', 'w'.repeat(witnessLimits.answerBytes))
    expect(parseCosignatures(utf8(long))).toContain('at most')
  })

  it.each(['', '\n', cosignature.trimEnd(), `${cosignature}\n`, '- w AAAAAAAA\n', '— w AAAA\n'])(
    'is none in %j',
    (text) => {
      expect(typeof parseCosignatures(utf8(text))).toBe('string')
    },
  )
})

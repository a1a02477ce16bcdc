import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { LineReader } from '../../../src/verify/line-reader.ts'

const linesOf = (chunks: readonly string[], maxBytes = 10) => {
  const reader = new LineReader(maxBytes)
  const lines = chunks.flatMap((chunk) =>
    [...reader.push(utf8(chunk))].map((line) => line && fromUtf8(line)),
  )
  return { left: reader.left, lines }
}

describe('lines out of pieces', () => {
  it('are the same wherever the pieces end', () => {
    const whole = 'one\n\ntwo\nthree'
    for (let at = 0; at <= whole.length; at++)
      expect(linesOf([whole.slice(0, at), whole.slice(at)])).toEqual({
        left: 5,
        lines: ['one', '', 'two'],
      })
    expect(linesOf([...Array.from(whole), '\n'])).toEqual({
      left: 0,
      lines: ['one', '', 'two', 'three'],
    })
  })

  it('may be as long as allowed and not a byte longer', () => {
    expect(linesOf(['1234567890\n'])).toEqual({ left: 0, lines: ['1234567890'] })
    expect(linesOf(['1234567890', '\n']).lines).toEqual(['1234567890'])
    expect(linesOf(['12345678901\nx\n']).lines).toEqual([undefined])
    expect(linesOf(['1234567890', '1']).lines).toEqual([undefined])
  })

  it('do not change with the piece that they came in', () => {
    const reader = new LineReader(10)
    const piece = utf8('ab')
    expect([...reader.push(piece)]).toEqual([])
    piece.fill(0)
    expect([...reader.push(utf8('c\n'))]).toEqual([utf8('abc')])
  })

  it('are read from as many pieces as they have bytes', () => {
    const reader = new LineReader(200_000)
    const piece = utf8('x')
    for (let n = 0; n < 200_000; n++)
      for (const line of reader.push(piece)) expect(line).toBe('none')
    const [line, ...more] = reader.push(utf8('\ny'))
    expect([line?.length, line?.every((byte) => byte === 0x78), more.length]).toEqual([
      200_000,
      true,
      0,
    ])
    expect(reader.left).toBe(1)
  })
})

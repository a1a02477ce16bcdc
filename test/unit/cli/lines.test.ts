import { expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { readDocuments, readLines, type Line } from '../../../src/cli/lines.ts'

const textsOf = async (lines: AsyncIterable<Line>): Promise<readonly (string | null)[]> => {
  const texts: (string | null)[] = []
  for await (const { bytes } of lines) texts.push(bytes === null ? null : fromUtf8(bytes))
  return texts
}

async function* piecesOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = utf8(text)
  for (let at = 0; at < bytes.length; at += size)
    yield await Promise.resolve(bytes.subarray(at, at + size))
}

const many = 300_000

it('reads a line that comes byte by byte, up to its bound', async () => {
  const line = 'x'.repeat(many)
  expect(await textsOf(readLines(piecesOf(`${line}\ny`, 1), many))).toEqual([line, 'y'])
  expect(await textsOf(readLines(piecesOf(`${line}x\ny\n`, 1), many))).toEqual([null, 'y'])
})

it('reads a document of many lines', async () => {
  const document = `{"a":[${'1,\n'.repeat(many)}1]}\n`
  expect(await textsOf(readDocuments(piecesOf(document, 65_536), 4 * many))).toEqual([document])
})

import { expect, it } from 'vitest'
import { canonicalize } from '../../src/base/canonical-json.ts'
import { describeVectors, readVectorText } from '../support/vectors.ts'

const names = ['arrays', 'french', 'structures', 'values']

describeVectors('RFC 8785 vectors', () => {
  it.each(names)('%s', (name) => {
    const input: unknown = JSON.parse(readVectorText(`jcs/input/${name}.json`))
    expect(canonicalize(input)).toBe(readVectorText(`jcs/output/${name}.json`).trimEnd())
  })
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { verifyDossier } from '../../../src/verify/index.ts'

interface Golden {
  readonly trustRoot: string
  readonly dossiers: readonly {
    readonly name: string
    readonly file: string
    readonly verdict: string
    readonly assurance: string
    readonly status: string | null
  }[]
}

// Made once and never again: what a version 1 verified, every later one verifies.
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'golden-v1.json'), 'utf8'),
) as Golden

describe('evidence that was made by the first version', () => {
  it.each(golden.dossiers)('still has its verdict: $name', ({ file, ...told }) => {
    const { assurance, status, verdict } = verifyDossier(utf8(file), utf8(golden.trustRoot))
    expect({ assurance, status, verdict }).toEqual({
      assurance: told.assurance,
      status: told.status,
      verdict: told.verdict,
    })
  })

  it('has one of every verdict that good evidence can have', () => {
    expect(new Set(golden.dossiers.map(({ verdict }) => verdict))).toEqual(
      new Set(['valid', 'erased']),
    )
  })
})

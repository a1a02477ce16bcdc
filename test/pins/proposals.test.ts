import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { verifyDossier } from '../../src/verify/index.ts'

interface Golden {
  readonly dossiers: readonly {
    readonly name: string
    readonly file: string
    readonly trustRoot: string
    readonly status: string | null
    readonly proposal: string | null
  }[]
}

// Made once and never again.
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'proposals.json'), 'utf8'),
) as Golden

describe('a proposal', () => {
  it.each(golden.dossiers)(
    'verifies for ever as it did at first: $name $proposal $status',
    ({ file, proposal, status, trustRoot }) => {
      expect(verifyDossier(utf8(file), utf8(trustRoot))).toMatchObject({
        proposal: proposal === null ? null : { status: proposal },
        status,
        verdict: 'valid',
      })
    },
  )

  it('is pinned at each of its ends', () => {
    expect(new Set(golden.dossiers.map(({ proposal }) => proposal))).toEqual(
      new Set([null, 'approved', 'rejected', 'withdrawn', 'no-quorum']),
    )
  })
})

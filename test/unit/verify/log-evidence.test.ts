import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { formatLogEvidence, parseLogEvidence } from '../../../src/verify/log-evidence.ts'

/** A file of so many bytes that says nothing. */
function fileOf(length: number): Uint8Array {
  const made = (leafBytes: number, noteBytes: number): Uint8Array =>
    formatLogEvidence({
      claim: 'leaf',
      leaves: [{ index: 0, leaf: new Uint8Array(leafBytes), proof: [] }],
      node: null,
      notes: ['x'.repeat(noteBytes)],
    })
  const left = length - made(0, 0).length
  return made(3 * Math.floor(left / 4), left % 4)
}

describe('a file of evidence against a log', () => {
  it('has 4,194,304 bytes and no more', () => {
    const most = 4 * 1024 * 1024
    expect(limits.trustRootBytes).toBe(most)
    expect([fileOf(most).length, fileOf(most + 1).length]).toEqual([most, most + 1])
    expect(parseLogEvidence(fileOf(most))).toMatchObject({ claim: 'leaf', node: null })
    expect(parseLogEvidence(fileOf(most + 1))).toBe('Evidence is larger than 4194304 bytes')
  })

  it('has one or two notes of 1,048,576 characters, two entries, and proofs of 63 hashes, and no more', () => {
    const hash = new Uint8Array(32)
    const leaf = { index: 0, leaf: hash, proof: [] }
    const parsed = (change: Partial<Parameters<typeof formatLogEvidence>[0]>): unknown =>
      parseLogEvidence(
        formatLogEvidence({ claim: 'leaf', leaves: [], node: null, notes: ['x'], ...change }),
      )
    const taken = { claim: 'leaf' }
    expect(parsed({ notes: ['x', 'y'] })).toMatchObject(taken)
    expect(parsed({ notes: [] })).toMatch(/notes/)
    expect(parsed({ notes: ['x', 'y', 'z'] })).toMatch(/notes/)
    expect(parsed({ notes: ['x'.repeat(1_048_576)] })).toMatchObject(taken)
    expect(parsed({ notes: ['x'.repeat(1_048_577)] })).toMatch(/notes/)
    expect(parsed({ leaves: [leaf, leaf] })).toMatchObject(taken)
    expect(parsed({ leaves: [leaf, leaf, leaf] })).toMatch(/leaves/)
    const proofOf = (hashes: number) => Array.from({ length: hashes }, () => hash)
    expect(parsed({ leaves: [{ ...leaf, proof: proofOf(63) }] })).toMatchObject(taken)
    expect(parsed({ leaves: [{ ...leaf, proof: proofOf(64) }] })).toMatch(/proof/)
  })

  it('names a subtree of level 52 and no higher', () => {
    const at = (level: number): unknown =>
      parseLogEvidence(
        formatLogEvidence({
          claim: 'fork',
          leaves: [],
          node: {
            hashes: [new Uint8Array(32), new Uint8Array(32)],
            index: 0,
            level,
            proofs: [[], []],
          },
          notes: ['x', 'y'],
        }),
      )
    expect(at(52)).toMatchObject({ node: { level: 52 } })
    expect(at(53)).toMatch(/level/)
  })
})

import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../../src/base/bytes.ts'
import { parseLeaf } from '../../../src/dossier/leaf.ts'
import { leafHash } from '../../../src/merkle/hash.ts'
import { TileTree } from '../../../src/merkle/tiles.ts'
import { verifyDossier, type Report } from '../../../src/verify/index.ts'
import { Checks } from '../../../src/verify/report.ts'
import { judgeCompleteness } from '../../../src/verify/verify-completeness.ts'
import { operatorHolds } from '../../support/forge.ts'
import { createWorld, executionOf, streams } from '../../support/forge-world.ts'
import { referenceRoot } from '../../support/merkle-reference.ts'
import { append, attack } from './forgery.ts'

const world = createWorld()
const { log } = world.each
const leaves = log.leaves()

const given = (some: Iterable<Uint8Array>, stream: string = streams.open): Report => {
  const { file } = attack(world, 'each', stream, {})
  return verifyDossier(file, world.trustFile, { leaves: some })
}

const reasonOf = (report: Report, name: string): string | undefined =>
  report.checks.find((check) => check.name === name)?.reason

describe('a dossier beside the leaves of its log', () => {
  it('is complete as of its size', () => {
    const report = given(leaves)
    expect(report).toMatchObject({ complete: `as of size ${log.size}`, verdict: 'valid' })
    expect(report.notes.join()).not.toContain('Later entries')
  })

  it('without them is said to be possibly incomplete', () => {
    const { file } = attack(world, 'each', streams.open, {})
    const report = verifyDossier(file, world.trustFile)
    expect(report.complete).toBe('no')
    expect(report.notes.join()).toContain('Later entries of this stream are not excluded')
  })

  it('takes no notice of leaves behind its size', () => {
    expect(given([...leaves, new Uint8Array(1)]).complete).toBe(`as of size ${log.size}`)
  })

  const changes: Readonly<Record<string, readonly Uint8Array[]>> = {
    'the last leaf dropped': leaves.slice(0, -1),
    'the first leaf dropped': leaves.slice(1),
    'a leaf in the middle dropped': leaves.toSpliced(5, 1),
    'a leaf put in': leaves.toSpliced(5, 0, new Uint8Array(1)),
    'a leaf doubled': leaves.toSpliced(5, 0, leaves[5] ?? new Uint8Array(0)),
    'a leaf replaced': leaves.with(5, new Uint8Array(1)),
    'two leaves exchanged': leaves.toSpliced(
      5,
      2,
      leaves[6] ?? new Uint8Array(0),
      leaves[5] ?? new Uint8Array(0),
    ),
    'no leaves at all': [],
    'the leaves of another tenant': world.fast.log.leaves(),
  }
  it.each(Object.entries(changes))('is refused with %s', (_what, some) => {
    expect(given(some)).toMatchObject({ complete: 'no', verdict: 'invalid' })
    expect(reasonOf(given(some), 'complete.log')).toMatch(/^The leaves given are not those/)
  })

  it('is refused when the log holds a step that it leaves out', () => {
    for (const left of [1, 2]) {
      const { file } = attack(world, 'each', streams.open, {
        dossier(draft) {
          draft.entries = draft.entries.slice(0, left)
        },
      })
      expect(verifyDossier(file, world.trustFile).verdict).toBe('valid')
      const report = verifyDossier(file, world.trustFile, { leaves })
      expect(report).toMatchObject({ complete: 'no', verdict: 'invalid' })
      expect(reasonOf(report, 'complete.stream')).toBe(
        `An entry of this stream is not in the dossier: index ${left === 1 ? 11 : 13}`,
      )
    }
  })

  it('is refused when the log holds another step at the same place of the stream', () => {
    // A fork of one stream, which no proof shows: two leaves with one seq.
    let forked: readonly Uint8Array[] = []
    const { file } = attack(world, 'each', streams.open, {
      dossier(draft, forged) {
        forked = forged.leaves()
        draft.entries = draft.entries.filter(({ index }) => index !== forged.size - 1)
      },
      holds: operatorHolds,
      steps(steps) {
        append(steps, 'execution', streams.open, executionOf(streams.open, 2), { seq: 2 })
      },
    })
    expect(verifyDossier(file, world.trustFile).verdict).toBe('valid')
    const report = verifyDossier(file, world.trustFile, { leaves: forked })
    expect(reasonOf(report, 'complete.stream')).toMatch(/index 17$/)
  })
})

describe('completeness', () => {
  const leafOf = (index: number): Uint8Array => leaves[index] ?? new Uint8Array(0)
  const judge = (
    some: readonly Uint8Array[],
    indexes: readonly number[],
    stream: string = streams.open,
  ) => {
    const tree = new TileTree(0, () => new Uint8Array(0))
    tree.append(some.map(leafHash))
    const checks = new Checks()
    const entries = indexes.map((index) => {
      const bytes = some[index] ?? new Uint8Array(0)
      const leaf = parseLeaf(bytes)
      if (typeof leaf === 'string') throw new Error(leaf)
      return {
        erased: false,
        index,
        leaf,
        leafHash: encodeHex(leafHash(bytes)),
        statement: undefined,
      }
    })
    const complete = judgeCompleteness(checks, some, stream, entries, {
      origin: 'log.example/one',
      root: tree.root(),
      size: some.length,
    })
    return { complete, list: checks.list, verdict: checks.verdict }
  }

  it('counts the same leaf a second time as a second entry', () => {
    const decision = leafOf(9)
    expect(judge([decision], [0]).complete).toBe('as of size 1')
    expect(judge([decision, decision], [0])).toMatchObject({ complete: 'no', verdict: 'invalid' })
    expect(judge([decision, decision], [1])).toMatchObject({ complete: 'no', verdict: 'invalid' })
  })

  it('is not claimed when a leaf cannot be read', () => {
    const result = judge([leafOf(9), new Uint8Array(3)], [0])
    expect(result).toMatchObject({ complete: 'no', verdict: 'inconclusive' })
    expect(result.list.at(-1)?.reason).toMatch(/index 1$/)
  })

  it('finds the root of every size', () => {
    for (const size of [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17]) {
      const some = leaves.slice(0, size)
      const judged = judge(some, [], 'keys-of-nobody')
      expect([size, judged.complete]).toEqual([size, `as of size ${size}`])
      const checks = new Checks()
      judgeCompleteness(checks, some, 'none', [], { origin: 'o', root: referenceRoot(some), size })
      expect(checks.verdict).toBe('valid')
    }
  })
})

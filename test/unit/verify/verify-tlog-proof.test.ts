import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { formatTrustRoot, type TrustRoot } from '../../../src/dossier/trust-root.ts'
import { parseDossier } from '../../../src/dossier/v1.ts'
import { inclusionProof } from '../../../src/merkle/proof.ts'
import { formatTlogProof } from '../../../src/merkle/tlog-proof.ts'
import { isTlogProof, verifyTlogProof } from '../../../src/verify/index.ts'
import { headOf } from '../../support/forge-dossier.ts'
import { createWorld, streams } from '../../support/forge-world.ts'
import { attack } from './forgery.ts'

const world = createWorld()

/** The proof of an entry of the log of profile `each`, under the checkpoint of its dossier. */
function proofOf(index: number, extra: 'leaf' | 'none' = 'leaf'): Uint8Array {
  const dossier = parseDossier(attack(world, 'each', streams.allow, {}).file)
  if (typeof dossier === 'string') throw new Error(dossier)
  const leaf = world.each.log.leaves()[index]
  const tree = world.each.log.tree()
  return utf8(
    formatTlogProof({
      checkpoint: dossier.checkpoint,
      index,
      proof: inclusionProof(index, tree.size, tree.node),
      ...(extra === 'none' || leaf === undefined ? {} : { extra: leaf }),
    }),
  )
}

const good = proofOf(6)
const told = (file: Uint8Array, trust = world.trustFile): string =>
  verifyTlogProof(file, trust)
    .checks.filter(({ ok }) => !ok)
    .map(({ name, outcome }) => `${name} ${outcome}`)
    .join()

describe('a tlog-proof', () => {
  it('shows that a leaf stands in the log, and no more', () => {
    const report = verifyTlogProof(good, world.trustFile)
    expect(report).toMatchObject({
      assurance: 'operator',
      complete: 'no',
      entries: [{ index: 6, kind: 'decision', seq: 0 }],
      ok: true,
      origin: 'log.example/each',
      status: null,
      stream: streams.allow,
      treeSize: 17,
    })
    expect(report.notes.join()).toContain('what was signed needs the dossier')
    expect(verifyTlogProof(proofOf(16), world.trustFile).ok).toBe(true)
  })

  it('takes the leaf from elsewhere, and says when there is none', () => {
    const bare = proofOf(6, 'none')
    expect(told(bare)).toBe('proof.leaf inconclusive')
    const [wrong, right] = [5, 6].map((index) => world.each.log.leaves()[index])
    if (wrong === undefined || right === undefined) throw new Error('No leaves')
    expect(verifyTlogProof(bare, world.trustFile, { leaf: right }).verdict).toBe('valid')
    expect(verifyTlogProof(bare, world.trustFile, { leaf: wrong }).verdict).toBe('invalid')
    // What is given counts, not what a stranger wrote into the file.
    expect(verifyTlogProof(good, world.trustFile, { leaf: wrong }).verdict).toBe('invalid')
  })

  it.each<[string, (text: string) => string, string]>([
    ['another index', (text) => text.replace('index 6', 'index 7'), 'proof.inclusion fail'],
    ['another size', (text) => text.replace('\n17\n', '\n18\n'), 'checkpoint.signatures fail'],
    [
      'a hash more',
      (text) => text.replace('\n\n', `\n${'A'.repeat(43)}=\n\n`),
      'proof.inclusion fail',
    ],
    ['another header', (text) => text.replace('@v1', '@v2'), 'proof.format fail'],
    [
      'another origin',
      (text) => text.replace('log.example/each\n', 'log.example/x\n'),
      'checkpoint.origin fail',
    ],
    ['no signature', (text) => text.slice(0, text.lastIndexOf('—')), 'checkpoint.signatures fail'],
  ])('is refused with %s', (_, change, expected) => {
    const text = change(fromUtf8(good))
    expect(text).not.toBe(fromUtf8(good))
    expect(told(utf8(text))).toBe(expected)
  })

  it('is refused with any other leaf in it', () => {
    const text = fromUtf8(good)
    const at = text.indexOf('extra ') + 20
    const other = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
    expect(told(utf8(other))).toMatch(/^proof\.inclusion fail/)
  })

  it('is judged only by the trust root that is demanded', () => {
    expect(told(good, utf8('{}'))).toMatch(/^trust-root\.format fail/)
    const other = verifyTlogProof(good, world.trustFile, { trustSha256: '0'.repeat(64) })
    expect(other.verdict).toBe('invalid')
    const dev = formatTrustRoot({ ...world.trust, dev: true })
    expect(verifyTlogProof(good, dev)).toMatchObject({ dev: true, ok: true })
    expect(told(good, createWorld(60, 'other.example').trustFile)).toBe('checkpoint.origin fail')
  })

  it('is refused under a trust root of which any key is not what it says', () => {
    const trust = (change: (key: TrustRoot['origins'][number]['keys'][number]) => void) => {
      const copy = structuredClone(world.trust)
      // Of another log, and of no use to a proof: the file is refused as a whole.
      const [key] = copy.origins.at(-1)?.keys ?? []
      if (key === undefined) throw new Error('No key')
      change(key)
      return formatTrustRoot(copy)
    }
    expect(
      told(
        good,
        trust(() => undefined),
      ),
    ).toBe('')
    expect(
      told(
        good,
        trust((key) => (key.keyid = '0'.repeat(64))),
      ),
    ).toBe('trust-root.keys fail')
    expect(
      told(
        good,
        trust((key) => (key.algorithm = 'Ed25519')),
      ),
    ).toBe('trust-root.keys fail')
  })

  it('says by whose word times are, and up to where revocations are known', () => {
    const notes = (trust?: Uint8Array) =>
      verifyTlogProof(good, trust ?? world.trustFile).notes.join('\n')
    expect(notes()).toContain('Times are the operator’s word')
    expect(notes()).toContain('Trust root knows of revocations up to size 5 only')
    const copy = structuredClone(world.trust)
    const [section] = copy.origins
    if (section !== undefined) section.asOf = headOf(world.each.log)
    expect(notes(formatTrustRoot(copy))).not.toContain('revocations')
  })

  it('is refused with any byte of it changed, and never with an exception', () => {
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const file = good.slice()
        file[at] = (file[at] ?? 0) ^ change
        expect(verifyTlogProof(file, world.trustFile).ok).toBe(false)
      }),
      { numRuns: 150 },
    )
  })

  it('is told from other files by its first line', () => {
    expect(isTlogProof(good)).toBe(true)
    expect(isTlogProof(utf8('{"v":1}'))).toBe(false)
    expect(isTlogProof(new Uint8Array())).toBe(false)
  })
})

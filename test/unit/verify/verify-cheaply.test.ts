import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { concat, fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { linksSchema } from '../../../src/dossier/matters.ts'
import { parseDossier } from '../../../src/dossier/v1.ts'
import { verifyDossier, type Report } from '../../../src/verify/index.ts'
import { operatorHolds } from '../../support/forge.ts'
import { entryOf, type Attack } from '../../support/forge-dossier.ts'
import { createWorld, streams } from '../../support/forge-world.ts'
import { append, attack, stepAt } from './forgery.ts'

const world = createWorld()
const on = (stream: string, does: Attack): Report =>
  verifyDossier(attack(world, 'each', stream, does).file, world.trustFile)

const failed = ({ checks }: Report): string[] =>
  checks.filter(({ ok }) => !ok).map(({ name }) => name)

const names = ({ checks }: Report): string[] => checks.map(({ name }) => name)

describe('a verifier that junk is sent to', () => {
  it('does not read a payload that is not the leaf’s', () => {
    const report = on(streams.block, {
      dossier({ entries: [first] }) {
        if (first !== undefined) first.payload = utf8('{"not":"a statement"}')
      },
    })
    expect(failed(report)).toEqual(['entries[0].payload'])
    expect(names(report)).not.toContain('entries[0].statement')
  })

  it('reads payloads of 262,144 bytes and no longer', () => {
    const padded = (bytes: number): Report =>
      on(streams.block, {
        holds: operatorHolds,
        steps(steps) {
          const step = stepAt(steps, streams.block)
          step.matter['trace'] = ''
          step.payload = (payload) => {
            const trace = 'x'.repeat(bytes - payload.length)
            const text = fromUtf8(payload).replace('"trace":""', `"trace":"${trace}"`)
            return utf8(text)
          }
        },
      })
    expect(padded(262_144).verdict).toBe('valid')
    expect(failed(padded(262_145))).toEqual(['entries[0].payload'])
  })

  it('looks at no signature where an entry is named twice', () => {
    const entries = on(streams.allow, {
      dossier(draft) {
        draft.entries = Array.from({ length: 300 }, () => draft.entries[0]).flatMap((entry) =>
          entry === undefined ? [] : [entry],
        )
      },
    })
    expect(failed(entries)).toEqual(['stream.chain'])
    const cited = on(streams.allow, {
      dossier(draft, log) {
        draft.cited.push(entryOf(log, 7), entryOf(log, 7))
      },
    })
    expect(failed(cited)).toEqual(['cited'])
    for (const report of [entries, cited])
      expect(names(report).filter((name) => name.endsWith('.signature'))).toEqual([])
  })

  it('refuses a large file by how it looks', () => {
    const reason = 'Not a v1 dossier: it does not look like one'
    const junk = new Uint8Array(64 * 1024 * 1024)
    expect(parseDossier(junk)).toBe(reason)
    const opening = utf8('{"checkpoint":"')
    expect(parseDossier(concat(opening, junk.subarray(0, 65_536)))).not.toBe(reason)
    expect(parseDossier(concat(opening, new Uint8Array(4_000_000).fill(0x5b)))).toBe(reason)
    expect(parseDossier(concat(opening, new Uint8Array(4_000_000).fill(0x2c)))).toBe(reason)
    expect(parseDossier(concat(opening, new Uint8Array(4_000_000).fill(0x7b)))).toBe(reason)
  })

  it('stops at the first item of a list that is none, and counts lists before', () => {
    const base = { cited: [], checkpoint: '', entries: [1, 1], stream: 'x', v: 1 }
    const mediaType = 'application/vnd.countersign.dossier+json'
    const parsed = (change: object): unknown =>
      parseDossier(canonicalBytes({ ...base, mediaType, ...change }))
    expect(parsed({})).toMatch(/^Not a v1 dossier: \/entries\/0 /)
    expect(parsed({ entries: new Array(10_001).fill(1) })).toMatch(/\/entries Array of at most/)
    expect(parsed({ entries: [] })).toMatch(/\/entries At least one/)
    const entry = { index: 0, leaf: '', payload: null, signature: '' }
    expect(parsed({ entries: [{ ...entry, proof: new Array(64).fill(1) }] })).toMatch(
      /\/entries\/0\/proof Array of at most 63/,
    )
    expect(parsed({ entries: [{ ...entry, proof: [] }], cited: [1] })).toMatch(/\/cited\/0 /)
  })
})

describe('a cited policy', () => {
  it('stands in the stream of policies', () => {
    const index = world.each.log.size
    const cited = (stream: string): string[] =>
      failed(
        on(streams.rich, {
          dossier(draft, log) {
            draft.cited.push(entryOf(log, index))
          },
          holds: operatorHolds,
          steps(steps) {
            stepAt(steps, streams.rich).matter['policies'] = [{ id: 'p', index }]
            append(steps, 'policy', stream, { anything: true })
          },
        }),
      )
    expect(cited('policies')).toEqual(['cited[0].matter'])
    expect(cited('admin')).toEqual(['cited[0].matter', 'cited'])
  })
})

describe('a link', () => {
  const fits = (url: string): boolean => linksSchema.safeParse({ url }).success

  it('is printable ASCII behind http or https, of a bounded length, and not parsed', () => {
    for (const start of ['http://', 'https://']) {
      expect(fits(start)).toBe(false)
      expect(fits(`${start}!`)).toBe(true)
      expect(fits(`${start}[~`)).toBe(true)
      expect(fits(start + 'x'.repeat(2040))).toBe(true)
      expect(fits(start + 'x'.repeat(2041))).toBe(false)
    }
    for (const url of [
      'ftp://x',
      'HTTPS://x',
      ' https://x',
      'https://x\n',
      'https://x y',
      'https://é',
    ])
      expect([url, fits(url)]).toEqual([url, false])
  })
})

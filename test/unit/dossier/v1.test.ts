import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { concat, fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import {
  dossierMediaType,
  formatDossier,
  parseDossier,
  type Dossier,
} from '../../../src/dossier/v1.ts'
import { edited, type Draft } from '../../support/forge.ts'

const entry = {
  index: 7,
  leaf: Uint8Array.of(1),
  payload: Uint8Array.of(2, 3),
  proof: [new Uint8Array(32)],
  signature: Uint8Array.of(4, 5, 6),
}
const dossier: Dossier = {
  checkpoint: 'log.example/one\n8\n',
  cited: [],
  entries: [entry, { ...entry, payload: null }],
  stream: 'keys',
}
const file = formatDossier(dossier)

const parsed = (change: (draft: Draft) => unknown): unknown =>
  parseDossier(edited(file, (draft) => void change(draft)))
const first = (draft: Draft): Draft => (draft['entries'] as [Draft])[0]
const many = (count: number, item: unknown): unknown[] => Array.from({ length: count }, () => item)

describe('a dossier file', () => {
  it('has these bytes', () => {
    const hash = `${'A'.repeat(43)}=`
    const text = (payload: string): string =>
      `{"index":7,"leaf":"AQ==","payload":${payload},"proof":["${hash}"],"signature":"BAUG"}`
    expect(fromUtf8(file)).toBe(
      `{"checkpoint":"log.example/one\\n8\\n","cited":[],"entries":[${text('"AgM="')},${text('null')}],` +
        `"mediaType":"application/vnd.countersign.dossier+json","stream":"keys","v":1}`,
    )
    expect(dossierMediaType).toBe('application/vnd.countersign.dossier+json')
  })

  it('is read as it was written', () => {
    expect(parseDossier(file)).toEqual({ ...dossier, mediaType: dossierMediaType, v: 1 })
  })

  it('holds 1 to 10,000 entries, and cites up to 10,000', () => {
    const small = { index: 0, leaf: '', payload: null, proof: [], signature: '' }
    for (const [name, count, fits] of [
      ['entries', 0, false],
      ['entries', 1, true],
      ['entries', 10_000, true],
      ['entries', 10_001, false],
      ['cited', 0, true],
      ['cited', 10_000, true],
      ['cited', 10_001, false],
    ] as const)
      expect([name, count, typeof parsed((draft) => (draft[name] = many(count, small)))]).toEqual([
        name,
        count,
        fits ? 'object' : 'string',
      ])
  })

  it('holds up to 63 hashes a proof', () => {
    expect(parsed((draft) => (first(draft)['proof'] = many(63, 'AA==')))).toBeTypeOf('object')
    expect(parsed((draft) => (first(draft)['proof'] = many(64, 'AA==')))).toMatch(/proof/)
  })

  it('holds a note of up to 1 MiB', () => {
    const note = (length: number) => (draft: Draft) => (draft['checkpoint'] = 'x'.repeat(length))
    expect(parsed(note(1_048_576))).toBeTypeOf('object')
    expect(parsed(note(1_048_577))).toMatch(/^Not a v1 dossier: \/checkpoint /)
  })

  it('is at most 64 MiB long', () => {
    expect(parseDossier(new Uint8Array(64 * 1024 * 1024 + 1))).toBe(
      'Dossier is larger than 67108864 bytes',
    )
    expect(parseDossier(new Uint8Array(1024))).toBe('Text is not JSON')
  })

  it.each<[string, (draft: Draft) => unknown]>([
    ['another version', (draft) => (draft['v'] = 2)],
    ['another media type', (draft) => (draft['mediaType'] = 'application/json')],
    ['a member too many', (draft) => (draft['keys'] = [])],
    ['a stream that is no text', (draft) => (draft['stream'] = 1)],
    ['a checkpoint that is no text', (draft) => (draft['checkpoint'] = null)],
    ['an entry with a member too many', (draft) => (first(draft)['key'] = 'mine')],
    ['a negative index', (draft) => (first(draft)['index'] = -1)],
    ['half an index', (draft) => (first(draft)['index'] = 0.5)],
    ['base64 without padding', (draft) => (first(draft)['leaf'] = 'AA')],
    ['base64 with stray bits', (draft) => (first(draft)['leaf'] = 'AB==')],
    ['base64 in URL letters', (draft) => (first(draft)['leaf'] = '-_-_')],
    ['base64 over lines', (draft) => (first(draft)['leaf'] = 'AAAA\nAAAA')],
    ['hex', (draft) => (first(draft)['proof'] = ['zz'])],
    ['a missing signature', (draft) => (first(draft)['signature'] = null)],
  ])('is refused with %s', (_what, change) => {
    expect(parsed(change)).toMatch(/^Not a v1 dossier: \//)
  })

  it.each(['index', 'leaf', 'payload', 'proof', 'signature'])(
    'is refused when an entry has no %s',
    (name) => {
      expect(parsed((draft) => Reflect.deleteProperty(first(draft), name))).toMatch(
        new RegExp(`^Not a v1 dossier: /entries/0/${name} `),
      )
    },
  )

  it('is refused in any other form', () => {
    const text = fromUtf8(file)
    for (const other of [
      `${text}\n`,
      ` ${text}`,
      `\ufeff${text}`,
      text.replace('"index":7', '"index":7.0'),
      text.replace('"v":1', '"v":1,"v":1'),
      JSON.stringify(JSON.parse(text), null, 1),
      '',
      'null',
    ])
      expect(parseDossier(utf8(other))).toBeTypeOf('string')
    expect(parseDossier(concat(file.subarray(0, -1), Uint8Array.of(0xff)))).toBe(
      'Bytes are not UTF-8',
    )
    expect(parseDossier(canonicalBytes(JSON.parse(text)))).toBeTypeOf('object')
  })
})

import { describe, expect, it } from 'vitest'
import { canonicalBytes, canonicalize } from '../../../src/base/canonical-json.ts'
import { encodeHex, fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { kinds } from '../../../src/dossier/kinds.ts'
import { formatStatement, parseStatement, type Place } from '../../../src/dossier/statement.ts'
import { edited, type Draft } from '../../support/forge.ts'
import { decisionOf } from '../../support/forge-world.ts'

const stream = '01890a5d-ac96-774b-bcce-b302099a8001'
const place: Place = {
  instance: '01890a5d-ac96-774b-bcce-b302099a8057',
  kind: 'decision',
  origin: 'log.example/one',
  prev: null,
  seq: 0,
  stream,
  tenant: 'one',
}
const salt = Uint8Array.from({ length: 16 }, (_, i) => i)
const saltHex = '000102030405060708090a0b0c0d0e0f'
const matter = decisionOf(stream)
const payload = formatStatement(place, salt, matter)

const digestOf = (covered: Draft): string => encodeHex(sha256(utf8(canonicalize(covered))))

/** The reason why an edited statement is none. */
const reasonOf = (change: (draft: Draft) => void, from = payload): unknown =>
  parseStatement(edited(from, change))

const predicateOf = (draft: Draft): Draft => draft['predicate'] as Draft
const subjectsOf = (draft: Draft): Draft[] => draft['subject'] as Draft[]

describe('a statement', () => {
  it('is the canonical form of what README says', () => {
    expect(fromUtf8(payload)).toBe(
      canonicalize({
        _type: 'https://in-toto.io/Statement/v1',
        predicate: { ...place, matter, salt: saltHex },
        predicateType: 'urn:countersign:decision:v1',
        subject: [
          {
            digest: { sha256: digestOf({ intent: matter['intent'], salt: saltHex }) },
            name: stream,
          },
        ],
      }),
    )
  })

  it('has these bytes', () => {
    expect(encodeHex(sha256(payload))).toBe(
      '363fde8e26cb0d08332f204d6178e1325844ebc2aaf70ff975aa055c6d140e5b',
    )
  })

  it('digests the whole matter where it is no decision', () => {
    for (const kind of kinds.filter((kind) => kind !== 'decision')) {
      const { subject } = JSON.parse(
        fromUtf8(formatStatement({ ...place, kind }, salt, { a: 1 })),
      ) as { subject: unknown }
      expect(subject).toEqual([
        { digest: { sha256: digestOf({ matter: { a: 1 }, salt: saltHex }) }, name: stream },
      ])
    }
  })

  it('is read as it was written, whatever its kind', () => {
    for (const kind of kinds) {
      const written = { ...place, kind, prev: 'ab'.repeat(32), seq: 3 }
      const read = parseStatement(formatStatement(written, salt, matter))
      expect(read).toMatchObject({ predicate: { ...written, matter, salt: saltHex } })
    }
  })

  it('is not written of what has no canonical form', () => {
    for (const trace of [NaN, 2 ** 53, '\ud800', undefined, new Date(0)])
      expect(() => formatStatement(place, salt, { ...matter, trace })).toThrow(
        expect.objectContaining({ code: 'INPUT_INVALID' }),
      )
  })

  it('is refused when the subject’s digest is of something else', () => {
    const reason = 'Subject digest does not match'
    expect(reasonOf((draft) => (predicateOf(draft)['salt'] = 'ab'.repeat(16)))).toBe(reason)
    expect(
      reasonOf((draft) => {
        const { intent } = predicateOf(draft)['matter'] as { intent: Draft }
        intent['actor'] = { id: 'other' }
      }),
    ).toBe(reason)
    const trust = formatStatement({ ...place, kind: 'trust' }, salt, { version: 1 })
    expect(reasonOf((draft) => (predicateOf(draft)['matter'] = { version: 2 }), trust)).toBe(reason)
  })

  it('is refused when a decision has no intent', () => {
    expect(reasonOf((draft) => (predicateOf(draft)['matter'] = {}))).toBe(
      'Decision without an intent',
    )
  })

  it('is refused when its subject is not the stream', () => {
    expect(reasonOf((draft) => Object.assign(subjectsOf(draft)[0] ?? {}, { name: 'keys' }))).toBe(
      'Subject is not the stream',
    )
  })

  it('is refused when its type is not that of its kind', () => {
    for (const type of ['urn:countersign:trust:v1', 'urn:countersign:decision:v2', ''])
      expect(reasonOf((draft) => (draft['predicateType'] = type))).toBe(
        `Predicate type is not that of its kind: ${type}`,
      )
  })

  it.each<[string, (draft: Draft) => unknown]>([
    ['another statement type', (draft) => (draft['_type'] = 'https://in-toto.io/Statement/v0.1')],
    ['a member too many', (draft) => (draft['more'] = 1)],
    ['no subject', (draft) => (draft['subject'] = [])],
    ['two subjects', (draft) => subjectsOf(draft).push(...subjectsOf(draft))],
    [
      'another digest too',
      (draft) => Object.assign(subjectsOf(draft)[0]?.['digest'] ?? {}, { sha512: 'ab' }),
    ],
    [
      'a subject with a member too many',
      (draft) => Object.assign(subjectsOf(draft)[0] ?? {}, { uri: 'x' }),
    ],
    [
      'a digest in capitals',
      (draft) => Object.assign(subjectsOf(draft)[0] ?? {}, { digest: { sha256: 'AB'.repeat(32) } }),
    ],
    ['a salt of 15 bytes', (draft) => (predicateOf(draft)['salt'] = 'ab'.repeat(15))],
    ['a salt of 17 bytes', (draft) => (predicateOf(draft)['salt'] = 'ab'.repeat(17))],
    ['an unknown kind', (draft) => (predicateOf(draft)['kind'] = 'consensus')],
    ['a negative step', (draft) => (predicateOf(draft)['seq'] = -1)],
    ['half a step', (draft) => (predicateOf(draft)['seq'] = 0.5)],
    ['a predecessor of 31 bytes', (draft) => (predicateOf(draft)['prev'] = 'ab'.repeat(31))],
    ['a member too many in the predicate', (draft) => (predicateOf(draft)['more'] = 1)],
    ['a matter that is no object', (draft) => (predicateOf(draft)['matter'] = 'x')],
    ['a matter that is an array', (draft) => (predicateOf(draft)['matter'] = [])],
  ])('is refused with %s', (_what, change) => {
    expect(reasonOf((draft) => void change(draft))).toMatch(/^Payload is not a v1 statement: \//)
  })

  it.each(['_type', 'predicate', 'predicateType', 'subject'])('is refused without %s', (name) => {
    expect(reasonOf((draft) => Reflect.deleteProperty(draft, name))).toMatch(/^Payload is not/)
  })

  it.each(['instance', 'kind', 'matter', 'origin', 'prev', 'salt', 'seq', 'stream', 'tenant'])(
    'is refused without its %s',
    (name) => {
      expect(reasonOf((draft) => Reflect.deleteProperty(predicateOf(draft), name))).toMatch(
        /^Payload is not/,
      )
    },
  )

  it('nests up to 72 levels', () => {
    const nested = (depth: number): unknown => (depth === 0 ? null : [nested(depth - 1)])
    const at = (depth: number): unknown =>
      parseStatement(formatStatement(place, salt, { ...matter, trace: nested(depth) }))
    // Statement, predicate and matter are three.
    expect(at(69)).toBeTypeOf('object')
    expect(() => at(70)).toThrow('Nested deeper than 72')
    const payload = new TextDecoder().decode(formatStatement(place, salt, { ...matter, trace: 0 }))
    const deep = payload.replace('"trace":0', `"trace":${'['.repeat(70)}${']'.repeat(70)}`)
    expect(parseStatement(new TextEncoder().encode(deep))).toBe(
      'Payload: Nested deeper than 72 levels',
    )
  })

  it('is refused in any other form', () => {
    const text = fromUtf8(payload)
    for (const other of [
      `${text} `,
      `\ufeff${text}`,
      text.replace('"seq":0', '"seq":0.0'),
      '',
      '1',
    ])
      expect(parseStatement(utf8(other))).toBeTypeOf('string')
    expect(parseStatement(canonicalBytes(JSON.parse(text)))).toBeTypeOf('object')
  })
})

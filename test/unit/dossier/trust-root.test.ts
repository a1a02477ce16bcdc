import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { concat, encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import {
  fingerprint,
  formatTrustRoot,
  parseTrustRoot,
  standingAt,
  type OriginSection,
  type TrustRoot,
} from '../../../src/dossier/trust-root.ts'
import { createWorld } from '../../support/forge-world.ts'
import { firstRoster } from '../../support/forge-override.ts'

const { trust, trustFile } = createWorld()
const many = <T>(count: number, item: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => item(i))

/** What becomes of the trust root after an edit. */
function parsed(change: (root: TrustRoot, section: OriginSection) => unknown): unknown {
  const copy = structuredClone(trust)
  const [section] = copy.origins
  if (section === undefined) throw new Error('No section')
  change(copy, section)
  return parseTrustRoot(canonicalBytes(copy))
}

const first = (items: readonly object[], change: object): unknown =>
  Object.assign(items[0] ?? {}, change)

const rosterVersion = (from: number): OriginSection['rosters'][number] => ({
  askedAt: null,
  endorsements: [{ key: 'k', kind: 'Ed25519', signature: 's' }],
  from,
  roster: firstRoster,
  time: 0,
})

const controlPeriod = (i: number) => ({ from: 2 * i, to: 2 * i + 1 })

describe('a trust root', () => {
  it('is read as it was written', () => {
    expect(parseTrustRoot(trustFile)).toEqual(trust)
    expect(formatTrustRoot(trust)).toEqual(trustFile)
  })

  it('is named by the hash of its bytes', () => {
    expect(fingerprint(trustFile)).toBe(encodeHex(sha256(trustFile)))
    expect(fingerprint(utf8('{}'))).toBe(
      '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    )
  })

  it('of version 1 has nothing before it, and every later one has', () => {
    const previous = 'ab'.repeat(32)
    expect(parsed((root) => Object.assign(root, { previous, version: 2 }))).toBeTypeOf('object')
    const reason = 'Trust root version 1 has no previous, every later one has'
    expect(parsed((root) => (root.previous = previous))).toBe(reason)
    expect(parsed((root) => (root.version = 2))).toBe(reason)
  })

  it('names nothing twice', () => {
    expect(
      parsed((root, section) => {
        first(root.origins.slice(1), { origin: section.origin })
      }),
    ).toBe('Trust root names an origin twice')
    expect(parsed((_, { keys }) => keys.push(...keys))).toBe(
      'Trust root names a key twice: log.example/each',
    )
    expect(parsed((_, { logKeys }) => logKeys.push(...logKeys))).toBe(
      'Trust root names a log key twice: log.example/each',
    )
  })

  it.each<[string, (root: TrustRoot, section: OriginSection) => unknown]>([
    ['another version of the format', (root) => Object.assign(root, { v: 2 })],
    ['version 0', (root) => (root.version = 0)],
    ['half a version', (root) => (root.version = 1.5)],
    ['a previous in capitals', (root) => Object.assign(root, { previous: 'AB'.repeat(32) })],
    ['no word on development', (root) => Reflect.deleteProperty(root, 'dev')],
    ['no origin', (root) => (root.origins = [])],
    [
      '65 origins',
      (root, section) => (root.origins = many(65, (i) => ({ ...section, origin: `o${i}` }))),
    ],
    ['a member too many', (root) => Object.assign(root, { more: 1 })],
    ['a section with a member too many', (_, section) => Object.assign(section, { more: 1 })],
    ['a tree head with a member too many', (_, { asOf }) => Object.assign(asOf, { more: 1 })],
    ['a log key with a member too many', (_, { logKeys }) => first(logKeys, { more: 1 })],
    ['a key with a member too many', (_, { keys }) => first(keys, { more: 1 })],
    ['an origin without a name', (_, section) => (section.origin = '')],
    ['an origin of 256 characters', (_, section) => (section.origin = 'o'.repeat(256))],
    ['an instance that is no UUID', (_, section) => (section.instance = 'x')],
    ['a tenant in capitals', (_, section) => (section.tenant = 'Acme')],
    ['a tenant of 64 characters', (_, section) => (section.tenant = 'a'.repeat(64))],
    ['a tenant that begins with a dash', (_, section) => (section.tenant = '-a')],
    ['a root of 31 bytes', (_, { asOf }) => (asOf.root = 'AAAA')],
    ['a root with stray bits', (_, { asOf }) => (asOf.root = `${'A'.repeat(42)}B=`)],
    ['a negative size', (_, { asOf }) => (asOf.size = -1)],
    ['no log key', (_, section) => (section.logKeys = [])],
    [
      '257 log keys',
      (_, section) => (section.logKeys = many(257, (i) => ({ ...logKey(section), vkey: `v${i}` }))),
    ],
    [
      'a verifier key of 8193 characters',
      (_, { logKeys }) => first(logKeys, { vkey: 'v'.repeat(8193) }),
    ],
    [
      'a log key with a final head of one part',
      (_, { logKeys }) => first(logKeys, { final: { size: 1 } }),
    ],
    ['a log key that begins before 0', (_, { logKeys }) => first(logKeys, { from: -1 })],
    ['a log key that ends before 0', (_, { logKeys }) => first(logKeys, { to: -1 })],
    ['a log key revoked before 0', (_, { logKeys }) => first(logKeys, { revokedAt: -1 })],
    ['no key', (_, section) => (section.keys = [])],
    [
      '1025 keys',
      (_, section) =>
        (section.keys = many(1025, (i) => ({
          ...key(section),
          keyid: i.toString(16).padStart(64, '0'),
        }))),
    ],
    ['a keyid in capitals', (_, { keys }) => first(keys, { keyid: 'AB'.repeat(32) })],
    ['an unknown algorithm', (_, { keys }) => first(keys, { algorithm: 'Ed448' })],
    ['a public key with stray bits', (_, { keys }) => first(keys, { publicKey: 'AB==' })],
    ['a public key in URL letters', (_, { keys }) => first(keys, { publicKey: '-_-_' })],
    ['a key for nothing', (_, { keys }) => first(keys, { kinds: [] })],
    ['a key for an unknown kind', (_, { keys }) => first(keys, { kinds: ['consensus'] })],
    ['an unknown profile', (_, { keys }) => first(keys, { profile: 'none' })],
    ['a key that begins nowhere', (_, { keys }) => first(keys, { from: null })],
    ['a key that begins at a half', (_, { keys }) => first(keys, { from: 0.5 })],
    ['a roster', (_, section) => Object.assign(section, { rosters: [{}] })],
    ['257 rosters', (_, section) => (section.rosters = many(257, rosterVersion))],
    [
      'a roster that nobody signed',
      (_, section) => (section.rosters = [{ ...rosterVersion(0), endorsements: [] }]),
    ],
    [
      'a roster that counts from nowhere',
      (_, section) => (section.rosters = [{ ...rosterVersion(0), from: -1 }]),
    ],
    ['no time under dual control', (_, section) => (section.control = [])],
    ['65 times under dual control', (_, section) => (section.control = many(65, controlPeriod))],
    ['a time that begins nowhere', (_, section) => (section.control = [{ from: -1, to: null }])],
    ['too long a policy', (_, section) => (section.witnesses = 'x'.repeat(262_145))],
  ])('is refused with %s', (_what, change) => {
    expect(parsed(change)).toMatch(/^Not a v1 trust root: \//)
  })

  it.each<[string, (root: TrustRoot, section: OriginSection) => unknown]>([
    [
      '64 origins',
      (root, section) => (root.origins = many(64, (i) => ({ ...section, origin: `o${i}` }))),
    ],
    ['an origin of 255 characters', (_, section) => (section.origin = 'o'.repeat(255))],
    ['a tenant of 63 characters', (_, section) => (section.tenant = 'a'.repeat(63))],
    [
      '256 log keys',
      (_, section) => (section.logKeys = many(256, (i) => ({ ...logKey(section), vkey: `v${i}` }))),
    ],
    [
      'a verifier key of 8192 characters',
      (_, { logKeys }) => first(logKeys, { vkey: 'v'.repeat(8192) }),
    ],
    ['256 rosters', (_, section) => (section.rosters = many(256, rosterVersion))],
    ['64 times under dual control', (_, section) => (section.control = many(64, controlPeriod))],
    ['a policy as long as may be', (_, section) => (section.witnesses = 'x'.repeat(262_144))],
  ])('may have %s', (_what, change) => {
    expect(parsed(change)).toBeTypeOf('object')
  })

  it('may have 1024 keys', () => {
    const keys = (section: OriginSection) =>
      many(1024, (i) => ({
        ...key(section),
        keyid: i.toString(16).padStart(64, '0'),
        publicKey: '',
      }))
    expect(parsed((_, section) => (section.keys = keys(section)))).toBeTypeOf('object')
  })

  it('is at most 4 MiB long', () => {
    expect(parseTrustRoot(new Uint8Array(4 * 1024 * 1024 + 1))).toBe(
      'Trust root is larger than 4194304 bytes',
    )
    expect(parseTrustRoot(new Uint8Array(4 * 1024 * 1024))).toMatch(/^Trust root: /)
  })

  it('is refused in any other form', () => {
    for (const file of [
      concat(trustFile, utf8('\n')),
      utf8(JSON.stringify(trust, null, 1)),
      utf8('null'),
      Uint8Array.of(0xff),
      new Uint8Array(0),
    ])
      expect(parseTrustRoot(file)).toBeTypeOf('string')
  })
})

function logKey({ logKeys }: OriginSection): OriginSection['logKeys'][number] {
  const [found] = logKeys
  if (found === undefined) throw new Error('No log key')
  return found
}

function key({ keys }: OriginSection): OriginSection['keys'][number] {
  const [found] = keys
  if (found === undefined) throw new Error('No key')
  return found
}

describe('the standing of a position', () => {
  const at = (from: number, to: number | null, revokedAt: number | null, position: number) =>
    standingAt({ from, revokedAt, to }, position)

  it('is valid from the first position on', () => {
    expect(at(5, null, null, 4)).toBe('early')
    expect(at(5, null, null, 5)).toBe('valid')
    expect(at(0, null, null, 0)).toBe('valid')
    expect(at(0, null, null, Number.MAX_SAFE_INTEGER)).toBe('valid')
  })

  it('is valid up to where the key stops, exclusively', () => {
    expect(at(0, 9, null, 8)).toBe('valid')
    expect(at(0, 9, null, 9)).toBe('late')
    expect(at(0, 0, null, 0)).toBe('late')
  })

  it('is revoked from the position of the revocation on', () => {
    expect(at(0, null, 7, 6)).toBe('valid')
    expect(at(0, null, 7, 7)).toBe('revoked')
    expect(at(0, null, 0, 0)).toBe('revoked')
  })

  it('is revoked only where it would have been valid', () => {
    expect(at(5, 9, 0, 4)).toBe('early')
    expect(at(5, 9, 0, 5)).toBe('revoked')
    expect(at(5, 9, 0, 8)).toBe('revoked')
    expect(at(5, 9, 0, 9)).toBe('late')
    expect(at(5, 9, 12, 12)).toBe('late')
  })
})

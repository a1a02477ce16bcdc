import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { keyIdOf } from '../../../src/crypto/spki.ts'
import {
  fingerprint,
  formatTrustRoot,
  type OriginSection,
  type TrustRoot,
} from '../../../src/dossier/trust-root.ts'
import { createVkey, formatVkey } from '../../../src/merkle/note.ts'
import {
  updateTrustRoot,
  verifyDossier,
  type TrustUpdate,
  type UpdateOptions,
} from '../../../src/verify/index.ts'
import { createKeys, operatorHolds } from '../../support/forge.ts'
import { forgeDossier, headOf, type Published } from '../../support/forge-dossier.ts'
import { createWorld, streams } from '../../support/forge-world.ts'
import { append } from './forgery.ts'

const world = createWorld()
const { each, fast } = world
const strange = createKeys(210)
/** What the older trust root knows every key up to. */
const known = 5

/** A trust root of one log in which keys have stopped and been revoked already. */
function olderOf({ log }: Published, change: (section: OriginSection) => void = () => undefined) {
  const copy = structuredClone(world.trust)
  copy.origins = copy.origins.filter(({ origin }) => origin === log.identity.origin)
  change(sectionOf(copy))
  return copy
}

function sectionOf({ origins: [section] }: TrustRoot): OriginSection {
  if (section === undefined) throw new Error('No section')
  return section
}

type Change = (section: OriginSection, root: TrustRoot) => unknown
interface Step {
  readonly of?: Published
  readonly before?: (section: OriginSection) => void
  readonly options?: (newer: Uint8Array) => UpdateOptions
  readonly previous?: string | null
  /** The stream in which the log announces. */
  readonly stream?: string
}

/** The step to a changed trust root that the log announces in its own words. */
function step(
  change: Change,
  { before, of = each, options, previous, stream = 'trust' }: Step = {},
): TrustUpdate {
  const older = olderOf(of, before)
  const olderFile = formatTrustRoot(older)
  const newer = structuredClone(older)
  Object.assign(newer, { previous: fingerprint(olderFile), version: 2 })
  sectionOf(newer).asOf = headOf(of.log)
  change(sectionOf(newer), newer)
  const newerFile = formatTrustRoot(newer)
  const proof = forgeDossier(of, stream, {
    holds: operatorHolds,
    steps(steps) {
      const announced = steps.find((one) => one.kind === 'trust')
      Object.assign(announced?.matter ?? {}, { sha256: fingerprint(olderFile) })
      append(steps, 'trust', stream, {
        previous: previous === undefined ? fingerprint(olderFile) : previous,
        sha256: fingerprint(newerFile),
        time: 0,
        version: 2,
      })
    },
  })
  return updateTrustRoot(olderFile, newerFile, [proof], options?.(newerFile))
}

const failed = ({ checks }: TrustUpdate): string[] =>
  checks.filter(({ ok }) => !ok).map(({ name, outcome }) => `${name}: ${outcome}`)

const first = (items: readonly object[], change: object): unknown =>
  Object.assign(items[0] ?? {}, change)

const newKey = (from: number): OriginSection['keys'][number] => ({
  algorithm: 'id-MLDSA65-Ed25519-SHA512',
  from,
  keyid: keyIdOf(strange.evidence.algorithm, strange.evidence.publicKey),
  kinds: ['decision'],
  profile: 'each',
  publicKey: encodeBase64(strange.evidence.publicKey),
  revokedAt: null,
  to: null,
})

const newLogKey = (origin: string, from: number, type = 1): OriginSection['logKeys'][number] => ({
  final: null,
  from,
  revokedAt: null,
  to: null,
  vkey: formatVkey(createVkey(origin, type, strange.ed25519.publicKey)),
})

describe('an announced trust root', () => {
  it.each<[string, Change]>([
    ['takes nothing back', () => undefined],
    ['adds a key ahead', ({ keys }) => keys.push(newKey(known))],
    ['adds a log key ahead', ({ logKeys, origin }) => logKeys.push(newLogKey(origin, known))],
    ['stops a key ahead', ({ keys }) => first(keys, { to: known })],
    ['stops a log key ahead', ({ logKeys }) => first(logKeys, { to: known })],
    ['revokes a key, also in the past', ({ keys }) => first(keys, { revokedAt: 0 })],
  ])('is taken when it %s', (_what, change) => {
    expect(failed(step(change))).toEqual([])
  })

  it.each<[string, Change]>([
    ['drops a key', (section) => (section.keys = [newKey(known)])],
    ['drops a log key', ({ logKeys }) => logKeys.pop()],
    ['gives a key other kinds', ({ keys }) => first(keys, { kinds: ['decision'] })],
    ['gives a key another profile', ({ keys }) => first(keys, { profile: 'checkpoint' })],
    ['lets a key begin elsewhere', ({ keys }) => first(keys, { from: 1 })],
    ['lets a log key begin elsewhere', ({ logKeys }) => first(logKeys, { from: 1 })],
    ['stops a key in the past', ({ keys }) => first(keys, { to: known - 1 })],
    ['stops a log key in the past', ({ logKeys }) => first(logKeys, { to: known - 1 })],
    ['adds a key to the past', ({ keys }) => keys.push(newKey(known - 1))],
    [
      'adds a log key to the past',
      ({ logKeys, origin }) => logKeys.push(newLogKey(origin, known - 1)),
    ],
  ])('is refused when it %s', (_what, change) => {
    expect(failed(step(change))).toEqual(['update.keys: fail'])
  })

  it.each<[string, Change]>([
    ['another public key', ({ keys }) => first(keys, { publicKey: newKey(0).publicKey })],
    ['another algorithm', ({ keys }) => first(keys, { algorithm: 'Ed25519' })],
  ])('is refused when a key has %s', (_what, change) => {
    expect(failed(step(change))).toEqual(['trust-root.keys: fail', 'update.keys: fail'])
  })

  it('keeps where a key stopped and was revoked, or revokes it earlier', () => {
    const before = ({ keys }: OriginSection): unknown => first(keys, { revokedAt: 100, to: 90 })
    const to = (change: object): string[] =>
      failed(step(({ keys }) => first(keys, change), { before: (section) => void before(section) }))
    expect(to({})).toEqual([])
    expect(to({ revokedAt: 99 })).toEqual([])
    for (const change of [
      { revokedAt: null },
      { revokedAt: 101 },
      { to: null },
      { to: 89 },
      { to: 91 },
    ])
      expect([change, to(change)]).toEqual([change, ['update.keys: fail']])
  })

  it('keeps the final tree head of a log key', () => {
    const final = headOf(each.log, 3)
    const to = (change: object | null): string[] =>
      failed(
        step(({ logKeys }) => first(logKeys, { final: change }), {
          before: ({ logKeys }) => void first(logKeys, { final }),
        }),
      )
    expect(to(final)).toEqual([])
    for (const other of [null, headOf(each.log, 4), { ...final, size: 4 }])
      expect(to(other)).toEqual(['update.keys: fail'])
  })

  it('stays one of development, or of none', () => {
    expect(failed(step((_, root) => (root.dev = true)))).toEqual(['update.dev: fail'])
  })

  it('is announced with the one that it follows', () => {
    for (const previous of [null, 'ab'.repeat(32)])
      expect(failed(step(() => undefined, { previous }))).toEqual([
        'update.announced[log.example/each]: fail',
      ])
  })

  it('is announced in the stream of trust roots', () => {
    for (const stream of ['admin', streams.open])
      expect(failed(step(() => undefined, { stream }))).toEqual([
        'update.announced[log.example/each]: fail',
      ])
  })

  it('tells of another witness policy', () => {
    const update = step((section) => (section.witnesses = '# none\nquorum none\n'))
    const reasonOf = ({ checks }: TrustUpdate) =>
      checks.find(({ name }) => name === 'update.witnesses')?.reason
    expect(update.ok).toBe(true)
    expect(reasonOf(update)).toBe('Witness policy changed, as announced: log.example/each')
    expect(reasonOf(step(() => undefined))).toBe('Same witness policies')
  })
})

describe('a trust root that revokes a log key', () => {
  const revoking: Change = ({ logKeys }) => first(logKeys, { revokedAt: 30 })

  it('wants its fingerprint by another way', () => {
    expect(failed(step(revoking))).toEqual(['update.fingerprint: inconclusive'])
    expect(step(revoking).ok).toBe(false)
    const right = (file: Uint8Array) => ({ sha256: fingerprint(file) })
    expect(failed(step(revoking, { options: right }))).toEqual([])
    const capitals = (file: Uint8Array) => ({ sha256: fingerprint(file).toUpperCase() })
    expect(failed(step(revoking, { options: capitals }))).toEqual([])
  })

  it('is refused under another, as is any', () => {
    const options = () => ({ sha256: 'ab'.repeat(32) })
    expect(failed(step(revoking, { options }))).toEqual(['update.fingerprint: fail'])
    expect(failed(step(() => undefined, { options }))).toEqual(['update.fingerprint: fail'])
  })

  it('wants it again when the revocation moves back, not when it stays', () => {
    const before = ({ logKeys }: OriginSection): void => void first(logKeys, { revokedAt: 30 })
    expect(failed(step(() => undefined, { before }))).toEqual([
      'update.announced[log.example/each]: fail',
    ])
    expect(failed(step(({ logKeys }) => first(logKeys, { revokedAt: 29 }), { before }))).toContain(
      'update.fingerprint: inconclusive',
    )
    for (const revokedAt of [null, 31])
      expect(failed(step(({ logKeys }) => first(logKeys, { revokedAt }), { before }))).toContain(
        'update.keys: fail',
      )
  })
})

describe('a trust root that is not sound', () => {
  const own =
    (type: number, name: string): Change =>
    ({ logKeys, origin }) =>
      logKeys.push({
        ...newLogKey(origin, known),
        vkey: formatVkey(createVkey(name, type, strange.ed25519.publicKey)),
      })
  const cases: readonly (readonly [what: string, check: string, change: Change])[] = [
    [
      'a verifier key that is none',
      'keys',
      ({ logKeys }) => logKeys.push({ ...newLogKey('x', 9), vkey: 'none' }),
    ],
    ['a log key of another name', 'keys', own(1, 'log.example/other')],
    ['a log key that only cosigns', 'keys', own(4, 'log.example/each')],
    ['a log key of the wrong length', 'keys', own(6, 'log.example/each')],
    ['a witness policy that is none', 'witnesses', (section) => (section.witnesses = 'quorum x\n')],
    [
      'a log key among the witnesses',
      'witnesses',
      (section) => {
        const vkey = createVkey('w.example', 4, each.log.identity.keys.ed25519.publicKey)
        section.witnesses = `witness w ${formatVkey(vkey)}\nquorum none\n`
      },
    ],
    [
      'a key of another id',
      'keys',
      ({ keys }) => keys.push({ ...newKey(9), keyid: 'ab'.repeat(32) }),
    ],
    [
      'a key of the wrong length',
      'keys',
      ({ keys }) => keys.push({ ...newKey(9), publicKey: 'AAAA' }),
    ],
  ]

  it.each(cases)('is no step, with %s', (_what, check, change) => {
    expect(failed(step(change))).toContain(`trust-root.${check}: fail`)
  })

  it.each(cases)('verifies nothing, not even another log, with %s', (_what, check, change) => {
    const copy = structuredClone(world.trust)
    change(sectionOf(copy), copy)
    const report = verifyDossier(forgeDossier(fast, streams.allow), formatTrustRoot(copy))
    expect(report.verdict).toBe('invalid')
    expect(report.checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual([
      `trust-root.${check}`,
    ])
  })

  it('verifies nothing with an unused Ed25519 key of profile each', () => {
    const copy = structuredClone(world.trust)
    const key = copy.origins[1]?.keys[1]
    Object.assign(key ?? {}, { profile: 'each' })
    const report = verifyDossier(forgeDossier(each, streams.allow), formatTrustRoot(copy))
    expect(report.checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual([
      'trust-root.keys',
    ])
  })
})

describe('the stream of a trust root', () => {
  const own = 'a'.repeat(64)
  const next = (version: number, previous: string | null, sha256 = 'b'.repeat(64)) => ({
    previous,
    sha256,
    time: 0,
    version,
  })

  /** What is told of a stream whose first step announces `own` and which goes on so. */
  function told(...steps: readonly ReturnType<typeof next>[]) {
    const dossier = forgeDossier(each, 'trust', {
      holds: operatorHolds,
      steps(drafts) {
        const announced = drafts.find((one) => one.kind === 'trust')
        Object.assign(announced?.matter ?? {}, { sha256: own })
        for (const step of steps) append(drafts, 'trust', 'trust', step)
      },
    })
    const { checks, verdict } = verifyDossier(dossier, world.trustFile)
    return { ok: checks.find(({ name }) => name === 'stream.trust')?.ok, verdict }
  }

  it('announces each version behind the one before', () => {
    expect(told()).toEqual({ ok: true, verdict: 'valid' })
    const two = [next(2, own), next(3, 'b'.repeat(64), 'c'.repeat(64))]
    expect(told(...two)).toEqual({ ok: true, verdict: 'valid' })
  })

  it.each([
    ['a second of one version', [next(2, own), next(2, own, 'c'.repeat(64))]],
    ['a second of one version behind the first', [next(2, own), next(2, 'b'.repeat(64))]],
    ['the first again', [next(1, null)]],
    ['one that leaves a version out', [next(3, own)]],
    ['one behind another than the one before', [next(2, 'c'.repeat(64))]],
    ['one behind none', [next(2, null)]],
  ])('does not announce %s', (_what, steps) => {
    expect(told(...steps)).toEqual({ ok: false, verdict: 'invalid' })
  })
})

describe('the stream of the keys', () => {
  const at = headOf(each.log).size
  const [stranger, strangeLogKey] = [newKey(0), newLogKey(each.log.identity.origin, at + 8)]
  const root = encodeBase64(new Uint8Array(32))

  /** What is told of a stream in which the stranger, or the log key, is revoked from a position, by a trust root of a size that says so or not. */
  function told(from: number | null, revokedAt: number | null, size = at + 2, isLog = false) {
    const dossier = forgeDossier(each, 'keys', {
      holds: operatorHolds,
      steps(drafts) {
        const made = drafts.find(({ matter }) => matter['purpose'] === (isLog ? 'log' : 'evidence'))
        const named = isLog ? { vkeys: [strangeLogKey.vkey] } : { keyid: stranger.keyid }
        append(drafts, 'key', 'keys', { ...made?.matter, event: 'revoked', from, ...named })
      },
    })
    const older = olderOf(each, (section) => {
      section.asOf = { root, size }
      if (isLog) section.logKeys.push({ ...strangeLogKey, revokedAt })
      else section.keys.push({ ...stranger, revokedAt })
    })
    const { checks, verdict } = verifyDossier(dossier, formatTrustRoot(older))
    return [checks.find(({ name }) => name === 'stream.keys.named')?.ok, verdict]
  }

  it('is believed where the trust root says of the revoked key the same, or an earlier position', () => {
    expect(told(3, 3)).toEqual([true, 'valid'])
    expect(told(3, 2)).toEqual([true, 'valid'])
    expect(told(at + 9, at + 9, at + 2, true)).toEqual([true, 'valid'])
  })

  it('is refused where a trust root that should know does not say so, or says a later one', () => {
    expect(told(3, null)).toEqual([false, 'invalid'])
    expect(told(3, 4)).toEqual([false, 'invalid'])
    expect(told(at + 9, null, at + 2, true)).toEqual([false, 'invalid'])
    expect(told(at + 9, at + 10, at + 2, true)).toEqual([false, 'invalid'])
  })

  it('may tell what the trust root is too old to know', () => {
    expect(told(3, null, at)).toEqual([undefined, 'valid'])
    expect(told(3, null, at + 1)).toEqual([false, 'invalid'])
  })
})

import { beforeAll, describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { encodeHex } from '../../../src/base/bytes.ts'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { Failure } from '../../../src/base/failure.ts'
import { ed25519 } from '../../../src/crypto/ed25519.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { bundleOfCard } from '../../../src/policy/card.ts'
import { attestedBytes, verifyAttestation } from '../../../src/policy/card-attestation.ts'
import { bundleOfAttestedCard, type CardConversion } from '../../../src/policy/card-attested.ts'
import { readCard } from '../../../src/policy/card-schema.ts'
import { compileBundle } from '../../../src/policy/compile.ts'
import { readContext } from '../../../src/policy/context.ts'
import { evaluate } from '../../../src/policy/evaluate.ts'

const keyUrl = 'https://buyer.example/keys/decision-card'
const seed = new Uint8Array(32).fill(7)
const publicKey = ed25519.publicKey(seed)
const key = { buyer: 'buyer-1', keyUrl, publicKey }
const now = Date.parse('2026-10-07T13:00:00Z')

const first = {
  decision_card_version: '0.1',
  decision_id: 'TEST-001',
  issued_at: '2026-10-07T12:00:00Z',
  buyer: { id: 'buyer-1', name: 'Test Buyer', type: 'school-district' },
  decision: { status: 'approved', effective_until: '2026-12-31T00:00:00Z' },
  subject: { vendor_name: 'AcmeTutor', vendor_id: 'vendor-1' },
  rationale: 'Approved after review.',
}
const conditional = {
  ...first,
  decision: { ...first.decision, status: 'approved-with-conditions' },
  conditions: [
    { id: 'c1', description: 'One' },
    { id: 'c.2', description: 'Two' },
  ],
}

/** An attestation as the buyer's program writes it. */
function attest(card: unknown, changed: Record<string, string> = {}): Record<string, string> {
  const fields = {
    algorithm: 'ed25519',
    hash_profile: 'jcs-rfc8785-v1',
    signed_hash: `sha256:${encodeHex(sha256(canonicalBytes(card)))}`,
    key_url: keyUrl,
    signed_at: '2026-10-07T12:00:00Z',
    ...changed,
  }
  const signer = ed25519.signer(new Secret(seed.slice()))
  const signature = encodeBase64(signer.sign(attestedBytes(fields)))
  signer.close()
  return { ...fields, signature }
}

const conversion: CardConversion = { dialect: '0.2', now, allowedActions: ['use'], key }

/** What the bundle of a card says, or why there is none. */
function answer(
  card: unknown,
  context: unknown = { action: 'use', resource: { vendor_id: 'vendor-1' } },
  given: Partial<CardConversion> = {},
  at = now,
): string {
  try {
    const whole = { ...conversion, attestation: attest(card), ...given }
    const compiled = compileBundle(bundleOfAttestedCard(card, whole), whole.dialect)
    return evaluate(compiled, readContext(context), at).decision.kind
  } catch (error) {
    if (error instanceof Failure && error.code === 'POLICY_INVALID') return error.message
    throw error
  }
}

describe('a card of dialect 0.1', () => {
  it('of no approval denies everything', () => {
    for (const status of [
      'rejected',
      'rejected-with-remediation',
      'withdrawn',
      'expired',
      'pending',
      'whatever',
      '',
    ]) {
      const compiled = compileBundle(bundleOfCard({ ...first, decision: { status } }), '0.1')
      expect(evaluate(compiled, readContext({}), 0).decision).toMatchObject({
        kind: 'deny',
        matched_rule_id: `${status}-deny`,
      })
    }
  })

  it('of no approval denies everything whatever its conditions are', () => {
    const card = { ...conditional, decision: { status: 'rejected' } }
    const compiled = compileBundle(bundleOfCard(card), '0.1')
    const context = readContext({ data: { conditions_satisfied: { c1: true, c: { '2': true } } } })
    expect(evaluate(compiled, context, 0).decision.kind).toBe('deny')
  })

  it('reads as the engine writes it', () => {
    expect(
      bundleOfCard({
        decision_id: "it's",
        decision: { status: 'rejected' },
        subject: { vendor_name: null },
      }),
    ).toEqual({
      bundle_id: "decision-card-it's",
      version: '0.1.0',
      description: `Generated from Decision Card "it's".`,
      source: "decision-card:it's",
      policies: [
        {
          id: "it's__rejected",
          description: 'Vendor None is rejected; all requests denied.',
          default_effect: 'deny',
          rules: [
            {
              id: 'rejected-deny',
              effect: 'deny',
              when: { kind: 'always' },
              description: `Decision Card "it's" status='rejected' for vendor None.`,
              tags: ['rejected'],
            },
          ],
        },
      ],
    })
  })

  it('with conditions allows while all of them hold', () => {
    const compiled = compileBundle(bundleOfCard(conditional), '0.1')
    const kind = (conditions_satisfied: object): string =>
      evaluate(compiled, readContext({ data: { conditions_satisfied } }), 0).decision.kind
    expect(kind({ c1: true, c: { '2': true } })).toBe('allow')
    expect(kind({ c1: true, 'c.2': true })).toBe('deny')
    expect(kind({ c1: false, c: { '2': true } })).toBe('deny')
    expect(kind({})).toBe('deny')
  })

  it.each([
    ['nothing', null],
    ['a list', []],
    ['a status that is no text', { ...first, decision: { status: 5 } }],
    ['conditions that are no list', { ...conditional, conditions: 'abc' }],
    ['a condition that is no object', { ...conditional, conditions: ['c1'] }],
    ['a condition without an id', { ...conditional, conditions: [{ id: '' }] }],
    ['a subject that is no object', { ...first, subject: ['vendor_name'] }],
  ])('is refused: %s', (_, card) => {
    expect(() => bundleOfCard(card)).toThrow(expect.objectContaining({ code: 'POLICY_INVALID' }))
  })

  it.each([
    [{ decision: 'approved', subject: 1 }, "decision is missing required key 'status'"],
    [{ decision: 'a status', subject: {} }, "subject is missing required key 'vendor_name'"],
    [{ decision: ['status'], subject: [] }, "subject is missing required key 'vendor_name'"],
    [{ decision: ['status'], subject: ['vendor_name'] }, 'decision must be an object'],
    [{ decision: {}, subject: {} }, "decision is missing required key 'status'"],
  ])('looks for the names of its parts in the order of the original: %j', (parts, words) => {
    expect(() => bundleOfCard({ ...first, ...parts })).toThrow(`Decision Card.${words}`)
  })
})

describe('an attested card', () => {
  it('allows its vendor the action, within its window', () => {
    expect(answer(first)).toBe('allow')
    expect(answer(first, { action: 'use', resource: { vendor_id: 'vendor-2' } })).toBe('deny')
    expect(answer(first, { action: 'sell', resource: { vendor_id: 'vendor-1' } })).toBe('deny')
    expect(answer(first, {})).toBe('deny')
    const end = Date.parse('2026-12-31T00:00:00Z')
    expect(answer(first, undefined, {}, end - 1)).toBe('allow')
    expect(answer(first, undefined, {}, end)).toBe('deny')
  })

  it('is not yet good before it begins', () => {
    const card = {
      ...first,
      decision: { ...first.decision, effective_from: '2026-10-08T00:00:00Z' },
    }
    const begin = Date.parse('2026-10-08T00:00:00Z')
    expect(answer(card, undefined, {}, begin - 1)).toBe('deny')
    expect(answer(card, undefined, {}, begin)).toBe('allow')
  })

  it('with conditions allows while all of them hold, dots in their names and all', () => {
    const context = (conditions_satisfied: object): object => ({
      data: { conditions_satisfied },
      action: 'use',
      resource: { vendor_id: 'vendor-1' },
    })
    expect(answer(conditional, context({ c1: true, 'c.2': true }))).toBe('allow')
    expect(answer(conditional, context({ c1: true }))).toBe('deny')
    expect(answer(conditional, context({ c1: true, 'c.2': 1 }))).toBe('deny')
    expect(answer({ ...conditional, conditions: [] }, context({}))).toBe('deny')
  })

  it('denies everything when it is no approval, attested or not', () => {
    for (const status of [
      'rejected',
      'rejected-with-remediation',
      'withdrawn',
      'expired',
      'pending',
      'whatever',
    ])
      for (const dialect of ['0.2', 'native'] as const)
        expect(
          answer({ ...first, decision: { ...first.decision, status } }, undefined, {
            dialect,
            attestation: undefined,
            key: undefined,
          }),
        ).toBe('deny')
  })

  it.each([
    [
      'a condition twice',
      { ...conditional, conditions: [conditional.conditions[0], conditional.conditions[0]] },
    ],
    ['conditions without saying so', { ...first, conditions: conditional.conditions }],
    ['a withdrawal', { ...first, withdrawal: { at: first.issued_at, reason: 'x' } }],
    [
      'a history that ends otherwise',
      { ...first, history: [{ event: 'withdrawn', at: first.issued_at }] },
    ],
    ['no end', { ...first, decision: { status: 'approved' } }],
    [
      'an end that is a day only',
      { ...first, decision: { status: 'approved', effective_until: '2026-12-31' } },
    ],
    ['a blank rationale', { ...first, rationale: ' ' }],
    ['no vendor', { ...first, subject: { vendor_name: 'V' } }],
    ['another buyer', { ...first, buyer: { ...first.buyer, id: 'buyer-2' } }],
    ['no buyer', { ...first, buyer: { name: 'N', type: 'school' } }],
    ['another version', { ...first, decision_card_version: '0.2' }],
    ['an unknown member', { ...first, zzz: 1 }],
    ['an issue after the signature', { ...first, issued_at: '2026-10-07T12:00:01Z' }],
  ])('is refused in dialect 0.2: %s', (_, card) => {
    expect(answer(card)).not.toMatch(/^(allow|deny)$/)
  })

  it('is refused for other actions than `use`, without attestation and without key in dialect 0.2', () => {
    for (const given of [
      { allowedActions: ['sell'] },
      { allowedActions: ['use', 'sell'] },
      { attestation: undefined },
      { key: undefined },
    ])
      expect(answer(first, undefined, given)).not.toMatch(/^(allow|deny)$/)
  })

  it('may come without attestation in native, but one that comes is never ignored', () => {
    const native = { dialect: 'native', attestation: undefined, key: undefined } as const
    expect(answer(first, undefined, native)).toBe('allow')
    expect(answer(first, undefined, { ...native, attestation: attest(first) })).toMatch(/no key/)
    expect(answer(first, undefined, { ...native, key })).toMatch(/not of the form/)
    expect(answer(first, undefined, { ...native, key, attestation: attest(first) })).toBe('allow')
  })

  it('lasts in native to the last moment of a day, and may be of any version', () => {
    const card = {
      ...first,
      decision_card_version: '0.3',
      decision: { status: 'approved', effective_from: '2026-10-01', effective_until: '2026-12-31' },
    }
    const given = { dialect: 'native' } as const
    expect(answer(card, undefined, given, Date.parse('2026-12-31T23:59:59.999Z'))).toBe('allow')
    expect(answer(card, undefined, given, Date.parse('2027-01-01T00:00:00Z'))).toBe('deny')
    expect(answer(card, undefined, given, Date.parse('2026-09-30T23:59:59.999Z'))).toBe('deny')
    const naive = {
      ...card,
      decision: { status: 'approved', effective_until: '2026-12-31T00:00:00' },
    }
    expect(answer(naive, undefined, given)).toMatch(/not a date and time with a zone/)
  })
})

describe('an attestation', () => {
  let good: Record<string, string>
  beforeAll(() => {
    good = attest(first)
  })
  const verdict = (attestation: unknown, card: unknown = first, by = key, at = now): unknown =>
    verifyAttestation(card, attestation, by, at)

  it('is good under its key, and says when it was made', () => {
    expect(verdict(good)).toBe(Date.parse('2026-10-07T12:00:00Z'))
  })

  it('has this signature: the form never changes', () => {
    expect(good['signature']).toMatchInlineSnapshot(
      `"gXovyCc1Qcu2SkaBtthJc8sj8V1YmMG8iS6qPIzy6p//YH/ovMtq8xllDb/hRqC0Y6bDnoaVovmrcyibD94jDQ=="`,
    )
  })

  it('is refused when anything that it is about is another', () => {
    expect(verdict(good, { ...first, rationale: 'Approved after review!' })).toBe(
      'Attestation is of another card',
    )
    expect(verdict({ ...good, signed_at: '2026-10-07T12:00:01Z' })).toMatch(/not good/)
    expect(verdict(good, first, { ...key, keyUrl: `${keyUrl}2` })).toMatch(/another key/)
    expect(
      verdict(good, first, { ...key, publicKey: ed25519.publicKey(new Uint8Array(32)) }),
    ).toMatch(/not good/)
    expect(verdict(good, first, { ...key, publicKey: publicKey.subarray(1) })).toMatch(/not good/)
  })

  it('is refused when any character of the signature is another', () => {
    const signature = good['signature'] ?? ''
    for (let i = 0; i < signature.length; i += 5) {
      const other = signature.charAt(i) === 'A' ? 'B' : 'A'
      const changed = signature.slice(0, i) + other + signature.slice(i + 1)
      expect(verdict({ ...good, signature: changed })).toMatch(/not good/)
    }
  })

  it('may be five minutes ahead, not a millisecond more', () => {
    const signedAt = Date.parse('2026-10-07T12:00:00Z')
    expect(verdict(good, first, key, signedAt - 300_000)).toBe(signedAt)
    expect(verdict(good, first, key, signedAt - 300_001)).toMatch(/future/)
    expect(verdict(good, first, key, NaN)).toMatch(/future/)
  })

  it.each([
    ['nothing', () => undefined],
    ['text', () => 'x'],
    ['another algorithm', () => ({ ...good, algorithm: 'none' })],
    ['another profile', () => ({ ...good, hash_profile: 'x' })],
    ['a member more', () => ({ ...good, zzz: '1' })],
    ['a hash in capitals', () => ({ ...good, signed_hash: good['signed_hash']?.toUpperCase() })],
    ['a time without a zone', () => attest(first, { signed_at: '2026-10-07T12:00:00.000' })],
  ])('is a reason and no exception: %s', (_, make) => {
    expect(typeof verdict(make())).toBe('string')
  })

  it('of what has no canonical form is a reason and no exception', () => {
    expect(verdict(good, { a: NaN })).toBe('Card has no canonical form')
  })
})

describe('the schema of cards', () => {
  const taken = (card: unknown): boolean => {
    try {
      readCard(card)
      return true
    } catch {
      return false
    }
  }
  const vault = { vendor: 'custom', fields_authorized: ['email'] }
  const retention = { field: 'email', ttl: 'P30D', redact_on_expiry: 'purge' }

  it('takes each version with what it brought, and nothing from later ones', () => {
    const version = (decision_card_version: string, more: object): boolean =>
      taken({ ...first, decision_card_version, ...more })
    const vaults = { data_vault_targets: [vault] }
    const envelope = { retention_envelope: [retention] }
    expect([version('0.1', {}), version('0.1', vaults), version('0.1', envelope)]).toEqual([
      true,
      false,
      false,
    ])
    expect([version('0.2', vaults), version('0.2', envelope)]).toEqual([true, false])
    expect([version('0.3', { ...vaults, ...envelope }), version('0.4', {})]).toEqual([true, false])
    expect(version('0.3', { data_vault_targets: [{ ...vault, fields_authorized: [] }] })).toBe(
      false,
    )
    expect(version('0.3', { retention_envelope: [{ ...retention, ttl: undefined }] })).toBe(false)
  })

  it.each([
    'decision_card_version',
    'decision_id',
    'issued_at',
    'buyer',
    'decision',
    'subject',
    'rationale',
  ])('demands %s', (name) => {
    expect(taken(Object.fromEntries(Object.entries(first).filter(([one]) => one !== name)))).toBe(
      false,
    )
  })

  it.each([
    ['an id', { decision_id: 'x'.repeat(128) }, { decision_id: 'x'.repeat(129) }],
    ['a time', { issued_at: '2026-10-07T12:00:00+02:00' }, { issued_at: '2026-10-07' }],
    [
      'a kind of buyer',
      { buyer: { name: 'N', type: 'school' } },
      { buyer: { name: 'N', type: 'shop' } },
    ],
    [
      'a jurisdiction',
      { buyer: { ...first.buyer, jurisdiction: 'US-CA' } },
      { buyer: { ...first.buyer, jurisdiction: 'usa' } },
    ],
    [
      'a weight',
      { criteria: { rubric: [{ id: 'a', result: 'pass', weight: 1 }] } },
      { criteria: { rubric: [{ id: 'a', result: 'pass', weight: 1.01 }] } },
    ],
    [
      'a document',
      {
        subject: {
          vendor_name: 'V',
          documents_reviewed: [
            { type: 'aeo', url: 'https://a.example/x', content_hash: 'sha256:ab' },
          ],
        },
      },
      {
        subject: {
          vendor_name: 'V',
          documents_reviewed: [{ type: 'aeo', url: 'https://a.example/x', content_hash: 'md5:ab' }],
        },
      },
    ],
    [
      'an address',
      { appeals: { process_uri: 'https://a.example' } },
      { appeals: { process_uri: 'a.example' } },
    ],
    ['a status', { decision: { status: 'pending' } }, { decision: { status: 'Pending' } }],
    [
      'a signature',
      { signatures: [{ signer: 'S', signed_at: first.issued_at, method: 'digital' }] },
      { signatures: [{ signer: 'S', signed_at: first.issued_at, method: 'seal' }] },
    ],
  ])('tells a good %s from a wrong one', (_, good, wrong) => {
    expect([taken({ ...first, ...good }), taken({ ...first, ...wrong })]).toEqual([true, false])
  })
})

import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { kinds } from '../../../src/dossier/kinds.ts'
import { isKnownKind, matters, type KnownKind } from '../../../src/dossier/matters.ts'
import type { Draft } from '../../support/forge.ts'
import { registrationOf } from '../../support/forge-policy.ts'
import { decisionOf, erasureOf, executionOf } from '../../support/forge-world.ts'

const id = '01890a5d-ac96-774b-bcce-b302099a8001'
const hex = (bytes: number): string => 'ab'.repeat(bytes)
const text = (length: number): string => 'x'.repeat(length)
/** Characters that JavaScript counts as two. */
const wide = (length: number): string => '\u{1d4b3}'.repeat(length)
const many = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item)

const by = { id: 'a', owner: 'b', type: 'local' }
const person = {
  id: 'ann',
  keys: [{ key: 'k', kind: 'Ed25519', notAfter: null, notBefore: 0, revoked: false }],
  roles: ['risk_lead'],
}
const roster = { people: [person], previous: null, recovery: null, v: 1, version: 1 }
const endorsement = { key: 'k', kind: 'SSHSIG', signature: 's' }

const good: Readonly<Record<KnownKind, Draft>> = {
  admin: {
    action: 'tenant.create',
    by: { id: 'cli', owner: 'founder', type: 'local' },
    detail: { anything: [1] },
    subject: 'acme',
    time: 0,
  },
  approval: {
    by,
    challenge: 'c',
    event: 'signed',
    key: 'k',
    kind: 'BIP-340',
    person: 'ann',
    request: hex(32),
    role: 'risk_lead',
    signature: 's',
    time: 0,
  },
  decision: decisionOf(id),
  erasure: erasureOf(id, [0]),
  escalation: {
    by,
    event: 'approved',
    person: 'ann',
    reason: 'r',
    roster: { sha256: hex(32), version: 1 },
    signature: null,
    time: 0,
  },
  execution: executionOf(id, 1),
  key: {
    algorithm: 'Ed25519',
    event: 'activated',
    from: 0,
    keyId: id,
    keyid: hex(32),
    publicKey: encodeBase64(new Uint8Array(32)),
    purpose: 'fast',
    time: 0,
    version: 1,
    vkeys: ['one', 'two'],
  },
  override: { by, challenge: 'c', event: 'opened', request: hex(32), time: 0 },
  policy: registrationOf('1'),
  roster: { by, endorsements: [endorsement], event: 'version', roster, time: 0 },
  trust: { previous: null, sha256: hex(32), time: 0, version: 1 },
}

const accepts = (kind: KnownKind, change: Draft): boolean =>
  matters[kind].safeParse({ ...good[kind], ...change }).success

/** What an entry may say of who allowed it. */
const controls: readonly [unknown[], unknown[]] = [
  [
    { action: `action-${id}`, sha256: hex(32) },
    ...['no roster', 'not controlled', 'break-glass', 'rewrap'].map((waived) => ({ waived })),
  ],
  [
    null,
    {},
    { action: id, sha256: hex(32) },
    { action: `action-${id}`, sha256: hex(31) },
    { action: `action-${id}` },
    { action: `action-${id}`, sha256: hex(32), waived: 'rewrap' },
    { waived: 'because' },
    'no roster',
  ],
]

/** What is just in bounds and what is just out of them, by member. */
const bounds: Readonly<
  Record<KnownKind, Readonly<Record<string, readonly [inside: unknown[], outside: unknown[]]>>>
> = {
  admin: {
    action: [
      ['a', 'a.b.c'],
      ['', 'a.', '.a', 'A', 'a1', 'a..b', 'a\n', 1],
    ],
    by: [[{ id: 'a', owner: 'b', type: 'apiKey' }], [{}, null, { id: 'a', owner: 'b' }]],
    detail: [
      [{}, { deep: { er: 1 } }],
      [[], null, 'x'],
    ],
    subject: [
      ['a', text(256)],
      ['', text(257), null],
    ],
    time: [
      [0, Number.MAX_SAFE_INTEGER],
      [-1, 0.5, '0', null, 2 ** 53],
    ],
  },
  approval: {
    by: [[by], [null, {}]],
    challenge: [
      ['', text(4096)],
      [text(4097), null],
    ],
    event: [['signed'], ['opened', null]],
    key: [
      ['k', text(8192)],
      ['', text(8193)],
    ],
    kind: [
      ['Ed25519', 'SSHSIG', 'BIP-340', 'BIP-322', 'id-MLDSA65-Ed25519-SHA512'],
      ['RSA', null],
    ],
    person: [
      ['p', text(256)],
      ['', text(257)],
    ],
    request: [[hex(32)], [hex(31), 'AB'.repeat(32), null]],
    role: [
      ['risk_lead', 'security_lead'],
      ['reviewer', null],
    ],
    signature: [
      ['s', text(16_384)],
      ['', text(16_385)],
    ],
    time: [[0], [-1, null]],
  },
  decision: {
    caller: [
      [
        { id: 'a', owner: 'b', type: 'apiKey' },
        { id: text(256), owner: text(256), type: 'local' },
      ],
      [
        { id: '', owner: 'b', type: 'apiKey' },
        { id: text(257), owner: 'b', type: 'apiKey' },
        { id: 'a', owner: '', type: 'apiKey' },
        { id: 'a', owner: text(257), type: 'apiKey' },
        { id: 'a', owner: 'b', type: 'other' },
        { id: 'a', more: 1, owner: 'b', type: 'local' },
      ],
    ],
    confidence: [
      [0, 1, 0.5, null],
      [-0.1, 1.1, '1'],
    ],
    gates: [
      [
        [],
        many(64, { name: 'g', passed: true }),
        [
          {
            name: 'g',
            passed: false,
            reason: text(2048),
            score: -1.5,
            sha256: hex(32),
            threshold: 1e9,
          },
        ],
      ],
      [
        many(65, { name: 'g', passed: true }),
        [{ name: 'g' }],
        [{ passed: true }],
        [{ name: '', passed: true }],
        [{ name: 'g', passed: 1 }],
        [{ name: 'g', passed: true, reason: text(2049) }],
        [{ name: 'g', passed: true, sha256: hex(31) }],
        [{ more: 1, name: 'g', passed: true }],
      ],
    ],
    id: [
      [id, '00000000-0000-0000-0000-000000000000'],
      [id.toUpperCase(), id.slice(1), '', null],
    ],
    idempotencyKey: [
      [null, 'x', ''],
      [1, {}],
    ],
    intent: [
      [
        { action: { more: 1, type: 'x' }, actor: { id: 'y', more: 1, type: 'z' } },
        { action: { type: 'x' }, actor: { id: 'y' }, context: {}, resource: { a: 1 } },
        { action: { type: 'x' }, actor: { id: 'y' }, policyRefs: many(64, 'p') },
        { action: { type: text(256) }, actor: { id: text(256) } },
        { action: { type: wide(256) }, actor: { id: wide(256) } },
      ],
      [
        {},
        { action: { type: 'x' } },
        { actor: { id: 'y' } },
        { action: { type: '' }, actor: { id: 'y' } },
        { action: { type: text(257) }, actor: { id: 'y' } },
        { action: { type: wide(257) }, actor: { id: 'y' } },
        { action: { type: 'x' }, actor: { id: '' } },
        { action: { type: 'x' }, actor: { id: text(257) } },
        { action: { type: 'x' }, actor: { id: 'y', type: '' } },
        { action: { type: 'x' }, actor: { id: 'y' }, context: [] },
        { action: { type: 'x' }, actor: { id: 'y' }, resource: 'r' },
        { action: { type: 'x' }, actor: { id: 'y' }, policyRefs: many(65, 'p') },
        { action: { type: 'x' }, actor: { id: 'y' }, more: 1 },
      ],
    ],
    links: [
      [{}, { correlationId: 'c', parents: many(64, id), url: 'https://example.com/' }],
      [
        { correlationId: '' },
        { parents: many(65, id) },
        { parents: ['x'] },
        { url: 'not a link' },
        { url: `https://example.com/${text(2048)}` },
        { more: 1 },
      ],
    ],
    maxUses: [
      [null, 1, 1_000_000],
      [0, -1, 1.5, 1_000_001, '1'],
    ],
    mode: [
      ['enforce', 'shadow'],
      ['', 'off', null],
    ],
    obligations: [
      [
        many(64, { type: 'redact' }),
        ['redact', 'transform_input', 'transform_output', 'route', 'sandbox', 'log_only'].map(
          (type) => ({ any: [1], type }),
        ),
      ],
      [many(65, { type: 'redact' }), [{ type: 'pray' }], [{}], [null]],
    ],
    overridable: [
      [true, false],
      [null, 1, 'true'],
    ],
    policies: [
      [
        many(256, { id: 'p' }),
        [{ effect: 'allow', id: 'p', index: 0, sha256: hex(32), version: '1' }],
      ],
      [
        many(257, { id: 'p' }),
        [{ id: '' }],
        [{ id: 'p', index: -1 }],
        [{ id: 'p', index: 0.5 }],
        [{ id: 'p', sha256: 'AB'.repeat(32) }],
        [{ id: 'p', more: 1 }],
      ],
    ],
    producer: [[{ name: 'n', version: 'v' }], [{ name: 'n' }, { name: '', version: 'v' }, null]],
    reasons: [
      [many(64, { code: 'A' }), [{ code: `A${'_9'.repeat(31)}Z`, text: text(2048) }]],
      [
        many(65, { code: 'A' }),
        [{ code: 'a' }],
        [{ code: '1A' }],
        [{ code: '' }],
        [{ code: `A${text(64).toUpperCase()}` }],
        [{ code: 'A', text: text(2049) }],
        [{ code: 'A', more: 1 }],
      ],
    ],
    source: [
      ['evaluated', 'submitted'],
      ['guessed', null],
    ],
    status: [
      ['ALLOW', 'BLOCK', 'ESCALATE', 'REVIEW_REQUIRED', 'ERROR'],
      ['allow', 'DENY', null],
    ],
    time: [
      [0, Number.MAX_SAFE_INTEGER],
      [-1, 0.5, '0', null],
    ],
    trace: [[null, 1, 'x', [], {}, { deep: [1] }], []],
  },
  erasure: {
    by: [[{ id: 'a', owner: 'b', type: 'local' }], [null, {}]],
    reason: [
      ['x', text(2048)],
      ['', text(2049), null],
    ],
    seqs: [
      [[0], many(1024, 1)],
      [[], many(1025, 1), [-1], [0.5], ['0'], 0],
    ],
    stream: [[id], ['keys', '', id.toUpperCase()]],
    time: [[0], [-1, null]],
  },
  escalation: {
    by: [[by], [null, {}]],
    event: [
      ['approved', 'rejected'],
      ['opened', 'timed-out', 'revoked', null],
    ],
    person: [
      ['p', text(256)],
      ['', text(257), null],
    ],
    reason: [
      ['r', text(1024)],
      ['', text(1025), null],
    ],
    roster: [
      [null, { sha256: hex(32), version: 1 }],
      [{ sha256: hex(31), version: 1 }, { sha256: hex(32), version: 0 }, {}],
    ],
    signature: [
      [
        null,
        { challenge: text(4096), key: text(8192), kind: 'SSHSIG', signature: text(16_384) },
        { challenge: '', key: 'k', kind: 'Ed25519', signature: 's' },
      ],
      [
        { challenge: text(4097), key: 'k', kind: 'Ed25519', signature: 's' },
        { challenge: '', key: text(8193), kind: 'Ed25519', signature: 's' },
        { challenge: '', key: '', kind: 'Ed25519', signature: 's' },
        { challenge: '', key: 'k', kind: 'RSA', signature: 's' },
        { challenge: '', key: 'k', kind: 'Ed25519', signature: text(16_385) },
        { challenge: '', key: 'k', kind: 'Ed25519', signature: '' },
        {},
      ],
    ],
    time: [[0], [-1, null]],
  },
  execution: {
    caller: [[{ id: 'a', owner: 'b', type: 'local' }], [null, {}]],
    decision: [[id], ['x', null]],
    note: [
      [null, '', text(2048)],
      [text(2049), 1],
    ],
    phase: [
      ['started', 'finished'],
      ['paused', null],
    ],
    time: [[0], [-1, null]],
    use: [
      [1, Number.MAX_SAFE_INTEGER],
      [0, -1, 1.5, '1'],
    ],
  },
  key: {
    algorithm: [
      ['x', text(256)],
      ['', text(257)],
    ],
    event: [
      ['prepared', 'activated', 'retired', 'revoked', 'destroyed'],
      ['made', null],
    ],
    from: [
      [null, 0, 7],
      [-1, 0.5, '0'],
    ],
    keyId: [[id], ['x', null]],
    keyid: [
      [null, hex(32)],
      [hex(31), 'AB'.repeat(32), ''],
    ],
    publicKey: [
      ['', 'AA==', 'AAAA'],
      ['AB==', 'AA', 'A-_A', 'AA==\n', null],
    ],
    purpose: [
      ['master', 'evidence', 'fast', 'log'],
      ['other', null],
    ],
    time: [[0], [-1, null]],
    version: [
      [1, 2],
      [0, -1, 0.5],
    ],
    vkeys: [
      [[], many(8, 'v'), [text(8192)]],
      [many(9, 'v'), [''], [text(8193)], 'v'],
    ],
  },
  override: {
    by: [[by], [null, {}]],
    challenge: [
      ['', text(4096)],
      [text(4097), null],
    ],
    event: [['opened'], ['signed', 'closed', null]],
    request: [[hex(32)], [hex(31), null]],
    time: [[0], [-1, null]],
  },
  policy: {
    by: [[by], [null, {}]],
    event: [['registered'], ['activated', 'retired', 'changed', null]],
    id: [
      ['p', text(256)],
      ['', text(257), null],
    ],
    record: [
      [{ bundle: {}, dialect: 'd', exact: {} }],
      [{ bundle: {} }, { dialect: 'd' }, { bundle: [], dialect: 'd' }, null],
    ],
    sha256: [[hex(32)], [hex(31), 'AB'.repeat(32), null]],
    time: [[0], [-1, null]],
    version: [
      ['1', text(256)],
      ['', text(257), null],
    ],
  },
  roster: {
    by: [[by], [null, {}]],
    endorsements: [
      [[endorsement], many(1024, endorsement)],
      [
        [],
        many(1025, endorsement),
        [{ ...endorsement, kind: 'RSA' }],
        [{ ...endorsement, signature: text(16_385) }],
        [{ ...endorsement, more: 1 }],
      ],
    ],
    event: [
      ['version', 'recovery'],
      ['applied', null],
    ],
    roster: [
      [roster, { ...roster, recovery: { keys: [{ key: 'k', kind: 'SSHSIG' }], threshold: 1 } }],
      [
        { ...roster, v: 2 },
        { ...roster, version: 0 },
        { ...roster, people: [] },
        { ...roster, more: 1 },
        { ...roster, people: [{ ...person, roles: ['king'] }] },
        { ...roster, people: [{ ...person, keys: [] }] },
        null,
      ],
    ],
    time: [[0], [-1, null]],
  },
  trust: {
    previous: [
      [null, hex(32)],
      ['', hex(33), 1],
    ],
    sha256: [[hex(32)], [null, hex(31), 'AB'.repeat(32)]],
    time: [[0], [-1, null]],
    version: [[1], [0, 0.5, '1']],
  },
}

describe('the matter of a key', () => {
  const slot = { id, kekId: text(512), mechanism: text(512), provider: text(256) }
  const withSlots = (slots: unknown): Draft => ({ event: 'slots', slots })

  it('tells of slots exactly where that is what happened', () => {
    expect(accepts('key', withSlots([slot]))).toBe(true)
    expect(accepts('key', { slots: [slot] })).toBe(false)
    expect(accepts('key', { event: 'slots' })).toBe(false)
  })

  it.each([
    ['none', []],
    ['65', many(65, slot)],
    ['a long name of a key', [{ ...slot, kekId: text(513) }]],
    ['no name of a key', [{ ...slot, kekId: '' }]],
    ['a long mechanism', [{ ...slot, mechanism: text(513) }]],
    ['a long provider', [{ ...slot, provider: text(257) }]],
    ['a member too many', [{ ...slot, more: 1 }]],
    ['an id that is none', [{ ...slot, id: 'x' }]],
  ])('does not take %s for slots', (_, slots) => {
    expect(accepts('key', withSlots(many(64, slot)))).toBe(true)
    expect(accepts('key', withSlots(slots))).toBe(false)
  })

  it('may say why, and by whom', () => {
    expect(accepts('key', { reason: text(2048) })).toBe(true)
    expect(accepts('key', { reason: text(2049) })).toBe(false)
    expect(accepts('key', { reason: '' })).toBe(false)
    expect(accepts('key', { by: { id: 'cli', owner: 'root', type: 'local' } })).toBe(true)
    expect(accepts('key', { by: { id: 'cli', owner: 'root', type: 'other' } })).toBe(false)
  })
})

describe('the matter of an override', () => {
  const request = hex(32)
  const steps: Readonly<Record<string, Draft>> = {
    executed: { by, event: 'executed', maxUses: 1, request, status: 'ALLOW', time: 0 },
    expired: { by: null, event: 'expired', request, time: 0 },
    rejected: { by, event: 'rejected', person: 'ann', reason: 'No', request, time: 0 },
    revoked: { by, event: 'revoked', reason: 'No', request, time: 0 },
  }
  const takes = (step: Draft): boolean => matters.override.safeParse(step).success

  it.each(Object.entries(steps))('that was %s is this and no more or less', (_, step) => {
    expect(takes(step)).toBe(true)
    expect(takes({ ...step, more: 1 })).toBe(false)
    for (const name of Object.keys(step)) {
      const rest = Object.entries(step).filter(([member]) => member !== name)
      expect([name, takes(Object.fromEntries(rest))]).toEqual([name, false])
    }
  })

  it.each([
    ['executed', 'maxUses', 2],
    ['executed', 'maxUses', null],
    ['executed', 'status', 'BLOCK'],
    ['executed', 'by', null],
    ['expired', 'by', by],
    ['rejected', 'reason', ''],
    ['rejected', 'reason', text(2049)],
    ['rejected', 'person', ''],
    ['revoked', 'reason', text(2049)],
  ])('that was %s has not this for %s: %s', (event, member, value) => {
    expect(takes({ ...steps[event], [member]: value })).toBe(false)
  })
})

const kindsKnown = Object.keys(bounds) as KnownKind[]

describe('the matter of', () => {
  describe.each(kindsKnown)('%s', (kind) => {
    it('is accepted as it is, and refused with a member too many', () => {
      expect(accepts(kind, {})).toBe(true)
      expect(accepts(kind, { more: 1 })).toBe(false)
    })

    it('wants every member', () => {
      expect(Object.keys(bounds[kind]).sort()).toEqual(Object.keys(good[kind]).sort())
      for (const name of Object.keys(good[kind])) {
        const rest = Object.entries(good[kind]).filter(([member]) => member !== name)
        expect([name, matters[kind].safeParse(Object.fromEntries(rest)).success]).toEqual([
          name,
          false,
        ])
      }
    })

    it.each(Object.entries(bounds[kind]))('is bounded in %s', (name, [inside, outside]) => {
      for (const value of inside)
        expect([value, accepts(kind, { [name]: value })]).toEqual([value, true])
      for (const value of outside)
        expect([value, accepts(kind, { [name]: value })]).toEqual([value, false])
    })
  })

  it('other kinds is not known yet', () => {
    expect(kinds.filter(isKnownKind).sort()).toEqual(kindsKnown.sort())
  })
})

describe('what an entry says of who allowed it', () => {
  it.each(['admin', 'erasure', 'key'] as const)('may stand in one of kind %s', (kind) => {
    const [inside, outside] = controls
    for (const control of inside)
      expect([control, accepts(kind, { control })]).toEqual([control, true])
    for (const control of outside)
      expect([control, accepts(kind, { control })]).toEqual([control, false])
  })

  it('stands nowhere else', () => {
    for (const kind of ['decision', 'execution', 'roster', 'trust'] as const)
      expect([kind, accepts(kind, { control: controls[0][0] })]).toEqual([kind, false])
  })
})

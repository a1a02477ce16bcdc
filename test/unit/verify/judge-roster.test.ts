import { secp256k1 } from '@noble/curves/secp256k1.js'
import { p2tr, p2wpkh } from '@scure/btc-signer'
import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { ed25519 } from '../../../src/crypto/ed25519.ts'
import { schnorrPublicKey } from '../../../src/crypto/bip340.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import {
  formatRosterText,
  parseRoster,
  formatRoster,
  readRoster,
  rosterDigest,
  type Endorsement,
  type Roster,
} from '../../../src/dossier/roster.ts'
import {
  judgeRosterStep,
  recoveryDelayMs,
  type RosterStep,
} from '../../../src/verify/judge-roster.ts'

const place = {
  instance: '0197a9d0-0000-7000-8000-000000000001',
  origin: 'log.example/default',
  tenant: 'default',
}
const time = 1_790_000_000_000

/** Ed25519 keys of approvers by a number. */
const signers = new Map<number, ReturnType<typeof ed25519.signer>>()
function signerOf(n: number) {
  const signer = signers.get(n) ?? ed25519.signer(new Secret(new Uint8Array(32).fill(n)))
  signers.set(n, signer)
  return signer
}
const keyOf = (n: number): string => encodeBase64(signerOf(n).publicKey)
const listed = (n: number, change = {}) => ({
  key: keyOf(n),
  kind: 'Ed25519' as const,
  notAfter: null,
  notBefore: 0,
  revoked: false,
  ...change,
})

const first: Roster = {
  people: [
    { id: 'ann', keys: [listed(1)], roles: ['risk_lead'] },
    { id: 'bob', keys: [listed(2)], roles: ['security_lead', 'reviewer'] },
    { id: 'cyd', keys: [listed(3)], roles: ['reviewer'] },
  ],
  previous: null,
  recovery: {
    keys: [11, 12, 13].map((n) => ({ key: keyOf(n), kind: 'Ed25519' as const })),
    threshold: 2,
  },
  v: 1,
  version: 1,
}

const follow = (change: (draft: Roster) => Roster = (draft) => draft): Roster =>
  change({ ...first, previous: rosterDigest(first), version: 2 })

const endorse = (roster: Roster, ...numbers: number[]): Endorsement[] =>
  numbers.map((n) => ({
    key: keyOf(n),
    kind: 'Ed25519',
    signature: encodeBase64(signerOf(n).sign(utf8(formatRosterText(place, roster)))),
  }))

const judge = (
  next: Roster,
  by: readonly Endorsement[],
  change: Partial<RosterStep> = {},
): string | undefined =>
  judgeRosterStep({
    askedAt: undefined,
    endorsements: by,
    next,
    place,
    previous: next.version === 1 ? undefined : first,
    time,
    ...change,
  })

const everybody = [1, 2, 3, 11, 12, 13]
/** Ann's key is exchanged, and Dan comes. */
const changed = follow((draft) => ({
  ...draft,
  people: [
    { id: 'ann', keys: [listed(1, { revoked: true }), listed(4)], roles: ['risk_lead'] },
    ...draft.people.slice(1),
    { id: 'dan', keys: [listed(5)], roles: ['security_lead'] },
  ],
}))

describe('a roster', () => {
  it('is read back as it was written', () => {
    expect(parseRoster(formatRoster(first))).toEqual(first)
    expect(typeof parseRoster(utf8('{}'))).toBe('string')
    expect(parseRoster(utf8(` ${JSON.stringify(first)}`))).toEqual(expect.any(String))
  })

  it.each<[string, (draft: Roster) => unknown, RegExp]>([
    [
      'a person with both lead roles',
      (d) => ({
        ...d,
        people: [{ ...d.people[0], roles: ['risk_lead', 'security_lead'] }, d.people[1]],
      }),
      /both lead roles/,
    ],
    [
      'nobody for a lead role',
      (d) => ({ ...d, people: d.people.slice(0, 1) }),
      /Nobody holds the role security_lead/,
    ],
    [
      'a person twice',
      (d) => ({ ...d, people: [...d.people, { id: 'ann', keys: [listed(9)], roles: [] }] }),
      /stands twice/,
    ],
    [
      'a role twice',
      (d) => ({
        ...d,
        people: [{ ...d.people[0], roles: ['risk_lead', 'risk_lead'] }, ...d.people.slice(1)],
      }),
      /a role twice/,
    ],
    [
      'a key of two people',
      (d) => ({ ...d, people: [...d.people, { id: 'dan', keys: [listed(1)], roles: [] }] }),
      /stands twice/,
    ],
    [
      'a recovery key that is a person’s',
      (d) => ({ ...d, recovery: { keys: [{ key: keyOf(1), kind: 'Ed25519' }], threshold: 1 } }),
      /stands twice/,
    ],
    [
      'more recovery keys demanded than there are',
      (d) => ({ ...d, recovery: { ...d.recovery, threshold: 4 } }),
      /More recovery keys/,
    ],
    [
      'a key that is none',
      (d) => ({
        ...d,
        people: [{ ...d.people[0], keys: [listed(1, { key: 'AAAA' })] }, ...d.people.slice(1)],
      }),
      /Key of person ann/,
    ],
    [
      'a kind that there is not',
      (d) => ({
        ...d,
        people: [{ ...d.people[0], keys: [listed(1, { kind: 'RSA' })] }, ...d.people.slice(1)],
      }),
      /Not a v1 roster/,
    ],
    ['a previous version at version 1', (d) => ({ ...d, previous: 'ab'.repeat(32) }), /Version 1/],
  ])('may not have %s', (_, change, expected) => {
    expect(readRoster(change(first))).toMatch(expected)
  })

  it('tells one key from another by the point behind it', () => {
    const secret = new Uint8Array(32).fill(7)
    const x = encodeHex(schnorrPublicKey(secret))
    const address = 'bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l'
    const people = (key: string) => [
      {
        id: 'ann',
        keys: [listed(1), { ...listed(1), key: x, kind: 'BIP-340' as const }],
        roles: ['risk_lead' as const],
      },
      {
        id: 'bob',
        keys: [listed(2), { ...listed(2), key, kind: 'BIP-322' as const }],
        roles: ['security_lead' as const],
      },
    ]
    expect(readRoster({ ...first, people: people(address) })).toMatchObject({ v: 1 })
    for (const own of [
      p2tr(schnorrPublicKey(secret)).address,
      p2wpkh(secp256k1.getPublicKey(secret)).address,
    ])
      expect(readRoster({ ...first, people: people(own) })).toMatch(
        /belongs to one alone, not to person ann and person bob/,
      )
  })
})

describe('the first version of a roster', () => {
  it('counts when every key in it has signed', () => {
    expect(judge(first, endorse(first, ...everybody))).toBeUndefined()
    for (const n of everybody)
      expect(judge(first, endorse(first, ...everybody.filter((one) => one !== n)))).toMatch(
        /New key has not signed/,
      )
  })

  it('is nobody else’s', () => {
    const elsewhere = { ...place, tenant: 'other' }
    expect(judge(first, endorse(first, ...everybody), { place: elsewhere })).toMatch(/Signature of/)
    expect(judge(follow(), endorse(follow(), 1, 2), { previous: undefined })).toMatch(
      /Version 1 comes next/,
    )
  })
})

describe('a later version of a roster', () => {
  it('counts when a holder of each lead role of the version before, and every new key, has signed', () => {
    expect(judge(changed, endorse(changed, 1, 2, 4, 5))).toBeUndefined()
    expect(judge(changed, endorse(changed, 2, 4, 5))).toMatch(/No risk_lead of version 1/)
    expect(judge(changed, endorse(changed, 1, 4, 5))).toMatch(/No security_lead of version 1/)
    expect(judge(changed, endorse(changed, 1, 3, 4, 5))).toMatch(/No security_lead/)
    expect(judge(changed, endorse(changed, 1, 2, 5))).toMatch(/New key has not signed/)
    // Those who come have no say in their coming.
    expect(judge(changed, endorse(changed, 1, 5, 4))).toMatch(/No security_lead/)
  })

  it('is not signed by keys that do not count', () => {
    const next = follow()
    const early: Roster = {
      ...first,
      people: first.people.map((one, i) =>
        i === 0 ? { ...one, keys: [listed(1, { notAfter: time, notBefore: time - 10 })] } : one,
      ),
    }
    const nextEarly = { ...early, previous: rosterDigest(early), version: 2 }
    for (const [at, good] of [
      [time - 11, false],
      [time - 10, true],
      [time, true],
      [time + 1, false],
    ] as const)
      expect(
        judge(nextEarly, endorse(nextEarly, 1, 2), { previous: early, time: at }) === undefined,
      ).toBe(good)
    expect(
      judge(
        next,
        endorse(
          follow((d) => ({ ...d, recovery: null })),
          1,
          2,
        ),
      ),
    ).toMatch(/Signature of/)
  })

  it.each<[string, (draft: Roster) => Roster, RegExp]>([
    ['let a person go', (d) => ({ ...d, people: d.people.slice(0, 2) }), /stays: cyd/],
    [
      'let a key go',
      (d) => ({
        ...d,
        people: [{ id: 'ann', keys: [listed(4)], roles: ['risk_lead'] }, ...d.people.slice(1)],
      }),
      /Key of ann is gone/,
    ],
    [
      'let a key count earlier',
      (d) => ({
        ...d,
        people: [
          { id: 'ann', keys: [listed(1, { notBefore: 1 })], roles: ['risk_lead'] },
          ...d.people.slice(1),
        ],
      }),
      /Key of ann is gone, or counts/,
    ],
    ['change the recovery keys', (d) => ({ ...d, recovery: null }), /Recovery keys/],
    ['skip a version', (d) => ({ ...d, version: 3 }), /Version 2 comes next/],
    ['name another version before', (d) => ({ ...d, previous: 'ab'.repeat(32) }), /another one/],
  ])('may not %s', (_, change, expected) => {
    const next = follow(change)
    expect(judge(next, endorse(next, 1, 2, 4))).toMatch(expected)
  })

  it('may not take a revocation back, nor let a key count for longer', () => {
    const before: Roster = {
      ...first,
      people: [
        {
          id: 'ann',
          keys: [listed(1), listed(4, { revoked: true }), listed(6, { notAfter: time })],
          roles: ['risk_lead'],
        },
        ...first.people.slice(1),
      ],
    }
    const next = (keys: Roster['people'][number]['keys']): Roster => ({
      ...before,
      people: [{ id: 'ann', keys, roles: ['risk_lead'] }, ...first.people.slice(1)],
      previous: rosterDigest(before),
      version: 2,
    })
    const judged = (roster: Roster) => judge(roster, endorse(roster, 1, 2), { previous: before })
    expect(
      judged(next([listed(1), listed(4, { revoked: true }), listed(6, { notAfter: time })])),
    ).toBeUndefined()
    expect(
      judged(next([listed(1), listed(4, { revoked: true }), listed(6, { notAfter: time - 1 })])),
    ).toBeUndefined()
    expect(judged(next([listed(1), listed(4), listed(6, { notAfter: time })]))).toMatch(
      /counts for longer/,
    )
    for (const notAfter of [null, time + 1])
      expect(
        judged(next([listed(1), listed(4, { revoked: true }), listed(6, { notAfter })])),
      ).toMatch(/counts for longer/)
  })

  it('comes by recovery keys when enough of them have signed and the delay is over', () => {
    const by = endorse(changed, 4, 5, 11, 13)
    const askedAt = time - recoveryDelayMs
    expect(judge(changed, by, { askedAt })).toBeUndefined()
    expect(judge(changed, by, { askedAt: askedAt + 1 })).toMatch(/Recovery counts from/)
    expect(judge(changed, by)).toMatch(/not asked for/)
    expect(judge(changed, endorse(changed, 4, 5, 11), { askedAt })).toMatch(
      /nor have enough recovery keys/,
    )
    expect(judge(changed, endorse(changed, 4, 5, 11, 11), { askedAt })).toMatch(
      /nor have enough recovery keys/,
    )
    expect(judge(changed, endorse(changed, 11, 12, 13), { askedAt })).toMatch(
      /New key has not signed/,
    )
  })
})

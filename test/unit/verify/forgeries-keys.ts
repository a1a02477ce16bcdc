// Keys that exist and do not count: outside their positions, revoked, of another log, or only in a trust root that the auditor did not pin.
import { encodeBase64 } from '../../../src/base/base64.ts'
import { ed25519 } from '../../../src/crypto/ed25519.ts'
import { keyIdOf } from '../../../src/crypto/spki.ts'
import {
  fingerprint,
  formatTrustRoot,
  type OriginSection,
  type TrustedLogKey,
  type TrustedSigningKey,
} from '../../../src/dossier/trust-root.ts'
import { createVkey, formatVkey } from '../../../src/merkle/note.ts'
import { createKeys, operatorHolds } from '../../support/forge.ts'
import { headOf } from '../../support/forge-dossier.ts'
import { createWorld, genesisSize, streams, type World } from '../../support/forge-world.ts'
import {
  attack,
  changeAt,
  ends,
  innermost,
  refused,
  stepAt,
  trusting,
  trustingLater,
  type Evidence,
  type Forgery,
  type Tenant,
} from './forgery.ts'

/** Where the entries of {@link streams}.allow stand in every log. */
const decisionAt = 6
const executionAt = 8

/** Genuine evidence under a trust root whose section was changed. */
const under = (
  world: World,
  tenant: Tenant,
  change: (section: OriginSection) => void,
  options: Evidence['options'] = {},
): Evidence =>
  attack(world, tenant, streams.allow, {}, { options, trustFile: trusting(world, tenant, change) })

const keyAt = (tenant: Tenant): number => (tenant === 'fast' ? 1 : 0)

type KeyChange = Partial<TrustedSigningKey>

const positions: readonly (readonly [name: string, seq: number, change: KeyChange])[] = [
  ['before its first position', 0, { from: decisionAt + 1 }],
  ['long before its first position', 0, { from: 1000 }],
  ['at the position where it stops', 0, { to: decisionAt }],
  ['behind the position where it stops', 0, { to: genesisSize }],
  ['that stopped between decision and execution', 1, { to: executionAt }],
  ['at the position where it is revoked', 0, { revokedAt: decisionAt }],
  ['revoked from the beginning', 0, { revokedAt: 0 }],
  ['revoked between decision and execution', 1, { revokedAt: decisionAt + 1 }],
  ['that stopped and was revoked later', 0, { revokedAt: 9, to: decisionAt }],
  ['that is for other kinds', 0, { kinds: ['key', 'trust', 'admin', 'erasure'] }],
  ['whose public key is another', 0, { publicKey: encodeBase64(createKeys(200).fast.publicKey) }],
  ['without a public key', 0, { publicKey: '' }],
]

const ofSigningKeys = (world: World): Forgery[] => [
  ...(['each', 'fast'] as const).flatMap((tenant) =>
    positions.map(([name, seq, change]) =>
      refused(`${tenant}: a key ${name}`, `entries[${seq}].key`, () =>
        under(world, tenant, ({ keys }) => {
          Object.assign(keys[keyAt(tenant)] ?? {}, change)
        }),
      ),
    ),
  ),
  refused('a composite key that is said to be Ed25519', 'entries[0].key', () =>
    under(world, 'each', ({ keys }) => {
      Object.assign(keys[0] ?? {}, { algorithm: 'Ed25519', profile: 'checkpoint' })
    }),
  ),
  refused('an Ed25519 key that is said to be composite', 'entries[0].key', () =>
    under(world, 'fast', ({ keys }) => {
      Object.assign(keys[1] ?? {}, { algorithm: 'id-MLDSA65-Ed25519-SHA512', profile: 'each' })
    }),
  ),
  refused('an Ed25519 key that is said to do for each entry', 'entries[0].key', () =>
    under(world, 'fast', ({ keys }) => {
      Object.assign(keys[1] ?? {}, { profile: 'each' })
    }),
  ),
  ends('inconclusive', 'a key that a trust root of before does not know', 'entries[0].key', () =>
    under(world, 'fast', ({ keys }) => keys.pop()),
  ),
  refused('a key that a trust root of later does not know', 'entries[0].key', () =>
    under(world, 'fast', (section) => {
      section.keys.pop()
      section.asOf = { ...section.asOf, size: decisionAt + 1 }
    }),
  ),
  refused('a key of small order, whose signatures fit everything', 'entries[0].signature', () => {
    // A and R are the neutral point and S is 0: [S]B = R + [k]A for any message.
    const neutral = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0))
    const keyid = keyIdOf(ed25519, neutral)
    return attack(
      world,
      'fast',
      streams.allow,
      {
        holds: operatorHolds,
        steps(steps) {
          const step = stepAt(steps, streams.allow)
          step.leaf = (leaf) => (leaf['keyid'] = keyid)
          step.signature = () => Uint8Array.of(...neutral, ...new Uint8Array(32))
        },
      },
      {
        trustFile: trusting(world, 'fast', ({ keys }) => {
          Object.assign(keys[1] ?? {}, { keyid, publicKey: encodeBase64(neutral) })
        }),
      },
    )
  }),
]

const all =
  (change: Partial<TrustedLogKey>) =>
  ({ logKeys }: OriginSection): void => {
    for (const key of logKeys) Object.assign(key, change)
  }

const one =
  (at: number, change: Partial<TrustedLogKey>) =>
  ({ logKeys }: OriginSection): void => {
    Object.assign(logKeys[at] ?? {}, change)
  }

function ofLogKeys(world: World): Forgery[] {
  const { log } = world.each
  const { size } = log
  const signatures = 'checkpoint.signatures'
  const revoked = 'checkpoint.revoked-key'
  const on = (change: (section: OriginSection) => void, options: Evidence['options'] = {}) =>
    under(world, 'each', change, options)
  const later = headOf(log)
  const strange = createKeys(200)
  const vkey = (name: string, type: number): string =>
    formatVkey(createVkey(name, type, strange.ed25519.publicKey))
  return [
    refused('log keys before their first size', signatures, () => on(all({ from: size + 1 }))),
    refused('log keys at the size where they stop', signatures, () => on(all({ to: size }))),
    refused('an Ed25519 log key that has stopped', signatures, () => on(one(0, { to: size }))),
    refused('an ML-DSA-44 log key that has stopped', signatures, () => on(one(1, { to: size }))),
    refused('log keys revoked at this size', revoked, () => on(all({ revokedAt: size }))),
    refused('one log key revoked at this size', revoked, () => on(one(1, { revokedAt: size }))),
    refused('log keys revoked long ago, though witnessed', revoked, () =>
      under(world, 'seen', all({ revokedAt: genesisSize })),
    ),
    ends('unprovable', 'log keys revoked later, without a final head', revoked, () =>
      on(all({ revokedAt: size + 1 })),
    ),
    ends('unprovable', 'log keys revoked later, without a proof to their final head', revoked, () =>
      on(all({ final: { ...later, size: size + 3 }, revokedAt: size + 3 })),
    ),
    ends('unprovable', 'log keys revoked later, with a proof that proves nothing', revoked, () =>
      on(all({ final: { ...later, size: size + 3 }, revokedAt: size + 3 }), {
        finalProof: log.consistencyProof(genesisSize, size),
      }),
    ),
    ends('unprovable', 'log keys revoked later, with a final head before this one', revoked, () =>
      on(all({ final: headOf(log, size - 1), revokedAt: size + 1 })),
    ),
    ends('unprovable', 'one log key revoked later', revoked, () => on(one(0, { revokedAt: 99 }))),
    refused('another final head at this size', 'checkpoint.known-heads', () =>
      on(all({ final: { ...later, root: encodeBase64(log.root(7)) }, revokedAt: size + 1 })),
    ),
    refused('a log key that has not signed', signatures, () =>
      on(({ logKeys, origin }) => {
        logKeys.push({ ...world.trust.origins[0]?.logKeys[0], ...always(vkey(origin, 1)) })
      }),
    ),
    refused('log keys of Ed25519 alone', signatures, () => on(({ logKeys }) => logKeys.pop())),
    refused('log keys of ML-DSA-44 alone', signatures, () => on(({ logKeys }) => logKeys.shift())),
    refused('a log key of another name', 'trust-root.keys', () =>
      on(one(0, { vkey: vkey('log.example/fast', 1) })),
    ),
    refused('a log key of an unknown type', 'trust-root.keys', () =>
      on(one(0, { vkey: vkey('log.example/each', 9) })),
    ),
    refused('a log key that is none', 'trust-root.keys', () => on(one(0, { vkey: 'none' }))),
    ...['', 'quorum nobody\n', 'quorum none', 'log x\nquorum none\n', 'quorum none\n\0'].map(
      (witnesses) =>
        refused(`a witness policy like ${JSON.stringify(witnesses)}`, 'trust-root.witnesses', () =>
          on((section) => {
            section.witnesses = witnesses
          }),
        ),
    ),
  ]
}

const always = (vkey: string): TrustedLogKey => ({
  final: null,
  from: 0,
  revokedAt: null,
  to: null,
  vkey,
})

/** Every member of a section, and of the file, changed against a pinned fingerprint. */
function ofPinned(world: World): Forgery[] {
  const { trust, trustFile } = world
  const options = { trustSha256: fingerprint(trustFile) }
  const pinned = (name: string, file: () => Uint8Array): Forgery =>
    refused(`pinned trust root: ${name}`, 'trust-root.fingerprint', () =>
      attack(world, 'each', streams.allow, {}, { options, trustFile: file() }),
    )
  const paths = [...innermost(trust)].filter(
    (path) => (path[0] !== 'origins' || path[1] === 0) && (path[4] !== 'kinds' || path[5] === 0),
  )
  return [
    ...paths.map((path) =>
      pinned(`${path.join('.')} is another`, () => {
        const copy = structuredClone(trust)
        changeAt(copy, path)
        return formatTrustRoot(copy)
      }),
    ),
    pinned('another log before it', () =>
      formatTrustRoot({ ...trust, origins: trust.origins.toReversed() }),
    ),
    pinned('the other logs left out', () =>
      formatTrustRoot({ ...trust, origins: trust.origins.slice(0, 1) }),
    ),
    pinned('a byte too many', () => Uint8Array.of(...trustFile, 0x20)),
    pinned('nothing', () => new Uint8Array(0)),
    pinned('witnesses nobody asked for', () =>
      trusting(world, 'each', (section) => {
        section.witnesses = `quorum none\n# comment\n`
      }),
    ),
  ]
}

/** Genuine evidence under the trust root of somebody else. */
function ofOthers(world: World): Forgery[] {
  const stranger = (): World => createWorld(100, 'other.example')
  const impostor = createWorld(100)
  const under = (trustFile: Uint8Array, tenant: Tenant = 'each'): Evidence =>
    attack(world, tenant, streams.allow, {}, { trustFile })
  return [
    refused('evidence of one operator under another’s trust root', 'checkpoint.origin', () =>
      under(stranger().trustFile),
    ),
    ends(
      'inconclusive',
      'evidence under an older trust root of an impostor',
      'checkpoint.signatures',
      () => under(impostor.trustFile),
    ),
    refused('evidence under a trust root of an impostor', 'checkpoint.signatures', () =>
      under(trustingLater(impostor, 'each')),
    ),
    refused('evidence of an impostor under the genuine trust root', 'checkpoint.signatures', () =>
      attack(impostor, 'each', streams.allow, {}, { trustFile: trustingLater(world, 'each') }),
    ),
    refused('the impostor’s checkpoint over genuine entries', 'checkpoint.signatures', () =>
      attack(
        world,
        'each',
        streams.allow,
        { note: () => impostor.each.note },
        { trustFile: trustingLater(world, 'each') },
      ),
    ),
    refused('an instance of another id', 'entries[0].statement', () =>
      under(
        trusting(world, 'each', (section) => {
          section.instance = '01890a5d-ac96-774b-bcce-b302099a8058'
        }),
      ),
    ),
    refused('a tenant of another name', 'entries[0].statement', () =>
      under(
        trusting(world, 'each', (section) => {
          section.tenant = 'other'
        }),
      ),
    ),
    ...(['each', 'fast', 'seen'] as const).flatMap((tenant) =>
      (['each', 'fast', 'seen'] as const)
        .filter((other) => other !== tenant)
        .map((other) =>
          refused(`the keys of ${other} in the section of ${tenant}`, 'trust-root.keys', () =>
            under(
              trusting(world, tenant, (section, { origins }) => {
                const from = origins.find(({ tenant: name }) => name === other)
                Object.assign(section, { keys: from?.keys, logKeys: from?.logKeys })
              }),
              tenant,
            ),
          ),
        ),
    ),
    refused('the section of another tenant under this origin', 'trust-root.keys', () =>
      under(
        trusting(world, 'each', (section, { origins }) => {
          Object.assign(section, { ...origins[1], origin: section.origin })
        }),
      ),
    ),
  ]
}

/** Forgeries by keys that do not count. */
export const forgedKeys = (world: World): Forgery[] => [
  ...ofSigningKeys(world),
  ...ofLogKeys(world),
  ...ofPinned(world),
  ...ofOthers(world),
]

// Signatures of entries: stripped, cut, exchanged, made by the wrong key or for the wrong purpose, and the ones that only careless verifiers take.
import { concat } from '../../../src/base/bytes.ts'
import {
  createKeys,
  logHolds,
  mlDsaHalf,
  operatorHolds,
  type Hold,
  type Step,
} from '../../support/forge.ts'
import {
  compositeMessage,
  signTorsioned,
  withLargerS,
  withTorsionedR,
} from '../../support/forge-ed25519.ts'
import { erasureOf, streams, type World } from '../../support/forge-world.ts'
import {
  append,
  attack,
  ends,
  refused,
  stepAt,
  trusting,
  trustingLater,
  type Forgery,
  type Tenant,
} from './forgery.ts'

interface Target {
  readonly tenant: Tenant
  readonly stream: string
  readonly seq: number
  readonly name: string
}

const composites: readonly Target[] = [
  { name: 'decision', seq: 0, stream: streams.allow, tenant: 'each' },
  { name: 'execution', seq: 1, stream: streams.allow, tenant: 'each' },
  { name: 'erasure', seq: 2, stream: streams.erased, tenant: 'fast' },
  { name: 'erased decision', seq: 0, stream: streams.erased, tenant: 'each' },
]

const fasts: readonly Target[] = [
  { name: 'fast decision', seq: 0, stream: streams.allow, tenant: 'fast' },
  { name: 'fast execution', seq: 1, stream: streams.allow, tenant: 'fast' },
]

type Change = (signature: Uint8Array, encoded: Uint8Array) => Uint8Array
type Changes = Readonly<Record<string, Change>>

const first = (signature: Uint8Array): Uint8Array => signature.subarray(0, mlDsaHalf)
const second = (signature: Uint8Array): Uint8Array => signature.subarray(mlDsaHalf)
const zeros = (length: number): Uint8Array => new Uint8Array(length)
const flip = (signature: Uint8Array, at: number): Uint8Array =>
  signature.map((byte, i) => (i === at ? byte ^ 1 : byte))

const anyChanges: Changes = {
  'a signature of nothing but zeros': (signature) => zeros(signature.length),
  'no signature': () => zeros(0),
  'a signature without its last byte': (signature) => signature.subarray(0, -1),
  'a signature with a byte too many': (signature) => concat(signature, zeros(1)),
  'its signature twice': (signature) => concat(signature, signature),
}

/** @param other a good signature by the same key over something else */
const compositeChanges = (other: Uint8Array): Changes => ({
  ...anyChanges,
  'the post-quantum half zeroed': (signature) => concat(zeros(mlDsaHalf), second(signature)),
  'the classical half zeroed': (signature) => concat(first(signature), zeros(64)),
  'the post-quantum half alone': first,
  'the classical half alone': second,
  'its halves in the other order': (signature) => concat(second(signature), first(signature)),
  'the post-quantum half of another entry': (signature) => concat(first(other), second(signature)),
  'the classical half of another entry': (signature) => concat(first(signature), second(other)),
  'the signature of another entry': () => other,
  'one bit changed in the post-quantum half': (signature) => flip(signature, 0),
  'one bit changed in the hints': (signature) => flip(signature, mlDsaHalf - 1),
  'one bit changed in the classical half': (signature) => flip(signature, mlDsaHalf),
  'S + L in the classical half': (signature) =>
    concat(first(signature), withLargerS(second(signature))),
  'a point of small order added to R of the classical half': (signature) =>
    concat(first(signature), withTorsionedR(second(signature))),
})

const fastChanges = (other: Uint8Array): Changes => ({
  ...anyChanges,
  'the signature of another entry': () => other,
  'R of another entry': (signature) => concat(other.subarray(0, 32), signature.subarray(32)),
  'S of another entry': (signature) => concat(signature.subarray(0, 32), other.subarray(32)),
  'one bit of R changed': (signature) => flip(signature, 0),
  'one bit of S changed': (signature) => flip(signature, 32),
  'S + L': withLargerS,
  'a point of small order added to R': withTorsionedR,
})

function signatureOf(world: World, { seq, stream, tenant }: Target): Uint8Array {
  const found = world[tenant].log.sealed.find(
    ({ step }) => step.stream === stream && step.seq === seq,
  )
  return found?.signature ?? zeros(0)
}

function ofTarget(world: World, target: Target, changes: Changes): Forgery[] {
  const { name, seq, stream, tenant } = target
  return Object.entries(changes).flatMap(([what, signature]) => {
    const steps = (all: Step[]): void => {
      // A signature that is changed is no longer the entry's own, whoever signed it.
      stepAt(all, stream, seq).signature = signature
    }
    const resealed = refused(`${name}: ${what}`, `entries[${seq}].signature`, () =>
      attack(world, tenant, stream, { holds: logHolds, steps }),
    )
    const bare = refused(
      `${name}: ${what}, the leaf as it was`,
      `entries[${seq}].signature-digest`,
      () =>
        attack(world, tenant, stream, {
          dossier({ entries }) {
            const entry = entries[seq]
            if (entry !== undefined) entry.signature = signature(entry.signature, zeros(0))
          },
        }),
    )
    return name.endsWith('execution') ? [resealed] : [resealed, bare]
  })
}

/** Signatures by the holder of the key itself, which a verifier that multiplies by the cofactor would take. */
const torsioned = (world: World): Forgery[] => [
  ...composites.map(({ name, seq, stream, tenant }) =>
    refused(`${name}: a classical half made for its torsioned R`, `entries[${seq}].signature`, () =>
      attack(world, tenant, stream, {
        holds: operatorHolds,
        steps(steps) {
          const step = stepAt(steps, stream, seq)
          const { evidence } = world[tenant].log.identity.keys.seeds
          step.signature = (signature, encoded) =>
            concat(first(signature), signTorsioned(evidence, compositeMessage(step.kind, encoded)))
        },
      }),
    ),
  ),
  ...fasts.map(({ name, seq, stream, tenant }) =>
    refused(`${name}: a signature made for its torsioned R`, `entries[${seq}].signature`, () =>
      attack(world, tenant, stream, {
        holds: operatorHolds,
        steps(steps) {
          const { fast } = world[tenant].log.identity.keys.seeds
          stepAt(steps, stream, seq).signature = (_, encoded) => signTorsioned(fast, encoded)
        },
      }),
    ),
  ),
]

type WrongKey = readonly [
  name: string,
  tenant: Tenant,
  seq: number,
  change: Partial<Step>,
  check: string,
  holds?: readonly Hold[],
]

/** Keys that exist but are not to sign this. */
function wrongKeys(world: World): readonly WrongKey[] {
  const stranger = createKeys(200)
  const neighbour = world.fast.log.identity.keys
  const keyidOf = (tenant: Tenant, at: number) => (leaf: Record<string, unknown>) =>
    (leaf['keyid'] = world.trust.origins.find((section) => section.tenant === tenant)?.keys[at]
      ?.keyid)
  return [
    ['a stranger', 'each', 0, { by: stranger }, 'key'],
    [
      'a stranger under the right key’s name',
      'each',
      0,
      { by: stranger, leaf: keyidOf('each', 0) },
      'signature',
    ],
    ['another tenant', 'each', 0, { by: neighbour }, 'key'],
    [
      'another tenant under the right key’s name',
      'each',
      0,
      { by: neighbour, leaf: keyidOf('each', 0) },
      'signature',
    ],
    ['another tenant’s fast key', 'each', 0, { by: neighbour, key: 'fast' }, 'key'],
    ['the Ed25519 log key', 'each', 0, { key: 'ed25519' }, 'key'],
    [
      'the Ed25519 log key under the evidence key’s name',
      'each',
      0,
      { key: 'ed25519', leaf: keyidOf('each', 0) },
      'signature',
    ],
    ['the ML-DSA-44 log key', 'each', 0, { key: 'mlDsa44' }, 'key'],
    [
      'the fast key where each entry is signed by the evidence key',
      'each',
      0,
      { key: 'fast' },
      'key',
    ],
    [
      'the Ed25519 log key in the fast key’s name',
      'fast',
      0,
      { key: 'ed25519', leaf: keyidOf('fast', 1) },
      'signature',
    ],
    [
      'the evidence key in the fast key’s name',
      'fast',
      0,
      { key: 'evidence', leaf: keyidOf('fast', 1) },
      'signature',
    ],
    [
      'the fast key in the evidence key’s name',
      'fast',
      0,
      { leaf: keyidOf('fast', 0) },
      'signature',
    ],
    [
      'the evidence key under the context of an execution',
      'each',
      0,
      { context: 'execution' },
      'signature',
    ],
    [
      'the evidence key under the context of a key entry',
      'each',
      0,
      { context: 'key' },
      'signature',
    ],
    [
      'the evidence key under the context of a decision',
      'each',
      1,
      { context: 'decision' },
      'signature',
    ],
    [
      'the evidence key under the context of an erasure',
      'each',
      1,
      { context: 'erasure' },
      'signature',
    ],
  ]
}

const byWrongKeys = (world: World): Forgery[] =>
  wrongKeys(world).map(([name, tenant, seq, change, check]) =>
    refused(`${tenant} entry ${seq} signed by ${name}`, `entries[${seq}].${check}`, () =>
      attack(
        world,
        tenant,
        streams.allow,
        {
          holds: operatorHolds,
          steps(steps) {
            Object.assign(stepAt(steps, streams.allow, seq), change)
          },
        },
        { trustFile: trustingLater(world, tenant) },
      ),
    ),
  )

/** The fast key signs what only the evidence key may, though its holder writes the log. */
const fastBeyond = (world: World): Forgery[] =>
  (
    [
      ['key', 'keys', 3],
      ['admin', 'admin', 0],
      ['trust', 'trust', 0],
      ['erasure', streams.erased, 2],
    ] as const
  ).flatMap(([kind, stream, seq]) => {
    const steps = (all: Step[]): void => {
      stepAt(all, stream, seq).key = 'fast'
    }
    const holds = [...logHolds, 'fast'] as const
    return [
      refused(`the fast key signs ${kind}`, `entries[${seq}].key`, () =>
        attack(world, 'fast', stream, { holds, steps }),
      ),
      refused(`the fast key signs ${kind}, and the trust root lets it`, `entries[${seq}].key`, () =>
        attack(
          world,
          'fast',
          stream,
          { holds, steps },
          {
            trustFile: trusting(world, 'fast', ({ keys }) => {
              keys[1]?.kinds.push(kind)
              if (keys[1] !== undefined) keys[1].from = 0
            }),
          },
        ),
      ),
    ]
  })

/** Half of a composite key, or the log keys without it, in an attacker's hands. */
function byHalves(world: World): Forgery[] {
  const hands: readonly (readonly [string, readonly Hold[], string])[] = [
    ['no key', [], 'checkpoint.signatures'],
    ['the Ed25519 log key', ['ed25519'], 'checkpoint.signatures'],
    ['the ML-DSA-44 log key', ['mlDsa44'], 'checkpoint.signatures'],
    ['the evidence key', ['evidence'], 'checkpoint.signatures'],
    ['the evidence and the Ed25519 log key', ['evidence', 'ed25519'], 'checkpoint.signatures'],
    ['the evidence and the ML-DSA-44 log key', ['evidence', 'mlDsa44'], 'checkpoint.signatures'],
    ['both log keys', logHolds, 'entries[0].signature'],
    ['both log keys and the fast key', [...logHolds, 'fast'], 'entries[0].signature'],
    [
      'both log keys and the classical half',
      [...logHolds, 'evidence.ed25519'],
      'entries[0].signature',
    ],
    [
      'both log keys and the post-quantum half',
      [...logHolds, 'evidence.mlDsa65'],
      'entries[0].signature',
    ],
  ]
  return hands.map(([who, holds, check]) =>
    refused(`a BLOCK becomes an ALLOW by the holder of ${who}`, check, () =>
      attack(world, 'each', streams.block, {
        holds,
        steps(steps) {
          stepAt(steps, streams.block).matter['status'] = 'ALLOW'
        },
      }),
    ),
  )
}

/** The same in the other profile, where the fast key signs decisions and the checkpoint carries the post-quantum signature. */
const byHalvesFast = (world: World): Forgery[] =>
  (
    [
      ['no key', [], 'checkpoint.signatures'],
      ['the fast key', ['fast'], 'checkpoint.signatures'],
      ['the fast and the Ed25519 log key', ['fast', 'ed25519'], 'checkpoint.signatures'],
      ['the fast and the ML-DSA-44 log key', ['fast', 'mlDsa44'], 'checkpoint.signatures'],
      ['both log keys', logHolds, 'entries[0].signature'],
      ['both log keys and the evidence key', [...logHolds, 'evidence'], 'entries[0].signature'],
    ] as const
  ).map(([who, holds, check]) =>
    refused(`a fast BLOCK becomes an ALLOW by the holder of ${who}`, check, () =>
      attack(world, 'fast', streams.block, {
        holds,
        steps(steps) {
          stepAt(steps, streams.block).matter['status'] = 'ALLOW'
        },
      }),
    ),
  )

const unknownKeys = (world: World): Forgery[] => [
  ends(
    'inconclusive',
    'an entry by a key that may be later than the trust root',
    'entries[0].key',
    () =>
      attack(world, 'each', streams.allow, {
        holds: operatorHolds,
        steps(steps) {
          stepAt(steps, streams.allow).by = createKeys(200)
        },
      }),
  ),
  refused('an erasure by a key half held', 'entries[1].signature', () =>
    attack(world, 'each', streams.block, {
      dossier({ entries }) {
        if (entries[0] !== undefined) entries[0].payload = null
      },
      holds: [...logHolds, 'evidence.ed25519'],
      steps(steps) {
        append(steps, 'erasure', streams.block, erasureOf(streams.block, [0]))
      },
    }),
  ),
]

/** Forgeries of entries' signatures. */
export function forgedSignatures(world: World): Forgery[] {
  const [open] = composites
  const another = (target: Target | undefined): Uint8Array =>
    target === undefined
      ? zeros(0)
      : signatureOf(world, { ...target, seq: 0, stream: streams.open })
  return [
    ...composites.flatMap((target) => ofTarget(world, target, compositeChanges(another(open)))),
    ...fasts.flatMap((target) => ofTarget(world, target, fastChanges(another(fasts[0])))),
    ...torsioned(world),
    ...byWrongKeys(world),
    ...fastBeyond(world),
    ...byHalves(world),
    ...byHalvesFast(world),
    ...unknownKeys(world),
  ]
}

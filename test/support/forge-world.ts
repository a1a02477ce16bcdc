// The genuine evidence that forgers start from: three logs under one trust root (one of each profile, and one with witnesses), and a stranger's.
import { encodeBase64 } from '../../src/base/base64.ts'
import { encodeHex, utf8 } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { keyIdOf } from '../../src/crypto/spki.ts'
import { fingerprint, formatTrustRoot, type TrustRoot } from '../../src/dossier/trust-root.ts'
import type { Kind } from '../../src/dossier/kinds.ts'
import { logVkeys } from '../../src/merkle/checkpoint.ts'
import { formatVkey } from '../../src/merkle/note.ts'
import {
  createKeys,
  operatorHolds,
  reseal,
  sealLog,
  type Draft,
  type LogIdentity,
  type Step,
} from './forge.ts'
import { publish, sectionOf, type Published, type Witness } from './forge-dossier.ts'
import { fixedSigner } from './merkle-signers.ts'

const id = (n: number): string => `01890a5d-ac96-774b-bcce-b302099a80${String(n).padStart(2, '0')}`

/** The decisions of every log, by what is special about them. */
export const streams = Object.freeze({
  /** ALLOW for one use, which was made. */
  allow: id(1),
  block: id(2),
  /** ALLOW without a bound, used twice. */
  open: id(3),
  /** ALLOW, used once, both erased. */
  erased: id(4),
  shadow: id(5),
  /** Every optional member is there. */
  rich: id(6),
})

const start = 1_760_000_000_000
const caller = { id: 'key-1', owner: 'alice', type: 'apiKey' }
const salt = (name: string): string => encodeHex(sha256(utf8(name))).slice(0, 32)

/** A decision's matter. */
export const decisionOf = (stream: string, change: Draft = {}): Draft => ({
  caller,
  confidence: null,
  gates: [],
  id: stream,
  idempotencyKey: null,
  intent: { action: { type: 'pay' }, actor: { id: 'agent-7' } },
  links: {},
  maxUses: null,
  mode: 'enforce',
  obligations: [],
  overridable: true,
  policies: [],
  producer: { name: 'countersign', version: '0.1.0' },
  reasons: [{ code: 'WITHIN_LIMIT' }],
  source: 'submitted',
  status: 'ALLOW',
  time: start,
  trace: null,
  ...change,
})

/** An execution's matter. */
export const executionOf = (stream: string, use: number, change: Draft = {}): Draft => ({
  caller,
  decision: stream,
  note: null,
  phase: 'started',
  time: start,
  use,
  ...change,
})

/** An erasure's matter. */
export const erasureOf = (stream: string, seqs: number[], change: Draft = {}): Draft => ({
  by: caller,
  reason: 'asked for',
  seqs,
  stream,
  time: start,
  ...change,
})

const richDecision = decisionOf(streams.rich, {
  confidence: 0.75,
  gates: [
    {
      name: 'drift',
      passed: true,
      reason: 'calm',
      score: 0.1,
      sha256: 'ab'.repeat(32),
      threshold: 0.2,
      version: '3',
    },
  ],
  idempotencyKey: 'order-1',
  intent: {
    action: { amount: 12.5, currency: 'CHF', type: 'pay' },
    actor: { id: 'agent-7', type: 'bot' },
    context: { ip: '192.0.2.1', night: false },
    policyRefs: ['limits'],
    resource: { account: 'CH93' },
  },
  links: { correlationId: 'c-1', parents: [streams.block], url: 'https://example.com/1' },
  maxUses: 3,
  obligations: [{ fields: ['iban'], type: 'redact' }],
  policies: [{ effect: 'allow', id: 'limits', sha256: 'cd'.repeat(32), version: '7' }],
  reasons: [{ code: 'WITHIN_LIMIT', text: 'under 100' }],
  trace: { steps: [1, 'two', true] },
})

type Line = readonly [kind: Kind, stream: string, matter: Draft, change?: Partial<Step>]

/** Steps in the order of the log, seq counted. */
function stepsOf(lines: readonly Line[], first = 0): Step[] {
  const seqs = new Map<string, number>()
  return lines.map(([kind, stream, matter, change], i) => {
    const seq = seqs.get(stream) ?? 0
    seqs.set(stream, seq + 1)
    const place = `${kind} ${stream} ${seq}`
    return { kind, matter, salt: salt(place), seq, stream, time: start + first + i, ...change }
  })
}

const keyMatter = (purpose: string, publicKey: Uint8Array, change: Draft): Draft => ({
  algorithm: 'X-Wing',
  event: 'activated',
  from: 0,
  keyId: id(90),
  keyid: null,
  publicKey: encodeBase64(publicKey),
  purpose,
  time: start,
  version: 1,
  vkeys: [],
  ...change,
})

function genesisOf({ keys, origin, profile, tenant }: LogIdentity): Step[] {
  const { ed25519, evidence, fast, mlDsa44 } = keys
  const named = ({ algorithm, publicKey }: typeof fast) => ({
    algorithm: algorithm.name,
    keyid: keyIdOf(algorithm, publicKey),
  })
  return stepsOf([
    ['key', 'keys', keyMatter('master', new Uint8Array(1216), {})],
    ['key', 'keys', keyMatter('evidence', evidence.publicKey, named(evidence))],
    ['key', 'keys', keyMatter('fast', fast.publicKey, { ...named(fast), from: 5 })],
    [
      'key',
      'keys',
      keyMatter('log', Uint8Array.of(...ed25519.publicKey, ...mlDsa44.publicKey), {
        algorithm: 'Ed25519+ML-DSA-44',
        vkeys: logVkeys(origin, keys).map(formatVkey),
      }),
    ],
    [
      'admin',
      'admin',
      {
        action: 'tenant.create',
        by: { id: 'cli', owner: 'founder', type: 'local' },
        detail: { profile, public: false },
        subject: tenant,
        time: start,
      },
    ],
  ])
}

/** Entries that the first trust root knows: keys and the creation of the tenant. */
export const genesisSize = 5

/** Everything that follows the first trust root. */
const story = (sha256: string): Step[] =>
  stepsOf(
    [
      ['trust', 'trust', { previous: null, sha256, time: start, version: 1 }],
      ['decision', streams.allow, decisionOf(streams.allow, { maxUses: 1 })],
      ['decision', streams.block, decisionOf(streams.block, { status: 'BLOCK' })],
      ['execution', streams.allow, executionOf(streams.allow, 1)],
      ['decision', streams.open, decisionOf(streams.open)],
      ['decision', streams.erased, decisionOf(streams.erased), { erased: true }],
      ['execution', streams.open, executionOf(streams.open, 1)],
      ['execution', streams.erased, executionOf(streams.erased, 1), { erased: true }],
      ['execution', streams.open, executionOf(streams.open, 2)],
      ['erasure', streams.erased, erasureOf(streams.erased, [0, 1])],
      ['decision', streams.shadow, decisionOf(streams.shadow, { mode: 'shadow' })],
      ['decision', streams.rich, richDecision],
    ],
    genesisSize,
  )

const identityOf = (tenant: string, byte: number, change: Partial<LogIdentity>): LogIdentity => ({
  instance: '01890a5d-ac96-774b-bcce-b302099a8057',
  keys: createKeys(byte),
  origin: `log.example/${tenant}`,
  profile: 'each',
  tenant,
  ...change,
})

/** Who cosigns the checkpoints of the witnessed log: one by Ed25519, one by ML-DSA-44. */
export const witnesses: readonly Witness[] = [
  {
    name: 'witness.example/one',
    signer: fixedSigner('Ed25519', 71),
    timestamp: start / 1000 + 60,
  },
  {
    name: 'witness.example/two',
    signer: fixedSigner('ML-DSA-44', 72),
    timestamp: start / 1000 + 61,
  },
]

/** Three logs of one operator with their trust root. */
export interface World {
  /** Profile `each`. */
  readonly each: Published
  /** Profile `checkpoint`. */
  readonly fast: Published
  /** Profile `each`, and both witnesses must cosign. */
  readonly seen: Published
  readonly trust: TrustRoot
  readonly trustFile: Uint8Array
}

/** Makes a world; worlds with other numbers have other keys. */
export function createWorld(byte = 10, host = 'log.example'): World {
  const identities = [
    identityOf('each', byte, { origin: `${host}/each` }),
    identityOf('fast', byte + 10, { origin: `${host}/fast`, profile: 'checkpoint' }),
    identityOf('seen', byte + 20, { origin: `${host}/seen` }),
  ]
  const cosigners = (tenant: string): readonly Witness[] => (tenant === 'seen' ? witnesses : [])
  const young = identities.map((identity) => sealLog(identity, genesisOf(identity)))
  const trust: TrustRoot = {
    dev: false,
    origins: young.map((log) => sectionOf(log, cosigners(log.identity.tenant))),
    previous: null,
    v: 1,
    version: 1,
  }
  const trustFile = formatTrustRoot(trust)
  const [each, fast, seen] = young.map((log) => {
    const grown = reseal(log, operatorHolds, (steps) => {
      steps.push(...story(fingerprint(trustFile)))
    })
    return publish(grown, cosigners(log.identity.tenant))
  })
  if (each === undefined || fast === undefined || seen === undefined) throw new Error('No logs')
  return { each, fast, seen, trust, trustFile }
}

// Evidence without a database: logs in memory, and the attacker who rewrites them. A forged log is *resealed*: statements, digests, leaves, tree,
// proofs and the checkpoint's text are made anew after every change, because they need no private key. Signatures are made anew only by keys that
// the attacker holds; all others stay as they were.
import { isDeepStrictEqual } from 'node:util'
import { canonicalBytes } from '../../src/base/canonical-json.ts'
import { concat, decodeHex, encodeHex, equalBytes, fromUtf8, utf8 } from '../../src/base/bytes.ts'
import { composite, type CompositeSigner } from '../../src/crypto/composite.ts'
import { sha256, sha512 } from '../../src/crypto/hash.ts'
import { signatureContext } from '../../src/crypto/labels.ts'
import { Secret } from '../../src/crypto/secret.ts'
import type { Signer } from '../../src/crypto/signatures.ts'
import { keyIdOf } from '../../src/crypto/spki.ts'
import { preAuthEncoding } from '../../src/dossier/dsse.ts'
import { fastKinds, type Kind, type Profile } from '../../src/dossier/kinds.ts'
import { formatLeaf } from '../../src/dossier/leaf.ts'
import { formatStatement, type Place } from '../../src/dossier/statement.ts'
import { leafHash } from '../../src/merkle/hash.ts'
import { consistencyProof } from '../../src/merkle/proof.ts'
import { TileTree } from '../../src/merkle/tiles.ts'
import { fixedSigner } from './merkle-signers.ts'

/** Every private key of one log. */
export interface LogKeys {
  readonly evidence: CompositeSigner
  readonly fast: Signer
  readonly ed25519: Signer
  readonly mlDsa44: Signer
  /** Seeds of the Ed25519 keys, for forgeries that no signer makes; `evidence` is that half. */
  readonly seeds: Readonly<Record<'evidence' | 'fast' | 'ed25519', Uint8Array>>
}

/** One of a log's private keys. */
type KeyName = Exclude<keyof LogKeys, 'seeds'>

/** Length of the ML-DSA-65 half in front of a composite signature. */
export const mlDsaHalf = 3309

const filled = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

/** Keys whose seeds are equal bytes; logs need numbers at least four apart. */
export const createKeys = (byte: number): LogKeys => ({
  evidence: composite.signer(new Secret(new Uint8Array(64).fill(byte))),
  fast: fixedSigner('Ed25519', byte + 1),
  ed25519: fixedSigner('Ed25519', byte + 2),
  mlDsa44: fixedSigner('ML-DSA-44', byte + 3),
  seeds: { ed25519: filled(byte + 2), evidence: filled(byte), fast: filled(byte + 1) },
})

/** What a log is called and by which keys it signs. */
export interface LogIdentity {
  readonly instance: string
  readonly origin: string
  readonly tenant: string
  readonly profile: Profile
  readonly keys: LogKeys
}

/** A JSON object that is being edited. */
export type Draft = Record<string, unknown>

/** One entry before it is sealed. What is optional is for forgers. */
export interface Step {
  kind: Kind
  stream: string
  seq: number
  matter: Draft
  /** Hex of 16 bytes. */
  salt: string
  time: number
  /** Whether dossiers leave its payload out. */
  erased?: boolean
  /** Instead of the hash of the stream's previous leaf. */
  prev?: string | null
  /** What the statement says of its place where the leaf says otherwise. */
  place?: Partial<Place>
  /** Edits the statement, the subject's digest being right before. */
  statement?: (statement: Draft) => void
  /** Writes the payload in other bytes. */
  payload?: (payload: Uint8Array) => Uint8Array
  /** Which key signs, by whose keys, under which kind's context. */
  key?: KeyName
  by?: LogKeys
  context?: Kind
  /** Changes the raw signature before the leaf commits to it; `encoded` is the payload's DSSE encoding. */
  signature?: (signature: Uint8Array, encoded: Uint8Array) => Uint8Array
  /** Edits the leaf. */
  leaf?: (leaf: Draft) => void
  /** The genuine entry that this was. */
  was?: Sealed
}

/** An entry as a log holds it. */
export interface Sealed {
  readonly step: Step
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  readonly leaf: Uint8Array
  readonly hash: Uint8Array
}

/** The JSON of canonical bytes, edited and canonical again. */
export function edited(bytes: Uint8Array, change: (draft: Draft) => void): Uint8Array {
  const draft = JSON.parse(fromUtf8(bytes)) as Draft
  change(draft)
  return canonicalBytes(draft)
}

/** A log in memory, small enough to be hashed anew whenever it is asked. */
export class ForgedLog {
  readonly identity: LogIdentity
  readonly sealed: readonly Sealed[]
  readonly #trees = new Map<number, TileTree>()

  constructor(identity: LogIdentity, sealed: readonly Sealed[]) {
    this.identity = identity
    this.sealed = sealed
  }

  get size(): number {
    return this.sealed.length
  }

  tree(size = this.size): TileTree {
    const known = this.#trees.get(size)
    if (known !== undefined) return known
    const tree = new TileTree(0, () => new Uint8Array(0))
    tree.append(this.sealed.slice(0, size).map(({ hash }) => hash))
    this.#trees.set(size, tree)
    return tree
  }

  root(size = this.size): Uint8Array {
    return this.tree(size).root()
  }

  consistencyProof(size1: number, size2: number): Uint8Array[] {
    return consistencyProof(size1, size2, this.tree().node)
  }

  leaves(size = this.size): Uint8Array[] {
    return this.sealed.slice(0, size).map(({ leaf }) => leaf)
  }
}

/** Signs a payload's DSSE encoding, or gives what an attacker has instead. */
export type Sign = (step: Step, encoded: Uint8Array) => Uint8Array

const keyOf = ({ profile }: LogIdentity, { key, kind }: Step): KeyName =>
  key ?? (profile === 'checkpoint' && fastKinds.includes(kind) ? 'fast' : 'evidence')

/** A signature by the step's key, whoever may have it. */
function signStep(identity: LogIdentity, step: Step, encoded: Uint8Array): Uint8Array {
  const keys = step.by ?? identity.keys
  const key = keyOf(identity, step)
  if (key !== 'evidence') return keys[key].sign(encoded)
  return keys.evidence.signDigest(
    sha512(encoded),
    utf8(signatureContext(step.context ?? step.kind)),
  )
}

function keyidOf(identity: LogIdentity, step: Step): string {
  const { algorithm, publicKey } = (step.by ?? identity.keys)[keyOf(identity, step)]
  return keyIdOf(algorithm, publicKey)
}

/** Whether a step is as it was, so that all its bytes are. */
function isUntouched(step: Step, before: string | null): boolean {
  const { was, ...rest } = step
  return was !== undefined && statedPrev(was) === before && isDeepStrictEqual(rest, was.step)
}

const statedPrev = ({ leaf }: Sealed): unknown =>
  (JSON.parse(fromUtf8(leaf)) as { prev: unknown }).prev

function sealStep(identity: LogIdentity, step: Step, before: string | null, sign: Sign): Sealed {
  const { kind, matter, seq, stream, time } = step
  const { instance, origin, tenant } = identity
  const prev = step.prev === undefined ? before : step.prev
  const place = { instance, kind, origin, prev, seq, stream, tenant, ...step.place }
  let payload = formatStatement(place, decodeHex(step.salt) ?? new Uint8Array(16), matter)
  if (step.statement !== undefined) payload = edited(payload, step.statement)
  if (step.payload !== undefined) payload = step.payload(payload)
  const encoded = preAuthEncoding(payload)
  const signed = sign(step, encoded)
  const signature = step.signature === undefined ? signed : step.signature(signed, encoded)
  const pae = encodeHex(sha512(encoded))
  const sig = encodeHex(sha256(signature))
  const keyid = keyidOf(identity, step)
  let leaf = formatLeaf({ keyid, kind, pae, prev, seq, sig, stream, time, v: 1 })
  if (step.leaf !== undefined) leaf = edited(leaf, step.leaf)
  return { step, payload, signature, leaf, hash: leafHash(leaf) }
}

/** Makes a log of its steps. */
export function sealLog(identity: LogIdentity, steps: readonly Step[], sign?: Sign): ForgedLog {
  const heads = new Map<string, string>()
  const signer: Sign = sign ?? ((step, encoded) => signStep(identity, step, encoded))
  const sealed = steps.map((step) => {
    const before = heads.get(step.stream) ?? null
    const same = isUntouched(step, before) ? step.was : undefined
    const one = same ?? sealStep(identity, step, before, signer)
    heads.set(step.stream, encodeHex(one.hash))
    return one
  })
  return new ForgedLog(identity, sealed)
}

/** A private key that an attacker may hold: whole keys, or one half of the composite. */
export type Hold = KeyName | 'evidence.mlDsa65' | 'evidence.ed25519' | 'witnesses'

/** Both keys that sign checkpoints. */
export const logHolds: readonly Hold[] = ['ed25519', 'mlDsa44']

/** Everything an operator holds. */
export const operatorHolds: readonly Hold[] = [...logHolds, 'evidence', 'fast']

/** Signs as far as the keys held go; what is left is the signature there was. */
function signAsHeld(identity: LogIdentity, holds: readonly Hold[]): Sign {
  return (step, encoded) => {
    const { by, context, was } = step
    const key = keyOf(identity, step)
    const unchanged =
      was !== undefined &&
      context === undefined &&
      by === undefined &&
      key === keyOf(identity, was.step) &&
      equalBytes(encoded, preAuthEncoding(was.payload))
    if (unchanged) return was.signature
    if (by !== undefined || holds.includes(key)) return signStep(identity, step, encoded)
    const bytes = identity.keys[key].algorithm.signatureBytes
    const stale = was?.signature.length === bytes ? was.signature : new Uint8Array(bytes)
    const halves = ['evidence.mlDsa65', 'evidence.ed25519'] as const
    if (key !== 'evidence' || !halves.some((half) => holds.includes(half))) return stale
    const fresh = signStep(identity, step, encoded)
    return concat(
      (holds.includes('evidence.mlDsa65') ? fresh : stale).subarray(0, mlDsaHalf),
      (holds.includes('evidence.ed25519') ? fresh : stale).subarray(mlDsaHalf),
    )
  }
}

/** The log after an attacker has changed its steps. */
export function reseal(
  log: ForgedLog,
  holds: readonly Hold[],
  change: (steps: Step[]) => void,
): ForgedLog {
  const steps = log.sealed.map((was) => ({
    ...was.step,
    matter: structuredClone(was.step.matter),
    was,
  }))
  change(steps)
  return sealLog(log.identity, steps, signAsHeld(log.identity, holds))
}

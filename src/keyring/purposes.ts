// What each key is for, everything about it in one entry. A key serves one purpose and none of its parts serves another.
import { concat } from '../base/bytes.ts'
import {
  signatureAlgorithms,
  type SignatureAlgorithm,
  type SignatureName,
} from '../crypto/signatures.ts'
import { keyIdOf } from '../crypto/spki.ts'
import { xWing } from '../crypto/x-wing.ts'
import { fastKinds, kinds, type Kind, type Profile } from '../dossier/kinds.ts'

/** What is fixed about the keys of one purpose. */
export interface Purpose {
  readonly algorithm: string
  /** How the entries it signs are protected; null for keys that sign no entries. */
  readonly profile: Profile | null
  /** The kinds of entry it signs. */
  readonly kinds: readonly Kind[]
  readonly seedBytes: number
  readonly publicKeyBytes: number
  /** The raw public key of a seed of `seedBytes`. */
  publicKey(seed: Uint8Array): Uint8Array
  /** Hex SHA-256 of the SPKI; null for keys that sign no entries. */
  keyid(publicKey: Uint8Array): string | null
}

const signing = <N extends SignatureName, P extends Profile>(
  name: N,
  profile: P,
  signs: readonly Kind[],
  algorithm: SignatureAlgorithm = signatureAlgorithms[name],
) => ({
  algorithm: name,
  profile,
  kinds: signs,
  seedBytes: algorithm.seedBytes,
  publicKeyBytes: algorithm.publicKeyBytes,
  publicKey: (seed: Uint8Array) => algorithm.publicKey(seed),
  keyid: (publicKey: Uint8Array) => keyIdOf(algorithm, publicKey),
})

const { Ed25519: ed25519, 'ML-DSA-44': mlDsa44 } = signatureAlgorithms
const none: readonly Kind[] = Object.freeze([])

/** Where the ML-DSA-44 half of a log key's seed and public key begins; the Ed25519 half is before it. */
export const logKeySplit = Object.freeze({
  seed: ed25519.seedBytes,
  publicKey: ed25519.publicKeyBytes,
})

/** The purposes by name. */
export const purposes = Object.freeze({
  /** Seals the signing keys; a KEM, which cannot sign. */
  master: {
    algorithm: 'X-Wing',
    profile: null,
    kinds: none,
    seedBytes: xWing.seedBytes,
    publicKeyBytes: xWing.publicKeyBytes,
    publicKey: (seed) => xWing.publicKey(seed),
    keyid: () => null,
  },
  /** Signs entries of every kind. */
  evidence: signing('id-MLDSA65-Ed25519-SHA512', 'each', kinds),
  /** Signs what is shielded by the checkpoint above it. */
  fast: signing('Ed25519', 'checkpoint', fastKinds),
  /** Signs checkpoints, by both algorithms. */
  log: {
    algorithm: 'Ed25519+ML-DSA-44',
    profile: null,
    kinds: none,
    seedBytes: ed25519.seedBytes + mlDsa44.seedBytes,
    publicKeyBytes: ed25519.publicKeyBytes + mlDsa44.publicKeyBytes,
    publicKey: (seed) =>
      concat(
        ed25519.publicKey(seed.subarray(0, logKeySplit.seed)),
        mlDsa44.publicKey(seed.subarray(logKeySplit.seed)),
      ),
    keyid: () => null,
  },
  /** Signs copies of decisions for verifiers that know nothing of this log; made only where somebody wants such copies. */
  bundle: {
    algorithm: 'Ed25519',
    profile: null,
    kinds: none,
    seedBytes: ed25519.seedBytes,
    publicKeyBytes: ed25519.publicKeyBytes,
    publicKey: (seed) => ed25519.publicKey(seed),
    keyid: () => null,
  },
} as const satisfies Record<string, Purpose>)

/** The name of a purpose. */
export type PurposeName = keyof typeof purposes
/** The purposes whose keys sign. */
export type SigningPurpose = Exclude<PurposeName, 'master'>

/** The purposes of the keys that every log has, in the order they are made. */
export const neededPurposes = Object.freeze(['evidence', 'fast', 'log'] as const)

/** A purpose of which a log always has an active key. */
export type NeededPurpose = (typeof neededPurposes)[number]

/** The purposes whose keys sign. */
export const signingPurposes = Object.freeze([...neededPurposes, 'bundle'] as const)

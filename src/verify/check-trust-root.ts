// What a trust root says by texts and names, held against each other: a file whose keys are not the ones it names is no ground to verify on. It
// stands here and not beside the format, because notes and witness policies are read one room above it.
import { decodeBase64 } from '../base/base64.ts'
import { encodeHex } from '../base/bytes.ts'
import { composite } from '../crypto/composite.ts'
import { ed25519 } from '../crypto/ed25519.ts'
import { keyIdOf } from '../crypto/spki.ts'
import type {
  OriginSection,
  TrustedLogKey,
  TrustedSigningKey,
  TrustRoot,
} from '../dossier/trust-root.ts'
import { parseCheckpointVkey } from '../merkle/checkpoint.ts'
import { ed25519Note, mlDsa44Cosignature } from '../merkle/note-signature.ts'
import type { Vkey } from '../merkle/note.ts'
import { parseWitnessPolicy, type WitnessPolicy } from '../merkle/witness-policy.ts'
import { rostersProblem } from './check-rosters.ts'

/** What is wrong with a trust root, under the name of the check that says so. */
export interface TrustProblem {
  readonly check: 'trust-root.keys' | 'trust-root.rosters' | 'trust-root.witnesses'
  readonly reason: string
}

/** A log key with its verifier key read. */
export interface LogKey {
  readonly trusted: TrustedLogKey
  readonly vkey: Vkey
}

/** Who may sign the checkpoints of a log. */
export interface CheckpointKeys {
  readonly logKeys: readonly LogKey[]
  readonly policy: WitnessPolicy
}

const logTypes = [ed25519Note.type, mlDsa44Cosignature.type]

function readLogKey(trusted: TrustedLogKey, origin: string): LogKey | string {
  const vkey = parseCheckpointVkey(trusted.vkey)
  if (typeof vkey === 'string') return `Log key of the trust root: ${vkey}`
  if (vkey.name !== origin) return `Log key is not named after its origin: ${vkey.name}`
  return logTypes.includes(vkey.type)
    ? { trusted, vkey }
    : `Log key is of a type that only cosigns: ${vkey.type}`
}

/** The log keys and the witness policy of a section, or what is wrong with them. */
export function readCheckpointKeys({
  logKeys,
  origin,
  witnesses,
}: OriginSection): CheckpointKeys | TrustProblem {
  const keys: LogKey[] = []
  for (const trusted of logKeys) {
    const key = readLogKey(trusted, origin)
    if (typeof key === 'string') return { check: 'trust-root.keys', reason: key }
    keys.push(key)
  }
  const policy = parseWitnessPolicy(witnesses)
  if (typeof policy === 'string') return { check: 'trust-root.witnesses', reason: policy }
  const own = new Set(keys.map(({ vkey }) => encodeHex(vkey.publicKey)))
  return policy.witnesses.some(({ vkey }) => own.has(encodeHex(vkey.publicKey)))
    ? {
        check: 'trust-root.witnesses',
        reason: 'A log key stands among the witnesses: nobody vouches for himself',
      }
    : { logKeys: keys, policy }
}

/** The first section whose checkpoints or rosters could not be judged by, and why. */
export function sectionsProblem({ origins }: TrustRoot): TrustProblem | undefined {
  for (const section of origins) {
    const read = readCheckpointKeys(section)
    if ('reason' in read) return read
    const reason = rostersProblem(section)
    if (reason !== undefined) return { check: 'trust-root.rosters', reason }
  }
  return undefined
}

/** The algorithm of a key that signs entries. */
const algorithmOf = ({
  algorithm,
}: Pick<TrustedSigningKey, 'algorithm'>): typeof composite | typeof ed25519 =>
  algorithm === 'Ed25519' ? ed25519 : composite

/** The raw public key of a trusted key, or undefined when it is not one of its algorithm, or not the one that `keyid` names. */
export function publicKeyOf(key: TrustedSigningKey): Uint8Array | undefined {
  const publicKey = decodeBase64(key.publicKey)
  const algorithm = algorithmOf(key)
  return publicKey?.length === algorithm.publicKeyBytes &&
    keyIdOf(algorithm, publicKey) === key.keyid
    ? publicKey
    : undefined
}

/** The first key for entries that is not what the file says it is. */
export function signingKeysProblem({ origins }: TrustRoot): TrustProblem | undefined {
  for (const key of origins.flatMap(({ keys }) => keys)) {
    const check = 'trust-root.keys'
    if (publicKeyOf(key) === undefined)
      return { check, reason: `Public key of the trust root does not have this id: ${key.keyid}` }
    if (key.algorithm === 'Ed25519' && key.profile !== 'checkpoint')
      return { check, reason: `Ed25519 key is not one of profile checkpoint: ${key.keyid}` }
  }
  return undefined
}

/** The first thing that is wrong with a trust root beyond its format, or undefined. */
export const checkTrustRoot = (trustRoot: TrustRoot): TrustProblem | undefined =>
  sectionsProblem(trustRoot) ?? signingKeysProblem(trustRoot)

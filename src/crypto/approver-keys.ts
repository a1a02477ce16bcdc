// The kinds of key that approvers have, as entries of one table. A key is one line of text in one form only, so that it can be compared, shown and put
// into a roster; a signature is the text that the approver's tool prints. Which kind a key is of is said by the roster, never by a signature.
import { decodeBase64 } from '../base/base64.ts'
import { decodeHex, encodeHex, utf8 } from '../base/bytes.ts'
import { invalid, valid, type ApproverVerdict } from './approver-verdict.ts'
import { isXOnlyKey, taggedHash, verifySchnorr } from './bip340.ts'
import { addressKeysOf, readAddress, verifyBip322 } from './bip322.ts'
import { labels } from './labels.ts'
import { signatureAlgorithms, type SignatureAlgorithm } from './signatures.ts'
import { formatSshKey, readSshKey, verifySshsig } from './sshsig.ts'

/** One kind of approver key. */
export interface ApproverKeyKind {
  /** Why a text is no key of this kind in its one form; undefined when it is one. */
  problem(key: string): string | undefined
  /**
   * What stands for the point behind the key: two keys that share one of these are one key, whatever they look like.
   * The key must be one without a problem.
   */
  points(key: string): readonly string[]
  /** Judges a signature of a challenge by a key; total on whatever is given. */
  verify(key: string, challenge: Uint8Array, signature: string): ApproverVerdict
}

const noKey: readonly string[] = Object.freeze([])
const notThisKey = invalid('Signature is not one of this text by this key')

/** Raw keys and signatures in base64. */
function raw(
  algorithm: SignatureAlgorithm,
  context: Uint8Array | undefined,
  pointsOf: (publicKey: Uint8Array) => readonly string[],
): ApproverKeyKind {
  const read = (key: string): Uint8Array | undefined => {
    const bytes = decodeBase64(key)
    return bytes?.length === algorithm.publicKeyBytes ? bytes : undefined
  }
  return {
    points: (key) => {
      const bytes = read(key)
      return bytes === undefined ? noKey : pointsOf(bytes)
    },
    problem: (key) =>
      read(key) === undefined
        ? `Key is not ${algorithm.publicKeyBytes} bytes in base64 (${algorithm.name})`
        : undefined,
    verify: (key, challenge, signature) => {
      const [publicKey, bytes] = [read(key), decodeBase64(signature.trim())]
      if (publicKey === undefined || bytes === undefined)
        return invalid('Key or signature is not in base64')
      return algorithm.verify(publicKey, challenge, bytes, context) ? valid : notThisKey
    },
  }
}

const edwards = (publicKey: Uint8Array): readonly string[] => [`ed25519:${encodeHex(publicKey)}`]

const bip340Kind: ApproverKeyKind = {
  points: (key) => {
    const bytes = decodeHex(key)
    if (bytes === undefined || !isXOnlyKey(bytes)) return noKey
    // Who holds it can sign for these addresses as well.
    const { hashes, outputKey } = addressKeysOf(bytes)
    return [
      `secp256k1:${key}`,
      `secp256k1:${encodeHex(outputKey)}`,
      ...hashes.map((hash) => `hash160:${encodeHex(hash)}`),
    ]
  },
  problem: (key) => {
    const bytes = decodeHex(key)
    return bytes !== undefined && isXOnlyKey(bytes)
      ? undefined
      : 'Key is not an x-only public key: 64 hexadecimal digits, a point (BIP-340)'
  },
  verify: (key, challenge, signature) => {
    const [publicKey, bytes] = [decodeHex(key), decodeHex(signature.trim())]
    if (publicKey === undefined || bytes === undefined)
      return invalid('Key or signature is not in hexadecimal')
    const digest = taggedHash(labels.override, challenge)
    return verifySchnorr(publicKey, digest, bytes) ? valid : notThisKey
  },
}

const bip322Kind: ApproverKeyKind = {
  points: (key) => {
    const address = readAddress(key)
    if (typeof address === 'string') return noKey
    return [`${address.kind === 'tr' ? 'secp256k1' : 'hash160'}:${encodeHex(address.key)}`]
  },
  problem: (key) => {
    const address = readAddress(key)
    return typeof address === 'string' ? address : undefined
  },
  verify: (key, challenge, signature) => verifyBip322(key, challenge, signature.trim()),
}

const sshKind: ApproverKeyKind = {
  points: (key) => {
    const ssh = readSshKey(key)
    return typeof ssh === 'string' ? noKey : edwards(ssh.publicKey)
  },
  problem: (key) => {
    const ssh = readSshKey(key)
    if (typeof ssh === 'string') return ssh
    return formatSshKey(ssh) === key ? undefined : 'SSH key is not in its one form'
  },
  verify: (key, challenge, signature) => {
    const ssh = readSshKey(key)
    return typeof ssh === 'string'
      ? invalid(ssh)
      : verifySshsig(ssh, labels.override, challenge, signature)
  },
}

const { Ed25519: ed25519, 'id-MLDSA65-Ed25519-SHA512': composite } = signatureAlgorithms

/** Every kind of approver key by its name in rosters. */
export const approverKeyKinds = Object.freeze({
  Ed25519: raw(ed25519, undefined, edwards),
  SSHSIG: sshKind,
  'BIP-340': bip340Kind,
  'BIP-322': bip322Kind,
  'id-MLDSA65-Ed25519-SHA512': raw(composite, utf8(labels.override), (publicKey) =>
    // Behind the ML-DSA-65 half stands an Ed25519 key, which must not be somebody's other key.
    edwards(publicKey.subarray(1952)),
  ),
} as const satisfies Record<string, ApproverKeyKind>)

/** The name of a kind of approver key. */
export type ApproverKeyKindName = keyof typeof approverKeyKinds

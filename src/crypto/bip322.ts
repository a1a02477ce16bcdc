// BIP-322 v2, simple signatures: a wallet signs a text as if it spent a coin of the address, and the witness of that spending is the signature. Only
// what one key does is judged: P2WPKH, and P2TR by its key path. Scripts, multisig, whole transactions and proofs of funds are `unsupported`, and so
// is what the standard calls inconclusive. Legacy signatures are no signatures here.
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js'
import { ripemd160 } from '@noble/hashes/legacy.js'
import {
  Address,
  NETWORK,
  OutScript,
  RawTx,
  RawWitness,
  Transaction,
  utils,
} from '@scure/btc-signer'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { concat, encodeHex, equalBytes } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { invalid, unsupported, valid, type ApproverVerdict } from './approver-verdict.ts'
import { taggedHash } from './bip340.ts'
import { sha256 } from './hash.ts'

const tag = 'BIP0322-signed-message'
const sighashAll = 1
/** A simple witness is far shorter; what is longer is not decoded. */
const maxSignatureChars = 1024

/** The script that an address pays to, and which of the judged kinds it is. */
interface Challenge {
  readonly kind: 'wpkh' | 'tr'
  readonly script: Uint8Array
  /** HASH160 of the public key (20 bytes), or the output key (32). */
  readonly key: Uint8Array
}

/** What an address stands for, or why it is not judged. Addresses of Bitcoin's main network only. */
export function readAddress(address: string): Challenge | string {
  try {
    const decoded = Address(NETWORK).decode(address)
    // An address has several texts (bech32 in capitals); a key has one.
    if (Address(NETWORK).encode(decoded) !== address) return 'Address is not in its usual form'
    const script = OutScript.encode(decoded)
    if (decoded.type === 'wpkh') return { key: decoded.hash, kind: 'wpkh', script }
    if (decoded.type === 'tr') return { key: decoded.pubkey, kind: 'tr', script }
    return `Addresses of type ${decoded.type} are not supported, only P2WPKH and P2TR`
  } catch {
    return 'Not an address of Bitcoin’s main network'
  }
}

/** SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ message) with BIP-322's tag, 32 bytes. */
export const messageHash = (message: Uint8Array): Uint8Array => taggedHash(tag, message)

const reversed = (bytes: Uint8Array): Uint8Array => bytes.slice().reverse()

/** Id of `to_spend` as it is displayed: 32 bytes, the hash reversed. */
export function toSpendId(script: Uint8Array, message: Uint8Array): Uint8Array {
  const raw = RawTx.encode({
    inputs: [
      {
        finalScriptSig: concat(Uint8Array.of(0x00, 0x20), messageHash(message)),
        index: 0xffffffff,
        sequence: 0,
        txid: new Uint8Array(32),
      },
    ],
    lockTime: 0,
    outputs: [{ amount: 0n, script }],
    segwitFlag: false,
    version: 0,
    witnesses: undefined,
  })
  return reversed(sha256(sha256(raw)))
}

/** `to_sign`, unsigned. */
export function toSign(script: Uint8Array, message: Uint8Array): Transaction {
  const transaction = new Transaction({
    allowUnknownOutputs: true,
    allowUnknownVersion: true,
    lockTime: 0,
    version: 0,
  })
  transaction.addInput({
    index: 0,
    sequence: 0,
    txid: toSpendId(script, message),
    witnessUtxo: { amount: 0n, script },
  })
  transaction.addOutput({ amount: 0n, script: Uint8Array.of(0x6a) })
  return transaction
}

function readWitness(base64: string): readonly Uint8Array[] | undefined {
  const bytes = decodeBase64(base64)
  if (bytes === undefined) return undefined
  try {
    const witness = RawWitness.decode(bytes)
    // A length has one encoding.
    return equalBytes(RawWitness.encode(witness), bytes) ? witness : undefined
  } catch {
    return undefined
  }
}

/** Whether a DER signature is in its one encoding with a low S, as Bitcoin's policy wants it. */
function isStrictDer(der: Uint8Array): boolean {
  try {
    const signature = secp256k1.Signature.fromBytes(der, 'der')
    return !signature.hasHighS() && equalBytes(signature.toBytes('der'), der)
  } catch {
    return false
  }
}

function judgeKeyHash(
  { key: hash, script }: Challenge,
  message: Uint8Array,
  witness: readonly Uint8Array[],
): ApproverVerdict {
  const [signature, publicKey, more] = witness
  if (signature === undefined || publicKey === undefined || more !== undefined)
    return invalid('Witness is not a signature and a public key')
  if (publicKey.length !== 33 || !equalBytes(ripemd160(sha256(publicKey)), hash))
    return invalid('Public key is not the one of the address')
  if (signature.at(-1) !== sighashAll) return invalid('Signature does not cover all')
  const der = signature.subarray(0, -1)
  if (!isStrictDer(der)) return invalid('Signature is not in strict DER with a low S')
  const code = concat(Uint8Array.of(0x76, 0xa9, 0x14), hash, Uint8Array.of(0x88, 0xac))
  const digest = toSign(script, message).preimageWitnessV0(0, code, sighashAll, 0n)
  const options = { format: 'der', lowS: true, prehash: false } as const
  return secp256k1.verify(der, digest, publicKey, options)
    ? valid
    : invalid('Signature is not one of this text by this address')
}

function judgeKeyPath(
  { key, script }: Challenge,
  message: Uint8Array,
  witness: readonly Uint8Array[],
): ApproverVerdict {
  const [signature, more] = witness
  if (signature === undefined) return invalid('Witness is empty')
  if (more !== undefined) return unsupported('Spending by a script path, or an annex')
  const hashType = signature.length === 64 ? 0 : signature.at(-1)
  if (signature.length !== 64 && (signature.length !== 65 || hashType !== sighashAll))
    return invalid('Signature has neither 64 bytes nor 65 that cover all')
  const digest = toSign(script, message).preimageWitnessV1(0, [script], hashType ?? 0, [0n])
  return schnorr.verify(signature.subarray(0, 64), digest, key)
    ? valid
    : invalid('Signature is not one of this text by this address')
}

/** The witness in base64 of a signature, by its prefix; without one it is taken for a simple one and for nothing else. */
function simpleOf(signature: string): string | ApproverVerdict {
  const prefix = signature.slice(0, 3)
  if (prefix === 'smp') return signature.slice(3)
  if (prefix === 'ful') return unsupported('Full BIP-322 signatures')
  if (prefix === 'pof') return unsupported('BIP-322 proofs of funds')
  return signature
}

/**
 * Judges a BIP-322 signature of a text; total on whatever is given.
 * @param address of Bitcoin's main network
 * @param signature as wallets give it: `smp` and the witness in base64
 */
export function verifyBip322(
  address: string,
  message: Uint8Array,
  signature: string,
): ApproverVerdict {
  if (signature.length > maxSignatureChars) return invalid('Signature is too long')
  const challenge = readAddress(address)
  if (typeof challenge === 'string') return unsupported(challenge)
  const simple = simpleOf(signature)
  if (typeof simple !== 'string') return simple
  const witness = readWitness(simple)
  if (witness === undefined) return invalid('Signature is no witness in base64')
  try {
    return challenge.kind === 'wpkh'
      ? judgeKeyHash(challenge, message, witness)
      : judgeKeyPath(challenge, message, witness)
  } catch {
    return invalid('Signature cannot be read')
  }
}

/**
 * The keys of addresses that whoever holds the secret of an x-only key (32 bytes, a point) can sign for: HASH160 of both its compressed forms, and the
 * output key of its key-path address (BIP-341, BIP-86).
 */
export function addressKeysOf(xOnly: Uint8Array): {
  readonly hashes: readonly Uint8Array[]
  readonly outputKey: Uint8Array
} {
  const [outputKey] = utils.taprootTweakPubkey(xOnly, new Uint8Array())
  const hashes = [2, 3].map((sign) => ripemd160(sha256(Uint8Array.of(sign), xOnly)))
  return { hashes, outputKey }
}

/** The key-path address (P2TR, BIP-86) of an x-only key; its own secret signs for it. */
export const keyPathAddressOf = (xOnly: Uint8Array): string =>
  Address(NETWORK).encode({ pubkey: addressKeysOf(xOnly).outputKey, type: 'tr' })

/** The simple signature in base64, with its prefix, that 64 bytes of a key path are. */
export const formatKeyPathSignature = (signature: Uint8Array): string =>
  `smp${encodeBase64(RawWitness.encode([signature]))}`

/** The secret key behind the output key of a key path without scripts (BIP-341, BIP-86), 32 bytes that the caller wipes. */
function tweakForKeyPath(secretKey: Uint8Array): Uint8Array {
  const { Fn } = secp256k1.Point
  const publicKey = secp256k1.getPublicKey(secretKey, true)
  const scalar = Fn.fromBytes(secretKey)
  const even = publicKey[0] === 2 ? scalar : Fn.neg(scalar)
  const tweak = Fn.fromBytes(taggedHash('TapTweak', publicKey.subarray(1)))
  return Fn.toBytes(Fn.add(even, tweak))
}

/**
 * Signs a text for the key-path address of a secret key: 64 bytes.
 * @param auxiliary 32 random bytes
 * @throws when the key (32 bytes) is zero or not below the order
 */
export function signKeyPath(
  secretKey: Uint8Array,
  message: Uint8Array,
  auxiliary?: Uint8Array,
): Uint8Array {
  const challenge = readAddress(keyPathAddressOf(schnorr.getPublicKey(secretKey)))
  invariant(typeof challenge !== 'string', 'Address of a key is none')
  const { script } = challenge
  const digest = toSign(script, message).preimageWitnessV1(0, [script], 0, [0n])
  const tweaked = tweakForKeyPath(secretKey)
  try {
    return schnorr.sign(digest, tweaked, auxiliary)
  } finally {
    tweaked.fill(0)
  }
}

/** Id of `to_sign` as it is displayed, in hex. */
export const toSignId = (script: Uint8Array, message: Uint8Array): string =>
  encodeHex(reversed(sha256(sha256(toSign(script, message).toBytes(true, false)))))

// The keys of a witness: one seed for Ed25519 and one for ML-DSA-44 cosignatures, in a file that its owner alone may read, with the witness's name.
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { fromUtf8, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { Secret } from '../crypto/secret.ts'
import { signatureAlgorithms, type Signer } from '../crypto/signatures.ts'
import { readSecretFile } from '../kek/kek-file.ts'
import { createPrivateFile } from '../kek/private-file.ts'
import { ed25519Cosignature, mlDsa44Cosignature } from '../merkle/note-signature.ts'
import { createVkey, type Vkey } from '../merkle/note.ts'

/** A witness's name and its two keys. */
export interface WitnessKeys {
  readonly name: string
  readonly signers: readonly Signer[]
  /** In the order of the signers: Ed25519, ML-DSA-44. */
  readonly vkeys: readonly Vkey[]
}

const seedBytes = 32
/** With the seeds it must find room in a secret's file. */
const maxNameBytes = 150
const kinds = [
  { algorithm: signatureAlgorithms.Ed25519, type: ed25519Cosignature.type },
  { algorithm: signatureAlgorithms['ML-DSA-44'], type: mlDsa44Cosignature.type },
]

function makeKeys(name: string, seeds: Secret): WitnessKeys {
  const signers = kinds.map(({ algorithm }, i) => {
    const seed = seeds.part(i * seedBytes, (i + 1) * seedBytes)
    try {
      return algorithm.signer(seed)
    } finally {
      seed.wipe()
    }
  })
  const vkeys = signers.map(({ publicKey }, i) => createVkey(name, kinds[i]?.type ?? 0, publicKey))
  return { name, signers, vkeys }
}

/** @throws {@link Failure} INPUT_INVALID for a name that may not stand in a note or is too long */
export function expectWitnessName(name: string): void {
  if (utf8(name).length > maxNameBytes)
    throw new Failure('INPUT_INVALID', `Name of a witness has at most ${maxNameBytes} bytes`, {
      field: 'name',
    })
  createVkey(name, ed25519Cosignature.type, new Uint8Array(32))
}

/**
 * Makes the key file of a new witness, mode 0600; durable when it returns. The name must be one that no other cosigner has.
 * @throws {@link Failure} INPUT_INVALID for a name that may not stand in a note, INPUT_EXISTS, STORE_FAILED
 */
export function createWitnessKeyFile(path: string, name: string): void {
  expectWitnessName(name)
  using seeds = Secret.random(kinds.length * seedBytes)
  seeds.use((bytes) => {
    const text = utf8(`${name}\n${encodeBase64(bytes)}\n`)
    createPrivateFile(path, text, 'Witness key')
    text.fill(0)
  })
}

/**
 * The keys of a witness's key file.
 * @throws {@link Failure} CONFIG_INVALID when the file is missing, others may read it, or it is no witness key
 */
export function readWitnessKeyFile(path: string): WitnessKeys {
  using text = readSecretFile(path, 'Witness key')
  const wrong = (): Failure => new Failure('CONFIG_INVALID', `Not a witness key: ${path}`)
  const [name, bytes] = text.use((secret): readonly [string, Uint8Array] => {
    const end = secret.indexOf(0x0a)
    const seeds = decodeBase64(Buffer.from(secret.subarray(end + 1)).toString('latin1'))
    if (end < 1 || seeds?.length !== kinds.length * seedBytes) throw wrong()
    try {
      return [fromUtf8(secret.slice(0, end)), seeds]
    } catch {
      throw wrong()
    }
  })
  using seeds = new Secret(bytes)
  return makeKeys(name, seeds)
}

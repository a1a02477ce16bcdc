// SSH signatures (OpenSSH PROTOCOL.sshsig) by Ed25519 keys, also those of security keys (PROTOCOL.u2f), as stock `ssh-keygen -Y sign` makes them. The
// namespace keeps a signature made for one thing from being one for another; who asks names it.
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { concat, equalBytes, fromUtf8, utf8 } from '../base/bytes.ts'
import { invalid, unsupported, valid, type ApproverVerdict } from './approver-verdict.ts'
import { ed25519 } from './ed25519.ts'
import { sha256, sha512 } from './hash.ts'

const magic = utf8('SSHSIG')
const plainType = 'ssh-ed25519'
const securityType = 'sk-ssh-ed25519@openssh.com'
const hashes: Readonly<Record<string, (message: Uint8Array) => Uint8Array>> = { sha256, sha512 }
const begin = '-----BEGIN SSH SIGNATURE-----'
const end = '-----END SSH SIGNATURE-----'
const maxArmorChars = 4096
/** Somebody has touched the security key. */
const userPresent = 0x01

/** An Ed25519 key as OpenSSH writes it. */
export interface SshKey {
  /** Its blob: what stands in base64 behind the type. */
  readonly blob: Uint8Array
  /** Raw Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** What a security key was made for, such as `ssh:`; undefined for a key in a file. */
  readonly application: Uint8Array | undefined
}

/** Reads the strings of SSH's wire format (RFC 4251 §5); everything about it is checked by {@link Reader.done}. */
class Reader {
  readonly #bytes: Uint8Array
  #at = 0
  #good = true

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  take(length: number): Uint8Array {
    const from = this.#at
    if (!this.#good || length > this.#bytes.length - from) {
      this.#good = false
      return new Uint8Array()
    }
    this.#at += length
    return this.#bytes.slice(from, this.#at)
  }

  number(): number {
    const bytes = this.take(4)
    return bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  }

  string(): Uint8Array {
    return this.take(this.number())
  }

  text(): string {
    try {
      return fromUtf8(this.string())
    } catch {
      this.#good = false
      return ''
    }
  }

  /** Whether nothing was missing and nothing is left. */
  get done(): boolean {
    return this.#good && this.#at === this.#bytes.length
  }
}

const string = (bytes: Uint8Array): Uint8Array => {
  const { length } = bytes
  const prefix = [length >>> 24, length >>> 16, length >>> 8, length].map((part) => part & 0xff)
  return concat(Uint8Array.from(prefix), bytes)
}

function readKey(blob: Uint8Array): SshKey | string {
  const reader = new Reader(blob)
  const type = reader.text()
  if (type !== plainType && type !== securityType)
    return `SSH keys of type ${type} are not supported, only Ed25519`
  const publicKey = reader.string()
  const application = type === securityType ? reader.string() : undefined
  if (!reader.done || publicKey.length !== ed25519.publicKeyBytes) return 'SSH key is malformed'
  return { application, blob, publicKey }
}

/** The key of a line as in `id_ed25519.pub`, its comment left out: type and blob. A reason when it is none that is judged. */
export function readSshKey(line: string): SshKey | string {
  const [type, base64, ...rest] = line.split(' ')
  const blob = decodeBase64(base64 ?? '')
  if (type === undefined || blob === undefined || rest.length > 0)
    return 'Not an SSH public key: type and base64 are expected'
  const key = readKey(blob)
  if (typeof key === 'string') return key
  return type === (key.application === undefined ? plainType : securityType)
    ? key
    : 'SSH key is of another type than it says'
}

/** The line of a key, without comment. */
export const formatSshKey = ({ application, blob }: SshKey): string =>
  `${application === undefined ? plainType : securityType} ${encodeBase64(blob)}`

function dearmor(armor: string): Uint8Array | undefined {
  const lines = armor.replaceAll('\r\n', '\n').trimEnd().split('\n')
  if (lines[0] !== begin || lines.at(-1) !== end) return undefined
  return decodeBase64(lines.slice(1, -1).join(''))
}

/** What the key signs for a security key: PROTOCOL.u2f, "SSH U2F Signatures". */
const securityMessage = (
  application: Uint8Array,
  tail: Uint8Array,
  signed: Uint8Array,
): Uint8Array => concat(sha256(application), tail, sha256(signed))

function judgeBlob(key: SshKey, signed: Uint8Array, blob: Uint8Array): ApproverVerdict {
  const reader = new Reader(blob)
  const type = reader.text()
  const signature = reader.string()
  const tail = key.application === undefined ? undefined : reader.take(5)
  if (!reader.done || type !== (tail === undefined ? plainType : securityType))
    return invalid('Signature inside is malformed or of another type than its key')
  if (tail !== undefined && ((tail[0] ?? 0) & userPresent) === 0)
    return invalid('Nobody touched the security key')
  const message =
    key.application === undefined || tail === undefined
      ? signed
      : securityMessage(key.application, tail, signed)
  return ed25519.verify(key.publicKey, message, signature)
    ? valid
    : invalid('Signature is not one of this text by this key')
}

/**
 * Judges an armored SSH signature of a text; total on whatever is given.
 * @param namespace that it must have been made for
 */
export function verifySshsig(
  key: SshKey,
  namespace: string,
  message: Uint8Array,
  armor: string,
): ApproverVerdict {
  const bytes = armor.length > maxArmorChars ? undefined : dearmor(armor)
  if (bytes === undefined) return invalid('Not an armored SSH signature')
  const reader = new Reader(bytes)
  const preamble = reader.take(magic.length)
  const version = reader.number()
  if (!equalBytes(preamble, magic)) return invalid('Not an SSH signature')
  if (version !== 1) return unsupported(`SSH signatures of version ${version}`)
  const blob = reader.string()
  const space = reader.string()
  const reserved = reader.string()
  const hashName = reader.text()
  const inner = reader.string()
  if (!reader.done) return invalid('SSH signature is malformed')
  if (!equalBytes(blob, key.blob)) return invalid('Signature is by another key')
  if (!equalBytes(space, utf8(namespace)))
    return invalid(`Signature was made for another namespace than ${namespace}`)
  const hash = Object.hasOwn(hashes, hashName) ? hashes[hashName] : undefined
  if (hash === undefined) return unsupported(`SSH signatures over the hash ${hashName}`)
  const signed = concat(magic, ...[space, reserved, utf8(hashName), hash(message)].map(string))
  return judgeBlob(key, signed, inner)
}

// A client of a tiled log, written from the texts of C2SP alone (signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles) and RFC 6962, with nothing of
// ours in it: what it can walk, others can.
import { createHash, createPublicKey, verify } from 'node:crypto'

/** Gives the bytes of a path below the log's prefix. */
export type Fetch = (path: string) => Buffer | Promise<Buffer>

/** A checkpoint whose signatures hold. */
export interface WalkedCheckpoint {
  readonly origin: string
  readonly size: number
  readonly root: string
  /** Algorithms of the lines that were verified. */
  readonly signedBy: readonly string[]
}

const sha256 = (...parts: readonly Buffer[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest()
const leafHash = (entry: Buffer): Buffer => sha256(Buffer.of(0), entry)
const nodeHash = (left: Buffer, right: Buffer): Buffer => sha256(Buffer.of(1), left, right)

interface Vkey {
  readonly name: string
  readonly id: string
  readonly type: number
  readonly raw: Buffer
}

/** `name+8 hex digits+base64(type byte, public key)`; names hold no plus sign. */
function readVkey(text: string): Vkey {
  const [name = '', id = '', ...rest] = text.split('+')
  const bytes = Buffer.from(rest.join('+'), 'base64')
  const expected = sha256(Buffer.from(`${name}\n`), bytes)
    .subarray(0, 4)
    .toString('hex')
  if (id !== expected) throw new Error(`Key id of ${name} should be ${expected}`)
  return { id, name, raw: bytes.subarray(1), type: bytes[0] ?? 0 }
}

const spki = {
  1: Buffer.from('302a300506032b6570032100', 'hex'),
  4: Buffer.from('302a300506032b6570032100', 'hex'),
  6: Buffer.from('30820532300b06096086480165030403110382052100', 'hex'),
} as const

const u64 = (n: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(n))
  return bytes
}
const short = (text: string): Buffer => Buffer.concat([Buffer.of(text.length), Buffer.from(text)])

/** Whether a signature line verifies; its blob comes without the key id. */
function lineHolds(
  { name, raw, type }: Vkey,
  text: string,
  blob: Buffer,
  { origin, root, size }: { origin: string; root: string; size: number },
): boolean {
  if (type !== 1 && type !== 4 && type !== 6)
    throw new Error(`Signature type ${type} is not one that we know`)
  const key = createPublicKey({
    format: 'der',
    key: Buffer.concat([spki[type], raw]),
    type: 'spki',
  })
  if (type === 1) return verify(null, Buffer.from(text), key, blob)
  if (type === 4) {
    const timed = `cosignature/v1\ntime ${blob.readBigUInt64BE(0)}\n${text}`
    return verify(null, Buffer.from(timed), key, blob.subarray(8))
  }
  const message = Buffer.concat([
    Buffer.from('subtree/v1\n\0'),
    short(name),
    blob.subarray(0, 8),
    short(origin),
    u64(0),
    u64(size),
    Buffer.from(root, 'base64'),
  ])
  return verify(null, message, key, blob.subarray(8))
}

/** Reads a checkpoint; every line of a known key must verify, and every known key must have one. */
export function readCheckpoint(note: string, vkeys: readonly string[]): WalkedCheckpoint {
  const split = note.lastIndexOf('\n\n')
  const text = note.slice(0, split + 1)
  const [origin = '', sizeLine = '', root = '', ...extensions] = text.split('\n')
  if (extensions.join('') !== '') throw new Error('Extension lines')
  if (!/^(0|[1-9]\d*)$/.test(sizeLine)) throw new Error(`Not a size: ${sizeLine}`)
  const size = Number(sizeLine)
  const keys = vkeys.map(readVkey)
  const signedBy: string[] = []
  for (const line of note
    .slice(split + 2)
    .split('\n')
    .filter(Boolean)) {
    const [, name, base64 = ''] = /^— (\S+) (\S+)$/.exec(line) ?? []
    const bytes = Buffer.from(base64, 'base64')
    const id = bytes.subarray(0, 4).toString('hex')
    const key = keys.find((one) => one.name === name && one.id === id)
    if (key === undefined) continue
    if (!lineHolds(key, text, bytes.subarray(4), { origin, root, size }))
      throw new Error(`Line of ${key.name} does not verify`)
    signedBy.push(key.type === 6 ? 'ML-DSA-44' : 'Ed25519')
  }
  if (signedBy.length !== keys.length) throw new Error(`Signed by ${signedBy.join()} only`)
  return { origin, root, signedBy, size }
}

/** `x001/x234/067`, and `.p/W` where the tile is not full. */
function pathOf(level: number | 'entries', n: number, width: number): string {
  const groups: string[] = []
  for (let rest = n; groups.length === 0 || rest > 0; rest = Math.floor(rest / 1000))
    groups.unshift(String(rest % 1000).padStart(3, '0'))
  const named = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group))
  return `tile/${level}/${named.join('/')}${width < 256 ? `.p/${width}` : ''}`
}

/** MTH of RFC 6962 over hashes of leaves or of perfect subtrees of one size. */
function treeHash(hashes: readonly Buffer[]): Buffer {
  if (hashes.length <= 1) return hashes[0] ?? sha256()
  const k = 2 ** Math.floor(Math.log2(hashes.length - 1))
  return nodeHash(treeHash(hashes.slice(0, k)), treeHash(hashes.slice(k)))
}

const chunks = (bytes: Buffer): Buffer[] =>
  Array.from({ length: bytes.length / 32 }, (_, i) => bytes.subarray(32 * i, 32 * (i + 1)))

function readBundle(bytes: Buffer): Buffer[] {
  const entries: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + bytes.readUInt16BE(at)
    entries.push(bytes.subarray(at + 2, end))
    at = end
  }
  return entries
}

/**
 * Walks the whole tree of a checkpoint: every bundle gives its tile, every full tile its hash in the tile above, and all together the root.
 * Returns the entries.
 */
export async function walk(
  fetch: Fetch,
  { root, size }: Pick<WalkedCheckpoint, 'root' | 'size'>,
): Promise<readonly Buffer[]> {
  const entries: Buffer[] = []
  let below: Buffer[] = []
  for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / 256)) {
    const above: Buffer[] = []
    for (let n = 0; n * 256 < count; n++) {
      const width = Math.min(256, count - n * 256)
      const hashes = chunks(await fetch(pathOf(level, n, width)))
      if (hashes.length !== width) throw new Error(`Tile of ${hashes.length}, not ${width}`)
      if (level === 0) {
        const bundle = readBundle(await fetch(pathOf('entries', n, width)))
        entries.push(...bundle)
        below.push(...bundle.map(leafHash))
      }
      if (!hashes.every((hash, i) => below[n * 256 + i]?.equals(hash)))
        throw new Error(`Tile ${level}/${n} is not made of what is below it`)
      if (width === 256) above.push(treeHash(hashes))
    }
    below = above
  }
  if (treeHash(entries.map(leafHash)).toString('base64') !== root)
    throw new Error('Entries do not give the root')
  return entries
}

/** Whether a smaller checkpoint is the beginning of a larger one whose entries were walked. */
export const isPrefix = (
  entries: readonly Buffer[],
  { root, size }: Pick<WalkedCheckpoint, 'root' | 'size'>,
): boolean => treeHash(entries.slice(0, size).map(leafHash)).toString('base64') === root

// The pin: a note outside the database of the last tree head we acknowledged, so that a database copied back from yesterday is not believed.
// Two slots are written in turn, each with its checksum, so that a write torn by a crash leaves the one before it whole.
import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { canonicalize, parseCanonical } from '../base/canonical-json.ts'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'
import { makeDirectory, syncPathNow } from '../store/make-directory.ts'

/** Hex leaf hash of the last entry of each stream whose end is kept; one that has none is empty. */
export type StreamEnds = Readonly<Partial<Record<string, string>>>

/** What is pinned of one log. */
export interface Pin {
  readonly origin: string
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** Epoch of the key manifest. */
  readonly epoch: number
  /** See stream-ends.ts; pins of before ends were kept have none. */
  readonly streams?: StreamEnds | undefined
}

/** Where a log's pin is kept. When `write` resolves, the pin is durable; a crash during it leaves the old or the new one, never neither. */
export interface PinStore {
  /** The pin, or undefined when none was ever written. @throws {@link Failure} LOG_ROLLBACK when what is there is not a pin */
  read(): Promise<Pin | undefined>
  write(pin: Pin): Promise<void>
  close(): Promise<void>
}

// A slot has a disk page of its own: a torn write cannot reach into the other.
const slotBytes = 4096

const schema = z.strictObject({
  count: z.int().min(1),
  epoch: z.int().min(0),
  origin: z.string(),
  root: z.string(),
  size: z.int().min(0),
  streams: z.record(z.string().max(64), z.string().regex(/^[0-9a-f]{64}$/)).optional(),
  writer: z.string().optional(),
})

/** A pin and the how-manieth it is. */
export interface PinRecord {
  readonly pin: Pin
  readonly count: number
  /** Who wrote it, where a place has no lock and several might. */
  readonly writer?: string | undefined
}

/** A pin as text with a checksum, two lines. */
export function formatPinRecord({ count, pin, writer }: PinRecord): Uint8Array {
  const { epoch, origin, size, streams } = pin
  const by = writer === undefined ? {} : { writer }
  const ends = streams === undefined ? {} : { streams }
  const root = encodeBase64(pin.root)
  const text = canonicalize({ ...by, ...ends, count, epoch, origin, root, size })
  return utf8(`${text}\n${encodeHex(sha256(utf8(text)))}\n`)
}

function tryParse(text: string): unknown {
  try {
    return parseCanonical(utf8(text))
  } catch {
    return undefined
  }
}

/** The pin of a text, which may have zeros behind it; undefined when it is not whole. */
export function parsePinRecord(bytes: Uint8Array): PinRecord | undefined {
  const [text, sum, rest] = Buffer.from(bytes).toString('latin1').split('\n')
  if (text === undefined || sum !== encodeHex(sha256(utf8(text)))) return undefined
  if (rest === undefined || /[^\0]/.test(rest)) return undefined
  const parsed = schema.safeParse(tryParse(text)).data
  const root = parsed === undefined ? undefined : decodeBase64(parsed.root)
  if (parsed === undefined || root?.length !== 32) return undefined
  const { count, epoch, origin, size, streams, writer } = parsed
  const ends = streams === undefined ? {} : { streams }
  return { count, pin: { epoch, origin, root, size, ...ends }, writer }
}

function formatSlot(record: PinRecord): Uint8Array {
  const bytes = formatPinRecord(record)
  if (bytes.length > slotBytes) throw new Failure('BUG', `Pin is too long: ${bytes.length}`)
  const slot = new Uint8Array(slotBytes)
  slot.set(bytes)
  return slot
}

/** The newest whole record of a pin file's bytes, if any. */
function newestSlot(file: Uint8Array): PinRecord | undefined {
  return [file.subarray(0, slotBytes), file.subarray(slotBytes)]
    .map(parsePinRecord)
    .filter((slot) => slot !== undefined)
    .sort((a, b) => b.count - a.count)
    .at(0)
}

/** The pin that a pin file or a pin object holds, if any. */
export const parsePinFile = (bytes: Uint8Array): Pin | undefined => newestSlot(bytes)?.pin

/** A pin in a file of two slots; who only reads needs no right to write. */
export class PinFile implements PinStore {
  readonly #path: string
  readonly #mode: 'r' | 'r+'
  #fd: number | undefined
  #count = 0
  #seen: Buffer | undefined

  constructor(path: string, mode: 'r' | 'r+' = 'r+') {
    this.#path = path
    this.#mode = mode
  }

  read(): Promise<Pin | undefined> {
    return Promise.resolve().then(() => this.#read())
  }

  #read(): Pin | undefined {
    const file = Buffer.alloc(2 * slotBytes)
    const length = readSync(this.#open(), file, 0, file.length, 0)
    this.#seen = file
    if (length === 0) return undefined
    const newest = newestSlot(file)
    if (newest === undefined)
      throw new Failure('LOG_ROLLBACK', `Pin file holds no whole pin, restore it: ${this.#path}`)
    this.#count = newest.count
    return newest.pin
  }

  /** Whether the file is as this process read it last and wrote to it since. */
  #isAsSeen(): boolean {
    const file = Buffer.alloc(2 * slotBytes)
    readSync(this.#open(), file, 0, file.length, 0)
    return this.#seen?.equals(file) === true
  }

  write(pin: Pin): Promise<void> {
    return Promise.resolve().then(() => {
      this.#write(pin)
    })
  }

  #write(pin: Pin): void {
    const fd = this.#open()
    const seen = this.#count
    // To parse both slots for every commit would take as long as to sign a few entries.
    if (!this.#isAsSeen()) this.#read()
    // Compare and set: whoever wrote in between runs on a copy of the same data, and one of two must not go on.
    if (seen !== 0 && this.#count !== seen) {
      this.#count = seen
      this.#seen = undefined
      throw new Failure(
        'LOG_ROLLBACK',
        `Pin was written by somebody else, stop the other writer: ${this.#path}`,
      )
    }
    const count = this.#count + 1
    const at = (count % 2) * slotBytes
    const slot = formatSlot({ count, pin })
    try {
      writeSync(fd, slot, 0, slotBytes, at)
      fdatasyncSync(fd)
    } catch (cause) {
      throw new Failure('STORE_FAILED', `Pin could not be written: ${this.#path}`, { cause })
    }
    this.#count = count
    this.#seen?.set(slot, at)
  }

  #open(): number {
    if (this.#fd !== undefined) return this.#fd
    try {
      if (this.#mode === 'r+') makeDirectory(dirname(this.#path))
      this.#fd = openSync(this.#path, this.#mode)
    } catch (cause) {
      if (this.#mode === 'r' || (cause as NodeJS.ErrnoException).code !== 'ENOENT')
        throw new Failure('STORE_FAILED', `Pin cannot be opened: ${this.#path}`, { cause })
      this.#fd = openSync(this.#path, 'wx+', 0o600)
      // The name must survive a crash as well as the content.
      syncPathNow(dirname(this.#path))
    }
    return this.#fd
  }

  close(): Promise<void> {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
    return Promise.resolve()
  }
}

// A search of this process's own writable memory. What is looked for is never in memory in the clear because of the search: patterns are kept
// masked and compared byte by byte, and the window that memory is read through is wiped before it is used again.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** Bytes to look for, at most {@link patternBytes}. */
export interface Pattern {
  /** Whose bytes, and in which form. */
  readonly name: string
  /** Each byte XORed with that of the mask. */
  readonly masked: Uint8Array
}

/** What a search saw. */
export interface Sighting {
  /** How often each pattern was found, of those found. */
  readonly found: Readonly<Record<string, number>>
  /** Mapping and address of each, for whoever must find out why. */
  readonly places: readonly string[]
  readonly scannedBytes: number
  /** Writable memory that could not be read. */
  readonly unreadBytes: number
}

/** The longest pattern. */
export const patternBytes = 128

const windowBytes = 1 << 20
const pageBytes = 4096

interface Mapping {
  readonly start: number
  readonly end: number
  readonly name: string
}

const writableMappings = (): Mapping[] =>
  readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, start, end, name] = /^(\w+)-(\w+) .w.. \S+ \S+ \S+ *(.*)$/.exec(line) ?? []
      if (start === undefined || end === undefined) return []
      return [{ start: parseInt(start, 16), end: parseInt(end, 16), name: name || 'anonymous' }]
    })

/** The parts of a mapping that were ever written or read: V8 reserves half a gigabyte for code and uses little of it. */
function residentParts({ start, end, name }: Mapping): Mapping[] {
  const parts: Mapping[] = []
  const flags = Buffer.alloc(((end - start) / pageBytes) * 8)
  const pagemap = openSync('/proc/self/pagemap', 'r')
  try {
    readSync(pagemap, flags, 0, flags.length, (start / pageBytes) * 8)
  } finally {
    closeSync(pagemap)
  }
  for (let page = start; page < end; page += pageBytes) {
    // Bit 63: in memory. Bit 62: swapped out.
    if ((flags[((page - start) / pageBytes) * 8 + 7] ?? 0) < 0x40) continue
    const last = parts.pop()
    if (last?.end === page) parts.push({ ...last, end: page + pageBytes })
    else {
      if (last !== undefined) parts.push(last)
      parts.push({ start: page, end: page + pageBytes, name })
    }
  }
  return parts
}

/** Gives how many bytes were read, 0 when the first of them cannot be. */
function readSome(
  memory: number,
  into: Uint8Array,
  offset: number,
  length: number,
  address: number,
): number {
  try {
    return readSync(memory, into, offset, length, address)
  } catch {
    return 0
  }
}

const hash = (word: number): number => Math.imul(word, 0x9e3779b1) >>> 12

/** Patterns by the hash of their first four bytes. */
export class MemoryScanner {
  readonly #patterns: readonly Pattern[]
  readonly #mask: Uint8Array
  readonly #heads = new Int32Array(1 << 20)
  readonly #next: Int32Array
  readonly #window = new Uint8Array(new ArrayBuffer(windowBytes))

  constructor(patterns: readonly Pattern[], mask: Uint8Array) {
    this.#patterns = patterns
    this.#mask = mask
    this.#next = new Int32Array(patterns.length + 1)
    for (const [i, { masked }] of patterns.entries()) {
      let word = 0
      for (let at = 0; at < 4; at++)
        word = (word << 8) | ((masked[at] ?? 0) ^ (this.#mask[at] ?? 0))
      const slot = hash(word)
      this.#next[i + 1] = this.#heads[slot] ?? 0
      this.#heads[slot] = i + 1
    }
  }

  /** Looks for every pattern in all memory that this process can write. */
  scan(): Sighting {
    const found: Record<string, number> = {}
    const places: string[] = []
    let [scannedBytes, unreadBytes] = [0, 0]
    const memory = openSync('/proc/self/mem', 'r')
    try {
      for (const { start, end, name } of writableMappings().flatMap(residentParts)) {
        // Windows overlap, so that nothing is missed where two meet.
        for (let at = start; at < end; at += windowBytes - patternBytes) {
          const length = Math.min(windowBytes, end - at)
          unreadBytes += this.#read(memory, at, length)
          scannedBytes += length
          this.#search(length, (pattern, offset) => {
            found[pattern.name] = (found[pattern.name] ?? 0) + 1
            places.push(`${pattern.name} at ${(at + offset).toString(16)} in ${name}`)
          })
          this.#window.fill(0)
        }
      }
    } finally {
      closeSync(memory)
    }
    return { found, places, scannedBytes, unreadBytes }
  }

  /** Fills the window; gives how many bytes could not be read. */
  #read(memory: number, at: number, length: number): number {
    let unread = 0
    for (let done = 0; done < length;) {
      const got = readSome(memory, this.#window, done, length - done, at + done)
      done += got
      if (got === 0) {
        const skipped = Math.min(pageBytes - ((at + done) % pageBytes), length - done)
        done += skipped
        unread += skipped
      }
    }
    return unread
  }

  #search(length: number, report: (pattern: Pattern, offset: number) => void): void {
    const [window, heads] = [this.#window, this.#heads]
    let word = 0
    for (let i = 0; i < length; i++) {
      word = (word << 8) | (window[i] ?? 0)
      for (let n = heads[hash(word)] ?? 0; n !== 0; n = this.#next[n] ?? 0) {
        const pattern = this.#patterns[n - 1]
        if (pattern !== undefined && this.#matches(pattern, i - 3, length)) report(pattern, i - 3)
      }
    }
  }

  #matches({ masked }: Pattern, offset: number, length: number): boolean {
    if (offset < 0 || offset + masked.length > length) return false
    for (let i = 0; i < masked.length; i++)
      if (((this.#window[offset + i] ?? 0) ^ (this.#mask[i] ?? 0)) !== masked[i]) return false
    return true
  }
}

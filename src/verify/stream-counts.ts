import { utf8 } from '../base/bytes.ts'
import { sha256 } from '../crypto/hash.ts'

const keyWords = 4

/**
 * How many entries of each stream are still to come: a number a stream in 20 bytes, in a table of which at most three quarters are used.
 *
 * A stream is known by 128 bits of its hash. Two that shared them would count together, which can make a count too high and never one too low: whoever
 * made such streams would only have his own file refused.
 */
export class StreamCounts {
  #keys = new Uint32Array(64 * keyWords)
  #counts = new Int32Array(64)
  #used = new Uint8Array(64)
  #size = 0

  /** Streams in the table. */
  get size(): number {
    return this.#size
  }

  /** Whether every count has come to nothing. */
  get settled(): boolean {
    return this.#counts.every((count) => count === 0)
  }

  /** Puts a stream into the table with what is to come; false when it is there already. */
  expect(stream: string, count: number): boolean {
    if (4 * (this.#size + 1) > 3 * this.#used.length) this.#grow()
    const key = keyOf(stream)
    const slot = this.#find(key)
    if (this.#used[slot] === 1) return false
    this.#put(slot, key, count)
    this.#size++
    return true
  }

  /** Counts one entry of a stream; gives how many are still to come, below 0 when there are more than expected, undefined when nobody asked. */
  meet(stream: string): number | undefined {
    if (this.#size === 0) return undefined
    const slot = this.#find(keyOf(stream))
    if (this.#used[slot] !== 1) return undefined
    const left = (this.#counts[slot] ?? 0) - 1
    this.#counts[slot] = left
    return left
  }

  #put(slot: number, key: Uint32Array, count: number): void {
    this.#keys.set(key, slot * keyWords)
    this.#counts[slot] = count
    this.#used[slot] = 1
  }

  /** The slot of a key, or the free one that it would take. */
  #find(key: Uint32Array): number {
    const mask = this.#used.length - 1
    for (let slot = (key[0] ?? 0) & mask; ; slot = (slot + 1) & mask)
      if (this.#used[slot] !== 1 || this.#holds(slot, key)) return slot
  }

  #holds(slot: number, key: Uint32Array): boolean {
    const at = slot * keyWords
    return key.every((word, i) => this.#keys[at + i] === word)
  }

  #grow(): void {
    const [keys, counts, used] = [this.#keys, this.#counts, this.#used]
    const slots = 2 * used.length
    this.#keys = new Uint32Array(slots * keyWords)
    this.#counts = new Int32Array(slots)
    this.#used = new Uint8Array(slots)
    for (let old = 0; old < used.length; old++) {
      if (used[old] !== 1) continue
      const key = keys.slice(old * keyWords, (old + 1) * keyWords)
      this.#put(this.#find(key), key, counts[old] ?? 0)
    }
  }
}

/** Hashed, so that nobody chooses where his streams fall. */
function keyOf(stream: string): Uint32Array {
  const { buffer, byteLength, byteOffset } = sha256(utf8(stream))
  const view = new DataView(buffer, byteOffset, byteLength)
  return Uint32Array.from({ length: keyWords }, (_, i) => view.getUint32(4 * i))
}

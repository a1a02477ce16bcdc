// Calls that wait for their answers. Not a map: what a map's old tables held stays alive until the next full collection, so that every answer of a
// busy server grew old and the collector copied it twice.

/** What waits, each under an id of its own, from 1 on. */
export class OpenCalls<T> {
  #places: ({ readonly id: number; readonly waiting: T } | undefined)[] = Array.from({ length: 64 })
  #count = 0
  #lastId = 0

  /** Keeps it and gives its id; ids rise and none is given twice. */
  add(waiting: T): number {
    if (2 * this.#count >= this.#places.length) this.#widen()
    // At most half of the places are taken, so that the next free one is near.
    do this.#lastId++
    while (this.#places[this.#lastId % this.#places.length] !== undefined)
    this.#places[this.#lastId % this.#places.length] = { id: this.#lastId, waiting }
    this.#count++
    return this.#lastId
  }

  /** Gives what waits under an id and forgets it; undefined where nothing does any more. */
  take(id: number): T | undefined {
    const at = id % this.#places.length
    const found = this.#places[at]
    if (found?.id !== id) return undefined
    this.#places[at] = undefined
    this.#count--
    return found.waiting
  }

  /** Gives all that waits and forgets it. */
  takeAll(): readonly T[] {
    const all = this.#places.flatMap((place) => (place === undefined ? [] : [place.waiting]))
    this.#places.fill(undefined)
    this.#count = 0
    return all
  }

  #widen(): void {
    const places = this.#places
    this.#places = Array.from({ length: 2 * places.length })
    // Ids that differ in the smaller table differ in the larger one.
    for (const place of places)
      if (place !== undefined) this.#places[place.id % this.#places.length] = place
  }
}

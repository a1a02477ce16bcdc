import { setImmediate } from 'node:timers/promises'

/** How long a thread is held at a time; a single step is done at once, however long that takes. */
const sliceMs = 5

/** Work with stops, done with pauses in which the thread does what else waits for it. */
export async function inSlices<T>(work: Generator<undefined, T>): Promise<T> {
  for (let began = performance.now(); ;) {
    const { done, value } = work.next()
    if (done === true) return value
    if (performance.now() - began < sliceMs) continue
    await setImmediate()
    began = performance.now()
  }
}

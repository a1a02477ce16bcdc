import { setImmediate } from 'node:timers/promises'
import type { Compiling } from '../policy/compile.ts'

/** How long a thread is held at a time; one pattern is read at once, however long that takes. */
const sliceMs = 5

/** Compiles with pauses, in which the thread does what else waits for it. */
export async function inSlices<T>(compiling: Compiling<T>): Promise<T> {
  for (let began = performance.now(); ;) {
    const { done, value } = compiling.next()
    if (done === true) return value
    if (performance.now() - began < sliceMs) continue
    await setImmediate()
    began = performance.now()
  }
}

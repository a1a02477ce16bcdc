// The engines that have decided. What one answered it answers for ever, so that an old decision can be made again; what is to be otherwise is another one.
import type { Sizes } from './python-values.ts'

/** What engines do differently. */
interface EngineRules {
  /** Whether a request that leaves out its resource cannot be judged by a scope of resources; else it is outside of it. */
  readonly needsResource: boolean
  /** Steps that comparing may take for one decision, all policies together: the length of what is there times the size of what it is compared with. */
  readonly mostSteps: number
}

const engines = Object.freeze({
  'countersign-engine/1': { mostSteps: Infinity, needsResource: false },
  'countersign-engine/2': { mostSteps: 500_000_000, needsResource: true },
} satisfies Readonly<Record<string, EngineRules>>)

/** The name and version of an engine. */
export type EngineName = keyof typeof engines

/** All engines, the oldest first. */
export const engineNames = Object.freeze(Object.keys(engines) as EngineName[])

/** The engine that decides now. */
export const engineVersion: EngineName = 'countersign-engine/2'

/** What an engine does. */
export const rulesOf = (engine: EngineName): EngineRules => engines[engine]

/** What comparing may still cost in one decision. */
export class Meter {
  readonly #sizes: Sizes = new WeakMap()
  #left: number

  constructor(steps: number) {
    this.#left = steps
  }

  /** What was counted of the request's objects for this decision. */
  get sizes(): Sizes {
    return this.#sizes
  }

  /** Whether there was so much left. */
  take(steps: number): boolean {
    this.#left -= steps
    return this.#left >= 0
  }
}

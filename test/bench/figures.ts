// Numbers and how they are taken: by the clock, after a warm-up, as medians of rounds.

/** What many requests at once came to. */
export interface Load {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** The middle of some numbers; of an even count the upper one. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** How long to load. */
export interface Span {
  /** What is answered in this time does not count. */
  readonly warmupSeconds: number
  readonly seconds: number
}

/** Takes the times of answers; a machine too busy to answer each lane once in the span gets longer. */
export class Stopwatch {
  readonly #least: number
  readonly #start: number
  readonly #end: number
  readonly #latencies: number[] = []
  #last: number

  /** Starts now; `least` is how many answers there must be. */
  constructor({ seconds, warmupSeconds }: Span, least: number) {
    this.#least = least
    this.#start = performance.now() + warmupSeconds * 1000
    this.#end = this.#start + seconds * 1000
    this.#last = this.#end
  }

  /** Notes an answer; whether there shall be more. */
  answered(began: number, now: number): boolean {
    if (now < this.#start) return true
    if (now >= this.#end && this.#latencies.length >= this.#least) return false
    this.#latencies.push(now - began)
    this.#last = Math.max(this.#last, now)
    return true
  }

  get load(): Load {
    const sorted = Float64Array.from(this.#latencies).sort()
    const at = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? Number.NaN
    const seconds = (this.#last - this.#start) / 1000
    return { perSecond: sorted.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
  }
}

/** Operations a second of work that is repeated for a span of time, each call doing so many. */
export function repeat(run: () => unknown, operations: number, seconds: number): number {
  const began = performance.now()
  let calls = 0
  let now = began
  for (; now < began + seconds * 1000; now = performance.now()) {
    run()
    calls++
  }
  return (calls * operations * 1000) / (now - began)
}

/** Keeps as many tasks going as there are lanes. */
export async function loadTasks(
  task: () => Promise<unknown>,
  lanes: number,
  span: Span,
): Promise<Load> {
  const stopwatch = new Stopwatch(span, lanes)
  const lane = async (): Promise<void> => {
    for (let began = performance.now(), more = true; more;) {
      await task()
      const now = performance.now()
      more = stopwatch.answered(began, now)
      began = now
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return stopwatch.load
}

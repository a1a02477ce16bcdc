// Observations over time against a baseline. It holds them in memory for those who embed the gates; time comes from outside.
import { Failure } from '../base/failure.ts'
import {
  assessDrift,
  countBins,
  createDriftBaseline,
  isObservation,
  mostObservations,
  type DriftBaseline,
  type DriftResult,
  type DriftSnapshot,
} from './drift.ts'
import type { AegisConfig } from './gate-config.ts'

/** A value and when it was seen, ms since 1970. */
export interface Observation {
  readonly time: number
  readonly value: number
}

const dayMs = 86_400_000

/** The snapshot of the window that ends at `now` (ms since 1970): what is older than the window, or later than now, does not count. */
export function snapshotDrift(
  baseline: DriftBaseline,
  observations: readonly Observation[],
  now: number,
  { kl_drift: { window_days } }: AegisConfig,
): DriftSnapshot {
  const from = now - window_days * dayMs
  const recent = observations
    .filter(({ time }) => time > from && time <= now)
    .slice(-mostObservations)
    .map(({ value }) => value)
  return {
    baseline: baseline.sha256,
    expected: baseline.counts,
    recent: countBins(recent, baseline),
  }
}

/** AEGIS's DriftMonitor. */
export class DriftMonitor {
  readonly #config: AegisConfig
  #baseline: DriftBaseline | undefined
  readonly #observations: Observation[] = []

  constructor(config: AegisConfig) {
    this.#config = config
  }

  /** @throws {@link Failure} POLICY_INVALID when the observations are no baseline */
  setBaseline(observations: readonly number[]): DriftBaseline {
    this.#baseline = createDriftBaseline(observations, this.#config)
    return this.#baseline
  }

  /**
   * Keeps an observation; of more than 10,000 the last.
   * @throws {@link Failure} POLICY_INVALID when it is no finite number, or the time is none
   */
  observe({ time, value }: Observation): void {
    if (!isObservation(value) || !Number.isSafeInteger(time))
      throw new Failure('POLICY_INVALID', 'Observation must be a finite number at a time')
    this.#observations.push({ time, value })
    if (this.#observations.length > mostObservations) this.#observations.shift()
  }

  /** What evidence holds of the drift at `now`, or undefined without a baseline. */
  snapshot(now: number): DriftSnapshot | undefined {
    return this.#baseline === undefined
      ? undefined
      : snapshotDrift(this.#baseline, this.#observations, now, this.#config)
  }

  /** The drift at `now`; without a baseline it pauses. */
  assess(now: number): DriftResult {
    return assessDrift(this.snapshot(now), this.#config)
  }
}

// Drift: how far recent observations lie from a baseline, as the Kullback-Leibler divergence in nats over bins that the baseline alone fixes, so that no
// recent value can stretch them. GATES.md has the formula.
import { encodeHex } from '../base/bytes.ts'
import { canonicalBytes } from '../base/canonical-json.ts'
import { Failure } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'
import { log } from './exp-log.ts'
import type { AegisConfig } from './gate-config.ts'

/** Most observations of a baseline or a window. */
export const mostObservations = 10_000
const mostValue = 1e12

/** What a baseline comes to: bins, how many of its observations lie in each, and what names it. */
export interface DriftBaseline {
  /** Lower end of the second bin; below it lies the first, which holds nothing of the baseline. */
  readonly least: number
  /** Upper ends, included, of the bins from the second on, rising; above lies the last bin. */
  readonly edges: readonly number[]
  /** For each bin; two more than edges. */
  readonly counts: readonly number[]
  /** Hex SHA-256 of the canonical JSON of the observations, in the order given. */
  readonly sha256: string
}

/** A baseline against a window of observations: all that an assessment needs, and small enough for evidence. */
export interface DriftSnapshot {
  /** Hex SHA-256 of the baseline. */
  readonly baseline: string
  /** Counts by bin. */
  readonly expected: readonly number[]
  readonly recent: readonly number[]
}

/** What drift there is, and what follows. */
export interface DriftResult {
  readonly status: 'NORMAL' | 'WARNING' | 'CRITICAL' | 'UNKNOWN'
  readonly action: 'NONE' | 'ALERT' | 'PAUSE'
  /** In nats; null where it is unknown. */
  readonly divergence: number | null
  readonly baseline: string | null
  readonly message: string
}

/** Whether a value can be observed. */
export const isObservation = (value: unknown): value is number =>
  typeof value === 'number' && Math.abs(value) <= mostValue

/** The bin of a value. */
export function binOf(
  value: number,
  { edges, least }: Pick<DriftBaseline, 'least' | 'edges'>,
): number {
  if (value < least) return 0
  const found = edges.findIndex((edge) => value <= edge)
  return (found === -1 ? edges.length : found) + 1
}

/** How many values lie in each bin. */
export function countBins(
  values: Iterable<number>,
  bins: Pick<DriftBaseline, 'least' | 'edges'>,
): readonly number[] {
  const counts = Array<number>(bins.edges.length + 2).fill(0)
  for (const value of values) {
    const bin = binOf(value, bins)
    counts[bin] = (counts[bin] ?? 0) + 1
  }
  return counts
}

/**
 * The baseline that observations make.
 * @throws {@link Failure} POLICY_INVALID when they are too few, too many, or one is not a finite number
 */
export function createDriftBaseline(
  observations: unknown,
  { kl_drift: { bins, min_baseline } }: AegisConfig,
): DriftBaseline {
  if (!Array.isArray(observations)) throw new Failure('POLICY_INVALID', 'Baseline must be a list')
  const { length } = observations
  if (length < min_baseline || length > mostObservations)
    throw new Failure(
      'POLICY_INVALID',
      `Baseline must have ${min_baseline} to ${mostObservations} observations: ${length}`,
    )
  const values = Array.from(observations as unknown[], (value, i) => {
    if (!isObservation(value))
      throw new Failure('POLICY_INVALID', `Observation must be a finite number at /${i}`, {
        field: `/${i}`,
      })
    return value
  })
  const sorted = values.toSorted((a, b) => a - b)
  const upper = Array.from(
    { length: bins },
    (_, j) => sorted[Math.ceil(((j + 1) * length) / bins) - 1],
  )
  const edges = [...new Set(upper.filter((edge) => edge !== undefined))]
  const range = { least: sorted[0] ?? 0, edges }
  return {
    ...range,
    counts: countBins(values, range),
    sha256: encodeHex(sha256(canonicalBytes(values))),
  }
}

const unknown = (
  message: string,
  action: 'ALERT' | 'PAUSE',
  baseline: string | null,
): DriftResult => ({
  status: 'UNKNOWN',
  action,
  divergence: null,
  baseline,
  message,
})

const isCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) &&
  value.length >= 3 &&
  value.length <= 66 &&
  value.every((count) => Number.isSafeInteger(count) && count >= 0 && count <= mostObservations)

function readSnapshot(value: unknown): DriftSnapshot | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { baseline, expected, recent } = value as Readonly<Record<string, unknown>>
  if (typeof baseline !== 'string' || !/^[0-9a-f]{64}$/.test(baseline)) return undefined
  if (!isCounts(expected) || !isCounts(recent) || expected.length !== recent.length)
    return undefined
  return { baseline, expected, recent }
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0)

/** Σ p ln(p/q) over the bins, each with half an observation added. */
function divergenceOf({ expected, recent }: DriftSnapshot): number {
  const bins = expected.length
  const all = total(recent) + bins / 2
  const allExpected = total(expected) + bins / 2
  return recent.reduce((sum, count, bin) => {
    const p = (count + 0.5) / all
    const q = ((expected[bin] ?? 0) + 0.5) / allExpected
    return sum + p * log(p / q)
  }, 0)
}

/** What a snapshot says. One that is malformed, or whose baseline is too small, pauses; a window with too little in it only alerts. */
export function assessDrift(snapshot: unknown, { kl_drift: settings }: AegisConfig): DriftResult {
  const found = readSnapshot(snapshot)
  if (found === undefined) return unknown('Drift cannot be evaluated: malformed', 'PAUSE', null)
  const { baseline, expected, recent } = found
  if (total(expected) < settings.min_baseline)
    return unknown(
      `Drift cannot be evaluated: baseline has ${total(expected)} of ${settings.min_baseline} observations`,
      'PAUSE',
      baseline,
    )
  if (total(recent) < settings.min_recent)
    return unknown(
      `Drift is not known yet: window has ${total(recent)} of ${settings.min_recent} observations`,
      'ALERT',
      baseline,
    )
  const divergence = Math.max(0, divergenceOf(found))
  const told = `Drift is ${divergence.toPrecision(4)} nats`
  if (divergence >= settings.tau_critical)
    return { status: 'CRITICAL', action: 'PAUSE', divergence, baseline, message: told }
  if (divergence >= settings.tau_warning)
    return { status: 'WARNING', action: 'ALERT', divergence, baseline, message: told }
  return { status: 'NORMAL', action: 'NONE', divergence, baseline, message: told }
}

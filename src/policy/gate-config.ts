// The settings of the gates under AEGIS's own names, with its defaults, and what AEGIS leaves open as options of ours. What each does to an answer is
// said, with its formula, in GATES.md.
import { z } from 'zod'
import { encodeHex } from '../base/bytes.ts'
import { canonicalBytes } from '../base/canonical-json.ts'
import { Failure } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'
import { log } from './exp-log.ts'
import { normalQuantile } from './normal.ts'

/** The version of the formulas in GATES.md; a change that could change an answer is another version. */
export const gatesVersion = 'countersign/gates/v1'

const most = 1e12
const share = z.number().min(0).max(1)
const inner = z
  .number()
  .min(1e-9)
  .max(1 - 1e-9)
const epsilon = z.number().min(1e-9).max(most)
const factor = z.number().gt(0).max(1e6)
const weight = z.number().min(0).max(most)
const spread = z.number().min(1e-3).max(1e3)

const klDrift = z
  .strictObject({
    tau_warning: z.number().gt(0).max(100).default(0.3),
    tau_critical: z.number().gt(0).max(100).default(0.5),
    window_days: z.int().min(1).max(3650).default(30),
    bins: z.int().min(2).max(64).default(5),
    min_baseline: z.int().min(30).max(10_000).default(30),
    min_recent: z.int().min(1).max(10_000).default(30),
  })
  .refine((found) => found.tau_warning <= found.tau_critical, {
    message: 'Warning must not lie above critical',
    path: ['tau_warning'],
  })

const schema = z.strictObject({
  epsilon_R: epsilon.default(0.01),
  epsilon_P: epsilon.default(0.01),
  risk_trigger_factor: factor.default(2),
  profit_trigger_factor: factor.default(2),
  trigger_confidence_prob: inner.default(0.95),
  novelty_N0: share.default(0.7),
  novelty_k: z.number().min(1e-3).max(1000).default(10),
  novelty_threshold: inner.default(0.6),
  complexity_floor: share.default(0.5),
  quality_min_score: share.default(0.7),
  quality_no_zero_subscores: z.boolean().default(true),
  gamma: weight.default(0.3),
  kappa: weight.default(1),
  phi_S: weight.default(100),
  phi_D: weight.default(2000),
  lcb_alpha: z.number().min(1e-9).max(0.5).default(0.05),
  migration_budget: weight.default(5000),
  utility_threshold: z.number().min(-most).max(most).default(0),
  kl_drift: klDrift.prefault({}),
  telemetry_url: z
    .url({ protocol: /^https$/ })
    .max(2048)
    .nullable()
    .default(null),
  mcp_rate_limit: z.int().min(0).max(1_000_000).default(60),
  /** The belief about Δ before anything is observed, and the spread of an observation. */
  prior_mean: z.number().min(-1e6).max(1e6).default(0),
  prior_std: spread.default(1),
  likelihood_std: spread.default(0.5),
  /** Whether a gain of profit or a loss of it is what triggers. */
  profit_direction: z.enum(['gain', 'loss']).default('gain'),
  /** Whether the novel passes, as AEGIS has it, or fails. */
  novelty_direction: z.enum(['novel_passes', 'novel_fails']).default('novel_passes'),
  /** Whether every change of high or critical impact waits for a person. */
  strict_human_approval: z.boolean().default(false),
  /** Gates that pass when none of their inputs is given. The complexity floor is not among them. */
  optional_gates: z
    .array(z.enum(['risk', 'profit', 'novelty', 'quality', 'utility']))
    .max(5)
    .refine((names) => new Set(names).size === names.length, 'Each gate once')
    .default(['utility']),
  /** What one unit of delay costs. */
  omega: weight.default(0),
})

type DeepReadonly<T> = { readonly [K in keyof T]: DeepReadonly<T[K]> }

/** The settings of the gates, frozen. */
export type AegisConfig = DeepReadonly<z.output<typeof schema>>

/** The names of the settings. */
export const settingNames: readonly string[] = Object.keys(schema.shape)

/** The names of the settings of `kl_drift`. */
export const driftSettingNames: readonly string[] = Object.keys(klDrift.shape)

function freeze<T extends object>(value: T): T {
  for (const member of Object.values(value) as unknown[])
    if (typeof member === 'object' && member !== null) freeze(member)
  return Object.freeze(value)
}

/**
 * The settings that a JSON value gives, the rest by default; unlike the loader of gate-config-text.ts it refuses unknown names.
 * @param at where the value stands, as a JSON pointer
 * @throws {@link Failure} POLICY_INVALID naming the place
 */
export function readAegisConfig(value: unknown, at = ''): AegisConfig {
  const parsed = schema.safeParse(value)
  if (parsed.success) return freeze(parsed.data)
  const [issue] = parsed.error.issues
  const field = [at, ...(issue?.path.map(String) ?? [])].join('/') || '/'
  throw new Failure(
    'POLICY_INVALID',
    `${issue?.message ?? 'Not a gate configuration'} at ${field}`,
    {
      field,
    },
  )
}

/** AEGIS's defaults. */
export const defaultAegisConfig: AegisConfig = readAegisConfig({})

/** Settings ready for use, with what follows from them. */
export interface CompiledGates {
  readonly config: AegisConfig
  /** Hex SHA-256 of the canonical JSON of all settings and their version. */
  readonly digest: string
  /** A trigger fires at this standard score and above. */
  readonly triggerScore: number
  /** The novelty at which the logistic curve reaches the threshold. */
  readonly criticalNovelty: number
  /** z of 1 − α. */
  readonly utilityScore: number
}

/** The gates of a configuration. */
export function compileGates(config: AegisConfig = defaultAegisConfig): CompiledGates {
  const { lcb_alpha, novelty_N0, novelty_k, novelty_threshold, trigger_confidence_prob } = config
  return Object.freeze({
    config,
    digest: encodeHex(sha256(canonicalBytes({ config, gates: gatesVersion }))),
    triggerScore: normalQuantile(trigger_confidence_prob),
    criticalNovelty: novelty_N0 + log(novelty_threshold / (1 - novelty_threshold)) / novelty_k,
    utilityScore: -normalQuantile(lcb_alpha),
  })
}

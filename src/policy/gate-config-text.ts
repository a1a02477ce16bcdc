// AEGIS's YAML as liberally as its own loader reads it: settings at the top or under `parameters`, flat or with `novelty_gate` nested, each plain or as
// `{value: …}`; names that nobody knows are passed over. A known name with a wrong value, or with two values, is refused.
import { asFailure, Failure } from '../base/failure.ts'
import { dialects } from './dialect.ts'
import {
  driftSettingNames,
  readAegisConfig,
  settingNames,
  type AegisConfig,
} from './gate-config.ts'
import { parsePolicyYaml } from './policy-text.ts'

type Members = Readonly<Record<string, unknown>>

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Where nested names stand for flat ones. */
const nested: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  novelty_gate: { N0: 'novelty_N0', k: 'novelty_k', output_threshold: 'novelty_threshold' },
}

/** Other names of settings: AEGIS's own table has both. */
const aliases: Readonly<Record<string, string>> = {
  quality_no_zero_subscore: 'quality_no_zero_subscores',
}

const unwrap = (value: unknown): unknown =>
  isMembers(value) && Object.hasOwn(value, 'value') ? value['value'] : value

/** Collects settings from the places where they may stand. */
class Collector {
  readonly found = new Map<string, unknown>()
  readonly ignored: string[] = []

  /** The members of one place. */
  take(members: Members, at: string): void {
    for (const [given, wrapped] of Object.entries(members)) {
      const name = Object.hasOwn(aliases, given) ? (aliases[given] ?? given) : given
      const value = unwrap(wrapped)
      const inner = Object.hasOwn(nested, name) ? nested[name] : undefined
      if (inner !== undefined && isMembers(value)) this.#takeNested(value, inner, `${at}${name}/`)
      else if (name === 'kl_drift' && isMembers(value)) this.#takeDrift(value, `${at}${name}/`)
      else if (settingNames.includes(name)) this.#set(name, value, `${at}${given}`)
      else this.ignored.push(`${at}${given}`)
    }
  }

  #takeNested(members: Members, names: Readonly<Record<string, string>>, at: string): void {
    for (const [given, value] of Object.entries(members)) {
      const name = Object.hasOwn(names, given) ? names[given] : undefined
      if (name === undefined) this.ignored.push(at + given)
      else this.#set(name, unwrap(value), at + given)
    }
  }

  #takeDrift(members: Members, at: string): void {
    const known = Object.entries(members).filter(([name]) => driftSettingNames.includes(name))
    this.ignored.push(
      ...Object.keys(members)
        .filter((name) => !driftSettingNames.includes(name))
        .map((name) => at + name),
    )
    this.#set(
      'kl_drift',
      Object.fromEntries(known.map(([name, value]) => [name, unwrap(value)])),
      at,
    )
  }

  #set(name: string, value: unknown, at: string): void {
    if (this.found.has(name))
      throw new Failure('POLICY_INVALID', `Setting stands twice: ${name}`, { field: `/${at}` })
    this.found.set(name, value)
  }
}

/** Settings that a text gives. */
interface LoadedConfig {
  readonly config: AegisConfig
  /** Those that the text itself holds, by name. */
  readonly parameters: Members
  /** Paths to what was passed over. */
  readonly ignored: readonly string[]
}

/**
 * The settings of a YAML or JSON text; an empty one gives the defaults.
 * @throws {@link Failure} POLICY_INVALID, INPUT_MALFORMED, INPUT_INVALID, INPUT_TOO_LARGE
 */
export function parseAegisConfig(text: string): LoadedConfig {
  const value = parsePolicyYaml(text, dialects.native) ?? {}
  if (!isMembers(value)) throw new Failure('POLICY_INVALID', 'Gate configuration must be a mapping')
  const { parameters: inner, ...outer } = value
  const collector = new Collector()
  collector.take(outer, '')
  if (isMembers(inner)) collector.take(inner, 'parameters/')
  else if (inner !== undefined && inner !== null)
    throw new Failure('POLICY_INVALID', 'Parameters must be a mapping', { field: '/parameters' })
  const parameters = Object.fromEntries(collector.found)
  return { config: readAegisConfig(parameters), parameters, ignored: collector.ignored }
}

/** The answer of `validate-config`. */
interface ConfigVerdict {
  readonly valid: boolean
  readonly parameters: Members
  readonly ignored: readonly string[]
  readonly error?: string
}

/** Whether a text is a gate configuration, with the settings it gives and the names it gives in vain. */
export function validateAegisConfig(text: string): ConfigVerdict {
  try {
    const { ignored, parameters } = parseAegisConfig(text)
    return { valid: true, parameters, ignored }
  } catch (cause) {
    return { valid: false, parameters: {}, ignored: [], error: asFailure(cause).message }
  }
}

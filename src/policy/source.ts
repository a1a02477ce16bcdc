// A bundle as its author keeps it: JSON or YAML, which may say by a member `dialect` beside its own in which words it speaks. The original's format
// has no such member, so a bundle without one speaks whatever it is taken for.
import { Failure } from '../base/failure.ts'
import { parsePolicyText } from './bundle.ts'
import { refuse } from './bundle-schema.ts'
import {
  compileInSteps,
  finish,
  type CompileChoice,
  type CompiledBundle,
  type Compiling,
} from './compile.ts'
import { parseDecionisMarkdown } from './decionis.ts'
import { dialects, type DialectName } from './dialect.ts'

/** The name of a dialect that a text is. */
export const isDialectName = (text: unknown): text is DialectName =>
  typeof text === 'string' && Object.hasOwn(dialects, text)

/** A bundle's value and its dialect. */
export interface BundleSource {
  readonly dialect: DialectName
  readonly value: unknown
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Parts what a bundle says of its dialect from the bundle. @throws {@link Failure} POLICY_INVALID */
export function partDialect(whole: unknown, fallback: DialectName): BundleSource {
  if (!isObject(whole) || !Object.hasOwn(whole, 'dialect'))
    return { dialect: fallback, value: whole }
  const { dialect, ...value } = whole
  if (!isDialectName(dialect)) throw refuse('Dialect is none of ours', '/dialect')
  return { dialect, value }
}

/** In which format a text is; Markdown holds a block of Decionis's rules. */
export type SourceFormat = 'json' | 'yaml' | 'markdown'

const readMarkdown = (text: string): BundleSource => ({
  dialect: 'decionis-block',
  value: parseDecionisMarkdown(text, dialects['decionis-block']),
})

/**
 * The bundle of an author's text.
 * @param fallback the dialect of a bundle that names none
 * @param format sniffed where it is left out
 * @throws {@link Failure} POLICY_INVALID, INPUT_MALFORMED, INPUT_INVALID, INPUT_TOO_LARGE
 */
export function readBundleSource(
  text: string,
  fallback: DialectName,
  format?: SourceFormat,
): BundleSource {
  if (format === 'markdown') return readMarkdown(text)
  // Read loosely to learn the dialect, then as that dialect reads: the strict ones refuse what the first takes.
  const first = partDialect(parsePolicyText(text, dialects['0.1'], format), fallback)
  if (first.dialect === '0.1') return first
  return partDialect(parsePolicyText(text, dialects[first.dialect], format), fallback)
}

/** As {@link compileSource}, with stops; a new one may be too heavy (INPUT_TOO_LARGE). @throws {@link Failure} as there */
export function* sourceInSteps(
  text: string,
  fallback: DialectName,
  format?: SourceFormat,
  choice?: CompileChoice,
): Compiling<CompiledBundle> {
  const { dialect, value } = readBundleSource(text, fallback, format)
  try {
    return yield* compileInSteps(value, dialect, choice)
  } catch (error) {
    if (!(error instanceof Failure) || /dialect["']?\s*:/.test(text)) throw error
    const { code, field, message } = error
    throw new Failure(code, `${message} (no dialect named, read as ${dialect})`, {
      cause: error,
      field,
    })
  }
}

/** As {@link readBundleSource}, made ready. @throws {@link Failure} as there */
export const compileSource = (
  text: string,
  fallback: DialectName,
  format?: SourceFormat,
  choice?: CompileChoice,
): CompiledBundle => finish(sourceInSteps(text, fallback, format, choice))

/** The format that a file's name tells. @throws {@link Failure} INPUT_INVALID */
export function formatOfName(name: string): 'json' | 'yaml' | undefined {
  if (/\.ya?ml$/i.test(name)) return 'yaml'
  if (/\.json$/i.test(name)) return 'json'
  if (name === '-' || !/\.[a-z]+$/i.test(name)) return undefined
  throw new Failure('INPUT_INVALID', `Policy file must end in .json, .yaml or .yml: ${name}`)
}

/** As {@link formatOfName}, of a bundle, which may stand in Markdown too. @throws {@link Failure} INPUT_INVALID */
export const formatOfBundle = (name: string): SourceFormat | undefined =>
  /\.md$/i.test(name) ? 'markdown' : formatOfName(name)

// Text of policies and contexts, read as the dialect wants it: strictly, or as Python reads it, with integers beyond 2^53 kept exactly. In every form a
// number means the same or is refused: one that is not zero is never read as zero.
import {
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  YAMLError,
  type Scalar,
  type ScalarTag,
} from 'yaml'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { parseStrictJson } from '../base/strict-json.ts'
import type { Dialect } from './dialect.ts'
import { mostDigits } from './python-text.ts'

/** Longest text of a bundle, a card or a context, in UTF-16 code units. */
export const mostText = 1_048_576

/** As JSON.parse with the source of each number (ES2025); absent where the engine is older. */
type SourceReviver = (
  name: string,
  value: unknown,
  context?: { readonly source?: string },
) => unknown

function checkSize(text: string): void {
  if (text.length > mostText)
    throw new Failure('INPUT_TOO_LARGE', `Text must not be longer than ${mostText} characters`)
}

/** As a loop, for a pattern would look for the end of a text that has none again from each of its quotes. */
function checkDepth(text: string): void {
  let depth = 0
  let isQuoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i)
    if (char === '"') isQuoted = !isQuoted
    else if (isQuoted) i += Number(char === '\\')
    else if (char === ']' || char === '}') depth--
    else if ((char === '[' || char === '{') && ++depth > limits.jsonDepth)
      throw new Failure('INPUT_MALFORMED', `Nested deeper than ${limits.jsonDepth} levels`)
  }
}

const checkDigits = (digits: string): void => {
  if (digits.length > mostDigits)
    throw new Failure('INPUT_INVALID', `Integer has more than ${mostDigits} digits`)
}

function exactInteger(source: string): number | bigint {
  checkDigits(source.replace(/^-/, ''))
  const value = Number(source)
  return Number.isSafeInteger(value) ? value : BigInt(source)
}

/** Refuses a number that is read as zero, but was written as another. */
function checkZero(value: unknown, source: string): void {
  if (value === 0 && /^[-+]?[0._]*[1-9]/.test(source))
    throw new Failure(
      'INPUT_INVALID',
      `Number too small, send it as a string: ${source.slice(0, 40)}`,
    )
}

const reviveNumbers: SourceReviver = (_, value, context) => {
  if (typeof value !== 'number' || (Number.isSafeInteger(value) && value !== 0)) return value
  const source = context?.source
  if (source === undefined)
    throw new Failure('INPUT_INVALID', 'This platform cannot read numbers exactly')
  checkZero(value, source)
  return /^-?\d+$/.test(source) ? exactInteger(source) : value
}

/** Whether a text may have a number that JSON.parse alone would change: a long one, or one with a large negative exponent. */
const mayChange = (text: string): boolean => /\d{16}|e-\d{3}/i.test(text)

function parseExactJson(text: string): unknown {
  checkDepth(text)
  try {
    return mayChange(text) ? JSON.parse(text, reviveNumbers) : JSON.parse(text)
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    throw new Failure('INPUT_MALFORMED', 'Text is not JSON')
  }
}

/**
 * The value of JSON text. Dialect 0.1 takes what Python takes (of two members with one name the last counts) but what would become zero; the others what {@link parseStrictJson} does.
 * @throws {@link Failure} INPUT_MALFORMED, INPUT_INVALID, INPUT_TOO_LARGE
 */
export function parsePolicyJson(text: string, dialect: Dialect): unknown {
  checkSize(text)
  return dialect.exactIntegers ? parseExactJson(text) : parseStrictJson(text)
}

const quoteDates = 'A date in YAML must be quoted'

const refuseDate = (): never => {
  throw new Failure('INPUT_INVALID', quoteDates)
}

/** An integer without its sign, of any base that PyYAML knows, in decimal. */
function toDecimal(digits: string): string {
  if (digits.includes(':'))
    return String(digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n))
  if (/^0[xb]/.test(digits)) return String(BigInt(digits))
  return /^0[0-7]+$/.test(digits) ? String(BigInt(`0o${digits}`)) : digits
}

function pythonInteger(source: string): number | bigint {
  const text = source.replaceAll('_', '')
  const digits = text.replace(/^[+-]/, '')
  // Before it is worked on: that takes the longer the more digits there are.
  checkDigits(digits)
  return exactInteger((text.startsWith('-') ? '-' : '') + toDecimal(digits))
}

function pythonFloat(source: string): number {
  const text = source.replaceAll('_', '').toLowerCase()
  const sign = text.startsWith('-') ? -1 : 1
  if (text.endsWith('.inf')) return sign * Infinity
  if (text === '.nan') return NaN
  const parts = text.replace(/^[+-]/, '').split(':')
  return sign * parts.reduce((sum, part) => sum * 60 + Number(part), 0)
}

const tag = (name: string, test: RegExp, resolve: (text: string) => unknown): ScalarTag => ({
  tag: `tag:yaml.org,2002:${name}`,
  default: true,
  test,
  resolve,
})

/** YAML 1.1 as PyYAML's safe loader resolves plain scalars. */
const pythonTags: readonly ScalarTag[] = [
  tag('null', /^(?:~|null|Null|NULL|)$/, () => null),
  tag(
    'bool',
    /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/,
    (text) => /^(?:yes|true|on)$/i.test(text),
  ),
  tag(
    'int',
    /^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/,
    pythonInteger,
  ),
  tag(
    'float',
    /^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
    pythonFloat,
  ),
  tag(
    'timestamp',
    /^(?:\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)$/,
    refuseDate,
  ),
]

const pythonYaml = {
  version: '1.1',
  schema: 'failsafe',
  merge: true,
  uniqueKeys: false,
  resolveKnownTags: false,
  customTags: (tags: readonly unknown[]) => [...(tags as ScalarTag[]), ...pythonTags],
} as const
// The parser itself compares each name of an object with all before it: that is quadratic. What it makes of `!!binary`, `!!set` and their like is no JSON.
const strictYaml = {
  version: '1.2',
  schema: 'core',
  intAsBigInt: true,
  uniqueKeys: false,
  resolveKnownTags: false,
} as const

// What PyYAML does not read, and its line breaks that YAML 1.2 takes for characters.
const unreadable = /[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u

/** Checks what PyYAML refuses, or reads in another way, though the parser does not. */
function checkPythonText(text: string): void {
  const found = unreadable.exec(text)?.[0].codePointAt(0)
  if (found === undefined) return
  const code = found.toString(16).toUpperCase().padStart(4, '0')
  throw new Failure('INPUT_MALFORMED', `YAML must write this character as an escape: U+${code}`)
}

type YamlDocument = ReturnType<typeof parseDocument>

const notYaml = (why: string, cause?: unknown): Failure =>
  new Failure('INPUT_MALFORMED', `Text is not YAML${why}`, { cause })

const refuseNode = (what: string): never => {
  throw new Failure('INPUT_INVALID', what)
}

/** Refuses of a name what JSON refuses, and what merges in YAML 1.1 but not in 1.2. */
function checkStrictName({ type, value }: Scalar): void {
  if (value === '__proto__') refuseNode('Name is not allowed: __proto__')
  if (value === '<<' && type === 'PLAIN')
    refuseNode('YAML 1.2 does not merge: write out what << stands for, or quote it')
}

/** Checks the names of all objects of a document; what merges (`<<`) is none. */
function checkNames(document: YamlDocument, isStrict: boolean, lines: LineCounter): void {
  visit(document, {
    Map: (_, { items }) => {
      const names = new Set<unknown>()
      for (const { key } of items) {
        const name: unknown = isScalar(key) ? key.value : undefined
        if (!isScalar(key) || (typeof name !== 'symbol' && typeof name !== 'string'))
          return refuseNode('Every name in YAML must be a string: quote it')
        if (isStrict && names.has(name)) {
          const { line } = lines.linePos(key.range?.[0] ?? 0)
          throw notYaml(` in line ${line}: Map keys must be unique`)
        }
        if (isStrict) checkStrictName(key)
        names.add(name)
      }
    },
  })
}

function checkNumbers(document: YamlDocument): void {
  visit(document, {
    Scalar: (_, { source = '', value }) => {
      checkZero(value, source)
    },
  })
}

/** Refuses a document that says it is to be read as another version than it is. */
function checkVersion({ directives }: YamlDocument): void {
  const { explicit = false, version } = directives?.yaml ?? { version: '1.2' }
  if (explicit && version !== '1.2') refuseNode(`YAML must be 1.2 here: ${version}`)
}

/** Checks for words that mean something as names only, tabs in unquoted text, and anchors that are set twice. */
function checkPythonNodes(document: YamlDocument): void {
  const anchors = new Set<string>()
  visit(document, {
    Value: (place, node) => {
      if (node.anchor !== undefined && anchors.has(node.anchor))
        refuseNode(`An anchor must be set once in YAML: ${node.anchor}`)
      if (node.anchor !== undefined) anchors.add(node.anchor)
      if (!isScalar(node) || node.type !== 'PLAIN' || node.source === undefined) return
      if (place !== 'key' && (node.source === '=' || node.source === '<<'))
        refuseNode(`This value must be quoted in YAML: ${node.source}`)
      if (node.source.includes('\t')) refuseNode('Text with a tab must be quoted in YAML')
    },
  })
}

/** What the parser made of a document, with safe bigints back as numbers. */
function settle(value: unknown, dialect: Dialect, depth = 0): unknown {
  if (depth > limits.jsonDepth)
    throw new Failure('INPUT_MALFORMED', `Nested deeper than ${limits.jsonDepth} levels`)
  if (typeof value === 'bigint') {
    const near = Number(value)
    if (Number.isSafeInteger(near)) return near
    if (dialect.exactIntegers) return value
    throw new Failure(
      'INPUT_INVALID',
      `Integer beyond 2^53-1, send it as a string: ${String(value).slice(0, 40)}`,
    )
  }
  if (typeof value === 'number' && !Number.isFinite(value) && !dialect.exactIntegers)
    throw new Failure('INPUT_INVALID', 'Number overflows, or is none')
  if (typeof value === 'symbol') refuseNode('This value must be quoted in YAML: <<')
  if (Array.isArray(value)) return value.map((item) => settle(item, dialect, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, settle(member, dialect, depth + 1)]),
  )
}

/** What the parser says and where, without the lines of the text that it cites. */
function placeOf(cause: unknown): string {
  if (!(cause instanceof YAMLError)) return ''
  const [what = ''] = cause.message.split(/ at line \d+|\n/)
  const line = cause.linePos?.[0].line
  return line === undefined ? `: ${what}` : ` in line ${line}: ${what}`
}

/**
 * The value of YAML text: 1.1 as PyYAML reads it in dialect 0.1, else 1.2 with its core schema and unique names. Names must be strings.
 * @throws {@link Failure} INPUT_MALFORMED, INPUT_INVALID, INPUT_TOO_LARGE
 */
export function parsePolicyYaml(text: string, dialect: Dialect): unknown {
  checkSize(text)
  const isPython = dialect.exactIntegers
  if (isPython) checkPythonText(text)
  let value: unknown
  try {
    const lineCounter = new LineCounter()
    const options = isPython ? pythonYaml : strictYaml
    const document = parseDocument(text, { ...options, lineCounter })
    // A tag that nobody knows is only a warning to the parser.
    const [problem] = [...document.errors, ...document.warnings]
    // The parser keeps what a tag threw as an error of its own.
    if (problem?.message.includes(quoteDates) === true) refuseDate()
    if (problem !== undefined) throw problem
    checkNames(document, !isPython, lineCounter)
    checkNumbers(document)
    if (isPython) checkPythonNodes(document)
    else checkVersion(document)
    value = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    throw notYaml(placeOf(cause), cause)
  }
  return settle(value, dialect)
}

/** The form of a text as the engine sniffs it: JSON when it opens with a brace or a bracket. */
export const sniffFormat = (text: string): 'json' | 'yaml' =>
  /^\s*[{[]/.test(text) ? 'json' : 'yaml'

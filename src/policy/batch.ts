// A line of a batch: a bundle and a context, or a Decision Card, and one answer for it. A line that cannot be answered is an answer too, by the code
// of its failure, so that whoever compares engines gets as many lines as he sent.
import { asFailure, Failure } from '../base/failure.ts'
import { bundleOfCard } from './card.ts'
import { compileBundle } from './compile.ts'
import { readContext } from './context.ts'
import { dialects, type DialectName } from './dialect.ts'
import { evaluate } from './evaluate.ts'
import { parsePolicyJson } from './policy-text.ts'
import { isDialectName, partDialect } from './source.ts'

type Members = Readonly<Record<string, unknown>>

/** What a line could not be answered for. */
interface BatchError {
  readonly error: { readonly code: string; readonly message: string; readonly field?: string }
}

const refused = (error: unknown): BatchError => {
  const { code, field, message } = asFailure(error)
  return { error: { code, message, ...(field === undefined ? {} : { field }) } }
}

/** The members of a line; those that nobody asks for are left alone, as the original leaves them. */
function readLine(text: string, dialect: DialectName): Members {
  const line = parsePolicyJson(text, dialects[dialect])
  if (typeof line === 'object' && line !== null && !Array.isArray(line)) return line as Members
  throw new Failure('INPUT_INVALID', 'A line must be an object')
}

const member = (line: Members, name: string): unknown =>
  Object.hasOwn(line, name) ? line[name] : undefined

function dialectOf(line: Members, fallback: DialectName): DialectName {
  const named = member(line, 'dialect')
  if (named === undefined) return partDialect(member(line, 'bundle'), fallback).dialect
  if (isDialectName(named)) return named
  throw new Failure('INPUT_INVALID', 'Dialect is none of ours', { field: '/dialect' })
}

function answerCard(line: Members, now: number): unknown {
  const bundle = bundleOfCard(line['card'])
  const compiled = compileBundle(bundle, '0.1')
  return Object.hasOwn(line, 'context')
    ? evaluate(compiled, readContext(line['context']), now)
    : bundle
}

function answer(text: string, fallback: DialectName, now: number): unknown {
  const loose = readLine(text, '0.1')
  if (Object.hasOwn(loose, 'card')) return answerCard(loose, now)
  const dialect = dialectOf(loose, fallback)
  const line = dialect === '0.1' ? loose : readLine(text, dialect)
  for (const name of ['bundle', 'context'])
    if (!Object.hasOwn(line, name))
      throw new Failure('INPUT_INVALID', `A line must hold bundle and context, or card: ${name}`, {
        field: `/${name}`,
      })
  const { value } = partDialect(line['bundle'], dialect)
  return evaluate(compileBundle(value, dialect), readContext(line['context']), now)
}

/**
 * The answer to a line of JSON text: the result of `{bundle, context}` or `{card, context}`, the bundle of `{card}`, or `{error: {code, message}}`. Total.
 * @param fallback the dialect of a line, or a bundle in it, that names none
 * @param now ms since 1970, for bundles with a window
 */
export function answerLine(text: string, fallback: DialectName, now: number): unknown {
  try {
    return answer(text, fallback, now)
  } catch (error) {
    return refused(error)
  }
}

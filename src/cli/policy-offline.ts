// What authors of policies do without an installation: validate, evaluate, test.
import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fromUtf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { answerLine } from '../policy/batch.ts'
import { readCases, runCases, type CasesReport } from '../policy/cases.ts'
import type { CompiledBundle } from '../policy/compile.ts'
import type { DialectName } from '../policy/dialect.ts'
import { evaluate } from '../policy/evaluate.ts'
import { explain } from '../policy/explain.ts'
import { mostText, parsePolicyJson } from '../policy/policy-text.ts'
import { readAsked } from '../policy/request.ts'
import { expectRegistrable } from '../policy/registrable.ts'
import { compileSource, formatOfBundle, formatOfName } from '../policy/source.ts'
import { traceEvaluation } from '../policy/trace.ts'
import type { Context } from './command.ts'
import { complain, exitCodes, Usage } from './complain.ts'
import { openReadable, readBounded, readStream } from './files.ts'
import { listenForInterrupt, signalExit } from './interrupt.ts'
import { readLines, type Line } from './lines.ts'
import { formatTable, jsonLine, printable } from './terminal.ts'

/** Flags of a command that reads a bundle. */
export interface SourceFlags {
  readonly dialect: DialectName
  readonly json?: boolean
}

/** Flags of `policy eval`. */
export interface EvalFlags extends SourceFlags {
  readonly batch?: string
  readonly at?: number
  readonly explain?: boolean
}

/** Flags of `policy test`. */
export interface TestFlags extends SourceFlags {
  readonly cases?: readonly string[]
  readonly allRules?: boolean
}

/** A character has at most four bytes. */
const mostBytes = 4 * mostText

/** The text of a file, or of standard input. @throws {@link Failure} INPUT_MALFORMED, INPUT_TOO_LARGE; {@link Usage} */
export async function readText(context: Context, name: string): Promise<string> {
  const bytes =
    name === '-'
      ? await readStream(context.io.stdin, mostBytes)
      : await readBounded(context.io.cwd, name, mostBytes)
  if (bytes.length > mostBytes)
    throw new Failure('INPUT_TOO_LARGE', `File must not be larger than ${mostBytes} bytes: ${name}`)
  return decode(bytes, name)
}

function decode(bytes: Uint8Array, name: string): string {
  try {
    return fromUtf8(bytes).replace(/^\ufeff/, '')
  } catch {
    throw new Failure('INPUT_MALFORMED', `Text is not UTF-8: ${name}`)
  }
}

/**
 * The bundle of a file, ready to be asked.
 * @param isNew whether it is to be registered, and must not be more than a new one may
 */
export async function loadBundle(
  context: Context,
  name: string,
  { dialect }: SourceFlags,
  isNew = false,
): Promise<CompiledBundle> {
  const text = await readText(context, name)
  try {
    const compiled = compileSource(text, dialect, formatOfBundle(name), { isNew })
    if (isNew) expectRegistrable(compiled)
    return compiled
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const { code, field, message } = error
    const file = name === '-' ? 'standard input' : name
    throw new Failure(code, `${message} in ${file}`, { cause: error, field })
  }
}

/** The bundle of which rules alone are asked; who tries one with gates is told. */
async function loadRules(
  context: Context,
  name: string,
  flags: SourceFlags,
): Promise<CompiledBundle> {
  const compiled = await loadBundle(context, name, flags)
  if (compiled.bundle.gates !== undefined)
    context.err.note('Gates of the bundle are not asked here: countersign policy gates\n')
  return compiled
}

/** JSON as the original prints it: two blanks a level, ASCII only. */
const pythonJson = (value: unknown): string =>
  `${JSON.stringify(value, null, 2).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )}\n`

/** `policy eval BUNDLE CONTEXT`, `policy eval --batch FILE` */
export async function evaluatePolicy(
  context: Context,
  files: readonly string[],
  flags: EvalFlags,
): Promise<number> {
  const { at: now = Date.now(), batch } = flags
  if (batch !== undefined) {
    if (files.length > 0) throw new Usage('Either a bundle and a context, or --batch')
    return answerBatch(context, batch, flags.dialect, now)
  }
  if (flags.explain === true && flags.json === true)
    throw new Usage('Either --explain, which is text, or --json')
  const [bundleFile, contextFile] = files
  if (bundleFile === undefined || contextFile === undefined)
    throw new Usage('A bundle and a context are wanted, or --batch FILE')
  if (bundleFile === '-' && contextFile === '-')
    throw new Usage('Only one of bundle and context can be standard input')
  const compiled = await loadRules(context, bundleFile, flags)
  const asked = readAsked(parsePolicyJson(await readText(context, contextFile), compiled.dialect))
  const result = evaluate(compiled, asked, now)
  if (flags.explain === true) {
    const trace = traceEvaluation(compiled, asked, now, () => true)
    await context.out.write(`${explain(trace)}\n`)
  } else await context.out.write(flags.json === true ? jsonLine(result) : pythonJson(result))
  return result.decision.kind === 'deny' ? 1 : exitCodes.done
}

/** One answer a line, of a blank one too, so that both can be laid side by side. */
function answerOf({ bytes, number }: Line, dialect: DialectName, now: number): unknown {
  const refusal = (code: string, message: string): unknown => ({ error: { code, message } })
  if (bytes === null) return refusal('INPUT_TOO_LARGE', `Line is longer than ${mostBytes} bytes`)
  let text: string
  try {
    text = decode(bytes, `line ${number}`)
  } catch {
    return refusal('INPUT_MALFORMED', 'Line is not UTF-8')
  }
  return answerLine(text, dialect, now)
}

async function answerBatch(
  context: Context,
  file: string,
  dialect: DialectName,
  now: number,
): Promise<number> {
  const { io } = context
  const input = file === '-' ? io.stdin : await openReadable(io.cwd, file)
  const interrupt = listenForInterrupt(io.signals)
  const end = (): void => void input.destroy()
  interrupt.signal.addEventListener('abort', end)
  try {
    for await (const line of readLines(input as AsyncIterable<Uint8Array>, mostBytes))
      await context.out.write(jsonLine(answerOf(line, dialect, now)))
  } catch (error) {
    // Destroying the input ends the loop with an error of its own.
    if (interrupt.received === undefined) throw error
  } finally {
    interrupt.stop()
    input.destroy()
  }
  return interrupt.received === undefined ? exitCodes.done : signalExit[interrupt.received]
}

/** `policy validate BUNDLE...` */
export async function validatePolicies(
  context: Context,
  files: readonly string[],
  flags: SourceFlags,
): Promise<number> {
  const checked = []
  let exit: number = exitCodes.done
  for (const file of files) {
    const compiled = await loadBundle(context, file, flags, true).catch((error: unknown) => {
      // The author of many learns of all that is wrong at once.
      exit = complain(error, context.err, false)
      if (exit !== exitCodes.usage) throw error
    })
    if (compiled === undefined) continue
    const { bundle, dialect, digest, policies } = compiled
    const rules = policies.reduce((sum, policy) => sum + policy.rules.length, 0)
    checked.push({
      file,
      bundle: bundle.id,
      version: bundle.version,
      dialect: dialect.name,
      policies: policies.length,
      rules,
      sha256: digest,
    })
  }
  const rows = checked.map(({ bundle, dialect, file, rules, sha256, version }) => [
    printable(file),
    `${printable(bundle)} ${printable(version)}`,
    `dialect ${dialect}`,
    `${rules} rule${rules === 1 ? '' : 's'}`,
    sha256,
  ])
  await context.out.write(flags.json === true ? checked.map(jsonLine).join('') : formatTable(rows))
  return exit
}

async function casesBeside({ io }: Context, file: string): Promise<readonly string[]> {
  const stem = file.replace(/\.(?:ya?ml|json|md)$/i, '')
  const found: string[] = []
  for (const ending of ['yaml', 'yml', 'json']) {
    const name = `${stem}.cases.${ending}`
    try {
      await access(resolve(io.cwd, name))
      found.push(name)
    } catch {
      // There need not be one of each.
    }
  }
  if (found.length === 0)
    throw new Usage(`There are no cases beside the bundle: ${stem}.cases.yaml`)
  return found
}

function reportText({ failed, results, rules, unmatched }: CasesReport): string {
  const lines = results.map(({ expected, found, name, passed }) =>
    passed
      ? `ok    ${printable(name)}\n`
      : `FAIL  ${printable(name)}\n      expected ${printable(expected)}\n      found    ${printable(found)}\n`,
  )
  const counts = `${results.length - failed} of ${results.length} cases hold, ${rules - unmatched.length} of ${rules} rules were matched\n`
  const left = unmatched.map(
    ({ policy, rule }) => `never matched: policy ${printable(policy)}, rule ${printable(rule)}\n`,
  )
  return [...lines, counts, ...left].join('')
}

/** `policy test BUNDLE` */
export async function testPolicy(
  context: Context,
  file: string,
  flags: TestFlags,
): Promise<number> {
  const compiled = await loadRules(context, file, flags)
  const names = flags.cases ?? (await casesBeside(context, file))
  const cases = []
  for (const name of names)
    cases.push(...readCases(await readText(context, name), compiled, formatOfName(name)))
  const report = runCases(compiled, cases)
  await context.out.write(flags.json === true ? jsonLine(report) : reportText(report))
  const bare = flags.allRules === true && report.unmatched.length > 0
  return report.failed > 0 || bare ? 1 : exitCodes.done
}

import { InvalidArgumentError, Option, type Command } from 'commander'
import type { DialectName } from '../policy/dialect.ts'
import { parseInstant } from '../policy/instant.ts'
import { act, asJson, define, group, type Context, type Defining, type Outcome } from './command.ts'
import type { EvalFlags, SourceFlags, TestFlags } from './policy-offline.ts'

const bundleArgument = 'bundle of policies, JSON or YAML, - for standard input'

/** `policy` */
export function definePolicy(program: Command, context: Context, outcome: Outcome): void {
  const policy = group(program, 'policy', 'Writes, tests and activates the policies that decide.')
  const defining = { context, outcome, policy, program }
  defineEval(defining)
  defineTools(defining)
}

const dialects: readonly DialectName[] = ['0.1', '0.2', 'native']

/** The option that says what a bundle speaks that does not say so itself. */
const inDialect = (command: Command): Command =>
  command.addOption(
    new Option('--dialect <name>', 'dialect of a bundle that names none')
      .choices(dialects)
      .default('0.1'),
  )

function instant(text: string): number {
  const time = parseInstant(text)
  if (time !== undefined) return time
  throw new InvalidArgumentError('A date and time with a zone is expected.')
}

function defineEval({ context, outcome, policy, program }: Defining<'policy'>): void {
  const evaluate = define(
    policy,
    'eval',
    'Evaluates a bundle against a context, offline. Prints the EvaluationResult; exit 1 on deny, or where the policy raises. With --batch each line is {"bundle", "context"} or {"card"}, and one result or {"error"} is printed for each, in order; exit 0 when all lines were answered.',
    [
      'policy eval bundle.yaml context.json',
      'policy eval --batch cases.ndjson',
      'policy eval --explain bundle.yaml context.json',
    ],
  )
    .argument('[bundle]', bundleArgument)
    .argument('[context]', 'context, JSON, - for standard input')
    .option('--batch <file>', 'file of lines to answer, - for standard input')
    .option('--at <time>', 'time of the evaluation (default: now)', instant)
    .option('--explain', 'print why, as text')
  inDialect(asJson(evaluate))
  act(program, evaluate, outcome, async (flags: EvalFlags, args) =>
    (await import('./policy-offline.ts')).evaluatePolicy(
      context,
      args.filter((arg) => typeof arg === 'string'),
      flags,
    ),
  )
}

function defineTools({ context, outcome, policy, program }: Defining<'policy'>): void {
  const validate = define(
    policy,
    'validate',
    'Checks that bundles can be evaluated, and prints the digest by which decisions cite each. Exit 2 where one is refused, naming the place.',
    ['policy validate bundle.yaml', 'policy validate policies/*.yaml --json'],
  ).argument('<bundle...>', bundleArgument)
  inDialect(asJson(validate))
  act(program, validate, outcome, async (flags: SourceFlags, [files]) =>
    (await import('./policy-offline.ts')).validatePolicies(
      context,
      files as readonly string[],
      flags,
    ),
  )

  const test = define(
    policy,
    'test',
    'Runs the cases beside a bundle: bundle.cases.yaml or .json next to bundle.yaml. Tells which rules no case has matched. Exit 1 where a case fails, or rules are unmatched and --all-rules is given.',
    ['policy test bundle.yaml', 'policy test bundle.yaml --cases more.cases.yaml --all-rules'],
  )
    .argument('<bundle>', 'bundle of policies, JSON or YAML')
    .option('--cases <file...>', 'files of cases (default: those beside the bundle)')
    .option('--all-rules', 'fail where a rule was matched by no case')
  inDialect(asJson(test))
  act(program, test, outcome, async (flags: TestFlags, [file]) =>
    (await import('./policy-offline.ts')).testPolicy(context, String(file), flags),
  )
}

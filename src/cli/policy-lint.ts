// What is odd about policies, told to their author.
import { lintBundle, type LintFinding } from '../policy/lint.ts'
import type { Context } from './command.ts'
import { exitCodes } from './complain.ts'
import { loadBundle, type SourceFlags } from './policy-offline.ts'
import { jsonLine, printable } from './terminal.ts'

interface Linted {
  readonly file: string
  readonly bundle: string
  readonly findings: readonly LintFinding[]
}

function findingText(
  file: string,
  { at, code, level, message, policy, rule }: LintFinding,
): string {
  const where = [policy, rule].flatMap((id) => (id === null ? [] : [printable(id)])).join('/')
  const what = where === '' ? '' : ` ${where}`
  return `${printable(file)}: ${level} ${code}${what} at ${printable(at)}: ${printable(message)}\n`
}

/** `policy lint`: exit 1 where there is a warning; notes are for the author to know. */
export async function lintPolicies(
  context: Context,
  files: readonly string[],
  flags: SourceFlags,
): Promise<number> {
  const linted: Linted[] = []
  for (const file of files) {
    const compiled = await loadBundle(context, file, flags)
    linted.push({ file, bundle: compiled.bundle.id, findings: lintBundle(compiled) })
  }
  const lines = linted.flatMap(({ file, findings }) =>
    findings.map((finding) => findingText(file, finding)),
  )
  await context.out.write((flags.json === true ? linted.map(jsonLine) : lines).join(''))
  const warned = linted.some(({ findings }) => findings.some(({ level }) => level === 'warning'))
  return warned ? 1 : exitCodes.done
}

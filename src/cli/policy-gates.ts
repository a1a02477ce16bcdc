// The quantitative gates for their authors: what settings say, and what they make of one proposal.
import { randomUUID } from 'node:crypto'
import { parseStrictJson } from '../base/strict-json.ts'
import { compileGates, gatesVersion } from '../policy/gate-config.ts'
import { parseAegisConfig, validateAegisConfig } from '../policy/gate-config-text.ts'
import { pcwDecide } from '../policy/pcw.ts'
import type { Context } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { readText } from './policy-offline.ts'
import { jsonLine } from './terminal.ts'

/** Flags of `policy gates`. */
export interface GatesFlags {
  readonly json?: boolean
  readonly measures?: string
  readonly shadow?: boolean
}

const print = (value: unknown, { json }: GatesFlags): string =>
  json === true ? jsonLine(value) : `${JSON.stringify(value, null, 2)}\n`

/** The answer of AEGIS's validate-config, and the member of a bundle that has these settings. */
async function checkSettings(context: Context, text: string, flags: GatesFlags): Promise<number> {
  const verdict = validateAegisConfig(text)
  const member = { version: gatesVersion, settings: verdict.parameters }
  await context.out.write(print(verdict.valid ? { ...verdict, gates: member } : verdict, flags))
  return verdict.valid ? exitCodes.done : exitCodes.usage
}

/** `policy gates [SETTINGS]`, `policy gates [SETTINGS] --measures FILE` */
export async function askGates(
  context: Context,
  file: string | undefined,
  flags: GatesFlags,
): Promise<number> {
  const { measures, shadow = false } = flags
  if (file === '-' && measures === '-')
    throw new Usage('Only one of settings and measures can be standard input')
  const settings = file === undefined ? '' : await readText(context, file)
  if (measures === undefined) return checkSettings(context, settings, flags)
  const gates = compileGates(parseAegisConfig(settings).config)
  const proposal = parseStrictJson(await readText(context, measures))
  const occasion = { decisionId: randomUUID(), now: Date.now(), shadow }
  const decision = pcwDecide(gates, proposal, occasion)
  await context.out.write(print(decision, flags))
  return decision.status === 'PROCEED' || shadow ? exitCodes.done : 1
}

import type { Command } from 'commander'
import { isUuid } from '../base/uuid.ts'
import { challengeLimits } from '../dossier/challenge.ts'
import {
  act,
  asJson,
  define,
  group,
  ofTenant,
  wholeNumber,
  writing,
  type Context,
  type Defining,
  type Outcome,
  type TenantFlags,
} from './command.ts'
import { paged, type PageFlags } from './paging.ts'
import { Usage } from './complain.ts'
import type { OpenFlags } from './override.ts'
import { aboutOne, defineChallenge, defineSteps, type TwoKeyGroup } from './two-key-commands.ts'

const id = '$ID'
const mostSeconds = 14 * 86_400

function wholeId(value: unknown): string {
  if (typeof value === 'string' && isUuid(value)) return value
  throw new Usage(`The id of a decision is wanted: ${String(value)}`)
}

const requests: TwoKeyGroup = {
  name: 'override',
  idOf: 'decision',
  what: 'request',
  execution:
    'Makes the decision an ALLOW for one use, once both leads have signed. It happens once, whoever else tries.',
  wholeId,
  load: async () => {
    const { actOnOverride, printChallenge, signOverride } = await import('./override.ts')
    return { act: actOnOverride, printChallenge, sign: signOverride }
  },
}

/** `override` */
export function defineOverride(program: Command, context: Context, outcome: Outcome): void {
  const overrides = group(program, 'override', 'Overrules a decision, by two leads with two keys.')
  const defining = { context, outcome, overrides, program }
  defineOpening(defining)
  defineReading(defining)
  const parts = { context, of: requests, outcome, program, requests: overrides }
  defineChallenge(parts)
  defineSteps(parts)
}

function defineOpening({ context, outcome, overrides, program }: Defining<'overrides'>): void {
  const open = define(
    overrides,
    'open',
    'Asks a risk lead and a security lead to overrule a decision that said no. Neither may be whoever asked for it.',
    [`override open ${id} --justification "Customer waits, checked by phone"`],
  )
  aboutOne(open, requests.idOf)
    .requiredOption('--justification <text>', 'why, for those who sign and for the dossier')
    .option(
      '--approve-within <seconds>',
      'until when both must have signed (default: 3600)',
      wholeNumber(1, mostSeconds),
    )
    .option(
      '--execute-within <seconds>',
      'until when it must have come to pass, from now (default: 7200)',
      wholeNumber(1, mostSeconds),
    )
  act(program, open, outcome, async (flags: OpenFlags, [decision]) => {
    const { length } = flags.justification
    if (length < 1 || length > challengeLimits.justification)
      throw new Usage(
        `A justification has 1 to ${challengeLimits.justification} characters: --justification`,
      )
    return (await import('./override.ts')).openOverride(context, wholeId(decision), flags)
  })
}

function defineReading({ context, outcome, overrides, program }: Defining<'overrides'>): void {
  const show = define(
    overrides,
    'show',
    'Tells how it stands with the newest request to overrule a decision.',
    [`override show ${id}`],
  )
  aboutOne(show, requests.idOf)
  act(program, show, outcome, async (flags: TenantFlags, [decision]) =>
    (await import('./override.ts')).showOverride(context, wholeId(decision), flags),
  )
  const list = define(
    overrides,
    'list',
    'Lists the decisions that somebody asked to overrule, newest first.',
    ['override list', 'override list --limit 200 --json'],
  )
  paged(asJson(ofTenant(writing(list))))
  act(program, list, outcome, async (flags: TenantFlags & PageFlags) =>
    (await import('./override.ts')).listOverrides(context, flags),
  )
}

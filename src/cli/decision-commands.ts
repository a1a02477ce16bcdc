import { Option, type Command } from 'commander'
import { listQuerySchema } from '../wire/decision.ts'
import {
  act,
  asJson,
  define,
  group,
  ofTenant,
  reading,
  type Context,
  type Outcome,
  type TenantFlags,
} from './command.ts'
import { paged } from './paging.ts'
import type { DecisionListFlags } from './decisions.ts'

const { by, escalation, inForce, override, status } = listQuerySchema.shape
const choicesOf = (field: { readonly unwrap: () => { readonly options: readonly string[] } }) =>
  field.unwrap().options

/** `decision` */
export function defineDecisions(program: Command, context: Context, outcome: Outcome): void {
  const decisions = group(program, 'decision', 'Tells of decisions, and of what they are now.')
  const list = define(
    decisions,
    'list',
    'Lists decisions, newest first, with what they are now where an override or an escalation has made them something else.',
    [
      'decision list --status BLOCK --limit 20',
      'decision list --in-force ALLOW --by override',
      'decision list --override open --json',
    ],
  )
  asJson(ofTenant(reading(list)))
    .addOption(new Option('--status <status>', 'as they were made').choices(choicesOf(status)))
    .addOption(new Option('--in-force <status>', 'as they are now').choices(choicesOf(inForce)))
    .addOption(new Option('--by <what>', 'by what they are what they are').choices(choicesOf(by)))
    .addOption(
      new Option('--override <state>', 'state of the request to overrule them').choices(
        choicesOf(override),
      ),
    )
    .addOption(
      new Option('--escalation <state>', 'state of their escalation').choices(
        choicesOf(escalation),
      ),
    )
    .option('--actor <id>', 'who wanted to act')
    .option('--action <type>', 'what was to be done')
  paged(list)
  act(program, list, outcome, async (flags: DecisionListFlags) =>
    (await import('./decisions.ts')).listDecisions(context, flags),
  )
  const show = define(
    decisions,
    'show',
    'Shows a decision: what was said, what it is now, and by what.',
    ['decision show 01890a5d-ac96-774b-bcce-b302099a8057'],
  ).argument('<id>', 'id of the decision')
  asJson(ofTenant(reading(show)))
  act(program, show, outcome, async (flags: TenantFlags, [id]) =>
    (await import('./decisions.ts')).showDecision(context, String(id), flags),
  )
}

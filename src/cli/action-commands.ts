import type { Command } from 'commander'
import { isUuid } from '../base/uuid.ts'
import type { ReasonFlags } from './action.ts'
import {
  act,
  asJson,
  define,
  group,
  ofTenant,
  writing,
  type Context,
  type Defining,
  type Outcome,
  type TenantFlags,
} from './command.ts'
import { paged, type PageFlags } from './paging.ts'
import { Usage } from './complain.ts'
import { aboutOne, defineChallenge, defineSteps, type TwoKeyGroup } from './two-key-commands.ts'
import { twoKeyed, wholeReason } from './two-key-options.ts'

const id = '$ID'

function wholeId(value: unknown): string {
  if (typeof value === 'string' && isUuid(value)) return value
  throw new Usage(`The id of an action is wanted: ${String(value)}`)
}

const requests: TwoKeyGroup = {
  name: 'action',
  idOf: 'action',
  what: 'action',
  execution:
    'Does what both leads have signed, once, whoever else tries. One that was cut off goes on when it is executed again.',
  wholeId,
  load: async () => {
    const { actOnAction, printChallenge, signAction } = await import('./action.ts')
    return { act: actOnAction, printChallenge, sign: signAction }
  },
}

/** `action` and `control` */
export function defineAction(program: Command, context: Context, outcome: Outcome): void {
  const actions = group(
    program,
    'action',
    'Lets two leads sign what could undo evidence: erasing, closing, ending keys, activating policies.',
  )
  const defining = { actions, context, outcome, program }
  defineReading(defining)
  const parts = { context, of: requests, outcome, program, requests: actions }
  defineChallenge(parts)
  defineSteps(parts)
  defineControl(program, context, outcome)
}

function defineReading({ actions, context, outcome, program }: Defining<'actions'>): void {
  const list = define(actions, 'list', 'Lists the actions, newest first.', [
    'action list',
    'action list --limit 200 --json',
  ])
  paged(asJson(ofTenant(writing(list))))
  act(program, list, outcome, async (flags: TenantFlags & PageFlags) =>
    (await import('./action.ts')).listActions(context, flags),
  )
  const show = define(actions, 'show', 'Tells what an action does and how it stands with it.', [
    `action show ${id}`,
  ])
  aboutOne(show, requests.idOf)
  act(program, show, outcome, async (flags: TenantFlags, [action]) =>
    (await import('./action.ts')).showAction(context, wholeId(action), flags),
  )
}

function defineControl(program: Command, context: Context, outcome: Outcome): void {
  const control = group(
    program,
    'control',
    'Says whether two leads must sign what could undo evidence, and ends that.',
  )
  const show = define(
    control,
    'show',
    'Says since when two leads must sign, who they are by which roster, and how often the break-glass passphrase was made or used.',
    ['control show', 'control show --json'],
  )
  asJson(ofTenant(writing(show)))
  act(program, show, outcome, async (flags: TenantFlags) =>
    (await import('./action.ts')).showControl(context, flags),
  )
  const end = define(
    control,
    'end',
    'Ends dual control of a tenant, once two leads have signed that. No setting of the host ends it.',
    ['control end --reason "The tenant moves"'],
  )
  twoKeyed(asJson(ofTenant(writing(end))), 'a reason').requiredOption(
    '--reason <text>',
    'why, for the log',
  )
  act(program, end, outcome, async (flags: ReasonFlags) => {
    wholeReason(flags.reason)
    return (await import('./action.ts')).endControl(context, flags)
  })
}

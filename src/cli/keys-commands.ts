import { Option, type Command } from 'commander'
import { isUuid } from '../base/uuid.ts'
import { migrationTargets, type KeyOrder } from '../wire/keys.ts'
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
import { Usage } from './complain.ts'
import { defineCustody, purposeOf } from './custody-commands.ts'
import type { OrderFlags } from './keys.ts'
import { twoKeyed } from './two-key-options.ts'

const ofEveryTenant = (command: Command): Command =>
  command.option('--tenant <name>', 'this tenant alone (default: every one)')

/** Sets what an order does; `orderOf` judges the arguments before anything is opened. */
const ordering = (
  { context, outcome, program }: Defining<'keys'>,
  command: Command,
  orderOf: (argument: string, flags: never) => KeyOrder,
): void => {
  act(program, command, outcome, async (flags: OrderFlags, [argument]) => {
    const order = orderOf(typeof argument === 'string' ? argument : '', flags as never)
    return (await import('./keys.ts')).orderKeys(context, order, flags)
  })
}

/** A key by purpose and version, as people see it in `keys status`. */
const keyName = /^(?:evidence|fast|log|bundle):[1-9]\d{0,8}$/

function wholeId(text: string): string {
  if (isUuid(text) || keyName.test(text)) return text
  throw new Usage(
    `A key is named by purpose and version, such as evidence:1, or by its full id, as keys status --json tells it: ${text}`,
  )
}

/** `keys` */
export function defineKeys(program: Command, context: Context, outcome: Outcome): void {
  const keys = group(program, 'keys', 'Says how it stands with the keys, and changes them.')
  const defining = { context, keys, outcome, program }
  defineStatus(defining)
  defineRotation(defining)
  defineSlots(defining)
  defineEnding(defining)
  defineCustody(defining)
}

function defineStatus({ context, keys, outcome, program }: Defining<'keys'>): void {
  const status = define(
    keys,
    'status',
    'Says which key signs what now and since when, which key provider opens it and how that is, and what is unfinished or due. Positions are indexes of the log; those of a log key are tree sizes.',
    ['keys status', 'keys status --json'],
  )
  asJson(ofTenant(writing(status)))
  act(program, status, outcome, async (options: TenantFlags) =>
    (await import('./keys.ts')).keysStatus(context, options),
  )
}

function defineRotation(defining: Defining<'keys'>): void {
  const { keys } = defining
  const rotate = define(
    keys,
    'rotate',
    'Makes a new key of a purpose and lets it sign from its own entry on. The old one still verifies what it signed. When interrupted, run it again.',
    ['keys rotate evidence', 'keys rotate log --tenant payments'],
  )
  rotate.argument('<purpose>', 'evidence, fast, log, or bundle for copies in other formats')
  asJson(ofTenant(writing(rotate)))
  ordering(defining, rotate, (purpose) => ({
    order: 'rotate',
    purpose: purpose === 'bundle' ? purpose : purposeOf(purpose, 'evidence, fast, log, bundle'),
  }))
  const master = define(
    keys,
    'rotate-master',
    'Makes a new master key and seals every signing key to it. A break-glass passphrase opens nothing any more then, so that it wants a word. When interrupted, run it again.',
    ['keys rotate-master', 'keys rotate-master --drop-break-glass'],
  )
  twoKeyed(asJson(ofTenant(writing(master))), 'no reason').option(
    '--drop-break-glass',
    'let the break-glass passphrase open this tenant no more',
  )
  ordering(
    defining,
    master,
    (_, { dropBreakGlass }: OrderFlags & { dropBreakGlass?: boolean }) => ({
      order: 'rotate-master',
      ...(dropBreakGlass === undefined ? {} : { dropBreakGlass }),
    }),
  )
}

function defineSlots(defining: Defining<'keys'>): void {
  const { keys } = defining
  const rewrap = define(
    keys,
    'rewrap',
    'Wraps the master key again under the present version of the key of each provider. When interrupted, run it again.',
    ['keys rewrap'],
  )
  asJson(ofEveryTenant(writing(rewrap)))
  ordering(defining, rewrap, () => ({ order: 'rewrap' }))
  const migrate = define(
    keys,
    'migrate',
    'Lets another key provider open the master key, and drops those before it. The new one is proved to open it before anything is dropped. When interrupted, run it again.',
    ['keys migrate --to kms', 'keys migrate --to hsm --keep'],
  )
  twoKeyed(asJson(ofEveryTenant(writing(migrate))), 'no reason')
    .addOption(
      new Option('--to <provider>', 'key provider, configured as for serve')
        .choices(migrationTargets)
        .makeOptionMandatory(),
    )
    .option('--keep', 'let the providers before it open the master key too')
  ordering(
    defining,
    migrate,
    (_, { keep, to }: OrderFlags & { to: (typeof migrationTargets)[number]; keep?: boolean }) => ({
      order: 'migrate',
      to,
      ...(keep === undefined ? {} : { keep }),
    }),
  )
}

function defineEnding(defining: Defining<'keys'>): void {
  const { keys } = defining
  const revoke = define(
    keys,
    'revoke',
    'Lets a key count no more from a position on, and prints what that voids. Without --from that is the entry that says so, and nothing before it is void.',
    [
      'keys revoke 01890a5d-ac96-774b-bcce-b302099a8057 --reason "laptop lost"',
      'keys revoke 01890a5d-ac96-774b-bcce-b302099a8057 --from 4711',
    ],
  )
  revoke.argument('<key>', 'purpose and version such as evidence:1, or full id')
  twoKeyed(asJson(ofTenant(writing(revoke))), 'a reason')
    .option(
      '--from <index>',
      'first position at which it counts no more',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option('--reason <text>', 'why, for the log')
  ordering(defining, revoke, (id, flags: OrderFlags & { from?: number; reason?: string }) => {
    const { from, reason } = flags
    if (reason !== undefined && (reason === '' || reason.length > 2048))
      throw new Usage('A reason has 1 to 2048 characters: --reason')
    return {
      order: 'revoke',
      keyId: wholeId(id),
      ...(from === undefined ? {} : { from }),
      ...(reason === undefined ? {} : { reason }),
    }
  })
  const destroy = define(
    keys,
    'destroy',
    'Deletes the private half of a key that signs no more, for ever. What it signed verifies as before.',
    ['keys destroy 01890a5d-ac96-774b-bcce-b302099a8057'],
  )
  destroy.argument('<key>', 'purpose and version such as fast:1, or full id')
  twoKeyed(asJson(ofTenant(writing(destroy))), 'no reason')
  ordering(defining, destroy, (id) => ({ order: 'destroy', keyId: wholeId(id) }))
  const admit = define(
    keys,
    'admit',
    'Takes in a key that keys offer made while the master key was sealed. Its fingerprint must have come by another way than the key.',
    [`keys admit ${'5f'.repeat(32)}`],
  )
  admit.argument('<fingerprint>', 'SHA-256 of its sealed record, 64 hexadecimal digits')
  asJson(ofTenant(writing(admit)))
  ordering(defining, admit, (text) => {
    const fingerprint = text.toLowerCase()
    if (!/^[0-9a-f]{64}$/.test(fingerprint))
      throw new Usage('A fingerprint is 64 hexadecimal digits')
    return { order: 'admit', fingerprint }
  })
}

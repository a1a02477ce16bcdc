import { Option, type Command } from 'commander'
import { webhookKinds, webhookLimits } from '../wire/webhooks.ts'
import {
  act,
  asJson,
  define,
  group,
  ofTenant,
  writing,
  type Context,
  type Outcome,
  type TenantFlags,
} from './command.ts'
import { Usage } from './complain.ts'
import type { AddFlags } from './webhooks.ts'

const id = '01890a5d-ac96-774b-bcce-b302099a8057'

/** `webhook` */
export function defineWebhooks(program: Command, context: Context, outcome: Outcome): void {
  const webhooks = group(
    program,
    'webhook',
    'Manages webhooks: places that are told what happens. They decide nothing.',
  )
  const add = define(
    webhooks,
    'add',
    'Makes a webhook and prints the secret by which its receiver knows what is ours, alone and this once. A running server sends what is to be told.',
    [
      'webhook add https://hooks.example.com/countersign',
      'webhook add https://hooks.example.com/x --kind "override.*" --secret-file secret',
    ],
  ).argument('<url>', 'where it leads, with https')
  asJson(ofTenant(writing(add)))
    .addOption(
      new Option('--kind <kind...>', 'what it is told (default: everything)').choices(webhookKinds),
    )
    .option('--secret-file <file>', 'file of a secret of your own (whsec_…), - for standard input')
    .option('--description <text>', 'what it is for')
  act(program, add, outcome, async (flags: AddFlags, [url]) => {
    if (String(url).length > webhookLimits.url)
      throw new Usage(`A URL has at most ${webhookLimits.url} characters`)
    return (await import('./webhooks.ts')).addWebhook(context, String(url), flags)
  })
  const list = define(
    webhooks,
    'list',
    'Lists the webhooks of a tenant, without their secrets, and what was given up.',
    ['webhook list'],
  )
  asJson(ofTenant(writing(list)))
  act(program, list, outcome, async (flags: TenantFlags) =>
    (await import('./webhooks.ts')).listWebhooks(context, flags),
  )
  const remove = define(webhooks, 'remove', 'Removes a webhook and what waits for it.', [
    `webhook remove ${id}`,
  ]).argument('<id>', 'id of the webhook')
  asJson(ofTenant(writing(remove)))
  act(program, remove, outcome, async (flags: TenantFlags, [hook]) =>
    (await import('./webhooks.ts')).removeWebhook(context, String(hook), flags),
  )
  const test = define(
    webhooks,
    'test',
    'Lets one webhook be told of a test, by the running server.',
    [`webhook test ${id}`],
  ).argument('<id>', 'id of the webhook')
  asJson(ofTenant(writing(test)))
  act(program, test, outcome, async (flags: TenantFlags, [hook]) =>
    (await import('./webhooks.ts')).testWebhook(context, String(hook), flags),
  )
}

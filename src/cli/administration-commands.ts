import { Option, type Command } from 'commander'
import { scopes } from '../wire/decision.ts'
import type { ReasonFlags } from './action.ts'
import type { ApiKeyFlags } from './administer.ts'
import {
  act,
  asJson,
  define,
  group,
  ofTenant,
  reading,
  writing,
  type Context,
  type Outcome,
  type TenantFlags,
} from './command.ts'
import { twoKeyed, wholeReason } from './two-key-options.ts'

/** `tenant` and `apikey`. */
export function defineAdministration(program: Command, context: Context, outcome: Outcome): void {
  defineTenant(program, context, outcome)
  defineApiKey(program, context, outcome)
}

function defineTenant(program: Command, context: Context, outcome: Outcome): void {
  const tenant = group(
    program,
    'tenant',
    'Manages tenants: each has a log, keys and API keys of its own.',
  )
  const create = define(tenant, 'create', 'Makes a tenant with its own log and its own keys.', [
    'tenant create payments --profile checkpoint',
  ]).argument('<name>', 'lower-case letters, digits and hyphens, at most 63')
  asJson(writing(create))
    .addOption(
      new Option(
        '--profile <profile>',
        'each: every decision signed by itself; checkpoint: a batch shares the post-quantum signature',
      )
        .choices(['each', 'checkpoint'])
        .default('each'),
    )
    .option('--public', 'let anybody read the log (its leaves, not what was decided)')
  act(
    program,
    create,
    outcome,
    async (options: TenantFlags & { profile: 'each' | 'checkpoint'; public?: boolean }, [name]) =>
      (await import('./administer.ts')).createTenant(context, String(name), options),
  )
  const list = define(tenant, 'list', 'Lists the tenants and the size of their logs.', [
    'tenant list',
  ])
  asJson(reading(list))
  act(program, list, outcome, async (options: TenantFlags) =>
    (await import('./administer.ts')).listTenants(context, options),
  )
  const close = define(
    tenant,
    'close',
    'Closes a tenant for ever: nothing is decided there any more, and its log can be read and verified as before. Under dual control two leads must sign it.',
    ['tenant close payments --reason "Merged into treasury"'],
  ).argument('<name>', 'name of the tenant')
  twoKeyed(asJson(writing(close)), 'a reason').requiredOption('--reason <text>', 'why, for the log')
  act(program, close, outcome, async (options: Omit<ReasonFlags, 'tenant'>, [name]) => {
    wholeReason(options.reason)
    const { closeTenant } = await import('./action.ts')
    return closeTenant(context, { ...options, tenant: String(name) })
  })
}

function defineApiKey(program: Command, context: Context, outcome: Outcome): void {
  const apikey = group(program, 'apikey', 'Manages the API keys by which programs are known.')
  const create = define(
    apikey,
    'create',
    'Makes an API key and prints its token, alone and this once.',
    ['apikey create --owner payments-bot --scope decisions:submit decisions:claim'],
  )
  asJson(ofTenant(writing(create)))
    .requiredOption('--owner <name>', 'who uses it')
    .addOption(
      new Option('--scope <scope...>', 'what it allows').choices(scopes).makeOptionMandatory(),
    )
    .option('--policy <name...>', 'policies that decide on all it asks for, beside the others')
    .option('--environment <name>', 'where it is used, whatever its requests say')
  act(program, create, outcome, async (options: TenantFlags & ApiKeyFlags) =>
    (await import('./administer.ts')).createApiKey(context, options),
  )
  const list = define(apikey, 'list', 'Lists the API keys of a tenant, without their tokens.', [
    'apikey list',
  ])
  asJson(ofTenant(reading(list)))
  act(program, list, outcome, async (options: TenantFlags) =>
    (await import('./administer.ts')).listApiKeys(context, options),
  )
  const revoke = define(apikey, 'revoke', 'Revokes an API key: its token is refused from now on.', [
    'apikey revoke 5f2b9c0d1e3a4b57',
  ]).argument('<id>', 'id of the API key')
  asJson(ofTenant(writing(revoke)))
  act(program, revoke, outcome, async (options: TenantFlags, [id]) =>
    (await import('./administer.ts')).revokeApiKey(context, String(id), options),
  )
}

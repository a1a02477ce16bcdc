// Tenants and API keys, at the data directory.
import type { Service } from '../decisions/service.ts'
import type { ApiKeyView, Scope } from '../wire/decision.ts'
import type { Context, TenantFlags } from './command.ts'
import type { GlobalFlags } from './composition.ts'
import { exitCodes } from './complain.ts'
import { whileReading } from './evidence.ts'
import { localCaller } from './principal.ts'
import { date, formatTable, jsonLine, printable } from './terminal.ts'

/** Runs `work` on the data directory opened for writing, or on the server that has it open. */
export async function whileWriting<T>(
  { compose }: Context,
  flags: GlobalFlags,
  work: (service: Service) => Promise<T>,
): Promise<T> {
  const service = await (await compose()).openService(flags)
  try {
    return await work(service)
  } finally {
    await service.close()
  }
}

/** Whether other tenants have a break-glass slot, which a new one never has. */
async function lacksBreakGlass(service: Service, name: string): Promise<boolean> {
  const other = (await service.listTenants()).find((tenant) => tenant.name !== name)
  if (other === undefined) return false
  const { slots } = await service.keyStatus(other.name)
  return slots.some(({ provider }) => provider === 'passphrase')
}

/** `tenant create NAME` */
export async function createTenant(
  context: Context,
  name: string,
  flags: TenantFlags & { readonly profile: 'each' | 'checkpoint'; readonly public?: boolean },
): Promise<number> {
  const { profile, public: isPublic = false } = flags
  const { lacks, tenant } = await whileWriting(context, flags, async (service) => ({
    tenant: await service.createTenant(name, { profile, public: isPublic }, localCaller()),
    lacks: await lacksBreakGlass(service, name),
  }))
  await context.out.write(
    flags.json === true ? jsonLine(tenant) : `${tenant.name}  ${tenant.origin}\n`,
  )
  if (lacks)
    context.err.note(
      'The break-glass passphrase does not open this tenant: stop the server and run countersign keys break-glass\n',
    )
  return exitCodes.done
}

/** `tenant list` */
export async function listTenants(context: Context, flags: TenantFlags): Promise<number> {
  const tenants = await whileReading(context, flags, (service) => service.listTenants())
  const head = ['tenant', 'profile', 'log', 'entries', 'origin']
  const rows = tenants.map(({ name, origin, profile, public: isPublic, size }) => [
    name,
    profile,
    isPublic ? 'public' : 'private',
    String(size),
    origin,
  ])
  await context.out.write(
    flags.json === true ? jsonLine({ tenants, cursor: null }) : formatTable([head, ...rows]),
  )
  return exitCodes.done
}

/** Flags of `apikey create`. */
export interface ApiKeyFlags {
  readonly owner: string
  readonly scope: readonly Scope[]
  readonly policy?: readonly string[]
  readonly environment?: string
}

/** The names of policies that no registered one has. */
async function unregistered(
  service: Service,
  tenant: string,
  names: readonly string[],
): Promise<readonly string[]> {
  if (names.length === 0) return []
  const known = new Set(
    (await service.listPolicies(tenant)).flatMap(({ id, sha256, version }) => [
      id,
      `${id}@${version}`,
      `sha256:${sha256}`,
    ]),
  )
  return names.filter((name) => !known.has(name))
}

/** `apikey create` */
export async function createApiKey(
  context: Context,
  flags: TenantFlags & ApiKeyFlags,
): Promise<number> {
  const { environment = null, owner, policy = [], scope, tenant } = flags
  const bound =
    policy.length === 0 && environment === null ? [] : [{ environment, policies: policy }]
  const [made, unknown] = await whileWriting(context, flags, async (service) => [
    await service.createApiKey(tenant, owner, [...new Set(scope)], localCaller(), ...bound),
    await unregistered(service, tenant, policy),
  ])
  await context.out.write(flags.json === true ? jsonLine(made) : `${made.token}\n`)
  const { id, scopes } = made.apiKey
  context.err.note(
    `API key ${id} of ${printable(owner)} in tenant ${tenant} for ${scopes.join(', ')}\nThe token is shown this once; what is kept is its hash.\n`,
  )
  for (const name of unknown)
    context.err.note(
      `No policy registered is called that, and until one is active every intent of this key ends in ERROR: ${printable(name)}\n`,
    )
  return exitCodes.done
}

const apiKeyRow = ({
  createdAt,
  environment,
  id,
  owner,
  policies = [],
  revokedAt,
  scopes,
}: ApiKeyView): readonly string[] => [
  id,
  printable(owner),
  revokedAt === null ? 'valid' : `revoked ${date(revokedAt)}`,
  date(createdAt),
  scopes.join(','),
  policies.length === 0 ? '-' : printable(policies.join(',')),
  printable(environment ?? '-'),
]

/** `apikey list` */
export async function listApiKeys(context: Context, flags: TenantFlags): Promise<number> {
  const apiKeys = await whileReading(context, flags, (service) => service.listApiKeys(flags.tenant))
  const head = ['id', 'owner', 'state', 'created', 'scopes', 'policies', 'environment']
  await context.out.write(
    flags.json === true
      ? jsonLine({ apiKeys, cursor: null })
      : formatTable([head, ...apiKeys.map(apiKeyRow)]),
  )
  return exitCodes.done
}

/** `apikey revoke ID` */
export async function revokeApiKey(
  context: Context,
  id: string,
  flags: TenantFlags,
): Promise<number> {
  const apiKey = await whileWriting(context, flags, (service) =>
    service.revokeApiKey(flags.tenant, id, localCaller()),
  )
  await context.out.write(flags.json === true ? jsonLine(apiKey) : formatTable([apiKeyRow(apiKey)]))
  return exitCodes.done
}

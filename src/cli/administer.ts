// Tenants, API keys and the state of signing keys, at the data directory.
import type { Service } from '../decisions/service.ts'
import type { ApiKeyView, Scope } from '../wire/decision.ts'
import type { KeyView, SlotView } from '../wire/keys.ts'
import type { Context, TenantFlags } from './command.ts'
import type { GlobalFlags } from './composition.ts'
import { exitCodes } from './complain.ts'
import { whileReading } from './evidence.ts'
import { localCaller } from './principal.ts'
import { formatTable, jsonLine, printable } from './terminal.ts'

async function whileWriting<T>(
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

const date = (ms: number): string => new Date(ms).toISOString()

/** `tenant create NAME` */
export async function createTenant(
  context: Context,
  name: string,
  flags: TenantFlags & { readonly profile: 'each' | 'checkpoint'; readonly public?: boolean },
): Promise<number> {
  const { profile, public: isPublic = false } = flags
  const tenant = await whileWriting(context, flags, (service) =>
    service.createTenant(name, { profile, public: isPublic }, localCaller()),
  )
  await context.out.write(
    flags.json === true ? jsonLine(tenant) : `${tenant.name}  ${tenant.origin}\n`,
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
  await context.out.write(flags.json === true ? jsonLine(tenants) : formatTable([head, ...rows]))
  return exitCodes.done
}

/** `apikey create` */
export async function createApiKey(
  context: Context,
  flags: TenantFlags & { readonly owner: string; readonly scope: readonly Scope[] },
): Promise<number> {
  const { owner, scope, tenant } = flags
  const made = await whileWriting(context, flags, (service) =>
    service.createApiKey(tenant, owner, [...new Set(scope)], localCaller()),
  )
  await context.out.write(flags.json === true ? jsonLine(made) : `${made.token}\n`)
  const { id, scopes } = made.apiKey
  context.err.note(
    `API key ${id} of ${printable(owner)} in tenant ${tenant} for ${scopes.join(', ')}\nThe token is shown this once; what is kept is its hash.\n`,
  )
  return exitCodes.done
}

const apiKeyRow = ({ createdAt, id, owner, revokedAt, scopes }: ApiKeyView): readonly string[] => [
  id,
  printable(owner),
  revokedAt === null ? 'valid' : `revoked ${date(revokedAt)}`,
  date(createdAt),
  scopes.join(','),
]

/** `apikey list` */
export async function listApiKeys(context: Context, flags: TenantFlags): Promise<number> {
  const apiKeys = await whileReading(context, flags, (service) => service.listApiKeys(flags.tenant))
  const head = ['id', 'owner', 'state', 'created', 'scopes']
  await context.out.write(
    flags.json === true ? jsonLine(apiKeys) : formatTable([head, ...apiKeys.map(apiKeyRow)]),
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

const signs: Readonly<Record<string, string>> = {
  master: 'seals the others',
  evidence: 'signs entries of every kind',
  fast: 'signs decisions and executions of the checkpoint profile',
  log: 'signs checkpoints',
}

function keyRow(key: KeyView): readonly string[] {
  const active = key.state === 'active'
  return [
    key.purpose,
    `v${key.version}`,
    key.state,
    key.algorithm,
    key.from === null ? '-' : String(key.from),
    key.to === null ? '-' : String(key.to),
    key.revokedAt === null ? '-' : String(key.revokedAt),
    date(key.createdAt),
    active ? (signs[key.purpose] ?? '-') : '-',
  ]
}

const slotLine = ({ id, kekId, mechanism, provider }: SlotView): string =>
  `opened by ${provider}: ${printable(kekId)} (${printable(mechanism)}, slot ${id})\n`

/** `keys status` */
export async function keysStatus(context: Context, flags: TenantFlags): Promise<number> {
  const { keys, slots } = await whileReading(context, flags, async (service) => ({
    keys: await service.listKeys(flags.tenant),
    slots: await service.listSlots(flags.tenant),
  }))
  if (flags.json === true) {
    await context.out.write(jsonLine({ tenant: flags.tenant, keys, slots }))
    return exitCodes.done
  }
  const head = ['key', 'version', 'state', 'algorithm', 'from', 'to', 'revoked', 'created', 'now']
  await context.out.write(formatTable([head, ...keys.map(keyRow)]) + slots.map(slotLine).join(''))
  return exitCodes.done
}

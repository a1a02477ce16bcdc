// Policies of an installation at the command line: registering, activating, retiring, reading.
import { z } from 'zod'
import { fromUtf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import type { Service } from '../decisions/service.ts'
import { policyViewSchema, type PolicyView } from '../wire/policies.ts'
import { whileWriting } from './administer.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { loadBundle, type SourceFlags } from './policy-offline.ts'
import { localCaller } from './principal.ts'
import { date, formatTable, jsonLine, printable } from './terminal.ts'
import { underTwoKeys, type TwoKeyFlags } from './two-keys.ts'

/** Flags of `policy push`. */
export type PushFlags = TenantFlags & SourceFlags & { readonly activate?: boolean }

/** Flags of what says where a policy decides. */
export interface ActivateFlags extends TwoKeyFlags {
  readonly onAction?: string[]
  readonly onResource?: string[]
  readonly inEnvironment?: string[]
  readonly whenNamed?: boolean
  readonly rollback?: boolean
}

/** Flags of `policy retire`. */
export interface RetireFlags extends TwoKeyFlags {
  readonly reason: string
}

const views = z.array(policyViewSchema)

function scopeText({ scope }: PolicyView): string {
  if (scope === null) return '-'
  const { actions, environments, resources, select } = scope
  const parts = [
    ...(actions === undefined ? [] : [`actions ${actions.join(' ')}`]),
    ...(resources === undefined ? [] : [`resources ${resources.join(' ')}`]),
    ...(environments === undefined ? [] : [`environments ${environments.join(' ')}`]),
    ...(select === 'referenced' ? ['when named'] : []),
  ]
  return parts.length === 0 ? 'everywhere' : printable(parts.join(', '))
}

const formatViews = (policies: readonly PolicyView[]): string =>
  policies.length === 0
    ? ''
    : formatTable([
        ['policy', 'version', 'state', 'since', 'entry', 'sha256', 'decides on'],
        ...policies.map((policy) => [
          printable(policy.id),
          printable(policy.version),
          policy.state,
          date(policy.since),
          String(policy.index),
          policy.sha256.slice(0, 16),
          scopeText(policy),
        ]),
      ])

async function tell(context: Context, flags: TenantFlags, view: PolicyView): Promise<number> {
  await context.out.write(flags.json === true ? jsonLine(view) : formatViews([view]))
  return exitCodes.done
}

const list = async (service: Service, tenant: string): Promise<readonly PolicyView[]> =>
  views.parse(await service.listPolicies(tenant))

/** The version of a policy that decides now. */
const activeOf = async (
  service: Service,
  tenant: string,
  id: string,
): Promise<PolicyView | undefined> =>
  (await list(service, tenant)).find((one) => one.id === id && one.state === 'active')

/** Tells where an activation has changed on what a policy decides: a scope is not taken over from the version before. */
function tellOfScope(
  context: Context,
  before: PolicyView | undefined,
  now: PolicyView,
): PolicyView {
  if (before !== undefined && scopeText(before) !== scopeText(now))
    context.err.note(
      `It decides on: ${scopeText(now)}. Version ${printable(before.version)} decided on: ${scopeText(before)}\n`,
    )
  return now
}

/** The policy that a text names: by its digest or the beginning of it, by `id@version`, or by its id where there is one version. */
async function find(service: Service, tenant: string, name: string): Promise<PolicyView> {
  const known = await list(service, tenant)
  const byDigest = /^[0-9a-f]{8,64}$/.test(name)
    ? known.filter(({ sha256 }) => sha256.startsWith(name))
    : []
  const found =
    byDigest.length > 0
      ? byDigest
      : known.filter(({ id, version }) => name === `${id}@${version}` || name === id)
  const [only] = found
  if (only === undefined) throw new Failure('INPUT_NOT_FOUND', `No such policy: ${name}`)
  if (found.length > 1) {
    const versions = found.map(({ id, version }) => `${id}@${version}`).join(', ')
    throw new Usage(`More than one policy is called so, name one of: ${versions}`)
  }
  return only
}

/** Activates what was registered; undefined where two leads must sign that first. */
async function activateAtOnce(
  context: Context,
  service: Service,
  tenant: string,
  { id, sha256 }: PolicyView,
): Promise<PolicyView | undefined> {
  const before = await activeOf(service, tenant, id)
  try {
    const now = await service.activatePolicy(tenant, sha256, {}, localCaller())
    return tellOfScope(context, before, policyViewSchema.parse(now))
  } catch (error) {
    if (error instanceof Failure && error.code === 'ACTION_REQUIRED') return undefined
    throw error
  }
}

/** `policy push BUNDLE`: exit 75 where it is registered and two leads must sign before it decides. */
export async function pushPolicy(
  context: Context,
  file: string,
  flags: PushFlags,
): Promise<number> {
  const { record } = await loadBundle(context, file, flags)
  const { activate = false, tenant } = flags
  const { active, pushed } = await whileWriting(context, flags, async (service) => {
    const view = policyViewSchema.parse(
      await service.registerPolicy(tenant, fromUtf8(record), localCaller()),
    )
    return {
      active: activate ? await activateAtOnce(context, service, tenant, view) : undefined,
      pushed: view,
    }
  })
  const isHeld = activate && active === undefined
  const view = active ?? pushed
  const command = `countersign policy activate ${printable(`${view.id}@${view.version}`)}`
  if (isHeld)
    context.err.note(
      `It is registered; two leads must sign before it decides: ${command} --justification TEXT\n`,
    )
  else if (view.state === 'registered') context.err.note(`It decides nothing yet: ${command}\n`)
  const exit = await tell(context, flags, view)
  return isHeld ? exitCodes.notNow : exit
}

const scopeOf = ({ inEnvironment, onAction, onResource, whenNamed }: ActivateFlags) => ({
  ...(onAction === undefined ? {} : { actions: onAction }),
  ...(onResource === undefined ? {} : { resources: onResource }),
  ...(inEnvironment === undefined ? {} : { environments: inEnvironment }),
  ...(whenNamed === true ? { select: 'referenced' as const } : {}),
})

/** `policy activate POLICY` */
export const activatePolicy = (
  context: Context,
  name: string,
  flags: ActivateFlags,
): Promise<number> => {
  const { rollback, tenant } = flags
  const scope = scopeOf(flags)
  return underTwoKeys(
    context,
    flags,
    async (service) => ({
      action: 'policy.activate',
      bundle: (await find(service, tenant, name)).sha256,
      scope,
      ...(rollback === undefined ? {} : { rollback }),
    }),
    async (action) => {
      const view = await whileWriting(context, flags, async (service) => {
        const { id, sha256 } = await find(service, tenant, name)
        const before = await activeOf(service, tenant, id)
        const activation = {
          scope,
          ...(action === undefined ? {} : { action }),
          ...(rollback === undefined ? {} : { rollback }),
        }
        const now = await service.activatePolicy(tenant, sha256, activation, localCaller())
        return tellOfScope(context, before, policyViewSchema.parse(now))
      })
      return tell(context, flags, view)
    },
  )
}

/** `policy retire POLICY` */
export const retirePolicy = (
  context: Context,
  name: string,
  flags: RetireFlags,
): Promise<number> => {
  const { reason, tenant } = flags
  return underTwoKeys(
    context,
    flags,
    async (service) => ({
      action: 'policy.retire',
      bundle: (await find(service, tenant, name)).sha256,
      reason,
    }),
    async (action) => {
      const view = await whileWriting(context, flags, async (service) => {
        const { sha256 } = await find(service, tenant, name)
        const retirement = { reason, ...(action === undefined ? {} : { action }) }
        return policyViewSchema.parse(
          await service.retirePolicy(tenant, sha256, retirement, localCaller()),
        )
      })
      return tell(context, flags, view)
    },
  )
}

/** `policy list` */
export async function listPolicies(context: Context, flags: TenantFlags): Promise<number> {
  const policies = await whileWriting(context, flags, (service) => list(service, flags.tenant))
  await context.out.write(
    flags.json === true ? jsonLine({ policies, cursor: null }) : formatViews(policies),
  )
  return exitCodes.done
}

/** `policy show POLICY`: the bundle as it was registered. */
export async function showPolicy(
  context: Context,
  name: string,
  flags: TenantFlags,
): Promise<number> {
  const { policy, record } = await whileWriting(context, flags, async (service) => {
    const { sha256 } = await find(service, flags.tenant, name)
    return service.readPolicy(flags.tenant, sha256)
  })
  if (flags.json === true) {
    await context.out.write(`{"policy":${JSON.stringify(policy)},"record":${record}}\n`)
    return exitCodes.done
  }
  context.err.note(formatViews([policy]))
  const { bundle, dialect } = JSON.parse(record) as { bundle: object; dialect: string }
  await context.out.write(`${JSON.stringify({ dialect, ...bundle }, null, 2)}\n`)
  return exitCodes.done
}

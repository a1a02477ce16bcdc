// What the log says of the policies, keys and tenants that an action names.
import type { ActionEffect } from '../dossier/action-effects.ts'
import type { Service } from '../decisions/service.ts'
import { canonicalize } from '../base/canonical-json.ts'
import type { KeyView } from '../wire/keys.ts'
import type { PolicyView } from '../wire/policies.ts'
import { firstFacts, type Fact } from './facts.ts'
import { date } from './terminal.ts'

type Facts = readonly Fact[]
type Source = Pick<Service, 'listKeys' | 'listPolicies' | 'listTenants' | 'readControl'>

const scopeText = (scope: object | null): string =>
  scope === null || Object.keys(scope).length === 0 ? 'everything' : canonicalize(scope)

/** What is decided by now where a bundle is about to decide. */
function factsOfReplaced(now: PolicyView | undefined, { id, sha256 }: PolicyView): Facts {
  if (now === undefined) return [['replaces', `nothing: no version of ${id} decides now`]]
  const { scope, since, version } = now
  return [
    ['replaces', now.sha256 === sha256 ? 'itself' : `version ${version}`],
    ['replaces', `bundle ${now.sha256}`],
    ['replaces', `active since ${date(since)}`],
    ['decided on', scopeText(scope)],
  ]
}

type PolicyEffect = Extract<ActionEffect, { bundle: string }>

async function factsOfPolicy(source: Source, tenant: string, effect: PolicyEffect): Promise<Facts> {
  const known = await source.listPolicies(tenant)
  const policy = known.find(({ sha256 }) => sha256 === effect.bundle)
  if (policy === undefined) return [['policy', 'cannot be read: the log knows no such bundle']]
  const { id, index, registeredAt, state, version } = policy
  const active = known.find((one) => one.id === id && one.state === 'active')
  const what: Facts = [
    ['policy', id],
    ['version', version],
    ['state', state],
    ['registered', `at index ${index}, ${date(registeredAt)}`],
    ['read it', `countersign policy show ${effect.bundle.slice(0, 16)}`],
  ]
  if (effect.action === 'policy.activate')
    return [
      ...what,
      ...factsOfReplaced(active, policy),
      ['will decide on', scopeText(effect.scope)],
      ...(effect.rollback === true
        ? [['rollback', 'back to a bundle older than one that was active'] as const]
        : []),
    ]
  const isActive = active?.sha256 === effect.bundle
  return [
    ...what,
    ['decides now', isActive ? `yes, and no version of ${id} does afterwards` : 'no'],
  ]
}

const factOfKey = ({ from, purpose, revokedAt, since, state, to, version }: KeyView): Fact => [
  'key',
  [
    `${purpose} ${version}, ${state}${since === null ? '' : ` since ${date(since)}`}`,
    `counts from ${from ?? '-'} to ${to ?? 'now'}`,
    ...(revokedAt === null ? [] : [`revoked from ${revokedAt}`]),
  ].join(', '),
]

/** What the log says of what an effect is about, but for decisions. */
export async function factsOfEffect(
  source: Source,
  tenant: string,
  effect: Exclude<ActionEffect, { action: 'erase' }>,
): Promise<Facts> {
  switch (effect.action) {
    case 'policy.activate':
    case 'policy.retire':
      return factsOfPolicy(source, tenant, effect)
    case 'keys.destroy':
    case 'keys.revoke': {
      const key = (await source.listKeys(tenant)).find(({ keyId }) => keyId === effect.key)
      return [key === undefined ? ['key', 'cannot be read: no such key'] : factOfKey(key)]
    }
    case 'keys.migrate':
    case 'keys.rotate-master':
      return firstFacts(
        (await source.listKeys(tenant)).filter(({ state }) => state === 'active').map(factOfKey),
      )
    case 'tenant.close':
    case 'control.none': {
      const found = (await source.listTenants()).find(({ name }) => name === tenant)
      const { dualControl, roster } = await source.readControl(tenant)
      return [
        ['tenant', `${tenant}, ${found?.origin ?? '-'}, ${found?.size ?? 0} entries`],
        ['two leads', dualControl === 'all' ? 'must sign now' : 'need not sign now'],
        ['roster', roster === null ? 'none' : `version ${roster}`],
      ]
    }
  }
}

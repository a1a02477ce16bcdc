import { canonicalize } from '../../src/base/canonical-json.ts'
import { makeDecision, type MadeDecision } from '../../src/decisions/evaluate.ts'
import type { Bound, Principal } from '../../src/decisions/service.ts'
import { submissionOf } from '../../src/decisions/submission.ts'
import type { PolicyScope } from '../../src/dossier/policy-events.ts'
import { compileRecord } from '../../src/policy/open-record.ts'
import type { ActivePolicy } from '../../src/policy/select.ts'
import { compileScope, scopeSchema } from '../../src/policy/terms.ts'
import { founder, type TestService } from './service.ts'

const always = { kind: 'always' }

/** A bundle that answers everything with one effect. */
export const bundle = (
  id: string,
  effect: string,
  more: object = {},
  rule: object = {},
): object => ({
  bundle_id: id,
  policies: [
    {
      default_effect: 'not_applicable',
      id,
      rules: [{ effect, id: 'it', when: always, ...rule }],
    },
  ],
  version: '1',
  ...more,
})

/** Registers a bundle and lets it decide; gives its digest. */
export async function enact({ service }: TestService, value: object, scope: PolicyScope = {}) {
  const record = canonicalize({ bundle: value, dialect: 'native' })
  const { sha256 } = await service.registerPolicy('default', record, founder)
  await service.activatePolicy('default', sha256, { scope }, founder)
  return sha256
}

/** A request to decide. */
export const asked = (more: object = {}) => ({
  intent: { action: { type: 'pay' }, actor: { id: 'agent' }, ...more },
})

/** The policies that decide now. */
export async function activeIn({ service }: TestService): Promise<readonly ActivePolicy[]> {
  const { policies } = await service.readActivePolicies('default')
  return policies.map(({ index, record, scope }) => ({
    compiled: compileRecord(JSON.parse(record)),
    index,
    ...(Object.keys(scope ?? {}).length === 0
      ? {}
      : { scope: compileScope(scopeSchema.parse(scope)) }),
  }))
}

/** The policies with some ids. */
export const named = (policies: readonly ActivePolicy[], ...ids: readonly string[]) =>
  policies.filter(({ compiled }) => ids.includes(compiled.bundle.id))

/** A decision by some policies, whichever count. */
export const decideBy = (
  active: readonly ActivePolicy[],
  request: ReturnType<typeof asked> & { readonly mode?: 'shadow' },
  bound?: Bound,
): MadeDecision => makeDecision(active, request, Date.now(), bound)

/** Enters a decision that somebody in the service has made as he likes, and says where it stands. */
export async function slip(
  { principal, service }: TestService,
  made: MadeDecision,
  as: Principal = principal,
): Promise<string> {
  const { epoch } = await service.readActivePolicies('default')
  const time = made.time ?? Date.now()
  const said = submissionOf(made)
  const text = await service.submitEvaluated(as, { asked: '', epoch, said, time })
  const { id, index } = JSON.parse(text) as { id: string; index: number }
  return `${index} ${id}`
}

/** A caller by an API key of the log. */
export async function callerOf({ service }: TestService, bound?: Bound): Promise<Principal> {
  const { token } = await service.createApiKey('default', 'bot', ['log:read'], founder, bound)
  return service.authenticate(token)
}

import { expect, it } from 'vitest'
import { canonicalize } from '../../../src/base/canonical-json.ts'
import { Evaluator } from '../../../src/decisions/evaluator.ts'
import type { Bound } from '../../../src/decisions/service.ts'
import { reevaluateDossier } from '../../../src/verify/reevaluate.ts'
import { notarisedSchema } from '../../../src/wire/decision.ts'
import { foundTestService, founder, type TestService } from '../../support/service.ts'

const rule = (effect: string, when: object): object => ({ id: `${effect}-it`, effect, when })
const bundle = (id: string, effect: string, when: object, scope: object): object => ({
  bundle_id: id,
  version: '1',
  policies: [{ id, default_effect: 'not_applicable', rules: [rule(effect, when)] }],
  scope,
})
const always = { kind: 'always' }

/** An installation where everything is allowed, payments in production are not, and a policy that denies waits to be named. */
async function found(): Promise<TestService> {
  const test = await foundTestService()
  const bundles = [
    bundle('open', 'allow', always, {}),
    bundle(
      'production',
      'deny',
      { kind: 'eq', field: 'action', value: 'pay' },
      {
        environments: ['production'],
      },
    ),
    bundle('strict', 'deny', always, { select: 'referenced' }),
  ]
  for (const value of bundles) {
    const record = canonicalize({ bundle: value, dialect: 'native' })
    const { sha256 } = await test.service.registerPolicy('default', record, founder)
    await test.service.activatePolicy('default', sha256, {}, founder)
  }
  return test
}

/** The decision that a key with these bonds gets on a payment in development. */
async function decideAs({ service }: TestService, bound?: Bound) {
  const { token } = await service.createApiKey(
    'default',
    'bot',
    ['decisions:evaluate'],
    founder,
    bound,
  )
  const principal = await service.authenticate(token)
  const intent = {
    action: { type: 'pay' },
    actor: { id: 'agent' },
    context: { environment: 'development' },
  }
  const text = await service.notarise(principal, JSON.stringify({ intent }), null)
  const made = notarisedSchema.parse(JSON.parse(text))
  // The same away from the thread that owns the log, and as a dry run.
  const beside = await new Evaluator(service, Date.now).decide(principal, { intent }, null)
  expect(notarisedSchema.parse(JSON.parse(beside)).status).toBe(made.status)
  const dry = await service.dryRun('default', { intent }, principal.bound)
  expect(JSON.parse(dry)).toMatchObject({ status: made.status })
  const again = reevaluateDossier(await service.exportDossier('default', made.id))
  expect(again).toMatchObject({ outcome: 'same', recorded: made.status })
  return made.status
}

it('lets the policies decide that a key is bound to, beside those that decide anyhow', async () => {
  const test = await found()
  expect(await decideAs(test)).toBe('ALLOW')
  expect(await decideAs(test, { policies: ['strict'], environment: null })).toBe('BLOCK')
  expect(await decideAs(test, { policies: ['gone'], environment: null })).toBe('ERROR')
})

it('takes the environment of a key before that of its request', async () => {
  const test = await found()
  expect(await decideAs(test, { policies: [], environment: 'production' })).toBe('BLOCK')
  expect(await decideAs(test, { policies: [], environment: 'development' })).toBe('ALLOW')
})

it('knows what a key is bound to after a start', async () => {
  const test = await found()
  const bound = { policies: ['strict'], environment: 'production' }
  const { token } = await test.service.createApiKey('default', 'bot', ['log:read'], founder, bound)
  const again = await test.reopen()
  expect((await again.service.authenticate(token)).bound).toEqual(bound)
  await again.service.createApiKey('default', 'free', ['log:read'], founder)
  const [tied, free] = await again.service.listApiKeys('default')
  expect(tied).toMatchObject(bound)
  expect(Object.keys(free ?? {})).not.toContain('policies')
  expect(await again.service.revokeApiKey('default', tied?.id ?? '', founder)).toMatchObject(bound)
})

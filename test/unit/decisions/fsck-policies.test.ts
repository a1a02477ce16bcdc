import { expect, it } from 'vitest'
import { decide } from '../../../src/policy/decide.ts'
import { reevaluateDossier } from '../../../src/verify/reevaluate.ts'
import { checkPolicies } from '../../../src/decisions/fsck-policies.ts'
import type { MadeDecision } from '../../../src/decisions/evaluate.ts'
import type { Principal } from '../../../src/decisions/service.ts'
import type { Finding } from '../../../src/log/fsck.ts'
import type { StoreReader } from '../../../src/store/store.ts'
import { founder, foundTestService, type TestService } from '../../support/service.ts'
import {
  activeIn,
  asked,
  bundle,
  callerOf,
  decideBy,
  enact,
  named,
  slip,
} from '../../support/slipped-decisions.ts'
import { checkTenant, storeOf } from '../../support/fsck.ts'

const retire = ({ service }: TestService, sha256: string) =>
  service.retirePolicy('default', sha256, { reason: 'no more' }, founder)

/** What the check of the whole log finds, as `INDEX what`. */
async function findingsIn(test: TestService): Promise<readonly string[]> {
  const { conclusive, findings } = await checkTenant(test)
  expect(conclusive).toBe(true)
  return findings.map(({ index, what }) => `${index ?? ''} ${what.replace(/^Decision /, '')}`)
}

it('finds nothing where every decision went by the policies of its time', async () => {
  const test = await foundTestService()
  const decide = async (more: object = {}, as?: Principal) => {
    await test.notarise(JSON.stringify({ ...asked(), ...more }), undefined, as)
  }
  await decide()
  const open = await enact(test, bundle('open', 'allow'))
  await enact(
    test,
    bundle('production', 'deny', { scope: { environments: ['production'], actions: ['pay'] } }),
  )
  await enact(test, bundle('strict', 'deny', { scope: { select: 'referenced' } }))
  await enact(test, bundle('cards', 'review'), { actions: ['pay.card'] })
  const bound = await callerOf(test, { environment: 'production', policies: ['strict', 'gone'] })
  const quiet = await callerOf(test, { environment: 'development', policies: ['cards'] })
  for (const mode of ['enforce', 'shadow']) {
    // Without an environment nobody can say whether it is in production.
    await decide({ mode })
    await decide({ mode, ...asked({ context: { environment: 'production' } }) })
    await decide({ mode, ...asked({ context: { environment: 'development' } }) })
    await decide({ mode, ...asked({ policyRefs: ['strict', 'nobody'] }) })
    await decide({ mode, ...asked({ action: { type: 'pay.card' } }) })
    await decide({ mode, ...asked({ context: { environment: 'development' } }) }, bound)
    await decide({ mode }, quiet)
  }
  await retire(test, open)
  await decide()
  await enact(test, bundle('open', 'allow', { version: '2' }), { environments: ['*'] })
  await decide()
  expect(await findingsIn(test)).toEqual([])
})

it('finds nothing where policies change while decisions are made', async () => {
  const test = await foundTestService()
  await enact(test, bundle('open', 'allow'))
  const decisions: Promise<boolean>[] = []
  // Some are refused: under one that is made over and over, policies have changed each time.
  const decide = () => test.notarise(JSON.stringify(asked())).then(Boolean, () => false)
  for (let version = 2; version < 8; version++) {
    for (let n = 0; n < 8; n++) decisions.push(decide())
    await enact(test, bundle('open', 'allow', { version: String(version) }))
  }
  expect((await Promise.all(decisions)).filter(Boolean).length).toBeGreaterThan(16)
  expect(await findingsIn(test)).toEqual([])
})

it('finds a policy that was left out', async () => {
  const test = await foundTestService()
  await enact(test, bundle('open', 'allow'))
  const strict = await enact(test, bundle('strict', 'deny'))
  const active = await activeIn(test)
  const where = await slip(test, decideBy(named(active, 'open'), asked()))
  const shadow = { ...asked(), mode: 'shadow' as const }
  const there = await slip(test, decideBy(named(active, 'open'), shadow))
  await slip(test, decideBy(active, asked()))
  const what = `leaves out a policy that had to decide: strict 1 sha256:${strict}`
  expect(await findingsIn(test)).toEqual([`${there} ${what}`, `${where} ${what}`])
})

it('finds that all were left out, but not where the evaluation itself failed', async () => {
  const test = await foundTestService()
  await enact(test, bundle('open', 'allow'))
  const none = decideBy([], asked())
  const where = await slip(test, { ...none, status: 'ALLOW' })
  const reasons = [{ code: 'EVALUATION_FAILED', text: 'The evaluation itself failed' }]
  const failed = { ...none, overridable: false, reasons, status: 'ERROR' as const }
  await slip(test, failed)
  const beyond = await slip(test, { ...failed, status: 'ALLOW' })
  const over = await slip(test, { ...failed, overridable: true })
  const found = await findingsIn(test)
  expect(found.map((one) => one.split(' leaves')[0])).toEqual([over, beyond, where])
})

it('chooses again for decisions of the engine of before as that one did', async () => {
  const test = await foundTestService()
  await enact(test, bundle('open', 'allow'))
  await enact(test, bundle('vault', 'deny'), { resources: ['vault:*'] })
  const active = await activeIn(test)
  const now = decideBy(active, asked())
  expect(now.status).toBe('ERROR')
  const engine = 'countersign-engine/1'
  const { time = 0 } = now
  const { deadlineSeconds, ...then } = decide({ active, engine, request: asked().intent, time })
  expect([then.status, deadlineSeconds]).toEqual(['ALLOW', null])
  const { gates, obligations, policies, reasons } = then
  const told = {
    gates: [...gates],
    obligations: [...obligations],
    policies: [...policies],
    reasons: [...reasons],
  }
  const where = await slip(test, { ...now, ...then, ...told })
  expect(await findingsIn(test)).toEqual([])
  const dossier = await test.service.exportDossier('default', where.split(' ')[1] ?? '')
  expect(reevaluateDossier(dossier)).toMatchObject({ outcome: 'same', recorded: 'ALLOW' })
})

it('finds a policy too many, by its own scope and by that of its activation', async () => {
  const test = await foundTestService()
  await enact(test, bundle('open', 'allow'))
  const own = await enact(test, bundle('cards', 'allow', { scope: { actions: ['pay.card'] } }))
  const given = await enact(test, bundle('vault', 'allow'), { resources: ['vault:*'] })
  const active = await activeIn(test)
  const made = decideBy(active, asked({ resource: { id: 'card:1' } }))
  const [cited] = made.policies ?? []
  const cite = (sha256: string, id: string) => {
    const index = active.find(({ compiled }) => compiled.digest === sha256)?.index ?? 0
    return { effect: 'allow', id, index, sha256, version: '1' }
  }
  const said = (sha256: string, id: string): MadeDecision => ({
    ...made,
    policies: [...(cited === undefined ? [] : [cited]), cite(sha256, id)],
    trace: {
      ...(made.trace as object),
      scopes: id === 'vault' ? { [sha256]: { resources: ['vault:*'] } } : {},
    },
  })
  const one = await slip(test, said(own, 'cards'))
  const two = await slip(test, said(given, 'vault'))
  expect(await findingsIn(test)).toEqual([
    `${two} cites a policy that is not for it: vault 1 sha256:${given}`,
    `${one} cites a policy that is not for it: cards 1 sha256:${own}`,
  ])
})

it('finds a policy that was retired, replaced, or not active yet', async () => {
  const test = await foundTestService()
  const open = await enact(test, bundle('open', 'allow'))
  const retired = await enact(test, bundle('old', 'allow'))
  const before = await activeIn(test)
  await retire(test, retired)
  const one = await slip(test, decideBy(before, asked()))
  const newer = await enact(test, bundle('open', 'allow', { version: '2' }))
  const two = await slip(test, decideBy(named(before, 'open'), asked()))
  expect(await findingsIn(test)).toEqual([
    `${two} cites a policy that did not decide there: open 1 sha256:${open}`,
    `${two} leaves out a policy that had to decide: open 2 sha256:${newer}`,
    `${one} cites a policy that did not decide there: old 1 sha256:${retired}`,
  ])
})

it('finds a decision by the environment or the policies of another key', async () => {
  const test = await foundTestService()
  const scope = { environments: ['production'] }
  const deny = await enact(test, bundle('production', 'deny', { scope }))
  const open = { environments: ['development'] }
  const allow = await enact(test, bundle('sandbox', 'allow', { scope: open }))
  const strict = await enact(test, bundle('strict', 'deny', { scope: { select: 'referenced' } }))
  const active = await activeIn(test)
  const bonds = { environment: 'production', policies: ['strict'] }
  const bound = await callerOf(test, bonds)
  const say = (environment: string | null, policies: readonly string[], as?: Principal) =>
    slip(test, decideBy(active, asked(), { environment, policies }), as)
  await say('production', ['strict'], bound)
  const one = await say('development', ['strict'], bound)
  const two = await say('production', [], bound)
  // Whose key the log does not know is bound to nothing.
  const three = await say('development', [])
  const denies = `leaves out a policy that had to decide: production 1 sha256:${deny}`
  expect(await findingsIn(test)).toEqual([
    `${three} went by another environment than its API key is bound to: "development" instead of null`,
    `${three} ${denies}`,
    `${two} went by other policies than its API key is bound to: [] instead of ["strict"]`,
    `${two} leaves out a policy that had to decide: strict 1 sha256:${strict}`,
    `${one} went by another environment than its API key is bound to: "development" instead of "production"`,
    `${one} ${denies}`,
    `${one} cites a policy that is not for it: sandbox 1 sha256:${allow}`,
  ])
})

it('finds a policy that was left out of what a request was routed to', async () => {
  const test = await foundTestService()
  const obligations = [{ target: { action: 'pay.safe' }, type: 'route' }]
  const scoped = (action: string) => ({ scope: { actions: [action] } })
  await enact(test, bundle('router', 'allow', scoped('pay'), { obligations }))
  await enact(test, bundle('safe', 'allow', scoped('pay.safe')))
  const strict = await enact(test, bundle('strict', 'deny', scoped('pay.s*')))
  const active = await activeIn(test)
  const honest = decideBy(active, asked())
  expect([honest.status, honest.policies?.length]).toEqual(['BLOCK', 3])
  await slip(test, honest)
  const where = await slip(test, decideBy(named(active, 'router', 'safe'), asked()))
  const what = `leaves out a policy that had to decide: strict 1 sha256:${strict}`
  expect(await findingsIn(test)).toEqual([`${where} ${what}`])
})

it('finds a decision that names another scope than its policy had there', async () => {
  const test = await foundTestService()
  const scope = { actions: ['pay'] }
  const sha256 = await enact(test, bundle('open', 'allow'), scope)
  const made = decideBy(await activeIn(test), asked())
  const inScope = (stated: unknown) =>
    slip(test, { ...made, trace: { ...(made.trace as object), scopes: { [sha256]: stated } } })
  await inScope(scope)
  await inScope({ ...scope, select: 'always' })
  const wrong = []
  for (const stated of [{}, { actions: ['*'] }, { ...scope, select: 'referenced' }, 'everywhere'])
    wrong.push(await inScope(stated))
  const what = `names another scope than the policy had there: open 1 sha256:${sha256}`
  expect(await findingsIn(test)).toEqual(wrong.toReversed().map((where) => `${where} ${what}`))
})

it('says of what another engine decided that it cannot tell, and finds nothing in what was submitted or erased', async () => {
  const test = await foundTestService()
  await enact(test, bundle('open', 'allow'))
  await test.notarise(JSON.stringify({ ...asked(), status: 'ALLOW' }))
  const [, id = ''] = (await slip(test, decideBy([], asked()))).split(' ')
  await test.service.erase(test.principal, id, 'asked')
  expect(await findingsIn(test)).toEqual([])
  const made = decideBy([], asked())
  const trace = made.trace as object
  const [one] = (await slip(test, { ...made, trace: { ...trace, engine: 'x/9' } })).split(' ')
  const [two] = (await slip(test, { ...made, trace: null })).split(' ')
  const report = await checkTenant(test)
  expect(report.findings).toEqual([])
  expect(report.conclusive).toBe(false)
  const why = 'Decision was made by another engine, or does not say how'
  expect(report.unchecked).toContain(
    `Which policies had to decide, of 2 decisions up to index ${two ?? ''}: ${why}`,
  )
  expect(Number(one)).toBeLessThan(Number(two))
})

it('finds a stream of policies in which a step may not follow', async () => {
  const test = await foundTestService()
  await enact(test, bundle('open', 'allow'))
  const findings: Finding[] = []
  await storeOf(test, (store) => {
    const forged = {
      readStream: async (tenant: string, stream: string) =>
        (await store.readStream(tenant, stream)).slice(stream === 'policies' ? 1 : 0),
      readTenant: (tenant: string) => store.readTenant(tenant),
    } as unknown as StoreReader
    return checkPolicies(forged, 'default', (finding) => findings.push(finding))
  })
  expect(findings).toHaveLength(1)
  expect(findings[0]?.what).toMatch(/^Policies: /)
})

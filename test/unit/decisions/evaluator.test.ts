import { expect, it } from 'vitest'
import { Evaluator } from '../../../src/decisions/evaluator.ts'
import { reevaluateDossier } from '../../../src/verify/reevaluate.ts'
import { verifyDossier } from '../../../src/verify/verify-dossier.ts'
import { notarisedSchema, type Notarised } from '../../../src/wire/decision.ts'
import { digestOf, recordTextOf } from '../../support/forge-policy.ts'
import { foundTestService, founder, principalOf, type TestService } from '../../support/service.ts'

const intentOf = (amount: number) => ({
  intent: { action: { type: 'pay' }, actor: { id: 'agent' }, context: { amount } },
})

async function begin() {
  const test = await foundTestService()
  const evaluator = new Evaluator(test.service, Date.now)
  const decide = async (amount: number, key: string | null = null): Promise<Notarised> =>
    notarisedSchema.parse(
      JSON.parse(await evaluator.decide(test.principal, intentOf(amount), key)) as unknown,
    )
  return { ...test, decide, evaluator }
}

async function activate({ service }: Pick<TestService, 'service'>, version: string) {
  await service.registerPolicy('default', recordTextOf(version), founder)
  await service.activatePolicy('default', digestOf(version), {}, founder)
}

async function citedBy({ service }: Pick<TestService, 'service'>, { id }: Notarised) {
  const { decision } = await service.readDecision('default', id)
  const { policies } = JSON.parse(decision ?? '{}') as { policies: { sha256: string }[] }
  return policies.map(({ sha256 }) => sha256)
}

it('decides away from the log as the log itself would', async () => {
  const test = await begin()
  await activate(test, '1')
  const [small, large] = [await test.decide(99), await test.decide(100)]
  expect([small.status, large.status]).toEqual(['ALLOW', 'BLOCK'])
  for (const { id } of [small, large]) {
    const file = await test.service.exportDossier('default', id)
    const { verdict } = verifyDossier(file, await test.service.readTrustRoot('default'))
    expect([verdict, reevaluateDossier(file).outcome]).toEqual(['valid', 'same'])
  }
  const text = JSON.stringify(intentOf(99))
  expect(await test.decide(99, 'k')).toMatchObject({ replayed: false })
  expect(await test.notarise(text, 'k')).toMatchObject({ replayed: true })
})

it('notices that other policies count, from the next decision on', async () => {
  const test = await begin()
  expect(await test.decide(1)).toMatchObject({ status: 'BLOCK' })
  await activate(test, '1')
  expect(await citedBy(test, await test.decide(1))).toEqual([digestOf('1')])
  await activate(test, '2')
  expect(await citedBy(test, await test.decide(1))).toEqual([digestOf('2')])
  await test.service.retirePolicy('default', digestOf('2'), { reason: 'r' }, founder)
  expect(await test.decide(1)).toMatchObject({ reasons: [{ code: 'NO_POLICY_MATCHED' }] })
})

it('goes by the policies that count where each stands, whatever is activated meanwhile', async () => {
  const test = await begin()
  await activate(test, '1')
  await test.service.registerPolicy('default', recordTextOf('2'), founder)
  const decided = Array.from({ length: 40 }, (_, n) => test.decide(n))
  const activated = test.service.activatePolicy('default', digestOf('2'), {}, founder)
  const later = Array.from({ length: 40 }, (_, n) => test.decide(n))
  const answers = await Promise.all([...decided, ...later])
  await activated
  const report = verifyDossier(
    await test.service.exportDossier('default', 'policies'),
    await test.service.readTrustRoot('default'),
  )
  const at = report.entries[3]?.index ?? 0
  for (const answer of answers)
    expect(await citedBy(test, answer)).toEqual([digestOf(answer.index < at ? '1' : '2')])
})

it('is refused where its copy of the policies is of another time, or of another log', async () => {
  const test = await begin()
  await activate(test, '1')
  const { epoch } = await test.service.readActivePolicies('default')
  expect(epoch).toMatch(/^[0-9a-f]{16}$/)
  await activate(test, '2')
  await expect(
    test.evaluator.decide({ ...principalOf('checkpoint'), tenant: 'nobody' }, intentOf(1), null),
  ).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' })
  const stubborn = new Evaluator(
    {
      readActivePolicies: async (tenant) => ({
        ...(await test.service.readActivePolicies(tenant)),
        epoch,
      }),
      submitEvaluated: (...args) => test.service.submitEvaluated(...args),
    },
    Date.now,
  )
  await expect(stubborn.decide(test.principal, intentOf(1), null)).rejects.toMatchObject({
    code: 'LOG_CONFLICT',
  })
})

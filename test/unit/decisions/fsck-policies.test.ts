import { expect, it } from 'vitest'
import { join } from 'node:path'
import { checkPolicies } from '../../../src/decisions/fsck-policies.ts'
import { fsck } from '../../../src/decisions/fsck.ts'
import type { DecisionMatter } from '../../../src/dossier/matters.ts'
import type { Finding } from '../../../src/log/fsck.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { StoreReader } from '../../../src/store/store.ts'
import { digestOf, recordTextOf } from '../../support/forge-policy.ts'
import { founder, foundTestService, temporaryDirectory } from '../../support/service.ts'

const intent = JSON.stringify({
  intent: { action: { type: 'pay' }, actor: { id: 'a' }, context: { amount: 1 } },
})

/** A log in which two versions decided, one after the other, and a decision of each. */
async function inLog<T>(work: (store: StoreReader, at: readonly number[]) => Promise<T>) {
  const directory = temporaryDirectory()
  const test = await foundTestService({ directory })
  const at: number[] = []
  for (const version of ['1', '2']) {
    await test.service.registerPolicy('default', recordTextOf(version), founder)
    await test.service.activatePolicy('default', digestOf(version), {}, founder)
    at.push((await test.notarise(intent)).index)
  }
  const [first] = await test.service.listPolicies('default')
  await test.service.close()
  const store = await openSqliteStore({ mode: 'read', path: join(directory, 'data') })
  try {
    return await work(store, [...at, first?.index ?? 0])
  } finally {
    await store.close()
  }
}

const decisionOf = (sha256: string, index: number, source = 'evaluated') =>
  ({ policies: [{ id: 'payments', index, sha256 }], source }) as unknown as DecisionMatter

it('finds nothing where every decision follows its policies', async () => {
  const report = await inLog((store) =>
    fsck({
      pin: undefined,
      progress: () => undefined,
      signatures: true,
      store,
      tenant: 'default',
      trustFile: undefined,
    }),
  )
  expect(report.findings).toEqual([])
  expect(report.decisions).toBe(2)
})

it('finds a decision that cites a policy which did not decide there', async () => {
  const wrong = await inLog(async (store, [one = 0, two = 0, registered = 0]) => {
    const check = await checkPolicies(store, 'default', () => undefined)
    const cited = decisionOf(digestOf('1'), registered)
    return [
      check(cited, one),
      check(cited, two),
      check(cited, registered + 1),
      check(decisionOf(digestOf('1'), registered + 1), one),
      check(decisionOf(digestOf('1'), registered, 'submitted'), two),
    ]
  })
  const finding = 'Decision cites a policy that did not decide there: payments'
  expect(wrong).toEqual([undefined, finding, finding, finding, undefined])
})

it('finds a decision that names another scope than its policy had there', async () => {
  const wrong = await inLog(async (store, [one = 0, , registered = 0]) => {
    const check = await checkPolicies(store, 'default', () => undefined)
    const cited = decisionOf(digestOf('1'), registered)
    const inScope = (scope: unknown) =>
      check({ ...cited, trace: { scopes: { [digestOf('1')]: scope } } }, one)
    return [
      inScope({}),
      inScope({ select: 'always' }),
      inScope({ actions: ['pay'] }),
      inScope({ select: 'referenced' }),
      inScope('everywhere'),
    ]
  })
  const finding = 'Decision names another scope than the policy had there: payments'
  expect(wrong).toEqual([undefined, undefined, finding, finding, finding])
})

it('finds a stream of policies in which a step may not follow', async () => {
  const findings: Finding[] = []
  await inLog((store) => {
    const forged = {
      readStream: async (tenant: string, stream: string) =>
        (await store.readStream(tenant, stream)).slice(1),
      readTenant: (tenant: string) => store.readTenant(tenant),
    } as unknown as StoreReader
    return checkPolicies(forged, 'default', (finding) => findings.push(finding))
  })
  expect(findings).toHaveLength(1)
  expect(findings[0]?.what).toMatch(/^Policies: /)
})

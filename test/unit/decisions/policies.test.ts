import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { encodeHex, fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { sha256 as digestSha256 } from '../../../src/crypto/hash.ts'
import { formatStatement, parseStatement } from '../../../src/dossier/statement.ts'
import {
  formatDossier,
  parseDossier,
  type Dossier,
  type DossierEntry,
} from '../../../src/dossier/v1.ts'
import { reevaluateDossier } from '../../../src/verify/reevaluate.ts'
import { verifyDossier } from '../../../src/verify/verify-dossier.ts'
import { notarisedSchema, type Notarised } from '../../../src/wire/decision.ts'
import { digestOf, recordTextOf } from '../../support/forge-policy.ts'
import { foundRoster } from '../../support/leads.ts'
import { foundTestService, founder, type TestService } from '../../support/service.ts'

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error as { code: string }).code,
  )

const register = ({ service }: TestService, version: string, limit?: number) =>
  service.registerPolicy('default', recordTextOf(version, limit), founder)

const activate = ({ service }: TestService, version: string, more: object = {}) =>
  service.activatePolicy('default', digestOf(version), more, founder)

async function withPolicy(test: TestService): Promise<TestService> {
  await register(test, '1')
  await activate(test, '1')
  return test
}

const intentOf = (amount: unknown, more: object = {}): string =>
  JSON.stringify({
    intent: { action: { type: 'pay' }, actor: { id: 'agent' }, context: { amount } },
    ...more,
  })

const dossierOf = ({ service }: TestService, id: string) => service.exportDossier('default', id)

async function report(test: TestService, id: string) {
  const file = await dossierOf(test, id)
  return verifyDossier(file, await test.service.readTrustRoot('default'))
}

describe('a policy', () => {
  it('is registered once, decides from its activation on, and is retired for ever', async () => {
    const test = await foundTestService()
    const first = await register(test, '1')
    expect(first).toMatchObject({ id: 'payments', state: 'registered', version: '1' })
    expect(await register(test, '1')).toEqual(first)
    expect(await activate(test, '1')).toMatchObject({ scope: {}, state: 'active' })
    await register(test, '2')
    expect(await activate(test, '2', { scope: { actions: ['pay'] } })).toMatchObject({
      scope: { actions: ['pay'] },
      state: 'active',
    })
    const states = async (): Promise<unknown> =>
      (await test.service.listPolicies('default')).map(({ state }) => state)
    expect(await states()).toEqual(['replaced', 'active'])
    await test.service.retirePolicy('default', digestOf('2'), { reason: 'r' }, founder)
    expect(await states()).toEqual(['replaced', 'retired'])
    expect(await codeOf(activate(test, '2'))).toBe('POLICY_REFUSED')
    const again = await test.reopen()
    expect(await again.service.listPolicies('default')).toHaveLength(2)
  })

  it('never changes: its version stands for one bundle', async () => {
    const test = await foundTestService()
    await register(test, '1')
    expect(await codeOf(register(test, '1', 200))).toBe('POLICY_REFUSED')
  })

  it('may be in the rule form of another engine', async () => {
    const test = await foundTestService()
    const { service } = test
    const rules = [{ action: 'pay', on_match: 'ESCALATE', reason: 'people pay' }]
    const record = fromUtf8(
      canonicalBytes({ bundle: { name: 'tenant', rules }, dialect: 'provenance' }),
    )
    const { id, sha256 } = await service.registerPolicy('default', record, founder)
    await service.activatePolicy('default', sha256, {}, founder)
    expect(id).not.toBe('')
    const asked = await test.notarise(intentOf(1))
    expect(asked.status).toBe('ESCALATE')
    expect(await report(test, asked.id)).toMatchObject({ status: 'ESCALATE', verdict: 'valid' })
    expect(reevaluateDossier(await dossierOf(test, asked.id))).toMatchObject({ outcome: 'same' })
  })

  it('goes back to an older version only when that is said', async () => {
    const test = await withPolicy(await foundTestService())
    await register(test, '2')
    await activate(test, '2')
    expect(await codeOf(activate(test, '1'))).toBe('POLICY_REFUSED')
    expect(await activate(test, '1', { rollback: true })).toMatchObject({ state: 'active' })
  })

  it('is refused where it is none, or unknown', async () => {
    const test = await foundTestService()
    const { service } = test
    const push = (text: string) => codeOf(service.registerPolicy('default', text, founder))
    expect(await push('{}')).toBe('POLICY_INVALID')
    expect(await push(recordTextOf('1').replace('"lt"', '"lies"'))).toBe('POLICY_INVALID')
    expect(await push(`${recordTextOf('1')} `)).toBe('POLICY_INVALID')
    expect(await push(recordTextOf('v'.repeat(256)))).toBe('none')
    expect(await push(recordTextOf('v'.repeat(257)))).toBe('POLICY_INVALID')
    expect(await push('x'.repeat(245_761))).toBe('INPUT_TOO_LARGE')
    expect(await push('x'.repeat(245_760))).toBe('POLICY_INVALID')
    expect(await codeOf(activate(test, '9'))).toBe('INPUT_NOT_FOUND')
    expect(await codeOf(service.readPolicy('default', digestOf('9')))).toBe('INPUT_NOT_FOUND')
  })

  it('has a stream that verifies offline', async () => {
    const test = await withPolicy(await foundTestService())
    expect((await report(test, 'policies')).verdict).toBe('valid')
  })

  it('takes two keys to be activated and retired once a roster stands', async () => {
    const test = await foundTestService({ dualControl: 'all' })
    await register(test, '1')
    await foundRoster(test)
    expect(await codeOf(activate(test, '1'))).toBe('ACTION_REQUIRED')
    const retire = test.service.retirePolicy('default', digestOf('1'), { reason: 'r' }, founder)
    expect(await codeOf(retire)).toBe('ACTION_REQUIRED')
    expect((await register(test, '2')).state).toBe('registered')
  })
})

describe.each(['each', 'checkpoint'] as const)('deciding in profile %s', (profile) => {
  it('follows from the policies that count, and the dossier proves which', async () => {
    const test = await withPolicy(await foundTestService({ profile }))
    const small = await test.notarise(intentOf(99))
    const large = await test.notarise(intentOf(100))
    expect(notarisedSchema.parse(small)).toEqual(small)
    expect(small).toMatchObject({
      mode: 'enforce',
      obligations: [],
      proceed: true,
      status: 'ALLOW',
    })
    expect(large).toMatchObject({ proceed: false, status: 'BLOCK' })
    for (const { id, status } of [small, large]) {
      expect(await report(test, id)).toMatchObject({ status, verdict: 'valid' })
      const file = await dossierOf(test, id)
      expect(reevaluateDossier(file)).toMatchObject({ outcome: 'same', recorded: status })
      const dossier = parseDossier(file)
      expect(typeof dossier === 'string' ? dossier : dossier.cited).toHaveLength(1)
    }
  })

  it('is the same for the same idempotency key, and conflicts with another intent', async () => {
    const test = await withPolicy(await foundTestService({ profile }))
    const first = await test.notarise(intentOf(99), 'k')
    const again = await test.notarise(intentOf(99), 'k')
    expect(again).toMatchObject({ id: first.id, proceed: true, replayed: true })
    expect(await codeOf(test.notarise(intentOf(98), 'k'))).toBe('INPUT_CONFLICT')
    expect(await codeOf(test.notarise(intentOf(99, { mode: 'shadow' }), 'k'))).toBe(
      'INPUT_CONFLICT',
    )
  })
})

describe('deciding', () => {
  it('blocks where no policy allows, and is an error where a policy raises or is unknown', async () => {
    const test = await foundTestService()
    expect(await test.notarise(intentOf(1))).toMatchObject({
      reasons: [{ code: 'NO_POLICY_MATCHED' }],
      status: 'BLOCK',
    })
    const named = JSON.parse(intentOf(1)) as { intent: object }
    const text = JSON.stringify({ intent: { ...named.intent, policyRefs: ['nobody'] } })
    expect(await test.notarise(text)).toMatchObject({ proceed: false, status: 'ERROR' })
  })

  it('is an error, logged and never an allowance, where a policy gives no answer', async () => {
    const test = await withPolicy(await foundTestService())
    const when = { field: 'note', kind: 'contains', value: 1 }
    const rules = [{ effect: 'deny', id: 'r', when }]
    const bundle = { bundle_id: 'raising', policies: [{ id: 'p', rules }] }
    const record = fromUtf8(canonicalBytes({ bundle, dialect: '0.1' }))
    const { sha256 } = await test.service.registerPolicy('default', record, founder)
    await test.service.activatePolicy('default', sha256, {}, founder)
    const context = { amount: 1, note: 'text' }
    const intent = { action: { type: 'pay' }, actor: { id: 'agent' }, context }
    const answer = await test.notarise(JSON.stringify({ intent }))
    expect(answer).toMatchObject({
      proceed: false,
      reasons: [{ code: 'POLICY_RAISED' }],
      status: 'ERROR',
    })
    expect((await report(test, answer.id)).verdict).toBe('valid')
    expect(reevaluateDossier(await dossierOf(test, answer.id)).outcome).toBe('same')
  })

  it('in shadow mode logs what it would be and never blocks', async () => {
    const test = await withPolicy(await foundTestService())
    const shadow = await test.notarise(intentOf(100, { mode: 'shadow' }))
    expect(shadow).toMatchObject({ mode: 'shadow', proceed: true, status: 'BLOCK' })
    expect((await report(test, shadow.id)).verdict).toBe('valid')
    expect(await codeOf(test.service.claim(test.principal, shadow.id, {}))).toBe(
      'INPUT_NOT_CLAIMABLE',
    )
  })

  it('as a dry run leaves no trace', async () => {
    const test = await withPolicy(await foundTestService())
    const size = async (): Promise<number> =>
      (await test.service.listTenants())[0]?.size ?? Number.NaN
    const before = await size()
    const request = JSON.parse(intentOf(100)) as Parameters<typeof test.service.dryRun>[1]
    const answer = JSON.parse(await test.service.dryRun('default', request)) as unknown
    expect(answer).toMatchObject({ dryRun: true, status: 'BLOCK' })
    expect(await size()).toBe(before)
    expect(await codeOf(test.notarise(intentOf(1, { mode: 'dry_run' })))).toBe('INPUT_INVALID')
    expect(await size()).toBe(before)
  })

  it('goes by the policies that count where it stands, whatever is activated meanwhile', async () => {
    const test = await withPolicy(await foundTestService())
    await register(test, '2')
    const decided = Array.from({ length: 40 }, (_, n) => test.notarise(intentOf(n)))
    const activated = activate(test, '2')
    const later = Array.from({ length: 40 }, (_, n) => test.notarise(intentOf(n)))
    const answers = await Promise.all([...decided, ...later])
    await activated
    const entries = parseDossier(await dossierOf(test, 'policies'))
    const at = typeof entries === 'string' ? 0 : (entries.entries[3]?.index ?? 0)
    const cites = async ({ id }: Notarised): Promise<string | undefined> => {
      const view = await test.service.readDecision('default', id)
      const { policies } = JSON.parse(view.decision ?? '{}') as { policies: { sha256: string }[] }
      return policies[0]?.sha256
    }
    for (const answer of answers)
      expect(await cites(answer)).toBe(digestOf(answer.index < at ? '1' : '2'))
  })

  it('asks nobody who decides whether a Decision Card’s conditions hold', async () => {
    const test = await foundTestService()
    const bundle = {
      bundle_id: 'card',
      policies: [
        {
          id: 'p',
          rules: [
            {
              effect: 'allow',
              id: 'r',
              when: { field: 'conditions_satisfied.c', kind: 'eq', value: true },
            },
          ],
        },
      ],
    }
    const record = fromUtf8(canonicalBytes({ bundle, dialect: '0.1' }))
    const { sha256 } = await test.service.registerPolicy('default', record, founder)
    await test.service.activatePolicy('default', sha256, {}, founder)
    const context = { conditions_satisfied: { c: true } }
    const intent = { action: { type: 'use' }, actor: { id: 'a' }, context }
    expect(await test.notarise(JSON.stringify({ intent }))).toMatchObject({ status: 'BLOCK' })
  })
})

describe('deciding again from the dossier', () => {
  const wholeOf = async (test: TestService, id: string): Promise<Dossier> => {
    const dossier = parseDossier(await dossierOf(test, id))
    if (typeof dossier === 'string') throw new Error(dossier)
    return dossier
  }

  /** An entry as whoever holds the keys would write it, with another matter. */
  function rewritten(entry: DossierEntry | undefined, change: (matter: Matter) => void) {
    const statement = parseStatement(entry?.payload ?? utf8(''))
    if (entry === undefined || typeof statement === 'string') throw new Error('No statement')
    const { matter, salt, ...place } = statement.predicate
    change(matter)
    const bytes = Uint8Array.from(salt.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
    return { ...entry, payload: formatStatement(place, bytes, matter) }
  }

  type Matter = Record<string, unknown>
  const nothing = (): void => undefined

  async function again(
    test: TestService,
    id: string,
    decision: (matter: Matter) => void,
    policy: (matter: Matter) => void = nothing,
  ) {
    const dossier = await wholeOf(test, id)
    const entries = [rewritten(dossier.entries[0], decision)]
    const cited = dossier.cited.map((entry) => rewritten(entry, policy))
    return reevaluateDossier(formatDossier({ ...dossier, cited, entries }))
  }

  it('is the same where nothing was changed', async () => {
    const test = await withPolicy(await foundTestService())
    const { id } = await test.notarise(intentOf(99))
    expect(await again(test, id, nothing)).toMatchObject({ differs: [], outcome: 'same' })
  })

  it('says so where a status does not follow from the policy, however it is signed', async () => {
    const test = await withPolicy(await foundTestService())
    const { id } = await test.notarise(intentOf(100))
    const flipped = await again(test, id, (matter) => {
      matter['status'] = 'ALLOW'
    })
    expect(flipped).toMatchObject({
      computed: 'BLOCK',
      differs: ['status'],
      outcome: 'different',
      reason: 'ALLOW does not follow from the policies that it cites, but BLOCK does',
      recorded: 'ALLOW',
    })
  })

  it.each([
    ['intent', { action: { type: 'pay' }, actor: { id: 'agent' }, context: { amount: 100 } }],
    ['reasons', []],
    ['obligations', [{ type: 'log_only' }]],
    ['confidence', 1],
    ['overridable', false],
    ['gates', [{ name: 'risk', passed: true }]],
    ['time', 1],
  ])('is different where %s was changed', async (name, value) => {
    const test = await withPolicy(await foundTestService())
    const { id } = await test.notarise(intentOf(99))
    const result = await again(test, id, (matter) => {
      matter[name] = value
    })
    expect(result.outcome).toBe('different')
  })

  it('is different where the bundle differs by one value, whether its digest says so or not', async () => {
    const test = await withPolicy(await foundTestService())
    const { id } = await test.notarise(intentOf(99))
    const dossier = await wholeOf(test, id)
    const damaged = dossier.cited.map((entry) => ({
      ...entry,
      payload: entry.payload && utf8(fromUtf8(entry.payload).replace('"value":100', '"value":101')),
    }))
    expect(reevaluateDossier(formatDossier({ ...dossier, cited: damaged })).outcome).toBe(
      'different',
    )
    const record = JSON.parse(recordTextOf('1', 101)) as unknown
    const same = await again(test, id, nothing, (matter) => {
      matter['record'] = record
    })
    expect(same).toMatchObject({
      outcome: 'different',
      reason: 'Policy in the dossier is not the one that decided: payments',
    })
    const sha256 = encodeHex(digestSha256(utf8(recordTextOf('1', 98))))
    const consistent = await again(
      test,
      id,
      (matter) => {
        const [policy] = matter['policies'] as Matter[]
        if (policy !== undefined) policy['sha256'] = sha256
      },
      (matter) => {
        matter['record'] = JSON.parse(recordTextOf('1', 98))
        matter['sha256'] = sha256
      },
    )
    expect(consistent).toMatchObject({ computed: 'BLOCK', outcome: 'different' })
  })

  it('cannot be done where policies are missing, or somebody else decided', async () => {
    const test = await withPolicy(await foundTestService())
    const { id } = await test.notarise(intentOf(99))
    const dossier = await wholeOf(test, id)
    const bare = formatDossier({ ...dossier, cited: [] })
    expect(reevaluateDossier(bare)).toMatchObject({ outcome: 'unknown' })
    const submitted = await test.notarise(
      JSON.stringify({ ...(JSON.parse(intentOf(1)) as object), status: 'ALLOW' }),
    )
    expect(reevaluateDossier(await dossierOf(test, submitted.id))).toMatchObject({
      outcome: 'unknown',
      reason: expect.stringContaining('submitted by alice') as unknown,
    })
    expect(reevaluateDossier(utf8('{}')).outcome).toBe('unknown')
    await test.service.erase(test.principal, id, 'asked')
    expect(reevaluateDossier(await dossierOf(test, id))).toMatchObject({
      outcome: 'unknown',
      reason: 'Decision was erased',
    })
  })
})

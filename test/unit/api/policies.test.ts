import { beforeEach, describe, expect, it } from 'vitest'
import { bundleOf, recordTextOf } from '../../support/forge-policy.ts'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, decision, expectProblem } from './edge.ts'

let edge: ReturnType<typeof createEdge>
beforeEach(() => {
  edge = createEdge()
})

const post = (path: string, body: unknown) => edge.ask(path, { body, method: 'POST' })
const lastAsked = () => edge.service.asked.at(-1)
const path = '/v1/policies'
const digest = 'ab'.repeat(32)

describe('policies over HTTP', () => {
  it('are registered by value or by text, in the dialect that they name', async () => {
    const bundle = bundleOf('1')
    for (const body of [
      { bundle },
      { bundle, dialect: 'native' },
      { bundle: { dialect: 'native', ...bundle }, dialect: '0.1' },
      { source: JSON.stringify(bundle) },
    ]) {
      const response = await post(path, body)
      expect(response.status).toBe(201)
      expect(lastAsked()).toMatchObject({ method: 'registerPolicy' })
      expect(lastAsked()?.args[1]).toBe(recordTextOf('1'))
    }
  })

  it('keep integers of a text exactly where the dialect does', async () => {
    const when = { field: 'x', kind: 'eq', value: 1 }
    const rules = [{ effect: 'allow', id: 'r', when }]
    const text = JSON.stringify({ bundle_id: 'b', policies: [{ id: 'p', rules }] })
    const source = text.replace('"value":1', '"value":9007199254740993')
    expect((await post(path, { dialect: '0.1', source })).status).toBe(201)
    expect(lastAsked()?.args[1]).toMatch('"9007199254740993"')
    await expectProblem(await post(path, { source }), 422, 'INPUT_INVALID')
  })

  it('are refused by the place that is wrong', async () => {
    const bundle = { ...bundleOf('1'), policies: [] }
    const problem = await expectProblem(await post(path, { bundle }), 422, 'POLICY_INVALID')
    expect(problem).toMatchObject({ field: '/policies' })
    await expectProblem(await post(path, {}), 422, 'INPUT_INVALID')
    await expectProblem(await post(path, { bundle, source: 'x' }), 422, 'INPUT_INVALID')
  })

  it('are listed, read, activated and retired', async () => {
    expect(await (await edge.ask(path, {})).json()).toMatchObject({ policies: [{ version: '1' }] })
    expect(await (await edge.ask(`${path}/${digest}`, {})).json()).toMatchObject({
      policy: { id: 'payments' },
      record: { dialect: 'native' },
    })
    const scope = { environments: ['production'] }
    expect((await post(`${path}/${digest}/activate`, { scope })).status).toBe(200)
    expect(lastAsked()?.args.slice(0, 3)).toEqual(['acme', digest, { scope }])
    expect((await post(`${path}/${digest}/retire`, { reason: 'r' })).status).toBe(200)
    await expectProblem(await post(`${path}/${digest}/retire`, {}), 422, 'INPUT_INVALID')
    const nobody = { scope: { anything: [] } }
    await expectProblem(await post(`${path}/${digest}/activate`, nobody), 422, 'INPUT_INVALID')
  })
})

describe('deciding over HTTP', () => {
  const { intent } = decision as { intent: object }
  const as = (scope: 'decisions:evaluate' | 'decisions:submit'): string => {
    const token = fakeToken(scope)
    edge.service.admit(token, 'acme', [scope])
    return token
  }
  const send = (body: unknown, token: string, headers = {}) =>
    edge.ask('/v1/decisions', { body, headers, method: 'POST', token })

  it('takes the scope of what is sent: an intent is not a decision', async () => {
    expect((await send({ intent }, as('decisions:evaluate'))).status).toBe(201)
    expect((await send(decision, as('decisions:submit'))).status).toBe(201)
    await expectProblem(await send({ intent }, as('decisions:submit')), 403, 'AUTH_SCOPE')
    await expectProblem(await send(decision, as('decisions:evaluate')), 403, 'AUTH_SCOPE')
  })

  it('refuses what only a finished decision has', async () => {
    const token = as('decisions:evaluate')
    for (const more of [{ reasons: [] }, { policies: [] }, { trace: 1 }, { facts: {} }])
      await expectProblem(await send({ intent, ...more }, token), 422, 'INPUT_INVALID')
  })

  it('answers a dry run without asking for an entry, and without an idempotency key', async () => {
    const token = as('decisions:evaluate')
    const response = await send({ intent, mode: 'dry_run' }, token)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ dryRun: true })
    const asked = edge.service.asked.map(({ method }) => method)
    expect(asked.filter((method) => /^(notarise|submit)/.test(method))).toEqual([])
    const keyed = { idempotencyKey: 'k', intent, mode: 'dry_run' }
    await expectProblem(await send(keyed, token), 422, 'INPUT_INVALID')
    const header = { 'Idempotency-Key': 'k' }
    await expectProblem(
      await send({ intent, mode: 'dry_run' }, token, header),
      422,
      'INPUT_INVALID',
    )
  })
})

import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { membersIn, type Submission } from '../../../src/decisions/submission.ts'
import { decisionViewSchema } from '../../../src/wire/decision.ts'
import { createEdge, decision, expectProblem } from './edge.ts'

const unknown = '01890a5d-ac96-774b-bcce-b302099a8057'

describe('notarising over HTTP', () => {
  it('answers the service’s words as they are, with 201 for what is new', async () => {
    const { ask, service } = createEdge()
    const words = '{"id":"x", "spaced" : 1.0,"replayed":false}'
    service.submit = () => Promise.resolve(words)
    const response = await ask('/v1/decisions', { body: decision })
    expect(response.status).toBe(201)
    expect(await response.text()).toBe(words)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('answers 200 for a replay', async () => {
    const { ask } = createEdge()
    const headers = { 'Idempotency-Key': 'order-1' }
    expect((await ask('/v1/decisions', { body: decision, headers })).status).toBe(201)
    expect((await ask('/v1/decisions', { body: decision, headers })).status).toBe(200)
  })

  it('hands the service what was sent as canonical text, and defaults for what was not', async () => {
    const { ask, service } = createEdge()
    const text = ` {"status":"BLOCK", "intent":{"actor":{"id":"ü€😀"},"action":{"type":"a","n":1e2}},"trace":1.50}\n`
    await ask('/v1/decisions', { body: text })
    expect(service.asked.at(-1)).toMatchObject({
      method: 'submit',
      args: [
        {},
        { actor: 'ü€😀', action: 'a', status: 'BLOCK', mode: 'enforce', idempotencyKey: null },
      ],
    })
    expect(membersIn(service.asked.at(-1)?.args[1] as Submission)).toEqual({
      confidence: 'null',
      gates: '[]',
      intent: '{"action":{"n":100,"type":"a"},"actor":{"id":"ü€😀"}}',
      links: '{}',
      maxUses: 'null',
      mode: '"enforce"',
      obligations: '[]',
      overridable: 'true',
      policies: '[]',
      reasons: '[]',
      status: '"BLOCK"',
      trace: '1.5',
    })
  })

  it('refuses what has no canonical form before the service is asked', async () => {
    const { ask, service } = createEdge()
    const intent = { actor: { id: 'a' }, action: { type: 'a' } }
    for (const trace of ['{"n":9007199254740993}', '"\\ud800"', '[1e400]']) {
      const text = `{"status":"BLOCK","intent":${JSON.stringify(intent)},"trace":${trace}}`
      const response = await ask('/v1/decisions', { body: text })
      expect([response.status, trace]).toEqual([422, trace])
    }
    expect(service.asked.some(({ method }) => method === 'submit')).toBe(false)
  })

  it('passes the idempotency key of the header', async () => {
    const { ask, service } = createEdge()
    await ask('/v1/decisions', { body: decision, headers: { 'Idempotency-Key': 'order-1' } })
    expect(service.asked.at(-1)?.args[1]).toMatchObject({ idempotencyKey: 'order-1' })
  })

  it('passes the key of the body where the header has none', async () => {
    const { ask, service } = createEdge()
    await ask('/v1/decisions', { body: { ...decision, idempotencyKey: 'order-1' } })
    expect(service.asked.at(-1)?.args[1]).toMatchObject({ idempotencyKey: 'order-1' })
  })

  it('takes the same key in header and body, and refuses two that differ', async () => {
    const { ask } = createEdge()
    const body = { ...decision, idempotencyKey: 'order-1' }
    const same = await ask('/v1/decisions', { body, headers: { 'Idempotency-Key': 'order-1' } })
    expect(same.status).toBe(201)
    const other = await ask('/v1/decisions', { body, headers: { 'Idempotency-Key': 'order-2' } })
    const problem = await expectProblem(other, 422, 'INPUT_INVALID')
    expect(problem.field).toBe('Idempotency-Key')
  })

  it.each([
    ['255 characters', 'a'.repeat(255), 201],
    ['256 characters', 'a'.repeat(256), 422],
    ['a space', 'two words', 422],
    ['a character beyond ASCII', 'ümlaut', 422],
  ])('judges the key alike in header and body: %s', async (_, key, status) => {
    const headers = { 'Idempotency-Key': key }
    const inHeader = await createEdge().ask('/v1/decisions', { body: decision, headers })
    expect(inHeader.status).toBe(status)
    const body = { ...decision, idempotencyKey: key }
    expect((await createEdge().ask('/v1/decisions', { body })).status).toBe(status)
  })

  it('tells a conflict as the service tells it', async () => {
    const { ask, service } = createEdge()
    service.submit = () =>
      Promise.reject(
        new Failure('INPUT_CONFLICT', 'Idempotency key stands for another request: k', {
          field: 'idempotencyKey',
        }),
      )
    const problem = await expectProblem(
      await ask('/v1/decisions', { body: decision }),
      409,
      'INPUT_CONFLICT',
    )
    expect(problem).toMatchObject({
      detail: 'Idempotency key stands for another request: k',
      field: 'idempotencyKey',
      retryable: false,
      title: 'The idempotency key stands for another request',
    })
  })
})

describe('reading decisions over HTTP', () => {
  it('gives the matter as the service wrote it, without parsing it', async () => {
    const { ask, notarise, service } = createEdge()
    const id = await notarise()
    const kept = service.decisions.get(id)
    if (kept === undefined) throw new Error('not kept')
    service.decisions.set(id, { ...kept, view: { ...kept.view, decision: '{"x":1.0}' } })
    const text = await (await ask(`/v1/decisions/${id}`)).text()
    expect(text.endsWith(',"decision":{"x":1.0}}')).toBe(true)
    expect(decisionViewSchema.parse(JSON.parse(text))).toMatchObject({ id, status: 'ALLOW' })
  })

  it('gives null for what was erased', async () => {
    const { ask, notarise, service } = createEdge()
    const id = await notarise()
    const kept = service.decisions.get(id)
    if (kept === undefined) throw new Error('not kept')
    const view = { ...kept.view, decision: null, status: null, erased: true }
    service.decisions.set(id, { ...kept, view })
    const found = decisionViewSchema.parse(await (await ask(`/v1/decisions/${id}`)).json())
    expect(found).toMatchObject({ decision: null, erased: true })
  })

  it('passes every filter, numbers as numbers', async () => {
    const { ask, service } = createEdge()
    const query = 'status=BLOCK&actor=12&action=a%20b&since=5&until=9&cursor=abc&limit=7'
    expect((await ask(`/v1/decisions?${query}`)).status).toBe(200)
    expect(service.asked.at(-1)?.args).toEqual([
      'acme',
      { status: 'BLOCK', actor: '12', action: 'a b', since: 5, until: 9, cursor: 'abc', limit: 7 },
    ])
  })

  it('lists fifty when nothing is said', async () => {
    const { ask, service } = createEdge()
    await ask('/v1/decisions')
    expect(service.asked.at(-1)?.args).toEqual(['acme', { limit: 50 }])
  })

  it.each([
    ['limit=1', 200],
    ['limit=200', 200],
    ['limit=0', 422],
    ['limit=201', 422],
    ['limit=1e2', 422],
    ['limit=+5', 422],
    ['limit=', 422],
    ['since=9007199254740991', 200],
    ['since=9007199254740992', 422],
    ['since=-1', 422],
    ['until=1.5', 422],
    ['status=MAYBE', 422],
    ['actor=', 422],
    [`cursor=${'a'.repeat(256)}`, 200],
    [`cursor=${'a'.repeat(257)}`, 422],
    ['colour=red', 422],
    ['__proto__=1', 422],
    ['limit=5&limit=6', 422],
  ])('answers the query %s with %i', async (query, status) => {
    const { ask } = createEdge()
    const response = await ask(`/v1/decisions?${query}`)
    if (status === 200) expect(response.status).toBe(200)
    else {
      const { field } = await expectProblem(response, status, 'INPUT_INVALID')
      expect(field).toBe(`/${query.split('=')[0] ?? ''}`)
    }
  })

  it('refuses query parameters where none are known', async () => {
    const { ask, notarise } = createEdge()
    const id = await notarise()
    const problem = await expectProblem(
      await ask(`/v1/decisions/${id}?full=1`),
      422,
      'INPUT_INVALID',
    )
    expect(problem.field).toBe('/full')
  })

  it.each(['', '/dossier'])('knows no decision that is not one%s', async (rest) => {
    const { ask, service } = createEdge()
    await expectProblem(await ask(`/v1/decisions/${unknown}${rest}`), 404, 'INPUT_NOT_FOUND')
    const asked = service.asked.length
    await expectProblem(await ask(`/v1/decisions/keys${rest}`), 404, 'INPUT_NOT_FOUND')
    expect(service.asked.length, 'a system stream is no decision').toBe(asked)
  })
})

describe('claiming and erasing over HTTP', () => {
  it('claims with a note and without a body', async () => {
    const { ask, notarise, service } = createEdge()
    const id = await notarise()
    const noted = await ask(`/v1/decisions/${id}/claim`, { body: { note: 'run 7' } })
    expect(noted.status).toBe(201)
    expect(service.asked.at(-1)?.args.slice(1)).toEqual([id, { note: 'run 7' }])
    const bare = await ask(`/v1/decisions/${id}/claim`, { method: 'POST' })
    expect(bare.status).toBe(201)
    expect(service.asked.at(-1)?.args.slice(1)).toEqual([id, {}])
  })

  it('says that the caller has left, once he was told that time is up', async () => {
    const { ask, notarise, service } = createEdge({ requestTimeoutMs: 100 })
    const id = await notarise()
    const left = Promise.withResolvers<undefined>()
    service.claim = (_principal, _id, _request, signal) => {
      signal?.addEventListener('abort', () => {
        left.resolve(undefined)
      })
      return new Promise(() => undefined)
    }
    const late = await ask(`/v1/decisions/${id}/claim`, { method: 'POST' })
    expect(late.status).toBe(503)
    await left.promise
  })

  it('tells why a decision cannot be claimed', async () => {
    const { ask, notarise } = createEdge()
    const id = await notarise({ ...decision, status: 'BLOCK' })
    const response = await ask(`/v1/decisions/${id}/claim`, { method: 'POST' })
    await expectProblem(response, 409, 'INPUT_NOT_CLAIMABLE')
  })

  it.each([
    ['a note of 512 characters', { note: 'n'.repeat(512) }, 201],
    ['a note of 513 characters', { note: 'n'.repeat(513) }, 422],
    ['an unknown field', { other: 1 }, 422],
    ['no object', 'null', 422],
  ])('judges the body of a claim: %s', async (_, body, status) => {
    const { ask, notarise } = createEdge()
    const response = await ask(`/v1/decisions/${await notarise()}/claim`, { body })
    expect(response.status).toBe(status)
  })

  it('erases with a reason and gives the index of the erasure', async () => {
    const { ask, notarise, service } = createEdge()
    const id = await notarise()
    const response = await ask(`/v1/decisions/${id}/erase`, { body: { reason: 'GDPR 17' } })
    expect(await response.json()).toEqual({ id, index: 7 })
    expect(service.asked.at(-1)?.args.slice(1)).toEqual([id, 'GDPR 17'])
  })

  it('erases nothing without a reason', async () => {
    const { ask, notarise, service } = createEdge()
    const path = `/v1/decisions/${await notarise()}/erase`
    const asked = service.asked.length
    await expectProblem(await ask(path, { body: {} }), 422, 'INPUT_INVALID')
    await expectProblem(await ask(path, { body: { reason: '' } }), 422, 'INPUT_INVALID')
    await expectProblem(await ask(path, { method: 'POST' }), 400, 'INPUT_MALFORMED')
    expect(service.asked.length).toBe(asked)
  })
})

import { createHash } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { z } from 'zod'
import { createApp } from '../../src/api/app.ts'
import { listen } from '../../src/api/server.ts'
import { decodeBase64 } from '../../src/base/base64.ts'
import { leafHash } from '../../src/merkle/hash.ts'
import { parseEntryBundle } from '../../src/merkle/tiles.ts'
import { verifyDossier } from '../../src/verify/verify-dossier.ts'
import {
  apiKeyCreatedSchema,
  claimedSchema,
  decisionPageSchema,
  decisionViewSchema,
  erasedSchema,
  notarisedSchema,
  problemSchema,
  scopes,
} from '../../src/wire/decision.ts'
import { readySchema } from '../../src/wire/health.ts'
import { reportSchema } from '../../src/wire/report.ts'
import { foundTestService, founder, requestOf } from '../support/service.ts'

interface Asking {
  readonly method?: string
  readonly body?: string | Uint8Array<ArrayBuffer>
  readonly headers?: Readonly<Record<string, string>>
  readonly token?: string
}

/** The real service behind the real edge on a real socket. */
async function start() {
  const { service } = await foundTestService({ profile: 'checkpoint' })
  const log: string[] = []
  const note = (fields: object, message: string): void => {
    log.push(JSON.stringify({ ...fields, message }))
  }
  const app = createApp({
    clock: Date.now,
    logger: { error: note, info: note },
    requestTimeoutMs: 10_000,
    service,
    version: '0.0.0-test',
  })
  const { close, url } = await listen(app, { port: 0, requestTimeoutMs: 10_000 })
  onTestFinished(close)
  const { token: first } = await service.createApiKey('default', 'alice', scopes, founder)
  const ask = (path: string, asking: Asking = {}): Promise<Response> => {
    const {
      body,
      headers = {},
      method = body === undefined ? 'GET' : 'POST',
      token = first,
    } = asking
    return fetch(`${url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    })
  }
  const get = async <T>(schema: z.ZodType<T>, path: string, asking?: Asking): Promise<T> =>
    schema.parse(await (await ask(path, asking)).json())
  const problemOf = async (path: string, asking?: Asking): Promise<string> =>
    (await get(problemSchema, path, asking)).code
  return { ask, get, log, problemOf, service }
}

describe('the API over the real service', () => {
  it('notarises, replays, lists, claims, exports, verifies and erases', async () => {
    const { ask, get, problemOf } = await start()
    const body = requestOf(1, { maxUses: 1 })
    const headers = { 'Idempotency-Key': 'order-1' }
    const made = await ask('/v1/decisions', { body, headers })
    expect(made.status).toBe(201)
    const { id, dossierUrl, ...reply } = notarisedSchema.parse(await made.json())
    expect(reply).toMatchObject({ replayed: false, status: 'ALLOW' })

    const again = await ask('/v1/decisions', { body, headers })
    expect(again.status).toBe(200)
    expect(notarisedSchema.parse(await again.json())).toMatchObject({ id, replayed: true })
    const other = { body: requestOf(2), headers }
    expect(await problemOf('/v1/decisions', other)).toBe('INPUT_CONFLICT')

    const view = await get(decisionViewSchema, `/v1/decisions/${id}`)
    expect(view).toMatchObject({ decision: { caller: { owner: 'alice' }, id }, erased: false, id })

    const claimed = await ask(`/v1/decisions/${id}/claim`, { method: 'POST' })
    expect(claimed.status).toBe(201)
    expect(claimedSchema.parse(await claimed.json())).toMatchObject({ maxUses: 1, use: 1 })
    expect(await problemOf(`/v1/decisions/${id}/claim`, { method: 'POST' })).toBe('INPUT_CLAIMED')

    const dossier = new Uint8Array(await (await ask(dossierUrl)).arrayBuffer())
    const trustRoot = new Uint8Array(await (await ask('/v1/trust-root')).arrayBuffer())
    expect(verifyDossier(dossier, trustRoot).verdict).toBe('valid')
    const report = await get(reportSchema, '/v1/verify', { body: dossier })
    expect(report).toMatchObject({ ok: true, status: 'ALLOW', stream: id, verdict: 'valid' })
    expect(report.trustRoot).toBe(createHash('sha256').update(trustRoot).digest('hex'))
    const forged = dossier.map((byte, i) => (i === dossier.indexOf(0x41) ? 0x42 : byte))
    const refused = await ask('/v1/verify', { body: forged })
    expect(refused.status, 'bad evidence is an answer').toBe(200)
    expect(reportSchema.parse(await refused.json()).ok).toBe(false)

    const erasure = { body: '{"reason":"asked for"}' }
    expect(await get(erasedSchema, `/v1/decisions/${id}/erase`, erasure)).toMatchObject({ id })
    const empty = await get(decisionViewSchema, `/v1/decisions/${id}`)
    expect(empty).toMatchObject({ decision: null, erased: true, status: null })
    const after = new Uint8Array(await (await ask(dossierUrl)).arrayBuffer())
    expect(verifyDossier(after, trustRoot).verdict).toBe('erased')
    expect(await problemOf('/v1/decisions', { body, headers })).toBe('INPUT_ERASED')
  })

  it('lists page by page by what is asked for', async () => {
    const { ask, get, problemOf } = await start()
    const ids: string[] = []
    for (let n = 0; n < 5; n++) {
      const status = n % 2 === 0 ? 'ALLOW' : 'BLOCK'
      const response = await ask('/v1/decisions', { body: requestOf(n, { status }) })
      ids.unshift(notarisedSchema.parse(await response.json()).id)
    }
    const idsOf = ({ decisions }: z.infer<typeof decisionPageSchema>): string[] =>
      decisions.map(({ id }) => id)
    const first = await get(decisionPageSchema, '/v1/decisions?limit=2')
    expect(idsOf(first)).toEqual(ids.slice(0, 2))
    const second = await get(
      decisionPageSchema,
      `/v1/decisions?limit=2&cursor=${first.cursor ?? ''}`,
    )
    const third = await get(
      decisionPageSchema,
      `/v1/decisions?limit=2&cursor=${second.cursor ?? ''}`,
    )
    expect([...idsOf(second), ...idsOf(third)]).toEqual(ids.slice(2))
    expect(third.cursor).toBeNull()
    const blocked = await get(decisionPageSchema, '/v1/decisions?status=BLOCK')
    expect(idsOf(blocked)).toEqual([ids[1], ids[3]])
    const of = await get(decisionPageSchema, '/v1/decisions?actor=agent-1&action=transfer')
    expect(idsOf(of)).toEqual([ids[0], ids[3]])
    const late = await get(decisionPageSchema, `/v1/decisions?since=${Date.now() + 60_000}`)
    expect(late.decisions).toEqual([])
    expect(await problemOf('/v1/decisions?cursor=nonsense')).toBe('INPUT_INVALID')
  })

  it('takes a hundred at once', async () => {
    const { ask } = await start()
    const replies = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const response = await ask('/v1/decisions', { body: requestOf(n) })
        return notarisedSchema.parse(await response.json())
      }),
    )
    expect(new Set(replies.map(({ index }) => index)).size).toBe(100)
  })

  it('serves the log that holds what was answered', async () => {
    const { ask } = await start()
    const response = await ask('/v1/decisions', { body: requestOf(1) })
    const { index, leaf } = notarisedSchema.parse(await response.json())
    const size = index + 1
    const note = await (await ask('/log/default/checkpoint')).text()
    expect(note.startsWith('log.example/default\n')).toBe(true)
    const bytesOf = async (path: string): Promise<Uint8Array> =>
      new Uint8Array(await (await ask(`/log/default/tile/${path}.p/${size}`)).arrayBuffer())
    const entry = parseEntryBundle(await bytesOf('entries/000'))?.at(-1)
    expect(entry).toEqual(decodeBase64(leaf))
    const hashes = await bytesOf('0/000')
    expect(hashes.subarray(32 * index)).toEqual(leafHash(entry ?? new Uint8Array()))
    expect((await ask(`/log/default/tile/0/000.p/${size + 1}`)).status).toBe(404)
    expect((await ask('/log/default/checkpoint', { token: '' })).status).toBe(401)
  })

  it('lets anybody read a public log and nobody else’s', async () => {
    const { ask, service } = await start()
    await service.createTenant('open', { profile: 'checkpoint', public: true }, founder)
    expect((await ask('/log/open/checkpoint', { token: '' })).status).toBe(200)
    expect((await ask('/log/open/tile/entries/000.p/1', { token: '' })).status).toBe(200)
    expect((await ask('/log/default/checkpoint', { token: '' })).status).toBe(401)
    const { token } = await service.createApiKey('open', 'bob', scopes, founder)
    expect((await ask('/log/default/checkpoint', { token })).status).toBe(404)
    const mine = notarisedSchema.parse(
      await (await ask('/v1/decisions', { body: requestOf(1) })).json(),
    )
    expect((await ask(`/v1/decisions/${mine.id}`, { token })).status).toBe(404)
    expect((await ask(mine.dossierUrl, { token })).status).toBe(404)
  })

  it('makes API keys that work at once and revokes them at once', async () => {
    const { ask, get, log, problemOf } = await start()
    const body = '{"owner":"ci","scopes":["decisions:submit"]}'
    const { apiKey, token } = await get(apiKeyCreatedSchema, '/v1/api-keys', { body })
    expect((await ask('/v1/decisions', { body: requestOf(1), token })).status).toBe(201)
    expect(await problemOf('/v1/decisions', { token })).toBe('AUTH_SCOPE')
    const gone = await ask(`/v1/api-keys/${apiKey.id}`, { method: 'DELETE' })
    expect(gone.status).toBe(200)
    expect(await problemOf('/v1/decisions', { body: requestOf(2), token })).toBe('AUTH_INVALID')
    expect(log.length).toBeGreaterThan(4)
    expect(log.join('')).not.toMatch(/csk_|agent-/)
  })

  it.each([
    ['a lone surrogate', '"\\ud800"', 'INPUT_INVALID'],
    ['64 levels', '['.repeat(63) + ']'.repeat(63), undefined],
    ['65 levels', '['.repeat(64) + ']'.repeat(64), 'INPUT_MALFORMED'],
    ['2^53-1', '9007199254740991', undefined],
    ['2^53', '9007199254740992', 'INPUT_INVALID'],
    ['__proto__', '{"__proto__":1}', 'INPUT_INVALID'],
    ['names like numbers', '{"10":1,"9":2,"__proto":3}', undefined],
  ])('refuses or keeps what stands in a trace: %s', async (_, trace, code) => {
    const { ask } = await start()
    const body = `${requestOf(1).slice(0, -1)},"trace":${trace}}`
    const response = await ask('/v1/decisions', { body })
    const answer: unknown = await response.json()
    if (code === undefined) notarisedSchema.parse(answer)
    else expect(problemSchema.parse(answer).code).toBe(code)
  })

  it('is ready, and is not once the service is closed', async () => {
    const { ask, problemOf, service } = await start()
    const ready = await ask('/readyz', { token: '' })
    expect([ready.status, readySchema.parse(await ready.json()).ready]).toEqual([200, true])
    await ask('/v1/trust-root')
    await service.close()
    expect((await ask('/readyz', { token: '' })).status).toBe(503)
    expect(await problemOf('/v1/decisions', { body: requestOf(1) })).toBe('LOG_CLOSED')
  })
})

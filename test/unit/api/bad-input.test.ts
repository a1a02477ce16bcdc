import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { askApp } from '../../support/ask-app.ts'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, decision, expectProblem } from './edge.ts'

const path = '/v1/decisions'
const withTrace = (trace: string): string =>
  `${JSON.stringify(decision).slice(0, -1)},"trace":${trace}}`
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

/** A decision of exactly so many bytes. */
function sized(bytes: number): string {
  const bare = withTrace('""')
  return withTrace(`"${'x'.repeat(bytes - bare.length)}"`)
}

const streamed = (text: string): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (let at = 0; at < text.length; at += 1000)
        controller.enqueue(Buffer.from(text.slice(at, at + 1000)))
      controller.close()
    },
  })

describe('a body that is not what it should be', () => {
  it.each([
    ['an unknown field', { ...decision, priority: 1 }, '/priority'],
    ['an unknown field below', { ...decision, intent: { ...decision.intent, x: 1 } }, '/intent/x'],
    ['a wrong type', { ...decision, confidence: 'high' }, '/confidence'],
    [
      'a wrong type below',
      { ...decision, intent: { actor: { id: 7 }, action: { type: 'a' } } },
      '/intent/actor/id',
    ],
    ['an unknown status', { ...decision, status: 'MAYBE' }, '/status'],
    ['a missing part', { status: 'ALLOW' }, '/intent'],
    [
      'an index of a policy, which the log says',
      { ...decision, policies: [{ id: 'p', index: 1 }] },
      '/policies/0/index',
    ],
    ['no object', [decision], '/'],
  ])('is refused by name: %s', async (_, body, field) => {
    const { ask, service } = createEdge()
    const problem = await expectProblem(await ask(path, { body }), 422, 'INPUT_INVALID')
    expect(problem.field).toBe(field)
    expect(problem.detail).toContain(field)
    expect(service.asked.some(({ method }) => method === 'submit')).toBe(false)
  })

  it.each([
    ['nothing', ''],
    ['a cut text', '{"intent":'],
    ['two values', '{}{}'],
    ['a comment', '{} // no'],
    ['a byte order mark', `\uFEFF${JSON.stringify(decision)}`],
  ])('is refused as malformed: %s', async (_, body) => {
    const { ask } = createEdge()
    const asking = { body, method: 'POST', headers: { 'Content-Type': 'application/json' } }
    await expectProblem(await ask(path, asking), 400, 'INPUT_MALFORMED')
  })

  it('is refused when its bytes are not UTF-8, instead of being notarised with replacements', async () => {
    const { app } = createEdge()
    const bytes = Buffer.from(withTrace('"?"'))
    bytes[bytes.lastIndexOf('?')] = 0xff
    const response = await askApp(app, path, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${fakeToken('acme')}`,
        'Content-Type': 'application/json',
      },
      body: bytes,
    })
    const problem = await expectProblem(response, 400, 'INPUT_MALFORMED')
    expect(problem.detail).toBe('Body is not UTF-8')
  })

  it('may nest 64 levels and not 65', async () => {
    const { ask } = createEdge()
    expect((await ask(path, { body: withTrace(nested(63)) })).status).toBe(201)
    const response = await ask(path, { body: withTrace(nested(64)) })
    await expectProblem(response, 400, 'INPUT_MALFORMED')
    const deep = await ask(path, { body: withTrace(nested(30_000)) })
    await expectProblem(deep, 400, 'INPUT_MALFORMED')
  })

  it('may hold integers to 2^53-1 and not beyond', async () => {
    const { ask } = createEdge()
    for (const integer of ['9007199254740991', '-9007199254740991'])
      expect((await ask(path, { body: withTrace(integer) })).status).toBe(201)
    for (const integer of ['9007199254740992', '-9007199254740992', '12345678901234567890']) {
      const response = await ask(path, { body: withTrace(integer) })
      const problem = await expectProblem(response, 422, 'INPUT_INVALID')
      expect(problem.detail).toContain('send it as a string')
    }
    await expectProblem(await ask(path, { body: withTrace('1e999') }), 422, 'INPUT_INVALID')
  })

  it.each([
    ['__proto__', '{"__proto__":{}}', '/trace/__proto__'],
    ['an escaped __proto__', '{"\\u005f_proto__":{}}', '/trace/__proto__'],
    ['a name that stands twice', '{"a":1,"a":2}', '/trace/a'],
    ['an integer that would be rounded', '[9007199254740993]', '/trace/0'],
    ['a number that would become zero', '{"a":2.4e-324}', '/trace/a'],
  ])('may not hold %s', async (_, trace, field) => {
    const { ask } = createEdge()
    const response = await ask(path, { body: withTrace(trace) })
    expect((await expectProblem(response, 422, 'INPUT_INVALID')).field).toBe(field)
  })

  it('is named only so far when its names are long', async () => {
    const { ask } = createEdge()
    const body = { ...decision, ['n'.repeat(100_000)]: 1, ['m'.repeat(100_000)]: 1 }
    const response = await ask(path, { body })
    expect((await response.clone().text()).length).toBeLessThan(2000)
    await expectProblem(response, 422, 'INPUT_INVALID')
  })
})

describe('the size of a body', () => {
  const maxBodyBytes = 2000

  it('is bounded by the length that is announced', async () => {
    const { ask } = createEdge({ maxBodyBytes })
    const send = (bytes: number) =>
      ask(path, { body: sized(bytes), headers: { 'Content-Length': String(bytes) } })
    expect((await send(maxBodyBytes)).status).toBe(201)
    const problem = await expectProblem(await send(maxBodyBytes + 1), 413, 'INPUT_TOO_LARGE')
    expect(problem.detail).toBe('Body must not exceed 2000 bytes')
  })

  it('is bounded by what comes when no length is announced', async () => {
    const { app } = createEdge({ maxBodyBytes })
    const send = (bytes: number) =>
      askApp(app, path, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${fakeToken('acme')}`,
          'Content-Type': 'application/json',
        },
        body: streamed(sized(bytes)),
        duplex: 'half',
      })
    expect((await send(maxBodyBytes)).status).toBe(201)
    await expectProblem(await send(maxBodyBytes + 1), 413, 'INPUT_TOO_LARGE')
  })

  it('is not awaited to its end when it has none', async () => {
    const { app } = createEdge({ maxBodyBytes })
    const response = await askApp(app, path, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${fakeToken('acme')}`,
        'Content-Type': 'application/json',
      },
      body: new ReadableStream({
        pull(controller) {
          controller.enqueue(Buffer.alloc(100, ' '))
        },
      }),
      duplex: 'half',
    })
    await expectProblem(response, 413, 'INPUT_TOO_LARGE')
  })

  it('is 256 KiB unless it is said', async () => {
    const { ask } = createEdge()
    const send = (bytes: number) =>
      ask(path, { body: sized(bytes), headers: { 'Content-Length': String(bytes) } })
    expect((await send(limits.bodyBytes)).status).toBe(201)
    await expectProblem(await send(limits.bodyBytes + 1), 413, 'INPUT_TOO_LARGE')
  })

  it('has a bound of its own for dossiers', async () => {
    const { ask } = createEdge({ maxBodyBytes, maxDossierBytes: 3000 })
    const send = (bytes: number) =>
      ask('/v1/verify', { body: sized(bytes), headers: { 'Content-Length': String(bytes) } })
    expect((await send(3000)).status).toBe(200)
    await expectProblem(await send(3001), 413, 'INPUT_TOO_LARGE')
  })

  it('is not read for a stranger', async () => {
    const { ask } = createEdge({ maxBodyBytes })
    const response = await ask(path, { body: sized(maxBodyBytes + 1), token: null })
    await expectProblem(response, 401, 'AUTH_MISSING')
  })
})

describe('the media type of a body', () => {
  it.each([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'application/json;',
  ])('may be %s', async (type) => {
    const { ask } = createEdge()
    const response = await ask(path, { body: decision, headers: { 'Content-Type': type } })
    expect(response.status).toBe(201)
  })

  it.each([
    'text/plain',
    'application/jsonp',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-16',
    'application/json, text/plain',
    'application/vnd.countersign.dossier+json',
    '',
  ])('may not be %s', async (type) => {
    const { ask } = createEdge()
    const response = await ask(path, { body: decision, headers: { 'Content-Type': type } })
    await expectProblem(response, 415, 'INPUT_MEDIA_TYPE')
  })

  it('may not be coded', async () => {
    const { ask } = createEdge()
    const send = (coding: string) =>
      ask(path, { body: decision, headers: { 'Content-Encoding': coding } })
    expect((await send('identity')).status).toBe(201)
    await expectProblem(await send('gzip'), 415, 'INPUT_MEDIA_TYPE')
  })

  it('may be a dossier’s where a dossier is wanted', async () => {
    const { ask } = createEdge()
    for (const type of ['application/vnd.countersign.dossier+json', 'application/json']) {
      const response = await ask('/v1/verify', { body: '{}', headers: { 'Content-Type': type } })
      expect(response.status).toBe(200)
    }
    const response = await ask('/v1/verify', {
      body: '{}',
      headers: { 'Content-Type': 'application/octet-stream' },
    })
    await expectProblem(response, 415, 'INPUT_MEDIA_TYPE')
  })
})

import pino from 'pino'
import { expect } from 'vitest'
import { createApp, type AppOptions } from '../../../src/api/app.ts'
import { problemSchema, type Problem } from '../../../src/wire/decision.ts'
import { askApp } from '../../support/ask-app.ts'
import { FakeService, fakeToken } from '../../support/fake-service.ts'

/** The smallest decision that is one. */
export const decision = {
  intent: { actor: { id: 'bot-7' }, action: { type: 'payment.transfer' } },
  status: 'ALLOW',
} as const

/** What a test says of a request. */
export interface Asking {
  readonly method?: string
  /** A token, or null for none. */
  readonly token?: string | null
  /** Text as it is, or a value as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** An edge over a fake service, with a clock that is set by hand and a log that is kept. */
export function createEdge(options: Partial<AppOptions> & { readonly service?: FakeService } = {}) {
  const service = options.service ?? new FakeService()
  const log: string[] = []
  const time = { now: 1_700_000_000_000 }
  const app = createApp({
    clock: () => time.now,
    logger: pino({}, { write: (line: string) => void log.push(line) }),
    requestTimeoutMs: 1000,
    version: '1.2.3',
    ...options,
    service,
  })
  const ask = async (path: string, asking: Asking = {}): Promise<Response> => {
    const { body, headers = {}, token = fakeToken('acme') } = asking
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    return askApp(app, path, {
      method: asking.method ?? (text === undefined ? 'GET' : 'POST'),
      headers: {
        ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
        ...(text === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(text === undefined ? {} : { body: text }),
    })
  }
  const notarise = async (value: unknown = decision): Promise<string> => {
    const response = await ask('/v1/decisions', { body: value })
    return ((await response.json()) as { id: string }).id
  }
  return { app, ask, log, notarise, service, time }
}

/** Expects a problem of the code, shaped as the contract says; gives it. */
export async function expectProblem(
  response: Response,
  status: number,
  code: string,
): Promise<Problem> {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = problemSchema.parse(await response.json())
  expect(problem).toMatchObject({ code, status })
  expect(response.status).toBe(status)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(problem.type).toBe(`urn:countersign:problem:${code}`)
  return problem
}

import { describe, expect, it } from 'vitest'
import { decisionRequestSchema } from '../../../src/wire/decision.ts'
import { createEdge } from './edge.ts'

interface Operation {
  readonly security: readonly Readonly<Record<string, unknown>>[]
  readonly parameters: readonly { readonly name?: string; readonly in?: string }[]
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, unknown>> }>
  >
}
interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

async function describeIt(): Promise<Document> {
  const { ask } = createEdge()
  const response = await ask('/openapi.json', { token: null })
  expect(response.status).toBe(200)
  return (await response.json()) as Document
}

/** Every object below a value, itself included. */
function* objects(value: unknown): Generator<Readonly<Record<string, unknown>>> {
  if (typeof value !== 'object' || value === null) return
  yield value as Record<string, unknown>
  for (const member of Object.values(value)) yield* objects(member)
}

const references = (document: Document): string[] =>
  [...objects(document)].flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []))

describe('the OpenAPI description', () => {
  it('is of version 3.1 and describes itself', async () => {
    const { openapi, paths } = await describeIt()
    expect(openapi).toBe('3.1.0')
    expect(Object.keys(paths)).toContain('/openapi.json')
  })

  it('has no reference that leads nowhere, and nothing that nobody refers to', async () => {
    const document = await describeIt()
    const found = references(document)
    expect(found.length).toBeGreaterThan(50)
    const known = Object.entries(document.components)
      .filter(([kind]) => kind !== 'securitySchemes')
      .flatMap(([kind, members]) =>
        Object.keys(members).map((name) => `#/components/${kind}/${name}`),
      )
    expect([...new Set(found)].sort()).toEqual(known.sort())
  })

  it('says of every operation what it answers, and how it fails', async () => {
    const { paths } = await describeIt()
    for (const [path, operations] of Object.entries(paths))
      for (const [method, { responses }] of Object.entries(operations)) {
        const statuses = Object.keys(responses)
        expect(
          statuses.some((status) => status.startsWith('2')),
          `${method} ${path}`,
        ).toBe(true)
        expect(statuses, `${method} ${path}`).toContain('500')
        for (const [status, { content }] of Object.entries(responses))
          if (Number(status) >= 400 && path !== '/readyz')
            expect(content, `${method} ${path} ${status}`).toEqual({
              'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
            })
      }
  })

  it('asks for a key where one is asked for', async () => {
    const { components, paths } = await describeIt()
    expect(components['securitySchemes']).toEqual({ apiKey: { type: 'http', scheme: 'bearer' } })
    expect(paths['/v1/decisions']?.['post']?.security).toEqual([{ apiKey: [] }])
    expect(paths['/log/{tenant}/checkpoint']?.['get']?.security).toEqual([{}, { apiKey: [] }])
    expect(paths['/healthz']?.['get']?.security).toEqual([])
  })

  it('names every parameter of a path', async () => {
    const { paths } = await describeIt()
    for (const [path, operations] of Object.entries(paths))
      for (const { parameters } of Object.values(operations)) {
        const named = parameters
          .filter((one) => one.in === 'path')
          .map(({ name }) => `{${name ?? ''}}`)
        expect(named).toEqual(path.match(/\{\w+\}/g) ?? [])
      }
  })

  it('keeps what may be null apart from what it may not be', async () => {
    const { components } = await describeIt()
    const schemas = components['schemas'] as Record<
      string,
      { type?: unknown; properties?: Record<string, unknown> }
    >
    expect(schemas['Envelope']?.type).toBe('object')
    const envelope = { $ref: '#/components/schemas/Envelope' }
    expect(schemas['Claimed']?.properties?.['envelope']).toEqual(envelope)
    expect(schemas['Notarised']?.properties?.['envelope']).toEqual({
      anyOf: [envelope, { type: 'null' }],
    })
  })

  it('says nothing that goes without saying', async () => {
    expect(JSON.stringify(await describeIt())).not.toMatch(/\$schema|\$id|9007199254740991/)
  })

  it('describes a decision as it is judged', async () => {
    const { components } = await describeIt()
    const described = components['schemas']?.['DecisionRequest']
    expect(described).toMatchObject({ additionalProperties: false, required: ['intent', 'status'] })
    expect(Object.keys((described as { properties: object }).properties)).toEqual(
      Object.keys(decisionRequestSchema.shape),
    )
  })
})

import { describe, expect, it } from 'vitest'
import type { InclusionQuery } from '../../../src/wire/log.ts'
import { createEdge, expectProblem } from './edge.ts'

const hash = 'ab'.repeat(32)

describe('proofs over HTTP', () => {
  it.each<[string, InclusionQuery]>([
    ['index=7', { index: 7 }],
    ['index=7&size=9', { index: 7, size: 9 }],
    [`leafHash=${hash}`, { leafHash: hash }],
  ])('asks for the inclusion of %s', async (query, asked) => {
    const { ask, service } = createEdge()
    const response = await ask(`/log/open/proof/inclusion?${query}`, { token: null })
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toMatchObject({ treeSize: asked.size ?? 1 })
    expect(service.asked.at(-1)).toEqual({ args: ['open', asked], method: 'proveInclusion' })
  })

  it.each([
    '',
    '?index=-1',
    '?index=1.5',
    '?index=01',
    `?index=1&leafHash=${hash}`,
    `?leafHash=${hash.toUpperCase()}`,
    `?leafHash=${hash}0`,
    '?size=4',
    '?index=1&index=2',
    '?index=1&more=2',
  ])('does not bother the service with inclusion%s', async (query) => {
    const { ask, service } = createEdge()
    const response = await ask(`/log/open/proof/inclusion${query}`, { token: null })
    await expectProblem(response, 422, 'INPUT_INVALID')
    expect(service.asked.some(({ method }) => method === 'proveInclusion')).toBe(false)
  })

  it('asks for the consistency of two sizes, both of which must be named', async () => {
    const { ask, service } = createEdge()
    const path = '/log/open/proof/consistency'
    const response = await ask(`${path}?first=3&second=9`, { token: null })
    expect(await response.json()).toMatchObject({ firstSize: 3, secondSize: 9 })
    expect(service.asked.at(-1)?.args).toEqual(['open', 3, 9])
    for (const query of ['', '?first=3', '?second=9', '?first=x&second=9'])
      await expectProblem(await ask(`${path}${query}`, { token: null }), 422, 'INPUT_INVALID')
  })

  it('gives a proof file as text', async () => {
    const { ask } = createEdge()
    const response = await ask('/log/open/proof/tlog?index=4', { token: null })
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(await response.text()).toContain('index 4')
    await expectProblem(await ask('/log/open/proof/tlog', { token: null }), 422, 'INPUT_INVALID')
  })

  it.each(['inclusion?index=0', 'consistency?first=0&second=1', 'tlog?index=0'])(
    'tells a stranger nothing of a private log: %s',
    async (path) => {
      const { ask } = createEdge()
      const response = await ask(`/log/acme/proof/${path}`, { token: null })
      await expectProblem(response, 401, 'AUTH_MISSING')
    },
  )
})

describe('a decision as a bundle over HTTP', () => {
  it('comes as a file of its own type', async () => {
    const { ask, notarise, service } = createEdge()
    const id = await notarise()
    const response = await ask(`/v1/decisions/${id}/bundle`)
    expect(response.headers.get('content-type')).toBe(
      'application/vnd.dev.sigstore.bundle.v0.3+json',
    )
    expect(response.headers.get('content-disposition')).toContain(`${id}.sigstore.json`)
    expect(service.asked.at(-1)).toEqual({ args: ['acme', id], method: 'exportSigstoreBundle' })
  })
})

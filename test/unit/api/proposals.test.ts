import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { proposalPageSchema, proposalViewSchema } from '../../../src/wire/proposals.ts'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, expectProblem } from './edge.ts'

const id = '01890a5d-ac96-774b-bcce-b302099a8057'
const path = '/v1/proposals'
const by = { id: fakeToken('acme').slice(4, 20), owner: 'owner@example.com', type: 'apiKey' }
const opening = { intent: { action: { type: 'pay' }, actor: { id: 'bot' } } }

describe('proposals over HTTP', () => {
  it('are opened in the name of the API key', async () => {
    const { ask, service } = createEdge()
    const full = {
      ...opening,
      note: 'n'.repeat(1024),
      proposerMayVote: true,
      quorum: 100,
      threshold: { approvals: 1000, of: 1000 },
      voters: Array.from({ length: 100 }, (_, i) => `p${i}`),
      withinSeconds: 7 * 86_400,
    }
    for (const body of [opening, { ...full, withinSeconds: 1 }, full]) {
      const response = await ask(path, { body })
      expect(response.status).toBe(201)
      proposalViewSchema.parse(await response.json())
      expect(service.asked.at(-1)?.args).toMatchObject([{ caller: by, tenant: 'acme' }, body])
    }
  })

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['no intent', { intent: undefined }],
    ['nobody to vote', { voters: [] }],
    ['too many voters', { voters: Array.from({ length: 101 }, (_, i) => `p${i}`) }],
    ['no quorum', { quorum: 0 }],
    ['a quorum of more than anybody has voters', { quorum: 101 }],
    ['a threshold of nothing', { threshold: { approvals: 0, of: 1 } }],
    ['a threshold in too many parts', { threshold: { approvals: 1, of: 1001 } }],
    ['no time', { withinSeconds: 0 }],
    ['too much time', { withinSeconds: 7 * 86_400 + 1 }],
    ['a note that is too long', { note: 'n'.repeat(1025) }],
    ['a proposer', { proposer: 'ann' }],
  ])('are not opened with %s', async (_, change) => {
    const { ask, service } = createEdge()
    const response = await ask(path, { body: { ...opening, ...change } })
    await expectProblem(response, 422, 'INPUT_INVALID')
    expect(service.asked.map(({ method }) => method)).not.toContain('openProposal')
  })

  it.each([
    ['vote', { vote: 'ABSTAIN', note: 'Away' }],
    ['withdraw', { reason: 'Done' }],
    ['close', undefined],
  ])('take the act %s in the name of the API key', async (act, body) => {
    const { ask, service } = createEdge()
    const said = body === undefined ? { method: 'POST' } : { body }
    expect((await ask(`${path}/${id}/${act}`, said)).status).toBe(200)
    const [principal, ...rest] = service.asked.at(-1)?.args ?? []
    expect(principal).toMatchObject({ caller: by })
    expect(rest).toEqual([id, { act, ...body }])
  })

  it.each<[string, unknown]>([
    ['vote', { vote: 'approve' }],
    ['vote', { voter: 'ann', vote: 'APPROVE' }],
    ['vote', {}],
    ['withdraw', { reason: '' }],
    ['withdraw', {}],
  ])('refuse the act %s of %j', async (act, body) => {
    const { ask, service } = createEdge()
    await expectProblem(await ask(`${path}/${id}/${act}`, { body }), 422, 'INPUT_INVALID')
    expect(service.asked.map(({ method }) => method)).not.toContain('actOnProposal')
  })

  it('are listed a page at a time, and read by their ids alone', async () => {
    const { ask, service } = createEdge()
    proposalPageSchema.parse(await (await ask(`${path}?limit=200&cursor=${id}`)).json())
    expect(service.asked.at(-1)?.args).toEqual(['acme', { cursor: id, limit: 200 }])
    for (const query of ['?limit=0', '?limit=201', '?cursor=x', '?status=open'])
      await expectProblem(await ask(path + query), 422, 'INPUT_INVALID')
    expect((await ask(`${path}/${id}`)).status).toBe(200)
    for (const way of ['', '/dossier'])
      await expectProblem(await ask(`${path}/x${way}`), 404, 'INPUT_NOT_FOUND')
  })

  it('tell why something may not happen', async () => {
    const { ask, service } = createEdge()
    service.actOnProposal = () =>
      Promise.reject(new Failure('PROPOSAL_REFUSED', 'Who calls has voted already'))
    const response = await ask(`${path}/${id}/vote`, { body: { vote: 'APPROVE' } })
    const problem = await expectProblem(response, 409, 'PROPOSAL_REFUSED')
    expect(JSON.stringify(problem)).toContain('voted already')
  })
})

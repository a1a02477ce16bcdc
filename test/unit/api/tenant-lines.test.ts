import { describe, expect, it, vi } from 'vitest'
import { fakeToken, type FakeService } from '../../support/fake-service.ts'
import { createEdge } from './edge.ts'

const id = '01890a5d-ac96-774b-bcce-b302099a8057'

/** What of a service reads whole streams. */
type Reading =
  | 'exportDossier'
  | 'listActions'
  | 'listApiKeys'
  | 'listEscalations'
  | 'listOverrides'
  | 'listProposals'
  | 'challengeEscalation'
  | 'readAction'
  | 'readEscalation'
  | 'readOverride'
  | 'readProposal'

/** Lets the first call of a method wait for a promise; gives the tenants of all calls that have begun. */
function holdFirst(service: FakeService, method: Reading, held: Promise<unknown>): string[] {
  const begun: string[] = []
  const real = service[method].bind(service) as (...given: unknown[]) => Promise<never>
  service[method] = async (...given: unknown[]): Promise<never> => {
    begun.push(String(given[0]))
    if (begun.length === 1) await held
    return real(...given)
  }
  return begun
}

describe('the line of a tenant', () => {
  it.each<[string, Reading]>([
    [`/v1/overrides/${id}`, 'readOverride'],
    ['/v1/overrides', 'listOverrides'],
    [`/v1/escalations/${id}`, 'readEscalation'],
    [`/v1/escalations/${id}/challenge?answer=reject&reason=No`, 'challengeEscalation'],
    ['/v1/escalations', 'listEscalations'],
    [`/v1/proposals/${id}`, 'readProposal'],
    [`/v1/proposals/${id}/dossier`, 'exportDossier'],
    ['/v1/proposals', 'listProposals'],
    [`/v1/actions/${id}`, 'readAction'],
    [`/v1/actions/${id}/challenge`, 'readAction'],
    [`/v1/actions/${id}/dossier`, 'exportDossier'],
    ['/v1/actions', 'listActions'],
    ['/v1/api-keys', 'listApiKeys'],
  ])('is kept by %s, and keeps no other tenant waiting', async (path, method) => {
    const { ask, service } = createEdge()
    const first = Promise.withResolvers<undefined>()
    const begun = holdFirst(service, method, first.promise)
    const own = [ask(path), ask(path)]
    await vi.waitFor(() => {
      expect(begun).toEqual(['acme'])
    })
    // Whoever comes later is answered, so the second would have begun.
    expect((await ask(path, { token: fakeToken('open') })).status).toBe(200)
    expect(begun).toEqual(['acme', 'open'])
    first.resolve(undefined)
    expect((await Promise.all(own)).map(({ status }) => status)).toEqual([200, 200])
    expect(begun).toEqual(['acme', 'open', 'acme'])
  })

  it('is left by who waits for the end of an escalation', async () => {
    const { ask, service } = createEdge()
    const path = `/v1/escalations/${id}`
    const ended = Promise.withResolvers<undefined>()
    const read = service.readEscalation.bind(service)
    const begun: number[] = []
    service.readEscalation = async (tenant, decision, waitMs) => {
      begun.push(waitMs)
      if (waitMs > 0) await ended.promise
      return read(tenant, decision, waitMs)
    }
    const waiting = ask(`${path}?wait=60`)
    await vi.waitFor(() => {
      expect(begun).toEqual([0, 60_000])
    })
    expect((await ask(path)).status).toBe(200)
    ended.resolve(undefined)
    expect((await waiting).status).toBe(200)
  })

  it.each([
    ['ended', { status: 'approved' as const }],
    ['overruled', { overruled: true }],
  ])('is all there is for an escalation that has %s', async (_, change) => {
    const { ask, service } = createEdge()
    const read = service.readEscalation.bind(service)
    const begun: number[] = []
    service.readEscalation = async (tenant, decision, waitMs) => {
      begun.push(waitMs)
      return { ...(await read(tenant, decision, waitMs)), ...change }
    }
    const response = await ask(`/v1/escalations/${id}?wait=60`)
    expect(await response.json()).toMatchObject(change)
    expect(begun).toEqual([0])
  })
})

import { describe, expect, it } from 'vitest'
import { reportSchema } from '../../../src/wire/report.ts'
import { askApp } from '../../support/ask-app.ts'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, expectProblem } from './edge.ts'

describe('evidence over HTTP', () => {
  it('gives a dossier byte for byte, as a file', async () => {
    const { ask, notarise } = createEdge()
    const id = await notarise()
    const response = await ask(`/v1/decisions/${id}/dossier`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/vnd.countersign.dossier+json')
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="${id}.dossier.json"`,
    )
    expect(await response.text()).toBe('{"dossier":true}')
  })

  it('ends the connection, and nothing else, where an answer is none', async () => {
    const { ask, log, notarise, service } = createEdge()
    const id = await notarise()
    service.exportDossier = () => Promise.resolve({} as Uint8Array)
    await expect(ask(`/v1/decisions/${id}/dossier`)).rejects.toThrow('fetch failed')
    expect(log.at(-1)).toContain('answer was not sent')
    expect((await ask('/healthz')).status).toBe(200)
  })

  it('hands a dossier to be verified byte for byte, also when it is none', async () => {
    const { app, service } = createEdge()
    const bytes = Uint8Array.of(0xff, 0, 0x7b)
    const response = await askApp(app, '/v1/verify', {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${fakeToken('acme')}`,
        'Content-Type': 'application/vnd.countersign.dossier+json',
      },
      body: bytes,
    })
    expect(response.status, 'bad evidence is an answer').toBe(200)
    expect(reportSchema.parse(await response.json())).toMatchObject({
      ok: false,
      verdict: 'invalid',
    })
    const [tenant, dossier] = service.asked.at(-1)?.args ?? []
    expect(tenant).toBe('acme')
    expect(new Uint8Array(dossier as Uint8Array)).toEqual(bytes)
  })

  it('gives the newest trust root, or the version asked for', async () => {
    const { ask, service } = createEdge()
    expect(await (await ask('/v1/trust-root')).text()).toBe('{"v":1}')
    expect(service.asked.at(-1)?.args).toEqual(['acme', undefined])
    expect((await ask('/v1/trust-root?version=1')).status).toBe(200)
    expect(service.asked.at(-1)?.args).toEqual(['acme', 1])
    await expectProblem(await ask('/v1/trust-root?version=2'), 404, 'INPUT_NOT_FOUND')
  })

  it.each(['version=0', 'version=1.0', 'version=01', 'version=latest', 'size=1'])(
    'knows no trust root by %s',
    async (query) => {
      const { ask } = createEdge()
      await expectProblem(await ask(`/v1/trust-root?${query}`), 422, 'INPUT_INVALID')
    },
  )
})

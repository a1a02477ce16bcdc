import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { Call } from '../../../src/api/call.ts'
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

  it('makes one dossier of a tenant at a time, and keeps no other tenant waiting', async () => {
    const { ask, notarise, service } = createEdge()
    const id = await notarise()
    const begun: string[] = []
    const first = Promise.withResolvers<Uint8Array>()
    const made = Uint8Array.of(1)
    service.exportDossier = (tenant) => {
      begun.push(tenant)
      return begun.length === 1 ? first.promise : Promise.resolve(made)
    }
    const path = `/v1/decisions/${id}/dossier`
    const own = [ask(path), ask(path)]
    await vi.waitFor(() => {
      expect(begun).toEqual(['acme'])
    })
    expect((await ask(path, { token: fakeToken('open') })).status).toBe(200)
    expect(begun).toEqual(['acme', 'open'])
    first.reject(new Error('Broken'))
    expect((await Promise.all(own)).map(({ status }) => status).sort()).toEqual([200, 500])
    expect(begun).toEqual(['acme', 'open', 'acme'])
  })

  it('reads one decision of a tenant at a time', async () => {
    const { ask, notarise, service } = createEdge()
    const path = `/v1/decisions/${await notarise()}`
    const read = service.readDecision.bind(service)
    const first = Promise.withResolvers<undefined>()
    let begun = 0
    service.readDecision = async (...given) => {
      if (++begun === 1) await first.promise
      return read(...given)
    }
    const both = [ask(path), ask(path)]
    // Whoever comes later is answered, so the second would have begun.
    expect((await ask('/v1/trust-root')).status).toBe(200)
    await vi.waitFor(() => {
      expect(begun).toBe(1)
    })
    first.resolve(undefined)
    expect((await Promise.all(both)).map(({ status }) => status)).toEqual([200, 200])
    expect(begun).toBe(2)
  })

  it('makes no dossier for those who were told that time is up', async () => {
    const { ask, notarise, service } = createEdge({ requestTimeoutMs: 100 })
    const id = await notarise()
    const begun: string[] = []
    const first = Promise.withResolvers<Uint8Array>()
    service.exportDossier = (_, stream) => {
      begun.push(stream)
      return begun.length === 1 ? first.promise : Promise.resolve(Uint8Array.of(1))
    }
    const path = `/v1/decisions/${id}/dossier`
    const late = await Promise.all([ask(path), ask(path), ask(path)])
    for (const response of late) await expectProblem(response, 503, 'LOG_BUSY')
    first.resolve(Uint8Array.of(1))
    expect((await ask(path)).status).toBe(200)
    expect(begun).toEqual([id, id])
  })

  it.each([true, false])('works for who is there alone: left is %s', (left) => {
    const socket = new Socket()
    const call = new Call(new IncomingMessage(socket), { path: '/', query: '' }, {})
    const asking = () => {
      call.expectThere()
    }
    if (left) socket.destroy()
    if (left) expect(asking).toThrow('The caller has left')
    else expect(asking).not.toThrow()
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

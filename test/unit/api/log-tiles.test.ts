import { describe, expect, it } from 'vitest'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, expectProblem } from './edge.ts'

const year = 'max-age=31536000, immutable'

describe('the log over HTTP', () => {
  it('serves a checkpoint that grows old within a second', async () => {
    const { ask } = createEdge()
    const response = await ask('/log/open/checkpoint', { token: null })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('max-age=1')
    expect(await response.text()).toBe('example.com/open\n1\nAAAA\n\n— example.com AAAA\n')
  })

  it('serves tiles that never change', async () => {
    const { ask, service } = createEdge()
    const response = await ask('/log/open/tile/0/000.p/1', { token: null })
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(response.headers.get('cache-control')).toBe(`public, ${year}`)
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array(32).fill(7))
    expect(service.asked.at(-1)?.args).toEqual(['open', '0/000.p/1'])
  })

  it.each(['entries/000', 'entries/x001/067', '1/x001/067.p/8', '0/000'])(
    'asks the service for %s, and tells what it does not have',
    async (path) => {
      const { ask, service } = createEdge()
      const response = await ask(`/log/open/tile/${path}`, { token: null })
      await expectProblem(response, 404, 'INPUT_NOT_FOUND')
      expect(service.asked.at(-1)).toMatchObject({ method: 'readTile', args: ['open', path] })
    },
  )

  it.each(['0/0', '64/000', '0/000.p/0', '0/000.p/256', '0/000.p/01', 'x/000', '0/..%2f..', '0/'])(
    'does not bother the service with %s',
    async (path) => {
      const { ask, service } = createEdge()
      const response = await ask(`/log/open/tile/${path}`, { token: null })
      await expectProblem(response, 404, 'INPUT_NOT_FOUND')
      expect(service.asked.some(({ method }) => method === 'readTile')).toBe(false)
    },
  )

  it('lets a private log be read by its own tenant only, and cached by no one else', async () => {
    const { ask } = createEdge()
    const path = '/log/acme/tile/0/000.p/1'
    const own = await ask(path)
    expect(own.status).toBe(200)
    expect(own.headers.get('cache-control')).toBe(`private, ${year}`)
    const other = await ask(path, { token: fakeToken('open') })
    await expectProblem(other, 404, 'INPUT_NOT_FOUND')
  })

  it('tells a stranger nothing of which tenants there are', async () => {
    const { ask } = createEdge()
    const headers = { 'X-Request-Id': 'same' }
    const texts = await Promise.all(
      ['acme', 'nobody', '__proto__'].map(async (tenant) => {
        const response = await ask(`/log/${tenant}/checkpoint`, { headers, token: null })
        expect(response.status).toBe(401)
        return response.text()
      }),
    )
    expect(new Set(texts).size).toBe(1)
  })

  it('tells a key of another tenant nothing either', async () => {
    const { ask } = createEdge()
    const headers = { 'X-Request-Id': 'same' }
    const asking = { headers, token: fakeToken('open') }
    const there = await ask('/log/acme/checkpoint', asking)
    const nowhere = await ask('/log/nobody/checkpoint', asking)
    expect(there.status).toBe(404)
    expect(await there.text()).toBe(await nowhere.text())
  })

  it('asks which tenants are public once in five seconds', async () => {
    const { ask, service, time } = createEdge()
    const asks = () => service.asked.filter(({ method }) => method === 'listTenants').length
    const read = () => ask('/log/open/checkpoint', { token: null })
    await Promise.all([read(), read()])
    time.now += 4999
    await read()
    expect(asks()).toBe(1)
    time.now += 1
    await read()
    expect(asks()).toBe(2)
  })

  it('does not remember that the tenants could not be asked', async () => {
    const { ask, service } = createEdge()
    const listTenants = service.listTenants.bind(service)
    service.listTenants = () => Promise.reject(new Error('lost'))
    await expectProblem(await ask('/log/open/checkpoint', { token: null }), 500, 'BUG')
    service.listTenants = listTenants
    expect((await ask('/log/open/checkpoint', { token: null })).status).toBe(200)
  })
})

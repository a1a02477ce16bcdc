import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { readPublishedHeads, readWitnessedHeads } from '../../../src/known-heads.ts'
import { findPublishedHead, readPublishedHead } from '../../../src/log/published-head.ts'
import { witnessedLogId } from '../../../src/log/witness-state.ts'
import { signCheckpoint } from '../../../src/merkle/checkpoint.ts'
import { fixedLog } from '../../support/merkle-signers.ts'

const origin = 'log.example/acme'
const note = signCheckpoint({ origin, root: new Uint8Array(32).fill(7), size: 5 }, fixedLog(1))

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A server that answers by path; what it does not know is 404. */
async function serving(
  answers: Readonly<Record<string, string | number>>,
): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer(({ url = '' }, response) => {
    asked.push(url)
    const answer = answers[url] ?? 404
    if (typeof answer === 'number') response.writeHead(answer).end('x')
    else response.end(answer)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

describe('what is published under a URL', () => {
  it('is the head of its checkpoint, whoever serves it', async () => {
    const { asked, url } = await serving({ '/log/acme/checkpoint': note })
    const head = { origin, root: new Uint8Array(32).fill(7), size: 5 }
    for (const place of [`${url}/log/acme`, `${url}/log/acme/`])
      expect(await readPublishedHead(place)).toEqual({ ...head, who: place })
    expect(asked).toEqual(['/log/acme/checkpoint', '/log/acme/checkpoint'])
    expect(await readPublishedHeads([`${url}/log/acme`], '/')).toMatchObject([{ size: 5 }])
  })

  it('is nothing where there is none, and that is told', async () => {
    const { url } = await serving({})
    expect(await findPublishedHead(url)).toBeUndefined()
    await expect(readPublishedHead(url)).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' })
    await expect(readPublishedHeads(['nowhere'], '/none')).rejects.toThrow('/none/nowhere')
  })

  it.each([
    ['is no note', 'nonsense', 'INPUT_MALFORMED'],
    ['is a note of no checkpoint', note.replace('\n5\n', '\nfive\n'), 'INPUT_MALFORMED'],
    ['is larger than a note may be', 'x'.repeat(limits.noteBytes + 1), 'STORE_FAILED'],
    ['is an error of the server', 500, 'STORE_FAILED'],
    ['may not be read', 403, 'STORE_FAILED'],
  ] as const)('is not believed when it %s', async (_, answer, code) => {
    const { url } = await serving({ '/checkpoint': answer })
    await expect(findPublishedHead(url)).rejects.toMatchObject({ code })
  })

  it('is a failure where nobody answers', async () => {
    const { url } = await serving({})
    servers.splice(0).forEach((server) => server.close())
    await expect(findPublishedHead(url)).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })
})

describe('what witnesses have cosigned', () => {
  it('is asked of each for each log, and a log that one does not know is not held against anybody', async () => {
    const path = `/${witnessedLogId(origin)}/checkpoint`
    const knowing = await serving({ [path]: note })
    const ignorant = await serving({})
    const heads = await readWitnessedHeads(
      [knowing.url, `${ignorant.url}/`],
      [origin, 'log.example/other'],
    )
    expect(heads).toMatchObject([{ origin, size: 5 }])
    expect([knowing.asked.length, ignorant.asked.length]).toEqual([2, 2])
    expect(ignorant.asked).toContain(path)
  })
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { publishLog } from '../../src/log/publish.ts'
import { PublishDirectory } from '../../src/log/publish-directory.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { isPrefix, readCheckpoint, walk, type Fetch } from '../support/c2sp-client.ts'
import { founder, foundTestService, requestOf, temporaryDirectory } from '../support/service.ts'

/** A published log of 700 entries, with a checkpoint of before. */
async function published() {
  const test = await foundTestService()
  const directory = temporaryDirectory()
  const store = await openSqliteStore({ mode: 'read', path: join(test.directory, 'data') })
  const publish = async (): Promise<string> => {
    const target = new PublishDirectory(directory)
    await publishLog({ progress: () => undefined, store, target, tenant: 'default' })
    return readFileSync(join(directory, 'checkpoint'), 'utf8')
  }
  const more = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => test.notarise(requestOf(n))))
  await more(90)
  const before = await publish()
  await more(600)
  const after = await publish()
  await test.service.orderKeys('default', { order: 'rotate', purpose: 'log' }, founder)
  const rotated = await publish()
  await store.close()
  const root = JSON.parse(
    new TextDecoder().decode(await test.service.readTrustRoot('default')),
  ) as { origins: { logKeys: { vkey: string }[] }[] }
  const vkeys = root.origins[0]?.logKeys.map(({ vkey }) => vkey) ?? []
  const fetch: Fetch = (path) => readFileSync(join(directory, path))
  return { after, before, fetch, rotated, vkeys }
}

describe('a client written from the texts of C2SP alone', () => {
  it('reads our checkpoints under both keys, walks every tile, and finds the older tree in the newer', async () => {
    const { after, before, fetch, rotated, vkeys } = await published()
    const old = vkeys.slice(0, 2)
    const [first, last] = [readCheckpoint(before, old), readCheckpoint(after, old)]
    expect(last.signedBy).toEqual(['Ed25519', 'ML-DSA-44'])
    const entries = await walk(fetch, last)
    expect(entries).toHaveLength(last.size)
    expect(last.size).toBeGreaterThan(690)
    expect(isPrefix(entries, first)).toBe(true)
    expect(isPrefix(entries, { ...first, size: first.size - 1 })).toBe(false)
    // After a rotation the log goes on under the next keys.
    const next = readCheckpoint(rotated, vkeys.slice(2))
    expect(isPrefix(await walk(fetch, next), last)).toBe(true)
    expect(() => readCheckpoint(rotated, old)).toThrow('Signed by  only')
  })

  it('refuses what is slightly wrong', async () => {
    const { after, fetch, vkeys } = await published()
    const old = vkeys.slice(0, 2)
    const last = readCheckpoint(after, old)
    for (const changed of [
      after.replace(/\n(\d+)\n/, (_, size: string) => `\n${Number(size) - 1}\n`),
      after.replace('log.example', 'lag.example'),
    ])
      expect(() => readCheckpoint(changed, old)).toThrow(/does not verify|only/)
    const bent =
      (bad: string): Fetch =>
      async (path) => {
        const bytes = Buffer.from(await fetch(path))
        if (path.startsWith(bad)) bytes[40] = (bytes[40] ?? 0) ^ 1
        return bytes
      }
    for (const bad of ['tile/0/000', 'tile/1/', 'tile/entries/001'])
      await expect(walk(bent(bad), last)).rejects.toThrow('is not made of what is below it')
  })
})

import { EventEmitter } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { formatTrustRoot, type OriginSection } from '../../../src/dossier/trust-root.ts'
import { formatLogEvidence } from '../../../src/verify/log-evidence.ts'
import { logVkeys, signCheckpoint } from '../../../src/merkle/checkpoint.ts'
import { formatVkey } from '../../../src/merkle/note.ts'
import { createWorld } from '../../support/forge-world.ts'
import { fixedLog } from '../../support/merkle-signers.ts'
import { temporaryDirectory } from '../../support/service.ts'
import { run } from './harness.ts'

const { trust } = createWorld()
const [section] = trust.origins
if (section === undefined) throw new Error('No log')
/** The log of a trust root, whose keys are taken for those of a log made here. */
const signers = fixedLog(77)
const { origin } = section

const trusted = (name = origin, change: Partial<OriginSection> = {}): OriginSection => ({
  ...section,
  asOf: { root: encodeBase64(sha256()), size: 0 },
  logKeys: logVkeys(name, signers).map((vkey) => ({
    final: null,
    from: 0,
    revokedAt: null,
    to: null,
    vkey: formatVkey(vkey),
  })),
  origin: name,
  ...change,
})
const trusting = (...origins: OriginSection[]): Uint8Array => formatTrustRoot({ ...trust, origins })
const trustFile = trusting(trusted())

const noteOf = (size: number, root: Uint8Array): string =>
  signCheckpoint({ origin, root, size }, signers)
const empty = noteOf(0, sha256())

async function served(
  answer: (headers: Record<string, unknown>, url: string) => string | number,
  known = trustFile,
) {
  const cwd = temporaryDirectory()
  writeFileSync(join(cwd, 'trust.json'), known)
  const server = createServer(({ headers, url = '' }, response) => {
    const said = answer(headers, url)
    response.statusCode = typeof said === 'number' ? said : 200
    response.end(typeof said === 'number' ? '' : said)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { argv: ['monitor', url, '--trust', 'trust.json', '--state', 'seen.db'], cwd }
}

describe('monitor', () => {
  it('prints what it has verified, and keeps it', async () => {
    const { argv, cwd } = await served(() => empty)
    expect(await run([...argv, '--once'], { cwd })).toMatchObject({
      code: 0,
      stdout: 'verified  size 0 -> 0  witnesses 0\n',
    })
    const json = await run([...argv, '--once', '--json'], { cwd })
    expect(JSON.parse(json.stdout)).toMatchObject({ file: null, outcome: 'verified', size: 0 })
    expect(existsSync(join(cwd, 'seen.db'))).toBe(true)
  })

  it('ends with evidence that its own check proves, and refuses when it was forged', async () => {
    const notes = [noteOf(0, sha256()), noteOf(0, sha256(utf8('other')))]
    const { argv, cwd } = await served(() => notes[1] ?? '')
    const caught = await run([...argv, '--evidence', 'e.json'], { cwd })
    expect(caught.code).toBe(3)
    expect(caught.stdout).toMatch(/^evidence {2}head/)
    const check = (file: string) =>
      run(['monitor', 'check', file, '--trust', 'trust.json', '--json'], { cwd })
    const judged = await check('e.json')
    expect([judged.code, JSON.parse(judged.stdout)]).toMatchObject([
      0,
      { claim: 'head', origin, verdict: 'proved' },
    ])
    const text = readFileSync(join(cwd, 'e.json'), 'utf8')
    writeFileSync(join(cwd, 'forged.json'), text.replace('"head"', '"fork"'))
    expect(await check('forged.json')).toMatchObject({ code: 3 })
    const stranger = signCheckpoint({ origin, root: sha256(), size: 9 }, fixedLog(5))
    const strange = formatLogEvidence({ claim: 'head', leaves: [], node: null, notes: [stranger] })
    writeFileSync(join(cwd, 'strange.json'), strange)
    expect(await check('strange.json')).toMatchObject({ code: 4 })
  })

  it('says with exit 4 what convinces nobody else, and with 75 that nothing can be read', async () => {
    const strange = await served(() => 'hello\n')
    expect(await run([...strange.argv, '--once'], strange)).toMatchObject({ code: 4 })
    const away = await served(() => 503)
    expect(await run([...away.argv, '--once'], away)).toMatchObject({ code: 75, stdout: '' })
    const lost = await served((_, url) => (url === '/checkpoint' ? 404 : empty))
    expect(await run([...lost.argv, '--once'], lost)).toMatchObject({ code: 75, stdout: '' })
    const withheld = await served((_, url) =>
      url === '/checkpoint' ? noteOf(5, sha256(utf8('root'))) : 404,
    )
    expect(await run([...withheld.argv, '--once'], withheld)).toMatchObject({
      code: 4,
      stdout: expect.stringContaining('withheld') as string,
    })
    const closed = await served(() => 401)
    expect(await run([...closed.argv, '--once'], closed)).toMatchObject({ code: 1 })
  })

  it('goes on until it is told to end, whatever cannot be read in between', async () => {
    let asked = 0
    const signals = new EventEmitter()
    const { argv, cwd } = await served(() => {
      asked++
      if (asked === 3) setImmediate(() => signals.emit('SIGTERM', 'SIGTERM'))
      return asked === 1 ? 503 : empty
    })
    const ran = await run([...argv, '--interval', '1'], { cwd, signals })
    expect(ran.stderr).toContain('status 503')
    expect(asked).toBe(3)
    expect([0, 143]).toContain(ran.code)
  })

  it('goes on whatever it is answered, and says so once', async () => {
    const five = noteOf(5, sha256(utf8('root')))
    const answers = [401, '\u0000', five, five, empty]
    let asked = 0
    const signals = new EventEmitter()
    const { argv, cwd } = await served(
      (_, url) => {
        if (url !== '/checkpoint') return 404
        if (asked === answers.length - 1) setTimeout(() => signals.emit('SIGTERM', 'SIGTERM'), 200)
        return answers[asked++] ?? empty
      },
      trusting(trusted(), trusted('other.example/log')),
    )
    const ran = await run([...argv, '--interval', '1'], { cwd, signals })
    expect([ran.code, asked]).toEqual([0, answers.length])
    expect(ran.stdout.match(/withheld/g)).toHaveLength(1)
    expect(ran.stdout.trimEnd().split('\n').at(-1)).toBe('verified  size 0 -> 0  witnesses 0')
  })

  it('says where the quorum is missing, with exit 4', async () => {
    const [, vkey] = logVkeys('w.example', fixedLog(90))
    const witnesses = `witness w ${formatVkey(vkey)}\nquorum w\n`
    const { argv, cwd } = await served(() => empty, trusting(trusted(origin, { witnesses })))
    expect(await run([...argv, '--once'], { cwd })).toMatchObject({
      code: 4,
      stdout: 'verified  size 0 -> 0  witnesses 0  quorum missing\n',
    })
    const signals = new EventEmitter()
    setTimeout(() => signals.emit('SIGTERM', 'SIGTERM'), 1300)
    const ran = await run([...argv, '--interval', '1'], { cwd, signals })
    expect(ran.stdout).toBe('verified  size 0 -> 0  witnesses 0  quorum missing\n')
  })

  it('sends a token of the environment, and wants what it is told to use', async () => {
    const { argv, cwd } = await served(({ authorization }) =>
      authorization === undefined ? empty : 401,
    )
    expect(await run([...argv, '--once', '--token-env', 'NONE'], { cwd })).toMatchObject({
      code: 2,
    })
    for (const missing of [
      argv.slice(0, 2),
      argv.slice(0, 4),
      ['monitor', 'ftp://x', ...argv.slice(2)],
    ])
      expect(await run([...missing, '--once'], { cwd })).toMatchObject({ code: 2, stdout: '' })
    writeFileSync(join(cwd, 'bad.json'), '{}')
    const bad = [...argv.slice(0, 2), '--trust', 'bad.json', '--state', 'seen.db', '--once']
    expect(await run(bad, { cwd })).toMatchObject({ code: 2 })
  })
})

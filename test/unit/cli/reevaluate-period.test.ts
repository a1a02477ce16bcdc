import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { formatDossier, parseDossier } from '../../../src/dossier/v1.ts'
import { entryBundle, tilePath } from '../../../src/merkle/tiles.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { StoreReader } from '../../../src/store/store.ts'
import { GroundWatch } from '../../../src/verify/ground-watch.ts'
import { reevaluatePeriod } from '../../../src/verify/reevaluate-period.ts'
import { readSelectionGround } from '../../../src/verify/selection-ground.ts'
import { exported } from '../../support/period-export.ts'
import { foundTestService, type TestService } from '../../support/service.ts'
import {
  activeIn,
  asked,
  bundle,
  decideBy,
  enact,
  named,
  slip,
} from '../../support/slipped-decisions.ts'
import { run, type Ran } from './harness.ts'

const home = mkdtempSync(join(tmpdir(), 'countersign-remade-'))
let test: TestService
let store: StoreReader
let trust: Uint8Array
/** Index of the decision that left a policy out, and hex digest of that policy. */
let unfair: number
let strict: string

// One decision by the policies that there are; then comes one more policy, and a decision that leaves it out though it had to decide.
beforeAll(async () => {
  // A checkpoint is kept once a second.
  let now = Date.UTC(2026, 0, 1)
  const clock = (): number => (now += 1100)
  test = await foundTestService({ clock, closeYourself: true, directory: join(home, 'one') })
  const { directory, service } = test
  await enact(test, bundle('open', 'allow'))
  await slip(test, decideBy(await activeIn(test), asked()))
  strict = await enact(test, bundle('strict', 'deny'))
  unfair = Number(
    (await slip(test, decideBy(named(await activeIn(test), 'open'), asked()))).split(' ')[0],
  )
  store = await openSqliteStore({ mode: 'read', path: join(directory, 'data') })
  trust = await service.readTrustRoot('default')
  const put = (name: string, bytes: Uint8Array): void => {
    writeFileSync(join(directory, name), bytes)
  }
  put('trust.json', trust)
  put('all.jsonl', (await exported(store, { statuses: null })).file)
  put('before.jsonl', (await exported(store, { statuses: null, to: { size: unfair } })).file)
  put('after.jsonl', (await exported(store, { from: { size: unfair }, statuses: null })).file)
  put('admin.json', await service.exportDossier('default', 'admin'))
  const policies = await service.exportDossier('default', 'policies')
  put('policies.json', policies)
  const dossier = parseDossier(policies)
  if (typeof dossier === 'string') throw new Error(dossier)
  // Whoever hands it out needs no key to leave off its last steps: it is valid without them.
  put('cut.json', formatDossier({ ...dossier, entries: dossier.entries.slice(0, 2) }))
  put('shorter.json', formatDossier({ ...dossier, entries: dossier.entries.slice(0, 1) }))
}, 60_000)

afterAll(async () => {
  await store.close()
  await test.service.close()
  rmSync(home, { force: true, recursive: true })
})

const reevaluate = (...args: readonly string[]): Promise<Ran> =>
  run(['reevaluate', ...args], { cwd: test.directory })
const linesOf = (file: Uint8Array): string[] =>
  fromUtf8(file)
    .split('\n')
    .filter((line) => line.startsWith('{"keyid"'))
const under = ['--trust', 'trust.json', '--admin', 'admin.json', '--policies']

describe('a period that is made again', () => {
  it('tells of the decision from which a policy was left out, and where it stands', async () => {
    const told = await reevaluate('all.jsonl', ...under, 'policies.json')
    expect(told).toMatchObject({ code: 3, stderr: '' })
    expect(told.stdout).toMatch(
      /^different {2}valid {2}all.jsonl {2}.*: 2, that do not: 0, .*: 0; /,
    )
    expect(told.stdout).toContain('all policies that had to decide: 1, did not: 1, not known: 0\n')
    expect(told.stdout).toMatch(
      new RegExp(`\\n {2}line 3 {2}wrong .* leaves out .*: strict 1 sha256:${strict}\\n$`),
    )
    const { stdout } = await reevaluate('all.jsonl', ...under, 'policies.json', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      choice: { complete: 1, unknown: 0, wrong: 1 },
      findings: [{ about: 'choice', line: 3, outcome: 'wrong' }],
      follows: { different: 0, same: 2, unknown: 0 },
      ground: { outcome: 'whole' },
      verdict: 'valid',
      whole: true,
    })
  })

  it('is the same where nothing was left out', async () => {
    const told = await reevaluate('before.jsonl', ...under, 'policies.json')
    expect(told).toMatchObject({ code: 0, stderr: '' })
    expect(told.stdout).toMatch(/^same .*: 1, did not: 0, not known: 0\n$/)
  })

  it('shows that the dossier of the policies lacks a step, which the dossier alone does not', async () => {
    expect(
      await run(['verify', 'cut.json', '--trust', 'trust.json'], { cwd: test.directory }),
    ).toMatchObject({ code: 0 })
    const told = await reevaluate('all.jsonl', ...under, 'cut.json', '--json')
    expect(told).toMatchObject({ code: 3 })
    // By what was given the unfair decision would be praised.
    expect(JSON.parse(told.stdout)).toMatchObject({
      choice: null,
      findings: [],
      follows: { same: 2 },
      ground: {
        outcome: 'wrong',
        reason: expect.stringMatching(
          /^Dossier of the stream policies lacks an entry of the log/,
        ) as string,
      },
    })
  })

  it('blames no decision by a dossier of the policies that lacks a step', async () => {
    const told = await reevaluate('before.jsonl', ...under, 'shorter.json')
    expect(told).toMatchObject({ code: 3 })
    expect(told.stdout).toMatch(
      /^same .*; which policies had to decide cannot be said: .* lacks an entry/,
    )
    expect(told.stdout).not.toContain('line')
  })

  it('says that nothing is shown of the policies where none of their steps stands in it', async () => {
    for (const policies of ['policies.json', 'cut.json']) {
      const told = await reevaluate('after.jsonl', ...under, policies)
      expect(told).toMatchObject({ code: 4 })
      expect(told.stdout).toContain(`none is missing before index ${unfair} is not shown`)
    }
  })

  it('is told by the leaves of the whole log where none of their steps stands in it', async () => {
    const leaves = linesOf((await exported(store, { statuses: null })).file).map(utf8)
    const tree = join(test.directory, 'tree', 'tile')
    const path = join(tree, tilePath('entries', 0, leaves.length))
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, entryBundle(leaves))
    const told = await reevaluate('after.jsonl', ...under, 'policies.json', '--entries', 'tree')
    expect(told).toMatchObject({ code: 3 })
    expect(told.stdout).toContain('had to decide: 0, did not: 1, not known: 0\n')
    // Of a single dossier nothing is left to ask either.
    const one = await reevaluate('admin.json', ...under, 'policies.json', '--entries', 'tree')
    expect(one).toMatchObject({ code: 4, stderr: '' })
    const cut = await reevaluate('after.jsonl', ...under, 'cut.json', '--entries', 'tree')
    expect(cut).toMatchObject({ code: 2, stdout: '' })
    expect(cut.stderr).toContain('Dossier is invalid under the trust root: cut.json')
    const nowhere = await reevaluate('after.jsonl', ...under, 'policies.json', '--entries', '.')
    expect(nowhere).toMatchObject({ code: 2, stdout: '' })
    const bare = await reevaluate('after.jsonl', '--trust', 'trust.json', '--entries', 'tree')
    expect(bare.stderr).toContain('takes --policies')
  })

  it('needs a trust root, and says what was not asked', async () => {
    const bare = await reevaluate('all.jsonl')
    expect(bare).toMatchObject({ code: 2, stdout: '' })
    expect(bare.stderr).toContain('--trust')
    const some = await reevaluate('before.jsonl', '--trust', 'trust.json')
    expect(some).toMatchObject({ code: 0 })
    expect(some.stderr).toContain('--policies tells')
    expect(some.stdout).not.toContain('had to decide')
  })

  it('is bad where the file is, whatever follows from what', async () => {
    const file = (await exported(store, { statuses: null })).file
    const lines = fromUtf8(file).split('\n')
    writeFileSync(join(test.directory, 'short.jsonl'), lines.toSpliced(-3, 1).join('\n'))
    const told = await reevaluate('short.jsonl', ...under, 'policies.json')
    expect(told).toMatchObject({ code: 3 })
    expect(told.stdout).toMatch(/^same {2}invalid .*The period does not show what the log holds/)
  })
})

it('is held against the leaves: a step that the log does not have is none', async () => {
  const { service } = test
  const other = await foundTestService()
  await enact(other, bundle('open', 'allow'))
  const ground = readSelectionGround(
    await other.service.exportDossier('default', 'policies'),
    undefined,
  )
  if (typeof ground === 'string') throw new Error(ground)
  const file = (await exported(store, { statuses: null })).file
  const { ground: told } = await reevaluatePeriod([file], trust, { ground })
  expect(told).toMatchObject({ outcome: 'wrong' })
  const own = readSelectionGround(await service.exportDossier('default', 'policies'), undefined)
  if (typeof own === 'string') throw new Error(own)
  expect(await reevaluatePeriod([file], trust, { ground: own })).toMatchObject({
    ground: { outcome: 'whole' },
  })
  expect(await reevaluatePeriod([utf8('x')], trust, { ground: own })).toMatchObject({
    choice: null,
    ground: { outcome: 'open' },
  })
  expect(new GroundWatch(own).judge(0, Infinity)).toEqual({
    outcome: 'wrong',
    reason: 'Dossier of the stream policies holds entries that the period does not have',
  })
})

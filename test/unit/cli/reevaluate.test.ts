import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Principal } from '../../../src/decisions/service.ts'
import { formatDossier, parseDossier, type Dossier } from '../../../src/dossier/v1.ts'
import { judgeDossierSelection, readSelectionGround } from '../../../src/verify/selection-ground.ts'
import { foundTestService, type TestService } from '../../support/service.ts'
import {
  activeIn,
  asked,
  bundle,
  callerOf,
  decideBy,
  enact,
  named,
  slip,
} from '../../support/slipped-decisions.ts'
import { run } from './harness.ts'

/** Runs `reevaluate` in a directory with the dossiers of a service's streams. */
async function reevaluateIn(
  { directory, service }: TestService,
  streams: Readonly<Record<string, string>>,
  ...args: readonly string[]
) {
  for (const [file, stream] of Object.entries(streams))
    writeFileSync(join(directory, file), await service.exportDossier('default', stream))
  writeFileSync(join(directory, 'trust.json'), await service.readTrustRoot('default'))
  return run(['reevaluate', ...args], { cwd: directory })
}

const streams = { 'admin.json': 'admin', 'policies.json': 'policies' }
const all = ['--policies', 'policies.json', '--admin', 'admin.json', '--trust', 'trust.json']

const notAsked =
  'Whether the dossiers of the policies and API keys lack a later step was not asked: --entries tells, or a period in place of the files\n'

/** A log where all is allowed and, where a key or request names it, nothing; gives ids of decisions. */
async function inLog(principal?: (test: TestService) => Promise<Principal>) {
  const test = await foundTestService()
  await enact(test, bundle('open', 'allow'))
  const strict = await enact(test, bundle('strict', 'deny', { scope: { select: 'referenced' } }))
  const active = await activeIn(test)
  const as = await principal?.(test)
  const idOf = async (place: Promise<string>): Promise<string> => (await place).split(' ')[1] ?? ''
  const naming = asked({ policyRefs: ['strict'] })
  return {
    fair: await idOf(slip(test, decideBy(active, asked()), as)),
    strict,
    test,
    // It would be different by what it cites too, were the reference still there to see.
    unfair: await idOf(
      slip(test, { ...decideBy(named(active, 'open'), asked()), intent: naming.intent }, as),
    ),
  }
}

it('says where a policy was left out, by the dossiers of policies and API keys', async () => {
  const bonds = { environment: null, policies: ['strict'] }
  const { fair, strict, test, unfair } = await inLog((at) => callerOf(at, bonds))
  const files = { 'fair.json': fair, 'unfair.json': unfair }
  const bare = await reevaluateIn(test, files, 'fair.json', '--json')
  // It says that its key is bound to nothing, and follows from that.
  expect(JSON.parse(bare.stdout)).toMatchObject({ outcome: 'same', selection: null })
  expect(bare).toMatchObject({ code: 0 })
  expect(bare.stderr).toContain('--policies tells')
  const believed = await reevaluateIn(test, streams, 'fair.json', '--policies', 'policies.json')
  expect(believed.stdout).toMatch(/^same .* ALLOW follows .*, and none was left out\n$/)
  expect(believed).toMatchObject({ code: 0 })
  expect(believed.stderr).toContain('--admin tells')
  const told = await reevaluateIn(test, streams, 'fair.json', 'unfair.json', ...all, '--json')
  const missing = `leaves out a policy that had to decide: strict 1 sha256:${strict}`
  expect(told).toMatchObject({ code: 3, stderr: notAsked })
  for (const line of told.stdout.trimEnd().split('\n')) {
    const { outcome, selection, verdict } = JSON.parse(line) as Record<string, unknown>
    expect({ outcome, verdict }).toEqual({ outcome: 'different', verdict: 'valid' })
    expect(selection).toMatchObject({ outcome: 'wrong' })
    expect((selection as { reason: string }).reason).toContain(missing)
  }
})

it('says that nothing was left out where nothing was', async () => {
  const { fair, test, unfair } = await inLog()
  const files = { ...streams, 'fair.json': fair, 'unfair.json': unfair }
  const told = await reevaluateIn(test, files, 'fair.json', ...all)
  expect(told).toMatchObject({ code: 0, stderr: notAsked })
  expect(told.stdout).toMatch(/^same +valid .* none was left out\n$/)
  expect(await reevaluateIn(test, {}, 'unfair.json', ...all)).toMatchObject({ code: 3 })
})

it('cannot say it by dossiers that are older than the decision, of another log, or of no decision', async () => {
  const { fair, test } = await inLog()
  const elsewhere = await inLog()
  await reevaluateIn(test, { ...streams, 'fair.json': fair })
  const { id } = await test.notarise(JSON.stringify(asked()))
  const older = await reevaluateIn(test, { 'later.json': id }, 'later.json', ...all)
  expect(older).toMatchObject({ code: 4 })
  expect(older.stdout).toContain('Dossier of the policies is older than the decision')
  const policies = { 'policies.json': 'policies' }
  const keys = await reevaluateIn(test, policies, 'later.json', ...all)
  expect(keys.stdout).toContain('Dossier of the API keys is older than the decision')
  expect(await reevaluateIn(test, streams, 'later.json', ...all)).toMatchObject({ code: 0 })
  const { fair: theirs } = elsewhere
  await reevaluateIn(elsewhere.test, { 'theirs.json': theirs })
  const file = await elsewhere.test.service.exportDossier('default', theirs)
  const own = await test.service.exportDossier('default', 'policies')
  const ground = readSelectionGround(own, undefined)
  if (typeof ground === 'string') throw new Error(ground)
  const judged = (bytes: Uint8Array) => judgeDossierSelection(bytes, ground).reason
  expect(judged(file)).toBe('Dossier of the policies is of another log')
  expect(judged(own)).toBe('Dossier is not of a decision')
  expect(judged(new Uint8Array(3))).toBe('Text is not JSON')
  const submitted = JSON.stringify({ ...asked(), status: 'ALLOW' })
  const said = (await test.notarise(submitted)).id
  const latest = readSelectionGround(
    await test.service.exportDossier('default', 'policies'),
    undefined,
  )
  if (typeof latest === 'string') throw new Error(latest)
  const taken = await test.service.exportDossier('default', said)
  expect(judgeDossierSelection(taken, latest).reason).toBe('Decision was not made by policies')
  await test.service.erase(test.principal, id, 'asked')
  const erased = await test.service.exportDossier('default', id)
  expect(judgeDossierSelection(erased, latest).reason).toMatch(/was erased$/)
})

it('refuses what does not tell which policies were active', async () => {
  const { fair, test } = await inLog()
  const other = await inLog()
  await enact(test, bundle('third', 'allow'))
  const dossierOf = (stream: string, from = test) => from.service.exportDossier('default', stream)
  const policies = await dossierOf('policies')
  const admin = await dossierOf('admin')
  const changed = (change: (dossier: Dossier) => Partial<Dossier>): Uint8Array => {
    const dossier = parseDossier(policies)
    if (typeof dossier === 'string') throw new Error(dossier)
    return formatDossier({ ...dossier, ...change(dossier) })
  }
  const first = 'Dossier is not of the stream policies from its first entry on'
  expect(readSelectionGround(policies, admin)).not.toBeTypeOf('string')
  expect(readSelectionGround(await dossierOf(fair), admin)).toBe(first)
  expect(readSelectionGround(policies, policies)).toMatch(/not of the stream admin/)
  expect(readSelectionGround(policies, await dossierOf('admin', other.test))).toBe(
    'Dossiers are of different logs',
  )
  const cut = changed(({ entries }) => ({ entries: entries.slice(1) }))
  expect(readSelectionGround(cut, admin)).toBe(first)
  const turned = changed(({ entries }) => ({ entries: entries.toReversed() }))
  expect(readSelectionGround(turned, admin)).toBe(first)
  const gone = changed(({ entries }) => ({
    entries: entries.map((entry, i) => (i === 1 ? { ...entry, payload: null } : entry)),
  }))
  expect(readSelectionGround(gone, admin)).toMatch(/was erased$/)
  // How far it reaches is not known then, and so not whether the decision is older.
  const endless = changed(({ checkpoint }) => ({
    checkpoint: checkpoint.replace(/\n\d+\n/, '\n\n'),
  }))
  expect(readSelectionGround(endless, admin)).toBe('Tree size is not a number up to 2^53-1')
  writeFileSync(join(test.directory, 'cut.json'), cut)
  const asking = ['fair.json', '--policies', 'cut.json']
  const files = { 'fair.json': fair }
  const bare = await reevaluateIn(test, files, ...asking)
  expect(bare).toMatchObject({ code: 2, stdout: '' })
  expect(bare.stderr).toContain(`cannot be told from what was given: ${first}`)
  const trusted = await reevaluateIn(test, files, ...asking, '--trust', 'trust.json')
  expect(trusted.stderr).toContain('Dossier is invalid under the trust root: cut.json')
  expect(trusted.code).toBe(2)
  const alone = await reevaluateIn(test, files, 'fair.json', '--admin', 'admin.json')
  expect(alone).toMatchObject({ code: 2, stdout: '' })
})

it('says why a dossier is not valid, and refuses what is no trust root', async () => {
  const { fair, test } = await inLog()
  const other = await inLog()
  const theirs = await other.test.service.readTrustRoot('default')
  writeFileSync(join(test.directory, 'theirs.json'), theirs)
  writeFileSync(join(test.directory, 'none.json'), '{}')
  const foreign = await reevaluateIn(
    test,
    { 'fair.json': fair },
    'fair.json',
    '--trust',
    'theirs.json',
  )
  expect(foreign.code).toBe(4)
  expect(foreign.stdout).toMatch(/^same {2}(\w+) {2}fair\.json {2}.*; \1: \S.*\n$/)
  const none = await reevaluateIn(test, { 'fair.json': fair }, 'fair.json', '--trust', 'none.json')
  expect(none).toMatchObject({ code: 2, stdout: '' })
  expect(none.stderr).toContain(': none.json')
})

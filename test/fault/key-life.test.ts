import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { encodeBase64, encodeBase64Url } from '../../src/base/base64.ts'
import { encodeHex, utf8 } from '../../src/base/bytes.ts'
import { randomBytes, sha256 } from '../../src/crypto/hash.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { parseTrustRoot } from '../../src/dossier/trust-root.ts'
import { createEnvironmentKek } from '../../src/kek/environment.ts'
import { makeKey } from '../../src/keyring/new-key.ts'
import { parseSlot } from '../../src/keyring/slot.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { updateTrustRoot, verifyDossier } from '../../src/verify/index.ts'
import type { KeyOrder } from '../../src/wire/keys.ts'
import { disguise } from '../support/disguised-kek.ts'
import type { LifeTask } from '../support/life-process.ts'
import {
  founder,
  foundTestService,
  openTestService,
  requestOf,
  type TestService,
} from '../support/service.ts'

// Every commit of every order is met twice: the process is killed before it, and behind it, when it is durable and not pinned. How many commits an
// order has is a test of its own, so that a sweep that missed some would be seen. FAULTS=all (npm run test:fault) meets all; else every third is.
const stride = process.env['FAULTS'] === 'all' ? 1 : 3
const tenant = 'default'
const program = resolve(import.meta.dirname, '../support/life-process.ts')
const kek = encodeBase64Url(randomBytes(32))
const otherKek = encodeBase64Url(randomBytes(32))
const home = mkdtempSync(join(tmpdir(), 'countersign-life-'))
const founded = join(home, 'founded')

let decision = ''
let offer: { body: Uint8Array; sha256: string }
let ids: Readonly<Record<string, string>> = {}

const idsOf = async ({ service }: TestService): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(
    (await service.keyStatus(tenant)).keys.map(({ keyId, purpose, version }) => [
      `${purpose} ${version}`,
      keyId,
    ]),
  )

beforeAll(async () => {
  const test = await foundTestService({
    closeYourself: true,
    directory: founded,
    kek,
    profile: 'checkpoint',
  })
  await test.service.orderKeys(tenant, { order: 'rotate', purpose: 'evidence' }, founder)
  decision = (await test.notarise(requestOf(1))).id
  ids = await idsOf(test)
  await test.service.close()
  const store = await openSqliteStore({ mode: 'read', path: join(founded, 'data') })
  const [slot] = (await store.readKeys(tenant))?.slots ?? []
  await store.close()
  if (slot === undefined) throw new Error('No slot')
  const { body } = makeKey(parseSlot(slot.body).header, 'fast', 2, Date.now())
  offer = { body, sha256: encodeHex(sha256(body)) }
})

afterAll(() => {
  rmSync(home, { force: true, recursive: true })
})

/** Runs an order in a process that dies at a commit; gives the directory it died on, and what it printed. */
function runTo(order: KeyOrder, when: LifeTask['when'], commit: number) {
  const directory = mkdtempSync(join(home, 'run-'))
  onTestFinished(() => {
    rmSync(directory, { force: true, recursive: true })
  })
  cpSync(founded, directory, { recursive: true })
  const task: LifeTask = {
    commit,
    directory,
    kek,
    offer: encodeBase64(offer.body),
    order,
    otherKek,
    when,
  }
  const { signal, stderr, stdout } = spawnSync(process.execPath, [program, JSON.stringify(task)], {
    encoding: 'utf8',
  })
  return { directory, signal, stderr, stdout }
}

/** Opens what a killed process left. */
const reopen = (directory: string): Promise<TestService> => {
  const other = disguise(createEnvironmentKek(new Secret(utf8(otherKek))), 'hsm')
  const environment = createEnvironmentKek(new Secret(utf8(kek)))
  return openTestService({
    directory,
    kek,
    offers: new Map([[`${tenant} ${offer.sha256}`, offer.body]]),
    others: [other],
    providers: [environment, other],
  })
}

async function verdictOf({ service }: TestService, stream: string): Promise<string> {
  const trust = await service.readTrustRoot(tenant)
  return verifyDossier(await service.exportDossier(tenant, stream), trust).verdict
}

/** Whether a verifier elsewhere could take every trust root from the first on; a revoked log key wants its fingerprint told. */
async function expectChain({ service }: TestService): Promise<void> {
  const newest = parseTrustRoot(await service.readTrustRoot(tenant))
  if (typeof newest === 'string') throw new Error(newest)
  for (let version = 2; version <= newest.version; version++) {
    const older = await service.readTrustRoot(tenant, version - 1)
    const newer = await service.readTrustRoot(tenant, version)
    const proof = await service.exportTrustProof(tenant, version)
    const digest = encodeHex(sha256(newer))
    expect(updateTrustRoot(older, newer, [proof], { sha256: digest })).toMatchObject({ ok: true })
  }
}

/** What must hold of an installation at rest, whatever happened to it. */
async function expectSound(test: TestService): Promise<void> {
  const { id } = await test.notarise(requestOf(2))
  for (const stream of [decision, id, 'keys', 'trust', 'admin'])
    expect([stream, await verdictOf(test, stream)]).toEqual([stream, 'valid'])
  await expectChain(test)
  const { keys } = await test.service.keyStatus(tenant)
  for (const purpose of ['evidence', 'fast', 'log'])
    expect(
      keys.filter((key) => key.purpose === purpose && key.state === 'active'),
      purpose,
    ).toHaveLength(1)
  // Nothing is left half told: opening it again finds nothing to write.
  const { size } = (await test.service.listTenants())[0] ?? { size: 0 }
  const again = await test.reopen()
  expect((await again.service.listTenants())[0]?.size).toBe(size)
  await again.service.close()
}

interface Sweep {
  readonly name: string
  readonly commits: number
  readonly order: () => KeyOrder
}

const id = (key: string): string => ids[key] ?? ''

const sweeps: readonly Sweep[] = [
  { name: 'rotate evidence', commits: 4, order: () => ({ order: 'rotate', purpose: 'evidence' }) },
  { name: 'rotate fast', commits: 4, order: () => ({ order: 'rotate', purpose: 'fast' }) },
  { name: 'rotate log', commits: 6, order: () => ({ order: 'rotate', purpose: 'log' }) },
  { name: 'rotate bundle', commits: 3, order: () => ({ order: 'rotate', purpose: 'bundle' }) },
  { name: 'rotate-master', commits: 2, order: () => ({ order: 'rotate-master' }) },
  { name: 'rewrap', commits: 1, order: () => ({ order: 'rewrap' }) },
  { name: 'migrate', commits: 3, order: () => ({ order: 'migrate', to: 'hsm' }) },
  {
    name: 'revoke of the active log key',
    commits: 8,
    order: () => ({ order: 'revoke', keyId: id('log 1') }),
  },
  {
    name: 'revoke of a retired key',
    commits: 2,
    order: () => ({ from: 1, order: 'revoke', keyId: id('evidence 1') }),
  },
  { name: 'destroy', commits: 1, order: () => ({ order: 'destroy', keyId: id('evidence 1') }) },
  { name: 'admit', commits: 1, order: () => ({ fingerprint: offer.sha256, order: 'admit' }) },
]

describe.each(sweeps)('killed in $name', ({ commits, order, name }) => {
  const offset = sweeps.findIndex((sweep) => sweep.name === name)

  it(`has ${commits} commits`, () => {
    expect(runTo(order(), 'before', 0)).toMatchObject({ stdout: `done ${commits}\n`, stderr: '' })
  })

  const cuts = Array.from({ length: commits }, (_, i) => i + 1).flatMap((commit) => [
    { commit, when: 'before' as const },
    { commit, when: 'behind' as const },
  ])
  const met = cuts.filter((_, i) => (i + offset) % stride === stride - 1)
  it.each(met)('$when commit $commit: goes on and is sound', async ({ commit, when }) => {
    const { directory, signal, stderr } = runTo(order(), when, commit)
    expect([signal, stderr]).toEqual(['SIGKILL', ''])
    const test = await reopen(directory)
    const again = await test.service.orderKeys(tenant, order(), founder).then(
      () => 'done',
      (error: unknown) => String(error),
    )
    // Where all of it was durable, once more is either nothing to do or said to be done.
    expect(again).toMatch(/^done$|is revoked already|was taken in already/)
    if (name === 'revoke of a retired key') {
      // The steps that the revoked key announced from index 1 on have lost their worth, as they should.
      expect(await verdictOf(test, 'keys')).toBe('invalid')
      return
    }
    await expectSound(test)
  })
})

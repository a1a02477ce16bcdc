import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { asFailure } from '../../src/base/failure.ts'
import type { HeadStatement } from '../../src/cli/composition.ts'
import { matters } from '../../src/dossier/matters.ts'
import { parseStatement } from '../../src/dossier/statement.ts'
import { openPins, openLocalService, openServiceStating } from '../../src/open-service.ts'
import { repin } from '../../src/repin.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { claimedCheckpoint } from '../../src/verify/verify-checkpoint.ts'
import { S3Double } from '../support/s3-double.ts'
import { founder } from '../support/service.ts'
import { startWitness } from '../support/witness-edge.ts'
import {
  foundInstallation,
  grow,
  growIn,
  quiet,
  type Installation,
} from '../support/installation.ts'

const stating = (text: string | Uint8Array, name = 'checkpoint'): HeadStatement => ({
  bytes: typeof text === 'string' ? utf8(text) : text,
  name,
})

const pinOf = ({ instance, settings }: Installation, tenant = 'default'): string =>
  join(settings.keys, instance, `${tenant}.pin`)

const losePin = (installation: Installation): void => {
  rmSync(pinOf(installation))
}

/** An installation whose pin is lost, and the checkpoint that its last caller was given. */
async function withoutPin(): Promise<{ lost: Installation; note: string; size: number }> {
  const lost = await foundInstallation()
  const last = (await grow(lost, 5)).at(-1)
  losePin(lost)
  return { lost, note: last?.checkpoint ?? '', size: 11 }
}

const refusalOf = async (installation: Installation, ...statements: readonly HeadStatement[]) =>
  asFailure(
    await repin(installation.settings, quiet, statements).then(
      () => new Error('Not refused'),
      (error: unknown) => error,
    ),
  )

describe('a log whose pin is lost', () => {
  it('is refused, and the refusal names the way out', async () => {
    const { lost } = await withoutPin()
    await expect(grow(lost, 1)).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
    await expect(grow(lost, 1)).rejects.toThrow('countersign log repin')
  })

  it('goes on from the newest checkpoint that is known elsewhere, and its log tells so', async () => {
    const { lost, note, size } = await withoutPin()
    const [done] = await repin(lost.settings, quiet, [stating(note)])
    expect(done).toEqual({
      index: size,
      origin: lost.origin,
      size: size + 1,
      stated: size,
      tenant: 'default',
    })
    const store = await openSqliteStore({ mode: 'read', path: lost.settings.data })
    const entry = await store.readEntry('default', size)
    await store.close()
    const statement = parseStatement(entry?.payload ?? new Uint8Array())
    const matter =
      typeof statement === 'string' ? undefined : matters.admin.parse(statement.predicate.matter)
    expect(matter).toMatchObject({ action: 'log.repin', detail: { size }, subject: 'default' })
    const [next] = await grow(lost, 1)
    expect(next?.index).toBe(size + 1)
  })

  it('goes on from an older checkpoint too, or from a dossier', async () => {
    const { lost } = await withoutPin()
    const store = await openSqliteStore({ mode: 'read', path: lost.settings.data })
    const older = (await store.readKeptCheckpoint('default', 6))?.note ?? ''
    await store.close()
    expect(older).not.toBe('')
    expect((await repin(lost.settings, quiet, [stating(older)]))[0]?.stated).toBe(6)
    const service = await openLocalService(lost.settings, quiet)
    const dossier = await service.exportDossier('default', 'keys')
    await service.close()
    losePin(lost)
    expect(await repin(lost.settings, quiet, [stating(older), stating(dossier)])).toMatchObject([
      { stated: 12 },
    ])
  })

  it('is pinned in another place by the pin from the one before, and by no older pin than the database can follow', async () => {
    const moved = await foundInstallation()
    const older = readFileSync(pinOf(moved))
    await grow(moved, 2)
    const pin = readFileSync(pinOf(moved))
    const elsewhere = { ...moved.settings, pin: join(moved.home, 'pins') }
    await expect(grow({ settings: elsewhere }, 1)).rejects.toThrow('is missing')
    expect(await repin(elsewhere, quiet, [stating(older), stating(pin)])).toMatchObject([
      { size: 9, stated: 8 },
    ])
    expect((await grow({ settings: elsewhere }, 1))[0]?.index).toBe(9)
    const torn = Buffer.from(pin)
    torn.fill(0x5a, 0, 200)
    torn.fill(0x5a, 4096, 4296)
    expect((await refusalOf(moved, stating(torn))).code).toBe('INPUT_MALFORMED')
  })

  it('is not pinned by the pin of a database that is ahead of this one', async () => {
    const { home, instance, origin, settings } = await foundInstallation()
    cpSync(settings.data, join(home, 'old'), { recursive: true })
    await grow({ settings }, 1)
    const pin = readFileSync(join(settings.keys, instance, 'default.pin'))
    const old = { ...settings, data: join(home, 'old'), pin: join(home, 'pins') }
    const refused = await refusalOf({ home, instance, origin, settings: old }, stating(pin))
    expect(refused).toMatchObject({
      code: 'LOG_ROLLBACK',
      message: expect.stringContaining('has 6 entries and not 7') as string,
    })
  })

  it('is pinned together with others that lost theirs, each by its own checkpoint', async () => {
    const lost = await foundInstallation()
    const service = await openLocalService(lost.settings, quiet)
    await service.createTenant('second', { profile: 'checkpoint', public: false }, founder)
    const notes = await Promise.all(['default', 'second'].map((t) => service.readCheckpoint(t)))
    await service.close()
    losePin(lost)
    rmSync(pinOf(lost, 'second'))
    const [first = '', second = ''] = notes
    expect((await refusalOf(lost, stating(first))).message).toContain('second')
    const done = await repin(lost.settings, quiet, [stating(first), stating(second)])
    expect(done.map(({ tenant }) => tenant)).toEqual(['default', 'second'])
  })

  it('is not pinned where the database does not hold the checkpoint', async () => {
    const { lost } = await withoutPin()
    const { home, settings } = lost
    // Yesterday's database under a checkpoint of today, and a copy that has grown differently.
    cpSync(settings.data, join(home, 'yesterday'), { recursive: true })
    const fork = { ...lost, settings: { ...settings, keys: join(home, 'other') } }
    const store = await openSqliteStore({ mode: 'read', path: settings.data })
    const note = (await store.readLastCheckpoint('default'))?.note ?? ''
    await store.close()
    await repin(settings, quiet, [stating(note)])
    const today = (await grow(lost, 3)).at(-1)?.checkpoint ?? ''
    renameSync(settings.data, join(home, 'today'))
    renameSync(join(home, 'yesterday'), settings.data)
    expect(await refusalOf(fork, stating(today))).toMatchObject({
      code: 'LOG_ROLLBACK',
      message: expect.stringContaining('has 11 entries and not 15') as string,
    })
    await repin(fork.settings, quiet, [stating(note)])
    await grow(fork, 3)
    rmSync(join(home, 'other'), { recursive: true })
    expect(await refusalOf(fork, stating(today))).toMatchObject({
      code: 'LOG_ROLLBACK',
      message: expect.stringContaining('another root at size 15') as string,
    })
  })

  it('is not pinned by what its own keys have not signed, both of them', async () => {
    const { lost, note } = await withoutPin()
    const lines = note.split('\n')
    const [ed25519 = '', mlDsa = ''] = lines.slice(4)
    for (const kept of [[], [ed25519], [mlDsa]]) {
      const text = [...lines.slice(0, 4), ...kept, ''].join('\n')
      const { code } = await refusalOf(lost, stating(text))
      expect(code).toBe(kept.length === 0 ? 'INPUT_MALFORMED' : 'INPUT_INVALID')
    }
    const wrong = note.replace(
      /\n— [^\n]{60}./,
      (line) => line.slice(0, -1) + (line.endsWith('A') ? 'B' : 'A'),
    )
    expect((await refusalOf(lost, stating(wrong))).code).toBe('INPUT_INVALID')
    for (const nonsense of ['', 'x', Uint8Array.of(0xff), '{}'])
      expect((await refusalOf(lost, stating(nonsense))).code).toBe('INPUT_MALFORMED')
  })

  it('is not pinned by the checkpoint of another log', async () => {
    const { lost } = await withoutPin()
    const other = await foundInstallation('checkpoint', true)
    const [answer] = await grow(other, 1)
    const note = (answer?.checkpoint ?? '').replace(other.origin, 'elsewhere.example/default')
    expect((await refusalOf(lost, stating(note))).code).toBe('INPUT_NOT_FOUND')
    // Both are called the same and are not.
    expect((await refusalOf(lost, stating(answer?.checkpoint ?? ''))).code).toBe('LOG_ROLLBACK')
  })

  it('is left alone while its pin is there, even a damaged one', async () => {
    const lost = await foundInstallation()
    const [answer] = await grow(lost, 1)
    const note = answer?.checkpoint ?? ''
    expect((await refusalOf(lost, stating(note))).code).toBe('INPUT_EXISTS')
    const pin = readFileSync(pinOf(lost))
    writeFileSync(pinOf(lost), 'nothing of a pin')
    expect(await refusalOf(lost, stating(note))).toMatchObject({
      code: 'LOG_ROLLBACK',
      message: expect.stringContaining('restore it') as string,
    })
    writeFileSync(pinOf(lost), pin)
    await grow(lost, 1)
  })

  it('is not pinned while a server has it open', async () => {
    const { lost, note } = await withoutPin()
    await repin(lost.settings, quiet, [stating(note)])
    const service = await openLocalService(lost.settings, quiet)
    rmSync(pinOf(lost))
    expect((await refusalOf(lost, stating(note))).code).toBe('STORE_LOCKED')
    await service.close()
  })
})

describe('a backup from before what a witness has cosigned', () => {
  it.each(['a directory', 'S3'])(
    'is not repinned in %s: the refusal leaves no pin by which it could go on when the witness is away',
    async (where) => {
      const s3 = await S3Double.start('pins')
      onTestFinished(() => s3.stop())
      for (const [name, value] of Object.entries(s3.environment)) vi.stubEnv(name, value)
      onTestFinished(() => {
        vi.unstubAllEnvs()
      })
      const founded = await foundInstallation()
      const { home, settings } = founded
      const witness = await startWitness('w.example')
      const witnessPolicy = `${witness.line}quorum w.example\n`
      const first = await openLocalService({ ...settings, witnessPolicy }, quiet)
      witness.learn(await first.readTrustRoot('default'))
      await first.close()
      const own = (await grow(founded, 1))[0]?.checkpoint ?? ''
      cpSync(settings.data, join(home, 'backup'), { recursive: true })
      await grow(founded, 3)
      const restored = {
        ...settings,
        data: join(home, 'backup'),
        keys: join(home, 'empty'),
        ...(where === 'S3' ? { pin: 's3://pins/site' } : {}),
      }
      const lost = { ...founded, settings: restored }
      const refused = await refusalOf(lost, stating(own))
      expect(refused.message).toContain('has seen another history')
      const place = openPins(restored, founded.instance)
      expect(await place.list()).toEqual([])
      await place.close()
      expect(existsSync(pinOf(lost))).toBe(false)
      expect([...s3.objects('pins').keys()].filter((key) => key.endsWith('.pin'))).toEqual([])
      witness.up = false
      await expect(grow(lost, 1)).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
    },
  )
})

describe('pinning again', () => {
  it('that is cut off before its last step has made no pin, and is done by being asked again', async () => {
    const { lost, note, size } = await withoutPin()
    const store = await openSqliteStore({ mode: 'read', path: lost.settings.data })
    const root = (await store.readTenant('default'))?.head.root ?? new Uint8Array()
    await store.close()
    const pin = { epoch: 0, origin: lost.origin, root, size }
    const { confirm, service } = await openServiceStating(
      lost.settings,
      new Map([['default', pin]]),
      quiet,
    )
    await growIn(service, 2)
    expect(existsSync(pinOf(lost))).toBe(false)
    await service.close()
    expect(existsSync(pinOf(lost))).toBe(false)
    await expect(confirm('other')).resolves.toBeUndefined()
    expect(await repin(lost.settings, quiet, [stating(note)])).toMatchObject([{ size: size + 3 }])
    await grow(lost, 1)
  })

  it('does not take the place of a pin that somebody else has made meanwhile', async () => {
    const { lost, note } = await withoutPin()
    const head = claimedCheckpoint(note)
    if (typeof head === 'string') throw new Error(head)
    const { confirm, service } = await openServiceStating(
      lost.settings,
      new Map([['default', { ...head, epoch: 0 }]]),
      quiet,
    )
    await service.readTrustRoot('default')
    const place = openPins(lost.settings, lost.instance)
    const other = place.open('default')
    await other.write({ ...head, epoch: 7 })
    await other.close()
    await expect(confirm('default')).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
    expect(await place.read('default')).toMatchObject({ epoch: 7 })
    await service.close()
  })
})

import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { canonicalize } from '../../src/base/canonical-json.ts'
import { asFailure, Failure } from '../../src/base/failure.ts'
import { backUp } from '../../src/back-up.ts'
import type { BackedUp, Restored } from '../../src/cli/composition.ts'
import { Reading } from '../../src/decisions/reading.ts'
import { matters } from '../../src/dossier/matters.ts'
import { parseStatement } from '../../src/dossier/statement.ts'
import { PinDirectory } from '../../src/log/pin-directory.ts'
import { PublishDirectory } from '../../src/log/publish-directory.ts'
import { publishLog } from '../../src/log/publish.ts'
import { openLocalService } from '../../src/open-service.ts'
import { restore, type RestoreOrder } from '../../src/restore.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { verifyDossier } from '../../src/verify/index.ts'
import {
  foundInstallation,
  grow,
  growIn,
  quiet,
  type Installation,
} from '../support/installation.ts'
import { founder, foundTestService, principalOf, requestOf } from '../support/service.ts'
import { replacing } from '../support/replacing.ts'

const nothing = { progress: quiet, signal: new AbortController().signal }

const backUpTo = ({ home, settings }: Installation, name = 'backup'): Promise<BackedUp> =>
  backUp({
    ...nothing,
    clock: Date.now,
    data: settings.data,
    to: join(home, name),
    version: settings.version,
  })

const restoring = (
  { home, settings }: Installation,
  change: Partial<RestoreOrder> = {},
): Promise<Restored> =>
  restore({
    ...nothing,
    archive: false,
    backup: join(home, 'backup'),
    checkOnly: false,
    cwd: home,
    newOrigin: undefined,
    published: [],
    report: quiet,
    settings,
    signatures: true,
    witnesses: [],
    ...change,
  })

const failureOf = async (promise: Promise<unknown>): Promise<Failure> =>
  asFailure(
    await promise.then(
      () => new Error('Nothing failed'),
      (error: unknown) => error,
    ),
  )

/** The data directory is gone: a disk died. */
const lose = ({ settings }: Installation): void => {
  rmSync(settings.data, { recursive: true })
}

async function publishTo({ home, settings }: Installation, name: string): Promise<void> {
  const store = await openSqliteStore({ mode: 'read', path: settings.data })
  const target = new PublishDirectory(join(home, name))
  await publishLog({ ...nothing, store, target, tenant: 'default' })
  await store.close()
}

async function whileReading<T>(data: string, work: (reading: Reading) => Promise<T>): Promise<T> {
  const store = await openSqliteStore({ mode: 'read', path: data })
  try {
    return await work(new Reading(() => store))
  } finally {
    await store.close()
  }
}

const filesOf = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()

describe('a backup', () => {
  it('is one moment of a database that is being written to', async () => {
    const founded = await foundInstallation()
    const service = await openLocalService(founded.settings, quiet)
    const before = await growIn(service, 40)
    const burst = growIn(service, 200)
    const { bytes, logs, sha256, to } = await backUpTo(founded)
    await burst
    await service.close()
    const size = logs[0]?.size ?? 0
    expect(size).toBeGreaterThanOrEqual(46)
    const file = readFileSync(join(to, 'countersign.db'))
    expect(file).toHaveLength(bytes)
    expect(createHash('sha256').update(file).digest('hex')).toBe(sha256)
    const checked = await restoring(founded, { checkOnly: true })
    // The pin has gone on: only that speaks against the backup.
    expect(checked).toMatchObject({ logs: [{ known: true, size }] })
    const root = await whileReading(to, (reading) => reading.readTrustRoot('default'))
    for (const { id } of before.slice(0, 3)) {
      const dossier = await whileReading(to, (reading) => reading.exportDossier('default', id))
      expect(verifyDossier(dossier, root).verdict).toBe('valid')
    }
  })

  it('holds neither KEK nor pin, and is for its owner only', async () => {
    const founded = await foundInstallation()
    const { to } = await backUpTo(founded)
    expect(filesOf(to)).toEqual(['backup.json', 'countersign.db'])
    expect(statSync(to).mode & 0o777).toBe(0o700)
    for (const name of filesOf(to)) {
      expect(statSync(join(to, name)).mode & 0o077).toBe(0)
      const kek = readFileSync(founded.settings.kekFile ?? '', 'utf8').trim()
      expect(readFileSync(join(to, name)).includes(kek)).toBe(false)
      expect(readFileSync(join(to, name)).includes(Buffer.from(kek, 'base64url'))).toBe(false)
    }
  })

  it('does not hold what was erased before it', async () => {
    const founded = await foundInstallation()
    const service = await openLocalService(founded.settings, quiet)
    const principal = principalOf('checkpoint')
    const request = requestOf(1, { trace: 'a secret of the person concerned' })
    const { id } = JSON.parse(await service.notarise(principal, request, null)) as { id: string }
    const early = await backUpTo(founded, 'early')
    await service.erase(principal, id, 'asked for')
    const late = await backUpTo(founded, 'late')
    await service.close()
    const holds = (to: string): boolean =>
      readFileSync(join(to, 'countersign.db')).includes('a secret of the person concerned')
    expect([holds(early.to), holds(late.to)]).toEqual([true, false])
  })

  it('is not put where something is, and nothing is left of one that was interrupted or failed', async () => {
    const founded = await foundInstallation()
    await backUpTo(founded)
    expect((await failureOf(backUpTo(founded))).code).toBe('INPUT_EXISTS')
    const signal = AbortSignal.abort(new Error('Enough'))
    const order = { clock: Date.now, progress: quiet, version: '1' }
    const to = join(founded.home, 'other')
    await expect(backUp({ ...order, data: founded.settings.data, signal, to })).rejects.toThrow(
      'Enough',
    )
    const nowhere = backUp({ ...order, ...nothing, data: join(founded.home, 'none'), to })
    expect((await failureOf(nowhere)).code).toBe('CONFIG_INVALID')
    expect(readdirSync(founded.home).filter((name) => name.startsWith('other'))).toEqual([])
  })

  it('is sound with a tenant in it whose founding was cut off', async () => {
    let commits = Infinity
    const test = await foundTestService({
      wrapStore: (store) =>
        replacing(store, {
          commit: (commit) =>
            commits-- > 0
              ? store.commit(commit)
              : Promise.reject(new Failure('STORE_FULL', 'Injected')),
        }),
    })
    commits = 3
    const founding = test.service.createTenant(
      'second',
      { profile: 'each', public: false },
      founder,
    )
    expect((await failureOf(founding)).code).toBe('STORE_FULL')
    await test.service.close()
    const home = test.directory
    const settings = {
      ...(await foundInstallation()).settings,
      data: join(home, 'data'),
      keys: join(home, 'no-keys'),
    }
    const cut = { home, instance: '', origin: '', settings }
    await backUpTo(cut)
    expect((await restoring(cut, { checkOnly: true })).logs).toMatchObject([
      { size: 6, tenant: 'default' },
      { size: 3, tenant: 'second' },
    ])
  })

  it('is refused of a database whose head is not the one that was signed', async () => {
    const founded = await foundInstallation()
    const db = new Database(join(founded.settings.data, 'countersign.db'))
    db.exec('UPDATE last_checkpoints SET root = zeroblob(32)')
    db.close()
    expect((await failureOf(backUpTo(founded))).code).toBe('STORE_CORRUPT')
    expect(existsSync(join(founded.home, 'backup'))).toBe(false)
  })
})

describe('restoring', () => {
  it('brings the newest state back, and the log goes on under its pin', async () => {
    const founded = await foundInstallation('each')
    const [decision] = await grow(founded, 3)
    await backUpTo(founded)
    lose(founded)
    const restored = await restoring(founded)
    expect(restored).toMatchObject({
      archive: null,
      logs: [{ known: true, origin: 'log.example/default', size: 9, tenant: 'default' }],
      objections: [],
      successor: null,
    })
    expect(filesOf(founded.settings.data)).toEqual(['countersign.db', 'writer.lock'])
    expect((await grow(founded, 1))[0]?.index).toBe(9)
    const [dossier, root] = await whileReading(founded.settings.data, async (reading) => [
      await reading.exportDossier('default', decision?.id ?? ''),
      await reading.readTrustRoot('default'),
    ])
    expect(verifyDossier(dossier, root).verdict).toBe('valid')
  })

  it('refuses a backup that is behind the pin, and leaves no database', async () => {
    const founded = await foundInstallation()
    await backUpTo(founded)
    await grow(founded, 1)
    lose(founded)
    const refused = await failureOf(restoring(founded))
    expect(refused.code).toBe('LOG_ROLLBACK')
    for (const said of [
      'the pin knows log.example/default at size 7',
      '6 entries',
      '--archive',
      '--new-origin',
    ])
      expect(refused.message).toContain(said)
    expect(existsSync(founded.settings.data)).toBe(false)
  })

  it.each([
    [0, 'restored'],
    [1, 'refused'],
  ])('with keys %i epochs behind the pin is %s, as by the start', async (behind, outcome) => {
    const founded = await foundInstallation()
    await grow(founded, 1)
    await backUpTo(founded)
    const pins = new PinDirectory(join(founded.settings.keys, founded.instance))
    const pinned = await pins.read('default')
    if (pinned === undefined) throw new Error('No pin')
    const file = pins.open('default')
    await file.read()
    await file.write({ ...pinned, epoch: pinned.epoch + behind })
    await file.close()
    const started = await openLocalService(founded.settings, quiet).then(
      (service) => service.close().then(() => 'started'),
      (error: unknown) => asFailure(error).code,
    )
    lose(founded)
    const said = `the pin knows the keys of log.example/default in epoch ${pinned.epoch + 1}, the backup has epoch ${pinned.epoch}`
    const checked = await restoring(founded, { checkOnly: true })
    if (outcome === 'restored') {
      expect([started, checked.objections]).toEqual(['started', []])
      await restoring(founded)
      expect(await grow(founded, 1)).toHaveLength(1)
      return
    }
    const refused = await failureOf(restoring(founded))
    expect(refused.code).toBe('KEY_STORE_REFUSED')
    expect(started).toBe(refused.code)
    for (const words of [said, '--archive', '--new-origin'])
      expect(refused.message).toContain(words)
    expect(checked.objections).toEqual([said])
    expect(existsSync(founded.settings.data)).toBe(false)
    // To be read it takes no keys.
    expect((await restoring(founded, { archive: true })).objections).toEqual([said])
  })

  it('refuses a backup that is behind what was published, when the pins are lost too', async () => {
    const founded = await foundInstallation()
    await backUpTo(founded)
    await grow(founded, 1)
    await publishTo(founded, 'www')
    lose(founded)
    rmSync(founded.settings.keys, { recursive: true })
    const refused = await failureOf(restoring(founded, { published: ['www'] }))
    expect(refused.message).toContain('www knows log.example/default at size 7')
    expect((await failureOf(restoring(founded, { published: ['nowhere'] }))).code).toBe(
      'INPUT_NOT_FOUND',
    )
    // Nothing is known then: it is restored, and the start wants to know of a tree head.
    expect((await restoring(founded)).logs).toMatchObject([{ known: false }])
    expect((await failureOf(grow(founded, 1))).message).toContain('log repin')
  })

  it('refuses a backup that is behind what a witness has cosigned', async () => {
    const founded = await foundInstallation()
    await backUpTo(founded)
    const [answer] = await grow(founded, 1)
    lose(founded)
    rmSync(founded.settings.keys, { recursive: true })
    const witness = createServer((_, response) => response.end(answer?.checkpoint))
    await new Promise<void>((resolve) => witness.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(witness.address() as AddressInfo).port}`
    const refused = await failureOf(restoring(founded, { witnesses: [url] }))
    // Nothing is left of a directory that was made for it, and nothing is taken from one that was there.
    expect(existsSync(founded.settings.data)).toBe(false)
    mkdirSync(founded.settings.data)
    await failureOf(restoring(founded, { witnesses: [url] }))
    expect(readdirSync(founded.settings.data)).toEqual([])
    witness.close()
    expect(refused.code).toBe('LOG_ROLLBACK')
    expect(refused.message).toContain('knows log.example/default at size 7')
  })

  it('refuses a backup that contradicts what was published, at the same size or below', async () => {
    const founded = await foundInstallation()
    cpSync(founded.settings.data, join(founded.home, 'copy'), { recursive: true })
    await grow(founded, 2)
    await publishTo(founded, 'www')
    lose(founded)
    rmSync(join(founded.settings.keys, founded.instance, 'default.pin'))
    renameSync(join(founded.home, 'copy'), founded.settings.data)
    const fork = {
      ...founded,
      settings: { ...founded.settings, pin: join(founded.home, 'other-pins') },
    }
    cpSync(founded.settings.data, join(founded.home, 'again'), { recursive: true })
    for (const [n, extra] of [2, 5].entries()) {
      rmSync(founded.settings.data, { force: true, recursive: true })
      cpSync(join(founded.home, 'again'), founded.settings.data, { recursive: true })
      rmSync(join(founded.home, 'other-pins'), { force: true, recursive: true })
      await growUnpinned(fork, extra)
      await backUpTo(founded, `fork-${n}`)
      lose(founded)
      const backup = join(founded.home, `fork-${n}`)
      const refused = await failureOf(restoring(founded, { backup, published: ['www'] }))
      expect(refused.message).toContain('with another root at size 8')
    }
  })

  it('refuses a backup of before a tenant was made', async () => {
    const founded = await foundInstallation()
    await backUpTo(founded)
    const service = await openLocalService(founded.settings, quiet)
    await service.createTenant('second', { profile: 'each', public: false }, founder)
    await service.close()
    lose(founded)
    const refused = await failureOf(restoring(founded))
    expect(refused.message).toContain('log.example/second at size 6, the backup has 0 entries')
  })

  it('takes a backup that is ahead of an old pin, and the start pins it', async () => {
    const founded = await foundInstallation()
    cpSync(founded.settings.keys, join(founded.home, 'old-keys'), { recursive: true })
    await grow(founded, 2)
    await backUpTo(founded)
    lose(founded)
    rmSync(founded.settings.keys, { recursive: true })
    renameSync(join(founded.home, 'old-keys'), founded.settings.keys)
    await restoring(founded)
    expect((await grow(founded, 1))[0]?.index).toBe(8)
  })

  it('is for a directory without database, and for a backup that is one', async () => {
    const founded = await foundInstallation()
    await backUpTo(founded)
    expect((await failureOf(restoring(founded))).code).toBe('INPUT_EXISTS')
    // What is left of a database counts as one: SQLite would play its WAL into another.
    for (const left of ['countersign.db-wal', 'countersign.db-shm']) {
      rmSync(founded.settings.data, { force: true, recursive: true })
      mkdirSync(founded.settings.data)
      writeFileSync(join(founded.settings.data, left), '')
      expect((await failureOf(restoring(founded))).message).toContain(left)
    }
    lose(founded)
    const backup = join(founded.home, 'nothing')
    expect((await failureOf(restoring(founded, { backup }))).code).toBe('INPUT_NOT_FOUND')
    expect(existsSync(founded.settings.data)).toBe(false)
    const signal = AbortSignal.abort(new Error('Enough'))
    await expect(restoring(founded, { signal })).rejects.toThrow('Enough')
    expect(existsSync(founded.settings.data)).toBe(false)
  })
})

/** Grows a log by its own keys where its pin is not at hand. */
async function growUnpinned(installation: Installation, count: number): Promise<void> {
  const { repin } = await import('../../src/repin.ts')
  const note = await whileReading(installation.settings.data, (reading) =>
    reading.readCheckpoint('default'),
  )
  await repin(installation.settings, quiet, [{ bytes: Buffer.from(note), name: 'checkpoint' }])
  // Pinning again is an entry too.
  if (count > 1) await grow(installation, count - 1)
}

/** Changes the database of a backup as somebody would who also makes its manifest fit. */
function tamper({ home }: Installation, change: (db: Database.Database) => void): void {
  const file = join(home, 'backup', 'countersign.db')
  const db = new Database(file)
  change(db)
  db.close()
  const manifestFile = join(home, 'backup', 'backup.json')
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as { database: unknown }
  const bytes = readFileSync(file)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  writeFileSync(
    manifestFile,
    canonicalize({ ...manifest, database: { bytes: bytes.length, sha256 } }),
  )
}

describe('a damaged backup', () => {
  it('is noticed by its hash, whichever byte it is', async () => {
    const founded = await foundInstallation()
    await backUpTo(founded)
    lose(founded)
    const file = join(founded.home, 'backup', 'countersign.db')
    const whole = readFileSync(file)
    for (const at of [0, 20, Math.floor(whole.length / 2), whole.length - 1]) {
      const changed = Buffer.from(whole)
      changed[at] = (changed[at] ?? 0) ^ 1
      writeFileSync(file, changed)
      for (const checkOnly of [true, false])
        expect(await failureOf(restoring(founded, { checkOnly }))).toMatchObject({
          code: 'STORE_CORRUPT',
          message: expect.stringContaining('SHA-256') as string,
        })
    }
    writeFileSync(file, whole.subarray(0, -1))
    expect((await failureOf(restoring(founded))).code).toBe('STORE_CORRUPT')
    writeFileSync(file, whole)
    expect((await restoring(founded)).objections).toEqual([])
  })

  it.each([
    ['a payload', "UPDATE entries SET payload = x'00' WHERE idx = 7", 'entry at index 7'],
    ['a leaf', "UPDATE entries SET leaf = x'00' WHERE idx = 3", 'index 3'],
    [
      'a signature',
      'UPDATE entries SET signature = zeroblob(64) WHERE idx = 7',
      'entry at index 7',
    ],
    ['a missing entry', 'DELETE FROM entries WHERE idx = 4', 'index 4'],
    ['a tile', 'UPDATE tiles SET hashes = zeroblob(length(hashes))', 'damaged'],
    ['a checkpoint', "UPDATE last_checkpoints SET note = replace(note, 'A', 'B')", 'checkpoint'],
    ['another head', 'UPDATE tenants SET size = size - 1', 'checkpoint'],
    ['another instance', "UPDATE instance SET id = 'other'", 'another instance'],
    ['a tenant too few', "UPDATE tenants SET name = 'renamed'", 'not the one it names'],
    ['an API key', 'UPDATE tenants SET public = 1', 'row'],
  ])(
    'is noticed by %s that is not the one of its log, whoever mended the hash',
    async (_, sql, said) => {
      const founded = await foundInstallation()
      await grow(founded, 3)
      await backUpTo(founded)
      lose(founded)
      tamper(founded, (db) => db.exec(sql))
      const refused = await failureOf(restoring(founded))
      expect(refused.code).toBe('STORE_CORRUPT')
      expect(refused.message).toContain(said)
      expect(existsSync(founded.settings.data)).toBe(false)
    },
  )

  it('is noticed by a manifest that is not whole', async () => {
    const founded = await foundInstallation()
    await backUpTo(founded)
    const file = join(founded.home, 'backup', 'backup.json')
    const whole = readFileSync(file, 'utf8')
    for (const text of ['', whole.slice(0, -1), whole.replace('"size":6', '"size":7'), '{}']) {
      writeFileSync(file, text)
      expect((await failureOf(restoring(founded, { checkOnly: true }))).code).toBe('STORE_CORRUPT')
    }
  })
})

describe('a backup that is not the newest', () => {
  it('is read as an archive, to which nothing can be added', async () => {
    const founded = await foundInstallation()
    const [decision] = await grow(founded, 1)
    await backUpTo(founded)
    await grow(founded, 1)
    lose(founded)
    const restored = await restoring(founded, { archive: true })
    expect(restored.archive).toBe(founded.settings.data)
    expect(restored.objections).toEqual([
      'the pin knows log.example/default at size 8, the backup has 7 entries',
    ])
    const [dossier, root] = await whileReading(founded.settings.data, async (reading) => [
      await reading.exportDossier('default', decision?.id ?? ''),
      await reading.readTrustRoot('default'),
    ])
    expect(verifyDossier(dossier, root).verdict).toBe('valid')
    for (const pins of [founded.settings.keys, join(founded.home, 'no-pins')]) {
      const refused = await failureOf(openLocalService({ ...founded.settings, pin: pins }, quiet))
      expect(refused.code).toBe('CONFIG_INVALID')
      expect(refused.message).toContain('archive')
    }
  })

  it('is succeeded by a new installation whose logs name those before them', async () => {
    const founded = await foundInstallation()
    const service = await openLocalService(founded.settings, quiet)
    await service.createTenant('second', { profile: 'each', public: true }, founder)
    const [decision] = await growIn(service, 1)
    await service.createApiKey('default', 'bot', ['decisions:submit'], founder)
    await service.close()
    await backUpTo(founded)
    await grow(founded, 1)
    lose(founded)
    const { archive, successor } = await restoring(founded, { newOrigin: 'log2.example' })
    expect(successor?.logs).toEqual([
      { origin: 'log2.example/default', tenant: 'default' },
      { origin: 'log2.example/second', tenant: 'second' },
    ])
    expect(successor?.instance).not.toBe(founded.instance)
    const admin = await whileReading(founded.settings.data, async (reading) => {
      expect(await reading.listApiKeys('default')).toEqual([])
      return (await reading.listTenants()).map(({ profile, ...tenant }) => [profile, tenant.public])
    })
    expect(admin).toEqual([
      ['checkpoint', false],
      ['each', true],
    ])
    const store = await openSqliteStore({ mode: 'read', path: founded.settings.data })
    const entry = (await store.readStream('default', 'admin')).at(-1)
    await store.close()
    const statement = parseStatement(entry?.payload ?? new Uint8Array())
    const matter =
      typeof statement === 'string' ? undefined : matters.admin.parse(statement.predicate.matter)
    expect(matter).toMatchObject({
      action: 'log.succeed',
      detail: {
        instance: founded.instance,
        known: [{ size: 9, who: 'the pin' }],
        origin: 'log.example/default',
        size: 8,
      },
    })
    // The old one is read, the new one goes on, and each verifies under its own trust root.
    const [dossier, root] = await whileReading(archive ?? '', async (reading) => [
      await reading.exportDossier('default', decision?.id ?? ''),
      await reading.readTrustRoot('default'),
    ])
    expect(verifyDossier(dossier, root).verdict).toBe('valid')
    expect(
      (await failureOf(openLocalService({ ...founded.settings, data: archive ?? '' }, quiet)))
        .message,
    ).toContain('archive')
    const [next] = await grow(founded, 1)
    const [newDossier, newRoot] = await whileReading(founded.settings.data, async (reading) => [
      await reading.exportDossier('default', next?.id ?? ''),
      await reading.readTrustRoot('default'),
    ])
    expect(verifyDossier(newDossier, newRoot).verdict).toBe('valid')
    expect(verifyDossier(newDossier, root).verdict).not.toBe('valid')
  })

  it('is not succeeded under the same name, nor by keys that do not last', async () => {
    const founded = await foundInstallation()
    await backUpTo(founded)
    lose(founded)
    expect((await failureOf(restoring(founded, { newOrigin: 'log.example' }))).code).toBe(
      'INPUT_INVALID',
    )
    const memory = { ...founded.settings, kek: 'memory' }
    const refused = await failureOf(
      restoring(founded, { newOrigin: 'x.example', settings: memory }),
    )
    expect(refused.code).toBe('CONFIG_INVALID')
    expect(existsSync(founded.settings.data)).toBe(false)
  })
})

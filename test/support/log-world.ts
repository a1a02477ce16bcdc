// A real installation that a test drives by commands, with faults between it and its store and pins. It keeps what was promised to callers, so that
// what holds can be held against it.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeBase64 } from '../../src/base/base64.ts'
import { equalBytes, utf8 } from '../../src/base/bytes.ts'
import { asFailure, Failure, type FailureCode } from '../../src/base/failure.ts'
import { backUp } from '../../src/back-up.ts'
import { LocalService, type ServiceParts } from '../../src/decisions/local-service.ts'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { PinDirectory } from '../../src/log/pin-directory.ts'
import type { PinStore } from '../../src/log/pin.ts'
import { foundService, openLocalService, type ServiceSettings } from '../../src/open-service.ts'
import { repin } from '../../src/repin.ts'
import { restore } from '../../src/restore.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store, StoreReader } from '../../src/store/store.ts'
import { claimedCheckpoint } from '../../src/verify/verify-checkpoint.ts'
import { verifyDossier } from '../../src/verify/index.ts'
import type { Notarised } from '../../src/wire/decision.ts'
import { referenceRoot } from './merkle-reference.ts'
import { placeIn, settingsOf } from './restart.ts'
import { principalOf, requestOf } from './service.ts'
import { replacing } from './replacing.ts'

const tenant = 'default'
const quiet = (): void => undefined
const nothing = { progress: quiet, signal: new AbortController().signal }

/** What goes wrong with the next write: it fails undone, or it fails though it was done. */
export type Mishap = 'undone' | 'done'

/** How an attempt ended: not at all badly, or with a code. */
export type Ending = 'fine' | FailureCode

const endingOf = async (work: Promise<unknown>): Promise<Ending> =>
  work.then(
    () => 'fine',
    (error: unknown) => asFailure(error).code,
  )

/** A log in a real installation. */
export class LogWorld {
  readonly home: string
  readonly settings: ServiceSettings
  /** What callers were answered, by index: the decision's id and its leaf, base64. */
  readonly promised = new Map<number, { readonly id: string; readonly leaf: string }>()
  /** Every checkpoint that anybody was given. */
  readonly notes: string[] = []
  #service: LocalService | undefined
  #instance = ''
  #count = 0
  #commit: Mishap | undefined
  #pin: Mishap | undefined

  private constructor(home: string) {
    this.home = home
    this.settings = settingsOf(placeIn(home))
  }

  /** A copy of an installation that was founded once: all are of the same instance. */
  static async found(template: string): Promise<LogWorld> {
    const home = mkdtempSync(join(tmpdir(), 'countersign-world-'))
    cpSync(template, home, { recursive: true })
    const world = new LogWorld(home)
    await world.open()
    return world
  }

  /** Founds what {@link found} copies. */
  static async template(): Promise<string> {
    const home = mkdtempSync(join(tmpdir(), 'countersign-world-'))
    const { kekFile = '' } = new LogWorld(home).settings
    createKekFile(kekFile)
    const { service } = await foundService(
      new LogWorld(home).settings,
      { origin: 'log.example', profile: 'checkpoint', public: false },
      quiet,
    )
    await service.close()
    return home
  }

  async remove(): Promise<void> {
    await this.close()
    rmSync(this.home, { force: true, recursive: true })
  }

  get isOpen(): boolean {
    return this.#service !== undefined
  }

  async open(data = this.settings.data): Promise<void> {
    const service = await openFaulty({ ...this.settings, data }, (parts) => ({
      ...parts,
      openPin: (instance, name) => this.#faultyPin(parts.openPin(instance, name)),
      openStore: async () => this.#faultyStore(await parts.openStore()),
    }))
    this.#instance = service.instance.id
    this.#service = service
  }

  async close(): Promise<void> {
    await this.#service?.close()
    this.#service = undefined
  }

  /** Notarises at once; what is answered is remembered. */
  async append(count: number): Promise<readonly Ending[]> {
    return Promise.all(Array.from({ length: count }, () => endingOf(this.#notarise())))
  }

  async #notarise(): Promise<void> {
    const service = this.#expectOpen()
    const text = await service.notarise(principalOf('checkpoint'), requestOf(this.#count++), null)
    // What a dead process answered nobody has heard.
    if (this.#service !== service) return
    const { checkpoint, id, index, leaf } = JSON.parse(text) as Notarised
    if (this.promised.has(index)) throw new Error(`Index was given twice: ${index}`)
    this.promised.set(index, { id, leaf })
    this.notes.push(checkpoint)
  }

  /** One decision while a write goes wrong; resolves when the service is ready again. */
  async appendBadly(what: 'commit' | 'pin', mishap: Mishap): Promise<Ending> {
    if (what === 'commit') this.#commit = mishap
    else this.#pin = mishap
    const [ending = 'fine'] = await this.append(1)
    const service = this.#expectOpen()
    for (let n = 0; n < 500 && !(await service.health()).ready; n++)
      await new Promise((resolve) => setTimeout(resolve, 10))
    return ending
  }

  /** The process dies while decisions are under way: what it left is what another process finds. */
  async crash(underWay: number): Promise<void> {
    const dying = this.#expectOpen()
    const answers = this.append(underWay)
    // Somewhere on the way, as chance has it.
    for (let turns = underWay % 5; turns > 0; turns--) await new Promise(setImmediate)
    // By another process: opening and closing the files in this one would drop SQLite's locks.
    for (const name of ['data', 'keys'])
      spawnSync('cp', ['-r', join(this.home, name), join(this.home, `${name}-left`)])
    this.#service = undefined
    await answers
    await dying.close()
    for (const name of ['data', 'keys']) this.#replace(name, `${name}-left`)
    await this.open()
  }

  /** Keeps a copy of the data directory, at rest. */
  async copy(name: string): Promise<void> {
    await this.close()
    cpSync(this.settings.data, join(this.home, name), { recursive: true })
    await this.open()
  }

  /** Puts a copy in the place of the database, tries to open it, and puts the true one back where that is refused. */
  async copyBack(name: string): Promise<Ending> {
    return this.#tryInstead(() => {
      cpSync(join(this.home, name), this.settings.data, { recursive: true })
      return Promise.resolve()
    })
  }

  async backUp(name: string): Promise<void> {
    const { data, version } = this.settings
    await backUp({ ...nothing, clock: Date.now, data, to: join(this.home, name), version })
  }

  async restore(name: string): Promise<Ending> {
    return this.#tryInstead(async () => {
      await restore({
        ...nothing,
        archive: false,
        backup: join(this.home, name),
        checkOnly: false,
        cwd: this.home,
        newOrigin: undefined,
        published: [],
        report: quiet,
        settings: this.settings,
        signatures: false,
        witnesses: [],
      })
    })
  }

  async #tryInstead(put: () => Promise<void>): Promise<Ending> {
    await this.close()
    renameSync(this.settings.data, join(this.home, 'true'))
    const ending = await endingOf(put().then(() => this.open()))
    if (ending === 'fine') rmSync(join(this.home, 'true'), { recursive: true })
    else {
      this.#replace('data', 'true')
      await this.open()
    }
    return ending
  }

  /** A second writer, on the directory itself or on a copy of it made now. */
  async openSecond(onCopy: boolean): Promise<Ending> {
    const copy = join(this.home, 'second')
    if (onCopy) spawnSync('cp', ['-r', this.settings.data, copy])
    const settings = onCopy ? { ...this.settings, data: copy } : this.settings
    const ending = await endingOf(openLocalService(settings, quiet).then((s) => s.close()))
    rmSync(copy, { force: true, recursive: true })
    return ending
  }

  /** The pin is gone: how a start ends, and how one ends that names a checkpoint somebody was given. */
  async losePin(): Promise<readonly [Ending, Ending]> {
    await this.close()
    rmSync(join(this.settings.keys, this.#instance, `${tenant}.pin`))
    const without = await endingOf(this.open())
    const known =
      this.notes.at(-1) ?? (await this.#reading((s) => s.readLastCheckpoint(tenant)))?.note
    const bytes = utf8(known ?? '')
    const stating = await endingOf(repin(this.settings, quiet, [{ bytes, name: 'known' }]))
    await this.open()
    return [without, stating]
  }

  /** A decision's dossier, verified. */
  async prove(index: number): Promise<string> {
    const service = this.#expectOpen()
    const { id = '' } = this.promised.get(index) ?? {}
    const root = await service.readTrustRoot(tenant)
    return verifyDossier(await service.exportDossier(tenant, id), root).verdict
  }

  async size(): Promise<number> {
    return (await this.#reading((store) => store.readTenant(tenant)))?.head.size ?? -1
  }

  /** Everything that must hold now, whatever was done before; an empty list when it does. */
  async broken(): Promise<readonly string[]> {
    const head = (await this.#reading((store) => store.readTenant(tenant)))?.head
    const leaves = await this.#reading((store) =>
      store.readLeaves(tenant, 0, Number.MAX_SAFE_INTEGER),
    )
    const pin = await new PinDirectory(join(this.settings.keys, this.#instance)).read(tenant)
    const wrong: string[] = []
    if (head?.size !== leaves.length)
      wrong.push(`Size ${head?.size ?? -1}, leaves ${leaves.length}`)
    if (head === undefined || !equalBytes(referenceRoot(leaves), head.root)) wrong.push('Root')
    if (pin?.size !== leaves.length || !equalBytes(pin.root, referenceRoot(leaves)))
      wrong.push(`Pin has size ${pin?.size ?? -1}, the log ${leaves.length}`)
    for (const [index, { leaf }] of this.promised) {
      const there = leaves[index]
      if (there === undefined || encodeBase64(there) !== leaf) wrong.push(`Promised entry ${index}`)
    }
    for (const note of new Set(this.notes)) {
      const said = claimedCheckpoint(note)
      const holds =
        typeof said !== 'string' &&
        said.size <= leaves.length &&
        equalBytes(said.root, referenceRoot(leaves.slice(0, said.size)))
      if (!holds) wrong.push(`Checkpoint ${typeof said === 'string' ? said : said.size}`)
    }
    return wrong
  }

  async #reading<T>(work: (store: StoreReader) => Promise<T>): Promise<T> {
    const store = await openSqliteStore({ mode: 'read', path: this.settings.data })
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  }

  #replace(name: string, by: string): void {
    rmSync(join(this.home, name), { force: true, recursive: true })
    renameSync(join(this.home, by), join(this.home, name))
  }

  #expectOpen(): LocalService {
    if (this.#service === undefined) throw new Error('Not open')
    return this.#service
  }

  #faultyStore(store: Store): Store {
    return replacing(store, {
      commit: (commit) => {
        const mishap = this.#commit
        this.#commit = undefined
        return goWrong(mishap, () => store.commit(commit))
      },
    })
  }

  #faultyPin(pin: PinStore): PinStore {
    return {
      close: () => pin.close(),
      read: () => pin.read(),
      write: (content) => {
        const mishap = this.#pin
        this.#pin = undefined
        return goWrong(mishap, () => pin.write(content))
      },
    }
  }
}

async function goWrong(mishap: Mishap | undefined, work: () => Promise<void>): Promise<void> {
  if (mishap === 'undone') throw new Failure('LOG_STATE_UNKNOWN', 'Injected')
  await work()
  if (mishap === 'done') throw new Failure('LOG_STATE_UNKNOWN', 'Injected')
}

/** Opens the service of settings with some of its parts exchanged. */
async function openFaulty(
  settings: ServiceSettings,
  exchange: (parts: ServiceParts) => ServiceParts,
): Promise<LocalService> {
  const original = LocalService.open.bind(LocalService)
  LocalService.open = (parts) => original(exchange(parts))
  try {
    return await openLocalService(settings, quiet)
  } finally {
    LocalService.open = original
  }
}

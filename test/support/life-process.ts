// Carries out one order about keys on a data directory and dies by SIGKILL on the way: right before or right after a commit of it, counted from 1. Behind
// the commit means before its pin. Prints `done` when it got through, with the number of commits.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { decodeBase64 } from '../../src/base/base64.ts'
import { utf8 } from '../../src/base/bytes.ts'
import { Failure } from '../../src/base/failure.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { LocalService } from '../../src/decisions/local-service.ts'
import { createEnvironmentKek } from '../../src/kek/environment.ts'
import { PinFile } from '../../src/log/pin.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { holdDirectory } from '../../src/store/sqlite-lock.ts'
import type { Store } from '../../src/store/store.ts'
import type { KeyOrder } from '../../src/wire/keys.ts'
import { disguise } from './disguised-kek.ts'
import { replacing } from './replacing.ts'

/** What the process is told, as JSON in its first argument. */
export interface LifeTask {
  readonly directory: string
  readonly kek: string
  /** The KEK of the provider to move to, which says that it is an HSM. */
  readonly otherKek: string
  readonly order: KeyOrder
  readonly when: 'before' | 'behind'
  readonly commit: number
  /** Base64 of a sealed record that is offered. */
  readonly offer: string | null
}

const task = JSON.parse(process.argv[2] ?? '') as LifeTask
const { directory, kek, otherKek, order, when, commit: fatal, offer } = task
let counting = false
let commits = 0

const die = (): Promise<never> => {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => undefined)
}

/** The store, but for its commits. */
const deadly = (store: Store): Store =>
  replacing(store, {
    async commit(commit) {
      if (counting) commits++
      if (counting && commits === fatal && when === 'before') await die()
      await store.commit(commit)
      if (counting && commits === fatal) await die()
    },
  })

const environment = createEnvironmentKek(new Secret(utf8(kek)))
const other = disguise(createEnvironmentKek(new Secret(utf8(otherKek))), 'hsm')
const service = await LocalService.open({
  clock: Date.now,
  closeProviders: () => Promise.resolve(),
  findOffer: () => Promise.resolve(offer === null ? undefined : decodeBase64(offer)),
  holdPins: () => holdDirectory(join(directory, 'keys')),
  listPins: () =>
    Promise.resolve(
      readdirSync(join(directory, 'keys')).flatMap((name) =>
        name.endsWith('.pin') ? [name.slice(0, -4)] : [],
      ),
    ),
  maxOutageMs: 3_600_000,
  openInFreshProcess: () => Promise.resolve(),
  openPin: (_, tenant) => new PinFile(join(directory, 'keys', `${tenant}.pin`)),
  openProvider: (kind) => {
    if (kind === 'hsm') return other
    throw new Failure('CONFIG_INVALID', `Not configured: ${kind}`)
  },
  openStore: async () =>
    deadly(await openSqliteStore({ mode: 'write', path: join(directory, 'data') })),
  providers: [environment],
  report: () => undefined,
  version: '0.0.0-test',
})
counting = true
await service.orderKeys('default', order, { type: 'local', id: 'cli', owner: 'founder' })
counting = false
await service.close()
process.stdout.write(`done ${commits}\n`)

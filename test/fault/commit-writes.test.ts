import type * as Fs from 'node:fs'
import { join } from 'node:path'
import type Sqlite from 'better-sqlite3'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Failure } from '../../src/base/failure.ts'
import { fsck } from '../../src/decisions/fsck.ts'
import { PinFile } from '../../src/log/pin.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { verifyDossier } from '../../src/verify/verify-dossier.ts'
import { founder, foundTestService, requestOf, type TestService } from '../support/service.ts'

// Every write of a commit fails twice: undone, and done but reported as failed. A write is a statement inside the transaction, its COMMIT, the write of the
// pin, and the pin's fdatasync. What the system calls below them do is the sweep's.

type When = 'before' | 'after'

const outcomeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof Failure ? error.code : String(error)),
  )

/** What is counted, and which of it goes wrong. */
interface Writes {
  code: string
  counting: boolean
  fatal: number
  names: string[]
  when: When
  /** Does a piece of work that may be due to fail. */
  do<T>(name: string, work: () => T): T
}

const writes = vi.hoisted((): Writes => ({
  code: 'SQLITE_IOERR_WRITE',
  counting: false,
  fatal: 0,
  names: [],
  when: 'before',
  do(name, work) {
    if (!this.counting) return work()
    this.names.push(name)
    if (this.names.length !== this.fatal) return work()
    this.counting = false
    if (this.when === 'after') work()
    const code = name.startsWith('pin') ? 'EIO' : this.code
    throw Object.assign(new Error(`Injected: ${name}`), { code })
  },
}))

const verbs = vi.hoisted(() => new Set(['BEGIN', 'COMMIT', 'INSERT', 'UPDATE', 'DELETE']))

vi.mock('better-sqlite3', async (importOriginal) => {
  const { default: Database } = await importOriginal<{ default: typeof Sqlite }>()
  const construct = (target: typeof Sqlite, args: unknown[]): Sqlite.Database => {
    const db = Reflect.construct(target, args) as Sqlite.Database
    const prepare = db.prepare.bind(db)
    const counted = (sql: string) => {
      const statement = prepare(sql)
      const [verb = ''] = sql.trim().split(/\s/, 1)
      if (!verbs.has(verb)) return statement
      const run = statement.run.bind(statement)
      const table = /(?:INTO|UPDATE|FROM) (\w+)/.exec(sql)?.[1] ?? ''
      statement.run = (...values) => writes.do(`${verb} ${table}`.trim(), () => run(...values))
      return statement
    }
    return Object.assign(db, { prepare: counted })
  }
  return { default: new Proxy(Database, { construct }) }
})

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof Fs>()
  const overrides = {
    fdatasyncSync: (fd: number) => {
      writes.do('pin fdatasync', () => {
        fs.fdatasyncSync(fd)
      })
    },
    writeSync: (...args: Parameters<typeof fs.writeSync>) =>
      writes.do('pin write', () => fs.writeSync(...args)),
  }
  return { ...fs, ...overrides, default: { ...fs, ...overrides } }
})

afterEach(() => {
  writes.counting = false
})

/** Does something while its writes are counted, the one of that number failing; gives the names of those that came to pass. */
async function during(
  fatal: number,
  when: When,
  code: string,
  work: () => Promise<readonly string[]>,
) {
  Object.assign(writes, { code, counting: true, fatal, names: [], when })
  const outcomes = await work()
  writes.counting = false
  return { names: [...writes.names], outcomes: [...new Set(outcomes)] }
}

async function untilReady({ service }: TestService): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if ((await service.health()).ready) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('Service did not heal')
}

/** Asks for three decisions at once, which one commit takes; gives what became of each. */
const notariseThree = (test: TestService, name: string): Promise<readonly string[]> =>
  Promise.all([0, 1, 2].map((n) => outcomeOf(test.notarise(requestOf(n), `${name}-${n}`))))

/** A clock by which every checkpoint is kept, so that all commits write the same. */
function quickClock(): () => number {
  let now = Date.now()
  return () => (now += 1000)
}

async function findingsOf(test: TestService): Promise<readonly string[]> {
  const store = await openSqliteStore({ mode: 'read', path: join(test.directory, 'data') })
  const pin = new PinFile(join(test.directory, 'keys', 'default.pin'))
  const { findings } = await fsck({
    pin: await pin.read(),
    progress: () => undefined,
    signatures: true,
    store,
    tenant: 'default',
    trustFile: undefined,
  })
  await pin.close()
  await store.close()
  return findings.map(({ what }) => what)
}

/** From its COMMIT on a transaction may be there, and when the COMMIT is done it is. */
const isThere = (name: string, when: When): boolean =>
  name.startsWith('pin') || (name === 'COMMIT' && when === 'after')

describe('a commit of three decisions', () => {
  it.each([
    ['SQLITE_IOERR_WRITE', 'LOG_STATE_UNKNOWN', 'STORE_FAILED'],
    ['SQLITE_FULL', 'STORE_FULL', 'STORE_FULL'],
  ])(
    'that meets %s at any of its writes loses nothing and forks nothing',
    async (code, refusal, nothing) => {
      const test = await foundTestService({ clock: quickClock() })
      const sizeOf = async () => (await test.service.listTenants())[0]?.size ?? 0
      const founded = await sizeOf()
      const clean = await during(0, 'before', code, () => notariseThree(test, 'clean'))
      const { names } = clean
      const due = (name: string): string =>
        name.startsWith('pin') ? 'LOG_STATE_UNKNOWN' : name === 'BEGIN' ? nothing : refusal
      expect(names.filter((name) => name === 'INSERT entries')).toHaveLength(3)
      expect(names.filter((name) => name === 'INSERT idempotency')).toHaveLength(3)
      expect(names.slice(0, 2)).toEqual(['BEGIN', 'UPDATE tenants'])
      expect(names.slice(-3)).toEqual(['COMMIT', 'pin write', 'pin fdatasync'])
      const acknowledged: string[] = []
      const heads = new Map<string, string>()
      for (const [i, name] of names.entries())
        for (const when of ['before', 'after'] as const) {
          // A disk that is full has said so before the last frame of a COMMIT was written, never after.
          if (code === 'SQLITE_FULL' && name === 'COMMIT' && when === 'after') continue
          const what = `${when} ${name} (${i})`
          const met = await during(i + 1, when, code, () => notariseThree(test, what))
          expect([what, met]).toEqual([
            what,
            { names: names.slice(0, i + 1), outcomes: [due(name)] },
          ])
          await untilReady(test)
          const again = await Promise.all(
            [0, 1, 2].map((n) => test.notarise(requestOf(n), `${what}-${n}`)),
          )
          expect([what, again.map(({ replayed }) => replayed)]).toEqual([
            what,
            Array(3).fill(isThere(name, when)),
          ])
          acknowledged.push(...again.map(({ id }) => id))
          for (const { checkpoint } of again) {
            const [, size = '', root = ''] = checkpoint.split('\n')
            expect(heads.get(size) ?? root).toBe(root)
            heads.set(size, root)
          }
        }
      const root = await test.service.readTrustRoot('default')
      for (const id of acknowledged)
        expect(verifyDossier(await test.service.exportDossier('default', id), root).verdict).toBe(
          'valid',
        )
      // Whatever was refused and is there was replayed: no decision is there twice.
      expect(await sizeOf()).toBe(founded + 3 + acknowledged.length)
      await test.service.close()
      expect(await findingsOf(test)).toEqual([])
    },
  )
})

interface Deed {
  readonly name: string
  /** Statements that only this deed has. */
  readonly own: readonly string[]
  /** Makes ready, outside the count; gives what is done, and whether it took hold. */
  prepare(
    test: TestService,
    n: number,
  ): Promise<{ do(): Promise<unknown>; held(): Promise<boolean> }>
}

const deeds: readonly Deed[] = [
  {
    name: 'an erasure',
    own: ['UPDATE entries', 'UPDATE idempotency'],
    async prepare(test, n) {
      const { id } = await test.notarise(requestOf(n), `erased-${n}`)
      return {
        do: () => test.service.erase(test.principal, id, 'Asked for'),
        held: async () => (await test.service.readDecision('default', id)).erased,
      }
    },
  },
  {
    name: 'a claim',
    own: [],
    async prepare(test, n) {
      const { id } = await test.notarise(requestOf(n, { maxUses: 1 }))
      return {
        do: () => test.service.claim(test.principal, id, {}),
        held: async () => (await test.service.readDecision('default', id)).executions === 1,
      }
    },
  },
  {
    name: 'a revocation of an API key',
    own: ['INSERT api_keys'],
    async prepare(test, n) {
      const owner = `owner-${n}`
      const { apiKey } = await test.service.createApiKey('default', owner, ['log:read'], founder)
      return {
        do: () => test.service.revokeApiKey('default', apiKey.id, founder),
        async held() {
          const keys = await test.service.listApiKeys('default')
          return keys.find(({ id }) => id === apiKey.id)?.revokedAt !== null
        },
      }
    },
  },
]

describe.each(deeds)('the commit of $name', (kind) => {
  it('that fails at any of its writes took hold wholly or not at all', async () => {
    const test = await foundTestService({ clock: quickClock() })
    const first = await kind.prepare(test, 0)
    const { names } = await during(0, 'before', '', async () => [await outcomeOf(first.do())])
    expect(names).toEqual(expect.arrayContaining(['INSERT entries', 'COMMIT', ...kind.own]))
    expect(names.slice(-2)).toEqual(['pin write', 'pin fdatasync'])
    for (const [i, name] of names.entries())
      for (const when of ['before', 'after'] as const) {
        const what = `${when} ${name} (${i})`
        const deed = await kind.prepare(test, 1 + 2 * i + Number(when === 'after'))
        const sizeBefore = (await test.service.listTenants())[0]?.size ?? 0
        const code = name === 'BEGIN' ? 'STORE_FAILED' : 'LOG_STATE_UNKNOWN'
        const met = await during(i + 1, when, 'SQLITE_IOERR_WRITE', async () => [
          await outcomeOf(deed.do()),
        ])
        expect([what, met]).toEqual([what, { names: names.slice(0, i + 1), outcomes: [code] }])
        await untilReady(test)
        const size = (await test.service.listTenants())[0]?.size
        const there = isThere(name, when)
        expect([what, size, await deed.held()]).toEqual([what, sizeBefore + Number(there), there])
      }
    await test.service.close()
    expect(await findingsOf(test)).toEqual([])
  })
})

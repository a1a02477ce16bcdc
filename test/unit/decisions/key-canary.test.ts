import { describe, expect, it } from 'vitest'
import { encodeBase64Url } from '../../../src/base/base64.ts'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { Failure, type FailureCode } from '../../../src/base/failure.ts'
import { uuidv7 } from '../../../src/base/uuid.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { KeyCanary, type KeyCanaryParts } from '../../../src/decisions/key-canary.ts'
import { createEnvironmentKek } from '../../../src/kek/environment.ts'
import type { KekProvider } from '../../../src/kek/kek.ts'
import { createKeyring } from '../../../src/keyring/create.ts'
import type { StoredKeys, StoreReader } from '../../../src/store/store.ts'

const instance = uuidv7(1, new Uint8Array(10))
const kek = (): KekProvider =>
  createEnvironmentKek(
    new Secret(utf8(encodeBase64Url(Uint8Array.from({ length: 32 }, (_, i) => 130 + i)))),
  )

const nameOf = (n: number): string => `tenant-${String(n).padStart(2, '0')}`

async function keysOf(tenant: string): Promise<StoredKeys> {
  const options = { clock: Date.now, instance, providers: [kek()], tenant }
  const made = await createKeyring({ ...options, positions: { evidence: 0, fast: 0, log: 0 } })
  made.keyring.close()
  return made.stored
}

/** The slot with another wrapped key, as an editor of the database would leave it. */
function changed(keys: StoredKeys): StoredKeys {
  const slots = keys.slots.map(({ body, id }) => {
    const text = fromUtf8(body)
    const at = text.indexOf('"wrapped":"') + 20
    const other = text[at] === 'A' ? 'B' : 'A'
    return { body: utf8(text.slice(0, at) + other + text.slice(at + 1)), id }
  })
  return { ...keys, slots }
}

interface Case {
  readonly canary: KeyCanary
  readonly keys: Map<string, StoredKeys>
  readonly provider: KekProvider
  /** Tenants whose slot was opened since the last check. */
  readonly opened: string[]
  readonly events: string[]
  /** What unwrapping fails with. */
  away: FailureCode | undefined
  /** The code of a check, or `ok`. */
  check(): Promise<string>
}

async function prepare(tenants: number, options: Partial<KeyCanaryParts> = {}): Promise<Case> {
  const keys = new Map<string, StoredKeys>()
  for (let n = 0; n < tenants; n++) keys.set(nameOf(n), await keysOf(nameOf(n)))
  const real = kek()
  const store = {
    listTenants: () => Promise.resolve([...keys.keys()].map((name) => ({ name }))),
    readKeys: (name: string) => {
      made.opened.push(name)
      return Promise.resolve(keys.get(name))
    },
  }
  const made: Case = {
    away: undefined,
    canary: new KeyCanary({
      clock: Date.now,
      instance,
      report: (event, { tenant = '' }) => made.events.push(`${event} ${tenant}`),
      store: () => store as unknown as StoreReader,
      turns: 4,
      ...options,
    }),
    async check() {
      made.opened.length = 0
      return made.canary.check(made.provider).then(
        () => 'ok',
        (error: unknown) => (error instanceof Failure ? error.code : String(error)),
      )
    },
    events: [],
    keys,
    opened: [],
    provider: {
      ...real,
      metadata: real.metadata,
      unwrap: (...args) =>
        made.away === undefined
          ? real.unwrap(...args)
          : Promise.reject(new Failure(made.away, 'Away')),
    },
  }
  return made
}

const change = ({ keys }: Case, name: string): (() => void) => {
  const good = keys.get(name)
  if (good === undefined) throw new Error(`No such tenant: ${name}`)
  keys.set(name, changed(good))
  return () => keys.set(name, good)
}

describe('the canary of many logs', () => {
  it('gives each its turn, a few at a check, for each provider by itself', async () => {
    const made = await prepare(10)
    const rounds: string[][] = []
    for (let i = 0; i < 3; i++) {
      expect(await made.check()).toBe('ok')
      rounds.push([...made.opened])
      // The turns of another provider are its own.
      await made.canary.check({ ...made.provider })
    }
    expect(rounds.map(({ length }) => length)).toEqual([4, 4, 4])
    expect(new Set(rounds.flat()).size).toBe(10)
  })

  it('remembers a slot that did not open while others have their turn, until it opens', async () => {
    const made = await prepare(10)
    const mend = change(made, nameOf(1))
    const codes = []
    for (let i = 0; i < 6; i++) codes.push(await made.check())
    expect(codes).toEqual(codes.map(() => 'OPEN_FAILED'))
    expect(made.canary.refusedOf(nameOf(1))).toEqual(['environment'])
    expect(made.canary.refusedOf(nameOf(2))).toEqual([])
    expect(made.events).toEqual([`slot.refused ${nameOf(1)}`])
    mend()
    expect(await made.check()).toBe('ok')
    expect(made.canary.refusedOf(nameOf(1))).toEqual([])
    expect(made.events).toEqual([`slot.refused ${nameOf(1)}`, `slot.opens ${nameOf(1)}`])
  })

  it('goes on behind a slot that does not open, and counts without naming', async () => {
    const made = await prepare(4)
    for (const n of [0, 1, 3]) change(made, nameOf(n))
    const failure: unknown = await made.canary.check(made.provider).catch((error: unknown) => error)
    expect((failure as Failure).message).toMatch(/\(3 tenants\)$/)
    expect((failure as Failure).message).not.toContain('tenant-')
    expect(made.events).toHaveLength(3)
  })

  it('finds every slot that does not open, though there are more than have a turn', async () => {
    const made = await prepare(12)
    for (let n = 0; n < 12; n++) if (n !== 7) change(made, nameOf(n))
    for (let i = 0; i < 3; i++) expect(await made.check()).toBe('OPEN_FAILED')
    expect(made.events).toHaveLength(11)
    expect(made.canary.refusedOf(nameOf(7))).toEqual([])
  })

  it('tells what the provider says of itself, and takes it for no word about a slot', async () => {
    const made = await prepare(3)
    made.away = 'KEK_UNAVAILABLE'
    expect(await made.check()).toBe('KEK_UNAVAILABLE')
    expect(made.opened).toHaveLength(1)
    expect(made.events).toEqual([])
    made.away = undefined
    expect(await made.check()).toBe('ok')
  })

  it('leaves the rest to the next check when its time is over', async () => {
    let now = 0
    const made = await prepare(4, { budgetMs: 10, clock: () => (now += 6) })
    const opened: string[] = []
    for (let i = 0; i < 2; i++) {
      expect(await made.check()).toBe('ok')
      opened.push(...made.opened)
    }
    expect(opened).toEqual([0, 1, 2, 3].map(nameOf))
  })

  it('forgets a provider that is given up, also while it is being asked', async () => {
    const made = await prepare(3)
    change(made, nameOf(1))
    expect(await made.check()).toBe('OPEN_FAILED')
    made.canary.forget(made.provider)
    expect(made.canary.refusedOf(nameOf(1))).toEqual([])
    const checking = made.check()
    made.canary.forget(made.provider)
    await checking
    expect(made.canary.refusedOf(nameOf(1))).toEqual([])
    // Taken up again it begins anew.
    expect(await made.check()).toBe('OPEN_FAILED')
    expect(made.canary.refusedOf(nameOf(1))).toEqual(['environment'])
  })

  it('forgets a tenant that is gone', async () => {
    const made = await prepare(2)
    change(made, nameOf(0))
    expect(await made.check()).toBe('OPEN_FAILED')
    made.keys.delete(nameOf(0))
    expect(await made.check()).toBe('ok')
  })
})

import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fsck, type FsckReport } from '../../../src/decisions/fsck.ts'
import { parseTrustRoot } from '../../../src/dossier/trust-root.ts'
import { PinFile } from '../../../src/log/pin.ts'
import type { Instance, StoreReader } from '../../../src/store/store.ts'
import { checkTenant, fsckRequest, storeOf } from '../../support/fsck.ts'
import { founder, foundTestService, requestOf, temporaryDirectory } from '../../support/service.ts'
import { replacing } from '../../support/replacing.ts'

const tenant = 'default'
const home = mkdtempSync(join(tmpdir(), 'countersign-fsck-'))

interface World {
  readonly directory: string
  /** Decisions but the last. */
  readonly decisions: number
  last: number
  lastTime: number
  versions: number
}

const worldOf = (name: string, decisions: number): World => ({
  decisions,
  directory: join(home, name),
  last: 0,
  lastTime: 0,
  versions: 0,
})

/** More than a tile of decisions, and pages of all lists. */
const large = worldOf('large', 300)
/** For what does not depend on how much there is: each copy of it is checked in a fraction of the time. */
const small = worldOf('small', 40)

// A log with everything in it: decisions, uses, an erasure, API keys, idempotency keys, rotated and revoked keys.
async function fill(world: World): Promise<void> {
  const { directory } = world
  const test = await foundTestService({ closeYourself: true, directory })
  const { principal, service } = test
  const answers = await Promise.all(
    Array.from({ length: world.decisions }, (_, n) =>
      test.notarise(requestOf(n, { maxUses: 2 }), `key-${n}`),
    ),
  )
  const [one, two] = answers
  if (one === undefined || two === undefined) throw new Error('No decisions')
  await service.erase(principal, one.id, 'Asked for')
  await service.claim(principal, two.id, {})
  const { apiKey } = await service.createApiKey(tenant, 'bot', ['log:read'], founder)
  await service.createApiKey(tenant, 'other', ['log:read'], founder)
  await service.revokeApiKey(tenant, apiKey.id, founder)
  for (const purpose of ['evidence', 'fast', 'log'] as const)
    await service.orderKeys(tenant, { order: 'rotate', purpose }, founder)
  const { keys } = await service.keyStatus(tenant)
  const [old] = keys.filter(({ purpose, version }) => purpose === 'fast' && version === 1)
  if (old === undefined) throw new Error('No key')
  await service.orderKeys(tenant, { from: old.to ?? 0, keyId: old.keyId, order: 'revoke' }, founder)
  await service.orderKeys(tenant, { order: 'rotate-master' }, founder)
  const final = await test.notarise(requestOf(1000))
  world.last = final.index
  world.lastTime = final.time
  const trust = parseTrustRoot(await service.readTrustRoot(tenant))
  if (typeof trust === 'string') throw new Error(trust)
  world.versions = trust.version
  await service.close()
}

beforeAll(async () => {
  await Promise.all([fill(large), fill(small)])
}, 60_000)

afterAll(() => {
  rmSync(home, { force: true, recursive: true })
})

type Stuck = 'listDecisions' | 'listIdempotency' | 'listKeptCheckpoints' | 'readInstance'

interface Check {
  /** Of which log: the small one unless told. */
  readonly world?: World
  /** A statement that changes the schema. */
  readonly schema?: string
  readonly sql?: readonly string[]
  readonly signatures?: boolean
  readonly withPin?: boolean
  /** Version of a trust root that is at hand as a file. */
  readonly trust?: number
  readonly clock?: () => number
  /** A method of the store that reads what is broken: a list gives its first page for ever, a row nothing but null. */
  readonly stuck?: Stuck
}

/** A copy of the entry at index 20 with its first five columns exchanged. */
const orphan = (columns: string): string =>
  `INSERT INTO entries SELECT NULL, ${columns}, time, keyid, leaf_hash, erased, status_hash, actor_hash, action_hash,
   status, actor, action, leaf, signature, payload FROM entries WHERE idx = 20`

/** A store one of whose lists begins anew wherever it is asked to go on, or whose instance is a row of nothing. */
function stuckAt(store: StoreReader, name: Stuck): StoreReader {
  const nobody = { createdAt: null, dev: false, id: null, origin: null } as unknown as Instance
  const stuck: Pick<StoreReader, typeof name> = {
    listDecisions: (of) => store.listDecisions(of, { limit: 50 }),
    listIdempotency: (of) => store.listIdempotency(of, 0, 50),
    listKeptCheckpoints: (of) => store.listKeptCheckpoints(of, -1, 2),
    readInstance: () => Promise.resolve(nobody),
  }
  return replacing(store, { [name]: stuck[name] })
}

/** What is found in a copy of a log after edits of its database. */
async function check({
  clock,
  schema = '',
  signatures = true,
  sql = [],
  stuck,
  trust,
  withPin = true,
  world = small,
}: Check): Promise<FsckReport> {
  const directory = temporaryDirectory()
  cpSync(world.directory, directory, { recursive: true })
  const db = new Database(join(directory, 'data', 'countersign.db'))
  db.unsafeMode()
  db.exec(`PRAGMA writable_schema = ON; ${schema}`)
  for (const statement of sql)
    expect(db.prepare(statement).run().changes, statement).toBeGreaterThan(0)
  const trustFile = db
    .prepare<[number], Uint8Array>('SELECT file FROM trust_roots WHERE version = ?')
    .pluck()
    .get(trust ?? 0)
  db.close()
  const pin = new PinFile(join(directory, 'keys', `${tenant}.pin`))
  try {
    const known = withPin ? await pin.read() : undefined
    return await storeOf({ directory }, (store) =>
      fsck({
        ...fsckRequest(stuck === undefined ? store : stuckAt(store, stuck)),
        pin: known,
        signatures,
        trustFile,
        ...(clock === undefined ? {} : { clock }),
      }),
    )
  } finally {
    await pin.close()
  }
}

const told = ({ findings }: FsckReport): string[] =>
  findings.map(({ index, part, what }) => `${part} ${String(index)}: ${what}`)

describe('fsck', () => {
  it('finds nothing wrong with what is whole, and says what it did not check', async () => {
    const report = await check({ world: large })
    expect(told(report)).toEqual([])
    expect(report).toMatchObject({ count: 0, decisions: 301, erased: 1, firstIndex: null })
    expect(report.unchecked).toEqual([
      expect.stringContaining('Manifest of the key store'),
      expect.stringContaining('newest trust root in the database itself'),
    ])
    const quick = await check({ signatures: false, withPin: false, world: large })
    expect(quick.count).toBe(0)
    expect(quick.unchecked.join()).toMatch(/Rollback.*Signatures of entries/)
  })

  it.each<[string, string[], RegExp]>([
    [
      'a leaf',
      ["UPDATE entries SET leaf = CAST(replace(leaf, '2', '3') AS BLOB) WHERE idx = 20"],
      /^entry 20: /,
    ],
    [
      'a payload',
      [
        "UPDATE entries SET payload = CAST(replace(payload, 'agent', 'agenT') AS BLOB) WHERE idx = 20",
      ],
      /^entry 20: payload: Payload is not the one of the leaf/,
    ],
    [
      'a signature',
      ['UPDATE entries SET signature = zeroblob(length(signature)) WHERE idx = 20'],
      /^entry 20: signature-digest/,
    ],
    [
      'a leaf hash',
      ['UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 20'],
      /^entry 20: Column.*leaf_hash/,
    ],
    ['a kind', ["UPDATE entries SET kind = 'execution' WHERE idx = 20"], /^entry 20: Column.*kind/],
    ['a time', ['UPDATE entries SET time = time + 1 WHERE idx = 20'], /^entry 20: Column.*time/],
    ['a step', ['UPDATE entries SET seq = 7 WHERE idx = 20'], /^entry 20: Column.*seq/],
    ['a stream', ["UPDATE entries SET stream = 'x' WHERE idx = 20"], /^entry 20: Column.*stream/],
    ['a key id', ["UPDATE entries SET keyid = 'x' WHERE idx = 20"], /^entry 20: Column.*keyid/],
    ['an entry gone', ['DELETE FROM entries WHERE idx = 20'], /^entry 20: Entry is missing/],
    [
      'a payload that nobody erased',
      ['UPDATE entries SET erased = 1 WHERE idx = 20'],
      /^entry 20: Payload is missing and nothing erased it/,
    ],
    [
      'an erasure not carried out',
      [
        `UPDATE entries SET erased = 0, payload = (SELECT payload FROM entries WHERE idx = 20) WHERE erased = 1`,
      ],
      /Erased step 0 of .* has its payload still/,
    ],
    [
      'an erased payload that is not blank',
      ["UPDATE entries SET payload = CAST(x'01' || substr(payload, 2) AS BLOB) WHERE erased = 1"],
      /^database null: Erased entry is not blank: index \d+ of default/,
    ],
    [
      'an erased name that is not blank',
      ["UPDATE entries SET actor = '1' || substr(actor, 2) WHERE erased = 1"],
      /^database null: Erased entry is not blank/,
    ],
    [
      'an erased idempotency key that is not blank',
      ["UPDATE idempotency SET salt = CAST(x'01' || substr(salt, 2) AS BLOB) WHERE erased = 1"],
      /^database null: Erased idempotency key is not blank/,
    ],
    [
      'two entries exchanged',
      [
        'UPDATE entries SET idx = -1 WHERE idx = 20',
        'UPDATE entries SET idx = 20 WHERE idx = 21',
        'UPDATE entries SET idx = 21 WHERE idx = -1',
      ],
      /^(tile|head|checkpoint) /,
    ],
    [
      'a kept checkpoint',
      ["UPDATE kept_checkpoints SET note = replace(note, 'log', 'lag')"],
      /^checkpoint null: Checkpoint \(kept\)/,
    ],
    [
      'the root of a kept checkpoint',
      ['UPDATE kept_checkpoints SET root = zeroblob(32)'],
      /^checkpoint null: .* root is not the one/,
    ],
    [
      'the last checkpoint',
      ['UPDATE last_checkpoints SET note = (SELECT note FROM kept_checkpoints LIMIT 1)'],
      /^checkpoint null: Checkpoint \(last\)/,
    ],
    [
      'the last checkpoint gone',
      ['DELETE FROM last_checkpoints'],
      /^checkpoint null: Last checkpoint is missing/,
    ],
    ['the size', ['UPDATE tenants SET size = size - 1'], /^(pin|checkpoint|head) /],
    [
      'the root',
      ['UPDATE tenants SET root = zeroblob(32)'],
      /^head null: Root at size \d+ is not the one of the head/,
    ],
    [
      'the time of the head',
      ['UPDATE tenants SET time = time + 1'],
      /^head null: Time of the head/,
    ],
    [
      'the status by which a decision is found',
      ["UPDATE entries SET status = 'BLOCK' WHERE idx = 20"],
      /^row 20: Decision is listed as what it does not say/,
    ],
    [
      'a decision that cannot be found',
      ['UPDATE entries SET status_hash = NULL WHERE idx = 20'],
      /^row null: Decisions in the list: 40, in the log: 41/,
    ],
    [
      'an idempotency key',
      ["UPDATE idempotency SET stream = 'x' WHERE id = 3"],
      /^row null: Idempotency key of no decision/,
    ],
    [
      'an API key',
      ['UPDATE api_keys SET scopes = \'["keys:manage"]\''],
      /^row null: API key is not what the log says/,
    ],
    [
      'a revoked API key',
      ['UPDATE api_keys SET revoked_at = NULL WHERE revoked_at IS NOT NULL'],
      /^row null: API key is not what the log says/,
    ],
    ['an API key gone', ['DELETE FROM api_keys'], /^row null: API key is missing/],
    [
      'a trust root',
      [
        'UPDATE trust_roots SET file = (SELECT file FROM trust_roots WHERE version = 1) WHERE version = 2',
      ],
      /^row \d+: Trust root is not the one announced: version 2/,
    ],
    [
      'a trust root gone',
      ['DELETE FROM trust_roots WHERE version = 2'],
      /^row \d+: Trust root is missing: version 2/,
    ],
    [
      'where a key begins',
      ["UPDATE keys SET from_index = 1 WHERE purpose = 'evidence' AND version = 2"],
      /^row null: Key is not what the log says of it: evidence v2/,
    ],
    [
      'a revocation',
      [
        "UPDATE keys SET revoked_at = NULL, state = 'retired' WHERE purpose = 'fast' AND version = 1",
      ],
      /^row null: Key is not what the log says of it: fast v1/,
    ],
    [
      'a sealed key',
      ['UPDATE keys SET body = zeroblob(10) WHERE version = 1'],
      /^database null: Sealed key/,
    ],
    ['a slot', ['UPDATE slots SET body = zeroblob(10)'], /^database null: Slot/],
    [
      'idempotency keys gone',
      ['DELETE FROM idempotency WHERE erased = 0'],
      /^row \d+: Idempotency key of the decision is not remembered/,
    ],
    [
      'a checkpoint that nobody cosigned and that counts as cosigned',
      ['UPDATE kept_checkpoints SET quorum = 1 WHERE size = 1'],
      /^database null: Checkpoint counts as cosigned and has no line but the log’s: size 1 of default/,
    ],
    [
      'an entry behind the end',
      [orphan("tenant, (SELECT size FROM tenants), kind, 'orphan', 0")],
      /^database null: Entry is beyond its log: index \d+ of default/,
    ],
    [
      'an entry far behind the end, in a stream that exists',
      [orphan('tenant, 1000000, kind, stream, 9')],
      /^database null: Entry is beyond its log: index 1000000 of default/,
    ],
    [
      'an entry before the beginning',
      [orphan('tenant, -5, kind, stream, 9')],
      /^database null: Entry is beyond its log: index -5 of default/,
    ],
    [
      'an entry of a tenant that there is not',
      [orphan('99, idx, kind, stream, seq')],
      /^database null: Rows of no tenant: 1 in entries/,
    ],
    ...['tiles', 'last_checkpoints', 'kept_checkpoints', 'idempotency'].map(
      (table): [string, string[], RegExp] => [
        `${table} of a tenant that there is not`,
        [`UPDATE ${table} SET tenant = 99`],
        new RegExp(`^database null: Rows of no tenant: \\d+ in ${table}`),
      ],
    ),
    [
      'the checkpoint behind a trust root gone',
      ['DELETE FROM kept_checkpoints'],
      /^checkpoint \d+: Checkpoint behind trust root version 1 is not kept/,
    ],
    ...['status', 'actor', 'action'].map((name): [string, string[], RegExp] => [
      `the hash by which a decision’s ${name} is found`,
      [`UPDATE entries SET ${name}_hash = 200 + (${name}_hash = 200) WHERE idx = 20`],
      new RegExp(`^database null: Decision cannot be found by its ${name}: index 20 of default`),
    ]),
  ])('names %s', async (_, sql, expected) => {
    const report = await check({ sql })
    expect(report.count).toBeGreaterThan(0)
    expect(told(report)).toContainEqual(expect.stringMatching(expected))
  })

  it.each<[string, string[], RegExp]>([
    [
      'a tile',
      ['UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND n = 0'],
      /^tile 0: Hash 0 of tile 0\/0/,
    ],
    [
      'the tile at the right edge',
      ['UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND n = 1'],
      /^tile 256: Hash 0 of tile 0\/1/,
    ],
    ['a tile gone', ['DELETE FROM tiles WHERE level = 1'], /^tile 0: Tile is missing: 1\/0/],
    [
      'a tile too many',
      ['INSERT INTO tiles SELECT tenant, 5, 9, hashes FROM tiles LIMIT 1'],
      /^tile null: Tile belongs to no tree/,
    ],
    [
      'a tile above the root',
      ['INSERT INTO tiles SELECT tenant, 2, 0, hashes FROM tiles LIMIT 1'],
      /^tile null: Tile belongs to no tree of this size: 2\/0/,
    ],
  ])('names %s', async (_, sql, expected) => {
    expect(told(await check({ sql, world: large }))).toContainEqual(expect.stringMatching(expected))
  })

  it.each<[string, string, RegExp]>([
    [
      'a constraint that is bent',
      "UPDATE sqlite_schema SET sql = replace(sql, 'UNIQUE (tenant, idx)', 'UNIQUE (tenant,  idx)') WHERE name = 'entries'",
      /^database null: Schema is not the one of this version: entries/,
    ],
    [
      'an index that is lost',
      'DROP INDEX keys_one_active',
      /^database null: Schema is not the one of this version: keys_one_active/,
    ],
    [
      'a trigger that nobody made',
      'CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM api_keys; END',
      /^database null: Schema is not the one of this version: t$/,
    ],
  ])('names %s', async (_, schema, expected) => {
    expect(told(await check({ schema }))).toEqual([expect.stringMatching(expected)])
  })

  it.each([
    ['listDecisions', /^row \d+: Decisions are not listed in their order/],
    ['listIdempotency', /^row null: Idempotency keys are not listed in their order/],
    ['listKeptCheckpoints', /^checkpoint null: Kept checkpoints are not listed in their order/],
  ] as const)('comes to an end where %s does not', async (stuck, expected) => {
    expect(told(await check({ stuck, world: large }))).toContainEqual(
      expect.stringMatching(expected),
    )
  })

  it('believes of a checkpoint with a line of somebody else that it is cosigned', async () => {
    const sql =
      "UPDATE kept_checkpoints SET quorum = 1, note = note || '— w.example AAAAAAAA' || char(10)"
    expect(told(await check({ sql: [sql] }))).toEqual([])
  })

  it('names what cannot be read at all, and goes on', async () => {
    const broken = await check({ stuck: 'readInstance' })
    expect(told(broken)).toContainEqual(expect.stringMatching(/^database null: Cannot be read: /))
    expect(broken.decisions).toBe(41)
  })

  it('comes to an end where the size is beyond anything', async () => {
    const sql = [`UPDATE tenants SET size = ${2 ** 47}`]
    expect(told(await check({ sql }))).toContainEqual(
      expect.stringMatching(/^entry \d+: Entry is missing, and nothing behind it can be checked/),
    )
  })

  it('names the last entry of a stream that was cut off with all that belongs to it', async () => {
    const report = await check({
      sql: [`DELETE FROM entries WHERE idx = ${small.last}`, 'UPDATE tenants SET size = size - 1'],
    })
    expect(told(report)).toContainEqual(expect.stringMatching(/^pin \d+: Log has fewer entries/))
  })

  it('says what an older trust root cannot judge, and neither that it is right nor wrong', async () => {
    const report = await check({ trust: 1 })
    expect(told(report)).toEqual([])
    expect(report.conclusive).toBe(false)
    expect(report.unchecked).toEqual([
      expect.stringMatching(
        /^Trust root is older: .* keys of \d+ entries, the first at index \d+$/,
      ),
      expect.stringMatching(/^Trust root is older: .* keys of \d+ checkpoints, the first of size/),
      expect.stringContaining('Manifest'),
    ])
    const wrong = 'UPDATE entries SET signature = zeroblob(length(signature)) WHERE idx = 20'
    expect((await check({ sql: [wrong], trust: 1 })).count).toBe(1)
  })

  it('takes no checkpoint for one of later keys by the newest trust root, nor one that an older knows', async () => {
    const strip = ['kept', 'last'].map(
      (name) => `UPDATE ${name}_checkpoints SET note = replace(note, '— log', '— lag')`,
    )
    const newest = await check({ sql: strip })
    const older = await check({ sql: strip, trust: 1 })
    const byNewestFile = await check({ sql: strip, trust: small.versions })
    const sizes = (report: FsckReport): string[] =>
      told(report).filter((text) => text.includes('No line is by a known key'))
    expect(sizes(newest).length).toBeGreaterThan(1)
    expect(byNewestFile.conclusive).toBe(true)
    expect(sizes(byNewestFile)).toEqual(sizes(newest))
    // Version 1 knows every key up to size 5; the checkpoint of size 6 announces it.
    const known = sizes(newest).filter((text) => Number(/size (\d+)/.exec(text)?.[1]) <= 5)
    expect(known.length).toBeGreaterThan(0)
    expect(sizes(older)).toEqual(known)
    expect(older.unchecked.join()).toContain(
      `keys of ${sizes(newest).length - known.length} checkpoints, the first of size 6`,
    )
    const root = 'UPDATE last_checkpoints SET root = zeroblob(32)'
    expect(told(await check({ sql: [...strip, root], trust: 1 }))).toContainEqual(
      expect.stringMatching(/Checkpoint \(last\) .* root is not the one of the entries/),
    )
  })

  it('says of entries in the future that a clock is wrong, beyond what clocks are set back by', async () => {
    const whole = await check({ clock: () => small.lastTime - 5000 })
    expect([whole.count, whole.conclusive]).toEqual([0, true])
    const early = await check({ clock: () => small.lastTime - 5001 })
    expect([early.count, early.conclusive]).toEqual([0, false])
    expect(early.unchecked[0]).toMatch(/^Times of \d+ entries, the first at index \d+, are later/)
  })

  it('names two decisions of one owner and idempotency key', async () => {
    const test = await foundTestService({})
    await test.notarise(requestOf(1), 'key')
    await test.service.close()
    const db = new Database(join(test.directory, 'data', 'countersign.db'))
    expect(db.prepare('DELETE FROM idempotency').run().changes).toBe(1)
    db.close()
    const again = await test.reopen()
    const { id } = await again.notarise(requestOf(2), 'key')
    await again.service.close()
    expect(told(await checkTenant(test))).toEqual([
      expect.stringMatching(`^row \\d+: Idempotency key of the decision stands for another: ${id}`),
    ])
  })

  it('tells the first index of all that it found', async () => {
    const sql = [35, 30, 45].map((n) => `UPDATE entries SET time = time + 1 WHERE idx = ${n}`)
    expect(await check({ sql })).toMatchObject({ count: 3, firstIndex: 30 })
  })

  it.each([true, false])(
    'lets others have their turn, signatures or not: %s',
    async (signatures) => {
      let over = false
      let turns = 0
      const turn = (): void => {
        turns++
        if (!over) setImmediate(turn)
      }
      await storeOf(large, async (store) => {
        setImmediate(turn)
        await fsck({ ...fsckRequest(store), signatures })
        over = true
      })
      // One for each step of the database, 64 entries, page of a list.
      expect(turns).toBeGreaterThan(28)
    },
  )

  it('ends when it is told to', async () => {
    const stop = new AbortController()
    const progress = (): void => {
      stop.abort(new Error('Enough'))
    }
    const running = storeOf(large, (store) =>
      fsck({ ...fsckRequest(store), progress, signal: stop.signal, signatures: false }),
    )
    await expect(running).rejects.toThrow('Enough')
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bitsOf, FlippedDatabase, type Fate } from '../support/bit-flips.ts'
import { makeRichInstallation } from '../support/rich-installation.ts'

// Single bits are flipped in a database that holds something of everything. FAULTS=all (npm run test:fault) flips ten thousand, anywhere in the file, and a
// quarter as many again where bytes are not zero: half of a young database is room that is free.
const all = process.env['FAULTS'] === 'all'
const anywhere = all ? 10_000 : 240
const used = anywhere / 4
const hourMs = 3_600_000

const home = mkdtempSync(join(tmpdir(), 'countersign-flips-'))
let database: FlippedDatabase

beforeAll(async () => {
  database = new FlippedDatabase(await makeRichInstallation(home, 20))
})

afterAll(() => {
  rmSync(home, { force: true, recursive: true })
})

/** Flips so many bits one after the other; counts their fates and tells the defects. */
async function flipMany(count: number, seed: number, where: (bit: number) => boolean) {
  const fates: Record<Fate, number> = { missed: 0, named: 0, outside: 0 }
  const missed: string[] = []
  let left = count
  for (const bit of bitsOf(database.bytes, seed)) {
    if (left === 0) break
    if (!where(bit)) continue
    left--
    const { fate, said } = await database.flip(bit)
    fates[fate]++
    if (fate === 'missed') missed.push(`Bit ${bit & 7} of byte ${bit >> 3}: ${said}`)
  }
  process.stderr.write(`Bits flipped: ${JSON.stringify(fates)} (seed ${seed})\n`)
  return { fates, missed }
}

it('finds nothing wrong with the database as it is', async () => {
  expect(await database.check()).toBeUndefined()
})

it(
  `names a flipped bit, or it is outside every record: ${anywhere} anywhere`,
  async () => {
    const { fates, missed } = await flipMany(anywhere, 20_261_121, () => true)
    expect(missed).toEqual([])
    expect(fates.named).toBeGreaterThan(anywhere / 10)
    expect(fates.named + fates.outside).toBe(anywhere)
  },
  hourMs,
)

it(
  `names a flipped bit, or it is outside every record: ${used} where something is written`,
  async () => {
    const { fates, missed } = await flipMany(used, 1, (bit) => database.isUsed(bit))
    expect(missed).toEqual([])
    expect(fates.named).toBeGreaterThan(used * 0.9)
  },
  hourMs,
)

it('is the database it was', async () => {
  expect(await database.check()).toBeUndefined()
})

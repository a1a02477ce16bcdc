import { statSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Notarised } from '../../src/wire/decision.ts'
import { Bursts, type Fault, type Mishap } from '../support/bursts.ts'
import { placeIn, restart } from '../support/restart.ts'

// A burst of decisions and an erasure meets one fault in each of its runs: every call by which it opens, writes, syncs, cuts or removes a file, at each of
// its occurrences. FAULTS=all (npm run test:fault) meets all of them, else one of those that decide in every way and of some others in one.
const all = process.env['FAULTS'] === 'all'
const hourMs = 3_600_000

const traced = [
  'open,openat,creat,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,msync',
  'truncate,ftruncate,fallocate,rename,renameat,renameat2,link,linkat,unlink,unlinkat',
].flatMap((line) => line.split(','))

interface Target {
  readonly file: string
  readonly syscall: string
  readonly mishaps: readonly Mishap[]
  /** In how many ways the sample meets it. */
  readonly sampled: number
}

const opened: readonly Mishap[] = ['EIO', 'KILL']
const written: readonly Mishap[] = ['EIO', 'ENOSPC', 'late', 'KILL']
const synced: readonly Mishap[] = ['EIO', 'late', 'KILL']

// What a burst calls, all of it: a call that is new to it belongs here.
const targets: readonly Target[] = [
  { file: 'data', mishaps: opened, sampled: 0, syscall: 'openat' },
  { file: 'data', mishaps: synced, sampled: 1, syscall: 'fsync' },
  { file: 'database', mishaps: opened, sampled: 0, syscall: 'openat' },
  { file: 'database', mishaps: written, sampled: 2, syscall: 'pwrite64' },
  { file: 'database', mishaps: synced, sampled: 1, syscall: 'fsync' },
  { file: 'database', mishaps: synced, sampled: 1, syscall: 'ftruncate' },
  { file: 'lock', mishaps: opened, sampled: 0, syscall: 'openat' },
  { file: 'pin', mishaps: opened, sampled: 1, syscall: 'openat' },
  { file: 'pin', mishaps: written, sampled: 4, syscall: 'pwrite64' },
  { file: 'pin', mishaps: synced, sampled: 3, syscall: 'fdatasync' },
  { file: 'pins', mishaps: opened, sampled: 0, syscall: 'openat' },
  { file: 'pins lock', mishaps: opened, sampled: 0, syscall: 'openat' },
  { file: 'shared memory', mishaps: opened, sampled: 0, syscall: 'openat' },
  { file: 'shared memory', mishaps: written, sampled: 1, syscall: 'pwrite64' },
  { file: 'shared memory', mishaps: synced, sampled: 0, syscall: 'ftruncate' },
  { file: 'shared memory', mishaps: opened, sampled: 0, syscall: 'unlink' },
  { file: 'wal', mishaps: opened, sampled: 1, syscall: 'openat' },
  { file: 'wal', mishaps: written, sampled: 4, syscall: 'pwrite64' },
  { file: 'wal', mishaps: synced, sampled: 3, syscall: 'fsync' },
  { file: 'wal', mishaps: synced, sampled: 1, syscall: 'ftruncate' },
  { file: 'wal', mishaps: opened, sampled: 0, syscall: 'unlink' },
]

const nameOf = ({ file, syscall }: Pick<Target, 'file' | 'syscall'>): string => `${syscall} ${file}`

// What a start finds to do after a crash: to copy what is in the WAL, to pin what is ahead of its pin.
const startTargets: readonly Target[] = [
  { file: 'database', mishaps: written, sampled: 1, syscall: 'pwrite64' },
  { file: 'database', mishaps: synced, sampled: 1, syscall: 'fsync' },
  { file: 'pin', mishaps: written, sampled: 0, syscall: 'pwrite64' },
  { file: 'pin', mishaps: synced, sampled: 0, syscall: 'fdatasync' },
  { file: 'wal', mishaps: opened, sampled: 0, syscall: 'openat' },
  { file: 'wal', mishaps: synced, sampled: 1, syscall: 'fsync' },
  { file: 'wal', mishaps: synced, sampled: 0, syscall: 'ftruncate' },
]

/** Where a sweep begins, each time anew. */
interface Ground {
  readonly directory?: string
  /** What was acknowledged before. */
  readonly before: readonly Notarised[]
  readonly counts: ReadonlyMap<string, number>
  readonly decisions: number
}

let bursts: Bursts
/** Faults that were met, by mishap. */
const met = new Map<Mishap, number>()
let missed = 0

/** Counts what a burst calls from here. */
function survey(from: Omit<Ground, 'counts'>): Ground {
  const directory = bursts.copy(from.directory)
  const counts = bursts.count(directory, traced, from.decisions)
  bursts.remove(directory)
  return { ...from, counts }
}

beforeAll(() => {
  bursts = new Bursts()
})

afterAll(() => {
  bursts.close()
})

/** The occurrences of a call that are met: each, or one in the middle, where there are answers to lose. */
function occurrences(target: Target, { counts }: Ground): readonly number[] {
  const count = counts.get(nameOf(target)) ?? 0
  return all ? Array.from({ length: count }, (_, i) => i + 1) : [Math.ceil(count / 2)]
}

async function meet(fault: Fault, { before, decisions, directory: from }: Ground): Promise<void> {
  const directory = bursts.copy(from)
  const ran = bursts.run(directory, fault, decisions)
  const { lines, status, stderr } = ran
  const what = JSON.stringify({ ...fault, status, stderr: stderr.slice(0, 2000) })
  const acknowledged = [...before, ...ran.acknowledged]
  expect([what, await restart(placeIn(directory), { acknowledged })]).toEqual([what, []])
  const unhealed = lines.some((line) => 'healed' in line && !line.healed)
  expect([what, unhealed]).toEqual([what, false])
  if (ran.met) met.set(fault.mishap, (met.get(fault.mishap) ?? 0) + 1)
  else {
    // Pages split as they will: the last occurrence that was counted need not come again. Then nothing may have gone wrong either.
    expect([what, ran.acknowledged.length]).toEqual([what, decisions + 8])
    missed++
  }
  bursts.remove(directory)
}

/** Meets the faults of some calls, in a test for each call and mishap. */
function sweep(targets: readonly Target[], ground: () => Ground): void {
  describe.each(targets.filter(({ sampled }) => all || sampled > 0))(
    'at $syscall of $file',
    (target) => {
      const { file, mishaps, sampled, syscall } = target
      // Which ways those are goes round, so that one ends in each.
      const turn = targets.indexOf(target) % mishaps.length
      const turned = [...mishaps.slice(turn), ...mishaps.slice(0, turn)]
      it.each(turned.slice(0, all ? 4 : sampled))(
        '%s: what was acknowledged is there, provable, in one history',
        async (mishap) => {
          for (const nth of occurrences(target, ground()))
            await meet({ file, mishap, nth, syscall }, ground())
        },
        hourMs,
      )
    },
  )
}

describe('a burst', () => {
  let ground: Ground

  beforeAll(() => {
    ground = survey({ before: [], decisions: 40 })
  })

  it('writes by the calls that are swept and no other, and syncs', () => {
    const { counts, decisions } = ground
    expect([...counts.keys()].sort()).toEqual(targets.map(nameOf).sort())
    // A sweep that meets no fsync proves nothing.
    expect(counts.get('fsync wal')).toBeGreaterThan(decisions / 8)
    expect(counts.get('fdatasync pin')).toBeGreaterThan(decisions / 8)
    expect(counts.get('fsync database')).toBeGreaterThan(1)
  })

  sweep(targets, () => ground)
})

describe('a start after a crash', () => {
  let ground: Ground

  beforeAll(() => {
    const directory = bursts.copy()
    // Between the commit and its pin, with pages in the WAL that are not yet in the database.
    const crash = { file: 'pin', mishap: 'KILL', nth: 5, syscall: 'pwrite64' } as const
    const { acknowledged, met: crashed } = bursts.run(directory, crash, 40)
    expect(crashed).toBe(true)
    expect(statSync(bursts.files(directory)['wal'] ?? '').size).toBeGreaterThan(16_384)
    ground = survey({ before: acknowledged, decisions: 1, directory })
  })

  it('has acknowledged entries to lose, and syncs', () => {
    expect(ground.before.length).toBeGreaterThan(20)
    for (const name of startTargets.map(nameOf)) expect(ground.counts.get(name)).toBeGreaterThan(0)
    // One pin more than a burst of that length writes: the one that was missing.
    expect(ground.counts.get('pwrite64 pin')).toBeGreaterThan(3)
  })

  sweep(startTargets, () => ground)
})

it('met the faults', () => {
  const total = [...met.values()].reduce((sum, count) => sum + count, 0)
  process.stderr.write(`Faults met: ${JSON.stringify(Object.fromEntries(met))} = ${total}\n`)
  expect(total).toBeGreaterThanOrEqual(all ? 500 : 20)
  expect(missed).toBeLessThanOrEqual(total / 20)
  expect([...met.keys()].sort()).toEqual(['EIO', 'ENOSPC', 'KILL', 'late'])
})

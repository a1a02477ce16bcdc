import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bursts, type Fault, type Mishap } from '../support/bursts.ts'
import { placeIn, restart } from '../support/restart.ts'

// A burst of decisions and an erasure meets one fault in each of its runs: every call by which it opens, writes, syncs, cuts or removes a file, at each of
// its occurrences. FAULTS=all (npm run test:fault) meets all of them, else one of those that decide in every way and of some others in one.
const all = process.env['FAULTS'] === 'all'
const decisions = 40
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

let bursts: Bursts
let counts: ReadonlyMap<string, number>
/** Faults that were met, by mishap. */
const met = new Map<Mishap, number>()
let missed = 0

beforeAll(() => {
  bursts = new Bursts()
  const directory = bursts.copy()
  counts = bursts.count(directory, traced, decisions)
  bursts.remove(directory)
})

afterAll(() => {
  bursts.close()
})

/** The occurrences of a call that are met: each, or one in the middle of the burst, where there are answers to lose. */
function occurrences(target: Target): readonly number[] {
  const count = counts.get(nameOf(target)) ?? 0
  return all ? Array.from({ length: count }, (_, i) => i + 1) : [Math.ceil(count / 2)]
}

async function meet(fault: Fault): Promise<void> {
  const directory = bursts.copy()
  const {
    acknowledged,
    lines,
    met: happened,
    status,
    stderr,
  } = bursts.run(directory, fault, decisions)
  const what = JSON.stringify({ ...fault, status, stderr: stderr.slice(0, 2000) })
  expect([what, await restart(placeIn(directory), { acknowledged })]).toEqual([what, []])
  const unhealed = lines.some((line) => 'healed' in line && !line.healed)
  expect([what, unhealed]).toEqual([what, false])
  if (happened) met.set(fault.mishap, (met.get(fault.mishap) ?? 0) + 1)
  else {
    // Pages split as they will: the last occurrence that was counted need not come again. Then nothing may have gone wrong either.
    expect([what, acknowledged.length]).toEqual([what, decisions + 8])
    missed++
  }
  bursts.remove(directory)
}

describe('a burst', () => {
  it('writes by the calls that are swept and no other, and syncs', () => {
    expect([...counts.keys()].sort()).toEqual(targets.map(nameOf).sort())
    // A sweep that meets no fsync proves nothing.
    expect(counts.get('fsync wal')).toBeGreaterThan(decisions / 8)
    expect(counts.get('fdatasync pin')).toBeGreaterThan(decisions / 8)
    expect(counts.get('fsync database')).toBeGreaterThan(1)
  })

  describe.each(targets.filter(({ sampled }) => all || sampled > 0))(
    'at $syscall of $file',
    (target) => {
      const { file, mishaps, sampled, syscall } = target
      // Which ways those are goes round, so that one ends in each.
      const turn = targets.indexOf(target) % mishaps.length
      const chosen = [...mishaps.slice(turn), ...mishaps.slice(0, turn)].slice(0, all ? 4 : sampled)
      it.each(chosen)(
        '%s: what was acknowledged is there, provable, in one history',
        async (mishap) => {
          for (const nth of occurrences(target)) await meet({ file, mishap, nth, syscall })
        },
        hourMs,
      )
    },
  )

  it('met the faults', () => {
    const total = [...met.values()].reduce((sum, count) => sum + count, 0)
    process.stderr.write(`Faults met: ${JSON.stringify(Object.fromEntries(met))} = ${total}\n`)
    expect(total).toBeGreaterThanOrEqual(all ? 500 : 20)
    expect(missed).toBeLessThanOrEqual(total / 20)
    expect([...met.keys()].sort()).toEqual(['EIO', 'ENOSPC', 'KILL', 'late'])
  })
})

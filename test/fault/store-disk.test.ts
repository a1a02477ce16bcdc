import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  acknowledged,
  inspect,
  needMount,
  needStrace,
  prepare,
  runOnSmallDisk,
  runTampered,
  temporaryDirectory,
} from '../support/store-faults.ts'
import type { Line } from '../support/store-faults.ts'

const firstRefusal = (lines: readonly Line[]) =>
  lines.find(({ commit }) => commit !== undefined && commit !== 'OK')?.commit

describe('a disk that is full', () => {
  beforeAll(needMount)

  it.each(['close', 'die'])(
    'keeps what was acknowledged and nothing else: then %s',
    async (task) => {
      using directory = temporaryDirectory()
      const data = join(directory.path, 'data')
      const lines = runOnSmallDisk(data, '3m', 1_000_000, task)
      expect(['STORE_FULL', 'LOG_STATE_UNKNOWN']).toContain(firstRefusal(lines))
      const sure = acknowledged(lines)
      expect(sure).toBeGreaterThan(3)
      const size = await inspect(data)
      expect(size - sure).toBeGreaterThanOrEqual(0)
      expect(size - sure).toBeLessThanOrEqual(firstRefusal(lines) === 'STORE_FULL' ? 0 : 1)
      // Where nothing was written the same store goes on as soon as there is room.
      if (firstRefusal(lines) === 'STORE_FULL')
        expect(lines.findLast(({ commit }) => commit !== undefined)).toEqual({ commit: 'OK' })
    },
  )
})

describe('a write that finds no room', () => {
  beforeAll(needStrace)

  it('leaves nothing of the commit, not even when it is the very last one', async () => {
    using directory = temporaryDirectory()
    const data = join(directory.path, 'data')
    await prepare(data)
    const { trace } = runTampered(data, 'fsync,pwrite64', '', 'close')
    const calls = trace.split('\n').filter((line) => /fsync|pwrite64/.test(line))
    // Writes on the WAL before the fsync of the third commit; the first of a new WAL syncs its header, too.
    const syncs = calls.flatMap((line, i) => (line.includes('fsync') ? [i] : []))
    const writesBefore = (end: number | undefined) =>
      calls.slice(0, end).filter((line) => line.includes('pwrite64')).length
    const last = writesBefore(syncs[3])
    const first = writesBefore(syncs[2]) + 1
    expect(last).toBeGreaterThan(first + 3)
    for (const nth of [first, first + 1, last - 1, last]) {
      const again = join(directory.path, `data-${nth}`)
      await prepare(again)
      const injection = `inject=pwrite64:error=ENOSPC:when=${nth}`
      const { lines, trace } = runTampered(again, 'pwrite64', injection, 'die')
      expect(trace).toContain('INJECTED')
      expect(lines.slice(0, 5)).toEqual([
        { commit: 'OK' },
        { commit: 'OK' },
        { commit: 'STORE_FULL' },
        { read: 'OK', probe: 'OK' },
        { commit: 'OK' },
      ])
      expect(await inspect(again)).toBe(3)
    }
  })
})

describe('an fsync that fails', () => {
  beforeAll(needStrace)

  it.each([
    { which: 'once, and the store is closed', when: '4', task: 'close' as const },
    { which: 'once, and the process is killed', when: '4', task: 'die' as const },
    { which: 'from then on, and the store is closed', when: '4+', task: 'close' as const },
    { which: 'from then on, and the process is killed', when: '4+', task: 'die' as const },
  ])('leaves the state unknown and the store refusing: $which', async ({ when, task }) => {
    using directory = temporaryDirectory()
    const data = join(directory.path, 'data')
    await prepare(data)
    const { lines, trace } = runTampered(data, 'fsync', `inject=fsync:error=EIO:when=${when}`, task)
    expect(trace).toContain('INJECTED')
    const unknown = 'LOG_STATE_UNKNOWN'
    const sure = acknowledged(lines)
    expect(sure).toBeGreaterThan(0)
    expect(lines.slice(sure)).toEqual([
      { commit: unknown },
      { read: unknown, probe: unknown },
      { commit: unknown },
      ...(task === 'close' ? [{ close: 'OK' }] : []),
    ])
    const size = await inspect(data)
    expect([sure, sure + 1]).toContain(size)
    // The frames are in the file though they were refused: that is why nobody may say they are not.
    if (task === 'die') expect(size).toBe(sure + 1)
  })

  it('loses nothing acknowledged when the process is killed in it', async () => {
    using directory = temporaryDirectory()
    for (const nth of [3, 4, 5]) {
      const data = join(directory.path, `data-${nth}`)
      await prepare(data)
      const injection = `inject=fsync:signal=SIGKILL:when=${nth}`
      const { lines, trace } = runTampered(data, 'fsync', injection, 'die')
      expect(trace).toContain('SIGKILL')
      const sure = acknowledged(lines)
      expect(lines).toHaveLength(sure)
      expect(sure).toBeGreaterThan(0)
      expect([sure, sure + 1]).toContain(await inspect(data))
    }
  })
})

import { spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCountersign, startCountersign } from '../support/cli.ts'
import { needMount } from '../support/store-faults.ts'

const decisions = 1500
const main = resolve(import.meta.dirname, '../../src/main.ts')
let cwd: string

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'countersign-period-'))
  const cs = (args: readonly string[], input = '') => runCountersign(args, { cwd, input })
  expect((await cs(['init', '--profile', 'checkpoint'])).code).toBe(0)
  const lines = Array.from({ length: decisions }, (_, n) =>
    JSON.stringify({
      idempotencyKey: `key-${n}`,
      intent: { action: { type: 'pay' }, actor: { id: `bot-${n}` } },
      status: 'ALLOW',
    }),
  )
  expect((await cs(['notarise', '-'], lines.join('\n'))).code).toBe(0)
  expect((await cs(['audit', 'export', '-o', 'whole'])).code).toBe(0)
  expect((await cs(['trust-root', '-o', 'trust.json'])).code).toBe(0)
  expect((await cs(['verify', 'whole', '--trust', 'trust.json'])).code).toBe(0)
})

afterAll(() => {
  rmSync(cwd, { force: true, recursive: true })
})

const read = (name: string): Buffer => readFileSync(join(cwd, name))
const sizeOf = (name: string): number => {
  const path = join(cwd, name)
  return existsSync(path) ? statSync(path).size : 0
}

/** Waits until something is so, or the program has ended. */
async function until(child: ChildProcess, holds: () => boolean): Promise<void> {
  while (!holds() && child.exitCode === null) await sleep(2)
}

const isSame = (name: string): boolean =>
  ['', '.csv'].every((end) => read(name + end).equals(read(`whole${end}`)))

describe('an export whose process is killed', () => {
  it.each([
    ['at its beginning', 0.01],
    ['among the dossiers', 0.4],
    ['among the leaves', 0.95],
  ])('goes on from its journal and comes out the same: %s', async (where, share) => {
    const name = `killed-${share}`
    const args = ['audit', 'export', '-o', name]
    const child = startCountersign(args, { cwd })
    const ended = once(child, 'close')
    const enough = share * sizeOf('whole')
    await until(child, () => sizeOf(`${name}.part`) >= enough)
    // Held for longer than a journal is good for, it writes one as soon as it goes on.
    const journal = join(cwd, `${name}.journal`)
    const writtenAt = (): number => (existsSync(journal) ? statSync(journal).mtimeMs : 0)
    const before = writtenAt()
    child.kill('SIGSTOP')
    await sleep(1100)
    child.kill('SIGCONT')
    if (share > 0.1) await until(child, () => writtenAt() !== before)
    child.kill('SIGKILL')
    await ended
    expect([where, child.signalCode, existsSync(join(cwd, name))]).toEqual([
      where,
      'SIGKILL',
      false,
    ])
    const again = await runCountersign(args, { cwd })
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('1,506 entries')])
    if (share > 0.1) expect(again.stderr).toContain('going on with the unfinished export')
    expect(isSame(name)).toBe(true)
  })
})

describe('an export onto a disk that gets full', () => {
  beforeAll(needMount)

  it('says so, keeps what it has, and goes on when there is room', () => {
    mkdirSync(join(cwd, 'small'))
    const run = `"$0" "$1" audit export -o small/a`
    const program = [
      'mount -t tmpfs -o size=2m none small',
      `${run}; echo "exit $?"; ls small`,
      'mount -o remount,size=100m small',
      `${run}; echo "exit $?"; cp small/a small/a.csv .`,
    ].join('\n')
    const { stderr, stdout } = spawnSync(
      'unshare',
      ['-m', 'sh', '-c', program, process.execPath, main],
      { cwd, encoding: 'utf8' },
    )
    expect(stderr).toContain('File cannot be written (ENOSPC)')
    expect(stdout.split('\n').slice(0, 4)).toEqual(['exit 75', 'a.csv.part', 'a.journal', 'a.part'])
    expect(stdout).toContain('exit 0')
    expect(isSame('a')).toBe(true)
  })
})

// An installation is founded while the disk of its keys directory is too small for what comes there, by one page less each time.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { needMount } from '../support/store-faults.ts'

const main = resolve(import.meta.dirname, '../../src/main.ts')
const most = 10

beforeAll(needMount)

/** What founding says and exits with: where the disk has so many pages, and again when there is room; then whether the log is clean. */
function foundOn(pages: number): readonly string[] {
  const cwd = mkdtempSync(join(tmpdir(), 'countersign-founding-'))
  onTestFinished(() => {
    rmSync(cwd, { force: true, recursive: true })
  })
  mkdirSync(join(cwd, 'keys'))
  const program = [
    'mount -t tmpfs -o mode=700,size=$(($(getconf PAGE_SIZE) * $2)) none keys || exit 9',
    '"$0" "$1" init 2>&1 >/dev/null; echo "= $?"',
    'mount -o remount,size=64m keys || exit 9',
    '"$0" "$1" init 2>&1 >/dev/null; echo "= $?"',
    '"$0" "$1" log fsck 2>&1 >/dev/null; echo "= $?"',
  ].join('\n')
  const { status, stdout } = spawnSync(
    'unshare',
    ['-m', 'sh', '-c', program, process.execPath, main, String(pages)],
    { cwd, encoding: 'utf8' },
  )
  expect(status).toBe(0)
  return stdout.split(/(?<== \d+)\n/).filter((said) => said !== '')
}

it('goes on where the disk of its keys was full, and says from the first time on which key file stays', () => {
  const ended: (string | undefined)[] = []
  for (let pages = 1; pages <= most && !ended.includes('= 0'); pages++) {
    const [first = '', again, fsck] = foundOn(pages)
    ended.push(first.split('\n').at(-1))
    if (first.endsWith('= 0')) {
      expect(again).toMatch(/INPUT_EXISTS[^]*= 1$/)
      continue
    }
    expect([pages, first]).toEqual([pages, expect.stringContaining('keys/countersign.kek')])
    expect(first).toMatch(/\((STORE_FULL|LOG_STATE_UNKNOWN)\)/)
    const done = expect.stringMatching(/= 0$/) as string
    expect([pages, again, fsck]).toEqual([pages, done, done])
  }
  // The pin takes two pages and the trust root some more, so that each was met.
  expect(ended.length).toBeGreaterThan(3)
  expect(ended.at(-1)).toBe('= 0')
})

// An auditor's account reads an installation whose keys directory lies on a file system that it cannot write.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { runCountersign } from '../support/cli.ts'
import { needMount } from '../support/store-faults.ts'

const main = resolve(import.meta.dirname, '../../src/main.ts')

beforeAll(needMount)

it('reads beside pins that it cannot write, and signs nothing there', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'countersign-read-only-'))
  onTestFinished(() => {
    rmSync(cwd, { recursive: true, force: true })
  })
  expect((await runCountersign(['init'], { cwd })).code).toBe(0)
  const program = [
    'mount --bind keys keys && mount -o remount,ro,bind keys || exit 9',
    '"$0" "$1" trust-root >/dev/null; echo "trust-root $?"',
    '"$0" "$1" log publish --to published >/dev/null; echo "publish $?"',
    '"$0" "$1" tenant create other; echo "create $?"',
  ].join('\n')
  const { stderr, stdout } = spawnSync(
    'unshare',
    ['-m', 'sh', '-c', program, process.execPath, main],
    { cwd, encoding: 'utf8' },
  )
  expect(stdout, stderr).toBe('trust-root 0\npublish 0\ncreate 2\n')
})

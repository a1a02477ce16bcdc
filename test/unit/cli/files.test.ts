import { lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { writeWhole } from '../../../src/cli/files.ts'

const directory = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'countersign-files-'))
  onTestFinished(() => {
    rmSync(path, { recursive: true })
  })
  return path
}

const content = new TextEncoder().encode('content')

it('replaces a file as a whole, and follows a link instead of replacing it', async () => {
  const path = directory()
  writeFileSync(join(path, 'target'), 'before, and longer')
  symlinkSync(join(path, 'target'), join(path, 'link'))
  await writeWhole(path, 'link', content)
  expect(lstatSync(join(path, 'link')).isSymbolicLink()).toBe(true)
  expect(readFileSync(join(path, 'target'), 'utf8')).toBe('content')
  await writeWhole(path, 'target', new Uint8Array(0))
  expect(readFileSync(join(path, 'target'), 'utf8')).toBe('')
})

it('writes into a device and leaves it one', async () => {
  const path = directory()
  const made = spawnSync('mknod', [join(path, 'null'), 'c', '1', '3'])
  // Without the right to make a device, a pipe to nobody would block: the link above stands for it.
  if (made.status !== 0) return
  await writeWhole(path, 'null', content)
  expect(lstatSync(join(path, 'null')).isCharacterDevice()).toBe(true)
})

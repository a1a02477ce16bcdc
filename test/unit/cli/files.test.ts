import { lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { execFileSync, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { readBounded, writeWhole } from '../../../src/cli/files.ts'

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

it('writes into a pipe and leaves it one', async () => {
  const path = directory()
  const pipe = join(path, 'pipe')
  execFileSync('mkfifo', [pipe])
  const reader = spawn('cat', [pipe])
  const read = text(reader.stdout)
  await writeWhole(path, 'pipe', content)
  expect(await read).toBe('content')
  expect(lstatSync(pipe).isFIFO()).toBe(true)
})

it('reads no more of a file than one byte beyond the bound', async () => {
  const path = directory()
  const of = (length: number): Uint8Array => {
    const bytes = Uint8Array.from({ length }, (_, i) => i)
    writeFileSync(join(path, 'file'), bytes)
    return bytes
  }
  for (const length of [0, 1, 99_999, 100_000, 100_001]) {
    const bytes = of(length)
    expect(await readBounded(path, 'file', 100_000)).toEqual(bytes)
  }
  const longer = of(100_002)
  expect(await readBounded(path, 'file', 100_000)).toEqual(longer.subarray(0, 100_001))
  expect(await readBounded(path, 'file', 0)).toEqual(longer.subarray(0, 1))
})

it('reads no more of what has no size either, and the whole of a pipe', async () => {
  expect(await readBounded('/', 'dev/zero', 100)).toEqual(new Uint8Array(101))
  const path = directory()
  const pipe = join(path, 'pipe')
  execFileSync('mkfifo', [pipe])
  spawn('sh', ['-c', `printf con > '${pipe}'`])
  expect(await readBounded(path, 'pipe', 100)).toEqual(content.subarray(0, 3))
})

it('says of a name why it cannot be read', async () => {
  const path = directory()
  await expect(readBounded(path, 'nowhere', 9)).rejects.toThrow(/\(ENOENT\): nowhere$/)
  await expect(readBounded(path, '.', 9)).rejects.toThrow('not a directory')
})

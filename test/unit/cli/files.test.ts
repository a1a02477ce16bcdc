import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { execFileSync, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import {
  openReadable,
  readBounded,
  readStream,
  refuseExisting,
  writeWhole,
} from '../../../src/cli/files.ts'

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

it('takes no file that is called as standard input and output are, unless it is said so', async () => {
  const path = directory()
  writeFileSync(join(path, '-'), 'planted')
  await expect(readBounded(path, '-', 9)).rejects.toThrow('/dev/stdin for standard input: -')
  await expect(writeWhole(path, '-', content)).rejects.toThrow('The name of a file is expected')
  await expect(refuseExisting(path, '-')).rejects.toThrow('The name of a file is expected')
  expect(Buffer.from(await readBounded(path, './-', 9)).toString()).toBe('planted')
})

it('says of a name why it cannot be read', async () => {
  const path = directory()
  await expect(readBounded(path, 'nowhere', 9)).rejects.toThrow(/\(ENOENT\): nowhere$/)
  await expect(readBounded(path, '.', 9)).rejects.toThrow('not a directory')
})

it('puts another file in the place of one behind a link, so that who reads it sees all or nothing', async () => {
  const path = directory()
  writeFileSync(join(path, 'target'), 'before')
  symlinkSync('target', join(path, 'link'))
  const reader = openSync(join(path, 'target'), 'r')
  await writeWhole(path, 'link', content)
  expect(readFileSync(reader, 'utf8')).toBe('before')
  closeSync(reader)
  expect(readFileSync(join(path, 'target'), 'utf8')).toBe('content')
  expect(lstatSync(join(path, 'link')).isSymbolicLink()).toBe(true)
  symlinkSync('nowhere', join(path, 'dangling'))
  await writeWhole(path, 'dangling', content)
  expect(readFileSync(join(path, 'nowhere'), 'utf8')).toBe('content')
})

it('writes through what another has open, and does not take its name away', async () => {
  const path = directory()
  const file = openSync(join(path, 'file'), 'w')
  await writeWhole(path, `/proc/self/fd/${file}`, content)
  expect(statSync(join(path, 'file')).size).toBe(content.length)
  closeSync(file)
  expect(readdirSync(path)).toEqual(['file'])
})

it('keeps the mode of what it replaces', async () => {
  const path = directory()
  writeFileSync(join(path, 'file'), '')
  for (const mode of [0o600, 0o664]) {
    chmodSync(join(path, 'file'), mode)
    await writeWhole(path, 'file', content)
    expect(statSync(join(path, 'file')).mode & 0o777).toBe(mode)
  }
})

it('writes under the longest of names, and is not held up by what a crash has left', async () => {
  const path = directory()
  writeFileSync(join(path, `file.${process.pid}.tmp`), 'of a process 1 before this one')
  await writeWhole(path, 'file', content)
  const longest = 'n'.repeat(255)
  await writeWhole(path, longest, content)
  expect(readFileSync(join(path, longest), 'utf8')).toBe('content')
  await expect(writeWhole(path, 'n'.repeat(256), content)).rejects.toThrow('(ENAMETOOLONG)')
  expect(readdirSync(path).sort()).toEqual(['file', `file.${process.pid}.tmp`, longest])
})

it('opens no socket, and says so before anything is done with it', async () => {
  const path = directory()
  const server = createServer().listen(join(path, 'socket'))
  onTestFinished(() => {
    server.close()
  })
  await expect(openReadable(path, 'socket')).rejects.toThrow(/\(ENXIO\): socket$/)
})

it('reads of a stream what shows that it is too long, in however many pieces it comes', async () => {
  const read = async (pieces: readonly number[]): Promise<number> => {
    const input = Readable.from(pieces.map((length) => new Uint8Array(length)))
    return (await readStream(input, 100)).length
  }
  expect(await read([60, 40])).toBe(100)
  expect(await read([60, 40, 1])).toBe(101)
  expect(await read([101, ...Array<number>(100).fill(100)])).toBe(101)
  const input = Readable.from(Array.from({ length: 300_000 }, () => new Uint8Array(1)))
  expect((await readStream(input, 300_000)).length).toBe(300_000)
})

it('takes a name for taken that something has, be it a link to nowhere', async () => {
  const path = directory()
  await refuseExisting(path, 'free')
  symlinkSync('nowhere', join(path, 'dangling'))
  await expect(refuseExisting(path, 'dangling')).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
})

import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { generateEnvironmentKek } from '../../../src/kek/environment-key.ts'
import { loadEnvironmentKek } from '../../../src/kek/environment.ts'
import { createKekFile } from '../../../src/kek/kek-file.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kek-'))
  path = join(folder, 'kek')
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

function write(content: string | Uint8Array, mode = 0o600): void {
  writeFileSync(path, content)
  chmodSync(path, mode)
}

function refusalOf(file = path): string {
  try {
    loadEnvironmentKek(file)
  } catch (error) {
    if (error instanceof Failure && error.code === 'CONFIG_INVALID') return error.message
    throw error
  }
  return 'accepted'
}

describe('the file of an environment KEK', () => {
  it.each([0o600, 0o400])('is read with mode %o', (mode) => {
    write(generateEnvironmentKek(), mode)
    expect(refusalOf()).toBe('accepted')
  })

  it.each([
    [0o640, '0640'],
    [0o604, '0604'],
    [0o620, '0620'],
    [0o602, '0602'],
    [0o610, '0610'],
    [0o700, '0700'],
    [0o500, '0500'],
    [0o644, '0644'],
    [0o200, '0200'],
    [0o4600, '4600'],
  ])('is refused with mode %o, saying what to run', (mode, shown) => {
    write(generateEnvironmentKek(), mode)
    // Mode 0200 keeps even its owner from reading, unless that is root.
    expect(refusalOf()).toMatch(
      mode === 0o200 && process.geteuid?.() !== 0
        ? /cannot be read/
        : new RegExp(`has mode ${shown}, run: chmod 600 '.*kek'$`),
    )
  })

  it('gives a command that can be pasted, whatever the path', () => {
    path = join(folder, "it's $(here)")
    write(generateEnvironmentKek(), 0o644)
    const command = refusalOf().split('run: ')[1] ?? ''
    execFileSync('sh', ['-c', command])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('is refused when it belongs to somebody who is neither this user nor root', () => {
    write(generateEnvironmentKek())
    if (process.geteuid?.() === 0) chownSync(path, 12345, 0)
    vi.spyOn(process, 'geteuid').mockReturnValue(54321)
    expect(refusalOf()).toMatch(/belongs to user \d+, run: chown 54321 '/)
  })

  it('may belong to root, or to this user', () => {
    write(generateEnvironmentKek())
    // Only root can make a file of root's; anybody else tests that his own is good.
    if (process.geteuid?.() === 0) vi.spyOn(process, 'geteuid').mockReturnValue(54321)
    expect(refusalOf()).toBe('accepted')
  })

  it('may end in one newline, of Unix or Windows', () => {
    const kek = generateEnvironmentKek()
    write(kek)
    const { kekId } = loadEnvironmentKek(path).metadata
    for (const end of ['\n', '\r\n']) {
      write(kek + end)
      expect(loadEnvironmentKek(path).metadata.kekId).toBe(kekId)
    }
    for (const end of ['\n\n', ' \n', '\r', '\n ', ' ']) {
      write(kek + end)
      expect(refusalOf()).toBe('COUNTERSIGN_KEK_FILE is not unpadded base64url')
    }
  })

  it('is refused when it is a directory, a device, a FIFO, or not there', () => {
    mkdirSync(path, 0o600)
    expect(refusalOf()).toContain('is not a regular file')
    expect(refusalOf('/dev/null')).toContain('is not a regular file')
    const fifo = join(folder, 'fifo')
    execFileSync('sh', ['-c', 'mkfifo -m 600 "$0"', fifo])
    expect(refusalOf(fifo)).toContain('is not a regular file')
    expect(refusalOf(join(folder, 'none'))).toContain('cannot be read (ENOENT)')
    expect(refusalOf('')).toContain('cannot be read (ENOENT)')
  })

  it('is judged by what a link leads to', () => {
    write(generateEnvironmentKek())
    const link = join(folder, 'link')
    symlinkSync(path, link)
    expect(refusalOf(link)).toBe('accepted')
    chmodSync(path, 0o644)
    expect(refusalOf(link)).toContain('has mode 0644')
  })

  it('is refused when it is longer than any key, empty, or binary', () => {
    write('A'.repeat(256))
    expect(refusalOf()).toContain('has another length than 32 bytes: 192')
    write('A'.repeat(257))
    expect(refusalOf()).toContain('is longer than a key')
    write('')
    expect(refusalOf()).toContain('has another length than 32 bytes: 0')
    write(Uint8Array.from({ length: 32 }, (_, i) => 100 + 5 * i))
    expect(refusalOf()).toContain('is not unpadded base64url')
  })
})

describe('making a key file', () => {
  it('gives a good one that only its owner can read', () => {
    const before = process.umask(0o777)
    try {
      createKekFile(path)
    } finally {
      process.umask(before)
    }
    expect(statSync(path).mode & 0o7777).toBe(0o600)
    expect(readFileSync(path, 'utf8')).toMatch(/^[A-Za-z0-9_-]{43}\n$/)
    expect(loadEnvironmentKek(path).metadata.kekId).toMatch(/^env-[0-9a-f]{32}$/)
  })

  it('never touches what is there already', () => {
    write('precious')
    expect(() => {
      createKekFile(path)
    }).toThrow(expect.objectContaining({ code: 'INPUT_EXISTS' }))
    expect(readFileSync(path, 'utf8')).toBe('precious')
    const link = join(folder, 'link')
    symlinkSync(join(folder, 'elsewhere'), link)
    expect(() => {
      createKekFile(link)
    }).toThrow(expect.objectContaining({ code: 'INPUT_EXISTS' }))
  })

  it('fails where nothing can be written', () => {
    expect(() => {
      createKekFile(join(folder, 'none', 'kek'))
    }).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }))
  })
})

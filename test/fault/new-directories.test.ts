import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createPrivateFile } from '../../src/kek/private-file.ts'
import { makeDirectory } from '../../src/store/make-directory.ts'
import { needStrace, temporaryDirectory } from '../support/store-faults.ts'

const source = (path: string): string => JSON.stringify(resolve('src', path))

const importing = `import { makeDirectory } from ${source('store/make-directory.ts')}`
const programs: Readonly<Record<string, (place: string) => string>> = {
  'a backup or any other directory': (place) => `${importing}
    makeDirectory(${JSON.stringify(join(place, 'a/b/c'))})`,
  'the data directory': (place) => `import { openSqliteStore } from ${source('store/sqlite.ts')}
    const store = await openSqliteStore({ create: true, mode: 'write', path: ${JSON.stringify(join(place, 'a/b/c'))} })
    await store.close()`,
  'the pins': (place) => `import { PinFile } from ${source('log/pin.ts')}
    const file = new PinFile(${JSON.stringify(join(place, 'a/b/c/default.pin'))})
    await file.write({ epoch: 1, origin: 'log.example', root: new Uint8Array(32), size: 0 })
    await file.close()`,
  'what is published': (place) =>
    `import { PublishDirectory } from ${source('log/publish-directory.ts')}
    const target = new PublishDirectory(${JSON.stringify(join(place, 'a'))})
    await target.create('b/c/000', new Uint8Array(1))`,
}

/** What is done to directories below a place, in order: made, or synced. */
function trace(place: string, program: string, ...inject: readonly string[]): readonly string[] {
  needStrace()
  const log = join(place, 'strace.log')
  const node = [process.execPath, '--input-type=module', '-e', program]
  const { status, stderr } = spawnSync(
    'strace',
    ['-f', '-q', '-y', '-o', log, '-e', 'trace=/^mkdir(at)?$,fsync,rmdir', ...inject, ...node],
    { encoding: 'utf8' },
  )
  if (inject.length === 0 && status !== 0) throw new Error(stderr)
  const called = /\b(mkdir|fsync|rmdir)(?:at)?\((?:"|\d+<)([^">]+).*= (0|-1 EIO.*INJECTED.*)$/
  return readFileSync(log, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, call = '', path = '', result = ''] = called.exec(line) ?? []
      if (!path.startsWith(place)) return []
      const name = path.slice(place.length) || '/'
      return [`${call} ${name}${result === '0' ? '' : ' failed'}`]
    })
}

describe('a directory that is made for something', () => {
  it.each(Object.entries(programs))(
    'is durable with all that were made above it: %s',
    (_, program) => {
      using place = temporaryDirectory()
      const seen = trace(place.path, program(place.path))
      const levels = ['/a', '/a/b', '/a/b/c']
      expect(seen.filter((call) => call.startsWith('mkdir'))).toEqual(
        levels.map((level) => `mkdir ${level}`),
      )
      for (const level of levels) {
        const after = seen.slice(seen.indexOf(`mkdir ${level}`) + 1)
        expect(after).toContain(`fsync ${dirname(level)}`)
        // One sync is enough for each.
        if (level !== '/a/b/c')
          expect(seen.filter((call) => call === `fsync ${level}`)).toHaveLength(1)
      }
    },
  )

  it('is not left where it could not be made durable, so that it is made again', () => {
    using place = temporaryDirectory()
    const path = JSON.stringify(join(place.path, 'a/b'))
    const program = `${importing}
      try { makeDirectory(${path}) } catch { makeDirectory(${path}) }`
    expect(trace(place.path, program, '-e', 'inject=fsync:error=EIO:when=2')).toEqual([
      'mkdir /a',
      'fsync /',
      'mkdir /a/b',
      'fsync /a failed',
      'rmdir /a/b',
      'mkdir /a/b',
      'fsync /a',
    ])
  })
})

describe('below a directory that others may enter and write but not read', () => {
  /** Does something there as nobody. */
  function asNobody(act: (box: string) => void): readonly string[] {
    using place = temporaryDirectory()
    const box = join(place.path, 'box')
    chmodSync(place.path, 0o755)
    mkdirSync(box)
    chmodSync(box, 0o733)
    process.seteuid?.(65_534)
    try {
      expect(() => readdirSync(box)).toThrow('EACCES')
      act(box)
    } finally {
      process.seteuid?.(0)
    }
    return readdirSync(box)
  }

  it('a directory is made', () => {
    const made = asNobody((box) => {
      expect(makeDirectory(join(box, 'a/b'))).toBe(join(box, 'a'))
    })
    expect(made).toEqual(['a'])
  })

  it('a private file is made', () => {
    const made = asNobody((box) => {
      createPrivateFile(join(box, 'key'), new Uint8Array(32), 'Key')
    })
    expect(made).toEqual(['key'])
  })
})

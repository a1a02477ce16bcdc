import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeDirectory } from '../../../src/store/make-directory.ts'

const folder = mkdtempSync(join(tmpdir(), 'make-directory-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const refusal = (path: string): unknown => {
  try {
    return makeDirectory(path)
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}

describe('making a directory', () => {
  it('makes those above it too, of the mode asked for, and gives the first', () => {
    expect(makeDirectory(join(folder, 'a', 'b', 'c'))).toBe(join(folder, 'a'))
    for (const made of ['a', 'a/b', 'a/b/c'])
      expect(statSync(join(folder, made)).mode & 0o777).toBe(0o700)
    expect(makeDirectory(join(folder, 'a', 'd'))).toBe(join(folder, 'a', 'd'))
  })

  it('leaves one that is there, also by another name', () => {
    mkdirSync(join(folder, 'there'), { mode: 0o755 })
    symlinkSync(join(folder, 'there'), join(folder, 'link'))
    for (const name of ['there', 'link']) expect(makeDirectory(join(folder, name))).toBeUndefined()
    expect(statSync(join(folder, 'there')).mode & 0o777).toBe(0o755)
    expect(makeDirectory('/')).toBeUndefined()
  })

  it('is refused where there is a file, or a link to nothing, in the way', () => {
    writeFileSync(join(folder, 'file'), '')
    symlinkSync(join(folder, 'nothing'), join(folder, 'dangling'))
    expect(refusal(join(folder, 'file'))).toBe('EEXIST')
    expect(refusal(join(folder, 'file', 'below'))).toBe('ENOTDIR')
    expect(refusal(join(folder, 'dangling'))).toBe('EEXIST')
    expect(refusal(join(folder, 'dangling', 'below'))).toBe('EEXIST')
  })

  it.runIf(process.platform === 'linux')('ends where the system has no such place', () => {
    expect(refusal('/proc/countersign')).toBe('ENOENT')
    expect(refusal('/proc/countersign/below')).toBe('ENOENT')
  })
})

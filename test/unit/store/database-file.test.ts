import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isNew } from '../../../src/data-directory.ts'
import { holdsDatabase } from '../../../src/store/database-file.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'countersign-place-'))
  onTestFinished(() => {
    rmSync(made, { recursive: true })
  })
  return made
}

describe('a data directory', () => {
  it('without a database, that is not there, or that is a file holds none', () => {
    const here = directory()
    writeFileSync(join(here, 'file'), '')
    expect(holdsDatabase(here)).toBe(false)
    expect(holdsDatabase(join(here, 'nowhere'))).toBe(false)
    expect(holdsDatabase(join(here, 'file'))).toBe(false)
  })

  it('with a database holds it', () => {
    const here = directory()
    writeFileSync(join(here, 'countersign.db'), '')
    expect(holdsDatabase(here)).toBe(true)
  })

  it('into which nobody may look is not taken for one that is empty', async () => {
    const loop = join(directory(), 'loop')
    symlinkSync('loop', loop)
    const refused = expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: `Cannot look into ${loop}: ELOOP`,
    }) as Error
    expect(() => isNew(loop)).toThrow(refused)
    await expect(openSqliteStore({ mode: 'read', path: loop })).rejects.toEqual(refused)
  })
})

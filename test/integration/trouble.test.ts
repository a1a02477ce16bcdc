import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { placeIn } from '../support/restart.ts'

it('a service that cannot open its store again closes all the same, and its process goes on', () => {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-trouble-'))
  onTestFinished(() => {
    rmSync(directory, { force: true, recursive: true })
  })
  createKekFile(placeIn(directory).kekFile)
  const program = resolve(import.meta.dirname, '../support/trouble-process.ts')
  const ran = spawnSync(process.execPath, [program, directory], { encoding: 'utf8' })
  expect([ran.status, ran.stdout]).toEqual([0, 'closed\n'])
})

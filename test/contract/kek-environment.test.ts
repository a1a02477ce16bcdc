import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { loadEnvironmentKek } from '../../src/kek/environment.ts'
import type { KekProvider } from '../../src/kek/kek.ts'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { kekSuite } from './kek-suite.ts'

const folder = mkdtempSync(join(tmpdir(), 'kek-contract-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const files = new WeakMap<KekProvider, string>()
let count = 0

function load(file: string): KekProvider {
  const provider = loadEnvironmentKek(file)
  files.set(provider, file)
  return provider
}

const fileOf = (provider: KekProvider): string => files.get(provider) ?? ''

kekSuite('environment', {
  create() {
    const file = join(folder, `kek-${count++}`)
    createKekFile(file)
    return load(file)
  },
  restart: (provider) => load(fileOf(provider)),
  // The key was read at the start: who has it keeps it.
  lose: {
    befall(provider) {
      rmSync(fileOf(provider))
    },
    running: 'opens',
    restarted: 'CONFIG_INVALID',
  },
  exchange: {
    befall(provider) {
      rmSync(fileOf(provider))
      createKekFile(fileOf(provider))
    },
    running: 'opens',
    restarted: 'OPEN_FAILED',
  },
})

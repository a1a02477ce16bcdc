import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '../../src/base/bytes.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { createHsmKek, initHsmKey, type HsmKek, type HsmSettings } from '../../src/kek/hsm.ts'

/** The PIN of the tokens that tests make. */
export const testPin = '8462'

const places = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/local/lib/softhsm/libsofthsm2.so']
const hint = 'apt-get install -y softhsm2'

/** Path of SoftHSM's module. It is installed where we may, else the command is named. */
export function needSoftHsm(): string {
  const found = (): string | undefined => places.find((path) => existsSync(path))
  if (found() === undefined && process.getuid?.() === 0) {
    if (spawnSync('apt-get', ['install', '-y', 'softhsm2'], { stdio: 'ignore' }).status !== 0) {
      execFileSync('apt-get', ['update'], { stdio: 'ignore' })
      execFileSync('apt-get', ['install', '-y', 'softhsm2'], { stdio: 'ignore' })
    }
  }
  const module = found()
  if (module === undefined) throw new Error(`Tests of the HSM need SoftHSM. Run as root: ${hint}`)
  return module
}

/** A directory with a token, which this process and its children use from here on. */
export interface TestToken {
  readonly directory: string
  /** Where the token lies. */
  readonly tokens: string
  /** Settings of a key on it. */
  place(keyLabel?: string): HsmSettings
  /** A new key and its provider, opened. */
  provide(keyLabel: string, by?: 'wrap' | 'encrypt' | 'any'): Promise<HsmKek>
  remove(): void
}

/** Makes a token labelled `tests`. */
export function makeToken(module = needSoftHsm()): TestToken {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-hsm-'))
  const tokens = join(directory, 'tokens')
  mkdirSync(tokens)
  const conf = join(directory, 'softhsm2.conf')
  writeFileSync(
    conf,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  )
  process.env['SOFTHSM2_CONF'] = conf
  const args = ['--init-token', '--free', '--label', 'tests', '--pin', testPin, '--so-pin', '7531']
  execFileSync('softhsm2-util', args, { stdio: 'ignore' })
  const place = (keyLabel = 'kek'): HsmSettings => ({ keyLabel, module, tokenLabel: 'tests' })
  return {
    directory,
    tokens,
    place,
    async provide(keyLabel, by = 'any') {
      await initHsmKey(place(keyLabel), new Secret(utf8(testPin)), by)
      const provider = createHsmKek(place(keyLabel), new Secret(utf8(testPin)), { poolSize: 2 })
      await provider.probe()
      return provider
    },
    remove() {
      rmSync(directory, { force: true, recursive: true })
    },
  }
}

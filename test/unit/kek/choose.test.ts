import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { getKekProvider } from '../../../src/kek/choose.ts'
import { generateEnvironmentKek } from '../../../src/kek/environment-key.ts'
import { createKekFile } from '../../../src/kek/kek-file.ts'
import { kekObjection, type KekCircumstances } from '../../../src/kek/kek-kinds.ts'
import type { KekSettings } from '../../../src/kek/kek-settings.ts'
import { KekShelf } from '../../../src/kek/kek-shelf.ts'

const folder = mkdtempSync(join(tmpdir(), 'kek-'))
const kekFile = join(folder, 'kek')
createKekFile(kekFile)
const hsmPinFile = join(folder, 'pin')
writeFileSync(hsmPinFile, '1234\n', { mode: 0o600 })
const hsm = { hsmModule: '/x.so', hsmPinFile, hsmTokenLabel: 'token' }
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const server: KekCircumstances = { dev: false, dataIsNew: true }
const dev: KekCircumstances = { dev: true, dataIsNew: true }
const kek = (): Secret => new Secret(utf8(generateEnvironmentKek()))

function choose(
  selection: string,
  settings: KekSettings = {},
  circumstances: KekCircumstances = server,
): string {
  try {
    const providers = getKekProvider(selection, new KekShelf(settings, circumstances))
    return providers.map(({ metadata }) => metadata.kind).join(',')
  } catch (error) {
    if (error instanceof Failure && error.code === 'CONFIG_INVALID') return error.message
    throw error
  }
}

describe('choosing a provider by auto', () => {
  it('takes the environment when it is configured, by file or by variable', () => {
    expect(choose('auto', { kekFile })).toBe('environment')
    expect(choose('auto', { kek: kek() })).toBe('environment')
    expect(choose('auto', { kekFile }, dev)).toBe('environment')
  })

  it('takes kms when a key of it is named, whatever else is configured', () => {
    for (const circumstances of [server, dev])
      for (const more of [{}, { kekFile }, { kek: kek() }, { hsmModule: '/x.so' }])
        expect(choose('auto', { kmsKeyId: 'alias/x', ...more }, circumstances)).toBe('kms')
  })

  it.each(['', 'x', 'alias/', 'arn:aws:kms:eu-test-1:111122223333:key/x'])(
    'never falls from kms with the key id %j to a weaker one',
    (kmsKeyId) => {
      for (const circumstances of [server, dev])
        for (const more of [{}, { kekFile }, { kek: kek() }])
          for (const selection of ['auto', 'kms'])
            expect(choose(selection, { kmsKeyId, ...more }, circumstances)).toContain(
              'kms: COUNTERSIGN_KMS_KEY_ID is no key id',
            )
    },
  )

  it('takes hsm when a module is named and no kms, whatever else is configured', () => {
    for (const circumstances of [server, dev])
      for (const more of [{}, { kekFile }, { kek: kek() }])
        expect(choose('auto', { ...hsm, ...more }, circumstances)).toBe('hsm')
  })

  it.each([
    [{ hsmTokenLabel: undefined }, 'COUNTERSIGN_HSM_TOKEN_LABEL is not set'],
    [{ hsmModule: 'x.so' }, 'COUNTERSIGN_HSM_MODULE must be an absolute path'],
    [{ hsmKeyId: 'A0' }, 'COUNTERSIGN_HSM_KEY_ID must be lower-case hex'],
    [{ hsmPinFile: undefined }, 'neither COUNTERSIGN_HSM_PIN_FILE nor COUNTERSIGN_HSM_PIN is set'],
    [{ hsmPinFile: 'pin' }, 'COUNTERSIGN_HSM_PIN_FILE must be an absolute path'],
    [{ hsmPin: new Secret(utf8('1')) }, 'both COUNTERSIGN_HSM_PIN_FILE and COUNTERSIGN_HSM_PIN'],
  ])('never falls from an hsm that is badly configured to a weaker one: $1', (bad, refusal) => {
    for (const circumstances of [server, dev])
      for (const more of [{}, { kekFile }, { kek: kek() }])
        for (const selection of ['auto', 'hsm'])
          expect(choose(selection, { ...hsm, ...more, ...bad }, circumstances)).toContain(
            `hsm: ${refusal}`,
          )
  })

  it('refuses a PIN that others may read', () => {
    const open = join(folder, 'open-pin')
    writeFileSync(open, '1234\n')
    chmodSync(open, 0o644)
    expect(choose('hsm', { ...hsm, hsmPinFile: open })).toContain(
      'COUNTERSIGN_HSM_PIN_FILE has mode 0644, run: chmod 600',
    )
  })

  it('never falls from a bad environment KEK to memory', () => {
    const bad = { kek: new Secret(utf8('hunter2')) }
    expect(choose('auto', bad, dev)).toContain('COUNTERSIGN_KEK is not unpadded base64url')
    expect(choose('auto', { kekFile: join(folder, 'none') }, dev)).toContain('cannot be read')
    expect(choose('auto', { kekFile: '' }, dev)).toContain('cannot be read')
  })

  it('takes memory only with --dev, and else says what is missing', () => {
    expect(choose('auto', {}, dev)).toBe('memory')
    expect(choose('auto', {}, server)).toBe(
      'No key provider is configured. kms: COUNTERSIGN_KMS_KEY_ID is not set; ' +
        'hsm: COUNTERSIGN_HSM_MODULE is not set; ' +
        'environment: neither COUNTERSIGN_KEK_FILE nor COUNTERSIGN_KEK is set; memory: wants --dev or its name',
    )
  })

  it('names the KEK file that was looked for, unless another provider is configured', () => {
    const elsewhere = { ...server, keys: '/elsewhere/keys' }
    const missing =
      'nor COUNTERSIGN_KEK is set, and there is no /elsewhere/keys/countersign.kek (another directory: --keys)'
    for (const selection of ['auto', 'environment'])
      expect(choose(selection, {}, elsewhere)).toContain(missing)
    for (const other of [hsm, { kmsKeyId: 'alias/x' }])
      expect(choose('environment', other, elsewhere)).toMatch(/nor COUNTERSIGN_KEK is set$/)
  })
})

describe('choosing providers by name', () => {
  it('takes those named, in their order', () => {
    expect(choose('environment', { kekFile })).toBe('environment')
    expect(choose(' environment ', { kekFile })).toBe('environment')
    expect(choose('memory')).toBe('memory')
    expect(choose('in_memory')).toBe('memory')
    expect(choose('memory', { kekFile })).toBe('memory')
  })

  it('refuses one that is named and not configured', () => {
    expect(choose('environment')).toContain(
      'environment: neither COUNTERSIGN_KEK_FILE nor COUNTERSIGN_KEK is set',
    )
    expect(choose('environment', {}, dev)).toContain('neither')
  })

  it('takes kms by name, and never another because kms is not configured', () => {
    expect(choose('kms', { kmsKeyId: 'alias/x', kekFile })).toBe('kms')
    expect(choose('kms,environment', { kmsKeyId: 'alias/x', kekFile })).toBe('kms,environment')
    for (const selection of ['kms', 'kms,environment'])
      expect(choose(selection, { kekFile }, dev)).toContain(
        'kms: COUNTERSIGN_KMS_KEY_ID is not set',
      )
  })

  it('takes several in the order that is named, and none of them when one is not configured', () => {
    const both = { ...hsm, kmsKeyId: 'alias/x' }
    expect(choose('kms,hsm', both)).toBe('kms,hsm')
    expect(choose('hsm,kms', both)).toBe('hsm,kms')
    expect(choose('kms,hsm', { kmsKeyId: 'alias/x' })).toContain('hsm: COUNTERSIGN_HSM_MODULE')
    expect(choose('environment,hsm', hsm)).toContain('environment: neither')
  })

  it('does not take two settings of which one would be ignored', () => {
    expect(choose('environment', { kekFile, kek: kek() })).toContain('only one can be meant')
    expect(choose('auto', { kekFile, kek: kek() }, dev)).toContain('only one can be meant')
  })

  it.each(['memory,environment', 'environment,memory', 'environment,in_memory'])(
    'does not take memory in the list %s',
    (selection) => {
      expect(choose(selection, { kekFile }, dev)).toContain('memory cannot stand in a list')
    },
  )

  it.each(['passphrase', 'kms,passphrase', 'passphrase,environment'])(
    'never takes the passphrase, and says how it is used: %s',
    (selection) => {
      for (const circumstances of [server, dev])
        expect(choose(selection, { kekFile, kmsKeyId: 'alias/x' }, circumstances)).toBe(
          'Key provider cannot be used. passphrase: opens only by hand: countersign keys recover',
        )
    },
  )

  it.each(['', 'Environment', 'vault', 'environment,', 'auto,environment', '__proto__'])(
    'refuses the selection %j',
    (selection) => {
      expect(choose(selection, { kekFile }, dev)).toContain(
        'is not one of auto, kms, hsm, environment, memory: ',
      )
    },
  )

  it('refuses a name given twice', () => {
    expect(choose('environment,environment', { kekFile })).toContain('is named twice')
  })
})

describe('memory', () => {
  it.each([true, false])('is refused over data that is not new (dev: %s)', (isDev) => {
    const circumstances = { dev: isDev, dataIsNew: false }
    expect(choose('memory', {}, circumstances)).toContain('the data directory is not new')
    expect(choose('auto', { kekFile }, circumstances)).toBe('environment')
    if (isDev) expect(choose('auto', {}, circumstances)).toContain('data directory is not new')
  })
})

describe('the settings', () => {
  it('tell why a kind cannot be used, without touching the secret', () => {
    const settings = { kek: kek() }
    expect(kekObjection('environment', settings, server)).toBeUndefined()
    expect(kekObjection('memory', settings, server)).toBeUndefined()
    expect(kekObjection('kms', settings, server)).toMatch(/^kms: /)
    expect(settings.kek.use((bytes) => bytes.length)).toBe(43)
  })
})

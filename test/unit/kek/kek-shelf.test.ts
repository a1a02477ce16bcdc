import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { asFailure } from '../../../src/base/failure.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { getKekProvider } from '../../../src/kek/choose.ts'
import { generateEnvironmentKek } from '../../../src/kek/environment-key.ts'
import { createKekFile } from '../../../src/kek/kek-file.ts'
import type { KekKind } from '../../../src/kek/kek.ts'
import {
  postKekSettings,
  receiveKekSettings,
  wipePosted,
  type KekSettings,
} from '../../../src/kek/kek-settings.ts'
import { KekShelf } from '../../../src/kek/kek-shelf.ts'

const folder = mkdtempSync(join(tmpdir(), 'kek-shelf-'))
const kekFile = join(folder, 'kek')
createKekFile(kekFile)
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const secret = (text: string): Secret => new Secret(utf8(text))
const hsm = { hsmModule: '/x.so', hsmTokenLabel: 'token' }
const everything = () =>
  ({
    ...hsm,
    hsmPin: secret('1234'),
    kek: secret(generateEnvironmentKek()),
    kmsKeyId: 'alias/x',
  }) satisfies KekSettings

const shelfOf = (settings: KekSettings, dataIsNew = false): KekShelf =>
  new KekShelf(settings, { dev: false, dataIsNew })

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    const { code, message } = asFailure(error)
    return `${code} ${message}`
  }
  throw new Error('Nothing was refused')
}

describe('a shelf of providers', () => {
  it.each(['kms', 'hsm', 'environment'] as const)('makes one of %s, once', async (kind) => {
    const shelf = shelfOf(everything())
    const made = shelf.open(kind)
    expect(made.metadata.kind).toBe(kind)
    expect(shelf.open(kind)).toBe(made)
    await shelf.close()
  })

  it('gives the provider again that the node was told to open slots by', async () => {
    const shelf = shelfOf(everything())
    const [chosen] = getKekProvider('environment', shelf)
    expect(shelf.open('environment')).toBe(chosen)
    await shelf.close()
  })

  it('still makes another after one was chosen, of secrets that nobody else could read', async () => {
    const settings = everything()
    const shelf = shelfOf(settings)
    getKekProvider('kms', shelf)
    expect(shelf.open('environment').metadata.kind).toBe('environment')
    expect(shelf.open('hsm').metadata.kind).toBe('hsm')
    expect(settings.kek.use((bytes) => bytes.length)).toBe(43)
    await shelf.close()
  })

  it.each([
    ['kms', {}, 'kms: COUNTERSIGN_KMS_KEY_ID is not set'],
    ['hsm', {}, 'hsm: COUNTERSIGN_HSM_MODULE is not set'],
    ['hsm', { hsmModule: '/x.so' }, 'hsm: COUNTERSIGN_HSM_TOKEN_LABEL is not set'],
    ['hsm', hsm, 'hsm: neither COUNTERSIGN_HSM_PIN_FILE nor COUNTERSIGN_HSM_PIN is set'],
    ['environment', {}, 'environment: neither COUNTERSIGN_KEK_FILE nor COUNTERSIGN_KEK is set'],
    ['memory', {}, 'memory: its key died with the process that made it'],
    ['passphrase', {}, 'passphrase: opens only by hand'],
  ] as const)('says what is missing for %s: %j', (kind, settings, why) => {
    expect(messageOf(() => shelfOf(settings).open(kind))).toContain(
      `CONFIG_INVALID Key provider cannot be used. ${why}`,
    )
  })

  it('closes what it gave out, wipes the secrets, and gives out nothing more', async () => {
    const settings = everything()
    const shelf = shelfOf(settings)
    const provider = shelf.open('environment')
    await shelf.close()
    await shelf.close()
    await expect(provider.probe()).rejects.toMatchObject({ code: 'KEK_UNAVAILABLE' })
    for (const wiped of [settings.kek, settings.hsmPin])
      expect(() => wiped.use(() => 0)).toThrow('wiped')
    expect(messageOf(() => shelf.open('environment'))).toContain('KEK_UNAVAILABLE')
    expect(messageOf(() => shelf.open('kms'))).toContain('KEK_UNAVAILABLE')
  })

  it('lets the environment KEK in a file be', async () => {
    const shelf = shelfOf({ kekFile })
    expect(shelf.open('environment').metadata.durable).toBe(true)
    await shelf.close()
  })
})

describe('settings that are posted', () => {
  const bytes = (value: unknown): Uint8Array => value as Uint8Array

  it('arrive as they were, and leave nothing where they came in', () => {
    const posted = {
      ...hsm,
      hsmPinValue: utf8('1234'),
      kekFile: undefined,
      kekValue: utf8('abc'),
      kmsKeyId: 'alias/x',
    }
    const settings = receiveKekSettings(posted)
    expect(settings).toMatchObject({ ...hsm, kmsKeyId: 'alias/x' })
    expect(settings.kek?.use((text) => Buffer.from(text).toString())).toBe('abc')
    expect(settings.hsmPin?.use((text) => Buffer.from(text).toString())).toBe('1234')
    expect([...posted.kekValue, ...posted.hsmPinValue].every((byte) => byte === 0)).toBe(true)
  })

  it.each([
    ['kms', ['kmsKeyId']],
    ['hsm', ['hsmModule', 'hsmPinValue', 'hsmTokenLabel']],
    ['environment', ['kekFile', 'kekValue']],
    ['memory', []],
    ['passphrase', []],
  ] satisfies [KekKind, string[]][])('hold what %s needs and nothing else', (kind, names) => {
    const posted = postKekSettings(kind, { ...everything(), kekFile: '/kek' })
    const set = Object.entries(posted).flatMap(([name, value]) =>
      value === undefined ? [] : [name],
    )
    expect(set.sort()).toEqual(names)
  })

  it('are copies, which are wiped by themselves', () => {
    const settings = everything()
    const posted = postKekSettings('environment', settings)
    wipePosted(posted)
    expect(bytes(posted.kekValue).every((byte) => byte === 0)).toBe(true)
    expect(settings.kek.use((text) => text.some((byte) => byte !== 0))).toBe(true)
  })
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { generateEnvironmentKek } from '../../src/kek/environment-key.ts'
import { askProviders, readStoredSlots } from '../../src/key-health.ts'
import type { MasterSlot } from '../../src/keyring/slot.ts'
import { foundTestService, temporaryDirectory } from '../support/service.ts'

describe('the health of key providers, asked from outside', () => {
  it('is that of the one that auto chooses, and wipes the secrets', async () => {
    const kek = new Secret(utf8(generateEnvironmentKek()))
    const [health, ...others] = await askProviders('auto', { kek }, false, [])
    expect(health).toMatchObject({ provider: 'environment', state: 'healthy', code: null })
    expect(health?.kekId).toMatch(/^env-/)
    expect(Date.now() - (health?.checkedAt ?? 0)).toBeLessThan(5000)
    expect(others).toEqual([])
    expect(() => kek.use((bytes) => bytes)).toThrow('wiped')
  })

  it('is asked of each in a list, also where one cannot be configured', async () => {
    const kekFile = join(temporaryDirectory(), 'a.kek')
    writeFileSync(kekFile, generateEnvironmentKek(), { mode: 0o600 })
    const health = await askProviders('kms, environment', { kekFile }, false, [])
    expect(health).toMatchObject([
      { provider: 'kms', kekId: '', state: 'failing', code: 'CONFIG_INVALID' },
      { provider: 'environment', state: 'healthy' },
    ])
    expect(health[0]?.message).toContain('COUNTERSIGN_KMS_KEY_ID is not set')
  })

  it('is that of one that opens its slots, has another key, or finds them changed', async () => {
    const mine = generateEnvironmentKek()
    const test = await foundTestService({ kek: mine })
    await test.service.close()
    const ask = async (kek: string, change = (slot: MasterSlot): MasterSlot => slot) => {
      const slots = await readStoredSlots(join(test.directory, 'data'), 'default')
      const told = { kek: new Secret(utf8(kek)) }
      return (await askProviders('environment', told, false, slots.map(change)))[0]
    }
    expect(await ask(mine)).toMatchObject({
      state: 'healthy',
      message: 'It works and opens its slots',
    })
    const other = await ask(generateEnvironmentKek())
    expect(other).toMatchObject({ state: 'failing', code: 'OPEN_FAILED' })
    expect(other?.message).toMatch(/another key than the one that the slot was made by: env-/)
    const swap = (slot: MasterSlot): MasterSlot => ({ ...slot, salt: slot.salt.toReversed() })
    expect(await ask(mine, swap)).toMatchObject({ state: 'tampered', code: 'OPEN_FAILED' })
    const missing = readStoredSlots(join(test.directory, 'data'), 'nobody')
    await expect(missing).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' })
  })

  it.each([['auto'], ['memory'], ['nonsense'], ['environment']])(
    'says why when nothing can be asked, and rejects never: %s',
    async (selection) => {
      const health = await askProviders(selection, { kekFile: '/nowhere/a.kek' }, true, [])
      expect(health).toMatchObject([{ state: 'failing', code: 'CONFIG_INVALID' }])
    },
  )

  it('does not wait for a provider that never answers', async () => {
    // Not routed anywhere: RFC 5737.
    process.env['AWS_ENDPOINT_URL_KMS'] = 'http://192.0.2.1:9'
    try {
      const began = Date.now()
      const kmsKeyId = 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'
      const [health] = await askProviders('kms', { kmsKeyId }, false, [], 200)
      expect(health?.state).toBe('failing')
      expect(health?.code).toMatch(/^KEK_/)
      expect(Date.now() - began).toBeLessThan(2000)
    } finally {
      delete process.env['AWS_ENDPOINT_URL_KMS']
    }
  })
})

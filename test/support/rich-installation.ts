import { join } from 'node:path'
import { encodeBase64Url } from '../../src/base/base64.ts'
import { randomBytes } from '../../src/crypto/hash.ts'
import { createEnvironmentKek } from '../../src/kek/environment.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { utf8 } from '../../src/base/bytes.ts'
import { unsealKeyring } from '../../src/keyring/unseal.ts'
import { PinFile, type Pin } from '../../src/log/pin.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { StoredKeys } from '../../src/store/store.ts'
import { founder, foundTestService, principalOf, requestOf } from './service.ts'

/** What is needed to check an installation from outside. */
export interface RichInstallation {
  readonly data: string
  readonly tenants: readonly string[]
  readonly pins: ReadonlyMap<string, Pin>
  /** Opens the keys of a tenant and closes them; rejects when they are not genuine. */
  unseal(tenant: string, keys: StoredKeys): Promise<void>
}

/**
 * Makes an installation with something of everything: two tenants of both profiles, decisions and their uses, erasures, idempotency keys, API keys that
 * were revoked, keys that were rotated, revoked and destroyed, a new master key, kept checkpoints, versions of trust roots. Nobody has it open.
 */
export async function makeRichInstallation(
  directory: string,
  decisions: number,
): Promise<RichInstallation> {
  const kek = encodeBase64Url(randomBytes(32))
  const test = await foundTestService({ closeYourself: true, directory, kek })
  const { service } = test
  const { instance } = service
  await service.createTenant('second', { profile: 'each', public: true }, founder)
  const tenants = ['default', 'second']
  for (const tenant of tenants) {
    const principal = principalOf(tenant === 'second' ? 'each' : 'checkpoint', 'alice', tenant)
    const requests = Array.from({ length: tenant === 'second' ? 4 : decisions }, (_, n) => n)
    const answers = await Promise.all(
      requests.map((n) => test.notarise(requestOf(n, { maxUses: 2 }), `key-${n}`, principal)),
    )
    for (const answer of answers.slice(0, 2)) await service.erase(principal, answer.id, 'Asked for')
    for (const answer of answers.slice(2, 3)) await service.claim(principal, answer.id, {})
    const { apiKey } = await service.createApiKey(tenant, 'bot', ['log:read'], founder)
    await service.createApiKey(tenant, 'other', ['decisions:submit'], founder)
    await service.revokeApiKey(tenant, apiKey.id, founder)
  }
  for (const purpose of ['evidence', 'fast', 'log'] as const)
    await service.orderKeys('default', { order: 'rotate', purpose }, founder)
  const { keys } = await service.keyStatus('default')
  const retired = keys.filter(({ state }) => state === 'retired')
  for (const { keyId, purpose, to } of retired)
    if (purpose === 'fast')
      await service.orderKeys('default', { from: to ?? 0, keyId, order: 'revoke' }, founder)
    else if (purpose === 'evidence')
      await service.orderKeys('default', { keyId, order: 'destroy' }, founder)
  await service.orderKeys('default', { order: 'rotate-master' }, founder)
  await test.notarise(requestOf(1000))
  await service.close()
  const pins = new Map<string, Pin>()
  for (const tenant of tenants) {
    const file = new PinFile(join(directory, 'keys', `${tenant}.pin`))
    const pin = await file.read()
    if (pin !== undefined) pins.set(tenant, pin)
    await file.close()
  }
  const provider = createEnvironmentKek(new Secret(utf8(kek)))
  const data = join(directory, 'data')
  // The last connection of a writer empties the WAL, and so the file is the whole database.
  await (await openSqliteStore({ mode: 'write', path: data })).close()
  return {
    data,
    pins,
    tenants,
    async unseal(tenant, stored) {
      const pinnedEpoch = pins.get(tenant)?.epoch
      const keyring = await unsealKeyring({
        instance: instance.id,
        pinnedEpoch,
        providers: [provider],
        stored,
        tenant,
      })
      keyring.close()
    },
  }
}

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { createHsmKek, initHsmKey } from '../../src/kek/hsm.ts'
import type { KekProvider } from '../../src/kek/kek.ts'
import { makeToken, testPin } from '../support/softhsm.ts'
import { kekSuite, type KekCase } from '../contract/kek-suite.ts'

const token = makeToken()
const pin = (): Secret => new Secret(utf8(testPin))
const labels = new WeakMap<KekProvider, string>()
const labelOf = (provider: KekProvider): string => labels.get(provider) ?? ''

/** Deletes the keys of a label as another program would. */
function destroy(label: string): void {
  const source = `
    import pkcs11 from 'pkcs11js'
    const lib = new pkcs11.PKCS11()
    lib.load(${JSON.stringify(token.place().module)})
    lib.C_Initialize({ flags: 2 })
    const slot = lib.C_GetSlotList(true).find((one) => lib.C_GetTokenInfo(one).label.trim() === 'tests')
    const session = lib.C_OpenSession(slot, 6)
    lib.C_Login(session, 1, ${JSON.stringify(testPin)})
    lib.C_FindObjectsInit(session, [{ type: pkcs11.CKA_LABEL, value: ${JSON.stringify(label)} }])
    const found = lib.C_FindObjects(session, 9)
    lib.C_FindObjectsFinal(session)
    for (const key of found) lib.C_DestroyObject(session, key)
    if (found.length !== 1) throw new Error('Not one key: ' + found.length)`
  const cwd = join(import.meta.dirname, '../..')
  execFileSync(process.execPath, ['--input-type=module', '-e', source], { cwd })
}

let count = 0

function caseOf(by: 'wrap' | 'encrypt'): KekCase {
  const provide = async (): Promise<KekProvider> => {
    const label = `${by}-${count++}`
    const provider = await token.provide(label, by)
    labels.set(provider, label)
    all.push(provider)
    return provider
  }
  // Two keys by turns, because starting a process for each would take longer than all the rest.
  const shared = new Map<number, KekProvider>()
  let turn = 0
  return {
    async create() {
      const which = turn++ % 2
      const provider = shared.get(which) ?? (await provide())
      shared.set(which, provider)
      return provider
    },
    createAlone: provide,
    async restart(provider) {
      const label = labelOf(provider)
      const again = createHsmKek(token.place(label), pin(), { poolSize: 1 })
      labels.set(again, label)
      return Promise.resolve(again)
    },
    lose: {
      befall(provider) {
        destroy(labelOf(provider))
      },
      running: 'KEK_KEY_MISSING',
      restarted: 'KEK_KEY_MISSING',
    },
    exchange: {
      async befall(provider) {
        destroy(labelOf(provider))
        await initHsmKey(token.place(labelOf(provider)), pin(), by)
      },
      running: 'KEK_KEY_MISSING',
      restarted: 'OPEN_FAILED',
    },
  }
}

const all: KekProvider[] = []

afterAll(async () => {
  await Promise.all(all.map((provider) => provider.close()))
  token.remove()
})

kekSuite('SoftHSM by RFC 5649', caseOf('wrap'))
kekSuite('SoftHSM by AES-GCM', caseOf('encrypt'))

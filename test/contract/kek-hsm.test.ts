import { afterAll } from 'vitest'
import type { HsmKek } from '../../src/kek/hsm.ts'
import { makeToken } from '../support/softhsm.ts'
import { kekSuite } from './kek-suite.ts'

const token = makeToken()
const made = new Map<string, HsmKek>()

/** Two keys by turns, because starting a process for each would take longer than all the rest. */
function create(by: 'wrap' | 'encrypt'): () => Promise<HsmKek> {
  let count = 0
  return async () => {
    const label = `${by}-${count++ % 2}`
    const provider = made.get(label) ?? (await token.provide(label, by))
    made.set(label, provider)
    return provider
  }
}

afterAll(async () => {
  await Promise.all([...made.values()].map((provider) => provider.close()))
  token.remove()
})

kekSuite('SoftHSM by RFC 5649', create('wrap'))
kekSuite('SoftHSM by AES-GCM', create('encrypt'))

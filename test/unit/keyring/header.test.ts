import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import {
  createHeader,
  headerBytes,
  headerSchema,
  type NewKey,
} from '../../../src/keyring/header.ts'
import { clock, identity } from './fixture.ts'

const key: NewKey = {
  ...identity,
  purpose: 'fast',
  keyId: '01890a5d-ac96-774b-bcce-b302099a8058',
  version: 1,
  publicKey: new Uint8Array(32).fill(7),
  sealedTo: new Uint8Array(1216),
  createdAt: clock(),
}
const fast = createHeader(key)
const master = createHeader({
  ...key,
  purpose: 'master',
  publicKey: new Uint8Array(1216),
  sealedTo: null,
})

describe('a header', () => {
  it('is canonical JSON of exactly these members', () => {
    expect(fromUtf8(headerBytes(fast))).toBe(
      '{"algorithm":"Ed25519","createdAt":1760000000000,"instance":"01890a5d-ac96-774b-bcce-b302099a8057",' +
        '"keyId":"01890a5d-ac96-774b-bcce-b302099a8058","profile":"checkpoint",' +
        '"publicKey":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=","purpose":"fast",' +
        '"sealedTo":"97d364e2d3d35f030a038c41bbadc42d0c15fa8d79ba569987e19fddb2e80f9a",' +
        '"tenant":"acme","v":1,"version":1}',
    )
    expect(master).toMatchObject({ algorithm: 'X-Wing', profile: null, sealedTo: null })
  })

  it.each([
    { v: 2 },
    { instance: 'x' },
    { instance: identity.instance.toUpperCase() },
    { tenant: '' },
    { tenant: 'Acme' },
    { tenant: 'a'.repeat(64) },
    { purpose: 'audit' },
    { purpose: 'log' },
    { purpose: 'master' },
    { keyId: 'x' },
    { version: 0 },
    { version: 1.5 },
    { algorithm: 'X-Wing' },
    { algorithm: 'ed25519' },
    { profile: 'each' },
    { profile: null },
    { publicKey: encodeBase64(new Uint8Array(31)) },
    { publicKey: encodeBase64(new Uint8Array(33)) },
    { publicKey: `${fast.publicKey.slice(0, -2)}d=` },
    { publicKey: fast.publicKey.slice(0, -1) },
    { sealedTo: null },
    { sealedTo: 'ab' },
    { createdAt: -1 },
    { more: 1 },
  ])('of a signing key is refused with %o', (change) => {
    expect(headerSchema.safeParse(fast).success).toBe(true)
    expect(headerSchema.safeParse({ ...fast, ...change }).success).toBe(false)
  })

  it.each([{ profile: 'each' }, { sealedTo: fast.sealedTo }, { publicKey: fast.publicKey }])(
    'of a master key is refused with %o',
    (change) => {
      expect(headerSchema.safeParse(master).success).toBe(true)
      expect(headerSchema.safeParse({ ...master, ...change }).success).toBe(false)
    },
  )

  it('may have a tenant of 63 characters', () => {
    expect(headerSchema.safeParse({ ...fast, tenant: 'a'.repeat(63) }).success).toBe(true)
  })
})

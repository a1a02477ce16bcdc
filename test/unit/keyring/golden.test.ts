import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../../src/base/base64.ts'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { createEnvironmentKek } from '../../../src/kek/environment.ts'
import { unsealKeyring } from '../../../src/keyring/unseal.ts'
import type { StoredKey, StoredKeys } from '../../../src/store/store.ts'

type Unencoded<T extends { readonly body: Uint8Array }> = Omit<T, 'body'> & { body: unknown }

interface Golden {
  readonly kek: string
  readonly instance: string
  readonly tenant: string
  readonly slots: readonly Unencoded<StoredKeys['slots'][number]>[]
  readonly keys: readonly Unencoded<StoredKey>[]
  readonly manifest: unknown
  /** Public keys by the hex SHA-256 of their raw bytes, and signatures made with the keys when they were new. */
  readonly expected: {
    readonly masterPublicKey: string
    readonly publicKeys: readonly string[]
    readonly message: string
    readonly evidence: string
    readonly fast: string
  }
}

// Made once and never again: a version that cannot open it cannot open what users have.
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'golden-v1.json'), 'utf8'),
) as Golden

const { expected, instance, tenant } = golden
const hash = (bytes: Uint8Array): string => encodeHex(sha256(bytes))
const bytesOf = (text: string): Uint8Array => decodeBase64(text) ?? new Uint8Array(0)

describe('keys that were sealed by the first version', () => {
  const stored: StoredKeys = {
    slots: golden.slots.map(({ id, body }) => ({ id, body: canonicalBytes(body) })),
    keys: golden.keys.map((key) => ({ ...key, body: canonicalBytes(key.body) })),
    manifest: canonicalBytes(golden.manifest),
  }
  const open = () => {
    const provider = createEnvironmentKek(new Secret(utf8(golden.kek)))
    return unsealKeyring({ instance, tenant, stored, providers: [provider], pinnedEpoch: 1 })
  }

  it('still open, to the same keys', async () => {
    const keyring = await open()
    expect(hash(keyring.masterPublicKey)).toBe(expected.masterPublicKey)
    expect(keyring.list().map(({ publicKey }) => hash(publicKey))).toEqual(expected.publicKeys)
    expect(keyring.list().map(({ from }) => from)).toEqual([0, 2, 1])
  })

  it('still sign what their public keys verify, and verify what they signed', async () => {
    const { evidence, fast } = await open()
    const message = bytesOf(expected.message)
    const { algorithm } = evidence.signer
    expect(algorithm.verify(evidence.publicKey, message, bytesOf(expected.evidence))).toBe(true)
    expect(algorithm.verify(evidence.publicKey, message, evidence.signer.sign(message))).toBe(true)
    // Ed25519 is deterministic.
    expect(encodeBase64(fast.signer.sign(message))).toBe(expected.fast)
  })
})

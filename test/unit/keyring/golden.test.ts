import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../../src/base/base64.ts'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { createEnvironmentKek } from '../../../src/kek/environment.ts'
import { createPassphraseKek } from '../../../src/kek/passphrase.ts'
import type { KekProvider } from '../../../src/kek/kek.ts'
import type { Keyring } from '../../../src/keyring/keyring.ts'
import { unsealKeyring } from '../../../src/keyring/unseal.ts'
import type { StoredKey, StoredKeys } from '../../../src/store/store.ts'

type Unencoded<T extends { readonly body: Uint8Array }> = Omit<T, 'body'> & { body: unknown }

interface Golden {
  readonly kek: string
  readonly passphrase?: string
  readonly instance: string
  readonly tenant: string
  readonly slots: readonly Unencoded<StoredKeys['slots'][number]>[]
  readonly keys: readonly Unencoded<StoredKey>[]
  readonly manifest: unknown
  /** Public keys by the hex SHA-256 of their raw bytes, and signatures made with the keys when they were new. */
  readonly expected: {
    readonly masterPublicKey: string
    readonly publicKeys: readonly string[]
    readonly states?: readonly string[]
    readonly message: string
    readonly evidence: string
    readonly fast: string
  }
}

// Made once and never again: a version that cannot open it cannot open what users have.
const load = (name: string): Golden =>
  JSON.parse(readFileSync(join(import.meta.dirname, name), 'utf8')) as Golden

const hash = (bytes: Uint8Array): string => encodeHex(sha256(bytes))
const bytesOf = (text: string): Uint8Array => decodeBase64(text) ?? new Uint8Array(0)

const storedOf = ({ keys, manifest, slots }: Golden): StoredKeys => ({
  slots: slots.map(({ id, body }) => ({ id, body: canonicalBytes(body) })),
  keys: keys.map((key) => ({ ...key, body: canonicalBytes(key.body) })),
  manifest: canonicalBytes(manifest),
})

const environmentOf = ({ kek }: Golden): KekProvider => createEnvironmentKek(new Secret(utf8(kek)))

const open = (golden: Golden, provider = environmentOf(golden)): Promise<Keyring> => {
  const { instance, tenant } = golden
  const stored = storedOf(golden)
  return unsealKeyring({ instance, pinnedEpoch: 1, providers: [provider], stored, tenant })
}

async function expectOpens(golden: Golden, provider?: KekProvider): Promise<Keyring> {
  const { expected } = golden
  const keyring = await open(golden, provider)
  expect(hash(keyring.masterPublicKey)).toBe(expected.masterPublicKey)
  expect(keyring.list().map(({ publicKey }) => hash(publicKey))).toEqual(expected.publicKeys)
  const { evidence, fast } = keyring
  const message = bytesOf(expected.message)
  const { algorithm } = evidence.signer
  expect(algorithm.verify(evidence.publicKey, message, bytesOf(expected.evidence))).toBe(true)
  expect(algorithm.verify(evidence.publicKey, message, evidence.signer.sign(message))).toBe(true)
  // Ed25519 is deterministic.
  expect(encodeBase64(fast.signer.sign(message))).toBe(expected.fast)
  return keyring
}

describe('keys that were sealed by the first version', () => {
  it('still open, and sign and verify what they did', async () => {
    const keyring = await expectOpens(load('golden-v1.json'))
    expect(keyring.list().map(({ from }) => from)).toEqual([0, 2, 1])
  })

  it('still open when they were rotated, revoked and destroyed, also by the passphrase', async () => {
    const golden = load('golden-v1-life.json')
    const paper = createPassphraseKek(new Secret(utf8(golden.passphrase ?? '')))
    for (const provider of [environmentOf(golden), paper]) {
      const keyring = await expectOpens(golden, provider)
      const states = keyring
        .list()
        .map(
          ({ from, purpose, revokedAt, state, to, version }) =>
            `${purpose} v${version} ${state} ${String(from)} ${String(to)} ${String(revokedAt)}`,
        )
      expect(states).toEqual(golden.expected.states)
    }
    await paper.close()
  })
})

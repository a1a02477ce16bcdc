import { createPublicKey } from 'node:crypto'
import { bundleFromJSON } from '@sigstore/bundle'
import { PublicKeyDetails, type TrustedRoot } from '@sigstore/protobuf-specs'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import { beforeEach, describe, expect, it } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../../src/base/base64.ts'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import type { SigstoreCopy } from '../../../src/decisions/service.ts'
import { parseDossier } from '../../../src/dossier/v1.ts'
import { founder, foundTestService, requestOf, type TestService } from '../../support/service.ts'

const tenant = 'default'

interface Bundle {
  dsseEnvelope: {
    payload: string
    payloadType: string
    signatures: { keyid: string; sig: string }[]
  }
  mediaType: string
  verificationMaterial: { publicKey: { hint: string } }
}

const parse = (bundle: Uint8Array): Bundle => JSON.parse(fromUtf8(bundle)) as Bundle

/** A trusted root of Sigstore that knows nobody: the key is given by hand. */
const nobody: TrustedRoot = {
  certificateAuthorities: [],
  ctlogs: [],
  mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
  timestampAuthorities: [],
  tlogs: [],
}

/** Verifies as anybody would with stock @sigstore/verify and the key's PEM; throws its complaint. */
function verify(bundle: unknown, pem: string): void {
  const parsed = bundleFromJSON(bundle)
  const der = createPublicKey(pem).export({ format: 'der', type: 'spki' })
  const { hint } = parse(utf8(JSON.stringify(bundle))).verificationMaterial.publicKey
  const material = toTrustMaterial(nobody, {
    [hint]: {
      keyDetails: PublicKeyDetails.PKIX_ED25519,
      rawBytes: der,
      validFor: { start: new Date(0) },
    },
  })
  const verifier = new Verifier(material, {
    ctlogThreshold: 0,
    timestampThreshold: 0,
    tlogThreshold: 0,
  })
  verifier.verify(toSignedEntity(parsed))
}

describe('a decision as a Sigstore bundle', () => {
  let test: TestService
  let id: string
  let copy: SigstoreCopy
  beforeEach(async () => {
    test = await foundTestService()
    ;({ id } = await test.notarise(requestOf(1)))
    await test.service.orderKeys(tenant, { order: 'rotate', purpose: 'bundle' }, founder)
    copy = await test.service.exportSigstoreBundle(tenant, id)
  })

  it('is accepted by stock @sigstore/verify', () => {
    expect(() => {
      verify(parse(copy.bundle), copy.publicKey)
    }).not.toThrow()
  })

  it('holds the statement that the dossier holds', async () => {
    const dossier = parseDossier(await test.service.exportDossier(tenant, id))
    if (typeof dossier === 'string') throw new Error(dossier)
    const { dsseEnvelope, mediaType } = parse(copy.bundle)
    expect(decodeBase64(dsseEnvelope.payload)).toEqual(dossier.entries[0]?.payload)
    expect(dsseEnvelope.payloadType).toBe('application/vnd.in-toto+json')
    expect(dsseEnvelope.signatures).toHaveLength(1)
    expect(mediaType).toBe('application/vnd.dev.sigstore.bundle.v0.3+json')
  })

  it.each<[string, (bundle: Bundle) => void]>([
    [
      'another payload',
      ({ dsseEnvelope }) => {
        const text = fromUtf8(decodeBase64(dsseEnvelope.payload) ?? new Uint8Array())
        expect(text).toContain('ALLOW')
        dsseEnvelope.payload = encodeBase64(utf8(text.replace('ALLOW', 'BLOCK')))
      },
    ],
    [
      'another type',
      ({ dsseEnvelope }) => {
        dsseEnvelope.payloadType = 'text/plain'
      },
    ],
    [
      'another signature',
      ({ dsseEnvelope }) => {
        const [signature] = dsseEnvelope.signatures
        const bytes = decodeBase64(signature?.sig ?? '')
        if (signature === undefined || bytes === undefined) throw new Error('No signature')
        bytes[7] = (bytes[7] ?? 0) ^ 1
        signature.sig = encodeBase64(bytes)
      },
    ],
    [
      'two signatures',
      ({ dsseEnvelope }) => {
        dsseEnvelope.signatures.push(...dsseEnvelope.signatures)
      },
    ],
  ])('is refused with %s', (_, change) => {
    const bundle = parse(copy.bundle)
    change(bundle)
    expect(() => {
      verify(bundle, copy.publicKey)
    }).toThrow()
  })

  it('is refused under the key that signs entries', async () => {
    await test.service.orderKeys(tenant, { order: 'rotate', purpose: 'bundle' }, founder)
    const later = await test.service.exportSigstoreBundle(tenant, id)
    expect(later.publicKey).not.toBe(copy.publicKey)
    expect(() => {
      verify(parse(copy.bundle), later.publicKey)
    }).toThrow()
    expect(() => {
      verify(parse(later.bundle), later.publicKey)
    }).not.toThrow()
  })
})

describe('the key for copies', () => {
  it('is there once it is asked for, signs no entries, and stands in no trust root', async () => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1))
    await expect(test.service.exportSigstoreBundle(tenant, id)).rejects.toMatchObject({
      code: 'INPUT_KEY_STATE',
    })
    const before = fromUtf8(await test.service.readTrustRoot(tenant))
    const done = await test.service.orderKeys(
      tenant,
      { order: 'rotate', purpose: 'bundle' },
      founder,
    )
    expect(done.steps.map(({ event, purpose }) => `${event} ${purpose}`)).toEqual([
      'prepared bundle',
      'published bundle',
      'activated bundle',
    ])
    const { keys } = await test.service.keyStatus(tenant)
    expect(keys.find(({ purpose }) => purpose === 'bundle')).toMatchObject({
      keyid: null,
      state: 'active',
      version: 1,
    })
    type Root = { origins: { keys: unknown; logKeys: unknown }[] }
    const keysOf = (text: string): unknown =>
      (JSON.parse(text) as Root).origins.map(({ keys, logKeys }) => [keys, logKeys])
    expect(keysOf(fromUtf8(await test.service.readTrustRoot(tenant)))).toEqual(keysOf(before))
  })

  it('lives through a restart, a new master key and its own revocation', async () => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1))
    await test.service.orderKeys(tenant, { order: 'rotate', purpose: 'bundle' }, founder)
    await test.service.orderKeys(tenant, { order: 'rotate-master' }, founder)
    const { publicKey } = await test.service.exportSigstoreBundle(tenant, id)
    const reopened = await test.reopen()
    const again = await reopened.service.exportSigstoreBundle(tenant, id)
    expect(again.publicKey).toBe(publicKey)
    const { keys } = await reopened.service.keyStatus(tenant)
    const key = keys.find(({ purpose }) => purpose === 'bundle')
    if (key === undefined) throw new Error('No key')
    const { notes } = await reopened.service.orderKeys(
      tenant,
      { keyId: key.keyId, order: 'revoke' },
      founder,
    )
    expect(notes.join()).toContain('nothing tells their verifiers')
    const last = await reopened.service.exportSigstoreBundle(tenant, id)
    expect(last.publicKey).not.toBe(publicKey)
    expect((await reopened.notarise(requestOf(2))).index).toBeGreaterThan(0)
  })

  it('signs nothing that was erased or never was', async () => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1))
    await test.service.orderKeys(tenant, { order: 'rotate', purpose: 'bundle' }, founder)
    await test.service.erase(test.principal, id, 'Asked for')
    await expect(test.service.exportSigstoreBundle(tenant, id)).rejects.toMatchObject({
      code: 'INPUT_ERASED',
    })
    for (const stream of ['trust', '0197a9d0-0000-7000-8000-000000000000'])
      await expect(test.service.exportSigstoreBundle(tenant, stream)).rejects.toMatchObject({
        code: 'INPUT_NOT_FOUND',
      })
  })
})

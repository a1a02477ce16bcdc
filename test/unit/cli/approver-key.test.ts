import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import {
  madeKinds,
  makeApproverKey,
  openApproverKey,
  readApproverPublicKey,
} from '../../../src/cli/approver-key.ts'
import { readPublicKey } from '../../../src/cli/approver.ts'
import { Usage } from '../../../src/cli/complain.ts'
import { approverKeyKinds } from '../../../src/crypto/approver-keys.ts'
import { labels } from '../../../src/crypto/labels.ts'
import { Secret } from '../../../src/crypto/secret.ts'

const passphrase = (text = 'correct horse battery'): Secret => new Secret(Buffer.from(text))
const text = utf8('Countersign override v1\n')

describe('the key file of an approver', () => {
  it.each(madeKinds)('signs as %s, so that rosters take it', async (kind) => {
    const { file, publicKey } = await makeApproverKey(kind, passphrase())
    expect(readApproverPublicKey(file)).toEqual({ kind, publicKey })
    expect(readPublicKey(publicKey)).toEqual({ key: publicKey, kind })
    const key = await openApproverKey(file, passphrase())
    const signature = key.sign(text, utf8(labels.override))
    key.close()
    const by = approverKeyKinds[kind]
    expect(by.verify(publicKey, text, signature).verdict).toBe('valid')
    expect(by.verify(publicKey, utf8('Countersign override v2\n'), signature).verdict).toBe(
      'invalid',
    )
  })

  it('opens by its passphrase alone, and not when anything in it was changed', async () => {
    const { file } = await makeApproverKey('Ed25519', passphrase())
    const members = JSON.parse(fromUtf8(file)) as Record<string, unknown>
    // All that is not secret stands in it, and nothing else.
    expect(Object.keys(members).sort()).toEqual([
      'kind',
      'nonce',
      'publicKey',
      'salt',
      'sealed',
      'type',
      'v',
    ])
    const others: Readonly<Record<string, string>> = {
      publicKey: encodeBase64(new Uint8Array(32)),
      sealed: encodeBase64(new Uint8Array(48)),
    }
    const failed = { code: 'OPEN_FAILED' }
    await expect(openApproverKey(file, passphrase('incorrect horse'))).rejects.toMatchObject(failed)
    for (const name of ['publicKey', 'sealed']) {
      const forged = canonicalBytes({ ...members, [name]: others[name] })
      await expect(openApproverKey(forged, passphrase())).rejects.toMatchObject(failed)
    }
    const invalid = { code: 'INPUT_INVALID' }
    for (const change of [{ v: 2 }, { more: 1 }, { kind: 'SSHSIG' }, { salt: '' }]) {
      const forged = canonicalBytes({ ...members, ...change })
      await expect(openApproverKey(forged, passphrase())).rejects.toMatchObject(invalid)
    }
    await expect(openApproverKey(utf8('{}'), passphrase())).rejects.toMatchObject(invalid)
  })
})

describe('a key that is named', () => {
  it.each([
    ['79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798', 'BIP-340'],
    ['bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l', 'BIP-322'],
  ])('is known by its form: %s', (key, kind) => {
    expect(readPublicKey(` ${key}\n`)).toEqual({ key, kind })
  })

  it.each(['', 'AAAA', 'ssh-rsa AAAA me', 'bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0m'])(
    'is refused when it is of no kind: %s',
    (key) => {
      expect(() => readPublicKey(key)).toThrow(Usage)
    },
  )
})

import { OutScript, Address, NETWORK } from '@scure/btc-signer'
import { expect, it } from 'vitest'
import { decodeHex, encodeHex, utf8 } from '../../src/base/bytes.ts'
import { schnorrPublicKey, signSchnorr, verifySchnorr } from '../../src/crypto/bip340.ts'
import { messageHash, toSignId, toSpendId, verifyBip322 } from '../../src/crypto/bip322.ts'
import { describeVectors, readVectors, readVectorText } from '../support/vectors.ts'
import { present } from '../unit/crypto/engines.ts'

const hex = (text: string): Uint8Array => present(decodeHex(text.toLowerCase()))

describeVectors('BIP-340', () => {
  const rows = readVectorText('bip340.csv').trim().split(/\r?\n/).slice(1)
  it('has its vectors', () => {
    expect(rows).toHaveLength(19)
  })
  it.each(
    rows.map(
      (row) => row.split(',') as [string, string, string, string, string, string, string, string],
    ),
  )('vector %s', (_, secret, publicKey, auxiliary, message, signature, result) => {
    expect(verifySchnorr(hex(publicKey), hex(message), hex(signature))).toBe(result === 'TRUE')
    if (secret === '') return
    expect(schnorrPublicKey(hex(secret))).toEqual(hex(publicKey))
    expect(signSchnorr(hex(secret), hex(message), hex(auxiliary))).toEqual(hex(signature))
  })
})

interface Bip322 {
  readonly tx_hashes: readonly {
    readonly message: string
    readonly address: string
    readonly message_hash: string
    readonly to_spend_tx_hash: string
    readonly to_sign_tx_hash: string
  }[]
  readonly simple: readonly {
    readonly message: string
    readonly address: string
    readonly type: string
    readonly bip322_signatures: readonly string[]
  }[]
  readonly error: readonly {
    readonly description: string
    readonly message: string
    readonly address: string
    readonly signature: string
  }[]
}

describeVectors('BIP-322', () => {
  const { error, simple, tx_hashes: hashes } = readVectors('bip322-basic.json') as Bip322
  it('has its vectors', () => {
    expect([hashes.length, simple.length, error.length]).toEqual([3, 4, 8])
  })
  it.each(hashes)('transactions of "$message"', (vector) => {
    const script = OutScript.encode(Address(NETWORK).decode(vector.address))
    const message = utf8(vector.message)
    expect(encodeHex(messageHash(message))).toBe(vector.message_hash)
    expect(encodeHex(toSpendId(script, message))).toBe(vector.to_spend_tx_hash)
    expect(toSignId(script, message)).toBe(vector.to_sign_tx_hash)
  })
  it.each(simple)(
    '$type of "$message"',
    ({ address, bip322_signatures: signatures, message, type }) => {
      expect(signatures.length).toBeGreaterThan(0)
      const expected = type.includes('multisig') ? 'unsupported' : 'valid'
      for (const signature of signatures) {
        expect(verifyBip322(address, utf8(message), signature).verdict).toBe(expected)
        // Without a prefix it is read as simple, and as nothing else.
        const bare = signature.replace(/^smp/, '')
        expect(verifyBip322(address, utf8(message), bare).verdict).toBe(expected)
        expect(verifyBip322(address, utf8(`${message}.`), signature).verdict).not.toBe('valid')
        expect(verifyBip322(address, utf8(message), `ful${bare}`).verdict).toBe('unsupported')
        expect(verifyBip322(address, utf8(message), `pof${bare}`).verdict).toBe('unsupported')
      }
    },
  )
  it.each(error)('refuses: $description', ({ address, message, signature }) => {
    expect(verifyBip322(address, utf8(message), signature).verdict).not.toBe('valid')
  })
})

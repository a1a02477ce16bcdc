import { generateKeyPairSync, sign } from 'node:crypto'

const value = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const SEQUENCE = 0x30
const ed25519 = value(SEQUENCE, value(0x06, Buffer.from('2b6570', 'hex')))
const utcTime = (text: string): Buffer => value(0x17, Buffer.from(text))

/** A certificate for 127.0.0.1, signed by itself with Ed25519, and its key, as PEM. */
export function createCertificate(): { cert: string; key: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const commonName = value(
    SEQUENCE,
    value(0x06, Buffer.from('550403', 'hex')),
    value(0x0c, Buffer.from('127.0.0.1')),
  )
  const name = value(SEQUENCE, value(0x31, commonName))
  const address = value(SEQUENCE, value(0x87, Buffer.from([127, 0, 0, 1])))
  const alternative = value(
    SEQUENCE,
    value(0x06, Buffer.from('551d11', 'hex')),
    value(0x04, address),
  )
  const body = value(
    SEQUENCE,
    value(0xa0, value(0x02, Buffer.from([2]))),
    value(0x02, Buffer.from([1])),
    ed25519,
    name,
    value(SEQUENCE, utcTime('200101000000Z'), utcTime('491231235959Z')),
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
    value(0xa3, value(SEQUENCE, alternative)),
  )
  const signature = value(0x03, Buffer.from([0]), sign(null, body, privateKey))
  const base64 = value(SEQUENCE, body, ed25519, signature).toString('base64')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

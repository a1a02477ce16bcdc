import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { formatEnvelope, payloadType, preAuthEncoding } from '../../../src/dossier/dsse.ts'

describe('the pre-authentication encoding', () => {
  it('is that of DSSE v1, lengths in bytes', () => {
    expect(fromUtf8(preAuthEncoding(utf8('{}')))).toBe(
      'DSSEv1 28 application/vnd.in-toto+json 2 {}',
    )
    expect(fromUtf8(preAuthEncoding(utf8('"—"')))).toBe(
      'DSSEv1 28 application/vnd.in-toto+json 5 "—"',
    )
    expect(fromUtf8(preAuthEncoding(new Uint8Array(0)))).toBe(
      'DSSEv1 28 application/vnd.in-toto+json 0 ',
    )
  })

  it('states the length of its type', () => {
    expect(payloadType.length).toBe(28)
  })
})

describe('an envelope', () => {
  it('carries payload and signature in base64', () => {
    expect(formatEnvelope(utf8('{}'), 'ab', Uint8Array.of(1, 2))).toEqual({
      payload: 'e30=',
      payloadType: 'application/vnd.in-toto+json',
      signatures: [{ keyid: 'ab', sig: 'AQI=' }],
    })
  })
})

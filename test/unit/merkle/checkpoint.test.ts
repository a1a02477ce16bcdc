import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { concat, encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { signatureAlgorithms } from '../../../src/crypto/signatures.ts'
import {
  cosign,
  formatCheckpoint,
  logVkeys,
  parseCheckpoint,
  parseCheckpointVkey,
  parseDecimal,
  signCheckpoint,
  verifyCheckpoint,
  type VerifiedCheckpoint,
} from '../../../src/merkle/checkpoint.ts'
import {
  cosignedMessage,
  ed25519Cosignature,
  mlDsa44Cosignature,
  noteSignatureTypes,
} from '../../../src/merkle/note-signature.ts'
import {
  createVkey,
  formatNote,
  formatNoteLine,
  formatVkey,
  parseNote,
  type NoteLine,
  type Vkey,
} from '../../../src/merkle/note.ts'
import { fixedLog, fixedSigner } from '../../support/merkle-signers.ts'

const origin = 'log.example/one'
const root = new Uint8Array(32).fill(0x42)
const checkpoint = { origin, size: 1234, root }
const text = formatCheckpoint(checkpoint)

const log = fixedLog(1)
const vkeys = logVkeys(origin, log)
const note = signCheckpoint(checkpoint, log)
const logLines = linesOf(note)

const witness = {
  ed25519: fixedSigner('Ed25519', 11),
  mlDsa44: fixedSigner('ML-DSA-44', 12),
  name: 'witness.example/w',
}
const witnessKeys = [
  createVkey(witness.name, 4, witness.ed25519.publicKey),
  createVkey(witness.name, 6, witness.mlDsa44.publicKey),
] as const
const cosignatures = [
  cosign(checkpoint, witness.name, witness.ed25519, 1_700_000_000),
  cosign(checkpoint, witness.name, witness.mlDsa44, 1_700_000_001),
] as const

function linesOf(input: string): readonly NoteLine[] {
  const parsed = parseNote(input)
  return typeof parsed === 'string' ? [] : parsed.lines
}

function verified(input: string, keys: readonly Vkey[]): VerifiedCheckpoint {
  const result = verifyCheckpoint(input, keys)
  if ('reason' in result) throw new Error(result.reason)
  return result
}

const reason = (input: string, keys: readonly Vkey[]): string | undefined => {
  const result = verifyCheckpoint(input, keys)
  return 'reason' in result ? result.reason : undefined
}

describe('the text of a checkpoint', () => {
  it('is three lines, and reads as it was written', () => {
    expect(text).toBe(`${origin}\n1234\n${encodeBase64(root)}\n`)
    expect(parseCheckpoint(text)).toEqual(checkpoint)
  })

  it('may stand for the empty and for the largest tree', () => {
    for (const size of [0, Number.MAX_SAFE_INTEGER])
      expect(parseCheckpoint(formatCheckpoint({ origin, size, root }))).toEqual({
        origin,
        size,
        root,
      })
  })

  it('may have an origin with spaces, as other logs do', () => {
    expect(parseCheckpoint(text.replace(origin, 'Go log 1+1'))).toMatchObject({
      origin: 'Go log 1+1',
    })
  })

  const hash = encodeBase64(root)
  it.each([
    ['nothing', ''],
    ['no final newline', text.slice(0, -1)],
    ['two lines', `${origin}\n1234\n`],
    ['no origin', `\n1234\n${hash}\n`],
    ['no size', `${origin}\n\n${hash}\n`],
    ['leading zeros', `${origin}\n01234\n${hash}\n`],
    ['a sign', `${origin}\n+1234\n${hash}\n`],
    ['a negative size', `${origin}\n-1\n${hash}\n`],
    ['a hexadecimal size', `${origin}\n0x10\n${hash}\n`],
    ['an exponent', `${origin}\n1e3\n${hash}\n`],
    ['a space', `${origin}\n1234 \n${hash}\n`],
    ['foreign digits', `${origin}\n١٢\n${hash}\n`],
    ['a size of 2^53', `${origin}\n9007199254740992\n${hash}\n`],
    ['a size of 2^64', `${origin}\n18446744073709551616\n${hash}\n`],
    ['a root of 31 bytes', `${origin}\n1234\n${encodeBase64(root.subarray(1))}\n`],
    ['a root of 33 bytes', `${origin}\n1234\n${encodeBase64(concat(root, utf8('x')))}\n`],
    ['a root without padding', `${origin}\n1234\n${hash.slice(0, -1)}\n`],
    ['a root with stray bits', `${origin}\n1234\n${hash.replace('I=', 'J=')}\n`],
    ['an extension line', `${text}extension\n`],
    ['an empty extension line', `${text}\n`],
  ])('is refused with %s', (_what, input) => {
    expect(parseCheckpoint(input)).toBeTypeOf('string')
  })

  it('is never written for what could not be read', () => {
    for (const wrong of [
      { origin: '', size: 1, root },
      { origin: 'a\nb', size: 1, root },
      { origin, size: -1, root },
      { origin, size: 1.5, root },
      { origin, size: 2 ** 53, root },
      { origin, size: 1, root: root.subarray(1) },
    ])
      expect(() => formatCheckpoint(wrong)).toThrow(expect.objectContaining({ code: 'BUG' }))
  })

  it('takes decimals up to 2^53-1', () => {
    expect(parseDecimal('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER)
    expect(parseDecimal('9007199254740992')).toBeUndefined()
    expect(parseDecimal('00')).toBeUndefined()
  })
})

describe('the message of an ML-DSA-44 cosignature', () => {
  it('has the layout of the standard', () => {
    const message = cosignedMessage({
      cosigner: 'a',
      timestamp: 0x0102030405060708n,
      origin: 'b',
      start: 0x0910111213141516n,
      end: 0x1718191a1b1c1d1en,
      hash: root,
    })
    expect(encodeHex(message)).toBe(
      '737562747265652f76310a00' +
        '0161' +
        '0102030405060708' +
        '0162' +
        '0910111213141516' +
        '1718191a1b1c1d1e' +
        '42'.repeat(32),
    )
    expect(message.length).toBe(72)
  })

  it('has room for names of 1 to 255 bytes', () => {
    const tree = { timestamp: 0, start: 0, end: 1, hash: root }
    const longest = 'ü'.repeat(127) + 'x'
    expect(cosignedMessage({ ...tree, cosigner: longest, origin: 'b' }).length).toBe(72 + 254)
    for (const wrong of ['', 'x'.repeat(256), 'ü'.repeat(128)]) {
      expect(() => cosignedMessage({ ...tree, cosigner: wrong, origin: 'b' })).toThrow('255 bytes')
      expect(() => cosignedMessage({ ...tree, cosigner: 'a', origin: wrong })).toThrow('255 bytes')
    }
  })
})

describe('a log', () => {
  it('signs under its origin by both keys, at time 0', () => {
    expect(logLines.map(({ name, signature }) => [name, signature.length])).toEqual([
      [origin, 64],
      [origin, 8 + 2420],
    ])
    const result = verified(note, vkeys)
    expect(result.checkpoint).toEqual(checkpoint)
    expect(result.lines).toEqual([{ vkey: vkeys[0] }, { vkey: vkeys[1], timestamp: 0 }])
  })

  it('gives Ed25519 lines that never change', () => {
    expect(formatVkey(vkeys[0])).toBe(
      'log.example/one+aa441aac+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c',
    )
    expect(note.split('\n')[4]).toBe(
      '— log.example/one qkQarHOE04p2cy///8LnqRSdTmosihf72ZsA4lo31n9MIOxMENxGhHw+fWQ5vY6W7tgQmsWsf5A/iU2gnazDGj3dXQk=',
    )
  })

  it('signs the ML-DSA-44 line over name, origin, size and root', () => {
    const signature = logLines[1]?.signature.subarray(8) ?? root
    const tree = { cosigner: origin, timestamp: 0, origin, start: 0, end: 1234, hash: root }
    const algorithm = signatureAlgorithms['ML-DSA-44']
    const key = log.mlDsa44.publicKey
    expect(algorithm.verify(key, cosignedMessage(tree), signature)).toBe(true)
    expect(algorithm.verify(key, cosignedMessage({ ...tree, start: 1 }), signature)).toBe(false)
  })

  it('does not sign with keys of other algorithms, or under an origin that is no key name', () => {
    const swapped = { ed25519: log.mlDsa44, mlDsa44: log.ed25519 }
    expect(() => signCheckpoint(checkpoint, swapped)).toThrow('does not take ML-DSA-44')
    expect(() => signCheckpoint({ ...checkpoint, origin: 'a b' }, log)).toThrow('Not a key name')
    const long = { ...checkpoint, origin: 'x'.repeat(256) }
    expect(() => signCheckpoint(long, log)).toThrow('255 bytes')
  })
})

describe('a witness', () => {
  it('cosigns by either algorithm, with its time', () => {
    const result = verified(formatNote(text, [...logLines, ...cosignatures]), [
      ...vkeys,
      ...witnessKeys,
    ])
    expect(result.lines.slice(2)).toEqual([
      { vkey: witnessKeys[0], timestamp: 1_700_000_000 },
      { vkey: witnessKeys[1], timestamp: 1_700_000_001 },
    ])
  })

  it('signs by Ed25519 the time and the text', () => {
    const { signature } = cosignatures[0]
    const message = utf8(`cosignature/v1\ntime 1700000000\n${text}`)
    const algorithm = signatureAlgorithms.Ed25519
    expect(encodeHex(signature.subarray(0, 8))).toBe('000000006553f100')
    expect(algorithm.verify(witness.ed25519.publicKey, message, signature.subarray(8))).toBe(true)
    expect(formatNoteLine(cosignatures[0])).toBe(
      '— witness.example/w GQgW2gAAAABlU/EAEDgn6+r82D4EsnFRSr2z9B5qQUBfJeFiSLGnHDkRCoiY8oa21pu3zerZMiozIkLu8+j7y+0gRzoZXH2WHxJ6CA==\n',
    )
  })

  it('cosigns at time 1 and not at 0, in the past of 1970 or at a fraction', () => {
    for (const signer of [witness.ed25519, witness.mlDsa44]) {
      expect(cosign(checkpoint, 'w', signer, 1).name).toBe('w')
      for (const time of [0, -1, 1.5, Number.NaN, 2 ** 53])
        expect(() => cosign(checkpoint, 'w', signer, time)).toThrow('Not a time to cosign at')
    }
  })

  it('is refused with a changed time', () => {
    for (const [line, vkey] of [
      [cosignatures[0], witnessKeys[0]],
      [cosignatures[1], witnessKeys[1]],
    ] as const) {
      const signature = line.signature.slice()
      signature[7] = (signature[7] ?? 0) ^ 1
      const changed = formatNote(text, [...logLines, { ...line, signature }])
      expect(reason(changed, [...vkeys, vkey])).toContain(witness.name)
      expect(reason(formatNote(text, [line]), [vkey])).toBeUndefined()
    }
  })

  it('cannot claim a time beyond 2^53-1, nor an Ed25519 one at time 0', () => {
    const signAt = (time: bigint, message: Uint8Array): NoteLine => {
      const bytes = new Uint8Array(8)
      new DataView(bytes.buffer).setBigUint64(0, time)
      const signature = concat(bytes, witness.ed25519.sign(message))
      return { name: witness.name, keyId: witnessKeys[0].keyId, signature }
    }
    const at = (time: bigint): string | undefined => {
      const line = signAt(time, utf8(`cosignature/v1\ntime ${time}\n${text}`))
      return reason(formatNote(text, [line]), [witnessKeys[0]])
    }
    expect(at(1n)).toBeUndefined()
    expect(at(2n ** 53n - 1n)).toBeUndefined()
    expect(at(0n)).toContain('Signature of a known key is wrong')
    for (const time of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n])
      expect(at(time)).toContain('Signature of a known key is wrong')
  })

  it('of ML-DSA-44 cannot lend its signature to another name or log', () => {
    const [, key] = witnessKeys
    const { signature } = cosignatures[1]
    const other = createVkey('witness.example/other', 6, key.publicKey)
    const moved = { name: other.name, keyId: other.keyId, signature }
    expect(reason(formatNote(text, [moved]), [other])).toContain('Signature of a known key')
    const otherText = formatCheckpoint({ ...checkpoint, origin: 'log.example/two' })
    expect(reason(formatNote(otherText, [cosignatures[1]]), [key])).toContain('Signature of a')
  })

  it('with too long a name or origin is refused, not an exception', () => {
    const name = 'x'.repeat(256)
    const vkey = createVkey(name, 6, witness.mlDsa44.publicKey)
    const line = { name, keyId: vkey.keyId, signature: cosignatures[1].signature }
    expect(reason(formatNote(text, [line]), [vkey])).toContain('Signature of a known key')
    const longOrigin = formatCheckpoint({ ...checkpoint, origin: name })
    expect(reason(formatNote(longOrigin, [cosignatures[1]]), [witnessKeys[1]])).toContain(
      'Signature of a known key',
    )
  })
})

describe('verifying a checkpoint', () => {
  const [ed25519Line, mlDsa44Line] = [logLines[0], logLines[1]] as readonly [NoteLine, NoteLine]

  it('refuses every other origin, size and root', () => {
    for (const changed of [
      { ...checkpoint, origin: 'log.example/onf' },
      { ...checkpoint, size: 1235 },
      { ...checkpoint, root: root.with(31, 0x43) },
    ])
      for (const [line, vkey] of [
        [ed25519Line, vkeys[0]],
        [mlDsa44Line, vkeys[1]],
      ] as const)
        expect(reason(formatNote(formatCheckpoint(changed), [line]), [vkey])).toBe(
          `Signature of a known key is wrong: ${origin}`,
        )
  })

  it('refuses a signature with one bit changed, cut or with a byte more', () => {
    for (const [line, vkey] of [
      [ed25519Line, vkeys[0]],
      [mlDsa44Line, vkeys[1]],
      [cosignatures[0], witnessKeys[0]],
      [cosignatures[1], witnessKeys[1]],
    ] as const) {
      const { signature } = line
      const middle = Math.floor(signature.length / 2)
      for (const wrong of [
        signature.with(middle, (signature[middle] ?? 0) ^ 1),
        signature.subarray(1),
        signature.subarray(0, -1),
        concat(signature, Uint8Array.of(0)),
        Uint8Array.of(1),
      ])
        expect(reason(formatNote(text, [{ ...line, signature: wrong }]), [vkey])).toContain(
          'Signature of a known key is wrong',
        )
    }
  })

  it('ignores lines of unknown keys, whatever is in them', () => {
    const junk = [
      { name: 'stranger', keyId: ed25519Line.keyId, signature: Uint8Array.of(1) },
      { name: origin, keyId: 7, signature: Uint8Array.of(2) },
      { name: origin, keyId: 7, signature: Uint8Array.of(2) },
    ]
    const result = verified(formatNote(text, [...junk, ...logLines, ...junk]), vkeys)
    expect(result.lines.length).toBe(2)
  })

  it('refuses the whole note for one known key that fails, even beside good ones', () => {
    const wrong = { ...cosignatures[0], signature: new Uint8Array(72) }
    const mixed = formatNote(text, [...logLines, wrong])
    expect(reason(mixed, [...vkeys, witnessKeys[0]])).toContain(witness.name)
    expect(reason(mixed, vkeys)).toBeUndefined()
  })

  it('refuses a known key that stands twice', () => {
    for (const line of [ed25519Line, mlDsa44Line])
      expect(reason(formatNote(text, [...logLines, line]), vkeys)).toBe(
        `Key has two lines: ${origin}`,
      )
  })

  it('refuses a note that no known key has signed', () => {
    expect(reason(note, [])).toBe('No line is by a known key')
    expect(reason(note, witnessKeys)).toBe('No line is by a known key')
    expect(reason(note, logVkeys(origin, fixedLog(21)))).toBe('No line is by a known key')
  })

  it('counts a key that is named twice once, and refuses two that look alike', () => {
    expect(verified(note, [...vkeys, ...vkeys]).lines.length).toBe(2)
    const twin = { ...vkeys[0], publicKey: vkeys[0].publicKey.with(0, 1) }
    expect(reason(note, [...vkeys, twin])).toBe(`Two keys share name and id: ${origin}`)
  })

  it('refuses a known key of a type that we do not know, or under another type', () => {
    const { publicKey } = log.ed25519
    for (const type of [2, 4, 5, 6, 255]) {
      const vkey = createVkey(origin, type, publicKey)
      const line = { name: origin, keyId: vkey.keyId, signature: ed25519Line.signature }
      expect(reason(formatNote(text, [line]), [vkey])).toContain('Signature of a known key')
    }
  })

  it('refuses what is no note, and a note that is no checkpoint', () => {
    expect(reason('', vkeys)).toBe('Note has no blank line before its signatures')
    expect(reason(formatNote('hello\n', logLines), vkeys)).toBe(
      'Checkpoint does not have three lines',
    )
  })

  it('refuses an extension line although Ed25519 has signed it', () => {
    const extended = `${text}extension\n`
    const line = { ...ed25519Line, signature: log.ed25519.sign(utf8(extended)) }
    expect(reason(formatNote(extended, [line]), vkeys)).toBe('Checkpoint has extension lines')
  })
})

describe('the signature types', () => {
  it('stand under their bytes', () => {
    expect([...noteSignatureTypes].map(([byte, { algorithm }]) => [byte, algorithm.name])).toEqual([
      [1, 'Ed25519'],
      [4, 'Ed25519'],
      [6, 'ML-DSA-44'],
    ])
    expect(ed25519Cosignature.type).toBe(4)
    expect(mlDsa44Cosignature.type).toBe(6)
  })

  it('want verifier keys of their lengths', () => {
    for (const [type, length] of [
      [1, 32],
      [4, 32],
      [6, 1312],
    ] as const) {
      const vkey = createVkey('a', type, new Uint8Array(length))
      expect(parseCheckpointVkey(formatVkey(vkey))).toEqual(vkey)
      for (const wrong of [length - 1, length + 1])
        expect(
          parseCheckpointVkey(formatVkey(createVkey('a', type, new Uint8Array(wrong)))),
        ).toContain('wrong length')
    }
    const ecdsa = formatVkey(createVkey('a', 2, new Uint8Array(32)))
    expect(parseCheckpointVkey(ecdsa)).toBe('Signature type is not supported: 2')
    expect(parseCheckpointVkey('a')).toBe('Verifier key has no name or no id')
  })
})

import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js'
import { p2tr, p2wpkh, RawWitness, WIF } from '@scure/btc-signer'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { concat, decodeHex, encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { approverKeyKinds, type ApproverKeyKindName } from '../../../src/crypto/approver-keys.ts'
import { toSign, verifyBip322 } from '../../../src/crypto/bip322.ts'
import { schnorrPublicKey, signSchnorr, taggedHash } from '../../../src/crypto/bip340.ts'
import { ed25519 } from '../../../src/crypto/ed25519.ts'
import { sha256, sha512 } from '../../../src/crypto/hash.ts'
import { labels } from '../../../src/crypto/labels.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { signatureAlgorithms } from '../../../src/crypto/signatures.ts'
import { readSshKey, verifySshsig } from '../../../src/crypto/sshsig.ts'
import { needSshKeygen } from '../../support/ssh-keygen.ts'

const home = mkdtempSync(join(tmpdir(), 'countersign-approver-'))
beforeAll(needSshKeygen, 120_000)
afterAll(() => {
  rmSync(home, { force: true, recursive: true })
})

const challenge = utf8('Countersign override v1\nInstance: 0197\n')
const seed = (byte: number, length = 32): Uint8Array => new Uint8Array(length).fill(byte)

function sign(name: 'Ed25519' | 'id-MLDSA65-Ed25519-SHA512', byte: number, text = challenge) {
  const algorithm = signatureAlgorithms[name]
  const signer = algorithm.signer(new Secret(seed(byte, algorithm.seedBytes)))
  const context = name === 'Ed25519' ? undefined : utf8(labels.override)
  return {
    key: encodeBase64(signer.publicKey),
    signature: encodeBase64(signer.sign(text, context)),
  }
}

/** A key of stock ssh-keygen. */
function sshKey(name: string): string {
  const file = join(home, name)
  const { status } = spawnSync('ssh-keygen', [
    '-q',
    '-t',
    'ed25519',
    '-N',
    '',
    '-C',
    'me',
    '-f',
    file,
  ])
  expect(status).toBe(0)
  return readFileSync(`${file}.pub`, 'utf8').trim().split(' ').slice(0, 2).join(' ')
}

function sshSign(name: string, text: Uint8Array, namespace: string = labels.override): string {
  const file = join(home, `${name}.txt`)
  writeFileSync(file, text)
  rmSync(`${file}.sig`, { force: true })
  const { status } = spawnSync('ssh-keygen', [
    '-q',
    '-Y',
    'sign',
    '-f',
    join(home, name),
    '-n',
    namespace,
    file,
  ])
  expect(status).toBe(0)
  return readFileSync(`${file}.sig`, 'utf8')
}

/** A P2TR signature over a text, as wallets make it. */
function signTaproot(secret: Uint8Array, text: Uint8Array, hashType = 0) {
  const { address, script, tweakedPubkey } = p2tr(schnorr.getPublicKey(secret))
  const digest = toSign(script, text).preimageWitnessV1(0, [script], hashType, [0n])
  const { Fn } = schnorr.Point
  const point = schnorr.Point.BASE.multiply(Fn.fromBytes(secret))
  const even =
    (point.toAffine().y & 1n) === 0n ? Fn.fromBytes(secret) : Fn.neg(Fn.fromBytes(secret))
  const tweak = Fn.create(
    BigInt(`0x${encodeHex(taggedHash('TapTweak', schnorr.getPublicKey(secret)))}`),
  )
  const tweaked = Fn.toBytes(Fn.create(even + tweak))
  expect(schnorr.getPublicKey(tweaked)).toEqual(tweakedPubkey)
  const signature = schnorr.sign(digest, tweaked)
  return {
    address,
    signature: hashType === 0 ? signature : concat(signature, Uint8Array.of(hashType)),
  }
}

function signKeyHash(secret: Uint8Array, text: Uint8Array, hashType = 1, lowS = true) {
  const publicKey = secp256k1.getPublicKey(secret)
  const { address, script } = p2wpkh(publicKey)
  const code = concat(
    Uint8Array.of(0x76, 0xa9, 0x14),
    script.subarray(2),
    Uint8Array.of(0x88, 0xac),
  )
  const digest = toSign(script, text).preimageWitnessV0(0, code, hashType, 0n)
  let signature = secp256k1.Signature.fromBytes(
    secp256k1.sign(digest, secret, { prehash: false }),
    'compact',
  )
  if (!lowS)
    signature = new secp256k1.Signature(signature.r, secp256k1.Point.Fn.ORDER - signature.s)
  return {
    address,
    publicKey,
    signature: concat(signature.toBytes('der'), Uint8Array.of(hashType)),
  }
}

const smp = (...witness: Uint8Array[]): string => `smp${encodeBase64(RawWitness.encode(witness))}`

describe('keys of approvers', () => {
  it.each<[ApproverKeyKindName, () => { key: string; signature: string }]>([
    ['Ed25519', () => sign('Ed25519', 1)],
    ['id-MLDSA65-Ed25519-SHA512', () => sign('id-MLDSA65-Ed25519-SHA512', 1)],
    [
      'BIP-340',
      () => ({
        key: encodeHex(schnorrPublicKey(seed(5))),
        signature: encodeHex(signSchnorr(seed(5), taggedHash(labels.override, challenge))),
      }),
    ],
    [
      'BIP-322',
      () => {
        const { address, signature } = signTaproot(seed(6), challenge)
        return { key: address, signature: smp(signature) }
      },
    ],
    ['SSHSIG', () => ({ key: sshKey('table'), signature: sshSign('table', challenge) })],
  ])('sign a challenge as %s, and nothing else by it', (name, make) => {
    const kind = approverKeyKinds[name]
    const { key, signature } = make()
    expect(kind.problem(key)).toBeUndefined()
    expect(kind.points(key).length).toBeGreaterThan(0)
    expect(kind.verify(key, challenge, signature)).toMatchObject({ verdict: 'valid' })
    expect(kind.verify(key, challenge, `${signature}\n`).verdict).toBe('valid')
    expect(
      kind.verify(key, utf8('Countersign override v1\nInstance: 0198\n'), signature).verdict,
    ).toBe('invalid')
    for (const other of Object.keys(approverKeyKinds) as ApproverKeyKindName[]) {
      if (other === name) continue
      expect(approverKeyKinds[other].verify(key, challenge, signature).verdict).not.toBe('valid')
      expect(approverKeyKinds[other].problem(key)).toEqual(expect.any(String))
      expect(approverKeyKinds[other].points(key)).toEqual([])
    }
    for (const wrong of ['', 'x', signature.slice(0, -3), signature.replace(/[b-y]/, 'z')])
      expect(kind.verify(key, challenge, wrong).verdict).not.toBe('valid')
  })

  it('have one text each', () => {
    const { Ed25519, 'BIP-340': bip340, 'BIP-322': bip322, SSHSIG: ssh } = approverKeyKinds
    expect(Ed25519.problem(sign('Ed25519', 1).key.replace('=', ''))).toEqual(expect.any(String))
    const x = encodeHex(schnorrPublicKey(seed(5)))
    expect(bip340.problem(x.toUpperCase())).toEqual(expect.any(String))
    expect(bip340.problem('ff'.repeat(32))).toEqual(expect.any(String))
    const { address } = signTaproot(seed(6), challenge)
    expect(bip322.problem(address.toUpperCase())).toContain('usual form')
    expect(bip322.problem('tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx')).toContain('main network')
    expect(bip322.problem('1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2')).toContain('not supported')
    const line = sshKey('text')
    for (const other of [
      `${line} me`,
      line.replace('ssh-ed25519', 'ssh-rsa'),
      `${line}A`,
      line.split(' ')[1] ?? '',
    ])
      expect(ssh.problem(other)).toEqual(expect.any(String))
  })

  it('are one key where one secret is behind them, whatever they look like', () => {
    const {
      Ed25519,
      'BIP-340': bip340,
      'BIP-322': bip322,
      SSHSIG: ssh,
      'id-MLDSA65-Ed25519-SHA512': composite,
    } = approverKeyKinds
    const shared = (a: readonly string[], b: readonly string[]): boolean =>
      a.some((point) => b.includes(point))
    const x = encodeHex(schnorrPublicKey(seed(6)))
    const taproot = signTaproot(seed(6), challenge).address
    const keyHash = signKeyHash(seed(6), challenge).address
    expect(shared(bip340.points(x), bip322.points(taproot))).toBe(true)
    expect(shared(bip340.points(x), bip322.points(keyHash))).toBe(true)
    expect(
      shared(bip340.points(encodeHex(schnorrPublicKey(seed(7)))), bip322.points(taproot)),
    ).toBe(false)
    const line = sshKey('point')
    const parsed = readSshKey(line)
    if (typeof parsed === 'string') throw new Error(parsed)
    expect(shared(ssh.points(line), Ed25519.points(encodeBase64(parsed.publicKey)))).toBe(true)
    const hybrid = concat(new Uint8Array(1952), parsed.publicKey)
    expect(shared(composite.points(encodeBase64(hybrid)), ssh.points(line))).toBe(true)
  })
})

describe('BIP-322', () => {
  const secret = seed(9)
  it('takes a taproot signature that covers all, by either way of saying so', () => {
    for (const hashType of [0, 1]) {
      const { address, signature } = signTaproot(secret, challenge, hashType)
      expect(verifyBip322(address, challenge, smp(signature)).verdict).toBe('valid')
    }
  })

  it('refuses a taproot signature that covers less, and one with a type that says nothing', () => {
    for (const hashType of [2, 3, 0x81]) {
      const { address, signature } = signTaproot(secret, challenge, hashType)
      expect(verifyBip322(address, challenge, smp(signature)).verdict).toBe('invalid')
    }
    const { address, signature } = signTaproot(secret, challenge)
    expect(verifyBip322(address, challenge, smp(concat(signature, Uint8Array.of(0)))).verdict).toBe(
      'invalid',
    )
  })

  it('does not judge script paths and annexes', () => {
    const { address, signature } = signTaproot(secret, challenge)
    expect(verifyBip322(address, challenge, smp(signature, Uint8Array.of(0x50))).verdict).toBe(
      'unsupported',
    )
    expect(verifyBip322(address, challenge, smp()).verdict).toBe('invalid')
  })

  it('takes a key-hash signature only with its key, covering all, in strict DER with a low S', () => {
    const { address, publicKey, signature } = signKeyHash(secret, challenge)
    expect(verifyBip322(address, challenge, smp(signature, publicKey)).verdict).toBe('valid')
    const other = secp256k1.getPublicKey(seed(10))
    expect(verifyBip322(address, challenge, smp(signature, other)).verdict).toBe('invalid')
    const long = secp256k1.getPublicKey(secret, false)
    expect(verifyBip322(address, challenge, smp(signature, long)).verdict).toBe('invalid')
    expect(verifyBip322(address, challenge, smp(signature)).verdict).toBe('invalid')
    expect(verifyBip322(address, challenge, smp(signature, publicKey, publicKey)).verdict).toBe(
      'invalid',
    )
    for (const hashType of [0, 2, 3, 0x81]) {
      const partial = signKeyHash(secret, challenge, hashType)
      expect(verifyBip322(address, challenge, smp(partial.signature, publicKey)).verdict).toBe(
        'invalid',
      )
    }
    const high = signKeyHash(secret, challenge, 1, false)
    expect(verifyBip322(address, challenge, smp(high.signature, publicKey)).reason).toContain(
      'low S',
    )
    // The same integers with a zero in front.
    const r = signature[3] ?? 0
    const padded = Uint8Array.of(
      0x30,
      (signature[1] ?? 0) + 1,
      2,
      r + 1,
      0,
      ...signature.subarray(4),
    )
    expect(verifyBip322(address, challenge, smp(padded, publicKey)).verdict).toBe('invalid')
  })

  it('reads a witness in its one encoding only', () => {
    const { address, signature } = signTaproot(secret, challenge)
    const bytes = RawWitness.encode([signature])
    expect(
      verifyBip322(address, challenge, `smp${encodeBase64(concat(bytes, Uint8Array.of(0)))}`)
        .verdict,
    ).toBe('invalid')
    const wide = concat(Uint8Array.of(0xfd, 1, 0), bytes.subarray(1))
    expect(verifyBip322(address, challenge, `smp${encodeBase64(wide)}`).verdict).toBe('invalid')
    expect(verifyBip322(address, challenge, 'A'.repeat(1025)).reason).toContain('too long')
  })

  it('knows a value pinned from the standard', () => {
    const address = 'bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l'
    const signature =
      'smpAkcwRAIgM2gBAQqvZX15ZiysmKmQpDrG83avLIT492QBzLnQIxYCIBaTpOaD20qRlEylyxFSeEA2ba9YOixpX8z46TSDtS40ASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI='
    expect(verifyBip322(address, new Uint8Array(), signature).verdict).toBe('valid')
    expect(verifyBip322(address, utf8('x'), signature).verdict).toBe('invalid')
    const wif = WIF().decode('L3VFeEujGtevx9w18HD1fhRbCH67Az2dpCymeRE1SoPK6XQtaN2k')
    expect(signKeyHash(wif, challenge).address).toBe(address)
  })
})

const string = (bytes: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(0, 0, 0, bytes.length), bytes)

/** An armored signature of its parts, as any tool could make it. */
function armor(parts: {
  blob: Uint8Array
  namespace?: string
  hash?: string
  inner: Uint8Array
  version?: number
  magic?: string
  tail?: Uint8Array
}): string {
  const {
    blob,
    hash = 'sha512',
    inner,
    magic = 'SSHSIG',
    namespace = 'n',
    tail = new Uint8Array(),
    version = 1,
  } = parts
  const bytes = concat(
    utf8(magic),
    Uint8Array.of(0, 0, 0, version),
    ...[blob, utf8(namespace), new Uint8Array(), utf8(hash), inner].map(string),
    tail,
  )
  const lines = encodeBase64(bytes).match(/.{1,70}/g) ?? []
  return ['-----BEGIN SSH SIGNATURE-----', ...lines, '-----END SSH SIGNATURE-----', ''].join('\n')
}

const signedOver = (namespace: string, hash: string, text: Uint8Array): Uint8Array =>
  concat(
    utf8('SSHSIG'),
    ...[
      utf8(namespace),
      new Uint8Array(),
      utf8(hash),
      hash === 'sha256' ? sha256(text) : sha512(text),
    ].map(string),
  )

describe('SSH signatures', () => {
  it('by stock ssh-keygen count in their namespace alone', () => {
    const key = readSshKey(sshKey('stock'))
    if (typeof key === 'string') throw new Error(key)
    const signature = sshSign('stock', challenge)
    expect(verifySshsig(key, labels.override, challenge, signature).verdict).toBe('valid')
    expect(
      verifySshsig(key, labels.override, challenge, signature.replaceAll('\n', '\r\n')).verdict,
    ).toBe('valid')
    expect(verifySshsig(key, 'file', challenge, signature).reason).toContain('namespace')
    expect(
      verifySshsig(key, labels.override, challenge, sshSign('stock', challenge, 'file')).verdict,
    ).toBe('invalid')
    const other = readSshKey(sshKey('other'))
    if (typeof other === 'string') throw new Error(other)
    expect(verifySshsig(other, labels.override, challenge, signature).reason).toContain(
      'another key',
    )
  })

  it('are refused in any other shape', () => {
    const signer = ed25519.signer(new Secret(seed(3)))
    const blob = concat(string(utf8('ssh-ed25519')), string(signer.publicKey))
    const key = readSshKey(`ssh-ed25519 ${encodeBase64(blob)}`)
    if (typeof key === 'string') throw new Error(key)
    const innerOf = (hash: string, type = 'ssh-ed25519') =>
      concat(string(utf8(type)), string(signer.sign(signedOver('n', hash, challenge))))
    const judge = (parts: Partial<Parameters<typeof armor>[0]>) =>
      verifySshsig(key, 'n', challenge, armor({ blob, inner: innerOf('sha512'), ...parts }))
    expect(judge({}).verdict).toBe('valid')
    expect(judge({ hash: 'sha256', inner: innerOf('sha256') }).verdict).toBe('valid')
    expect(judge({ hash: 'sha256' }).verdict).toBe('invalid')
    expect(judge({ hash: 'sha1' }).verdict).toBe('unsupported')
    expect(judge({ version: 2 }).verdict).toBe('unsupported')
    expect(judge({ magic: 'SSHSIX' }).verdict).toBe('invalid')
    expect(judge({ tail: Uint8Array.of(0) }).verdict).toBe('invalid')
    expect(judge({ inner: concat(innerOf('sha512'), Uint8Array.of(0)) }).verdict).toBe('invalid')
    expect(judge({ inner: innerOf('sha512', 'ssh-rsa') }).verdict).toBe('invalid')
    expect(judge({ namespace: 'm' }).verdict).toBe('invalid')
    expect(verifySshsig(key, 'n', challenge, 'A'.repeat(5000)).verdict).toBe('invalid')
  })

  it('by a security key count only when somebody touched it', () => {
    const signer = ed25519.signer(new Secret(seed(4)))
    const type = 'sk-ssh-ed25519@openssh.com'
    const application = utf8('ssh:')
    const blob = concat(string(utf8(type)), string(signer.publicKey), string(application))
    const key = readSshKey(`${type} ${encodeBase64(blob)}`)
    if (typeof key === 'string') throw new Error(key)
    const judge = (flags: number, counter = Uint8Array.of(0, 0, 1, 7), signed = application) => {
      const tail = concat(Uint8Array.of(flags), counter)
      const message = concat(sha256(signed), tail, sha256(signedOver('n', 'sha512', challenge)))
      const inner = concat(string(utf8(type)), string(signer.sign(message)), tail)
      return verifySshsig(key, 'n', challenge, armor({ blob, inner }))
    }
    expect(judge(1).verdict).toBe('valid')
    expect(judge(5).verdict).toBe('valid')
    expect(judge(0).reason).toContain('touched')
    expect(judge(4).reason).toContain('touched')
    expect(judge(1, Uint8Array.of(0, 0, 1)).verdict).toBe('invalid')
    expect(judge(1, undefined, utf8('ssh:other')).verdict).toBe('invalid')
    // A signature as a key in a file would make it is none by a security key.
    const plain = concat(
      string(utf8('ssh-ed25519')),
      string(signer.sign(signedOver('n', 'sha512', challenge))),
    )
    expect(verifySshsig(key, 'n', challenge, armor({ blob, inner: plain })).verdict).toBe('invalid')
  })
})

describe('BIP-340', () => {
  it('knows a value pinned from the standard', () => {
    const secret = seed(0)
    secret[31] = 3
    const key = 'f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9'
    expect(encodeHex(schnorrPublicKey(secret))).toBe(key)
    const signature = signSchnorr(secret, seed(0), seed(0))
    expect(encodeHex(signature).toUpperCase()).toBe(
      'E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA821525F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0',
    )
    // Over the bare text, not over its tagged hash, a signature is none of an approver.
    const bare = encodeHex(signSchnorr(secret, challenge))
    expect(approverKeyKinds['BIP-340'].verify(key, challenge, bare).verdict).toBe('invalid')
    expect(decodeHex(key)).toHaveLength(32)
    expect(approverKeyKinds['BIP-340'].verify('no key', challenge, bare)).toMatchObject({
      reason: 'Key or signature is not in hexadecimal',
      verdict: 'invalid',
    })
  })
})

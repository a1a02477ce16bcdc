// Every form in which the secrets of a keyring could lie in memory, as patterns of 16 bytes: a block that was freed unwiped loses its beginning to the
// allocator and keeps the rest, so that the whole of a seed is too much to look for.
import { createHash, randomBytes } from 'node:crypto'
import { ml_dsa44, ml_dsa65 } from '@noble/post-quantum/ml-dsa.js'
import { canonicalBytes } from '../../src/base/canonical-json.ts'
import { concat, utf8 } from '../../src/base/bytes.ts'
import { aes256Gcm } from '../../src/crypto/aead.ts'
import { hkdfSha256, sha256 } from '../../src/crypto/hash.ts'
import { keySchedule } from '../../src/crypto/hpke.ts'
import { labels } from '../../src/crypto/labels.ts'
import type { Secret } from '../../src/crypto/secret.ts'
import { xWing } from '../../src/crypto/x-wing.ts'
import { loadEnvironmentKek } from '../../src/kek/environment.ts'
import { readKekFile, readSecretFile } from '../../src/kek/kek-file.ts'
import { parseEnvironmentKek } from '../../src/kek/environment-key.ts'
import { headerBytes } from '../../src/keyring/header.ts'
import { deriveManifestKey } from '../../src/keyring/manifest.ts'
import { openSigningKey, parseSealedKey } from '../../src/keyring/sealed-key.ts'
import { openMasterSeed, parseSlot, type MasterSlot } from '../../src/keyring/slot.ts'
import type { StoredKeys } from '../../src/store/store.ts'
import { patternBytes, type Pattern } from './memory-scan.ts'

/** What patterns are XORed with. */
export const mask: Uint8Array = randomBytes(patternBytes)

const copyOf = (secret: Secret): Uint8Array => secret.use((bytes) => bytes.slice())

const pattern = (name: string, bytes: Uint8Array): Pattern => ({
  name,
  masked: bytes.map((byte, i) => byte ^ (mask[i] ?? 0)),
})

const cut = (bytes: Uint8Array, length: number): Uint8Array[] =>
  Array.from({ length: Math.floor(bytes.length / length) }, (_, n) =>
    bytes.subarray(n * length, (n + 1) * length),
  )

const raw = (name: string, bytes: Uint8Array): Pattern[] =>
  cut(bytes, 16).map((window) => pattern(`${name}, raw`, window))

const text = (name: string, characters: string): Pattern[] =>
  cut(utf8(characters), 16).map((window) => pattern(name, window))

/** The characters of base64 that depend on these bytes only, wherever in a longer text they stand. */
function base64(name: string, bytes: Uint8Array): Pattern[] {
  return [0, 1, 2].flatMap((shift) => {
    const characters = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    const [start, end] = [Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6)]
    return text(`${name}, base64 at ${shift}`, characters.slice(start, end))
  })
}

function forms(name: string, bytes: Uint8Array): Pattern[] {
  const hex = Buffer.from(bytes).toString('hex')
  return [
    ...raw(name, bytes),
    ...text(`${name}, hex`, hex),
    ...text(`${name}, upper-case hex`, hex.toUpperCase()),
    ...base64(name, bytes),
  ]
}

function ed25519Forms(name: string, seed: Uint8Array): Pattern[] {
  const expanded = createHash('sha512').update(seed).digest()
  return [
    ...forms(`${name} seed`, seed),
    // Without the two bytes that clamping changes.
    ...raw(`${name} scalar`, expanded.subarray(1, 17)),
    ...raw(`${name} scalar`, expanded.subarray(15, 31)),
    ...raw(`${name} prefix`, expanded.subarray(32)),
  ]
}

/** How s1 and s2 are packed (FIPS 204 §7.2, Table 1). */
const mlDsaShapes = {
  'ML-DSA-44': { noble: ml_dsa44, bits: 3, eta: 2, s1Bytes: 384, s2Bytes: 384 },
  'ML-DSA-65': { noble: ml_dsa65, bits: 4, eta: 4, s1Bytes: 640, s2Bytes: 768 },
}

/** Packed coefficients as 32-bit words modulo q, which is how OpenSSL holds them. */
function unpack(packed: Uint8Array, bits: number, eta: number): Uint8Array {
  const q = 8380417
  const words = Uint32Array.from({ length: (packed.length * 8) / bits }, (_, i) => {
    let value = 0
    for (let bit = 0; bit < bits; bit++) {
      const at = i * bits + bit
      value |= (((packed[at >> 3] ?? 0) >> (at & 7)) & 1) << bit
    }
    return (eta - value + q) % q
  })
  return new Uint8Array(words.buffer)
}

/** The words of a polynomial; only what starts with a negative coefficient, because memory is full of small positive words. */
const words = (name: string, bytes: Uint8Array): Pattern[] =>
  cut(bytes, patternBytes)
    .filter((window) => window[2] === 0x7f)
    .map((window) => pattern(`${name}, words`, window))

function mlDsaForms(
  owner: string,
  algorithm: keyof typeof mlDsaShapes,
  seed: Uint8Array,
): Pattern[] {
  const { noble, bits, eta, s1Bytes, s2Bytes } = mlDsaShapes[algorithm]
  const name = `${owner} ${algorithm}`
  const key = noble.keygen(seed).secretKey
  const [s1, s2] = [key.subarray(128, 128 + s1Bytes), key.subarray(128 + s1Bytes)]
  return [
    ...forms(`${name} seed`, seed),
    ...raw(`${name} K`, key.subarray(32, 64)),
    ...raw(`${name} s1`, s1.subarray(0, 64)),
    ...raw(`${name} s2`, s2.subarray(0, 64)),
    ...words(`${name} s1`, unpack(s1, bits, eta)),
    ...words(`${name} s2`, unpack(s2.subarray(0, s2Bytes), bits, eta)),
  ]
}

const signingForms = {
  evidence: (seed: Uint8Array) => [
    ...mlDsaForms('evidence', 'ML-DSA-65', seed.subarray(0, 32)),
    ...ed25519Forms('evidence Ed25519', seed.subarray(32)),
  ],
  bundle: (seed: Uint8Array) => ed25519Forms('bundle', seed),
  fast: (seed: Uint8Array) => ed25519Forms('fast', seed),
  log: (seed: Uint8Array) => [
    ...ed25519Forms('log Ed25519', seed.subarray(0, 32)),
    ...mlDsaForms('log', 'ML-DSA-44', seed.subarray(32)),
  ],
}

/** What a data key derives: it opens the slot as well as the data key itself. */
function slotKeyOf(slot: MasterSlot, dek: Uint8Array): Uint8Array {
  const { id, provider, kekId, mechanism } = slot
  const place = canonicalBytes({ id, provider, kekId, mechanism })
  const info = concat(
    utf8(labels.slot),
    Uint8Array.of(0),
    sha256(headerBytes(slot.header)),
    sha256(place),
  )
  return hkdfSha256(dek, slot.salt, info, 32)
}

/** What the KEK file holds, and what is made of it. */
function kekForms(kekFile: string): Pattern[] {
  using characters = readKekFile(kekFile)
  using kek = characters.use((bytes) => parseEnvironmentKek(bytes, kekFile))
  const wrapping = hkdfSha256(copyOf(kek), new Uint8Array(0), utf8(labels.environmentKek), 32)
  return [
    ...raw('KEK text', copyOf(characters)),
    ...forms('KEK', copyOf(kek)),
    ...forms('wrapping key', wrapping),
  ]
}

/** The first bytes of a PIN are its pattern; it has 16 or more. */
function pinForms(pinFile: string): Pattern[] {
  using pin = readSecretFile(pinFile, 'PIN')
  return forms('PIN', copyOf(pin))
}

/** The patterns of a PIN, and of every secret of a key store whose one slot is under an environment KEK. */
export async function patternsOf(
  stored: StoredKeys,
  kekFile: string,
  pinFile: string,
): Promise<Pattern[]> {
  const patterns = [...kekForms(kekFile), ...pinForms(pinFile)]
  const provider = loadEnvironmentKek(kekFile)
  const unwrap = provider.unwrap.bind(provider)
  const [slot] = stored.slots.map(({ body }) => parseSlot(body))
  if (slot === undefined) throw new Error('No slot')
  provider.unwrap = async (...input) => {
    const dek = await unwrap(...input)
    patterns.push(...forms('data key', copyOf(dek)))
    patterns.push(...forms('slot key', slotKeyOf(slot, copyOf(dek))))
    return dek
  }
  const master = await openMasterSeed(slot, provider)
  const masterSeed = copyOf(master)
  const expanded = createHash('shake256', { outputLength: 96 }).update(masterSeed).digest()
  patterns.push(
    ...forms('master seed', masterSeed),
    ...raw('master ML-KEM-768 seed', expanded.subarray(0, 64)),
    ...raw('master X25519 key', expanded.subarray(64)),
    ...forms('manifest key', copyOf(deriveManifestKey(master))),
  )
  for (const { purpose, body } of stored.keys) {
    const sealed = parseSealedKey(body)
    const shared = xWing.decapsulate(masterSeed, sealed.enc ?? new Uint8Array(0))
    patterns.push(
      ...raw(`${purpose} shared secret`, shared),
      ...raw(`${purpose} HPKE key`, keySchedule(aes256Gcm, shared, utf8(labels.signingKey)).key),
      ...signingForms[purpose](copyOf(openSigningKey(sealed, master))),
    )
  }
  return patterns
}

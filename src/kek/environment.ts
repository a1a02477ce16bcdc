// The KEK that the operator's environment holds: a file (preferred) or a variable, which stays readable in /proc. The value itself wraps nothing;
// the wrapping key and the public name are derived from it under two labels, so that the name tells nothing about the key.
import { encodeHex, utf8 } from '../base/bytes.ts'
import { hkdfSha256 } from '../crypto/hash.ts'
import { labels } from '../crypto/labels.ts'
import { Secret } from '../crypto/secret.ts'
import { AesGcmKek } from './aes-gcm-kek.ts'
import { parseEnvironmentKek } from './environment-key.ts'
import { readKekFile } from './kek-file.ts'
import type { KekProvider } from './kek.ts'

const noSalt = new Uint8Array(0)

const derive = (kek: Secret, label: string, length: number): Uint8Array =>
  kek.use((ikm) => hkdfSha256(ikm, noSalt, utf8(label), length))

function createProvider(text: Secret, source: string): KekProvider {
  using kek = text.use((bytes) => parseEnvironmentKek(bytes, source))
  return new AesGcmKek(new Secret(derive(kek, labels.environmentKek, 32)), {
    kind: 'environment',
    kekId: `env-${encodeHex(derive(kek, labels.environmentKekId, 16))}`,
    extractable: true,
    durable: true,
  })
}

/**
 * The provider of COUNTERSIGN_KEK; `text` is its value in UTF-8 and is wiped, good or not.
 * @throws {@link Failure} CONFIG_INVALID when it is no key
 */
export function createEnvironmentKek(text: Secret): KekProvider {
  try {
    return createProvider(text, 'COUNTERSIGN_KEK')
  } finally {
    text.wipe()
  }
}

/**
 * The provider of the file that COUNTERSIGN_KEK_FILE names.
 * @throws {@link Failure} CONFIG_INVALID when others could read the file, or it holds no key
 */
export function loadEnvironmentKek(path: string): KekProvider {
  using text = readKekFile(path)
  return createProvider(text, 'COUNTERSIGN_KEK_FILE')
}

// The key of an approver in a file of its own: the seed under AES-256-GCM, its key made of a passphrase by scrypt (RFC 7914). The parameters are those of
// the format and no others, so that a forged file cannot make opening it cost more. What is not secret stands beside and is authenticated along.
import { scrypt } from 'node:crypto'
import { z } from 'zod'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { openAesGcm, sealAesGcm } from '../crypto/aead.ts'
import { randomBytes } from '../crypto/hash.ts'
import { Secret } from '../crypto/secret.ts'
import { signatureAlgorithms } from '../crypto/signatures.ts'

/** The kinds of key that are made here; others come from the tools of their owners. */
export const madeKinds = Object.freeze(['Ed25519', 'id-MLDSA65-Ed25519-SHA512'] as const)

/** A kind of key that is made here. */
export type MadeKind = (typeof madeKinds)[number]

/** Shortest passphrase that is taken, in bytes. */
export const leastPassphrase = 12

const cost = { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 }
const base64 = (bytes: number) =>
  z.string().refine((text) => decodeBase64(text)?.length === bytes, `${bytes} bytes in base64`)

const fileSchema = z.strictObject({
  v: z.literal(1),
  type: z.literal('countersign-approver-key'),
  kind: z.enum(madeKinds),
  publicKey: z.string().max(4096),
  salt: base64(16),
  nonce: base64(12),
  sealed: z.string().max(1024),
})

const derive = (passphrase: Secret, salt: Uint8Array): Promise<Secret> =>
  passphrase.useAsync(
    (password) =>
      new Promise((resolve, reject) => {
        scrypt(password, salt, 32, cost, (error, key) => {
          if (error === null) resolve(new Secret(key))
          else reject(new Failure('KEK_UNAVAILABLE', 'scrypt did not run', { cause: error }))
        })
      }),
  )

type Header = Omit<z.infer<typeof fileSchema>, 'sealed'>

/** What is sealed along with the seed. */
const boundOf = ({ kind, nonce, publicKey, salt, type, v }: Header): Uint8Array =>
  canonicalBytes({ kind, nonce, publicKey, salt, type, v })

/** A new key: its file, and the public half as rosters write it. Takes about half a second and 128 MiB. */
export async function makeApproverKey(
  kind: MadeKind,
  passphrase: Secret,
): Promise<{ readonly file: Uint8Array; readonly publicKey: string }> {
  const algorithm = signatureAlgorithms[kind]
  using seed = Secret.random(algorithm.seedBytes)
  const publicKey = encodeBase64(seed.use((bytes) => algorithm.publicKey(bytes)))
  const [salt, nonce] = [randomBytes(16), randomBytes(12)]
  using key = await derive(passphrase, salt)
  const header: Header = {
    kind,
    nonce: encodeBase64(nonce),
    publicKey,
    salt: encodeBase64(salt),
    type: 'countersign-approver-key',
    v: 1,
  }
  const sealed = key.use((wrapping) =>
    seed.use((bytes) => sealAesGcm(wrapping, nonce, boundOf(header), bytes)),
  )
  return { file: canonicalBytes({ ...header, sealed: encodeBase64(sealed) }), publicKey }
}

/** What an approver signs with. */
export interface ApproverKey {
  readonly kind: MadeKind
  readonly publicKey: string
  /** Signs a text, as rosters and challenges are signed; base64. */
  sign(text: Uint8Array, context: Uint8Array): string
  close(): void
}

/** What stands in a key file, or undefined when it is none. */
function readFile(file: Uint8Array): z.infer<typeof fileSchema> | undefined {
  try {
    return fileSchema.safeParse(parseCanonical(file)).data
  } catch {
    return undefined
  }
}

/** The public half of a key file, which takes no passphrase. @throws {@link Failure} INPUT_INVALID when it is none */
export function readApproverPublicKey(file: Uint8Array): Pick<ApproverKey, 'kind' | 'publicKey'> {
  const parsed = readFile(file)
  if (parsed === undefined) throw new Failure('INPUT_INVALID', 'Not a key file of roster keygen')
  return { kind: parsed.kind, publicKey: parsed.publicKey }
}

/** Opens a key file. @throws {@link Failure} INPUT_INVALID when it is none, OPEN_FAILED for another passphrase or a changed file */
export async function openApproverKey(file: Uint8Array, passphrase: Secret): Promise<ApproverKey> {
  const parsed = readFile(file)
  if (parsed === undefined) throw new Failure('INPUT_INVALID', 'Not a key file of roster keygen')
  const [salt, nonce, sealed] = [parsed.salt, parsed.nonce, parsed.sealed].map(
    (text) => decodeBase64(text) ?? new Uint8Array(),
  )
  using key = await derive(passphrase, salt ?? new Uint8Array())
  const algorithm = signatureAlgorithms[parsed.kind]
  using seed = key.use(
    (wrapping) =>
      new Secret(
        openAesGcm(
          wrapping,
          nonce ?? new Uint8Array(),
          boundOf(parsed),
          sealed ?? new Uint8Array(),
        ),
      ),
  )
  const publicKey = decodeBase64(parsed.publicKey) ?? new Uint8Array()
  if (
    seed.length !== algorithm.seedBytes ||
    !equalBytes(
      seed.use((bytes) => algorithm.publicKey(bytes)),
      publicKey,
    )
  )
    throw new Failure('OPEN_FAILED', 'Key file holds another key than it says')
  const signer = algorithm.signer(seed)
  return {
    close: () => {
      signer.close()
    },
    kind: parsed.kind,
    publicKey: parsed.publicKey,
    sign: (text, context) =>
      encodeBase64(signer.sign(text, parsed.kind === 'Ed25519' ? undefined : context)),
  }
}

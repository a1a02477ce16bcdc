// One entry under a checkpoint that counts: leaf, inclusion, key, signature, statement, matter. What the payload says of its place is believed only
// where the leaf says the same.
import { decodeHex, encodeHex, utf8 } from '../base/bytes.ts'
import { decodeBase64 } from '../base/base64.ts'
import { limits } from '../base/limits.ts'
import { composite } from '../crypto/composite.ts'
import { ed25519 } from '../crypto/ed25519.ts'
import { sha256, sha512 } from '../crypto/hash.ts'
import { signatureContext } from '../crypto/labels.ts'
import { preAuthEncoding } from '../dossier/dsse.ts'
import { fastKinds } from '../dossier/kinds.ts'
import { parseLeaf, type Leaf } from '../dossier/leaf.ts'
import { isKnownKind, matters } from '../dossier/matters.ts'
import { firstIssue, parseStatement, type Statement } from '../dossier/statement.ts'
import { standingAt, type OriginSection, type TrustedSigningKey } from '../dossier/trust-root.ts'
import type { DossierEntry } from '../dossier/v1.ts'
import type { Checkpoint } from '../merkle/checkpoint.ts'
import { leafHash } from '../merkle/hash.ts'
import { verifyInclusion } from '../merkle/proof.ts'
import { publicKeyOf } from './check-trust-root.ts'
import type { Checks } from './report.ts'

/** An entry as far as it could be read. */
export interface JudgedEntry {
  readonly index: number
  readonly leaf: Leaf
  /** Hex. */
  readonly leafHash: string
  /** Undefined when erased or unreadable. */
  readonly statement: Statement | undefined
  readonly erased: boolean
}

/** The trusted key of a leaf when it may sign this kind of entry; where it stands at the index is a check of its own. */
function judgeKey(
  checks: Checks,
  name: string,
  section: OriginSection,
  leaf: Leaf,
  index: number,
): TrustedSigningKey | undefined {
  const key = section.keys.find(({ keyid }) => keyid === leaf.keyid)
  if (key === undefined) {
    const later = index >= section.asOf.size
    checks.add(
      name,
      later ? 'inconclusive' : 'fail',
      later
        ? `Key is not known to a trust root of size ${section.asOf.size}: a newer one is needed`
        : 'Key is not in the trust root',
    )
    return undefined
  }
  if (publicKeyOf(key) === undefined) {
    checks.add(name, 'fail', 'Public key of the trust root does not have this id')
    return undefined
  }
  if (!key.kinds.includes(leaf.kind)) {
    checks.add(name, 'fail', `Key may not sign this kind: ${leaf.kind}`)
    return undefined
  }
  // Whatever a trust root says: an Ed25519 signature alone never carries more than these kinds.
  if (
    key.algorithm === 'Ed25519' &&
    (key.profile !== 'checkpoint' || !fastKinds.includes(leaf.kind))
  ) {
    checks.add(name, 'fail', `Fast key may not sign this kind: ${leaf.kind}`)
    return undefined
  }
  const standing = standingAt(key, index)
  const reasons = {
    valid: `Key counts at index ${index}`,
    early: `Key does not count before index ${key.from}`,
    late: `Key does not count from index ${key.to ?? 0}`,
    revoked: `Valid when made; key revoked from index ${key.revokedAt ?? 0}`,
  }
  checks.expect(name, standing === 'valid', reasons.valid, reasons[standing])
  // "Valid when made" is said of a signature that was verified, or not at all.
  return standing === 'valid' || standing === 'revoked' ? key : undefined
}

function judgeSignature(
  checks: Checks,
  name: string,
  key: TrustedSigningKey,
  leaf: Leaf,
  entry: PlacedEntry,
): void {
  const publicKey = decodeBase64(key.publicKey) ?? new Uint8Array(0)
  if (key.algorithm === 'Ed25519') {
    if (entry.payload === null)
      checks.add(
        name,
        'erased',
        'Payload is erased: the leaf commits to the signature, which cannot be verified any more',
      )
    else
      checks.expect(
        name,
        ed25519.verify(publicKey, preAuthEncoding(entry.payload), entry.signature),
        'Ed25519 signature verifies; the post-quantum one is the checkpoint’s',
        'Ed25519 signature does not verify',
      )
    return
  }
  checks.expect(
    name,
    composite.verifyDigest(
      publicKey,
      hexBytes(leaf.pae),
      entry.signature,
      utf8(signatureContext(leaf.kind)),
    ),
    'ML-DSA-65 and Ed25519 signatures verify',
    'Composite signature does not verify',
  )
}

/** The first member in which a statement contradicts leaf, checkpoint or trust root. */
function contradiction(
  { predicate }: Statement,
  leaf: Leaf,
  section: OriginSection,
): string | undefined {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['kind', predicate.kind, leaf.kind],
    ['stream', predicate.stream, leaf.stream],
    ['seq', predicate.seq, leaf.seq],
    ['prev', predicate.prev, leaf.prev],
    ['instance', predicate.instance, section.instance],
    ['origin', predicate.origin, section.origin],
    ['tenant', predicate.tenant, section.tenant],
  ]
  return pairs.find(([, said, is]) => said !== is)?.[0]
}

function judgeMatter(checks: Checks, name: string, { predicate }: Statement): void {
  const { kind, matter } = predicate
  if (!isKnownKind(kind)) return
  const parsed = matters[kind].safeParse(matter)
  checks.expect(
    name,
    parsed.success,
    `Matter is a v1 ${kind}`,
    parsed.success ? '' : `Matter is not a v1 ${kind}: ${firstIssue(parsed.error)}`,
  )
}

function judgeStatement(
  checks: Checks,
  name: string,
  payload: Uint8Array,
  leaf: Leaf,
  section: OriginSection,
): Statement | undefined {
  const statement = parseStatement(payload)
  if (typeof statement === 'string') {
    checks.add(`${name}.statement`, 'fail', statement)
    return undefined
  }
  const wrong = contradiction(statement, leaf, section)
  const holds = checks.expect(
    `${name}.statement`,
    wrong === undefined,
    'Statement names this log, stream and step',
    `Statement contradicts its place in: ${wrong ?? ''}`,
  )
  if (!holds) return undefined
  judgeMatter(checks, `${name}.matter`, statement)
  return statement
}

/** Whether a payload is short enough to be read, and the one of the leaf. */
function judgePayload(checks: Checks, name: string, payload: Uint8Array, leaf: Leaf): boolean {
  if (payload.length > limits.payloadBytes) {
    checks.add(`${name}.payload`, 'fail', `Payload is longer than ${limits.payloadBytes} bytes`)
    return false
  }
  return checks.expect(
    `${name}.payload`,
    encodeHex(sha512(preAuthEncoding(payload))) === leaf.pae,
    'Payload is the one of the leaf',
    'Payload is not the one of the leaf',
  )
}

/** Judges one entry; undefined when its leaf cannot be read or is not in the tree, so that nothing more can be said of it. */
export function judgeEntry(
  checks: Checks,
  name: string,
  entry: DossierEntry,
  section: OriginSection,
  { root, size }: Checkpoint,
): JudgedEntry | undefined {
  const leaf = parseLeaf(entry.leaf)
  if (typeof leaf === 'string') {
    checks.add(`${name}.leaf`, 'fail', leaf)
    return undefined
  }
  const hash = leafHash(entry.leaf)
  const included = checks.expect(
    `${name}.inclusion`,
    verifyInclusion(entry.index, size, hash, entry.proof, root),
    `Leaf is at index ${entry.index} of ${size}`,
    `Leaf is not proved to be at index ${entry.index} of ${size}`,
  )
  if (!included) return undefined
  return judgePlaced(checks, name, entry, leaf, hash, section)
}

/** What an entry is judged by without its proof. */
export type PlacedEntry = Omit<DossierEntry, 'proof'>

/**
 * Judges an entry that is known to stand at its index.
 * @param verify false to leave its signature alone, where only the tree is of interest
 */
export function judgePlaced(
  checks: Checks,
  name: string,
  entry: PlacedEntry,
  leaf: Leaf,
  hash: Uint8Array,
  section: OriginSection,
  verify = true,
): JudgedEntry {
  const key = judgeKey(checks, `${name}.key`, section, leaf, entry.index)
  const genuine = entry.payload !== null && judgePayload(checks, name, entry.payload, leaf)
  const committed = checks.expect(
    `${name}.signature-digest`,
    encodeHex(sha256(entry.signature)) === leaf.sig,
    'Signature is the one of the leaf',
    'Signature is not the one of the leaf',
  )
  if (verify && key !== undefined && committed)
    judgeSignature(checks, `${name}.signature`, key, leaf, entry)
  // Said of the leaf, for an erased entry of such a kind is not understood either.
  if (!isKnownKind(leaf.kind))
    checks.add(
      `${name}.matter`,
      'inconclusive',
      `This verifier does not know what the kind means: ${leaf.kind}`,
    )
  // What is not the leaf's is not read: anybody can put it there.
  const statement =
    entry.payload !== null && genuine
      ? judgeStatement(checks, name, entry.payload, leaf, section)
      : undefined
  return {
    index: entry.index,
    leaf,
    leafHash: encodeHex(hash),
    statement,
    erased: entry.payload === null,
  }
}

// The leaf's schema has made sure that it is hex.
const hexBytes = (hex: string): Uint8Array => decodeHex(hex) ?? new Uint8Array(0)

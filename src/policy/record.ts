// The canonical record of a bundle: what is hashed, logged, and read again years later. Canonical JSON has no integer beyond 2^53, so such numbers
// stand there as strings, and a list beside the bundle says at which places, and whether an integer or a float stood.
import { canonicalBytes } from '../base/canonical-json.ts'
import { encodeHex } from '../base/bytes.ts'
import { asFailure, Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Dialect } from './dialect.ts'

/** A bundle as it is logged. */
interface BundleRecord {
  readonly dialect: string
  readonly bundle: unknown
  /** JSON pointers to the strings in the bundle that stand for numbers. */
  readonly exact?: Readonly<Record<string, 'integer' | 'float'>>
}

const needsText = (value: number): boolean =>
  Number.isInteger(value) && !Number.isSafeInteger(value) && !String(value).includes('e')

const pointerPart = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')

function settle(
  value: unknown,
  at: string,
  exact: Record<string, 'integer' | 'float'>,
  depth = 0,
): unknown {
  if (depth > limits.evidenceDepth)
    throw new Failure('POLICY_INVALID', `Nested deeper than ${limits.evidenceDepth}`)
  if (typeof value === 'bigint' || (typeof value === 'number' && needsText(value))) {
    exact[at] = typeof value === 'bigint' ? 'integer' : 'float'
    return String(value)
  }
  if (Array.isArray(value))
    return value.map((item, i) => settle(item, `${at}/${i}`, exact, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  // What Python takes, but nobody who is given the record later.
  if (Object.hasOwn(value, '__proto__'))
    throw new Failure('POLICY_INVALID', 'Name is not allowed: __proto__', { field: at })
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      settle(member, `${at}/${pointerPart(name)}`, exact, depth + 1),
    ]),
  )
}

function recordOf(bundle: unknown, dialect: Dialect): BundleRecord {
  if (!dialect.exactIntegers) return { dialect: dialect.name, bundle }
  const exact: Record<string, 'integer' | 'float'> = {}
  const settled = settle(bundle, '', exact)
  const plain = { dialect: dialect.name, bundle: settled }
  return Object.keys(exact).length === 0 ? plain : { ...plain, exact }
}

/**
 * The canonical bytes of a bundle's record and their hex SHA-256, by which decisions cite it.
 * @throws {@link Failure} POLICY_INVALID when the bundle holds what has no canonical form
 */
export function sealRecord(
  bundle: unknown,
  dialect: Dialect,
): { readonly bytes: Uint8Array; readonly digest: string } {
  let bytes: Uint8Array
  try {
    bytes = canonicalBytes(recordOf(bundle, dialect))
  } catch (cause) {
    const { field = '', message } = asFailure(cause)
    throw new Failure('POLICY_INVALID', `Bundle cannot be recorded: ${message}`, {
      cause,
      field: field.replace(/^\/bundle(?=\/|$)/, '') || '/',
    })
  }
  return { bytes, digest: encodeHex(sha256(bytes)) }
}

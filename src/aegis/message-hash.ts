import { canonicalBytes } from '../base/canonical-json.ts'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { asFailure, Failure } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'

/** The version of what is hashed and signed here; AEGIS has published no form of its own. */
export const messageHashVersion = 'aegis-override/1'

/** What both leads sign. */
export interface OverrideMessage {
  readonly proposalId: string
  /** In any order; names stand once. */
  readonly failedGates: readonly string[]
  readonly justification: string
  /** Who asks; left out only to get the hash of AEGIS, which binds neither this nor a time. */
  readonly requestedBy?: string
  /** ms since 1970; with `requestedBy` or not at all. */
  readonly expiresAt?: number
}

/**
 * Hex SHA-256 of the canonical JSON (RFC 8785) of {"failed_gates" sorted by code units, "justification", "proposal_id"}, and of "expires_at" and
 * "requested_by" where they are given.
 * @throws {@link Failure} INPUT_INVALID when only one of these two is given, or a gate stands twice
 */
export function createMessageHash({
  expiresAt,
  failedGates,
  justification,
  proposalId,
  requestedBy,
}: OverrideMessage): string {
  if ((expiresAt === undefined) !== (requestedBy === undefined))
    throw new Failure('INPUT_INVALID', 'Who asks and until when are bound together or not at all')
  const gates = [...failedGates].sort()
  if (new Set(gates).size !== gates.length)
    throw new Failure('INPUT_INVALID', 'A failed gate stands twice')
  const bound = expiresAt === undefined ? {} : { expires_at: expiresAt, requested_by: requestedBy }
  const message = {
    failed_gates: gates,
    justification,
    proposal_id: proposalId,
    ...bound,
  }
  return encodeHex(sha256(canonicalBytes(message)))
}

/** The hash of a message that a stranger may have made, or why it has none: text that is not Unicode, and a time that is no number, have no one form. */
export function readMessageHash(
  message: OverrideMessage,
): { readonly hash: string } | { readonly problem: string } {
  try {
    return { hash: createMessageHash(message) }
  } catch (error) {
    return { problem: `Request cannot be signed: ${asFailure(error).message}` }
  }
}

/** The ASCII bytes that keys sign: version, blank, hash. A bare hash could be one of anything. */
export const createSigningText = (messageHash: string): Uint8Array =>
  utf8(`${messageHashVersion} ${messageHash}`)

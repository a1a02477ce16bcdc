// Whether a checkpoint counts: its origin is the one of the trust root's section, every log key valid at its size has signed it (Ed25519 and
// ML-DSA-44, neither alone), and the quorum of witnesses holds.
import { decodeBase64 } from '../base/base64.ts'
import { equalBytes } from '../base/bytes.ts'
import { standingAt, type OriginSection, type TreeHead } from '../dossier/trust-root.ts'
import {
  parseCheckpoint,
  verifyCheckpoint,
  type Checkpoint,
  type VerifiedCheckpoint,
  type VerifiedLine,
} from '../merkle/checkpoint.ts'
import { parseNote, type NoteLine, type SignedNote, type Vkey } from '../merkle/note.ts'
import { ed25519Note, mlDsa44Cosignature } from '../merkle/note-signature.ts'
import { verifyConsistency } from '../merkle/proof.ts'
import { quorumHolds } from '../merkle/witness-policy.ts'
import { readCheckpointKeys, type LogKey } from './check-trust-root.ts'
import type { Checks } from './report.ts'

/** A proof that a checkpoint's tree is a prefix of the `final` tree of a revoked log key. */
export type FinalProof = readonly Uint8Array[]

/** A checkpoint that counts as far as it was looked at, and who else vouches for it. */
export interface JudgedCheckpoint {
  readonly checkpoint: Checkpoint
  /** How many witnesses of the trust root have cosigned, by their names. */
  readonly witnesses: number
  /** The earliest cosignature, seconds since 1970, or null. */
  readonly cosignedAt: number | null
}

/** The checkpoint that a note claims, unverified, or what is wrong with it. */
export function claimedCheckpoint(note: string): Checkpoint | string {
  const parsed = parseNote(note)
  return typeof parsed === 'string' ? parsed : parseCheckpoint(parsed.text)
}

const same = (head: TreeHead, root: Uint8Array): boolean => {
  const bytes = decodeBase64(head.root)
  return bytes !== undefined && equalBytes(bytes, root)
}

const isOneOf = (vkeys: readonly Vkey[], { keyId, name }: NoteLine): boolean =>
  vkeys.some((vkey) => vkey.keyId === keyId && vkey.name === name)

/** Whether a note is signed for the log only by keys that the trust root does not know, and may not know yet. */
function signedByLaterKeys(
  { lines, text }: SignedNote,
  { asOf, origin }: OriginSection,
  logKeys: readonly Vkey[],
): boolean {
  const claimed = parseCheckpoint(text)
  const own = lines.filter(({ name }) => name === origin)
  return (
    typeof claimed !== 'string' &&
    claimed.size > asOf.size &&
    own.length > 0 &&
    !own.some((line) => isOneOf(logKeys, line))
  )
}

/** The note's checkpoint with the lines that verify; undefined when one does not, or when the log itself has not signed. */
function judgeLines(
  checks: Checks,
  note: string,
  section: OriginSection,
  logKeys: readonly Vkey[],
  witnessKeys: readonly Vkey[],
): VerifiedCheckpoint | undefined {
  const known = [...logKeys, ...witnessKeys]
  const verified = verifyCheckpoint(note, known)
  const parsed = parseNote(note)
  // A known key's line that is wrong refuses the note, whoever else has signed it.
  const wrong =
    typeof parsed === 'string' ||
    ('reason' in verified && parsed.lines.some((line) => isOneOf(known, line)))
  if (!wrong && signedByLaterKeys(parsed, section, logKeys))
    checks.add(
      'checkpoint.signatures',
      'inconclusive',
      'Signed by log keys that this trust root does not know yet: a newer one is needed',
    )
  else if ('reason' in verified) checks.add('checkpoint.signatures', 'fail', verified.reason)
  else return verified
  return undefined
}

function judgeLogKeys(
  checks: Checks,
  keys: readonly LogKey[],
  checkpoint: Checkpoint,
  lines: readonly VerifiedLine[],
): readonly LogKey[] | undefined {
  const name = 'checkpoint.signatures'
  const due = keys.filter(({ trusted }) =>
    ['valid', 'revoked'].includes(standingAt(trusted, checkpoint.size)),
  )
  const types = new Set(due.map(({ vkey }) => vkey.type))
  if (!types.has(ed25519Note.type) || !types.has(mlDsa44Cosignature.type)) {
    checks.add(name, 'fail', `No Ed25519 and ML-DSA-44 log key is valid at size ${checkpoint.size}`)
    return undefined
  }
  const missing = due.find(({ vkey }) => !lines.some((line) => line.vkey === vkey))
  if (missing !== undefined) {
    const type = missing.vkey.type === ed25519Note.type ? 'Ed25519' : 'ML-DSA-44'
    checks.add(name, 'fail', `A log key valid at size ${checkpoint.size} has not signed: ${type}`)
    return undefined
  }
  checks.add(name, 'pass', `${due.length} log keys valid at size ${checkpoint.size} have signed`)
  return due
}

/** A revoked key may have been in other hands: its checkpoints count only with a proof that does not rest on it. */
function judgeRevocation(
  checks: Checks,
  due: readonly LogKey[],
  { root, size }: Checkpoint,
  witnessed: boolean,
  finalProof: FinalProof | undefined,
): void {
  for (const { trusted } of due.filter(({ trusted }) => trusted.revokedAt !== null)) {
    const name = 'checkpoint.revoked-key'
    const { final, revokedAt } = trusted
    if (revokedAt !== null && size >= revokedAt) {
      checks.add(name, 'fail', `Log key is revoked from size ${revokedAt}`)
      continue
    }
    const finalRoot = final === null ? undefined : decodeBase64(final.root)
    const leadsToFinal =
      final !== null &&
      finalRoot !== undefined &&
      ((final.size === size && equalBytes(finalRoot, root)) ||
        (finalProof !== undefined &&
          verifyConsistency(size, final.size, root, finalRoot, finalProof)))
    if (leadsToFinal)
      checks.add(name, 'pass', `Revoked log key, but consistent with its final tree head`)
    else if (witnessed)
      checks.add(name, 'pass', 'Revoked log key, but a witness quorum has cosigned')
    else
      checks.add(
        name,
        'unprovable',
        `Log key was revoked at size ${revokedAt ?? 0}; a consistency proof to its final tree head or a witness quorum is needed`,
      )
  }
}

function judgeKnownHeads(checks: Checks, section: OriginSection, { root, size }: Checkpoint): void {
  const heads = [
    section.asOf,
    ...section.logKeys.flatMap(({ final }) => (final === null ? [] : [final])),
  ]
  const forked = heads.find((head) => head.size === size && !same(head, root))
  checks.expect(
    'checkpoint.known-heads',
    forked === undefined,
    'No contradiction to the tree heads of the trust root',
    `Root differs from the trust root's at size ${size}: the log has been forked`,
  )
}

/** Judges a note by a section of the trust root; undefined when it does not count and nothing can be proved under it. */
export function judgeCheckpoint(
  checks: Checks,
  note: string,
  section: OriginSection,
  finalProof: FinalProof | undefined,
): JudgedCheckpoint | undefined {
  const read = readCheckpointKeys(section)
  if ('reason' in read) {
    checks.add(read.check, 'fail', read.reason)
    return undefined
  }
  const { logKeys: keys, policy } = read
  const witnessKeys = policy.witnesses.map(({ vkey }) => vkey)
  const logKeys = keys.map(({ vkey }) => vkey)
  const verified = judgeLines(checks, note, section, logKeys, witnessKeys)
  if (verified === undefined) return undefined
  const { checkpoint, lines } = verified
  const due = judgeLogKeys(checks, keys, checkpoint, lines)
  if (due === undefined) return undefined
  judgeKnownHeads(checks, section, checkpoint)
  // Timestamp 0 states nothing about what the witness saw last.
  const cosigned = lines.filter(
    ({ timestamp, vkey }) => witnessKeys.includes(vkey) && timestamp !== 0,
  )
  // Two keys under one name are one witness.
  const witnesses = new Set(cosigned.map(({ vkey }) => vkey.name)).size
  const holds = quorumHolds(
    policy,
    cosigned.map(({ vkey }) => vkey),
  )
  judgeRevocation(checks, due, checkpoint, policy.quorum !== undefined && holds, finalProof)
  if (holds)
    checks.add(
      'checkpoint.witnesses',
      'pass',
      `${witnesses} of ${new Set(witnessKeys.map(({ name }) => name)).size} witnesses have cosigned`,
    )
  else
    checks.add(
      'checkpoint.witnesses',
      'unprovable',
      `The witness quorum is missing: ${witnesses} have cosigned`,
    )
  const times = cosigned.flatMap(({ timestamp }) => (timestamp === undefined ? [] : [timestamp]))
  return {
    checkpoint,
    witnesses,
    cosignedAt: times.length === 0 ? null : Math.min(...times),
  }
}

// A witness may write any number, and what lies beyond the year 275760 has no date.
const lastSecond = 8_640_000_000_000

const formatSecond = (seconds: number): string =>
  seconds <= lastSecond ? new Date(seconds * 1000).toISOString() : `second ${seconds} since 1970`

/** By whose word the times of entries under a checkpoint stand. */
export const noteOnTimes = ({ cosignedAt }: JudgedCheckpoint): string =>
  cosignedAt === null
    ? 'Times are the operator’s word'
    : `Times are the operator’s word; in the log since ${formatSecond(cosignedAt)} at the latest, by the witnesses’ clocks`

// What a newer trust root may not take back, even when the log announces it: whoever holds the log keys of today could otherwise announce a file in
// which the past has other keys. Keys may be added ahead, stopped ahead, and revoked; nothing that was said of the past is unsaid.
import type {
  OriginSection,
  TrustedLogKey,
  TrustedSigningKey,
  TrustRoot,
} from '../dossier/trust-root.ts'
import { checkTrustRoot } from './check-trust-root.ts'
import type { Checks } from './report.ts'

type Lifetime = Pick<TrustedSigningKey, 'from' | 'to' | 'revokedAt'>

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** What is wrong with the life of a key after the step, if anything; `known` is the size up to which the older file knew everything. */
function lifetimeProblem(before: Lifetime, after: Lifetime, known: number): string | undefined {
  if (after.from !== before.from) return 'begins elsewhere'
  if (before.to !== null && after.to !== before.to) return 'stops elsewhere'
  if (before.to === null && after.to !== null && after.to < known) return 'stops in the past'
  if (before.revokedAt !== null && (after.revokedAt === null || after.revokedAt > before.revokedAt))
    return 'is not revoked any more, or later'
  return undefined
}

const keyProblem = (
  before: TrustedSigningKey,
  after: TrustedSigningKey | undefined,
  known: number,
): string | undefined => {
  if (after === undefined) return 'is missing'
  const { algorithm, kinds, profile, publicKey } = before
  return algorithm !== after.algorithm ||
    publicKey !== after.publicKey ||
    profile !== after.profile ||
    !sameJson(kinds, after.kinds)
    ? 'is another'
    : lifetimeProblem(before, after, known)
}

const logKeyProblem = (
  before: TrustedLogKey,
  after: TrustedLogKey | undefined,
  known: number,
): string | undefined => {
  if (after === undefined) return 'is missing'
  return before.final !== null &&
    (before.final.size !== after.final?.size || before.final.root !== after.final.root)
    ? 'has another final tree head'
    : lifetimeProblem(before, after, known)
}

/** What is taken back of the times under dual control. */
function controlProblem(older: OriginSection, newer: OriginSection): string | undefined {
  const [before, after] = [older.control ?? [], newer.control ?? []]
  const known = older.asOf.size
  const isKept = before.every(({ from, to }, i) => {
    const same = after[i]
    return (
      same?.from === from && (to === null ? same.to === null || same.to >= known : same.to === to)
    )
  })
  if (!isKept) return `A time under dual control is missing or is another: ${older.origin}`
  return after.slice(before.length).some(({ from }) => from < known)
    ? `A time under dual control was added before size ${known}: ${older.origin}`
    : undefined
}

/** The first thing that the newer section takes back of the older. */
function sectionProblem(older: OriginSection, newer: OriginSection): string | undefined {
  const known = older.asOf.size
  for (const key of older.keys) {
    const after = newer.keys.find(({ keyid }) => keyid === key.keyid)
    const problem = keyProblem(key, after, known)
    if (problem !== undefined) return `Key ${problem}: ${key.keyid}`
  }
  for (const key of older.logKeys) {
    const after = newer.logKeys.find(({ vkey }) => vkey === key.vkey)
    const problem = logKeyProblem(key, after, known)
    if (problem !== undefined) return `Log key ${problem}: ${key.vkey.slice(0, 80)}`
  }
  if (!sameJson(newer.rosters.slice(0, older.rosters.length), older.rosters))
    return `A roster is missing or is another: ${older.origin}`
  if (newer.rosters.slice(older.rosters.length).some(({ from }) => from < known))
    return `A roster was added before size ${known}: ${older.origin}`
  const control = controlProblem(older, newer)
  if (control !== undefined) return control
  // The older file knows every key up to its size.
  const keyids = new Set(older.keys.map(({ keyid }) => keyid))
  const vkeys = new Set(older.logKeys.map(({ vkey }) => vkey))
  const early =
    newer.keys.some(({ from, keyid }) => from < known && !keyids.has(keyid)) ||
    newer.logKeys.some(({ from, vkey }) => from < known && !vkeys.has(vkey))
  return early ? `A key was added before size ${known}: ${older.origin}` : undefined
}

const pairsOf = (
  older: TrustRoot,
  newer: TrustRoot,
): readonly (readonly [OriginSection, OriginSection])[] =>
  older.origins.flatMap((before) => {
    const after = newer.origins.find(({ origin }) => origin === before.origin)
    return after === undefined ? [] : [[before, after] as const]
  })

/** Whether a log key is revoked that was not, or from an earlier size on: what it signed since can then not speak for itself. */
const revokesLogKey = (older: OriginSection, newer: OriginSection): boolean =>
  newer.logKeys.some(
    ({ revokedAt, vkey }) =>
      revokedAt !== null &&
      older.logKeys.find((before) => before.vkey === vkey)?.revokedAt !== revokedAt,
  )

function judgeFingerprint(
  checks: Checks,
  needed: boolean,
  digest: string,
  sha256: string | undefined,
): void {
  const name = 'update.fingerprint'
  if (sha256 !== undefined)
    checks.expect(
      name,
      digest === sha256.toLowerCase(),
      'Newer trust root has the fingerprint demanded',
      'Newer trust root has another fingerprint than demanded',
    )
  else if (needed)
    checks.add(
      name,
      'inconclusive',
      'A log key is revoked, and whoever has it could announce this: compare the fingerprint by another way and give it',
    )
}

/**
 * Judges what the newer of two trust roots of the same logs says against the older.
 * @param digest hex SHA-256 of the newer file
 * @param sha256 the same as the operator told it by another way
 */
export function judgeTrustStep(
  checks: Checks,
  older: TrustRoot,
  newer: TrustRoot,
  digest: string,
  sha256: string | undefined,
): void {
  const unsound = checkTrustRoot(newer)
  if (unsound !== undefined) checks.add(unsound.check, 'fail', unsound.reason)
  checks.expect(
    'update.dev',
    newer.dev === older.dev,
    'Both are of development, or neither',
    'A development installation became another, or the other way',
  )
  const pairs = pairsOf(older, newer)
  const problem = pairs
    .map(([before, after]) => sectionProblem(before, after))
    .find((found) => found !== undefined)
  checks.expect(
    'update.keys',
    problem === undefined,
    'Nothing that was said of keys is taken back',
    problem ?? '',
  )
  judgeFingerprint(
    checks,
    pairs.some(([before, after]) => revokesLogKey(before, after)),
    digest,
    sha256,
  )
  const rewitnessed = pairs.filter(([before, after]) => before.witnesses !== after.witnesses)
  checks.add(
    'update.witnesses',
    'pass',
    rewitnessed.length === 0
      ? 'Same witness policies'
      : `Witness policy changed, as announced: ${rewitnessed.map(([{ origin }]) => origin).join(', ')}`,
  )
}

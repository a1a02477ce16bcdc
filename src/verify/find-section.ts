// The ground on which evidence is judged: a trust root that is one, has the fingerprint demanded, and knows the log that the checkpoint names.
import {
  fingerprint,
  parseTrustRoot,
  type OriginSection,
  type TrustRoot,
} from '../dossier/trust-root.ts'
import type { Checkpoint } from '../merkle/checkpoint.ts'
import { sectionsProblem } from './check-trust-root.ts'
import type { Checks } from './report.ts'

/** The trust root of a file, or undefined when it is none. */
export function readTrustRoot(
  checks: Checks,
  file: Uint8Array,
  sha256: string | undefined,
): TrustRoot | undefined {
  if (sha256 !== undefined)
    checks.expect(
      'trust-root.fingerprint',
      fingerprint(file) === sha256.toLowerCase(),
      'Trust root has the fingerprint demanded',
      `Trust root has another fingerprint: ${fingerprint(file)}`,
    )
  const trustRoot = parseTrustRoot(file)
  if (typeof trustRoot !== 'string') return trustRoot
  checks.add('trust-root.format', 'fail', trustRoot)
  return undefined
}

/** Whether the log keys and witnesses of a trust root are what they are named, and its rosters follow from each other. */
export function expectSections(checks: Checks, trustRoot: TrustRoot): boolean {
  const problem = sectionsProblem(trustRoot)
  if (problem !== undefined) checks.add(problem.check, 'fail', problem.reason)
  return problem === undefined
}

/** Finds the section of the origin that the checkpoint claims. */
export function findSection(
  checks: Checks,
  trustRoot: TrustRoot,
  claimed: Checkpoint | string,
): OriginSection | undefined {
  if (typeof claimed === 'string') {
    checks.add('checkpoint.format', 'fail', claimed)
    return undefined
  }
  const section = trustRoot.origins.find(({ origin }) => origin === claimed.origin)
  checks.expect(
    'checkpoint.origin',
    section !== undefined,
    `Log ${claimed.origin}`,
    `Trust root does not know this log: ${claimed.origin}`,
  )
  return section
}

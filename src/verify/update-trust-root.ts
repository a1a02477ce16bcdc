// From a trust root one holds to the next version of it: the step is believed only with the log's own entry about it, proved under the keys one
// already trusts.
import { fingerprint, parseTrustRoot, type TrustRoot } from '../dossier/trust-root.ts'
import { matters } from '../dossier/matters.ts'
import { parseDossier } from '../dossier/v1.ts'
import { parseStatement } from '../dossier/statement.ts'
import { verifyDossier } from './verify-dossier.ts'
import { Checks, type Check } from './report.ts'

/** Whether the newer trust root may take the place of the older. */
export interface TrustUpdate {
  readonly ok: boolean
  readonly checks: readonly Check[]
  /** Hex SHA-256 of the newer file. */
  readonly fingerprint: string
}

function judgeStep(checks: Checks, older: TrustRoot, newer: TrustRoot, olderDigest: string): void {
  checks.expect(
    'update.version',
    newer.version === older.version + 1,
    `Version ${newer.version} follows ${older.version}`,
    `Version must be ${older.version + 1}: ${newer.version}`,
  )
  checks.expect(
    'update.previous',
    newer.previous === olderDigest,
    'Newer trust root names the older as its previous',
    'Newer trust root names another previous',
  )
  const lost = older.origins.find((section) => {
    const after = newer.origins.find(({ origin }) => origin === section.origin)
    return (
      after === undefined ||
      after.instance !== section.instance ||
      after.tenant !== section.tenant ||
      after.asOf.size < section.asOf.size ||
      (after.asOf.size === section.asOf.size && after.asOf.root !== section.asOf.root)
    )
  })
  checks.expect(
    'update.origins',
    lost === undefined && newer.origins.length === older.origins.length,
    'Same logs, none shrunk or forked',
    'A log was added, dropped, renamed, shrunk or forked',
  )
}

/** The digests that the `trust` entries of a dossier announce, with their versions. */
function announcements(dossierFile: Uint8Array): readonly { version: number; sha256: string }[] {
  const dossier = parseDossier(dossierFile)
  if (typeof dossier === 'string' || dossier.stream !== 'trust') return []
  return dossier.entries.flatMap(({ payload }) => {
    const statement = payload === null ? 'erased' : parseStatement(payload)
    if (typeof statement === 'string') return []
    const matter = matters.trust.safeParse(statement.predicate.matter).data
    return matter === undefined ? [] : [{ version: matter.version, sha256: matter.sha256 }]
  })
}

/**
 * Judges one step of the chain of trust roots.
 * @param proofs dossiers of the stream `trust`, one for each log of the older trust root, each verifying under the older trust root
 */
export function updateTrustRoot(
  olderFile: Uint8Array,
  newerFile: Uint8Array,
  proofs: readonly Uint8Array[],
): TrustUpdate {
  const checks = new Checks()
  const digest = fingerprint(newerFile)
  const done = (): TrustUpdate => ({
    ok: checks.verdict === 'valid',
    checks: checks.list,
    fingerprint: digest,
  })
  const older = parseTrustRoot(olderFile)
  const newer = parseTrustRoot(newerFile)
  if (typeof older === 'string') {
    checks.add('update.format', 'fail', `Older: ${older}`)
    return done()
  }
  if (typeof newer === 'string') {
    checks.add('update.format', 'fail', `Newer: ${newer}`)
    return done()
  }
  judgeStep(checks, older, newer, fingerprint(olderFile))
  const reports = proofs.map((file) => verifyDossier(file, olderFile))
  for (const { origin } of older.origins) {
    const proved = proofs.filter((_, i) => {
      const report = reports[i]
      return report?.ok === true && report.origin === origin && report.stream === 'trust'
    })
    const announced = proved
      .flatMap(announcements)
      .some(({ version, sha256 }) => version === newer.version && sha256 === digest)
    checks.expect(
      `update.announced[${origin}]`,
      announced,
      'The log announces this trust root, proved under the older keys',
      proved.length === 0
        ? 'No dossier of the trust stream that verifies under the older trust root'
        : 'The log does not announce this trust root',
    )
  }
  return done()
}

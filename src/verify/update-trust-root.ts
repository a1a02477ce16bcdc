// From a trust root one holds to the next version of it: the step is believed only with the log's own entry about it, proved under the keys one
// already trusts.
import { fingerprint, parseTrustRoot, type TrustRoot } from '../dossier/trust-root.ts'
import { matters, type TrustMatter } from '../dossier/matters.ts'
import { parseDossier } from '../dossier/v1.ts'
import { parseStatement } from '../dossier/statement.ts'
import { judgeTrustStep } from './judge-trust-step.ts'
import { verifyDossier } from './verify-dossier.ts'
import { Checks, type Check } from './report.ts'

/** Whether the newer trust root may take the place of the older. */
export interface TrustUpdate {
  readonly ok: boolean
  readonly checks: readonly Check[]
  /** Hex SHA-256 of the newer file. */
  readonly fingerprint: string
}

/** What may be given along with an update. */
export interface UpdateOptions {
  /** Hex SHA-256 of the newer file as the operator told it by another way; needed where a log key is revoked. */
  readonly sha256?: string
}

/** Whether the newer file follows the older and names the same logs. */
function judgeOrder(
  checks: Checks,
  older: TrustRoot,
  newer: TrustRoot,
  olderDigest: string,
): boolean {
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
  return checks.expect(
    'update.origins',
    lost === undefined && newer.origins.length === older.origins.length,
    'Same logs, none shrunk or forked',
    'A log was added, dropped, renamed, shrunk or forked',
  )
}

/** What the `trust` entries of a dossier announce. */
function announcements(dossierFile: Uint8Array): readonly TrustMatter[] {
  const dossier = parseDossier(dossierFile)
  if (typeof dossier === 'string' || dossier.stream !== 'trust') return []
  return dossier.entries.flatMap(({ payload }) => {
    const statement = payload === null ? 'erased' : parseStatement(payload)
    if (typeof statement === 'string') return []
    const matter = matters.trust.safeParse(statement.predicate.matter).data
    return matter === undefined ? [] : [matter]
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
  { sha256 }: UpdateOptions = {},
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
  const olderDigest = fingerprint(olderFile)
  if (judgeOrder(checks, older, newer, olderDigest))
    judgeTrustStep(checks, older, newer, digest, sha256)
  const reports = proofs.map((file) => verifyDossier(file, olderFile))
  for (const { origin } of older.origins) {
    const proved = proofs.filter((_, i) => {
      const report = reports[i]
      return report?.ok === true && report.origin === origin && report.stream === 'trust'
    })
    const announced = proved
      .flatMap(announcements)
      .some(
        (said) =>
          said.version === newer.version && said.sha256 === digest && said.previous === olderDigest,
      )
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

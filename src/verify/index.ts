// Offline verification, the published face: give it bytes and a trust root, get a report. It refuses to fetch anything, to know the time, or to
// throw on bad evidence; it links no key provider and no database.
export { verifyDossier, type VerifyOptions } from './verify-dossier.ts'
export { verifyPeriod, type PeriodOptions } from './verify-period.ts'
export type { DossierCounts, PeriodProblem, PeriodReport } from './period-report.ts'
export { isTlogProof, verifyTlogProof, type TlogProofOptions } from './verify-tlog-proof.ts'
export { updateTrustRoot, type TrustUpdate, type UpdateOptions } from './update-trust-root.ts'
export { verifyLogEvidence, type LogEvidenceReport } from './log-evidence.ts'
export type { Check, EntryReport, Outcome, Report, Verdict } from './report.ts'
export { fingerprint, parseTrustRoot, type TrustRoot } from '../dossier/trust-root.ts'
export { parseDossier, type Dossier, type DossierEntry } from '../dossier/v1.ts'
export { parseStatement, type Statement } from '../dossier/statement.ts'

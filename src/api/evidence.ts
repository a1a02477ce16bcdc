// Evidence: dossiers out, dossiers judged, and the trust root by which anybody judges them without us.
import { dossierMediaType as dossierType } from '../dossier/v1.ts'
import { sigstoreBundleType } from '../dossier/sigstore-bundle.ts'
import type { Service } from '../decisions/service.ts'
import { trustRootQuerySchema } from '../wire/decision.ts'
import { reportSchema } from '../wire/report.ts'
import type { Admission } from './admission.ts'
import { jsonReply, route, type Route } from './route.ts'
import { TenantLines } from './tenant-lines.ts'

const json = 'application/json'

const dossierRoute = (service: Service, admit: Admission, lines: TenantLines): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: '/v1/decisions/{id}/dossier',
      summary: 'Gives the dossier of a decision, which verifies offline',
      replies: { 200: { description: 'A dossier file, byte for byte', type: dossierType } },
    },
    async (call, { tenant }) => {
      const id = call.decisionId()
      return {
        status: 200,
        body: await lines.run(call, tenant, () => service.exportDossier(tenant, id)),
        type: dossierType,
        headers: { 'Content-Disposition': `attachment; filename="${id}.dossier.json"` },
      }
    },
  )

const bundleRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: '/v1/decisions/{id}/bundle',
      summary: 'Gives a decision as a Sigstore bundle, signed by a key that signs nothing else',
      replies: { 200: { description: 'A Sigstore bundle v0.3', type: sigstoreBundleType } },
      failures: ['INPUT_ERASED', 'INPUT_KEY_STATE'],
    },
    async (call, { tenant }) => {
      const id = call.decisionId()
      const { bundle } = await service.exportSigstoreBundle(tenant, id)
      return {
        status: 200,
        body: bundle,
        type: sigstoreBundleType,
        headers: { 'Content-Disposition': `attachment; filename="${id}.sigstore.json"` },
      }
    },
  )

const verifyRoute = (
  service: Service,
  admit: Admission,
  lines: TenantLines,
  maxBytes: number,
): Route =>
  route(
    admit.anyKey,
    {
      method: 'POST',
      path: '/v1/verify',
      summary: "Verifies a dossier under the tenant's newest trust root; bad evidence is an answer",
      body: { description: 'A dossier file, byte for byte', type: dossierType },
      replies: { 200: { description: 'The report', type: json, schema: reportSchema } },
    },
    async (call, { tenant }) => {
      const dossier = await call.bytes([dossierType, json], maxBytes)
      const verified = lines.run(call, tenant, () => service.verify(tenant, dossier))
      return jsonReply(200, await verified)
    },
  )

const trustRootRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.anyKey,
    {
      method: 'GET',
      path: '/v1/trust-root',
      summary: 'Gives the trust root, the newest or one version of it',
      query: trustRootQuerySchema,
      replies: { 200: { description: 'A trust root file, byte for byte', type: json } },
      failures: ['INPUT_NOT_FOUND'],
    },
    async (call, { tenant }) => {
      const { version } = call.query(trustRootQuerySchema)
      return { status: 200, body: await service.readTrustRoot(tenant, version), type: json }
    },
  )

/** The routes of evidence. */
export const evidenceRoutes = (
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] => {
  const lines = new TenantLines()
  return [
    dossierRoute(service, admit, lines),
    bundleRoute(service, admit),
    verifyRoute(service, admit, lines, maxBytes),
    trustRootRoute(service, admit),
  ]
}

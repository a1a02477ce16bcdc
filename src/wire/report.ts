// The report of a verification as it is told over HTTP; what it means stands in verify/report.ts.
import { z } from 'zod'
import { escalationViewSchema } from './escalations.ts'
import { overrideViewSchema } from './overrides.ts'
import { proposalViewSchema } from './proposals.ts'

const checkSchema = z.strictObject({
  name: z.string(),
  ok: z.boolean(),
  outcome: z.enum(['pass', 'erased', 'inconclusive', 'unprovable', 'fail']),
  reason: z.string(),
})

const entryReportSchema = z.strictObject({
  index: z.int(),
  seq: z.int(),
  kind: z.string(),
  time: z.int(),
  keyid: z.string(),
  erased: z.boolean(),
})

const overrideReportSchema = z.strictObject({
  request: z.string(),
  status: overrideViewSchema.shape.status,
  roster: z.int(),
  signatures: z.array(z.strictObject({ person: z.string(), role: z.string() })),
  approveBy: z.int(),
  executeBy: z.int(),
})

const escalationReportSchema = z.strictObject({
  status: escalationViewSchema.shape.status,
  openedAt: z.int(),
  deadline: z.int(),
  endedAt: z.int().nullable(),
  answered: z
    .strictObject({
      person: z.string(),
      reason: z.string(),
      vouchedBy: z.enum(['signature', 'service']),
      roster: z.int().nullable(),
    })
    .nullable(),
})

const proposalReportSchema = z.strictObject({
  status: proposalViewSchema.shape.status,
  proposer: z.string(),
  voters: z.array(z.string()),
  votes: z.array(z.strictObject({ voter: z.string(), vote: z.string() })),
  quorum: z.int(),
  threshold: z.strictObject({ approvals: z.int(), of: z.int() }),
  deadline: z.int(),
  decision: z.string().nullable(),
})

/** The result of verifying a dossier. Only `valid` is a yes. */
export const reportSchema = z
  .strictObject({
    verdict: z.enum(['valid', 'erased', 'inconclusive', 'unprovable', 'invalid']),
    ok: z.boolean(),
    checks: z.array(checkSchema),
    stream: z.string().nullable(),
    origin: z.string().nullable(),
    tenant: z.string().nullable(),
    status: z.string().nullable(),
    override: overrideReportSchema.nullable(),
    escalation: escalationReportSchema.nullable(),
    action: overrideReportSchema
      .extend({ effect: z.looseObject({ action: z.string() }) })
      .nullable(),
    proposal: proposalReportSchema.nullable(),
    treeSize: z.int().nullable(),
    entries: z.array(entryReportSchema),
    /** `operator`, or `witnessed(k)`. */
    assurance: z.string(),
    /** `no`, or `as of size N`. */
    complete: z.string(),
    trustRoot: z.string(),
    dev: z.boolean(),
    notes: z.array(z.string()),
  })
  .meta({ id: 'Report' })

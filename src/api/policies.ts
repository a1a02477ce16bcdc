// The policies that decide: registering, activating, retiring, reading. A bundle is compiled here once, so that what is wrong with it is told by its place
// before anything is asked of the log.
import { fromUtf8 } from '../base/bytes.ts'
import type { Service } from '../decisions/service.ts'
import { inSlices } from '../decisions/slices.ts'
import { compileInSteps } from '../policy/compile.ts'
import { partDialect, sourceInSteps } from '../policy/source.ts'
import {
  policyActivationSchema,
  policyListSchema,
  policyRecordSchema,
  policyRequestSchema,
  policyRetirementSchema,
  policyViewSchema,
} from '../wire/policies.ts'
import type { Admission } from './admission.ts'
import { jsonReply, route, type Route } from './route.ts'

const json = 'application/json'
const path = '/v1/policies'
const told = { description: 'The policy', type: json, schema: policyViewSchema }
const guarded = ['POLICY_REFUSED', 'ACTION_REQUIRED', 'ACTION_REFUSED'] as const

const registerRoute = (service: Service, admit: Admission, maxBytes: number): Route =>
  route(
    admit.scope('policies:manage'),
    {
      method: 'POST',
      path,
      summary: 'Registers a version of a policy bundle, which never changes after that',
      writes: true,
      body: { description: 'The bundle', type: json, schema: policyRequestSchema },
      replies: { 201: told },
      failures: ['POLICY_INVALID', 'POLICY_REFUSED'],
    },
    async (call, { caller, tenant }) => {
      const { bundle, dialect = 'native', source } = await call.json(policyRequestSchema, maxBytes)
      const choice = { isNew: true }
      const parted = source === undefined ? partDialect(bundle, dialect) : undefined
      const { record } = await inSlices(
        parted === undefined
          ? sourceInSteps(source ?? '', dialect, undefined, choice)
          : compileInSteps(parted.value, parted.dialect, choice),
      )
      const view = await service.registerPolicy(tenant, fromUtf8(record), caller)
      return jsonReply(201, view)
    },
  )

const listRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path,
      summary: 'Lists all registered policies, in the order of their registration',
      replies: { 200: { description: 'The policies', type: json, schema: policyListSchema } },
    },
    async (_, { tenant }) => jsonReply(200, { policies: await service.listPolicies(tenant) }),
  )

const readRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: `${path}/{digest}`,
      summary: 'Gives a policy with what it says',
      replies: { 200: { description: 'The policy', type: json, schema: policyRecordSchema } },
    },
    async (call, { tenant }) => {
      const { policy, record } = await service.readPolicy(tenant, call.param('digest'))
      // The record is JSON text already.
      const body = `{"policy":${JSON.stringify(policy)},"record":${record}}`
      return { status: 200, body, type: json }
    },
  )

const activateRoute = (service: Service, admit: Admission, maxBytes: number): Route =>
  route(
    admit.scope('policies:manage'),
    {
      method: 'POST',
      path: `${path}/{digest}/activate`,
      summary: 'Lets a policy decide, in place of the version of it that does; may take two keys',
      writes: true,
      body: {
        description: 'Where it decides',
        type: json,
        schema: policyActivationSchema,
        optional: true,
      },
      replies: { 200: told },
      failures: guarded,
    },
    async (call, { caller, tenant }) => {
      const digest = call.param('digest')
      const activation = await call.json(policyActivationSchema, maxBytes, '{}')
      return jsonReply(200, await service.activatePolicy(tenant, digest, activation, caller))
    },
  )

const retireRoute = (service: Service, admit: Admission, maxBytes: number): Route =>
  route(
    admit.scope('policies:manage'),
    {
      method: 'POST',
      path: `${path}/{digest}/retire`,
      summary: 'Retires a policy for ever; may take two keys',
      writes: true,
      body: { description: 'Why', type: json, schema: policyRetirementSchema },
      replies: { 200: told },
      failures: guarded,
    },
    async (call, { caller, tenant }) => {
      const digest = call.param('digest')
      const retirement = await call.json(policyRetirementSchema, maxBytes)
      return jsonReply(200, await service.retirePolicy(tenant, digest, retirement, caller))
    },
  )

/** The routes of policies. */
export const policyRoutes = (
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] => [
  registerRoute(service, admit, maxBytes),
  listRoute(service, admit),
  readRoute(service, admit),
  activateRoute(service, admit, maxBytes),
  retireRoute(service, admit, maxBytes),
]

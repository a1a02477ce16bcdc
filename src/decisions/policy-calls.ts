// The use cases of policies: what is registered, what decides, and what would be decided.
import type { Access } from './access.ts'
import { dryRun } from './evaluate.ts'
import { copyPolicies } from './policy-book.ts'
import {
  activatePolicy,
  listPolicies,
  readPolicy,
  registerPolicy,
  retirePolicy,
} from './policy-desk.ts'
import type { Service } from './service.ts'

type PolicyCalls = Pick<
  Service,
  | 'readActivePolicies'
  | 'dryRun'
  | 'registerPolicy'
  | 'activatePolicy'
  | 'retirePolicy'
  | 'listPolicies'
  | 'readPolicy'
>

/** What is done with policies. */
export const policyCalls = (access: Pick<Access, 'sign' | 'use'>): PolicyCalls => ({
  readActivePolicies: async (tenant) => access.use(tenant, copyPolicies),

  dryRun: async (tenant, request, bound) =>
    access.use(tenant, (room) => dryRun(room, request, bound)),

  registerPolicy: async (tenant, record, by) =>
    access.sign(tenant, (room) => registerPolicy(room, record, by)),

  activatePolicy: async (tenant, sha256, activation, by) =>
    access.sign(tenant, (room) => activatePolicy(room, sha256, activation, by)),

  retirePolicy: async (tenant, sha256, retirement, by) =>
    access.sign(tenant, (room) => retirePolicy(room, sha256, retirement, by)),

  listPolicies: async (tenant) => access.use(tenant, listPolicies),

  readPolicy: async (tenant, sha256) => access.use(tenant, (room) => readPolicy(room, sha256)),
})

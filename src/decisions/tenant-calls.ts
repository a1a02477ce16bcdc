// The use cases of tenants and of the API keys by which they are called.
import type { AdminMatter, Caller } from '../dossier/matters.ts'
import type { Access } from './access.ts'
import { enterAdmin } from './admin-entry.ts'
import { authenticate, createApiKey, revokeApiKey } from './api-keys.ts'
import { foundTenant, type Ground } from './found-tenant.ts'
import type { Service } from './service.ts'

interface TenantCalls extends Pick<
  Service,
  'authenticate' | 'createTenant' | 'listTenants' | 'createApiKey' | 'listApiKeys' | 'revokeApiKey'
> {
  /** Tells the log of an act that changes nothing else. */
  recordAct(
    tenant: string,
    act: Pick<AdminMatter, 'action' | 'detail' | 'subject'>,
    by: Caller,
  ): Promise<{ readonly index: number }>
}

/** What is done with tenants. */
export const tenantCalls = (
  access: Pick<Access, 'clock' | 'read' | 'reading' | 'usableStore' | 'use'>,
  ground: Ground,
): TenantCalls => ({
  authenticate: async (token) =>
    authenticate(access.usableStore(), token, (tenant, work) => access.use(tenant, work)),

  createTenant: async (name, options, by) => foundTenant(ground, name, options, by),

  listTenants: async () => access.reading.listTenants(),

  createApiKey: async (tenant, owner, scopes, by, bound) =>
    access.use(tenant, (room) => createApiKey(room, owner, scopes, by, bound)),

  listApiKeys: async (tenant) => access.read(tenant, (reading) => reading.listApiKeys(tenant)),

  revokeApiKey: async (tenant, id, by) => access.use(tenant, (room) => revokeApiKey(room, id, by)),

  recordAct: async (tenant, act, by) => {
    const matter: AdminMatter = { ...act, by, time: access.clock() }
    const { appended } = await access.use(tenant, (room) => enterAdmin(room, matter))
    return { index: appended.index }
  },
})

// Who may come in, route by route. Whoever is not known learns nothing of tenants: a private one and one that does not exist answer alike.
import { Failure } from '../base/failure.ts'
import type { Principal } from '../decisions/service.ts'
import type { Scope } from '../wire/decision.ts'
import type { Authenticator } from './authentication.ts'
import type { Call } from './call.ts'
import type { PublicTenants } from './public-tenants.ts'
import type { Access } from './route.ts'

/** The kinds of admission that there are. */
export interface Admission {
  readonly anyKey: Access<Principal>
  readonly scope: (scope: Scope) => Access<Principal>
  /** One of them suffices to come in; which of them it takes is said later, by {@link requireScope}. */
  readonly oneOf: (scopes: readonly [Scope, ...Scope[]]) => Access<Principal>
  /** By the header that PROVENANCE clients send, or as everywhere. */
  readonly gateway: Access<Principal>
  /** Gives the tenant whose log may be read. */
  readonly logReader: Access<string>
}

/** Admits everybody. */
export const anybody: Access<undefined> = { key: 'never', admit: () => undefined }

/** @throws {@link Failure} AUTH_SCOPE */
export const requireScope = (principal: Principal, scope: Scope): Principal => {
  if (!principal.scopes.includes(scope))
    throw new Failure('AUTH_SCOPE', `API key needs the scope: ${scope}`)
  return principal
}

/** The kinds of admission over those who know. */
export function admission(authenticator: Authenticator, tenants: PublicTenants): Admission {
  const authenticate = async (call: Call): Promise<Principal> =>
    call.admitted(await authenticator.authenticate(call.header('authorization')))
  return {
    anyKey: { key: 'always', admit: authenticate },
    scope: (scope) => ({
      key: 'always',
      scope,
      admit: async (call) => requireScope(await authenticate(call), scope),
    }),
    gateway: {
      key: 'always',
      scope: 'decisions:evaluate',
      admit: async (call) => {
        const key = call.header('x-provenance-api-key')
        const header = key === undefined ? call.header('authorization') : `Bearer ${key}`
        const principal = call.admitted(await authenticator.authenticate(header))
        return requireScope(principal, 'decisions:evaluate')
      },
    },
    oneOf: (scopes) => ({
      key: 'always',
      scope: scopes[0],
      admit: async (call) => {
        const principal = await authenticate(call)
        return scopes.some((scope) => principal.scopes.includes(scope))
          ? principal
          : requireScope(principal, scopes[0])
      },
    }),
    logReader: {
      key: 'unlessPublic',
      scope: 'log:read',
      admit: async (call) => {
        const tenant = call.param('tenant')
        if (await tenants.isPublic(tenant)) return tenant
        const principal = await authenticate(call)
        if (principal.tenant !== tenant) throw new Failure('INPUT_NOT_FOUND', 'No such log')
        return requireScope(principal, 'log:read').tenant
      },
    },
  }
}

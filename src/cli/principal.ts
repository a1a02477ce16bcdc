import { userInfo } from 'node:os'
import { Failure } from '../base/failure.ts'
import type { Caller } from '../dossier/matters.ts'
import type { Principal, Service } from '../decisions/service.ts'
import { scopes } from '../wire/decision.ts'

/** The person at the command line, by the name that the operating system gives. */
export function localCaller(): Caller {
  let owner = 'local'
  try {
    owner = userInfo().username
  } catch {
    // A container without a passwd entry has nobody to name.
  }
  return { type: 'local', id: 'cli', owner }
}

/**
 * The person at the command line as somebody who may do anything in a tenant: whoever can write the data directory could anyway.
 * @throws {@link Failure} INPUT_NOT_FOUND
 */
export async function localPrincipal(service: Service, tenant: string): Promise<Principal> {
  const found = (await service.listTenants()).find(({ name }) => name === tenant)
  if (found === undefined)
    throw new Failure('INPUT_NOT_FOUND', `There is no such tenant: ${tenant}`)
  return { tenant, profile: found.profile, caller: localCaller(), scopes }
}

// Of the check of a tenant: that webhooks are those that the log tells of, and that what waits is for one of them.
import { canonicalize } from '../base/canonical-json.ts'
import { asFailure } from '../base/failure.ts'
import type { StoredWebhook, Tenant } from '../store/store.ts'
import type { FsckRequest } from './fsck.ts'
import { row, type Found } from './fsck-findings.ts'
import {
  loggedWebhook,
  readLoggedWebhooks,
  readWebhook,
  type LoggedWebhook,
} from './webhook-record.ts'

/** What is wrong with a row, if anything. */
function wrongWith(stored: StoredWebhook, logged: LoggedWebhook | undefined): string | undefined {
  try {
    const said = canonicalize(loggedWebhook(readWebhook(stored)))
    if (logged !== undefined && said === canonicalize(logged.detail)) return undefined
    return `Webhook is not what the log says of it: ${stored.id}`
  } catch (error) {
    const { code, message } = asFailure(error)
    if (code !== 'STORE_CORRUPT') throw error
    return message
  }
}

/** That there is a row for each webhook of the log, and no other. */
export async function checkWebhooks(
  { store }: FsckRequest,
  { head, name }: Tenant,
  found: Found,
): Promise<void> {
  const logged = await readLoggedWebhooks(store, name, head)
  const kept = await store.listWebhooks(name)
  for (const stored of kept) {
    const wrong = wrongWith(stored, logged.get(stored.id))
    if (wrong !== undefined) row(found, null, wrong)
  }
  for (const id of logged.keys())
    if (!kept.some((stored) => stored.id === id)) row(found, null, `Webhook is missing: ${id}`)
}

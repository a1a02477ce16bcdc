// Of the check of a tenant: that webhooks are those that the log tells of, and that what waits is for one of them.
import { canonicalize } from '../base/canonical-json.ts'
import type { Tenant } from '../store/store.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import type { FsckRequest } from './fsck.ts'
import { row, type Found } from './fsck-findings.ts'
import { loggedWebhook, readWebhook } from './webhook-record.ts'

/** The webhooks that the log tells of, by id, each as it is told. */
async function readLogged(
  { store }: FsckRequest,
  { head, name }: Tenant,
): Promise<ReadonlyMap<string, string>> {
  const logged = new Map<string, string>()
  for (const entry of await readCheckedStream(store, name, 'admin', head)) {
    const matter = matterOf(entry, 'admin')
    if (matter?.action === 'webhook.create') logged.set(matter.subject, canonicalize(matter.detail))
    if (matter?.action === 'webhook.remove') logged.delete(matter.subject)
  }
  return logged
}

/** That there is a row for each webhook of the log, and no other. */
export async function checkWebhooks(
  request: FsckRequest,
  tenant: Tenant,
  found: Found,
): Promise<void> {
  const logged = await readLogged(request, tenant)
  const kept = await request.store.listWebhooks(tenant.name)
  for (const stored of kept)
    if (canonicalize(loggedWebhook(readWebhook(stored))) !== logged.get(stored.id))
      row(found, null, `Webhook is not what the log says of it: ${stored.id}`)
  for (const id of logged.keys())
    if (!kept.some((stored) => stored.id === id)) row(found, null, `Webhook is missing: ${id}`)
}

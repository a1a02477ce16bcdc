// What others outside are told of: written down in the transaction of the entry that it is about, for every webhook that asked for its kind, and sent
// by whoever holds the outbox. It names what happened and where to read about it, and holds nothing of what was said.
import { uuidv7 } from '../base/uuid.ts'
import { randomBytes } from '../crypto/hash.ts'
import type { Effect } from '../store/store.ts'
import type { AnnouncementKind } from '../wire/webhooks.ts'
import { dossierUrl } from './reply.ts'
import type { Room } from './room.ts'

/** What an announcement is about, by the ids of what it concerns. */
export interface AnnouncedSubject {
  /** Id of the decision. */
  readonly decision?: string
  /** Nonce of the request to overrule, or of the action. */
  readonly request?: string
  /** Id of the escalation. */
  readonly escalation?: string
  /** Id of the two-key action. */
  readonly action?: string
  /** Hex SHA-256 of the policy's record. */
  readonly policy?: string
  /** Id of the webhook that is tried out; nobody else is told then. */
  readonly webhook?: string
}

const links: Readonly<Record<string, (subject: AnnouncedSubject) => string | undefined>> = {
  action: ({ action }) => action && `/v1/actions/${action}`,
  dossier: ({ decision }) => decision && dossierUrl(decision),
  escalation: ({ escalation }) => escalation && `/v1/escalations/${escalation}`,
  policy: ({ policy }) => policy && `/v1/policies/${policy}`,
  override: ({ decision, request }) => decision && request && `/v1/overrides/${decision}`,
}

/**
 * Tells whoever asked for it that something has happened: an effect of the entry that makes it so, for the drafts of `enter`.
 * @param kind family and name, such as `override.opened`; as wire/webhooks.ts lists them
 */
export function announce(
  { clock, instance, tenant }: Pick<Room, 'clock' | 'instance' | 'tenant'>,
  kind: AnnouncementKind,
  subject: AnnouncedSubject,
): Effect {
  const time = clock()
  const id = `evt_${uuidv7(time, randomBytes(10))}`
  const linked = Object.entries(links).flatMap(([name, of]) => {
    const link = of(subject)
    return link === undefined || link === '' ? [] : [[name, link] as const]
  })
  const body = JSON.stringify({
    id,
    type: kind,
    timestamp: new Date(time).toISOString(),
    instance: instance.id,
    tenant: tenant.name,
    data: subject,
    links: Object.fromEntries(linked),
  })
  const to = subject.webhook === undefined ? {} : { to: subject.webhook }
  return { announcement: { body, id, kind, time, ...to }, type: 'announce' }
}

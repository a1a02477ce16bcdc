// How it stands with the keys, for people: what signs now and since when, who can open it and how that is, and what comes next.
import type { KekHealth, KeyStatus, KeyView, SlotView } from '../wire/keys.ts'
import { formatTable, printable } from './terminal.ts'

const dayMs = 86_400_000

const date = (ms: number): string => new Date(ms).toISOString()

const signs: Readonly<Record<string, string>> = {
  master: 'seals the others',
  evidence: 'signs entries of every kind',
  fast: 'signs decisions and executions of the checkpoint profile',
  log: 'signs checkpoints',
}

function ageOf(ms: number, now: number): string {
  const days = Math.max(0, Math.floor((now - ms) / dayMs))
  return days === 1 ? '1 day' : `${days} days`
}

const place = (index: number | null): string => (index === null ? '-' : String(index))

const keyRow = (key: KeyView, now: number): readonly string[] => [
  key.purpose,
  `v${key.version}`,
  key.state,
  key.algorithm,
  place(key.from),
  place(key.to),
  place(key.revokedAt),
  date(key.createdAt),
  ageOf(key.createdAt, now),
  key.state === 'active' ? (signs[key.purpose] ?? '-') : '-',
]

const keyHead = [
  'key',
  'version',
  'state',
  'algorithm',
  'from',
  'to',
  'revoked',
  'created',
  'age',
  'now',
]

function conditionOf({ checkedAt, code, message, since, state }: KekHealth): string {
  const words = [code === null ? state : `${state} ${code}`]
  if (state !== 'healthy') words.push(printable(message))
  if (since !== null) words.push(`since ${date(since)}`)
  words.push(checkedAt === null ? 'never checked' : `checked ${date(checkedAt)}`)
  return words.join(', ')
}

/** The provider that is to open a slot: by its key when it says one, else by its kind. */
const healthOf = (
  { kekId, provider }: SlotView,
  providers: readonly KekHealth[],
): KekHealth | undefined => {
  const alike = providers.filter((health) => health.provider === provider)
  return alike.find((health) => health.kekId === kekId) ?? alike[0]
}

function slotLine(slot: SlotView, providers: readonly KekHealth[]): string {
  const { id, kekId, mechanism, provider } = slot
  const health = healthOf(slot, providers)
  const condition =
    health !== undefined
      ? conditionOf(health)
      : provider === 'passphrase'
        ? 'opens only by hand'
        : 'not configured here'
  return `opened by ${provider}: ${printable(kekId)} (${printable(mechanism)}, slot ${id})\n  ${condition}\n`
}

/** Providers that are configured and of which no slot is. */
function idleLine(health: KekHealth): string {
  const { kekId, provider } = health
  const name = kekId === '' ? provider : `${provider}: ${printable(kekId)}`
  return `configured, but opens nothing: ${printable(name)}\n  ${conditionOf(health)}\n`
}

/** What the keys alone say of what is unfinished or due; a server knows more. */
export function nextOf({ keys, providers, slots }: Omit<KeyStatus, 'next'>): string[] {
  const next = keys
    .filter(({ state }) => state === 'pending')
    .map(
      ({ keyId, purpose, version }) =>
        `Key ${purpose} v${version} (${keyId}) is prepared and does not sign yet: give the order that made it again`,
    )
  const opened = slots.some((slot) => healthOf(slot, providers)?.state === 'healthy')
  if (!opened)
    next.push('No key provider that answers here has a slot: a server would not start now')
  return next
}

/** A status as lines of text. */
export function formatStatus(status: KeyStatus, now: number): string {
  const { keys, next, providers, slots } = status
  const used = new Set(slots.map((slot) => healthOf(slot, providers)))
  return [
    formatTable([keyHead, ...keys.map((key) => keyRow(key, now))]),
    ...slots.map((slot) => slotLine(slot, providers)),
    ...providers.filter((health) => !used.has(health)).map(idleLine),
    ...(next.length === 0 ? ['next: nothing\n'] : next.map((one) => `next: ${printable(one)}\n`)),
  ].join('')
}

// How it stands with the keys, for people: what signs now and since when, who can open it and how that is, and what comes next.
import { whatIsNext } from '../decisions/key-outlook.ts'
import type { KekHealth, KeyStatus, KeyView, SlotView } from '../wire/keys.ts'
import { date, formatTable, printable } from './terminal.ts'

const dayMs = 86_400_000

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
  key.state === 'active' ? (signs[key.purpose] ?? '-') : 'signs nothing',
  key.since === null ? '-' : date(key.since),
  ageOf(key.createdAt, now),
  place(key.from),
  place(key.to),
  place(key.revokedAt),
  key.algorithm,
]

const masterRow = (
  { algorithm, createdAt, version }: KeyStatus['master'],
  now: number,
): readonly string[] => [
  'master',
  `v${version}`,
  'active',
  signs['master'] ?? '-',
  date(createdAt),
  ageOf(createdAt, now),
  ...['-', '-', '-'],
  algorithm,
]

const keyHead = [
  'key',
  'version',
  'state',
  'now',
  'since',
  'age',
  'from',
  'to',
  'revoked',
  'algorithm',
]

const states = ['active', 'pending']
const purposes = Object.keys(signs)
/** What signs comes first, then what will, then what did. */
const rank = ({ purpose, state }: KeyView): number =>
  10 * (states.includes(state) ? states.indexOf(state) : states.length) + purposes.indexOf(purpose)

function conditionOf({ checkedAt, code, message, since, state }: KekHealth): string {
  const words = [`${code === null ? state : `${state} ${code}`}: ${printable(message)}`]
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
        ? 'the break-glass slot: opens only by hand, countersign keys recover'
        : 'not configured here, so nobody knows how it is'
  return `opened by ${provider}: ${printable(kekId)} (${printable(mechanism)}, slot ${id})\n  ${condition}\n`
}

/** Providers that are configured and of which no slot is. */
function idleLine(health: KekHealth): string {
  const { kekId, provider } = health
  const name = kekId === '' ? provider : `${provider}: ${printable(kekId)}`
  return `configured, but opens nothing: ${printable(name)}\n  ${conditionOf(health)}\n`
}

const anyOf = ({ length }: readonly SlotView[]): string =>
  length === 1
    ? 'The master key opens by one slot alone:\n'
    : `The master key opens by any one of these ${length} slots:\n`

/** What is next where no server runs: what the keys and the providers alone say. */
export function nextOf(status: Omit<KeyStatus, 'next'>, now: number): string[] {
  const { providers, slots } = status
  // Only slots of this tenant were tried.
  const refused = providers.flatMap(({ provider, state }) =>
    state === 'tampered' ? [provider] : [],
  )
  const next = [...whatIsNext({ ...status, lastHealthyAt: 0, maxOutageMs: 0, now, refused })]
  const opened = slots.some((slot) => healthOf(slot, providers)?.state === 'healthy')
  if (!opened)
    next.unshift('No key provider that works here opens a slot: a server would not start now')
  return next
}

/** A status as lines of text. */
export function formatStatus(status: KeyStatus, now: number): string {
  const { keys, master, next, providers, slots } = status
  const used = new Set(slots.map((slot) => healthOf(slot, providers)))
  const sorted = keys.toSorted((a, b) => rank(a) - rank(b))
  return [
    formatTable([keyHead, ...sorted.map((key) => keyRow(key, now)), masterRow(master, now)]),
    anyOf(slots),
    ...slots.map((slot) => slotLine(slot, providers)),
    ...providers.filter((health) => !used.has(health)).map(idleLine),
    ...(next.length === 0 ? ['next: nothing\n'] : next.map((one) => `next: ${printable(one)}\n`)),
  ].join('')
}

// What is unfinished or due about the keys of a log, in sentences for people.
import type { KekHealth, KeyView, SlotView } from '../wire/keys.ts'

/** What the outlook is made of. */
export interface Outlook {
  readonly keys: readonly KeyView[]
  readonly slots: readonly SlotView[]
  readonly providers: readonly KekHealth[]
  /** ms since 1970; 0 when no provider was asked. */
  readonly lastHealthyAt: number
  readonly maxOutageMs: number
  readonly now: number
}

const dayMs = 86_400_000
/** Nothing is enforced: a key that signs does not wear out, but a habit of rotating is what makes the day of need an ordinary one. */
const rotateAfterDays = 365

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
const nameOf = ({ purpose, version }: KeyView): string => `${purpose} v${version}`

function* unfinished(keys: readonly KeyView[]): Generator<string> {
  for (const key of keys) {
    if (key.state === 'pending')
      yield `${nameOf(key)} is prepared and signs nothing yet: countersign keys rotate ${key.purpose}`
    if (key.purpose === 'log' && key.state === 'retired')
      yield `${nameOf(key)} has stopped and is not destroyed yet: any further order or a restart finishes that`
  }
}

function* troubles({ lastHealthyAt, maxOutageMs, providers, slots }: Outlook): Generator<string> {
  for (const { code, message, provider, state } of providers) {
    if (state === 'tampered')
      yield `A slot of ${provider} was changed: find out by whom, then countersign keys rewrap (${message})`
    if (state === 'failing')
      yield `${provider} is failing with ${code ?? 'an unknown failure'}: nothing can be started, rotated or moved by it until it is back (${message})`
  }
  const well = providers.some(({ state }) => state !== 'failing' && state !== 'tampered')
  if (providers.length > 0 && !well && lastHealthyAt > 0)
    yield `Signing ends on ${new Date(lastHealthyAt + maxOutageMs).toISOString()} unless a provider is back by then`
  const unasked = slots.filter(
    ({ provider }) =>
      provider !== 'passphrase' && !providers.some((asked) => asked.provider === provider),
  )
  for (const { provider } of unasked)
    yield `The slot of ${provider} can be opened, but not by this node as it is configured`
}

/** What is unfinished or due; a sentence that nothing is, when nothing is. */
export function whatIsNext(outlook: Outlook): readonly string[] {
  const { keys, now } = outlook
  const said = [...unfinished(keys), ...troubles(outlook)]
  const active = keys.filter(({ state }) => state === 'active')
  const due = active.filter(({ createdAt }) => now - createdAt > rotateAfterDays * dayMs)
  for (const key of due)
    said.push(
      `${nameOf(key)} was made on ${day(key.createdAt)}, more than ${rotateAfterDays} days ago: countersign keys rotate ${key.purpose}`,
    )
  const first = Math.min(...active.map(({ createdAt }) => createdAt))
  if (said.length === 0 && Number.isFinite(first))
    said.push(
      `Nothing is due; the oldest key is to be rotated by ${day(first + rotateAfterDays * dayMs)}`,
    )
  return said
}

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
  /** The kinds of provider whose slot of this tenant is known not to open. */
  readonly refused: readonly string[]
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

function sayTampered(provider: string, message: string, isOurs: boolean, runs: boolean): string {
  if (!isOurs)
    return `A slot of ${provider} does not open, of another tenant; the server's log names it (${message})`
  const way = runs
    ? 'before the server is stopped: countersign keys rewrap. It would not start again'
    : 'bring the database of before back. A server would not start'
  return `The slot of ${provider} was changed. Find out by whom, and ${way} (${message})`
}

function* troubles(outlook: Outlook): Generator<string> {
  const { lastHealthyAt, maxOutageMs, providers, refused, slots } = outlook
  for (const { code, message, provider, state } of providers) {
    if (state === 'tampered')
      yield sayTampered(provider, message, refused.includes(provider), lastHealthyAt > 0)
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

/** What would help on the day of need; where keys die with the process, there is none. */
function* advice({ slots }: Outlook): Generator<string> {
  const kinds = slots.map(({ provider }) => provider)
  if (
    kinds.length === 0 ||
    kinds.includes('passphrase') ||
    kinds.every((kind) => kind === 'memory')
  )
    return
  yield 'No break-glass slot: when no provider opens the master key any more, nothing does. Stop the server once: countersign keys break-glass'
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
  const [oldest] = active.toSorted((a, b) => a.createdAt - b.createdAt)
  if (due.length === 0 && oldest !== undefined)
    said.push(
      `${said.length === 0 ? 'Nothing is due' : 'No rotation is due'} before ${day(oldest.createdAt + rotateAfterDays * dayMs)}: then ${nameOf(oldest)} is a year old, countersign keys rotate ${oldest.purpose}`,
    )
  return [...said, ...advice(outlook)]
}

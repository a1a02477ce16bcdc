// Who can open the master key: its slots made again, moved to another provider, or opened into a new master key. Whatever is written was opened again
// by its provider before the old is dropped.
import { Failure } from '../base/failure.ts'
import type { KekKind, KekProvider } from '../kek/kek.ts'
import { makeSlots, renewMaster } from '../keyring/new-master.ts'
import { parseSlot, type MasterSlot } from '../keyring/slot.ts'
import type { StoredKeys, StoredSlot } from '../store/store.ts'
import { settleKeys } from './key-journal.ts'
import { resealWebhooks } from './webhook-desk.ts'
import { keyState, masterEvent, type KeyEvent, type KeyWork } from './key-work.ts'

interface Slot {
  readonly stored: StoredSlot
  readonly parsed: MasterSlot
}

const slotsOf = ({ slots }: Pick<StoredKeys, 'slots'>): readonly Slot[] =>
  slots.map((stored) => ({ parsed: parseSlot(stored.body), stored }))

/** What the entry of new slots says. */
function slotsEvent({ keyring }: KeyWork, slots: readonly StoredSlot[]): KeyEvent {
  const shown = slots.map(({ body }) => {
    const { id, kekId, mechanism, provider } = parseSlot(body)
    return { id, kekId, mechanism, provider }
  })
  return { ...masterEvent(keyring, 'slots'), slots: shown }
}

/** The provider of a kind, the one this node opens by before one that is only described. */
const providerOf = ({ tools }: KeyWork, kind: KekKind): KekProvider =>
  tools.providers().find(({ metadata }) => metadata.kind === kind) ?? tools.openProvider(kind)

/** Makes slots of the present master key by providers. */
const make = (work: KeyWork, providers: readonly KekProvider[]): Promise<readonly StoredSlot[]> =>
  makeSlots({
    instance: work.room.instance.id,
    now: work.room.clock(),
    openers: work.tools.providers(),
    providers,
    stored: work.keyring.stored,
    tenant: work.room.tenant.name,
  })

/** Stores these slots in place of those before, once this node has opened the master key by them. */
async function put(
  work: KeyWork,
  slots: readonly StoredSlot[],
  openers: readonly KekProvider[],
): Promise<void> {
  const stored = work.keyring.reseal([], { slots })
  const next = await work.prove(stored, openers)
  try {
    await work.commit(slotsEvent(work, slots), stored, next)
  } catch (error) {
    if (work.room.keyring !== next) next.close()
    throw error
  }
}

/** Makes every slot again by its provider, under the version that its key has now; the passphrase's stays. */
export async function rewrap(work: KeyWork): Promise<void> {
  await settleKeys(work)
  const slots = slotsOf(work.keyring.stored)
  const kinds = [...new Set(slots.map(({ parsed }) => parsed.provider))]
  const providers = kinds
    .filter((kind) => kind !== 'passphrase')
    .map((kind) => providerOf(work, kind))
  const made = await make(work, providers)
  const kept = slots.flatMap(({ parsed, stored }) =>
    parsed.provider === 'passphrase' ? [stored] : [],
  )
  // Proved by those that this node opens by: another that is only described must not stand in for one of them that fails now.
  await put(work, [...made, ...kept], work.tools.providers())
}

const tells = ({ tools }: KeyWork, kind: KekKind): boolean =>
  tools.providers().some(({ metadata }) => metadata.kind === kind)

/**
 * Gives the master key a slot of another provider, has it opened in a process of its own, puts it first, and drops the others unless they are kept.
 * Each is an entry; an order that was cut off finds what it did and goes on.
 */
export async function migrate(work: KeyWork, to: KekKind, keep: boolean): Promise<void> {
  // A tenant's own key must not make a server that others share need another command line.
  if (work.by.type === 'apiKey' && !tells(work, to))
    throw new Failure(
      'INPUT_INVALID',
      `This server was not told to open by ${to}: whoever runs it moves keys there, or adds it to --kek`,
      { field: '/to' },
    )
  await settleKeys(work)
  const target = providerOf(work, to)
  const isTarget = ({ parsed }: Slot): boolean => parsed.provider === to
  if (!slotsOf(work.keyring.stored).some(isTarget)) {
    const [slot] = await make(work, [target])
    if (slot === undefined) throw new Failure('BUG', 'No slot was made')
    await put(work, [...work.keyring.stored.slots, slot], [target])
  }
  await work.tools.openInFreshProcess(work.room.tenant.name, to)
  const all = slotsOf(work.keyring.stored)
  const first = [...all.filter(isTarget), ...all.filter((slot) => !isTarget(slot))]
  if (first.some((slot, i) => slot !== all[i]))
    await put(
      work,
      first.map(({ stored }) => stored),
      [target],
    )
  const rest = keep
    ? first
    : first.filter((slot) => isTarget(slot) || slot.parsed.provider === 'passphrase')
  if (rest.length < first.length)
    await put(
      work,
      rest.map(({ stored }) => stored),
      [target],
    )
  const left = first.filter((slot) => !rest.includes(slot)).map(({ parsed }) => parsed.provider)
  if (left.length > 0)
    work.notes.push(
      `Backups made before open by ${left.join(', ')} as ever. Where that key may be known to others: countersign keys rotate-master, and rotate every signing key`,
    )
  work.tools.prefer(target)
  const kinds = [...new Set(rest.map(({ parsed }) => parsed.provider))].filter(
    (kind) => kind !== 'passphrase',
  )
  work.notes.push(`Start this installation from now on with --kek ${kinds.join(',')}`)
}

/** A new master key: slots by the same providers, every signing key sealed again, in one transaction. The passphrase on paper cannot be there. */
export async function rotateMaster(work: KeyWork, dropBreakGlass: boolean): Promise<void> {
  await settleKeys(work)
  const { keyring, room, tools } = work
  if (tools.masterPublic !== undefined)
    throw new Failure(
      'CONFIG_INVALID',
      'COUNTERSIGN_MASTER_PUBLIC demands the present master key: unset it, rotate, and set it to the new one',
    )
  const kinds = [...new Set(slotsOf(keyring.stored).map(({ parsed }) => parsed.provider))]
  const providers = kinds
    .filter((kind) => kind !== 'passphrase')
    .map((kind) => providerOf(work, kind))
  if (kinds.includes('passphrase')) {
    if (!dropBreakGlass)
      throw keyState(
        'The passphrase on paper would open nothing any more, and the new master key would have no break-glass slot. To accept that: countersign keys rotate-master --drop-break-glass',
      )
    work.notes.push(
      'THE PASSPHRASE ON PAPER OPENS NOTHING ANY MORE. Stop the server and make a new one: countersign keys break-glass',
    )
  }
  const stored = await renewMaster({
    epoch: keyring.epoch + 1,
    instance: room.instance.id,
    now: room.clock(),
    openers: tools.providers(),
    providers,
    stored: keyring.stored,
    tenant: room.tenant.name,
  })
  const next = await work.prove(stored)
  try {
    await work.commit(masterEvent(next, 'activated'), stored, next, () =>
      resealWebhooks(room, next),
    )
  } catch (error) {
    if (room.keyring !== next) next.close()
    throw error
  }
  work.notes.push(
    'The signing keys are those of before, sealed anew. Where others may know the old master key, they may know these: countersign keys rotate evidence, then fast, then log',
  )
  await settleKeys(work)
}

/** Puts slots of providers beside, or in place of, those that are there: for opening and closing by hand. */
export async function putSlots(
  work: KeyWork,
  add: readonly KekProvider[],
  drop: (kind: KekKind) => boolean,
): Promise<void> {
  await settleKeys(work)
  const made = await make(work, add)
  const kept = slotsOf(work.keyring.stored).flatMap(({ parsed, stored }) =>
    drop(parsed.provider) ? [] : [stored],
  )
  await put(work, [...made, ...kept], add)
}

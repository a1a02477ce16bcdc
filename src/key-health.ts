// How the configured key providers are, and whether they open what they are to open, where no server runs that could tell: for `keys status`. What
// is opened is forgotten at once.
import { asFailure, Failure } from './base/failure.ts'
import { getKekProvider } from './kek/choose.ts'
import { within } from './kek/deadline.ts'
import type { KekProvider } from './kek/kek.ts'
import { KekShelf } from './kek/kek-shelf.ts'
import type { KekSettings } from './kek/kek-settings.ts'
import { readSlots } from './keyring/inventory.ts'
import { openMasterSeed, type MasterSlot } from './keyring/slot.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { KekHealth } from './wire/keys.ts'

const probeMs = 7500
/** For providers that do not even end. */
const closeMs = 500

type Finding = Pick<KekHealth, 'state' | 'code' | 'message'>

const works: Finding = { state: 'healthy', code: null, message: 'It works and opens its slots' }
const idle: Finding = { state: 'healthy', code: null, message: 'It works' }

const fails = (error: unknown): Finding => {
  const { code, message } = asFailure(error)
  return { state: 'failing', code, message }
}

/** What it means that a slot did not open though its provider works. */
function judge(error: unknown, slot: MasterSlot, { kekId }: KekProvider['metadata']): Finding {
  const { code, message } = asFailure(error)
  if (code !== 'OPEN_FAILED' && code !== 'KEY_STORE_REFUSED') return fails(error)
  if (slot.kekId !== kekId)
    return {
      state: 'failing',
      code,
      message: `It has another key than the one that the slot was made by: ${kekId}`,
    }
  return {
    state: 'tampered',
    code,
    message: `It works, and a slot that it made does not open: ${message}`,
  }
}

async function tryProvider(provider: KekProvider, slots: readonly MasterSlot[]): Promise<Finding> {
  await provider.probe()
  const mine = slots.filter((slot) => slot.provider === provider.metadata.kind)
  for (const slot of mine)
    try {
      ;(await openMasterSeed(slot, provider)).wipe()
    } catch (error) {
      return judge(error, slot, provider.metadata)
    }
  return mine.length === 0 ? idle : works
}

async function probe(
  provider: KekProvider,
  slots: readonly MasterSlot[],
  ms: number,
): Promise<Finding> {
  try {
    return await within(ms, new AbortController().signal, () => tryProvider(provider, slots))
  } catch (error) {
    if (!(error instanceof Error && error.name === 'DeadlineError')) return fails(error)
    return fails(new Failure('KEK_UNAVAILABLE', `Key provider did not answer within ${ms} ms`))
  }
}

async function ask(
  selection: string,
  shelf: KekShelf,
  slots: readonly MasterSlot[],
  ms: number,
): Promise<readonly KekHealth[]> {
  const told = (provider: string, kekId: string, finding: Finding): KekHealth => ({
    provider,
    kekId,
    ...finding,
    checkedAt: Date.now(),
    since: null,
  })
  let providers: readonly KekProvider[]
  try {
    providers = getKekProvider(selection, shelf)
  } catch (error) {
    return [told(selection, '', fails(error))]
  }
  return Promise.all(
    providers.map(async (provider) => {
      const finding = await probe(provider, slots, ms)
      // Some providers know their key only once they were asked.
      return told(provider.metadata.kind, provider.metadata.kekId, finding)
    }),
  )
}

/**
 * The slots of the master key of a tenant, read beside whoever writes.
 * @throws {@link Failure} INPUT_NOT_FOUND, KEY_STORE_REFUSED, CONFIG_INVALID, STORE_*
 */
export async function readStoredSlots(
  data: string,
  tenant: string,
): Promise<readonly MasterSlot[]> {
  const store = await openSqliteStore({ mode: 'read', path: data })
  try {
    const [instance, stored] = [await store.readInstance(), await store.readKeys(tenant)]
    if (instance === undefined || stored === undefined)
      throw new Failure('INPUT_NOT_FOUND', `Unknown tenant: ${tenant}`)
    return readSlots(stored.slots, { instance: instance.id, tenant })
  } finally {
    await store.close()
  }
}

/**
 * How each provider of a selection such as `auto` or `kms,hsm` is, and whether it opens those of the slots that are its own; one that cannot be
 * configured fails with CONFIG_INVALID. The secrets of the settings are wiped.
 */
export async function askProviders(
  selection: string,
  settings: KekSettings,
  dev: boolean,
  slots: readonly MasterSlot[],
  ms = probeMs,
): Promise<readonly KekHealth[]> {
  // Not new: a key that is made here and dies here would open nothing.
  const shelf = new KekShelf(settings, { dataIsNew: false, dev })
  try {
    const names = selection.split(',').map((name) => name.trim())
    return (await Promise.all(names.map((name) => ask(name, shelf, slots, ms)))).flat()
  } finally {
    await within(closeMs, new AbortController().signal, () => shelf.close()).catch(() => undefined)
  }
}

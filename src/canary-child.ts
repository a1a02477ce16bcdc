// The process that opens a master key as a restart would: from the data directory alone, by one kind of provider. It is asked once, answers in words,
// and is then ended. Started without a channel it does nothing.
import { encodeBase64 } from './base/base64.ts'
import { equalBytes } from './base/bytes.ts'
import { asFailure, Failure } from './base/failure.ts'
import type { CanaryAnswer, CanaryOrder } from './fresh-process.ts'
import { createKek } from './kek/kek-kinds.ts'
import { receiveKekSettings, wipeSecrets } from './kek/kek-settings.ts'
import { publicKeyOf } from './keyring/header.ts'
import { readSlots } from './keyring/inventory.ts'
import { deriveManifestKey, parseManifest } from './keyring/manifest.ts'
import type { MasterSlot } from './keyring/slot.ts'
import { unsealMaster } from './keyring/unseal-master.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { StoredKeys } from './store/store.ts'

interface Found {
  readonly instance: string
  readonly stored: StoredKeys
}

async function readKeys({ data, tenant }: CanaryOrder): Promise<Found> {
  const store = await openSqliteStore({ mode: 'read', path: data })
  try {
    const instance = await store.readInstance()
    const stored = await store.readKeys(tenant)
    if (instance === undefined || stored === undefined)
      throw new Failure('INPUT_NOT_FOUND', `Tenant has no keys: ${tenant}`)
    return { instance: instance.id, stored }
  } finally {
    await store.close()
  }
}

const refused = (message: string): Failure => new Failure('KEY_STORE_REFUSED', message)

function slotsToTry(slots: readonly MasterSlot[], { kind, slot }: CanaryOrder): MasterSlot[] {
  const found = slots.filter(
    ({ id, provider }) => provider === kind && (slot === undefined || slot === id),
  )
  if (found.length === 0)
    throw refused(`Master key has no such slot of ${kind}${slot === undefined ? '' : `: ${slot}`}`)
  return found
}

/** @throws {@link Failure} what a restart would meet */
async function openMaster(order: CanaryOrder): Promise<void> {
  const { kek, kind, masterPublic, tenant } = order
  const settings = receiveKekSettings(kek)
  try {
    const { instance, stored } = await readKeys(order)
    const slots = readSlots(stored.slots, { instance, tenant })
    const publicKey = publicKeyOf(slots[0].header)
    if (masterPublic !== undefined && !equalBytes(masterPublic, publicKey))
      throw refused('Master public key is not the one demanded')
    const provider = createKek(kind, settings, { dataIsNew: false, dev: false })
    try {
      const { seed: opened } = await unsealMaster(slotsToTry(slots, order), [provider])
      using seed = opened
      using manifestKey = deriveManifestKey(seed)
      // Throws unless the seed is that under which the running node vouches for its keys.
      const manifest = parseManifest(stored.manifest, manifestKey)
      if (manifest.masterPublicKey !== encodeBase64(publicKey))
        throw refused('Master public key is not the one of the manifest')
    } finally {
      await provider.close()
    }
  } finally {
    wipeSecrets(settings)
  }
}

function answerOf(error: unknown): CanaryAnswer {
  const { cause, code, message } = asFailure(error)
  const detail = code === 'BUG' && cause instanceof Error ? `: ${String(cause.stack)}` : ''
  return { ok: false, code, message: `${message}${detail}` }
}

function serve(send: (answer: CanaryAnswer) => void): void {
  process.once('message', (order: CanaryOrder) => {
    openMaster(order).then(
      () => {
        send({ ok: true })
      },
      (error: unknown) => {
        send(answerOf(error))
      },
    )
  })
  process.once('disconnect', () => {
    process.exit()
  })
  // The terminal's interrupt is for the server, which lets calls finish.
  process.on('SIGINT', () => undefined)
}

if (process.send !== undefined) serve(process.send.bind(process))

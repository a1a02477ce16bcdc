// A process that makes keys, opens them, gives them up, and looks in its own memory for what is left at each step. It never learns what it looks
// for: it hands its sealed keys to the test, which opens them elsewhere and gives back masked patterns.
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { loadEnvironmentKek } from '../../src/kek/environment.ts'
import { createHsmKek } from '../../src/kek/hsm.ts'
import { createKeyring } from '../../src/keyring/create.ts'
import type { Keyring } from '../../src/keyring/keyring.ts'
import { makeKey } from '../../src/keyring/new-key.ts'
import { neededPurposes } from '../../src/keyring/purposes.ts'
import { openSigningKey, parseSealedKey } from '../../src/keyring/sealed-key.ts'
import { openMasterSeed, parseSlot } from '../../src/keyring/slot.ts'
import { unsealKeyring } from '../../src/keyring/unseal.ts'
import type { StoredKeys } from '../../src/store/store.ts'
import { MemoryScanner, patternBytes, type Pattern, type Sighting } from './memory-scan.ts'

/** What the test answers to the sealed keys. */
export interface Needles {
  readonly patterns: readonly Pattern[]
  readonly mask: Uint8Array
}

/** When memory is looked at. */
export type Step =
  | 'planted'
  | 'created'
  | 'creator closed'
  | 'data key held'
  | 'seeds held'
  | 'seeds wiped'
  | 'unsealed'
  | 'destroyed'
  | 'PIN held'
  | 'closed'

/** What the process says. */
export type Report =
  { readonly stored: StoredKeys } | { readonly step: Step; readonly seen: Sighting }

const identity = { instance: '01890a5d-ac96-774b-bcce-b302099a8057', tenant: 'acme' }
const now = 1_760_000_000_000
const [, , kekFile = '', pinFile = ''] = process.argv
const provider = loadEnvironmentKek(kekFile)

const say = (report: Report): void => {
  process.send?.(report)
}

async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    await setImmediate()
    globalThis.gc?.()
  }
}

/** Every signer signs in this thread and in the thread pool, whose stacks are memory too. */
async function signWithAll({ evidence, fast, log }: Keyring): Promise<void> {
  const message = new Uint8Array(100)
  for (const signer of [evidence.signer, fast.signer, log.ed25519, log.mlDsa44]) {
    signer.sign(message)
    await signer.signAsync(message)
  }
}

/** Makes keys; what it gives closes them, and nothing else refers to them. */
async function create(): Promise<{ stored: StoredKeys; close: () => void }> {
  const { stored, keyring } = await createKeyring({
    ...identity,
    providers: [provider],
    clock: () => now,
    positions: { evidence: 0, fast: 0, log: 0 },
  })
  await signWithAll(keyring)
  return {
    stored,
    close: () => {
      keyring.close()
    },
  }
}

async function learnNeedles(stored: StoredKeys): Promise<Needles> {
  const answer = once(process, 'message')
  say({ stored })
  const [needles] = (await answer) as [Needles]
  return needles
}

/** Looks while every pattern lies in memory in the clear. */
function lookAtPlanted({ patterns, mask }: Needles): void {
  const planted = new Uint8Array(new ArrayBuffer(patterns.length * patternBytes))
  for (const [n, { masked }] of patterns.entries())
    for (const [i, byte] of masked.entries()) planted[n * patternBytes + i] = byte ^ (mask[i] ?? 0)
  look('planted')
  planted.fill(0)
}

async function holdSeeds(stored: StoredKeys): Promise<void> {
  const [slot] = stored.slots.map(({ body }) => parseSlot(body))
  if (slot === undefined) throw new Error('No slot')
  const watched = Object.create(provider, {
    unwrap: {
      value: async (...input: Parameters<typeof provider.unwrap>) => {
        const dek = await provider.unwrap(...input)
        look('data key held')
        return dek
      },
    },
  }) as typeof provider
  using secrets = new DisposableStack()
  const master = secrets.use(await openMasterSeed(slot, watched))
  for (const { body } of stored.keys) secrets.use(openSigningKey(parseSealedKey(body), master))
  look('seeds held')
}

const unseal = (stored: StoredKeys): Promise<Keyring> =>
  unsealKeyring({ ...identity, stored, providers: [provider] })

async function addSuccessors(stored: StoredKeys): Promise<StoredKeys> {
  const keyring = await unseal(stored)
  const added = neededPurposes.map((purpose) => makeKey(keyring.masterHeader, purpose, 2, now))
  const resealed = keyring.reseal([], { added })
  keyring.close()
  return resealed
}

/** Looks when every key was followed by another and destroyed, in a keyring that stays open. */
async function destroyKeys(stored: StoredKeys): Promise<void> {
  const keyring = await unseal(await addSuccessors(stored))
  await signWithAll(keyring)
  const [first, second] = [1, 2].map((version) =>
    keyring.stored.keys.filter((key) => key.version === version).map(({ keyId }) => keyId),
  )
  if (first === undefined || second === undefined) throw new Error('No successors')
  keyring.adopt(
    keyring.reseal([
      ...first.map((keyId) => ({ keyId, state: 'retired' as const, to: 9 })),
      ...second.map((keyId) => ({ keyId, state: 'active' as const, from: 9 })),
    ]),
  )
  keyring.adopt(
    keyring.reseal(
      first.map((keyId) => ({
        keyId,
        state: 'destroyed' as const,
        body: keyring.bodyWithoutKey(keyId),
      })),
    ),
  )
  await signWithAll(keyring)
  await collectGarbage()
  look('destroyed')
  keyring.close()
}

/** Looks while the provider of an HSM has its PIN, and lets it go. It is not sent: Node leaves a copy of what it sends to a process. */
async function holdPin(): Promise<void> {
  const place = { keyLabel: 'kek', module: '/nowhere.so', pinFile, tokenLabel: 'tests' }
  const hsm = createHsmKek(place, undefined)
  await collectGarbage()
  look('PIN held')
  await hsm.close()
}

/** Gives the closed keyring: it is `close` that gives the keys up, not the last reference to them. */
async function unsealAndClose(stored: StoredKeys): Promise<Keyring> {
  const keyring = await unseal(stored)
  await signWithAll(keyring)
  await collectGarbage()
  look('unsealed')
  keyring.close()
  return keyring
}

const made: { keys?: Awaited<ReturnType<typeof create>> } = { keys: await create() }
const stored = made.keys?.stored
if (stored === undefined) throw new Error('No keys')
const needles = await learnNeedles(stored)
const scanner = new MemoryScanner(needles.patterns, needles.mask)
const look = (step: Step): void => {
  say({ step, seen: scanner.scan() })
}

lookAtPlanted(needles)
await collectGarbage()
look('created')
made.keys?.close()
delete made.keys
await collectGarbage()
look('creator closed')
await holdSeeds(stored)
await collectGarbage()
look('seeds wiped')
await destroyKeys(stored)
const closed = await unsealAndClose(stored)
await holdPin()
await provider.close()
await collectGarbage()
look('closed')
if (closed.list().length !== 3) throw new Error('Closed keyring forgot its keys')
process.disconnect()

// Opening the master key by the first provider that can. A provider that cannot is no reason to give up while the operator named another, but
// what each one said is kept: it is the only trace of a fall-over.
import { asFailure, Failure } from '../base/failure.ts'
import type { Secret } from '../crypto/secret.ts'
import type { KekMetadata, KekProvider } from '../kek/kek.ts'
import { openMasterSeed, type MasterSlot } from './slot.ts'

/** The opened master key. */
export interface OpenedMaster {
  readonly seed: Secret
  readonly openedBy: KekMetadata
  /** What the providers before it said. */
  readonly refusals: readonly string[]
}

/** In words, without a hint about what was opened: ids of keys are public, blobs are not shown. */
function explain(failure: Failure, slot: MasterSlot, { kind, kekId }: KekMetadata): string {
  if (failure.code !== 'OPEN_FAILED') return `${kind}: ${failure.message}`
  return slot.kekId === kekId
    ? `${kind}: its slot does not open, it was changed`
    : `${kind}: this is the wrong KEK, the slot was made by ${slot.kekId} and this is ${kekId}`
}

/** Whether this is an answer of a provider; anything else must not be papered over by asking the next. */
const isAnswer = ({ code }: Failure): boolean => code === 'OPEN_FAILED' || code.startsWith('KEK_')

/** An outage or a refusal can be mended and tried again; so it counts for more than a slot that did not open. */
const mostTelling = (failures: readonly Failure[]): Failure | undefined =>
  failures.find(({ code }) => code !== 'OPEN_FAILED') ?? failures[0]

function nothingOpened(
  failures: readonly Failure[],
  refusals: readonly string[],
  slots: readonly MasterSlot[],
  providers: readonly KekProvider[],
): Failure {
  const cause = mostTelling(failures)
  if (cause !== undefined)
    return new Failure(cause.code, `Master key was not opened. ${refusals.join('; ')}`, { cause })
  const made = slots.map(({ provider }) => provider).join(', ')
  const given = providers.map(({ metadata }) => metadata.kind).join(', ')
  return new Failure(
    'CONFIG_INVALID',
    `Master key has slots for ${made}, and the provider given is ${given}: start with --kek and one that it has`,
  )
}

/**
 * Opens the master key, asking the providers in their order, each only about slots of its kind.
 * @throws {@link Failure} the most telling of what the providers said: KEK_*, else OPEN_FAILED; CONFIG_INVALID when no slot is for any of
 * them, KEY_STORE_REFUSED when what a slot holds is not the master key of its header
 */
export async function unsealMaster(
  slots: readonly MasterSlot[],
  providers: readonly KekProvider[],
): Promise<OpenedMaster> {
  const failures: Failure[] = []
  const refusals: string[] = []
  for (const provider of providers) {
    const { metadata } = provider
    for (const slot of slots.filter((candidate) => candidate.provider === metadata.kind)) {
      try {
        return { seed: await openMasterSeed(slot, provider), openedBy: metadata, refusals }
      } catch (error) {
        const failure = asFailure(error)
        if (!isAnswer(failure)) throw failure
        failures.push(failure)
        refusals.push(explain(failure, slot, metadata))
      }
    }
  }
  throw nothingOpened(failures, refusals, slots, providers)
}

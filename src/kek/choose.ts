// Which providers a node opens its slots with. Chosen by what is configured, never by what answers: a provider that is configured and does not
// work is a failure, and no weaker one takes its place.
import { Failure } from '../base/failure.ts'
import { initHsmKey, type HsmPlace, type MadeHsmKey } from './hsm.ts'
import { kekKinds, type KekKind, type KekProvider } from './kek.ts'
import {
  hsmObjection,
  hsmSettingsOf,
  isConfigured,
  kekObjection,
  type KekCircumstances,
} from './kek-kinds.ts'
import { wipeSecrets, type KekSettings } from './kek-settings.ts'
import type { KekShelf } from './kek-shelf.ts'

const invalid = (message: string): Failure => new Failure('CONFIG_INVALID', message)

function parseKind(name: string): KekKind {
  const kind = kekKinds.find((known) => known === (name === 'in_memory' ? 'memory' : name))
  if (kind !== undefined) return kind
  const names = kekKinds.filter((known) => known !== 'passphrase').join(', ')
  throw invalid(`Key provider is not one of auto, ${names}: ${JSON.stringify(name)}`)
}

function parseList(selection: string): readonly KekKind[] {
  const kinds = selection.split(',').map((name) => parseKind(name.trim()))
  if (new Set(kinds).size !== kinds.length)
    throw invalid(`Key provider is named twice: ${selection}`)
  if (kinds.length > 1 && kinds.includes('memory'))
    throw invalid(`Key provider memory cannot stand in a list: ${selection}`)
  return kinds
}

/** The first kind that is configured, working or not: the next one may be weaker. */
function chooseKind(settings: KekSettings, circumstances: KekCircumstances): KekKind {
  const kind = kekKinds.find((candidate) => isConfigured(candidate, settings))
  if (kind !== undefined) return kind
  if (circumstances.dev) return 'memory'
  const why = (['kms', 'hsm', 'environment'] as const)
    .map((candidate) => kekObjection(candidate, settings, circumstances) ?? '')
    .join('; ')
  throw invalid(`No key provider is configured. ${why}; memory: wants --dev or its name`)
}

/**
 * The providers that a node may open slots with, in the order to try them: exactly one for `auto`, else those named (`environment`, `kms,hsm`).
 * @throws {@link Failure} CONFIG_INVALID when nothing is configured, or what is chosen cannot be used
 */
export function getKekProvider(selection: string, shelf: KekShelf): readonly KekProvider[] {
  const { circumstances, settings } = shelf
  const kinds = selection === 'auto' ? [chooseKind(settings, circumstances)] : parseList(selection)
  const objections = kinds.flatMap((kind) => kekObjection(kind, settings, circumstances) ?? [])
  if (objections.length > 0) throw invalid(`Key provider cannot be used. ${objections.join('; ')}`)
  return kinds.map((kind) => shelf.open(kind))
}

/**
 * Makes the key of the HSM that is configured; the secrets of the settings are wiped.
 * @throws {@link Failure} CONFIG_INVALID when it is not configured, and what {@link initHsmKey} throws
 */
export async function makeHsmKey(
  settings: KekSettings,
  by: 'wrap' | 'encrypt' | 'any',
): Promise<MadeHsmKey & HsmPlace> {
  try {
    const why = hsmObjection(settings)
    if (why !== undefined) throw invalid(`HSM cannot be used. ${why}`)
    const { keyId, keyLabel, module, tokenLabel, pinFile } = hsmSettingsOf(settings)
    const place = { keyId, keyLabel, module, tokenLabel }
    return { ...place, ...(await initHsmKey({ ...place, pinFile }, settings.hsmPin, by)) }
  } finally {
    wipeSecrets(settings)
  }
}

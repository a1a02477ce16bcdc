// Which providers a node opens its slots with. Chosen by what is configured, never by what answers: a provider that is configured and does not
// work is a failure, and no weaker one takes its place.
import { isAbsolute } from 'node:path'
import { Failure } from '../base/failure.ts'
import type { Secret } from '../crypto/secret.ts'
import { createEnvironmentKek, loadEnvironmentKek } from './environment.ts'
import {
  createHsmKek,
  initHsmKey,
  type HsmPlace,
  type HsmSettings,
  type MadeHsmKey,
} from './hsm.ts'
import { kekKinds, type KekKind, type KekProvider } from './kek.ts'
import { isKmsKeyId } from './kms-key.ts'
import { createKmsKek } from './kms.ts'
import { createMemoryKek } from './memory.ts'

/** The settings about an HSM but for its PIN, from the variables they are named after. */
export interface HsmKekSettings {
  /** COUNTERSIGN_HSM_MODULE */
  readonly hsmModule?: string | undefined
  /** COUNTERSIGN_HSM_TOKEN_LABEL */
  readonly hsmTokenLabel?: string | undefined
  /** COUNTERSIGN_HSM_KEY_LABEL */
  readonly hsmKeyLabel?: string | undefined
  /** COUNTERSIGN_HSM_KEY_ID, CKA_ID in hex */
  readonly hsmKeyId?: string | undefined
  /** COUNTERSIGN_HSM_PIN_FILE */
  readonly hsmPinFile?: string | undefined
}

/** The settings about key providers, from the variables they are named after. */
export interface KekSettings extends HsmKekSettings {
  /** COUNTERSIGN_KEK_FILE */
  readonly kekFile?: string | undefined
  /** COUNTERSIGN_KEK in UTF-8; wiped as soon as a provider was chosen. */
  readonly kek?: Secret | undefined
  /** COUNTERSIGN_KMS_KEY_ID */
  readonly kmsKeyId?: string | undefined
  /** COUNTERSIGN_HSM_PIN in UTF-8; wiped as soon as a provider was chosen. */
  readonly hsmPin?: Secret | undefined
}

/** What the choice depends on besides the settings. */
export interface KekCircumstances {
  /** Whether `--dev` was given. */
  readonly dev: boolean
  /** Whether the data directory holds no keys yet. */
  readonly dataIsNew: boolean
}

interface Choice {
  /** Why the kind cannot be used here, or undefined. */
  objection(settings: KekSettings, circumstances: KekCircumstances): string | undefined
  /** Whether the operator configured it, well or badly. */
  configured(settings: KekSettings): boolean
  create(settings: KekSettings): KekProvider
}

/** Why an HSM is not configured well enough, or undefined. */
function hsmObjection(settings: KekSettings): string | undefined {
  const { hsmKeyId, hsmModule, hsmPin, hsmPinFile, hsmTokenLabel } = settings
  if (hsmModule === undefined) return 'COUNTERSIGN_HSM_MODULE is not set'
  if (!isAbsolute(hsmModule)) return 'COUNTERSIGN_HSM_MODULE must be an absolute path'
  if (hsmTokenLabel === undefined) return 'COUNTERSIGN_HSM_TOKEN_LABEL is not set'
  if (hsmKeyId !== undefined && !/^([0-9a-f]{2}){1,64}$/.test(hsmKeyId))
    return 'COUNTERSIGN_HSM_KEY_ID must be lower-case hex'
  if (hsmPin !== undefined && hsmPinFile !== undefined)
    return 'both COUNTERSIGN_HSM_PIN_FILE and COUNTERSIGN_HSM_PIN are set, and only one can be meant'
  if (hsmPin === undefined && hsmPinFile === undefined)
    return 'neither COUNTERSIGN_HSM_PIN_FILE nor COUNTERSIGN_HSM_PIN is set'
  if (hsmPinFile !== undefined && !isAbsolute(hsmPinFile))
    return 'COUNTERSIGN_HSM_PIN_FILE must be an absolute path'
  return undefined
}

/** The label of a key where the settings name none. */
const usualKeyLabel = 'countersign'

const hsmSettingsOf = (settings: KekSettings): HsmSettings => ({
  module: settings.hsmModule ?? '',
  tokenLabel: settings.hsmTokenLabel ?? '',
  keyLabel: settings.hsmKeyLabel ?? usualKeyLabel,
  keyId: settings.hsmKeyId,
  pinFile: settings.hsmPinFile,
})

const choices: Readonly<Record<KekKind, Choice>> = {
  kms: {
    objection({ kmsKeyId }) {
      if (kmsKeyId === undefined) return 'COUNTERSIGN_KMS_KEY_ID is not set'
      return isKmsKeyId(kmsKeyId)
        ? undefined
        : 'COUNTERSIGN_KMS_KEY_ID is no key id, key ARN, alias/NAME or alias ARN of AWS KMS'
    },
    configured: ({ kmsKeyId }) => kmsKeyId !== undefined,
    create: ({ kmsKeyId = '' }) => createKmsKek({ keyId: kmsKeyId }),
  },
  hsm: {
    objection: hsmObjection,
    configured: ({ hsmModule }) => hsmModule !== undefined,
    create: (settings) => createHsmKek(hsmSettingsOf(settings), settings.hsmPin),
  },
  environment: {
    objection({ kek, kekFile }) {
      if (kek !== undefined && kekFile !== undefined)
        return 'both COUNTERSIGN_KEK_FILE and COUNTERSIGN_KEK are set, and only one can be meant'
      return kek === undefined && kekFile === undefined
        ? 'neither COUNTERSIGN_KEK_FILE nor COUNTERSIGN_KEK is set'
        : undefined
    },
    configured: ({ kek, kekFile }) => kek !== undefined || kekFile !== undefined,
    create({ kek, kekFile }) {
      if (kekFile !== undefined) return loadEnvironmentKek(kekFile)
      if (kek !== undefined) return createEnvironmentKek(kek)
      throw new Failure('BUG', 'Environment KEK was chosen without its settings')
    },
  },
  memory: {
    objection: (_, { dataIsNew }) =>
      dataIsNew
        ? undefined
        : 'its key died with the process that made it, and the data directory is not new',
    // Nothing configures it: it wants --dev or its name.
    configured: () => false,
    create: createMemoryKek,
  },
}

/** Why a kind of provider cannot be used, as `kind: reason`; undefined when it can. */
export function kekObjection(
  kind: KekKind,
  settings: KekSettings,
  circumstances: KekCircumstances,
): string | undefined {
  const why = choices[kind].objection(settings, circumstances)
  return why === undefined ? undefined : `${kind}: ${why}`
}

const invalid = (message: string): Failure => new Failure('CONFIG_INVALID', message)

function parseKind(name: string): KekKind {
  const kind = kekKinds.find((known) => known === (name === 'in_memory' ? 'memory' : name))
  if (kind === undefined)
    throw invalid(
      `Key provider is not one of auto, ${kekKinds.join(', ')}: ${JSON.stringify(name)}`,
    )
  return kind
}

function parseList(selection: string): readonly KekKind[] {
  const kinds = selection.split(',').map((name) => parseKind(name.trim()))
  if (new Set(kinds).size !== kinds.length)
    throw invalid(`Key provider is named twice: ${selection}`)
  if (kinds.length > 1 && kinds.includes('memory'))
    throw invalid(`Key provider memory cannot stand in a list: ${selection}`)
  return kinds
}

function wipeSecrets({ hsmPin, kek }: KekSettings): void {
  hsmPin?.wipe()
  kek?.wipe()
}

/** The first kind that is configured, working or not: the next one may be weaker. */
function chooseKind(settings: KekSettings, circumstances: KekCircumstances): KekKind {
  const kind = kekKinds.find((candidate) => choices[candidate].configured(settings))
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
export function getKekProvider(
  selection: string,
  settings: KekSettings,
  circumstances: KekCircumstances,
): readonly KekProvider[] {
  try {
    const kinds =
      selection === 'auto' ? [chooseKind(settings, circumstances)] : parseList(selection)
    const objections = kinds.flatMap((kind) => kekObjection(kind, settings, circumstances) ?? [])
    if (objections.length > 0)
      throw invalid(`Key provider cannot be used. ${objections.join('; ')}`)
    return kinds.map((kind) => choices[kind].create(settings))
  } finally {
    wipeSecrets(settings)
  }
}

/**
 * Makes the key of the HSM that is configured.
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

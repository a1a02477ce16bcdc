// What is particular to each kind of provider: when it counts as configured, what is wrong with its settings, how it is made.
import { isAbsolute, join } from 'node:path'
import { Failure } from '../base/failure.ts'
import { createEnvironmentKek, loadEnvironmentKek } from './environment.ts'
import { createHsmKek, type HsmSettings } from './hsm.ts'
import type { KekKind, KekProvider } from './kek.ts'
import type { KekSettings } from './kek-settings.ts'
import { isKmsKeyId } from './kms-key.ts'
import { createKmsKek } from './kms.ts'
import { createMemoryKek } from './memory.ts'

/** What the choice depends on besides the settings. */
export interface KekCircumstances {
  /** Whether `--dev` was given. */
  readonly dev: boolean
  /** Whether the data directory holds no keys yet. */
  readonly dataIsNew: boolean
  /** The keys directory, where a KEK file was looked for. */
  readonly keys?: string
}

/** What is particular to a kind. */
interface Kind {
  /** Why it cannot be used here, or undefined. */
  objection(settings: KekSettings, circumstances: KekCircumstances): string | undefined
  /** Whether the operator configured it, well or badly. */
  configured(settings: KekSettings): boolean
  /** Takes copies of secrets, never the secrets themselves. */
  create(settings: KekSettings): KekProvider
}

/** Why an HSM is not configured well enough, or undefined. */
export function hsmObjection(settings: KekSettings): string | undefined {
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

/** The settings of an HSM that {@link hsmObjection} has nothing against. */
export const hsmSettingsOf = (settings: KekSettings): HsmSettings => ({
  module: settings.hsmModule ?? '',
  tokenLabel: settings.hsmTokenLabel ?? '',
  keyLabel: settings.hsmKeyLabel ?? usualKeyLabel,
  keyId: settings.hsmKeyId,
  pinFile: settings.hsmPinFile,
})

const kinds: Readonly<Record<KekKind, Kind>> = {
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
    objection({ hsmModule, kek, kekFile, kmsKeyId }, { keys }) {
      if (kek !== undefined && kekFile !== undefined)
        return 'both COUNTERSIGN_KEK_FILE and COUNTERSIGN_KEK are set, and only one can be meant'
      if (kek !== undefined || kekFile !== undefined) return undefined
      const unset = 'neither COUNTERSIGN_KEK_FILE nor COUNTERSIGN_KEK is set'
      // Beside another provider nobody looks for the file.
      return keys === undefined || hsmModule !== undefined || kmsKeyId !== undefined
        ? unset
        : `${unset}, and there is no ${join(keys, 'countersign.kek')} (another directory: --keys)`
    },
    configured: ({ kek, kekFile }) => kek !== undefined || kekFile !== undefined,
    create({ kek, kekFile }) {
      if (kekFile !== undefined) return loadEnvironmentKek(kekFile)
      if (kek !== undefined) return createEnvironmentKek(kek.part(0))
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
  passphrase: {
    objection: () => 'opens only by hand: countersign keys recover',
    configured: () => false,
    create() {
      throw new Failure('BUG', 'Passphrase was taken from the settings')
    },
  },
}

/** Whether the operator configured a kind, well or badly. */
export const isConfigured = (kind: KekKind, settings: KekSettings): boolean =>
  kinds[kind].configured(settings)

/** Why a kind of provider cannot be used, as `kind: reason`; undefined when it can. */
export function kekObjection(
  kind: KekKind,
  settings: KekSettings,
  circumstances: KekCircumstances,
): string | undefined {
  const why = kinds[kind].objection(settings, circumstances)
  return why === undefined ? undefined : `${kind}: ${why}`
}

/**
 * Makes a provider, which takes copies of secrets only.
 * @throws {@link Failure} CONFIG_INVALID when the settings do not describe it well enough
 */
export function createKek(
  kind: KekKind,
  settings: KekSettings,
  circumstances: KekCircumstances,
): KekProvider {
  const why = kekObjection(kind, settings, circumstances)
  if (why !== undefined) throw new Failure('CONFIG_INVALID', `Key provider cannot be used. ${why}`)
  return kinds[kind].create(settings)
}

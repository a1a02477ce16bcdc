// The settings about key providers, and how they get into another thread or process.
import { privateCopy } from '../crypto/private-bytes.ts'
import { Secret } from '../crypto/secret.ts'
import type { KekKind } from './kek.ts'

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

/** The settings about key providers, from the variables they are named after; whoever takes them over wipes the secrets. */
export interface KekSettings extends HsmKekSettings {
  /** COUNTERSIGN_KEK_FILE */
  readonly kekFile?: string | undefined
  /** COUNTERSIGN_KEK in UTF-8. */
  readonly kek?: Secret | undefined
  /** COUNTERSIGN_KMS_KEY_ID */
  readonly kmsKeyId?: string | undefined
  /** COUNTERSIGN_HSM_PIN in UTF-8. */
  readonly hsmPin?: Secret | undefined
}

/** Settings as they can be posted; whoever receives them wipes the bytes. */
export interface PostedKekSettings extends HsmKekSettings {
  readonly kekFile: string | undefined
  /** Bytes of COUNTERSIGN_KEK. */
  readonly kekValue: Uint8Array | undefined
  readonly kmsKeyId: string | undefined
  /** Bytes of COUNTERSIGN_HSM_PIN. */
  readonly hsmPinValue?: Uint8Array | undefined
}

/** The settings of an HSM alone. */
export const hsmFields = (settings: HsmKekSettings): HsmKekSettings => ({
  hsmKeyId: settings.hsmKeyId,
  hsmKeyLabel: settings.hsmKeyLabel,
  hsmModule: settings.hsmModule,
  hsmPinFile: settings.hsmPinFile,
  hsmTokenLabel: settings.hsmTokenLabel,
})

const take = (bytes: Uint8Array | undefined): Secret | undefined =>
  bytes === undefined ? undefined : new Secret(bytes)

/** Settings that were posted; their bytes are wiped. */
export const receiveKekSettings = (posted: PostedKekSettings): KekSettings =>
  Object.freeze({
    ...hsmFields(posted),
    hsmPin: take(posted.hsmPinValue),
    kek: take(posted.kekValue),
    kekFile: posted.kekFile,
    kmsKeyId: posted.kmsKeyId,
  })

const bytesOf = (secret: Secret | undefined): Uint8Array | undefined =>
  secret?.use((bytes) => privateCopy(bytes))

/** What one kind of provider needs of the settings and nothing else, to be posted; whoever posts it wipes the copies that it holds. */
export function postKekSettings(kind: KekKind, settings: KekSettings): PostedKekSettings {
  const { hsmPin, kek, kekFile, kmsKeyId } = settings
  const nothing = { kekFile: undefined, kekValue: undefined, kmsKeyId: undefined }
  switch (kind) {
    case 'kms':
      return { ...nothing, kmsKeyId }
    case 'hsm':
      return { ...nothing, ...hsmFields(settings), hsmPinValue: bytesOf(hsmPin) }
    case 'environment':
      return { ...nothing, kekFile, kekValue: bytesOf(kek) }
    case 'memory':
    case 'passphrase':
      return nothing
  }
}

/** Wipes the bytes of settings that were posted. */
export function wipePosted({ hsmPinValue, kekValue }: PostedKekSettings): void {
  hsmPinValue?.fill(0)
  kekValue?.fill(0)
}

/** Wipes the secrets of settings. */
export function wipeSecrets({ hsmPin, kek }: KekSettings): void {
  hsmPin?.wipe()
  kek?.wipe()
}

// What only the environment says: key providers and their secrets. A secret is taken out of the environment as soon as it is read, so that no
// child, no dump and no log of it can hold one.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { decodeBase64 } from './base/base64.ts'
import { fromUtf8, utf8 } from './base/bytes.ts'
import { Failure } from './base/failure.ts'
import { secretVariables, withdrawSecrets, type Environment } from './config-secrets.ts'
import { settings } from './config-settings.ts'
import { Secret } from './crypto/secret.ts'
import type { KekSettings } from './kek/kek-settings.ts'

/** Variable that names the configuration file. */
export const configVariable = 'COUNTERSIGN_CONFIG'

/** A setting and the name under which AEGIS keeps the same. */
type Names = readonly [string, string]

const kmsKeyId: Names = ['COUNTERSIGN_KMS_KEY_ID', 'AEGIS_KMS_KEY_ID']
const hsmModule: Names = ['COUNTERSIGN_HSM_MODULE', 'AEGIS_HSM_PKCS11_LIB']
const hsmDetails = {
  hsmTokenLabel: ['COUNTERSIGN_HSM_TOKEN_LABEL', 'AEGIS_HSM_TOKEN_LABEL'],
  hsmKeyLabel: ['COUNTERSIGN_HSM_KEY_LABEL', 'AEGIS_HSM_WRAPPING_KEY_LABEL'],
  hsmKeyId: ['COUNTERSIGN_HSM_KEY_ID', 'AEGIS_HSM_WRAPPING_KEY_ID'],
  hsmPinFile: ['COUNTERSIGN_HSM_PIN_FILE', 'AEGIS_HSM_PIN_FILE'],
  hsmPin: ['COUNTERSIGN_HSM_PIN', 'AEGIS_HSM_PIN'],
} as const satisfies Readonly<Record<string, Names>>
const wrappedKeys: readonly Names[] = [
  ['COUNTERSIGN_KMS_WRAPPED_PRIVATE_KEY', 'AEGIS_KMS_WRAPPED_PRIVATE_KEY'],
  ['COUNTERSIGN_HSM_WRAPPED_PRIVATE_KEY', 'AEGIS_HSM_WRAPPED_PRIVATE_KEY'],
]

const known = new Set<string>([
  configVariable,
  ...secretVariables,
  ...settings.map(({ variable }) => variable),
  ...[kmsKeyId, hsmModule, ...Object.values(hsmDetails), ...wrappedKeys].flat(),
])

// Not ours, but no misspelt setting either: where the tests find their vectors, and what Kubernetes makes of a service named countersign.
const foreign = /^COUNTERSIGN_(VECTORS|SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_.*)$/

const invalid = (message: string): Failure => new Failure('CONFIG_INVALID', message)

/** Refuses a variable of ours that nothing reads: a misspelt setting would else fall back to a default without a word. */
export function refuseUnknownVariables(env: Environment): void {
  const unknown = Object.keys(env).find(
    (name) => name.startsWith('COUNTERSIGN_') && !known.has(name) && !foreign.test(name),
  )
  if (unknown !== undefined) throw invalid(`Environment variable is not known: ${unknown}`)
}

/** The variable of a setting that is set, under either name; both may be set only to the same. */
export function findVariable(
  env: Environment,
  name: string,
  alias?: string,
): { readonly name: string; readonly value: string } | undefined {
  const own = env[name]
  const other = alias === undefined ? undefined : env[alias]
  if (own !== undefined && other !== undefined && own !== other)
    throw invalid(`Two variables name one setting and differ: ${name}, ${alias ?? ''}`)
  if (own !== undefined) return { name, value: own }
  return other === undefined ? undefined : { name: alias ?? '', value: other }
}

/** Whether a text is the base64 of one of our slots. */
function isSlot(text: string): boolean {
  const bytes = decodeBase64(text)
  try {
    const slot: unknown = bytes === undefined ? undefined : JSON.parse(fromUtf8(bytes))
    return typeof slot === 'object' && slot !== null && 'wrapped' in slot && 'commitment' in slot
  } catch {
    return false
  }
}

function refuseWrappedKeys(env: Environment): void {
  for (const names of wrappedKeys) {
    const found = findVariable(env, ...names)
    if (found === undefined) continue
    throw invalid(
      isSlot(found.value)
        ? `Slots are read from the data directory in this version, unset ${found.name}`
        : `Not a slot of Countersign, and keys wrapped by another product cannot be opened: ${found.name}`,
    )
  }
}

/**
 * The settings about key providers; secrets are taken out of `env`. The file `countersign.kek` in the keys directory counts as configured when it
 * exists and nothing else is configured.
 * @param kekFile absolute path that the configuration names
 * @throws {@link Failure} CONFIG_INVALID when half a provider is configured, or a wrapped key is not ours
 */
export function takeKekSettings(
  env: Environment,
  keys: string,
  kekFile: string | undefined,
): KekSettings {
  refuseWrappedKeys(env)
  const kms = findVariable(env, ...kmsKeyId)?.value
  const hsm = findVariable(env, ...hsmModule)?.value
  const find = (names: Names) => findVariable(env, ...names)
  const detail = Object.values(hsmDetails)
    .map(find)
    .find((found) => found)
  const pin = find(hsmDetails.hsmPin)?.value
  const details = {
    hsmTokenLabel: find(hsmDetails.hsmTokenLabel)?.value,
    hsmKeyLabel: find(hsmDetails.hsmKeyLabel)?.value,
    hsmKeyId: find(hsmDetails.hsmKeyId)?.value,
    hsmPinFile: find(hsmDetails.hsmPinFile)?.value,
    hsmPin: pin === undefined ? undefined : new Secret(utf8(pin)),
  }
  if (detail !== undefined && hsm === undefined)
    throw invalid(`${detail.name} is set, but the module it belongs to is not: ${hsmModule[0]}`)
  const value = env['COUNTERSIGN_KEK']
  withdrawSecrets(env)
  const nothing =
    value === undefined && kekFile === undefined && kms === undefined && hsm === undefined
  const usual = join(keys, 'countersign.kek')
  return Object.freeze({
    kekFile: nothing && existsSync(usual) ? usual : kekFile,
    kek: value === undefined ? undefined : new Secret(utf8(value)),
    kmsKeyId: kms,
    hsmModule: hsm,
    ...details,
  })
}

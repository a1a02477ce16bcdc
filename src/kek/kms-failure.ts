// What AWS KMS or the road to it answered, as our failure. By name, never by text; a name that is not listed is an outage, so that nothing new can
// pass for a success or for a changed blob.
import { Failure, type FailureCode } from '../base/failure.ts'

type KmsCode = Extract<FailureCode, `KEK_${string}` | 'OPEN_FAILED' | 'CONFIG_INVALID'>

const names: Readonly<Record<Exclude<KmsCode, 'KEK_UNAVAILABLE'>, readonly string[]>> = {
  KEK_DENIED: [
    'AccessDenied',
    'AccessDeniedException',
    'CredentialsProviderError',
    'ExpiredToken',
    'ExpiredTokenException',
    'IncompleteSignature',
    'InvalidClientTokenId',
    'InvalidGrantTokenException',
    'InvalidSignatureException',
    'MissingAuthenticationToken',
    'MissingAuthenticationTokenException',
    'NotAuthorized',
    'OptInRequired',
    'RequestExpired',
    'SignatureDoesNotMatch',
    'TokenProviderError',
    'UnrecognizedClientException',
  ],
  KEK_KEY_MISSING: ['NotFoundException'],
  KEK_KEY_DISABLED: [
    'CloudHsmClusterInvalidConfigurationException',
    'CloudHsmClusterNotActiveException',
    'CloudHsmClusterNotFoundException',
    'CustomKeyStoreInvalidStateException',
    'DisabledException',
    'KMSInvalidStateException',
  ],
  OPEN_FAILED: ['IncorrectKeyException', 'InvalidCiphertextException'],
  CONFIG_INVALID: [
    'DryRunOperationException',
    'ERR_INVALID_URL',
    'ERR_MODULE_NOT_FOUND',
    'InvalidArnException',
    'InvalidKeyUsageException',
    'RegionMissing',
    'UnsupportedOperationException',
    'ValidationException',
  ],
}

const codes = new Map<string, KmsCode>(
  (Object.keys(names) as (keyof typeof names)[]).flatMap((code) =>
    names[code].map((name) => [name, code] as const),
  ),
)

const advice: Readonly<Record<KmsCode, string>> = {
  KEK_UNAVAILABLE: 'AWS KMS gives no usable answer, check network and endpoint and try again',
  KEK_DENIED:
    'AWS KMS refuses access, check the credentials and that they allow kms:Encrypt and kms:Decrypt',
  KEK_KEY_MISSING: 'AWS KMS does not have the key, check its id, account and region',
  KEK_KEY_DISABLED:
    'AWS KMS has the key disabled or about to be deleted, enable it or cancel the deletion',
  OPEN_FAILED: 'Wrapped key did not open',
  CONFIG_INVALID:
    'AWS KMS cannot use the key or the settings like this, it wants a symmetric encryption key, a region and a valid endpoint',
}

/** An error's name, or the system's code where the name says nothing. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'Error'
  const { name } = error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const named = code !== undefined && !codes.has(name) ? code : name
  // The name of a service's error is the service's word too.
  return /^[A-Za-z_]{1,64}$/.test(named) ? named : 'Error'
}

// An InvalidSignatureException shows the whole signed request on its further lines, the session token among it; no ARN has so long a run.
const printable = (text: string): string =>
  (text.split(/[\r\n]/, 1)[0] ?? '')
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .replaceAll(/[A-Za-z0-9+/=_]{40,}/g, '…')
    .slice(0, 300)

/**
 * What may be kept of an error of the SDK. Never the error itself: it drags the answer along, and a JSON error quotes from it, which after a Decrypt
 * is the data key. So only what the service or the system says in words is kept, and that shortened.
 */
function causeOf(error: unknown, name: string): Error {
  const worded =
    error instanceof Error && ('$fault' in error || ('code' in error && 'syscall' in error))
  const cause = new Error(worded ? printable(error.message) : '')
  cause.name = name
  cause.stack = `${name}: ${cause.message}`
  const metadata: unknown =
    error instanceof Error && '$metadata' in error ? error.$metadata : undefined
  if (typeof metadata !== 'object' || metadata === null) return cause
  const { httpStatusCode: status, attempts, requestId } = metadata as Record<string, unknown>
  if (typeof status === 'number') Object.assign(cause, { status })
  if (typeof attempts === 'number') Object.assign(cause, { attempts })
  if (typeof requestId === 'string' && /^[0-9a-f-]{36}$/.test(requestId))
    Object.assign(cause, { requestId })
  return cause
}

/** The failure that an error of the SDK means for a call about a key. */
export function kmsFailure(error: unknown, operation: string, keyId: string): Failure {
  if (error instanceof Failure) return error
  const name = nameOf(error)
  const code = codes.get(name) ?? 'KEK_UNAVAILABLE'
  return new Failure(code, `${advice[code]} (${operation}, ${name}): ${keyId}`, {
    cause: causeOf(error, name),
  })
}

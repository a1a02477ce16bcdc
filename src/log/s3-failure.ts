// What S3 or the road to it answered, as our failure. By name, never by text; a name that is not listed is an outage.
import { Failure, type FailureCode } from '../base/failure.ts'

type S3Code = Extract<FailureCode, 'STORE_FAILED' | 'CONFIG_INVALID'>

const denied = [
  'AccessDenied',
  'AccountProblem',
  'AllAccessDisabled',
  'CredentialsProviderError',
  'ExpiredToken',
  'Forbidden',
  'InvalidAccessKeyId',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'TokenProviderError',
]
const misconfigured = [
  'AuthorizationHeaderMalformed',
  'ERR_INVALID_URL',
  'ERR_MODULE_NOT_FOUND',
  'IllegalLocationConstraintException',
  'InvalidBucketName',
  'NoSuchBucket',
  'NotImplemented',
  'PermanentRedirect',
  'RegionMissing',
]

const advice: readonly (readonly [readonly string[], S3Code, string])[] = [
  [
    denied,
    'CONFIG_INVALID',
    'S3 refuses access, check the credentials and that they allow s3:GetObject, s3:PutObject and s3:ListBucket',
  ],
  [misconfigured, 'CONFIG_INVALID', 'S3 cannot be used like this, check bucket, region, endpoint'],
]

/** An error's name, or the system's code where the name says nothing. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'Error'
  const { name } = error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const named = name === 'Error' || name === 'TypeError' ? (code ?? name) : name
  // The name of a service's error is the service's word too.
  return /^[A-Za-z_]{1,64}$/.test(named) ? named : 'Error'
}

/** HTTP status of an answer, where there was one. */
export function statusOf(error: unknown): number | undefined {
  const metadata: unknown =
    error instanceof Error && '$metadata' in error ? error.$metadata : undefined
  if (typeof metadata !== 'object' || metadata === null) return undefined
  const { httpStatusCode: status } = metadata as Record<string, unknown>
  return typeof status === 'number' ? status : undefined
}

/** The failure that an error of the SDK means for a call about a place such as `s3://bucket/key`. */
export function s3Failure(error: unknown, operation: string, place: string): Failure {
  if (error instanceof Failure) return error
  const name = nameOf(error)
  const status = statusOf(error)
  const [, code, what] = advice.find(([names]) => names.includes(name)) ?? [
    [],
    status === 403 ? ('CONFIG_INVALID' as const) : ('STORE_FAILED' as const),
    status === 403
      ? (advice[0]?.[2] ?? '')
      : 'S3 gives no usable answer, check network and endpoint and try again',
  ]
  // The error itself shows the signed request, the session token among it.
  const cause = Object.assign(new Error(name), status === undefined ? {} : { status })
  cause.stack = name
  return new Failure(code, `${what} (${operation}, ${name}): ${place}`, { cause })
}

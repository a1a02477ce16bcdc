// How AWS KMS names keys. A slot records the key ARN, for that alone names one key for ever: an alias can be repointed by whoever may change
// aliases, which is often not who may use keys.

const keyName = '(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})'
const place = String.raw`arn:aws[a-z-]*:kms:([a-z0-9-]{1,32}):\d{12}:`
const aliasName = '[a-zA-Z0-9/_-]{1,250}'

const bareKey = new RegExp(`^${keyName}$`)
const bareAlias = new RegExp(`^alias/${aliasName}$`)
const keyArn = new RegExp(`^${place}key/${keyName}$`)
const aliasArn = new RegExp(`^${place}alias/${aliasName}$`)

/** Whether a text names a key: by id, key ARN, alias (`alias/…`) or alias ARN. */
export const isKmsKeyId = (text: string): boolean =>
  [bareKey, keyArn, bareAlias, aliasArn].some((form) => form.test(text))

/** The region that an ARN names; undefined for a bare id or alias, which belong to the region of the client. */
export const regionOf = (keyId: string): string | undefined =>
  (keyArn.exec(keyId) ?? aliasArn.exec(keyId))?.[1]

/**
 * Whether `arn` is the ARN of a key that `keyId` can mean. An id or a key ARN means one key; an alias any key of its account and region, for it
 * says only which key wraps next, not which one wrapped before.
 */
export function canMean(keyId: string, arn: string): boolean {
  if (!keyArn.test(arn)) return false
  if (bareKey.test(keyId)) return arn.endsWith(`:key/${keyId}`)
  if (bareAlias.test(keyId)) return true
  const account = keyId.slice(0, keyId.indexOf('alias/'))
  return aliasArn.test(keyId) ? arn.startsWith(`${account}key/`) : arn === keyId
}

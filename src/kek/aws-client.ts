// What the clients of AWS have in common: how long they are waited for, and that they know where they are.

/** Where a service of AWS is and how long it is waited for. */
export interface AwsConnection {
  /** Else AWS_ENDPOINT_URL_KMS or _S3, AWS_ENDPOINT_URL, the configuration file, or that of the region. */
  readonly endpoint?: string | undefined
  /** Else that of the SDK: AWS_REGION or the configuration file. */
  readonly region?: string | undefined
  readonly maxAttempts?: number | undefined
  readonly connectionTimeoutMs?: number | undefined
  /** For one attempt. */
  readonly requestTimeoutMs?: number | undefined
}

/** An error as the SDK names its own. */
export const named = (name: string): Error => Object.assign(new Error(name), { name })

/** The settings of a client. */
export const awsSettings = (
  {
    connectionTimeoutMs = 1000,
    endpoint,
    maxAttempts = 3,
    region,
    requestTimeoutMs,
  }: AwsConnection,
  usualRequestTimeoutMs: number,
) => ({
  maxAttempts,
  requestHandler: {
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs ?? usualRequestTimeoutMs,
    // Without it a timeout is a warning, and the call waits for ever.
    throwOnRequestTimeout: true,
  },
  ...(endpoint === undefined ? {} : { endpoint }),
  ...(region === undefined ? {} : { region }),
})

/** Sees that a client knows its region. @throws an error named `RegionMissing` */
export async function expectRegion(client: {
  readonly config: { readonly region: () => Promise<unknown> }
}): Promise<void> {
  try {
    await client.config.region()
  } catch {
    throw named('RegionMissing')
  }
}

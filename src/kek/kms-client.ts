// The two calls of AWS KMS that are used, out of the hundred that the SDK has. The SDK is loaded when the first call is made, so that whoever has no
// KMS does not pay for it.
import type {
  DecryptCommandInput,
  DecryptCommandOutput,
  EncryptCommandInput,
  EncryptCommandOutput,
} from '@aws-sdk/client-kms'

/** Where KMS is and how long it is waited for. */
export interface KmsConnection {
  /** Else AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL, the configuration file, or that of the region. */
  readonly endpoint?: string | undefined
  /** Else that of the SDK: AWS_REGION or the configuration file. */
  readonly region?: string | undefined
  readonly maxAttempts?: number | undefined
  readonly connectionTimeoutMs?: number | undefined
  /** For one attempt. */
  readonly requestTimeoutMs?: number | undefined
}

/** What is asked of KMS; errors are those of the SDK. */
export interface KmsClient {
  encrypt(input: EncryptCommandInput, signal: AbortSignal): Promise<EncryptCommandOutput>
  decrypt(input: DecryptCommandInput, signal: AbortSignal): Promise<DecryptCommandOutput>
  close(): void
}

const named = (name: string): Error => Object.assign(new Error(name), { name })

/** A client with the credentials of the SDK's default chain; nothing is asked yet. */
export async function connectKms(connection: KmsConnection): Promise<KmsClient> {
  const { DecryptCommand, EncryptCommand, KMSClient } = await import('@aws-sdk/client-kms')
  const { endpoint, region, maxAttempts = 3 } = connection
  const { connectionTimeoutMs = 1000, requestTimeoutMs = 2000 } = connection
  const client = new KMSClient({
    maxAttempts,
    requestHandler: {
      connectionTimeout: connectionTimeoutMs,
      requestTimeout: requestTimeoutMs,
      // Without it a timeout is a warning, and the call waits for ever.
      throwOnRequestTimeout: true,
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  })
  try {
    await client.config.region()
  } catch {
    throw named('RegionMissing')
  }
  return {
    encrypt: (input, abortSignal) => client.send(new EncryptCommand(input), { abortSignal }),
    decrypt: (input, abortSignal) => client.send(new DecryptCommand(input), { abortSignal }),
    close: () => {
      client.destroy()
    },
  }
}

// The two calls of AWS KMS that are used, out of the hundred that the SDK has. The SDK is loaded when the first call is made, so that whoever has no
// KMS does not pay for it.
import type {
  DecryptCommandInput,
  DecryptCommandOutput,
  EncryptCommandInput,
  EncryptCommandOutput,
} from '@aws-sdk/client-kms'
import { awsSettings, expectRegion, type AwsConnection } from './aws-client.ts'

/** What is asked of KMS; errors are those of the SDK. */
export interface KmsClient {
  encrypt(input: EncryptCommandInput, signal: AbortSignal): Promise<EncryptCommandOutput>
  decrypt(input: DecryptCommandInput, signal: AbortSignal): Promise<DecryptCommandOutput>
  close(): void
}

/** A client with the credentials of the SDK's default chain; nothing is asked yet. */
export async function connectKms(connection: AwsConnection): Promise<KmsClient> {
  const { DecryptCommand, EncryptCommand, KMSClient } = await import('@aws-sdk/client-kms')
  const client = new KMSClient(awsSettings(connection, 2000))
  await expectRegion(client)
  return {
    encrypt: (input, abortSignal) => client.send(new EncryptCommand(input), { abortSignal }),
    decrypt: (input, abortSignal) => client.send(new DecryptCommand(input), { abortSignal }),
    close: () => {
      client.destroy()
    },
  }
}

// The three calls of S3 that are used, out of the hundred that the SDK has. The SDK is loaded when the first call is made, so that whoever has no S3
// does not pay for it. Where a custom endpoint is named (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL) buckets stand in the path, as other makers of S3 want it.
import type {
  GetObjectCommandInput,
  ListObjectsV2CommandInput,
  ListObjectsV2CommandOutput,
  PutObjectCommandInput,
  PutObjectCommandOutput,
} from '@aws-sdk/client-s3'
import { awsSettings, expectRegion, named, type AwsConnection } from '../kek/aws-client.ts'

/** An object's bytes and the tag of this version of it. */
export interface S3Object {
  readonly bytes: Uint8Array
  readonly etag: string
}

/** What is asked of S3; errors are those of the SDK. */
export interface S3Client {
  get(input: GetObjectCommandInput, signal: AbortSignal): Promise<S3Object>
  put(input: PutObjectCommandInput, signal: AbortSignal): Promise<PutObjectCommandOutput>
  list(input: ListObjectsV2CommandInput, signal: AbortSignal): Promise<ListObjectsV2CommandOutput>
  close(): void
}

/** A client with the credentials of the SDK's default chain; nothing is asked yet. */
export async function connectS3(connection: AwsConnection): Promise<S3Client> {
  const { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } =
    await import('@aws-sdk/client-s3')
  const { AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 } = process.env
  const endpoint = connection.endpoint ?? AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL
  const client = new S3Client({
    ...awsSettings(connection, 5000),
    forcePathStyle: endpoint !== undefined,
  })
  await expectRegion(client)
  return {
    async get(input, abortSignal) {
      const { Body, ETag } = await client.send(new GetObjectCommand(input), { abortSignal })
      if (Body === undefined || ETag === undefined) throw named('AnswerIncomplete')
      return { bytes: await Body.transformToByteArray(), etag: ETag }
    },
    put: (input, abortSignal) => client.send(new PutObjectCommand(input), { abortSignal }),
    list: (input, abortSignal) => client.send(new ListObjectsV2Command(input), { abortSignal }),
    close: () => {
      client.destroy()
    },
  }
}

// A provider whose key lies in AWS KMS. The context goes as EncryptionContext, so KMS itself refuses a blob in another place. A blob is opened only
// under the key ARN that its slot records, and only when that can be the configured key. Nothing is asked before the first call, and none is made
// per decision. The SDK puts a data key into JSON text on its way: no wiping reaches that copy.
import type { DecryptCommandOutput } from '@aws-sdk/client-kms'
import { Failure, invariant } from '../base/failure.ts'
import { Secret } from '../crypto/secret.ts'
import type { KekContext, KekMetadata, KekProvider, WrappedKey } from './kek.ts'
import { within } from './deadline.ts'
import type { AwsConnection } from './aws-client.ts'
import { connectKms, type KmsClient } from './kms-client.ts'
import { kmsFailure } from './kms-failure.ts'
import { canMean, isKmsKeyId, regionOf } from './kms-key.ts'

const mechanism = 'AWS-KMS-SYMMETRIC_DEFAULT'
// Said in each call: a key pair would else be used without binding the context.
const algorithm = 'SYMMETRIC_DEFAULT'
const keyBytes = 32
const maxBlobBytes = 6144

/** Which key, and where it is. */
export interface KmsKekOptions extends AwsConnection {
  /** Key id, key ARN, alias (`alias/…`) or alias ARN; an ARN's region goes before that of the environment. */
  readonly keyId: string
  /** For a whole call, all attempts and the search for credentials included. */
  readonly deadlineMs?: number | undefined
}

const refused = (): Failure => new Failure('OPEN_FAILED', 'Wrapped key did not open')

const encryptionContext = ({ header, slot, purpose }: KekContext): Record<string, string> => ({
  'countersign:header': header,
  'countersign:slot': slot,
  'countersign:purpose': purpose,
})

/** The context of a dry run: the names and the purpose that a key policy may demand, and a place that does not exist. */
const nowhere: KekContext = {
  header: '0'.repeat(64),
  slot: '00000000-0000-0000-0000-000000000000',
  purpose: 'master',
}

const isDryRun = (error: unknown): boolean =>
  error instanceof Error && error.name === 'DryRunOperationException'

class KmsKek implements KekProvider {
  readonly metadata: KekMetadata
  readonly #keyId: string
  readonly #deadlineMs: number
  readonly #connection: AwsConnection
  #client: Promise<KmsClient> | undefined
  /** The key ARN that KMS named last. */
  #arn: string | undefined
  readonly #closing = new AbortController()

  constructor({ keyId, deadlineMs = 8000, ...connection }: KmsKekOptions) {
    this.#keyId = keyId
    this.#deadlineMs = deadlineMs
    this.#connection = { ...connection, region: connection.region ?? regionOf(keyId) }
    const kekId = (): string => this.#arn ?? keyId
    this.metadata = Object.freeze({
      kind: 'kms',
      get kekId() {
        return kekId()
      },
      mechanism,
      hardware: true,
      extractable: false,
      durable: true,
    })
  }

  async wrap(dataKey: Secret, context: KekContext): Promise<WrappedKey> {
    invariant(dataKey.length === keyBytes, `Data key must have 32 bytes: ${dataKey.length}`)
    const { KeyId, CiphertextBlob } = await dataKey.useAsync((plaintext) =>
      this.#ask('Encrypt', this.#keyId, (client, signal) =>
        client.encrypt(
          {
            KeyId: this.#keyId,
            Plaintext: plaintext,
            EncryptionContext: encryptionContext(context),
            EncryptionAlgorithm: algorithm,
          },
          signal,
        ),
      ),
    )
    const length = CiphertextBlob?.length ?? 0
    const usable = length > 0 && length <= maxBlobBytes
    if (KeyId === undefined || CiphertextBlob === undefined || !usable)
      throw this.#unusable('without a key ARN or a ciphertext')
    if (!canMean(this.#keyId, KeyId)) throw this.#unusable('for another key than was asked for')
    this.#arn = KeyId
    return { kekId: KeyId, mechanism, blob: new Uint8Array(CiphertextBlob) }
  }

  async unwrap(wrapped: WrappedKey, context: KekContext): Promise<Secret> {
    const { kekId: arn, blob } = wrapped
    const fits = blob.length > 0 && blob.length <= maxBlobBytes && wrapped.mechanism === mechanism
    if (this.#closing.signal.aborted) throw this.#whenClosed()
    if (!fits || !canMean(this.#keyId, arn) || Object.values(context).includes('')) throw refused()
    const { KeyId, Plaintext = new Uint8Array() } = await this.#decrypt(arn, blob, context)
    try {
      // Neither can come of a blob: whoever answers so is not KMS, or not well.
      if (Plaintext.length === 0) throw this.#unusable('without a plaintext')
      if (KeyId !== arn) throw this.#unusable('for another key than was asked for')
      this.#arn = arn
      if (Plaintext.length !== keyBytes) throw refused()
      return new Secret(Plaintext)
    } finally {
      Plaintext.fill(0)
    }
  }

  // Two dry runs need the two permissions that work needs and no other (DescribeKey would need a third, and tells of neither); KMS checks key
  // state, key usage and permissions, and no material is sent or made.
  async probe(): Promise<void> {
    const asked = {
      KeyId: this.#arn ?? this.#keyId,
      EncryptionContext: encryptionContext(nowhere),
      EncryptionAlgorithm: algorithm,
      DryRun: true,
    } as const
    const start = performance.now()
    await this.#dryRun('Encrypt', this.#deadlineMs, (client, signal) =>
      client.encrypt({ ...asked, Plaintext: new Uint8Array(keyBytes) }, signal),
    )
    const restMs = this.#deadlineMs - (performance.now() - start)
    await this.#dryRun('Decrypt', restMs, (client, signal) =>
      client.decrypt({ ...asked, DryRunModifiers: ['IGNORE_CIPHERTEXT'] }, signal),
    )
  }

  async close(): Promise<void> {
    this.#closing.abort()
    const client = this.#client
    this.#client = undefined
    const connected = await client?.catch(() => undefined)
    connected?.close()
  }

  async #decrypt(
    arn: string,
    blob: Uint8Array,
    context: KekContext,
  ): Promise<Pick<DecryptCommandOutput, 'KeyId' | 'Plaintext'>> {
    const input = {
      KeyId: arn,
      CiphertextBlob: blob,
      EncryptionContext: encryptionContext(context),
      EncryptionAlgorithm: algorithm,
    } as const
    try {
      return await this.#ask('Decrypt', arn, (client, signal) => client.decrypt(input, signal))
    } catch (error) {
      // KMS has the key and found the blob wrong: it is this key that is spoken of, also where the configuration has an alias.
      if (error instanceof Failure && error.code === 'OPEN_FAILED') this.#arn = arn
      throw error
    }
  }

  async #dryRun(
    operation: string,
    deadlineMs: number,
    call: (client: KmsClient, signal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    const dryRun = (client: KmsClient, signal: AbortSignal): Promise<boolean> =>
      call(client, signal).then(
        () => true,
        (error: unknown) => {
          if (isDryRun(error)) return false
          throw error
        },
      )
    const ran = await this.#ask(operation, this.metadata.kekId, dryRun, deadlineMs)
    if (ran) throw this.#unusable('to a dry run as if it were none')
  }

  async #ask<T>(
    operation: string,
    keyId: string,
    call: (client: KmsClient, signal: AbortSignal) => Promise<T>,
    deadlineMs = this.#deadlineMs,
  ): Promise<T> {
    if (this.#closing.signal.aborted) throw this.#whenClosed()
    try {
      return await within(deadlineMs, this.#closing.signal, async (signal) =>
        call(await this.#connect(), signal),
      )
    } catch (error) {
      throw kmsFailure(error, operation, keyId)
    }
  }

  #connect(): Promise<KmsClient> {
    this.#client ??= connectKms(this.#connection).catch((error: unknown) => {
      this.#client = undefined
      throw error
    })
    return this.#client
  }

  #unusable(what: string): Failure {
    return new Failure('KEK_UNAVAILABLE', `AWS KMS answered ${what}: ${this.#keyId}`)
  }

  #whenClosed(): Failure {
    return new Failure('KEK_UNAVAILABLE', 'Key provider is closed: kms')
  }
}

/**
 * A provider for a key in AWS KMS, with the credentials of the SDK's default chain; nothing is asked before the first call.
 * @throws {@link Failure} CONFIG_INVALID when `keyId` names no key
 */
export function createKmsKek(options: KmsKekOptions): KekProvider {
  if (!isKmsKeyId(options.keyId))
    throw new Failure(
      'CONFIG_INVALID',
      `Not a key id, key ARN, alias/NAME or alias ARN of AWS KMS: ${JSON.stringify(options.keyId.slice(0, 100))}`,
    )
  return new KmsKek(options)
}

// Pins in S3, in another failure domain than the database. There is no lock: each pin takes the place of the one that was read or is refused, so that of
// two writers on copies of one log the second cannot go on. A write costs a round trip, and every commit waits for it.
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { randomBytes } from '../crypto/hash.ts'
import type { PinPlace } from './pin-place.ts'
import { formatPinRecord, parsePinRecord, type Pin, type PinRecord, type PinStore } from './pin.ts'
import { S3Folder, type S3FolderOptions } from './s3-folder.ts'

const ending = '.pin'
/** How often a write is tried against late ones of our own. */
const mostTries = 3

/** A pin as it was found, and the tag by which it is replaced. */
interface Found extends PinRecord {
  readonly bytes: Uint8Array
  readonly etag: string
}

/** Pins below a prefix of a bucket. */
export class PinsInS3 implements PinPlace {
  readonly #folder: S3Folder
  /** By this our own pin is known where the answer to its writing was lost. */
  readonly #writer = encodeHex(randomBytes(16))
  #proved = false

  /** @throws {@link Failure} CONFIG_INVALID when the URL names no place in S3 */
  constructor(url: string, options: S3FolderOptions = {}) {
    this.#folder = new S3Folder(url, options)
  }

  open(tenant: string): PinStore {
    return new PinInS3(this, tenant)
  }

  async read(tenant: string): Promise<Pin | undefined> {
    return (await this.find(tenant))?.pin
  }

  async list(): Promise<readonly string[]> {
    const pins = (await this.#folder.list()).filter((path) => path.endsWith(ending))
    return pins.map((path) => path.slice(0, -ending.length))
  }

  hold(): Promise<() => void> {
    return Promise.resolve(() => undefined)
  }

  close(): Promise<void> {
    return this.#folder.close()
  }

  /** The pin of a tenant with the tag of its version. @throws {@link Failure} LOG_ROLLBACK when what is there is not a pin */
  async find(tenant: string): Promise<Found | undefined> {
    const path = tenant + ending
    const object = await this.#folder.read(path)
    if (object === undefined) return undefined
    const record = parsePinRecord(object.bytes)
    if (record === undefined)
      throw new Failure('LOG_ROLLBACK', `Not a whole pin, restore it: ${this.#folder.name(path)}`)
    return { ...record, ...object }
  }

  /** Sees, once, that this S3 refuses to overwrite a pin that is there. @throws {@link Failure} CONFIG_INVALID */
  async prove(tenant: string, bytes: Uint8Array): Promise<void> {
    if (this.#proved) return
    await this.#folder.proveConditional(tenant + ending, { bytes })
    this.#proved = true
  }

  /**
   * Puts a pin in the place of the one that was found, or where none was; gives it as it is now.
   * @throws {@link Failure} LOG_ROLLBACK when somebody else has written meanwhile, STORE_FAILED when it is unknown which pin is there
   */
  async put(tenant: string, pin: Pin, before: Found | undefined): Promise<Found> {
    const path = tenant + ending
    let there = before
    for (let tries = 0; tries < mostTries; tries++) {
      const record = { count: (there?.count ?? 0) + 1, pin, writer: this.#writer }
      const bytes = formatPinRecord(record)
      const etag =
        there === undefined
          ? await this.#folder.create(path, bytes)
          : await this.#folder.replace(path, bytes, there.etag)
      if (etag !== undefined) return { ...record, bytes, etag }
      const now = await this.find(tenant)
      // This write, its answer lost, or an earlier one of this process that was given up and arrived all the same.
      if (now?.writer !== this.#writer) break
      there = now
    }
    throw new Failure(
      'LOG_ROLLBACK',
      `Pin was written by somebody else, stop the other writer: ${this.#folder.name(path)}`,
    )
  }
}

/** The pin of one tenant. */
class PinInS3 implements PinStore {
  readonly #pins: PinsInS3
  readonly #tenant: string
  #found: Found | undefined
  #read = false

  constructor(pins: PinsInS3, tenant: string) {
    this.#pins = pins
    this.#tenant = tenant
  }

  async read(): Promise<Pin | undefined> {
    this.#found = await this.#pins.find(this.#tenant)
    this.#read = true
    if (this.#found !== undefined) await this.#pins.prove(this.#tenant, this.#found.bytes)
    return this.#found?.pin
  }

  async write(pin: Pin): Promise<void> {
    if (!this.#read) await this.read()
    this.#found = await this.#pins.put(this.#tenant, pin, this.#found)
    await this.#pins.prove(this.#tenant, this.#found.bytes)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

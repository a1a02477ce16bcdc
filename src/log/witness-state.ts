// What a witness remembers: the logs it knows and the last checkpoint it cosigned of each. It must never forget one, or it could be shown another
// history; so each log has a file of its own, replaced as a whole (written, synced, renamed, directory synced) before anybody is answered, and a log
// whose file is missing is a log that is not known.
//
// After a write that failed it is unknown which of the two states a crash would leave. What is read next is therefore written once more: it counts
// only when that has succeeded. The same is done with what an earlier process left.
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { encodeHex, equalBytes, utf8 } from '../base/bytes.ts'
import { Failure, invariant } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'
import { syncDirectory } from '../kek/private-file.ts'
import { parseCheckpointVkey } from '../merkle/checkpoint.ts'
import { formatVkey, type Vkey } from '../merkle/note.ts'
import { makeDirectory } from '../store/make-directory.ts'

/** The last checkpoint that was cosigned. */
export interface WitnessedHead {
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** Seconds since 1970, as cosigned. */
  readonly time: number
  /** With the lines of the log's known keys and the witness's own. */
  readonly note: string
}

/** A log that a witness knows. */
export interface WitnessedLog {
  readonly origin: string
  readonly vkeys: readonly Vkey[]
  /** Null before the first cosignature. */
  readonly latest: WitnessedHead | null
  /** Tree size of the trust root that the keys are from; undefined where they were named one by one. */
  readonly asOf?: number | undefined
}

/** Where a witness keeps what it must not forget. What `read` gives is durable, and when `write` returns so is what was written. */
export interface WitnessState {
  /** The log of an id. @throws {@link Failure} STORE_* when it cannot be believed or made durable */
  read(id: string): WitnessedLog | undefined
  /**
   * Replaces what is kept of a log, or adds it where `expected` is undefined.
   * @throws {@link Failure} LOG_CONFLICT when it is not `expected` any more, STORE_FAILED when it is unknown which state is kept
   */
  write(log: WitnessedLog, expected: WitnessedLog | undefined): void
  /** Ids of the logs that are known. */
  list(): readonly string[]
}

/** By what a witness files a log: the lower-case hex SHA-256 of its origin. */
export const witnessedLogId = (origin: string): string => encodeHex(sha256(utf8(origin)))

const schema = z.strictObject({
  asOf: z.int().min(0).optional(),
  latest: z
    .strictObject({
      note: z.string(),
      root: z.string(),
      size: z.int().min(0),
      time: z.int().min(1),
    })
    .nullable(),
  origin: z.string().min(1),
  v: z.literal(1),
  vkeys: z.array(z.string()).min(1),
})

const format = ({ asOf, latest, origin, vkeys }: WitnessedLog): Uint8Array =>
  canonicalBytes({
    ...(asOf === undefined ? {} : { asOf }),
    latest: latest === null ? null : { ...latest, root: encodeBase64(latest.root) },
    origin,
    v: 1,
    vkeys: vkeys.map(formatVkey),
  })

function parse(bytes: Uint8Array): WitnessedLog {
  const { asOf, latest, origin, vkeys } = schema.parse(parseCanonical(bytes))
  const root = latest === null ? undefined : decodeBase64(latest.root)
  invariant(latest === null || root?.length === 32, 'Root is not 32 bytes')
  return {
    ...(asOf === undefined ? {} : { asOf }),
    latest: latest === null || root === undefined ? null : { ...latest, root },
    origin,
    vkeys: vkeys.map((text) => {
      const vkey = parseCheckpointVkey(text)
      invariant(typeof vkey !== 'string', `Not a verifier key: ${text}`)
      return vkey
    }),
  }
}

const ending = '.json'

function readFile(path: string): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(path))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Failure('STORE_FAILED', `Witnessed log cannot be read: ${path}`, { cause })
  }
}

function parseFile(path: string, bytes: Uint8Array): WitnessedLog {
  let log: WitnessedLog
  try {
    log = parse(bytes)
  } catch (cause) {
    throw new Failure('STORE_CORRUPT', `Not the file of a witnessed log: ${path}`, { cause })
  }
  if (!path.endsWith(witnessedLogId(log.origin) + ending))
    throw new Failure('STORE_CORRUPT', `File of a witnessed log is another's: ${path}`)
  return log
}

function listIds(path: string): readonly string[] {
  return readdirSync(path)
    .flatMap((name) => (name.endsWith(ending) ? [name.slice(0, -ending.length)] : []))
    .sort()
}

/**
 * The logs of a directory as they are on disk now, by id; for looking only, while whoever owns the directory goes on.
 * @throws {@link Failure} STORE_FAILED, STORE_CORRUPT
 */
export const peekWitnessedLogs = (path: string): readonly WitnessedLog[] =>
  (existsSync(path) ? listIds(path) : []).flatMap((id) => {
    const file = join(path, id + ending)
    const bytes = readFile(file)
    return bytes === undefined ? [] : [parseFile(file, bytes)]
  })

/** A directory of one file a log. Only one process may use it; see `openWitness`. */
export class WitnessDirectory implements WitnessState {
  readonly #path: string
  /** Files whose content is known to be durable. */
  readonly #settled = new Set<string>()

  constructor(path: string) {
    makeDirectory(path)
    syncDirectory(dirname(path))
    this.#path = path
  }

  list(): readonly string[] {
    return listIds(this.#path)
  }

  read(id: string): WitnessedLog | undefined {
    if (!/^[0-9a-f]{64}$/.test(id)) return undefined
    const path = join(this.#path, id + ending)
    const bytes = readFile(path)
    if (bytes === undefined) return undefined
    const log = parseFile(path, bytes)
    if (!this.#settled.has(path)) this.#replace(path, bytes)
    return log
  }

  write(log: WitnessedLog, expected: WitnessedLog | undefined): void {
    const path = join(this.#path, witnessedLogId(log.origin) + ending)
    const kept = readFile(path)
    const same =
      kept === undefined
        ? expected === undefined
        : expected !== undefined && equalBytes(kept, format(expected))
    if (!same) throw new Failure('LOG_CONFLICT', `Witnessed log was changed: ${log.origin}`)
    this.#replace(path, format(log))
  }

  // A crash before the rename leaves the old file, one behind it either; nobody was answered yet.
  #replace(path: string, bytes: Uint8Array): void {
    this.#settled.delete(path)
    const temporary = `${path}.new`
    try {
      const fd = openSync(temporary, 'w', 0o600)
      try {
        for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
      renameSync(temporary, path)
      syncDirectory(this.#path)
    } catch (cause) {
      throw new Failure('STORE_FAILED', `Witnessed log cannot be written: ${path}`, { cause })
    }
    this.#settled.add(path)
  }
}

// A witness (C2SP tlog-witness): it cosigns a checkpoint only when that adds to the last one it cosigned of the same log, so that whoever trusts it
// knows that all see one history. What it has cosigned is durable before it says so; while it cannot be written, nothing is cosigned. Between looking
// and writing nothing else runs in this process, and a lock keeps every other process away.
import { join } from 'node:path'
import { encodeHex, equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import {
  cosign,
  formatCheckpoint,
  parseCheckpoint,
  parseCheckpointVkey,
  verifyCheckpoint,
  type Checkpoint,
} from '../merkle/checkpoint.ts'
import { emptyRoot } from '../merkle/hash.ts'
import { ed25519Note, mlDsa44Cosignature } from '../merkle/note-signature.ts'
import { formatNote, formatNoteLine, parseNote, type NoteLine, type Vkey } from '../merkle/note.ts'
import { verifyConsistency } from '../merkle/proof.ts'
import { holdDirectory } from '../store/sqlite-lock.ts'
import {
  createWitnessKeyFile,
  expectWitnessName,
  readWitnessKeyFile,
  type WitnessKeys,
} from './witness-keys.ts'
import { formatTreeSize, parseAddCheckpoint, sizeType } from './witness-protocol.ts'
import {
  peekWitnessedLogs,
  WitnessDirectory,
  witnessedLogId,
  type WitnessedHead,
  type WitnessedLog,
  type WitnessState,
} from './witness-state.ts'

/** What a witness answers. */
export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422
  readonly body: string
  /** Media type. */
  readonly type: string
}

/** What a witness is made of. */
export interface WitnessParts {
  readonly keys: WitnessKeys
  readonly state: WitnessState
  /** ms since 1970. */
  readonly clock: () => number
  /** Lets go of whatever was held for it. */
  readonly release?: () => void
}

const plain = 'text/plain; charset=utf-8'
const refuse = (status: WitnessAnswer['status'], why: string): WitnessAnswer => ({
  body: `${why}\n`,
  status,
  type: plain,
})
const cosigned = (lines: readonly NoteLine[]): WitnessAnswer => ({
  body: lines.map(formatNoteLine).join(''),
  status: 200,
  type: plain,
})

const isBy = (vkeys: readonly Vkey[], { keyId, name }: NoteLine): boolean =>
  vkeys.some((vkey) => vkey.keyId === keyId && vkey.name === name)

/** Whether a checkpoint adds to what was cosigned before, as the proof shows. */
function follows(
  latest: WitnessedHead | null,
  { root, size }: Checkpoint,
  proof: readonly Uint8Array[],
): boolean {
  // From nothing nothing can be proved, so nothing may pretend to.
  if (latest === null || latest.size === 0)
    return proof.length === 0 && (size > 0 || equalBytes(root, emptyRoot))
  return verifyConsistency(latest.size, size, latest.root, root, proof)
}

/** A log key signs under type 0x01 or 0x06; the others only cosign. */
const logTypes = [ed25519Note.type, mlDsa44Cosignature.type]

/** A log's verifier keys of their texts. @throws {@link Failure} INPUT_INVALID */
function readLogVkeys(texts: readonly string[]): readonly Vkey[] {
  const vkeys = texts.map((text) => {
    const vkey = parseCheckpointVkey(text)
    if (typeof vkey === 'string') throw new Failure('INPUT_INVALID', vkey, { field: 'vkey' })
    if (!logTypes.includes(vkey.type))
      throw new Failure('INPUT_INVALID', `Key is of a type that only cosigns: ${vkey.name}`, {
        field: 'vkey',
      })
    return vkey
  })
  const distinct = new Set(vkeys.map(({ publicKey }) => encodeHex(publicKey)))
  if (vkeys.length === 0 || distinct.size !== vkeys.length)
    throw new Failure('INPUT_INVALID', 'A log has at least one key, and each once', {
      field: 'vkey',
    })
  return vkeys
}

/** A witness. */
export class Witness {
  readonly #parts: WitnessParts

  constructor(parts: WitnessParts) {
    this.#parts = parts
  }

  get name(): string {
    return this.#parts.keys.name
  }

  /** What others put into their policies: Ed25519, ML-DSA-44. */
  get vkeys(): readonly Vkey[] {
    return this.#parts.keys.vkeys
  }

  /**
   * Makes a log known, or gives a known one other keys; what was cosigned of it stays. A checkpoint needs a good line of every type among the keys.
   * @param asOf tree size of the trust root that the keys are from
   * @throws {@link Failure} INPUT_INVALID, STORE_*
   */
  putLog(origin: string, vkeys: readonly string[], asOf?: number): WitnessedLog {
    if (origin === '' || /[\n\r]/.test(origin))
      throw new Failure('INPUT_INVALID', 'Origin must be one line', { field: 'origin' })
    const known = this.#parts.state.read(witnessedLogId(origin))
    const log = { asOf, latest: known?.latest ?? null, origin, vkeys: readLogVkeys(vkeys) }
    this.#parts.state.write(log, known)
    return log
  }

  /** The logs it knows, by origin. @throws {@link Failure} STORE_* */
  logs(): readonly WitnessedLog[] {
    const { state } = this.#parts
    return state
      .list()
      .flatMap((id) => state.read(id) ?? [])
      .sort((a, b) => (a.origin < b.origin ? -1 : 1))
  }

  /** The last cosigned checkpoint of a log by {@link witnessedLogId}. @throws {@link Failure} STORE_* */
  readCheckpoint(id: string): string | undefined {
    return this.#parts.state.read(id)?.latest?.note
  }

  /**
   * Answers the body of an add-checkpoint request, which may hold anything.
   * @throws {@link Failure} STORE_* when its state cannot be read or written: then nothing was cosigned
   */
  addCheckpoint(body: Uint8Array): WitnessAnswer {
    const request = parseAddCheckpoint(body)
    if (typeof request === 'string') return refuse(400, request)
    const { note, old, proof } = request
    const parsed = parseNote(note)
    if (typeof parsed === 'string') return refuse(400, parsed)
    const claimed = parseCheckpoint(parsed.text)
    if (typeof claimed === 'string') return refuse(400, claimed)
    const log = this.#parts.state.read(witnessedLogId(claimed.origin))
    if (log === undefined) return refuse(404, 'Unknown origin')
    const verified = verifyCheckpoint(note, log.vkeys)
    if ('reason' in verified) return refuse(403, verified.reason)
    const types = new Set(log.vkeys.map(({ type }) => type))
    for (const { vkey } of verified.lines) types.delete(vkey.type)
    if (types.size > 0) return refuse(403, 'A type of key that the log has did not sign')
    if (old > claimed.size) return refuse(400, `Old size is beyond the checkpoint: ${old}`)
    const size = log.latest?.size ?? 0
    if (old !== size) return { body: formatTreeSize(size), status: 409, type: sizeType }
    if (!follows(log.latest, claimed, proof))
      return refuse(422, 'Proof does not lead from the checkpoint that was cosigned before')
    return this.#cosign(log, claimed, parsed.lines)
  }

  #cosign(log: WitnessedLog, head: Checkpoint, lines: readonly NoteLine[]): WitnessAnswer {
    const { clock, keys, state } = this.#parts
    const { latest, vkeys } = log
    const time = Math.max(1, Math.floor(clock() / 1000), latest?.time ?? 0)
    // Anybody may replay a checkpoint; it shall not cost a write each time.
    if (latest !== null && latest.size === head.size && latest.time === time)
      return cosigned(this.#ownLines(latest.note))
    const own = keys.signers.map((signer) => cosign(head, keys.name, signer, time))
    const signed = lines.filter((line) => isBy(vkeys, line))
    const note = formatNote(formatCheckpoint(head), [...signed, ...own])
    state.write({ ...log, latest: { note, root: head.root, size: head.size, time } }, log)
    return cosigned(own)
  }

  #ownLines(note: string): readonly NoteLine[] {
    const parsed = parseNote(note)
    const lines = typeof parsed === 'string' ? [] : parsed.lines
    return lines.filter((line) => isBy(this.vkeys, line))
  }

  close(): void {
    for (const signer of this.#parts.keys.signers) signer.close()
    this.#parts.release?.()
  }
}

const keyFile = (directory: string): string => join(directory, 'witness.key')
const logsDirectory = (directory: string): string => join(directory, 'logs')

/**
 * Makes the keys of a new witness in a directory.
 * @throws {@link Failure} INPUT_INVALID, INPUT_EXISTS, STORE_LOCKED, STORE_FAILED
 */
export async function createWitness(directory: string, name: string): Promise<void> {
  expectWitnessName(name)
  const release = await holdDirectory(directory)
  try {
    createWitnessKeyFile(keyFile(directory), name)
  } finally {
    release()
  }
}

/**
 * Opens the witness of a directory, for this process alone.
 * @throws {@link Failure} CONFIG_INVALID when there is none, STORE_LOCKED when another process has it
 */
export async function openWitness(directory: string, clock: () => number): Promise<Witness> {
  const keys = readWitnessKeyFile(keyFile(directory))
  const release = await holdDirectory(directory)
  return new Witness({
    clock,
    keys,
    release,
    state: new WitnessDirectory(logsDirectory(directory)),
  })
}

/** What can be told of a witness without being it. */
export interface WitnessStatus {
  readonly name: string
  readonly vkeys: readonly Vkey[]
  readonly logs: readonly WitnessedLog[]
}

/**
 * Looks at the witness of a directory, also while it runs.
 * @throws {@link Failure} CONFIG_INVALID when there is none, STORE_*
 */
export function peekWitness(directory: string): WitnessStatus {
  const { name, signers, vkeys } = readWitnessKeyFile(keyFile(directory))
  for (const signer of signers) signer.close()
  return { logs: peekWitnessedLogs(logsDirectory(directory)), name, vkeys }
}

// What a monitor remembers of a log, in one SQLite file: the last heads that it has verified, each with the growing edge of its tree, and of every stream the
// last step, in some 100 bytes. What is read towards the next head is kept aside until that head has proved true, so that reading can be cut off and go on, and
// a lie leaves nothing behind. Every change is one transaction, durable when it returns.
import { Failure, invariant } from '../base/failure.ts'
import { concat, utf8 } from '../base/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { Frontier } from '../merkle/frontier.ts'
import { loadSqlite, type Database, type Preparing } from '../store/sqlite-database.ts'
import { storeFailure } from '../store/sqlite-failure.ts'

/** A head of the log. */
export interface SeenHead {
  readonly size: number
  readonly note: string
  readonly edge: Frontier
  /** Of the last leaf, ms since 1970. */
  readonly time: number
}

/** The last step of a stream. */
export interface SeenStep {
  readonly seq: number
  /** Leaf hash, 32 bytes. */
  readonly hash: Uint8Array
  readonly index: number
}

const applicationId = 0x4373676d
const keptHeads = 64

const schema = `
  CREATE TABLE log (one INTEGER PRIMARY KEY CHECK (one = 1), origin TEXT NOT NULL) STRICT;
  CREATE TABLE heads (size INTEGER PRIMARY KEY, note TEXT NOT NULL, edge BLOB NOT NULL, time INTEGER NOT NULL) STRICT;
  CREATE TABLE reading (
    one INTEGER PRIMARY KEY CHECK (one = 1), target TEXT NOT NULL, size INTEGER NOT NULL, edge BLOB NOT NULL, time INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE steps (stream BLOB PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL, idx INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE reading_steps (stream BLOB PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL, idx INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`

interface HeadRow {
  size: number
  note: string
  edge: Uint8Array
  time: number
}

interface StepRow {
  seq: number
  hash: Uint8Array
  idx: number
}

const prepare = (db: Preparing) => ({
  origin: db.prepare<[], string>('SELECT origin FROM log').pluck(),
  setOrigin: db.prepare<[origin: string]>('INSERT INTO log VALUES (1, ?)'),
  newest: db.prepare<[], HeadRow>('SELECT * FROM heads ORDER BY size DESC LIMIT 1'),
  upTo: db.prepare<[size: number], HeadRow>(
    'SELECT * FROM heads WHERE size <= ? ORDER BY size DESC LIMIT 1',
  ),
  putHead: db.prepare<[size: number, note: string, edge: Uint8Array, time: number]>(
    'INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)',
  ),
  forgetHeads: db.prepare<[]>(
    `DELETE FROM heads WHERE size NOT IN (SELECT size FROM heads ORDER BY size DESC LIMIT ${keptHeads})`,
  ),
  reading: db.prepare<[], HeadRow>('SELECT target AS note, size, edge, time FROM reading'),
  putReading: db.prepare<[target: string, size: number, edge: Uint8Array, time: number]>(
    'INSERT OR REPLACE INTO reading VALUES (1, ?, ?, ?, ?)',
  ),
  endReading: db.prepare<[]>('DELETE FROM reading'),
  step: db.prepare<[stream: Uint8Array], StepRow>('SELECT * FROM steps WHERE stream = ?'),
  readingStep: db.prepare<[stream: Uint8Array], StepRow>(
    'SELECT * FROM reading_steps WHERE stream = ?',
  ),
  putStep: db.prepare<[stream: Uint8Array, seq: number, hash: Uint8Array, index: number]>(
    'INSERT OR REPLACE INTO reading_steps VALUES (?, ?, ?, ?)',
  ),
  takeSteps: db.prepare<[]>('INSERT OR REPLACE INTO steps SELECT * FROM reading_steps'),
  endSteps: db.prepare<[]>('DELETE FROM reading_steps'),
})

function toHead({ edge, note, size, time }: HeadRow): SeenHead {
  const hashes = Array.from({ length: edge.length / 32 }, (_, i) =>
    Uint8Array.from(edge.subarray(32 * i, 32 * (i + 1))),
  )
  const read = Frontier.from(size, hashes)
  if (read === undefined) throw new Failure('STORE_CORRUPT', `State has no edge at size ${size}`)
  return { edge: read, note, size, time }
}

const edgeBytes = ({ edge }: SeenHead): Uint8Array => concat(...edge.hashes())
/** Streams by half of a hash, for their names are longer. */
const keyOf = (stream: string): Uint8Array => sha256(utf8(stream)).subarray(0, 16)

/** The memory of a monitor. */
export class MonitorState {
  readonly #db: Database
  readonly #do: ReturnType<typeof prepare>

  private constructor(db: Database) {
    this.#db = db
    this.#do = prepare(db)
  }

  /**
   * Opens the state of a file, made when it is not there; for this process alone.
   * @throws {@link Failure} STORE_LOCKED, CONFIG_INVALID when the file is something else, STORE_*
   */
  static async open(path: string): Promise<MonitorState> {
    const sqlite = await loadSqlite()
    try {
      const db = new sqlite(path, { timeout: 0 })
      try {
        db.pragma('locking_mode = EXCLUSIVE')
        db.exec('BEGIN EXCLUSIVE')
        const id = db.pragma('application_id', { simple: true })
        const empty =
          db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0 && id === 0
        if (!empty && (id !== applicationId || db.pragma('user_version', { simple: true }) !== 1))
          throw new Failure('CONFIG_INVALID', `Not the state of a monitor: ${path}`)
        if (empty) {
          db.exec(schema)
          db.pragma(`application_id = ${applicationId}`)
          db.pragma('user_version = 1')
        }
        db.exec('COMMIT')
        db.pragma('synchronous = FULL')
        return new MonitorState(db)
      } catch (error) {
        db.close()
        throw error
      }
    } catch (error) {
      throw storeFailure(error, `Cannot open the state ${path}`)
    }
  }

  /** The log that this is the state of; it is set once. @throws {@link Failure} CONFIG_INVALID when it is another's */
  claim(origin: string): void {
    const known = this.#do.origin.get()
    if (known === undefined) this.#do.setOrigin.run(origin)
    else if (known !== origin)
      throw new Failure('CONFIG_INVALID', `State is of another log: ${known}`)
  }

  /** The log that this is the state of, once it is set. */
  get origin(): string | undefined {
    return this.#do.origin.get()
  }

  /** The newest head that was verified. */
  head(): SeenHead | undefined {
    const row = this.#do.newest.get()
    return row === undefined ? undefined : toHead(row)
  }

  /** The newest remembered head of at most a size. */
  headUpTo(size: number): SeenHead | undefined {
    const row = this.#do.upTo.get(size)
    return row === undefined ? undefined : toHead(row)
  }

  /** How far reading towards a head has come that was cut off; its note is the head's. */
  reading(): SeenHead | undefined {
    const row = this.#do.reading.get()
    return row === undefined ? undefined : toHead(row)
  }

  step(stream: string): SeenStep | undefined {
    const key = keyOf(stream)
    const row = this.#do.readingStep.get(key) ?? this.#do.step.get(key)
    return row === undefined
      ? undefined
      : { hash: Uint8Array.from(row.hash), index: row.idx, seq: row.seq }
  }

  /** Keeps how far reading has come. */
  read(progress: SeenHead, steps: ReadonlyMap<string, SeenStep>): void {
    this.#transaction(() => {
      const { note, size, time } = progress
      for (const [stream, { hash, index, seq }] of steps)
        this.#do.putStep.run(keyOf(stream), seq, hash, index)
      this.#do.putReading.run(note, size, edgeBytes(progress), time)
    })
  }

  /** What was read has proved true. */
  accept(head: SeenHead): void {
    this.#transaction(() => {
      const last = this.#do.newest.get()
      invariant(last === undefined || last.size <= head.size, 'Head would shrink')
      this.#do.takeSteps.run()
      this.#do.putHead.run(head.size, head.note, edgeBytes(head), head.time)
      this.#do.forgetHeads.run()
      this.#endReading()
    })
  }

  /** What was read has not proved true. */
  drop(): void {
    this.#transaction(() => {
      this.#endReading()
    })
  }

  close(): void {
    this.#db.close()
  }

  #endReading(): void {
    this.#do.endSteps.run()
    this.#do.endReading.run()
  }

  #transaction(work: () => void): void {
    try {
      this.#db.transaction(work)()
    } catch (error) {
      throw storeFailure(error, 'Cannot write the state')
    }
  }
}

import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import Database from 'better-sqlite3'
import { asFailure } from '../../src/base/failure.ts'
import { fsck } from '../../src/decisions/fsck.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { StoreReader } from '../../src/store/store.ts'
import type { RichInstallation } from './rich-installation.ts'

/** Bits of a file in an order that a seed decides. */
export function* bitsOf(bytes: number, seed: number): Generator<number> {
  let state = seed
  for (;;) {
    // Mulberry32: enough to scatter, and the same everywhere.
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    yield Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bytes * 8)
  }
}

/** What became of one flipped bit. */
export type Fate =
  /** fsck, or opening the database, said that something is wrong. */
  | 'named'
  /** Every table but the one-row `probe` says to the byte what it said before, and SQLite finds its indexes and pages in order. */
  | 'outside'
  /** Neither: a defect. */
  | 'missed'

/** A database file in which single bits are flipped and put back. */
export class FlippedDatabase {
  readonly #installation: RichInstallation
  readonly #path: string
  readonly #original: Uint8Array
  readonly #dump: string
  readonly #tables: readonly string[]

  constructor(installation: RichInstallation) {
    this.#installation = installation
    this.#path = join(installation.data, 'countersign.db')
    this.#original = new Uint8Array(readFileSync(this.#path))
    this.#tables = this.#tableQueries()
    this.#dump = this.#digest()
  }

  /** Length of the file in bytes. */
  get bytes(): number {
    return this.#original.length
  }

  /** Whether the byte of a bit is not zero. */
  isUsed(bit: number): boolean {
    return this.#original[bit >> 3] !== 0
  }

  /** Flips a bit, has fsck look, puts it back; gives what was said besides the fate. */
  async flip(bit: number): Promise<{ readonly fate: Fate; readonly said: string }> {
    const at = bit >> 3
    const byte = this.#original[at] ?? 0
    this.#put(at, byte ^ (1 << (bit & 7)))
    try {
      if (this.#isSame()) return { fate: 'outside', said: '' }
      // Most is found without the dear part.
      const said = (await this.check(false)) ?? (await this.check())
      const missed = said === undefined || said.startsWith('BUG')
      return { fate: missed ? 'missed' : 'named', said: said ?? '' }
    } finally {
      for (const ending of ['-wal', '-shm']) rmSync(`${this.#path}${ending}`, { force: true })
      this.#put(at, byte)
    }
  }

  /** The first thing that fsck finds wrong, or undefined. */
  async check(signatures = true): Promise<string | undefined> {
    let store: StoreReader | undefined
    try {
      store = await openSqliteStore({ mode: 'read', path: this.#installation.data })
      for (const tenant of this.#installation.tenants) {
        const { findings } = await fsck({
          pin: this.#installation.pins.get(tenant),
          progress: () => undefined,
          signatures,
          store,
          tenant,
          trustFile: undefined,
          unseal: (keys) => this.#installation.unseal(tenant, keys),
        })
        const [first] = findings
        if (first !== undefined) return `${first.part} ${String(first.index)}: ${first.what}`
      }
      return undefined
    } catch (error) {
      const { cause, code, message } = asFailure(error)
      return `${code}: ${message} ${code === 'BUG' ? String(cause) : ''}`
    } finally {
      await store?.close()
    }
  }

  #put(at: number, byte: number): void {
    const fd = openSync(this.#path, 'r+')
    writeSync(fd, Uint8Array.of(byte), 0, 1, at)
    closeSync(fd)
  }

  /** One query for each table, that gives every value with its type and its exact bytes. */
  #tableQueries(): string[] {
    const db = new Database(this.#path, { readonly: true })
    const names = db
      .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .pluck()
      .all()
      .filter((name) => name !== 'probe')
    const queries = [...names, 'sqlite_schema'].map((name) => {
      const columns = (db.pragma(`table_info(${name})`) as { name: string }[]).map(
        (column) => `typeof("${column.name}") || hex("${column.name}")`,
      )
      return `SELECT rowid, ${columns.join(', ')} FROM ${name} ORDER BY rowid`
    })
    db.close()
    return queries
  }

  #digest(): string {
    const hash = createHash('sha256')
    const db = new Database(this.#path, { readonly: true })
    try {
      for (const query of this.#tables)
        for (const row of db.prepare<[], unknown[]>(query).raw().iterate())
          hash.update(`${JSON.stringify(row)}\n`)
      hash.update(JSON.stringify(db.pragma('integrity_check')))
    } finally {
      db.close()
    }
    return hash.digest('hex')
  }

  #isSame(): boolean {
    try {
      return this.#digest() === this.#dump
    } catch {
      return false
    }
  }
}

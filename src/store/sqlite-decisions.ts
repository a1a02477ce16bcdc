import type { Database, Statement } from './sqlite-database.ts'
import { toListed } from './sqlite-rows.ts'
import type { ListedRow } from './sqlite-rows.ts'
import type { DecisionQuery, DecisionRow } from './store.ts'

/**
 * What an index holds instead of a text that may be erased: ten bits of its FNV-1a hash, from 128 to 1151, which SQLite keeps in two bytes.
 * Stored, so it never changes.
 */
export function hashFilter(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  return 128 + ((hash ^ (hash >>> 10) ^ (hash >>> 20)) & 0x3ff)
}

// The one that narrows most comes first: it names the index.
const columns = ['actor', 'action', 'status'] as const

type Asked = (typeof columns)[number]

/** Lists decisions, newest first. */
export class DecisionList {
  readonly #db: Database
  readonly #timeAt: Statement<[tenant: number, index: number], number>
  readonly #lists = new Map<string, Statement<(number | string)[], ListedRow>>()

  constructor(db: Database) {
    this.#db = db
    this.#timeAt = db
      .prepare<[number, number], number>('SELECT time FROM entries WHERE tenant = ? AND idx = ?')
      .pluck()
  }

  /** The decisions of a tenant whose log has `size` entries. */
  read(tenant: number, size: number, query: DecisionQuery): readonly DecisionRow[] {
    const asked = columns.flatMap((column) => {
      const value = query[column]
      return value === undefined ? [] : [{ column, value }]
    })
    const start = query.since === undefined ? 0 : this.#firstAt(tenant, size, query.since)
    const until = query.until === undefined ? size : this.#firstAt(tenant, size, query.until)
    const end = Math.min(until, query.before ?? size)
    const hashes = asked.map(({ value }) => hashFilter(value))
    const texts = asked.map(({ value }) => value)
    return this.#list(asked.map(({ column }) => column))
      .all(tenant, start, end, ...hashes, ...texts, Math.max(0, query.limit))
      .map(toListed)
  }

  /** The first index whose time is not before `time`: times never decrease with the index. */
  #firstAt(tenant: number, size: number, time: number): number {
    let low = 0
    let high = size
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if ((this.#timeAt.get(tenant, middle) ?? Infinity) < time) low = middle + 1
      else high = middle
    }
    return low
  }

  #list(asked: readonly Asked[]): Statement<(number | string)[], ListedRow> {
    const name = asked.join()
    const known = this.#lists.get(name)
    if (known) return known
    const made = this.#db.prepare<(number | string)[], ListedRow>(
      `SELECT stream, idx, time, erased, status, actor, action
       FROM entries INDEXED BY entries_${asked[0] ?? 'decision'}
       WHERE status_hash IS NOT NULL AND tenant = ? AND idx >= ? AND idx < ?
       ${asked.map((column) => `AND ${column}_hash = ?`).join(' ')} ${asked.map((column) => `AND ${column} = ?`).join(' ')}
       ORDER BY idx DESC LIMIT ?`,
    )
    this.#lists.set(name, made)
    return made
  }
}

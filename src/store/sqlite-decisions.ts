import type { Database, Statement } from './sqlite-database.ts'
import { toListed } from './sqlite-rows.ts'
import type { ListedRow } from './sqlite-rows.ts'
import type { DecisionQuery, DecisionRow } from './store.ts'

/**
 * What the index holds instead of a text that may be erased: ten bits of its FNV-1a hash, from 128 to 1151, which SQLite keeps in two bytes.
 * Stored, so it never changes.
 */
export function hashFilter(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  return 128 + ((hash ^ (hash >>> 10) ^ (hash >>> 20)) & 0x3ff)
}

/** How many indexes one step of a list passes over, about 5 ms. */
const stepEntries = 65_536

const columns = ['status', 'actor', 'action'] as const

/** The part of a list that one step finds, newest first. */
type Step = (start: number, end: number, limit: number) => readonly DecisionRow[]

/** A list that is being made: decisions of [start, end), from the end down. */
export interface DecisionScan {
  readonly start: number
  readonly end: number
  readonly step: Step
}

/** Lists decisions. */
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

  /** Where to look for the decisions of a tenant whose log has `size` entries, and how. */
  scan(tenant: number, size: number, query: DecisionQuery): DecisionScan {
    const asked = columns.filter((column) => query[column] !== undefined)
    const texts = asked.map((column) => query[column] ?? '')
    const wanted = [...texts.map(hashFilter), ...texts]
    const list = this.#list(asked)
    return {
      start: query.since === undefined ? 0 : this.#firstAt(tenant, size, query.since),
      end: Math.min(
        query.until === undefined ? size : this.#firstAt(tenant, size, query.until),
        query.before ?? size,
      ),
      step: (start, end, limit) => list.all(tenant, start, end, ...wanted, limit).map(toListed),
    }
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

  #list(asked: readonly string[]): Statement<(number | string)[], ListedRow> {
    const name = asked.join()
    const known = this.#lists.get(name)
    if (known) return known
    const conditions = [
      ...asked.map((column) => `AND ${column}_hash = ?`),
      ...asked.map((column) => `AND ${column} = ?`),
    ]
    const made = this.#db.prepare<(number | string)[], ListedRow>(
      `SELECT stream, idx, time, erased, status, actor, action
       FROM entries INDEXED BY entries_decision
       WHERE status_hash IS NOT NULL AND tenant = ? AND idx >= ? AND idx < ? ${conditions.join(' ')}
       ORDER BY idx DESC LIMIT ?`,
    )
    this.#lists.set(name, made)
    return made
  }
}

/**
 * Runs a scan step by step and gives way to everything else that waits in this thread between two of them, so that a rare actor among millions
 * of decisions holds up nobody.
 */
export async function collect(
  { start, end, step }: DecisionScan,
  limit: number,
  run: <T>(work: () => T) => Promise<T>,
): Promise<readonly DecisionRow[]> {
  const found: DecisionRow[] = []
  for (let high = end; high > start && found.length < limit; high -= stepEntries) {
    if (high !== end) await new Promise(setImmediate)
    const low = Math.max(start, high - stepEntries)
    found.push(...(await run(() => step(low, high, limit - found.length))))
  }
  return found
}

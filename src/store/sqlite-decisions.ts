import type { Database, Statement } from './sqlite-database.ts'
import { toListed } from './sqlite-rows.ts'
import type { ListedRow } from './sqlite-rows.ts'
import type { DecisionQuery, DecisionRow, StandingWay } from './store.ts'

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

/** How many indexes one step of a list passes over. */
const stepEntries = 16_384
/** How many rows it reads: each may lie on a page of its own, and who knows the hash makes names that all have the same. */
export const stepRows = 256

const columns = ['status', 'actor', 'action'] as const

/** A decision without how it stands with it. */
type Listed = Omit<DecisionRow, 'standings'>

/** The part of a list that one step makes, newest first, and the index down to which it came. */
interface Part {
  readonly rows: readonly Listed[]
  readonly low: number
}

type Step = (start: number, end: number, limit: number) => Part

/** What stands in the place of the names of a statement. */
type Values = Readonly<Record<string, number | string>>

/** Standings of the decisions that a step passes over: those of all decisions would be read again in every step. */
const ofStep =
  'SELECT s.idx FROM standings s WHERE s.tenant = @tenant AND s.idx >= @start AND s.idx < @end'

/** Decisions that are something else than they were made as, by the step that was last. */
const forced = (more = ''): string =>
  `${ofStep} AND s.status IS NOT NULL ${more} AND s.step =
     (SELECT max(x.step) FROM standings x WHERE x.tenant = s.tenant AND x.idx = s.idx AND x.status IS NOT NULL)`

/** The state in which one ends up whose time has passed. */
const lapsed: Readonly<Record<StandingWay, string>> = {
  escalation: 'timed-out',
  override: 'expired',
}

function standingCondition({ state, way }: NonNullable<DecisionQuery['standing']>): string {
  if (state === 'any') return 'TRUE'
  if (state === 'open') return 's.until >= @now'
  if (state === lapsed[way]) return '(s.state = @state OR s.until < @now)'
  return 's.state = @state AND (s.until IS NULL OR s.until >= @now)'
}

/** What is asked of decisions besides what they were made as. */
function conditionsOf({ by, inForce, standing }: DecisionQuery): readonly string[] {
  const asked: string[] = []
  // The unary plus keeps a condition from choosing the index: a list goes over all decisions anyhow.
  if (inForce !== undefined)
    asked.push(`AND ((status_hash = @inForceHash AND status = @inForce AND +idx NOT IN (${forced()}))
       OR +idx IN (${forced('AND s.status = @inForce')}))`)
  if (by === 'decision') asked.push(`AND +idx NOT IN (${forced()})`)
  else if (by !== undefined) asked.push(`AND idx IN (${forced('AND s.way = @by')})`)
  if (standing !== undefined)
    asked.push(`AND idx IN (${ofStep} AND s.way = @way AND ${standingCondition(standing)})`)
  return asked
}

/** What the names in statements stand for, but the bounds of a step. */
function valuesOf(tenant: number, query: DecisionQuery): Values {
  const { action, actor, by, inForce, now = 0, standing, status } = query
  const texts = { action, actor, inForce, status }
  const hashes = Object.entries(texts).map(([name, text = '']) => [`${name}Hash`, hashFilter(text)])
  return {
    ...(Object.fromEntries(hashes) as Values),
    by: by ?? '',
    inForce: inForce ?? '',
    now,
    state: standing?.state ?? '',
    tenant,
    way: standing?.way ?? '',
  }
}

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
  readonly #lists = new Map<string, Statement<[Values], ListedRow>>()

  constructor(db: Database) {
    this.#db = db
    this.#timeAt = db
      .prepare<[number, number], number>('SELECT time FROM entries WHERE tenant = ? AND idx = ?')
      .pluck()
  }

  /** Where to look for the decisions of a tenant whose log has `size` entries, and how. */
  scan(tenant: number, size: number, query: DecisionQuery): DecisionScan {
    const asked = columns.filter((column) => query[column] !== undefined)
    const values = valuesOf(tenant, query)
    const isAsked = (row: ListedRow): boolean =>
      asked.every((column) => row[column] === query[column])
    const list = this.#list(
      [
        ...asked.map((column) => `AND ${column}_hash = @${column}Hash`),
        ...conditionsOf(query),
      ].join(' '),
    )
    return {
      start: query.since === undefined ? 0 : this.#firstAt(tenant, size, query.since),
      end: Math.min(
        query.until === undefined ? size : this.#firstAt(tenant, size, query.until),
        query.before ?? size,
      ),
      step: (start, end, limit) => {
        const rows: Listed[] = []
        let read = 0
        for (const row of list.iterate({ ...values, end, start })) {
          if (isAsked(row)) rows.push(toListed(row))
          if (++read === stepRows || rows.length === limit) return { rows, low: row.idx }
        }
        return { rows, low: start }
      },
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

  #list(conditions: string): Statement<[Values], ListedRow> {
    const known = this.#lists.get(conditions)
    if (known) return known
    const made = this.#db.prepare<[Values], ListedRow>(
      `SELECT stream, idx, time, erased, status, actor, action
       FROM entries INDEXED BY entries_decision
       WHERE status_hash IS NOT NULL AND tenant = @tenant AND idx >= @start AND idx < @end ${conditions}
       ORDER BY idx DESC`,
    )
    this.#lists.set(conditions, made)
    return made
  }
}

/**
 * Gives turns in the order in which they are asked for, one each time that everything else was done that waited in this thread: of a thousand lists
 * that are made at a time, one makes one step.
 */
export function takeTurns(): () => Promise<void> {
  let last = Promise.resolve()
  return () => (last = last.then(() => new Promise(setImmediate)))
}

/** Runs a scan step by step, each in its turn, so that a rare actor among millions of decisions holds up nobody. */
export async function collect(
  { start, end, step }: DecisionScan,
  limit: number,
  nextTurn: () => Promise<void>,
  run: <T>(work: () => T) => Promise<T>,
): Promise<readonly Listed[]> {
  const found: Listed[] = []
  for (let high = end; high > start && found.length < limit;) {
    await nextTurn()
    const from = high
    const { low, rows } = await run(() =>
      step(Math.max(start, from - stepEntries), from, limit - found.length),
    )
    found.push(...rows)
    high = low
  }
  return found
}

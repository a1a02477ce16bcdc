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
const stepEntries = 65_536
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

/** A condition on decisions, and the values of its question marks. */
interface Condition {
  readonly sql: string
  readonly values: readonly (number | string)[]
}

/** Decisions that are something else than they were made as, by the step that was last. */
const forced = (more: string): string =>
  `SELECT s.idx FROM standings s WHERE s.tenant = ? AND s.status IS NOT NULL ${more} AND s.step =
     (SELECT max(x.step) FROM standings x WHERE x.tenant = s.tenant AND x.idx = s.idx AND x.status IS NOT NULL)`

// The unary plus keeps a condition from choosing the index: a list goes over all decisions anyhow.
function inForceCondition(tenant: number, status: string): Condition {
  return {
    sql: `AND ((status_hash = ? AND status = ? AND +idx NOT IN (${forced('')})) OR +idx IN (${forced('AND s.status = ?')}))`,
    values: [hashFilter(status), status, tenant, tenant, status],
  }
}

function byCondition(tenant: number, by: NonNullable<DecisionQuery['by']>): Condition {
  return by === 'decision'
    ? { sql: `AND +idx NOT IN (${forced('')})`, values: [tenant] }
    : { sql: `AND idx IN (${forced('AND s.way = ?')})`, values: [tenant, by] }
}

/** The state in which one ends up whose time has passed. */
const lapsed: Readonly<Record<StandingWay, string>> = {
  escalation: 'timed-out',
  override: 'expired',
}

function standingCondition(
  tenant: number,
  { state, way }: NonNullable<DecisionQuery['standing']>,
  now: number,
): Condition {
  const of = (more: string, ...values: readonly (number | string)[]): Condition => ({
    sql: `AND idx IN (SELECT s.idx FROM standings s WHERE s.tenant = ? AND s.way = ? AND ${more})`,
    values: [tenant, way, ...values],
  })
  if (state === 'any') return of('TRUE')
  if (state === 'open') return of('s.until >= ?', now)
  if (state === lapsed[way]) return of('(s.state = ? OR s.until < ?)', state, now)
  return of('s.state = ? AND (s.until IS NULL OR s.until >= ?)', state, now)
}

/** What is asked of decisions besides what they were made as. */
function conditionsOf(
  tenant: number,
  { by, inForce, now = 0, standing }: DecisionQuery,
): readonly Condition[] {
  return [
    ...(inForce === undefined ? [] : [inForceCondition(tenant, inForce)]),
    ...(by === undefined ? [] : [byCondition(tenant, by)]),
    ...(standing === undefined ? [] : [standingCondition(tenant, standing, now)]),
  ]
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
    const conditions = conditionsOf(tenant, query)
    const wanted = [...texts.map(hashFilter), ...conditions.flatMap(({ values }) => values)]
    const isAsked = (row: ListedRow): boolean =>
      asked.every((column) => row[column] === query[column])
    const list = this.#list(asked, conditions.map(({ sql }) => sql).join(' '))
    return {
      start: query.since === undefined ? 0 : this.#firstAt(tenant, size, query.since),
      end: Math.min(
        query.until === undefined ? size : this.#firstAt(tenant, size, query.until),
        query.before ?? size,
      ),
      step: (start, end, limit) => {
        const rows: Listed[] = []
        let read = 0
        for (const row of list.iterate(tenant, start, end, ...wanted)) {
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

  #list(asked: readonly string[], more: string): Statement<(number | string)[], ListedRow> {
    const name = `${asked.join()} ${more}`
    const known = this.#lists.get(name)
    if (known) return known
    const conditions = asked.map((column) => `AND ${column}_hash = ?`)
    const made = this.#db.prepare<(number | string)[], ListedRow>(
      `SELECT stream, idx, time, erased, status, actor, action
       FROM entries INDEXED BY entries_decision
       WHERE status_hash IS NOT NULL AND tenant = ? AND idx >= ? AND idx < ? ${conditions.join(' ')} ${more}
       ORDER BY idx DESC`,
    )
    this.#lists.set(name, made)
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

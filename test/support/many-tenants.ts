import Database from 'better-sqlite3'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeBase64 } from '../../src/base/base64.ts'
import { canonicalize } from '../../src/base/canonical-json.ts'
import type { KekProvider } from '../../src/kek/kek.ts'
import { PinFile, type Pin } from '../../src/log/pin.ts'

const tables = [
  'entries',
  'tiles',
  'last_checkpoints',
  'kept_checkpoints',
  'slots',
  'keys',
  'trust_roots',
]

/**
 * Lays more tenants beside one that is founded, row by row as that one is: as large as any, and pinned. None of them could be opened, for keys and
 * entries name the other: so nothing can have opened them unnoticed.
 */
export async function layCopies(
  directory: string,
  original: string,
  names: readonly string[],
): Promise<void> {
  const db = new Database(join(directory, 'data', 'countersign.db'))
  const id = db.prepare('SELECT id FROM tenants WHERE name = ?').pluck().get(original)
  const lay = db.prepare<[name: string, origin: string, id: unknown]>(
    'INSERT INTO tenants SELECT NULL, ?, ?, profile, public, created_at, size, root, time, manifest FROM tenants WHERE id = ?',
  )
  const fill = tables.map((table) => {
    const columns = db
      .prepare<[], { name: string }>(`PRAGMA table_info(${table})`)
      .all()
      .map(({ name }) => name)
    // The number of a row of `entries` is SQLite's own.
    const values = columns.map((name, i) =>
      name === 'tenant' ? '?' : table === 'entries' && i === 0 ? 'NULL' : name,
    )
    return db.prepare<[copy: number | bigint, id: unknown]>(
      `INSERT INTO ${table} SELECT ${values.join()} FROM ${table} WHERE tenant = ?`,
    )
  })
  db.transaction(() => {
    for (const name of names) {
      const { lastInsertRowid } = lay.run(name, `log.example/${name}`, id)
      for (const statement of fill) statement.run(lastInsertRowid, id)
    }
  })()
  db.close()
  const keys = join(directory, 'keys')
  const pin = new PinFile(join(keys, `${original}.pin`))
  const pinned = await pin.read()
  await pin.close()
  if (pinned === undefined) throw new Error(`Tenant has no pin: ${original}`)
  for (const name of names)
    writeFileSync(
      join(keys, `${name}.pin`),
      formatPin({ ...pinned, origin: `log.example/${name}` }),
    )
}

/** A pin file of one slot, written without the syncs that a thousand of them would wait for. */
function formatPin({ epoch, origin, root, size }: Pin): Uint8Array {
  const text = canonicalize({ count: 1, epoch, origin, root: encodeBase64(root), size })
  const file = Buffer.alloc(4096)
  file.write(`${text}\n${createHash('sha256').update(text).digest('hex')}\n`)
  return file
}

/** A provider that counts how often it is asked to unwrap. */
export function countUnwraps(provider: KekProvider): {
  readonly provider: KekProvider
  readonly unwraps: () => number
} {
  let count = 0
  return {
    provider: {
      metadata: provider.metadata,
      wrap: (dataKey, context) => provider.wrap(dataKey, context),
      unwrap: (wrapped, context) => {
        count++
        return provider.unwrap(wrapped, context)
      },
      probe: () => provider.probe(),
      close: () => provider.close(),
    },
    unwraps: () => count,
  }
}

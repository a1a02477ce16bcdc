import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { storeContract } from './store-suite.ts'

storeContract('SQLite', async () => {
  const path = mkdtempSync(join(tmpdir(), 'countersign-store-'))
  const openWriter = () => openSqliteStore({ path, mode: 'write', create: true })
  let writer = await openWriter()
  return {
    store: writer,
    reopen: async () => {
      await writer.close()
      writer = await openWriter()
      return writer
    },
    openSecond: openWriter,
    openReader: () => openSqliteStore({ path, mode: 'read' }),
    dispose: async () => {
      await writer.close()
      rmSync(path, { recursive: true })
    },
  }
})

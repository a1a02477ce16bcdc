// Loaded before a program by `--import`, in each of its threads, it has SQLite opened with other settings than the product's, which has no setting for
// them. The query of its URL says which: `?synchronous=0&wal_autocheckpoint=40`.
import { registerHooks } from 'node:module'

const changes = [...new URL(import.meta.url).searchParams]

function changed(source: string): string {
  let text = source
  for (const [name, value] of changes) {
    const before = text
    text = text.replace(new RegExp(`^(  ${name}: )\\d+,$`, 'm'), `$1${value},`)
    if (text === before) throw new Error(`No such setting to change: ${name}`)
  }
  return text
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (!url.endsWith('/src/store/sqlite-pragmas.ts')) return loaded
    const { source } = loaded
    const text = typeof source === 'string' ? source : new TextDecoder().decode(source)
    return { ...loaded, source: changed(text) }
  },
})

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

// The table of the house: a folder imports only from a lower rank, or from itself.
const ranks: Readonly<Record<string, number>> = {
  base: 0,
  crypto: 1,
  policy: 2,
  dossier: 2,
  merkle: 2,
  kek: 3,
  store: 3,
  verify: 3,
  wire: 3,
  keyring: 4,
  log: 4,
  decisions: 5,
  overrides: 5,
  sdk: 5,
  // The faces of AEGIS on our own pieces: a pure library that no other room uses.
  aegis: 5,
  api: 6,
  cli: 6,
  console: 6,
  '': 7,
}
const runsAnywhere = new Set([
  'base',
  'crypto',
  'policy',
  'dossier',
  'merkle',
  'verify',
  'wire',
  'sdk',
  'aegis',
  'console',
])
const noAdapters = new Set(['verify', 'wire', 'sdk', 'aegis', 'console'])

const root = resolve(import.meta.dirname, '..', 'src')

interface Import {
  file: string
  folder: string
  specifier: string
  typeOnly: boolean
}

const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
)

const folderOf = (path: string): string => (path.includes('/') ? (path.split('/')[0] ?? '') : '')

const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(root, file), 'utf8')
  const found = text.matchAll(
    /(?:^|\n)\s*(import|export)(\s+type)?\b[^'"`;]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|(?:^|\n)import\s+'([^']+)'/g,
  )
  return [...found].map((m) => ({
    file,
    folder: folderOf(file),
    specifier: m[3] ?? m[4] ?? m[5] ?? '',
    typeOnly: m[2] !== undefined,
  }))
})

describe('the layers', () => {
  it('has found the house at all', () => {
    expect(files.length).toBeGreaterThan(5)
    expect(imports.length).toBeGreaterThan(5)
  })

  it('knows every folder', () => {
    const folders = new Set(files.map(folderOf))
    expect([...folders].filter((folder) => !(folder in ranks))).toEqual([])
  })

  it('imports only from a lower rank', () => {
    const wrong = imports
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map((found) => ({
        ...found,
        target: folderOf(relative(root, resolve(root, dirname(found.file), found.specifier))),
      }))
      .filter(({ folder, target }) => folder !== target)
      .filter(({ folder, target }) => (ranks[target] ?? 99) >= (ranks[folder] ?? -1))
    expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([])
  })

  it('keeps node: out of the rooms that run anywhere', () => {
    const wrong = imports.filter(
      ({ folder, specifier, typeOnly }) =>
        runsAnywhere.has(folder) && specifier.startsWith('node:') && !typeOnly,
    )
    expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([])
  })

  it('links no key provider and no database to a verifier', () => {
    const wrong = imports.filter(
      ({ folder, specifier }) =>
        noAdapters.has(folder) && /\/(kek|store|keyring|log)\//.test(specifier),
    )
    expect(wrong.map(({ file }) => file)).toEqual([])
  })
})

import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, it } from 'vitest'

const folder = resolve(
  import.meta.dirname,
  '../..',
  process.env['COUNTERSIGN_VECTORS'] ?? '../shared/vectors',
)

const present = existsSync(folder)

/** The text of one vector file. */
export const readVectorText = (name: string): string => readFileSync(resolve(folder, name), 'utf8')

/** The parsed JSON of one vector file; the caller says its shape. */
export const readVectors = (name: string): unknown => JSON.parse(readVectorText(name))

/**
 * A suite that needs the vector folder. Without the folder it names itself skipped; in CI, which always has the folder, it fails instead.
 */
export function describeVectors(title: string, suite: () => void): void {
  if (!present && process.env['CI'] === 'true') throw new Error(`Vectors are missing: ${folder}`)
  if (present) describe(title, suite)
  // The suite itself is not entered: collecting its cases would read the files.
  else
    describe.skip(`${title} (vectors absent: set COUNTERSIGN_VECTORS)`, () => {
      it('waits for the vectors', suite)
    })
}

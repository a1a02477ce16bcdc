import type { Leaf } from '../dossier/leaf.ts'
import type { Verdict } from './report.ts'

/** Somebody who looks on while a period is verified. What he was shown counts only when the report says that it is whole. */
export interface PeriodWatch {
  /**
   * Sees a dossier of the file.
   * @param line of the file, from 1
   */
  dossier(file: Uint8Array, line: number, verdict: Verdict): void
  /**
   * Sees a leaf, of those that can be read, by rising index.
   * @param leafHash 32 bytes
   */
  leaf(leaf: Leaf, leafHash: Uint8Array, index: number): void
}

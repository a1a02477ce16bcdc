// Whether a dossier holds all of its stream: a proof of inclusion cannot show that nothing else is there, but the leaves of the whole log can.
import { encodeHex, equalBytes } from '../base/bytes.ts'
import { parseLeaf } from '../dossier/leaf.ts'
import type { Checkpoint } from '../merkle/checkpoint.ts'
import { Frontier } from '../merkle/frontier.ts'
import { leafHash } from '../merkle/hash.ts'
import type { Checks, Report } from './report.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** Reads every leaf of the log, holds them against the checkpoint, and looks for leaves of the stream that the dossier does not have. */
export function judgeCompleteness(
  checks: Checks,
  leaves: Iterable<Uint8Array>,
  stream: string,
  entries: readonly JudgedEntry[],
  { root, size }: Checkpoint,
): Report['complete'] {
  const known = new Map(entries.map(({ leafHash, index }) => [leafHash, index]))
  const frontier = Frontier.empty()
  let count = 0
  let missing: number | undefined
  let unread: number | undefined
  for (const bytes of leaves) {
    if (count === size) break
    const hash = leafHash(bytes)
    const leaf = parseLeaf(bytes)
    if (typeof leaf === 'string') unread ??= count
    // By index, for the same leaf a second time is a second entry.
    else if (leaf.stream === stream && known.get(encodeHex(hash)) !== count) missing ??= count
    frontier.append(hash)
    count++
  }
  const whole = checks.expect(
    'complete.log',
    count === size && equalBytes(frontier.root(), root),
    `${size} leaves give the root of the checkpoint`,
    `The leaves given are not those of the checkpoint: ${count} of ${size}`,
  )
  const none = checks.expect(
    'complete.stream',
    missing === undefined,
    'No further entry of this stream',
    `An entry of this stream is not in the dossier: index ${missing ?? 0}`,
  )
  if (unread !== undefined)
    checks.add(
      'complete.leaves',
      'inconclusive',
      `A leaf cannot be read, so it may be of any stream: index ${unread}`,
    )
  return whole && none && unread === undefined ? `as of size ${size}` : 'no'
}

// Period files of the logs in memory, and what an attacker makes of them.
import { createHash } from 'node:crypto'
import { fromUtf8, utf8 } from '../../src/base/bytes.ts'
import {
  formatLaterCheckpoint,
  formatPeriodEnd,
  formatPeriodHead,
  type LaterCheckpoint,
  type PeriodHead,
} from '../../src/dossier/period.ts'
import { formatDossier } from '../../src/dossier/v1.ts'
import { kindsOfStream } from '../../src/dossier/kinds.ts'
import { Frontier } from '../../src/merkle/frontier.ts'
import { consistencyProof } from '../../src/merkle/proof.ts'
import type { ForgedLog } from './forge.ts'
import { dossierOf, noteOf, type DossierDraft, type Witness } from './forge-dossier.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** A dossier, or a newer checkpoint, before it is a line. */
export type PeriodItem = DossierDraft | LaterCheckpoint

/** A period that is being edited. */
export interface PeriodDraft {
  head: Omit<Mutable<PeriodHead>, 'from'> & { from: Mutable<PeriodHead['from']> }
  items: PeriodItem[]
  leaves: Uint8Array[]
}

/** What period to make of a log. */
export interface PeriodWish {
  readonly from?: number
  readonly to?: number
  readonly statuses?: PeriodHead['statuses']
  readonly witnesses?: readonly Witness[]
  /** Whether the checkpoint of the first end was kept. */
  readonly kept?: boolean
}

const statusOf = (log: ForgedLog, stream: string): unknown => {
  const first = log.sealed.find(({ step }) => step.stream === stream)?.step
  return first?.erased === true ? undefined : first?.matter['status']
}

/** The streams of decisions in the order in which they first appear in a part of a log. */
function streamsOf(log: ForgedLog, from: number, to: number, wanted: PeriodHead['statuses']) {
  const streams = log.sealed.slice(from, to).map(({ step }) => step.stream)
  return [...new Set(streams)].filter((stream) => {
    const status = statusOf(log, stream)
    return (
      kindsOfStream(stream).includes('decision') &&
      (wanted === null || status === undefined || (wanted as readonly unknown[]).includes(status))
    )
  })
}

/** A period of a log as the log would hand it out. */
export function periodOf(log: ForgedLog, wish: PeriodWish = {}): PeriodDraft {
  const { from = 0, kept = false, statuses = null, to = log.size, witnesses = [] } = wish
  const { instance, origin, tenant } = log.identity
  const note = noteOf(log, witnesses, to)
  const tree = log.tree(to)
  return {
    head: {
      consistency: from === 0 ? [] : consistencyProof(from, to, tree.node),
      from: {
        checkpoint: kept ? noteOf(log, witnesses, from) : null,
        frontier: Frontier.read(from, tree.node).hashes(),
        size: from,
      },
      instance,
      origin,
      statuses,
      tenant,
      to: note,
    },
    items: streamsOf(log, from, to, statuses).map((stream) => dossierOf({ log, note }, stream, to)),
    leaves: log.leaves(to).slice(from),
  }
}

/** The lines of a period without its end. */
export const linesOf = ({ head, items, leaves }: PeriodDraft): string[] => [
  fromUtf8(formatPeriodHead(head)),
  ...items.map((item) =>
    fromUtf8('later' in item ? formatLaterCheckpoint(item) : formatDossier(item)),
  ),
  ...leaves.map(fromUtf8),
]

/** A file of lines, with the end that belongs to them. */
export function sealPeriod(
  lines: readonly string[],
  end: Partial<{ dossiers: number; leaves: number; sha256: string }> = {},
): Uint8Array {
  const before = utf8(lines.map((line) => `${line}\n`).join(''))
  const count = (opening: string): number =>
    lines.slice(1).filter((line) => line.startsWith(opening)).length
  const last = formatPeriodEnd({
    dossiers: count('{"checkpoint":'),
    leaves: count('{"keyid":'),
    sha256: createHash('sha256').update(before).digest('hex'),
    ...end,
  })
  return Buffer.concat([before, last, utf8('\n')])
}

/** The bytes of a period file, edited before it is sealed. */
export function forgePeriod(
  log: ForgedLog,
  wish: PeriodWish = {},
  change: (draft: PeriodDraft) => void = () => undefined,
): Uint8Array {
  const draft = periodOf(log, wish)
  change(draft)
  return sealPeriod(linesOf(draft))
}

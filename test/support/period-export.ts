import { createHash } from 'node:crypto'
import { utf8 } from '../../src/base/bytes.ts'
import { exportPeriod } from '../../src/decisions/period-export.ts'
import { planPeriod, type PeriodRequest } from '../../src/decisions/period-plan.ts'
import { periodStart, type PeriodRow, type PeriodState } from '../../src/decisions/period-state.ts'
import { formatPeriodEnd, formatPeriodHead, type PeriodHead } from '../../src/dossier/period.ts'
import type { StoreReader } from '../../src/store/store.ts'

/** An export as it would lie on a disk. */
export interface Exported {
  readonly head: PeriodHead
  readonly file: Uint8Array
  readonly rows: readonly PeriodRow[]
  readonly state: PeriodState
  readonly steps: number
}

/** Exports a period into memory; where `cut` says so, after a step all is forgotten but its state as JSON. */
export async function exported(
  store: StoreReader,
  request: PeriodRequest,
  cut: (step: number) => boolean = () => false,
  meanwhile: (step: number) => Promise<void> = () => Promise.resolve(),
): Promise<Exported> {
  const head = await planPeriod(store, 'default', request)
  const lines: Uint8Array[] = [formatPeriodHead(head)]
  const rows: PeriodRow[] = []
  let state = periodStart(head)
  let steps = 0
  while (state.section !== 'done')
    for await (const step of exportPeriod(store, head, state)) {
      lines.push(...step.lines)
      rows.push(...step.rows)
      state = JSON.parse(JSON.stringify(step.state)) as PeriodState
      steps++
      await meanwhile(steps)
      if (cut(steps)) break
    }
  const before = Buffer.concat(lines.flatMap((line) => [line, utf8('\n')]))
  const end = formatPeriodEnd({
    dossiers: state.tally.dossiers,
    leaves: state.next - head.from.size,
    sha256: createHash('sha256').update(before).digest('hex'),
  })
  return { file: Buffer.concat([before, end, utf8('\n')]), head, rows, state, steps }
}

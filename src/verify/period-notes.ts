import type { TrustRoot } from '../dossier/trust-root.ts'
import type { PeriodDossiers } from './period-dossiers.ts'
import type { PeriodGround } from './period-ground.ts'
import type { PeriodLeaves } from './period-leaves.ts'
import { noteOnTimes } from './verify-checkpoint.ts'

interface Known {
  readonly ground: PeriodGround
  readonly dossiers: PeriodDossiers
  readonly leaves: PeriodLeaves
}

/** What a report on a period does not say, and by whose word the rest stands. */
export function notesOf(trustRoot: TrustRoot | undefined, known: Known | undefined): string[] {
  const notes: string[] = []
  if (trustRoot?.dev === true)
    notes.push('Development installation: its keys protect nothing, this proves nothing to others')
  if (known === undefined) return notes
  const { dossiers, ground, leaves } = known
  const { anchor, head, section, to } = ground
  const { size } = to.checkpoint
  if (to.witnesses === 0)
    notes.push('No witness has cosigned: the operator could show others another log')
  notes.push(noteOnTimes(to))
  if (anchor === 'to')
    notes.push(
      `That the log had the size ${head.from.size} with this root rests on the checkpoint of size ${size} alone`,
    )
  if (head.from.size > 0 && dossiers.count > 0)
    notes.push(
      `Of entries before index ${head.from.size} a dossier shows its own chain without a gap; that no second chain stands beside it there is not shown`,
    )
  if (head.statuses !== null)
    notes.push(
      `Selection by status is the exporter’s word: that no further decision is ${head.statuses.join(' or ')} is not shown`,
    )
  if (dossiers.submitted)
    notes.push('Statuses of some decisions were submitted, not evaluated by Countersign')
  if (dossiers.evaluated)
    notes.push('Whether statuses follow from the policies cited is for reevaluate to say')
  if (leaves.hasBare)
    notes.push(
      'Of entries that stand in no dossier here only place, kind, stream and time were read: neither who signed them nor what they say',
    )
  if (Math.max(dossiers.newest, size - 1) >= section.asOf.size)
    notes.push(`Trust root knows of revocations and rosters up to size ${section.asOf.size} only`)
  return notes
}

// A proposal as its stream tells it, read back from the log and judged by the rules of verifiers.
import { encodeBase64 } from '../base/base64.ts'
import { Failure } from '../base/failure.ts'
import { isUuid } from '../base/uuid.ts'
import { proposalStreamOf } from '../dossier/kinds.ts'
import type { Roster } from '../dossier/roster.ts'
import type { StoredEntry } from '../store/store.ts'
import { tellProposal, type ProposalOpened } from '../verify/judge-proposal.ts'
import type { ProposalStory } from '../verify/proposal-story.ts'
import { readCheckedStream } from './checked.ts'
import { judgedOf } from './override-reading.ts'
import { placeOf, readRosterStory, type ReadableLog } from './roster-story.ts'

/** How it stands with a proposal. */
export interface StandingProposal {
  readonly id: string
  readonly stream: string
  readonly entries: readonly StoredEntry[]
  readonly opening: ProposalOpened
  readonly story: ProposalStory
  /** The roster that counts now; undefined while there is none. */
  readonly roster: Roster | undefined
}

/** Reads a proposal. @throws {@link Failure} INPUT_NOT_FOUND, STORE_CORRUPT */
export async function readStandingProposal(
  room: ReadableLog,
  id: string,
): Promise<StandingProposal> {
  const { log, store, tenant } = room
  const stream = proposalStreamOf(id)
  const entries = isUuid(id) ? await readCheckedStream(store, tenant.name, stream, log.head) : []
  if (entries.length === 0) throw new Failure('INPUT_NOT_FOUND', `No such proposal: ${id}`)
  const { versions } = await readRosterStory(room)
  const { root, size } = log.head
  const ground = {
    ...placeOf(room),
    asOf: { root: encodeBase64(root), size },
    rosters: [...versions],
  }
  const { opening, stop, story } = tellProposal(ground, stream, entries.map(judgedOf))
  if (stop !== undefined || story === undefined || opening === undefined)
    throw new Failure('STORE_CORRUPT', `Proposal may not have come to this: ${id}`)
  return { entries, id, opening, roster: versions.at(-1)?.roster, story, stream }
}

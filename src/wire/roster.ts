// What is asked and told of rosters: one shape for the HTTP edge, the command line and the service behind both.
import { z } from 'zod'
import { endorsementSchema, mostEndorsements, rosterSchema } from '../dossier/roster.ts'

/** A version of the roster that is to count, with the signatures of its text. */
export const rosterProposalSchema = z
  .strictObject({
    roster: rosterSchema,
    endorsements: z.array(endorsementSchema).min(1).max(mostEndorsements),
  })
  .meta({ id: 'RosterProposal' })

/** A version of the roster that is to count, with the signatures of its text. */
export type RosterProposal = z.infer<typeof rosterProposalSchema>

/** The roster that counts. */
export const rosterViewSchema = z
  .strictObject({
    instance: z.string(),
    tenant: z.string(),
    origin: z.string(),
    /** Null while there is none. */
    current: z
      .strictObject({
        sha256: z.string(),
        /** Leaf index from which it counts. */
        from: z.int(),
        time: z.int(),
        roster: rosterSchema,
      })
      .nullable(),
    /** Versions for which recovery keys have asked, and when they may come, ms since 1970. */
    asked: z.array(z.strictObject({ sha256: z.string(), countsFrom: z.int() })),
  })
  .meta({ id: 'RosterView' })

/** The roster that counts. */
export type RosterView = z.infer<typeof rosterViewSchema>

/** What became of a proposal. */
export const rosterAppliedSchema = z
  .strictObject({
    /** `recovery`: it is asked for, and may come when the delay has passed. */
    event: z.enum(['version', 'recovery']),
    version: z.int(),
    sha256: z.string(),
    index: z.int(),
    /** From when on it may count, ms since 1970. */
    countsFrom: z.int(),
  })
  .meta({ id: 'RosterApplied' })

/** What became of a proposal. */
export type RosterApplied = z.infer<typeof rosterAppliedSchema>

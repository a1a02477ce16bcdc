// What an entry that carries out something guarded says of who allowed it.
import { z } from 'zod'
import { isActionStream } from './kinds.ts'

/** Why nobody had to sign. */
const waivers = Object.freeze([
  /** There is no roster yet, whose leads could sign. */
  'no roster',
  /** The log is not under dual control. */
  'not controlled',
  /** The passphrase in the safe was used, or made: what must not wait. */
  'break-glass',
  /** The same providers open as before. */
  'rewrap',
] as const)

/** By what right an entry does what it says: an action that two leads have signed, or why none was needed. */
export const controlSchema = z.union([
  z.strictObject({
    /** Stream of the action. */
    action: z.string().refine(isActionStream, 'Stream of an action expected'),
    /** Hex SHA-256 of the text that was signed. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  z.strictObject({ waived: z.enum(waivers) }),
])

/** By what right an entry does what it says. */
export type Control = z.infer<typeof controlSchema>
/** Why nobody had to sign. */
export type Waiver = (typeof waivers)[number]

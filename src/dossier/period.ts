// The period file, version 1 (`application/vnd.countersign.period+jsonl`): every leaf of a log from one tree size to another, with dossiers of decisions
// among them. It is read and written line by line, so that its length costs no memory: a head, the dossiers, the leaves by index, an end. The
// dossiers come first, so that whoever reads the leaves knows which streams to watch. What its lines prove is said in README.md, §11.
import { z } from 'zod'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { utf8 } from '../base/bytes.ts'
import { asFailure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { statuses } from './matters.ts'
import { firstIssue } from './statement.ts'

/** Media type of a period file. */
const periodMediaType = 'application/vnd.countersign.period+jsonl'

/** The status of a decision. */
export type Status = (typeof statuses)[number]

/** The first line: what the file is about. */
export interface PeriodHead {
  readonly instance: string
  readonly origin: string
  readonly tenant: string
  /** Where the period begins. */
  readonly from: {
    /** Tree size, which is the index of the first leaf. */
    readonly size: number
    /** Roots of the perfect subtrees of the tree of that size, the largest first, 32 bytes each. */
    readonly frontier: readonly Uint8Array[]
    /** The signed note of that size where one was kept. */
    readonly checkpoint: string | null
  }
  /** The signed note under which everything stands; its size is the index behind the last leaf. */
  readonly to: string
  /** RFC 9162 consistency proof between both sizes; empty from size 0. */
  readonly consistency: readonly Uint8Array[]
  /** The statuses of which decisions have their dossiers here, in alphabetical order; null for all decisions. */
  readonly statuses: readonly Status[] | null
}

/** A newer checkpoint that the dossiers behind it stand under: of decisions that were erased after the period. */
export interface LaterCheckpoint {
  /** A signed note. */
  readonly later: string
  /** Consistency proof from the period's checkpoint. */
  readonly proof: readonly Uint8Array[]
}

/** The last line. */
export interface PeriodEnd {
  readonly dossiers: number
  readonly leaves: number
  /** Hex SHA-256 of all bytes before this line. */
  readonly sha256: string
}

const count = z.int().min(0)
const note = z.string().max(limits.noteBytes)
const hash = z
  .string()
  .max(44)
  .transform((text, context) => {
    const decoded = decodeBase64(text)
    if (decoded?.length === 32) return decoded
    context.addIssue({ code: 'custom', message: '32 bytes in base64 expected' })
    return z.NEVER
  })
const hashes = z.array(hash).max(limits.proofHashes)

const isRising = (names: readonly string[]): boolean =>
  names.every((name, i) => i === 0 || name > (names[i - 1] ?? ''))

const headSchema = z.strictObject({
  consistency: hashes,
  from: z.strictObject({ checkpoint: note.nullable(), frontier: hashes, size: count }),
  instance: z.string().max(64),
  mediaType: z.literal(periodMediaType),
  origin: z.string().max(255),
  statuses: z
    .array(z.enum(statuses))
    .min(1)
    .refine(isRising, 'Statuses are named once and in order')
    .nullable(),
  tenant: z.string().max(63),
  to: note,
  v: z.literal(1),
})

const laterSchema = z.strictObject({ later: note, proof: hashes })

const endSchema = z.strictObject({
  end: z.strictObject({
    dossiers: count,
    leaves: count,
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
})

/** What a line is by how it begins; the first line is the head, whatever this says. */
export type PeriodLine = 'head' | 'dossier' | 'later' | 'leaf' | 'end' | 'unknown'

const openings: readonly (readonly [PeriodLine, Uint8Array])[] = [
  ['leaf', utf8('{"keyid":"')],
  ['dossier', utf8('{"checkpoint":"')],
  ['end', utf8('{"end":{')],
  ['later', utf8('{"later":"')],
  ['head', utf8('{"consistency":[')],
]

const beginsWith = (bytes: Uint8Array, opening: Uint8Array): boolean =>
  bytes.length >= opening.length && opening.every((byte, i) => bytes[i] === byte)

/** What a line is by its first bytes; 16 suffice. */
export const periodLineOf = (bytes: Uint8Array): PeriodLine =>
  openings.find(([, opening]) => beginsWith(bytes, opening))?.[0] ?? 'unknown'

/** The head's bytes, without the line feed. */
export const formatPeriodHead = (head: PeriodHead): Uint8Array =>
  canonicalBytes({
    consistency: head.consistency.map(encodeBase64),
    from: {
      checkpoint: head.from.checkpoint,
      frontier: head.from.frontier.map(encodeBase64),
      size: head.from.size,
    },
    instance: head.instance,
    mediaType: periodMediaType,
    origin: head.origin,
    statuses: head.statuses,
    tenant: head.tenant,
    to: head.to,
    v: 1,
  })

/** The bytes of a line that brings a newer checkpoint. */
export const formatLaterCheckpoint = ({ later, proof }: LaterCheckpoint): Uint8Array =>
  canonicalBytes({ later, proof: proof.map(encodeBase64) })

/** The bytes of the last line. */
export const formatPeriodEnd = (end: PeriodEnd): Uint8Array => canonicalBytes({ end })

function parseLine<T>(what: string, schema: z.ZodType<T>, line: Uint8Array): T | string {
  if (line.length > limits.periodHeadBytes)
    return `${what} is longer than ${limits.periodHeadBytes} bytes`
  try {
    const parsed = schema.safeParse(parseCanonical(line))
    return parsed.success ? parsed.data : `${what} is not v1: ${firstIssue(parsed.error)}`
  } catch (error) {
    return `${what}: ${asFailure(error).message}`
  }
}

/** The head of a line, or the reason why it is none. */
export const parsePeriodHead = (line: Uint8Array): PeriodHead | string =>
  parseLine('Head of the period', headSchema, line)

/** The newer checkpoint of a line, or the reason why it is none; nothing in it is verified. */
export const parseLaterCheckpoint = (line: Uint8Array): LaterCheckpoint | string =>
  parseLine('Later checkpoint', laterSchema, line)

/** The end of a line, or the reason why it is none. */
export function parsePeriodEnd(line: Uint8Array): PeriodEnd | string {
  const parsed = parseLine('End of the period', endSchema, line)
  return typeof parsed === 'string' ? parsed : parsed.end
}

// The roster, version 1: who may approve, in which roles, by which keys; ids and no names. A version counts only with the signatures that the one
// before demands: each new key signs that it is there, and one holder of each lead role signs that it may be, or enough of the recovery keys that
// version 1 named. This file builds and parses; whether a version follows from another is judged in `verify`.
import { z } from 'zod'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { encodeHex } from '../base/bytes.ts'
import { asFailure } from '../base/failure.ts'
import { approverKeyKinds, type ApproverKeyKindName } from '../crypto/approver-keys.ts'
import { sha256 } from '../crypto/hash.ts'
import { leadRoles } from './challenge.ts'
import { firstIssue } from './statement.ts'

/** The roles of people; the first two together overrule. */
export const roles = Object.freeze([...leadRoles, 'reviewer'] as const)

/** Bounds of a roster. */
export const rosterLimits = Object.freeze({
  /** A roster's canonical bytes; it stands in the payload of an entry. */
  bytes: 131_072,
  people: 256,
  keysOfAPerson: 16,
  recoveryKeys: 16,
})

const kindNames = Object.keys(approverKeyKinds) as readonly ApproverKeyKindName[]
const hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const instant = z.int().min(0)

const keyFields = z.strictObject({ kind: z.enum(kindNames), key: z.string().min(1).max(8192) })

const personKey = z.strictObject({
  ...keyFields.shape,
  /** Log time from which and up to which (inclusive) its signatures count, ms since 1970. */
  notBefore: instant,
  notAfter: instant.nullable(),
  /** A key that is revoked stays, so that nobody else can register it. */
  revoked: z.boolean(),
})

const person = z.strictObject({
  /** As the owners of API keys are called, where the person has some. */
  id: z.string().min(1).max(256),
  roles: z.array(z.enum(roles)).max(roles.length),
  keys: z.array(personKey).min(1).max(rosterLimits.keysOfAPerson),
})

/** The form of a roster; whether it is one at all is said by {@link readRoster}. */
export const rosterSchema = z.strictObject({
  v: z.literal(1),
  version: z.int().min(1),
  /** Hex SHA-256 of the version before; null at version 1. */
  previous: hex32.nullable(),
  people: z.array(person).min(1).max(rosterLimits.people),
  /** Keys that lie in safes, and how many of them it takes; named in version 1 and the same ever after. */
  recovery: z
    .strictObject({
      keys: z.array(keyFields).min(1).max(rosterLimits.recoveryKeys),
      threshold: z.int().min(1),
    })
    .nullable(),
})

/** A signature of a roster's text. */
export const endorsementSchema = z.strictObject({
  ...keyFields.shape,
  signature: z.string().min(1).max(16_384),
})

/** How many signatures come with a version. */
export const mostEndorsements = 1024

/** A signature of a roster's text. */
export type Endorsement = Readonly<z.infer<typeof endorsementSchema>>
/** A version of a roster. */
export type Roster = Readonly<z.infer<typeof rosterSchema>>
/** Somebody who may approve. */
export type Person = Roster['people'][number]
/** A key of a person. */
export type PersonKey = Person['keys'][number]
/** A role of a person. */
export type Role = (typeof roles)[number]

function* keysOf({
  people,
  recovery,
}: Roster): Generator<readonly [owner: string, key: z.infer<typeof keyFields>]> {
  for (const { id, keys } of people) for (const key of keys) yield [`person ${id}`, key]
  for (const key of recovery?.keys ?? []) yield ['the recovery keys', key]
}

/** A key that is none, or that stands behind two names. */
function wrongKey(roster: Roster): string | undefined {
  const owners = new Map<string, string>()
  const seen = new Set<string>()
  for (const [owner, { kind, key }] of keysOf(roster)) {
    const problem = approverKeyKinds[kind].problem(key)
    if (problem !== undefined) return `Key of ${owner}: ${problem}`
    const name = `${kind} ${key}`
    if (seen.has(name)) return `Key stands twice: ${name.slice(0, 80)}`
    seen.add(name)
    for (const point of approverKeyKinds[kind].points(key)) {
      const other = owners.get(point)
      if (other !== undefined && other !== owner)
        return `One key belongs to one alone, not to ${other} and ${owner}`
      owners.set(point, owner)
    }
  }
  return undefined
}

function inconsistency(roster: Roster): string | undefined {
  const { people, previous, recovery, version } = roster
  if ((version === 1) !== (previous === null))
    return 'Version 1 has no version before it, every later one has'
  if (new Set(people.map(({ id }) => id)).size !== people.length) return 'A person stands twice'
  const double = people.find((one) => leadRoles.every((role) => one.roles.includes(role)))
  if (double !== undefined) return `One person may not hold both lead roles: ${double.id}`
  if (people.some((one) => new Set(one.roles).size !== one.roles.length))
    return 'A person has a role twice'
  for (const role of leadRoles)
    if (!people.some((one) => one.roles.includes(role))) return `Nobody holds the role ${role}`
  if (recovery !== null && recovery.threshold > recovery.keys.length)
    return 'More recovery keys are demanded than there are'
  return wrongKey(roster)
}

/** The canonical bytes of a roster. */
export const formatRoster = (roster: Roster): Uint8Array => canonicalBytes(roster)

/** Hex SHA-256 of a roster's canonical bytes: its name in challenges. */
export const rosterDigest = (roster: Roster): string => encodeHex(sha256(formatRoster(roster)))

/** The roster of parsed JSON, or why it is none. */
export function readRoster(value: unknown): Roster | string {
  const parsed = rosterSchema.safeParse(value)
  if (!parsed.success) return `Not a v1 roster: ${firstIssue(parsed.error)}`
  if (formatRoster(parsed.data).length > rosterLimits.bytes)
    return `Roster has more than ${rosterLimits.bytes} bytes`
  return inconsistency(parsed.data) ?? parsed.data
}

/** The roster of a file's canonical bytes, or why it is none. */
export function parseRoster(file: Uint8Array): Roster | string {
  if (file.length > rosterLimits.bytes) return `Roster has more than ${rosterLimits.bytes} bytes`
  try {
    return readRoster(parseCanonical(file))
  } catch (error) {
    return `Roster: ${asFailure(error).message}`
  }
}

/** Whose roster it is. */
export interface RosterPlace {
  readonly instance: string
  readonly tenant: string
  readonly origin: string
}

/** The ASCII text that a version's signers sign, one text for all of them. */
export const formatRosterText = (
  { instance, origin, tenant }: RosterPlace,
  roster: Roster,
): string =>
  [
    'Countersign roster v1',
    `Instance: ${instance}`,
    `Tenant: ${tenant}`,
    `Origin: ${origin}`,
    `Version: ${roster.version}`,
    `Previous: ${roster.previous ?? 'none'}`,
    `Roster: ${rosterDigest(roster)}`,
    '',
  ].join('\n')

// Whether one version of a roster may follow another. Nobody comes in without showing that the key is theirs, nobody changes anything alone, and
// nothing that was true of a key is taken back: a person who leaves stays without roles, a key that is revoked stays revoked.
import { utf8 } from '../base/bytes.ts'
import { approverKeyKinds, type ApproverKeyKindName } from '../crypto/approver-keys.ts'
import { canonicalize } from '../base/canonical-json.ts'
import { leadRoles } from '../dossier/challenge.ts'
import {
  formatRosterText,
  rosterDigest,
  type Endorsement,
  type Person,
  type PersonKey,
  type Roster,
  type RosterPlace,
} from '../dossier/roster.ts'

/** Log time between the moment recovery keys ask for a version and the moment it may count, in ms. */
export const recoveryDelayMs = 7 * 86_400_000

/** What is known when a version is to be judged. */
export interface RosterStep {
  readonly place: RosterPlace
  /** The version that counts; undefined for the first. */
  readonly previous: Roster | undefined
  readonly next: Roster
  readonly endorsements: readonly Endorsement[]
  /** Log time, ms since 1970. */
  readonly time: number
  /** Log time of the entry by which recovery keys asked for exactly this version; undefined when none did. */
  readonly askedAt: number | undefined
}

interface NamedKey {
  readonly kind: ApproverKeyKindName
  readonly key: string
}

const nameOf = ({ key, kind }: NamedKey): string => `${kind} ${key}`
const shown = (key: NamedKey): string => nameOf(key).slice(0, 80)

/** The key of a person at a moment of log time, or why it does not count. */
export function keyProblem(
  { notAfter, notBefore, revoked }: PersonKey,
  time: number,
): string | undefined {
  if (revoked) return 'Key is revoked'
  if (time < notBefore) return 'Key does not count yet'
  return notAfter !== null && time > notAfter ? 'Key does not count any more' : undefined
}

/** What a version changes of persons and keys that it may not change. */
function takenBack(previous: Roster, next: Roster): string | undefined {
  if (canonicalize(previous.recovery) !== canonicalize(next.recovery))
    return 'Recovery keys are those of version 1 for ever'
  for (const person of previous.people) {
    const same = next.people.find(({ id }) => id === person.id)
    if (same === undefined) return `Person may lose every role, but stays: ${person.id}`
    const lost = person.keys.find((key) => !isKept(key, same))
    if (lost !== undefined)
      return `Key of ${person.id} is gone, or counts for longer than before: ${shown(lost)}`
  }
  return undefined
}

function isKept(key: PersonKey, { keys }: Person): boolean {
  const same = keys.find((one) => nameOf(one) === nameOf(key))
  return (
    same?.notBefore === key.notBefore &&
    (!key.revoked || same.revoked) &&
    (key.notAfter === null || (same.notAfter !== null && same.notAfter <= key.notAfter))
  )
}

/** Keys that must show that somebody holds them: those that the version before does not have. */
function newKeys(previous: Roster | undefined, next: Roster): readonly NamedKey[] {
  const known = new Set(previous?.people.flatMap(({ keys }) => keys.map(nameOf)) ?? [])
  const all: NamedKey[] = next.people.flatMap(({ keys }) => keys.filter(({ revoked }) => !revoked))
  if (previous === undefined) all.push(...(next.recovery?.keys ?? []))
  return all.filter((key) => !known.has(nameOf(key)))
}

/** A lead role of which no holder has signed with a key that counts. */
function missingLead(
  { people }: Roster,
  signed: ReadonlySet<string>,
  time: number,
): string | undefined {
  return leadRoles.find(
    (role) =>
      !people.some(
        (person) =>
          person.roles.includes(role) &&
          person.keys.some((key) => signed.has(nameOf(key)) && keyProblem(key, time) === undefined),
      ),
  )
}

/** Whether enough recovery keys have signed. */
export const recoveryQuorum = ({ recovery }: Roster, signed: ReadonlySet<string>): boolean =>
  recovery !== null &&
  recovery.keys.filter((key) => signed.has(nameOf(key))).length >= recovery.threshold

/** The keys that have signed a version's text; a reason when one of the signatures is not good. */
export function readEndorsements(
  place: RosterPlace,
  roster: Roster,
  endorsements: readonly Endorsement[],
): ReadonlySet<string> | string {
  const text = utf8(formatRosterText(place, roster))
  const signed = new Set<string>()
  for (const { key, kind, signature } of endorsements) {
    const { reason, verdict } = approverKeyKinds[kind].verify(key, text, signature)
    if (verdict !== 'valid') return `Signature of ${shown({ key, kind })}: ${reason}`
    signed.add(nameOf({ key, kind }))
  }
  return signed
}

/** By what right a version comes: the leads' of the version before, or that of the recovery keys after their delay. */
function missingRight(
  { askedAt, time }: RosterStep,
  previous: Roster,
  signed: ReadonlySet<string>,
): string | undefined {
  const role = missingLead(previous, signed, time)
  if (role === undefined) return undefined
  if (!recoveryQuorum(previous, signed))
    return `No ${role} of version ${previous.version} has signed, nor have enough recovery keys`
  if (askedAt === undefined) return 'Recovery was not asked for in the log'
  return time < askedAt + recoveryDelayMs
    ? `Recovery counts from ${new Date(askedAt + recoveryDelayMs).toISOString()} on`
    : undefined
}

/** Why a version may not follow, or undefined when it may. Both versions must have been read by `readRoster`. */
export function judgeRosterStep(step: RosterStep): string | undefined {
  const { endorsements, next, place, previous } = step
  if (next.version !== (previous?.version ?? 0) + 1)
    return `Version ${(previous?.version ?? 0) + 1} comes next, not ${next.version}`
  if (previous !== undefined && next.previous !== rosterDigest(previous))
    return 'Version names another one as the version before'
  const lost = previous === undefined ? undefined : takenBack(previous, next)
  if (lost !== undefined) return lost
  const signed = readEndorsements(place, next, endorsements)
  if (typeof signed === 'string') return signed
  const silent = newKeys(previous, next).find((key) => !signed.has(nameOf(key)))
  if (silent !== undefined) return `New key has not signed: ${shown(silent)}`
  return previous === undefined ? undefined : missingRight(step, previous, signed)
}

// Registering, activating and retiring policies. Their stream is their state. While one of these is entered nothing else enters the log, so that each
// decision is made by the policies that count where it stands.
import { parseCanonical } from '../base/canonical-json.ts'
import { asFailure, Failure } from '../base/failure.ts'
import { encodeHex, utf8 } from '../base/bytes.ts'
import type { ActionEffect } from '../dossier/action-effects.ts'
import type { Caller, PolicyMatter } from '../dossier/matters.ts'
import { recordInSteps } from '../policy/open-record.ts'
import { expectRecordFits, expectRegistrable } from '../policy/registrable.ts'
import {
  activeOf,
  advancePolicies,
  isRollback,
  type PolicyStory,
  type StoriedPolicy,
} from '../verify/policy-story.ts'
import type { PolicyActivation, PolicyRetirement, PolicyView } from '../wire/policies.ts'
import { announce } from './announce.ts'
import { weighOnce } from './open-policies.ts'
import { activeWith, requireRoomToActivate, requireRoomToRegister } from './policy-bounds.ts'
import { continueBook, forgetBook, readPages, type PolicyPages } from './policy-book.ts'
import type { PolicyRecord } from './service.ts'
import { enterAllowed, requireApprovedAction } from './control.ts'
import { effectOfActivation } from './guarded-orders.ts'
import { enterNow, type Draft, type Room } from './room.ts'
import { inSlices } from './slices.ts'

const refused = (why: string): Failure => new Failure('POLICY_REFUSED', why)

const viewPolicy = ({ scope, ...policy }: StoriedPolicy): PolicyView => ({ ...policy, scope })

function find(story: PolicyStory, sha256: string): StoriedPolicy {
  const policy = story.policies.get(sha256)
  if (policy === undefined) throw new Failure('INPUT_NOT_FOUND', `No such policy: ${sha256}`)
  return policy
}

/** All policies of a tenant, in the order of their registration. */
export async function listPolicies(room: Room): Promise<readonly PolicyView[]> {
  const { story } = await readPages(room)
  return [...story.policies.values()].map(viewPolicy)
}

/** A policy with its record. @throws {@link Failure} INPUT_NOT_FOUND */
export async function readPolicy(room: Room, sha256: string): Promise<PolicyRecord> {
  const { records, story } = await readPages(room)
  const policy = find(story, sha256)
  return { policy: viewPolicy(policy), record: JSON.stringify(records.get(sha256)) }
}

/** What a step does that takes two keys, and who carries it out under which action. */
interface Guarded {
  readonly effect: ActionEffect
  readonly by: Caller
  readonly action: string | undefined
}

/** Enters a step behind all that is under way; the gate is shut. */
async function enterStep(
  room: Room,
  pages: PolicyPages,
  matter: PolicyMatter,
  guarded?: Guarded,
): Promise<StoriedPolicy> {
  const { story } = pages
  const head = await room.store.readStreamHead(room.tenant.name, 'policies')
  const draft: Draft = {
    effects: [announce(room, `policy.${matter.event}`, { policy: matter.sha256 })],
    kind: 'policy',
    matter,
    prev: head === undefined ? null : encodeHex(head.leafHash),
    refuseAt: (time) => {
      const next = advancePolicies(story, { index: room.log.head.size, matter, time })
      return typeof next === 'string' ? refused(next) : undefined
    },
    seq: head === undefined ? 0 : head.seq + 1,
    stream: 'policies',
  }
  const { appended } =
    guarded === undefined
      ? await enterNow(room, draft)
      : await enterAllowed(
          room,
          await requireApprovedAction(room, guarded.effect, guarded.by, guarded.action),
          draft,
        )
  const { index, time } = appended
  const next = advancePolicies(story, { index, matter, time })
  if (typeof next === 'string') throw new Failure('BUG', next)
  continueBook(room, pages, next, matter)
  return find(next, matter.sha256)
}

const alone = <T>(room: Room, work: (pages: PolicyPages) => Promise<T>): Promise<T> =>
  room.gate.alone(
    () => room.log.idle(),
    async () => {
      try {
        return await work(await readPages(room))
      } catch (error) {
        // What did not end well may stand in the log all the same.
        forgetBook(room)
        throw error
      }
    },
  )

type Registration = Extract<PolicyMatter, { event: 'registered' }>

interface ReadRecord {
  readonly bytes: number
  readonly said: Pick<Registration, 'id' | 'version' | 'sha256' | 'record'>
}

/** The bundle of a record's text, compiled once to see that it can be. @throws {@link Failure} POLICY_INVALID, INPUT_TOO_LARGE */
async function readRecord(text: string): Promise<ReadRecord> {
  const bytes = utf8(text)
  expectRecordFits(bytes.length)
  let value: unknown
  try {
    value = parseCanonical(bytes)
  } catch (cause) {
    throw new Failure('POLICY_INVALID', `Record: ${asFailure(cause).message}`, { cause })
  }
  const compiled = await inSlices(recordInSteps(value, { isNew: true }))
  expectRegistrable(compiled)
  const { bundle, digest } = compiled
  // In the order in which it is read from the log.
  const { dialect, ...rest } = value as Registration['record']
  return {
    bytes: bytes.length,
    said: {
      id: bundle.id,
      version: bundle.version,
      sha256: digest,
      record: { dialect, ...rest },
    },
  }
}

/**
 * Registers a bundle, by the canonical JSON of its record; one that is registered already stays what it was.
 * @throws {@link Failure} POLICY_INVALID, POLICY_REFUSED where its version stands for another bundle or there are too many, INPUT_TOO_LARGE
 */
export async function registerPolicy(room: Room, text: string, by: Caller): Promise<PolicyView> {
  const { bytes, said } = await readRecord(text)
  return alone(room, async (pages) => {
    const known = pages.story.policies.get(said.sha256)
    if (known !== undefined) return viewPolicy(known)
    requireRoomToRegister(pages.story, pages.sizes, bytes)
    const matter: PolicyMatter = { ...said, by, event: 'registered', time: room.clock() }
    return viewPolicy(await enterStep(room, pages, matter))
  })
}

/** What the patterns weigh of each policy that would decide beside this one, and of this one. */
async function weighWith({ records, story }: PolicyPages, sha256: string): Promise<number[]> {
  const weights: number[] = []
  for (const policy of activeWith(story, find(story, sha256)))
    weights.push(await weighOnce(policy.sha256, records.get(policy.sha256)))
  return weights
}

const isSameScope = (policy: StoriedPolicy, scope: PolicyActivation['scope'] = {}): boolean =>
  policy.scope !== null && JSON.stringify(sorted(policy.scope)) === JSON.stringify(sorted(scope))

const sorted = (scope: object): readonly unknown[] =>
  Object.entries(scope).sort(([a], [b]) => (a < b ? -1 : 1))

/**
 * Lets a bundle decide, in place of the one of its id that does.
 * @throws {@link Failure} INPUT_NOT_FOUND, POLICY_REFUSED where it is retired, or older and that is not said, or too many decide; ACTION_REQUIRED, ACTION_REFUSED
 */
export async function activatePolicy(
  room: Room,
  sha256: string,
  { action, rollback = false, scope = {} }: PolicyActivation,
  by: Caller,
): Promise<PolicyView> {
  // What takes long is done before anything has to wait for it.
  await weighWith(await readPages(room), sha256)
  return alone(room, async (pages) => {
    const { story } = pages
    const policy = find(story, sha256)
    if (policy.state === 'active' && isSameScope(policy, scope)) return viewPolicy(policy)
    const older = isRollback(story, policy)
    if (older && !rollback)
      throw refused(
        `Policy is older than one that was active, say so to go back (rollback): ${policy.id} ${policy.version}`,
      )
    requireRoomToActivate(activeWith(story, policy), await weighWith(pages, sha256))
    const matter: PolicyMatter = {
      by,
      event: 'activated',
      index: policy.index,
      replaces: activeOf(story, policy.id)?.sha256 ?? null,
      rollback: older,
      scope,
      sha256,
      time: room.clock(),
    }
    const effect = effectOfActivation({ bundle: sha256, rollback: older, scope })
    return viewPolicy(await enterStep(room, pages, matter, { action, by, effect }))
  })
}

/**
 * Retires a bundle for ever.
 * @throws {@link Failure} INPUT_NOT_FOUND, ACTION_REQUIRED, ACTION_REFUSED
 */
export function retirePolicy(
  room: Room,
  sha256: string,
  { action, reason }: PolicyRetirement,
  by: Caller,
): Promise<PolicyView> {
  return alone(room, async (pages) => {
    const policy = find(pages.story, sha256)
    if (policy.state === 'retired') return viewPolicy(policy)
    const { index } = policy
    const matter: PolicyMatter = { by, event: 'retired', index, reason, sha256, time: room.clock() }
    const effect: ActionEffect = { action: 'policy.retire', bundle: sha256, reason }
    return viewPolicy(await enterStep(room, pages, matter, { action, by, effect }))
  })
}

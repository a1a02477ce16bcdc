// Of the check of a tenant: that whatever took two keys names an action that two leads have signed for exactly it, used once, and that nobody was spared
// that who should not have been.
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { canonicalize } from '../base/canonical-json.ts'
import { challengeDigest, type ActionEffect } from '../dossier/action-effects.ts'
import type { Control } from '../dossier/control.ts'
import { actionOfStream } from '../dossier/kinds.ts'
import type { Leaf } from '../dossier/leaf.ts'
import {
  matters,
  type AdminMatter,
  type ErasureMatter,
  type KeyMatter,
  type PolicyMatter,
} from '../dossier/matters.ts'
import type { Statement } from '../dossier/statement.ts'
import type { Instance, Tenant } from '../store/store.ts'
import {
  controlProblem,
  isGuardedKeyEvent,
  notControlled,
  rewrapProblem,
} from '../verify/control-story.ts'
import { readStandingAction } from './action-reading.ts'
import { readControl, type StandingControl } from './control-reading.ts'
import type { FsckRequest } from './fsck.ts'
import { breathe, type Found } from './fsck-findings.ts'
import { readRosterStory, type ReadableLog } from './roster-story.ts'

/** An entry that does something guarded. */
export interface GuardedEntry {
  readonly index: number
  readonly control: Control | undefined
  /** Whether an effect is what the entry does. */
  readonly isDoneBy: (effect: ActionEffect) => boolean
  /** Kinds of provider that open the master key from here on, where it tells of them. */
  readonly providers: readonly string[] | undefined
}

const isKeyDoneBy =
  ({ event, from, keyId, purpose, reason, slots, version }: KeyMatter) =>
  (effect: ActionEffect): boolean => {
    switch (effect.action) {
      case 'keys.revoke':
        return (
          event === 'revoked' &&
          effect.key === keyId &&
          effect.purpose === purpose &&
          effect.version === version &&
          (effect.from === null || effect.from === from) &&
          effect.reason === (reason ?? null)
        )
      case 'keys.destroy':
        return (
          event === 'destroyed' &&
          effect.key === keyId &&
          effect.purpose === purpose &&
          effect.version === version
        )
      case 'keys.migrate':
        return (
          event === 'slots' &&
          effect.master === version &&
          slots?.some(({ provider }) => provider === effect.to) === true
        )
      case 'keys.rotate-master':
        return event === 'activated' && purpose === 'master' && effect.master === version - 1
      case 'erase':
      case 'tenant.close':
      case 'control.none':
      case 'policy.activate':
      case 'policy.retire':
        return false
    }
  }

const isErasureDoneBy =
  ({ reason, stream }: ErasureMatter) =>
  (effect: ActionEffect): boolean =>
    effect.action === 'erase' && effect.decision === stream && effect.reason === reason

const isAdminDoneBy =
  ({ action, detail }: AdminMatter) =>
  (effect: ActionEffect): boolean =>
    ((effect.action === 'tenant.close' && action === 'tenant.close') ||
      (effect.action === 'control.none' && action === 'control.set')) &&
    effect.reason === detail['reason']

const isPolicyDoneBy =
  (matter: PolicyMatter) =>
  (effect: ActionEffect): boolean => {
    if (matter.event === 'activated')
      return (
        effect.action === 'policy.activate' &&
        effect.bundle === matter.sha256 &&
        (effect.rollback === true) === matter.rollback &&
        canonicalize(effect.scope) === canonicalize(matter.scope)
      )
    return (
      matter.event === 'retired' &&
      effect.action === 'policy.retire' &&
      effect.bundle === matter.sha256 &&
      effect.reason === matter.reason
    )
  }

/** What an entry does that is guarded; undefined where it does nothing of that, or cannot be read, which is told elsewhere. */
export function guardedEntry(
  index: number,
  { kind, stream }: Leaf,
  statement: Statement | undefined,
): GuardedEntry | undefined {
  const said = statement?.predicate.matter
  const none = { index, providers: undefined }
  if (kind === 'erasure') {
    const matter = matters.erasure.safeParse(said).data
    return matter && { ...none, control: matter.control, isDoneBy: isErasureDoneBy(matter) }
  }
  if (kind === 'key') {
    const matter = matters.key.safeParse(said).data
    if (matter === undefined || !isGuardedKeyEvent(matter)) return undefined
    const providers = matter.slots?.map(({ provider }) => provider)
    return { control: matter.control, index, isDoneBy: isKeyDoneBy(matter), providers }
  }
  if (kind === 'policy') {
    const matter = matters.policy.safeParse(said).data
    if (matter === undefined || matter.event === 'registered') return undefined
    return { ...none, control: matter.control, isDoneBy: isPolicyDoneBy(matter) }
  }
  if (kind !== 'admin' || stream !== 'control') return undefined
  const matter = matters.admin.safeParse(said).data
  // To begin it nobody need sign.
  if (matter === undefined || matter.detail['dualControl'] === 'all') return undefined
  return { ...none, control: matter.control, isDoneBy: isAdminDoneBy(matter) }
}

/** Why a waiver is none, where it is one that does not depend on the roster; undefined where it holds, null where it is no such waiver. */
function freeWaiver(
  { control, providers }: GuardedEntry,
  before: readonly string[] | undefined,
): string | null | undefined {
  if (control === undefined || !('waived' in control) || providers === undefined) return null
  if (control.waived === 'break-glass') return undefined
  if (control.waived !== 'rewrap') return null
  return rewrapProblem(before, providers)
}

/** Whether an action that erases names, by its leaf, the decision that stands in the log by that id. */
async function isOfItsDecision(
  { store, tenant }: ReadableLog,
  effect: ActionEffect,
  leaf: string | null,
): Promise<boolean> {
  if (effect.action !== 'erase') return leaf === null
  const first = await store.readStreamStart(tenant.name, effect.decision)
  return first !== undefined && leaf === encodeHex(first.leafHash)
}

/** Why the action that an entry names did not allow it. */
async function actionProblem(
  log: ReadableLog,
  { control, index, isDoneBy }: GuardedEntry,
  used: Map<string, number>,
): Promise<string | undefined> {
  if (control === undefined || !('action' in control)) return undefined
  const { action: stream, sha256 } = control
  try {
    const { effect, executedAt, request } = await readStandingAction(log, actionOfStream(stream))
    if (challengeDigest(request.text) !== sha256)
      return `It names another text than that of ${stream}`
    if (!isDoneBy(effect)) return `Two leads have signed something else in ${stream}`
    if (!(await isOfItsDecision(log, effect, request.challenge.decisionLeaf)))
      return `Two leads have signed for another decision of that id in ${stream}`
    if (executedAt === undefined || executedAt >= index)
      return `It stands before its action: ${stream}`
    const before = used.get(stream)
    used.set(stream, index)
    const isFirst = before === undefined && executedAt === index - 1
    if (!isFirst && (effect.action !== 'keys.migrate' || before === undefined))
      return `Action was used before: ${stream}`
    return undefined
  } catch (error) {
    if (error instanceof Failure && error.code === 'INPUT_NOT_FOUND')
      return `There is no such action: ${stream}`
    throw error
  }
}

const storyAt = ({ since }: StandingControl, index: number) =>
  since.findLast((one) => one.index < index)?.story ?? notControlled

/** Checks by what right everything guarded was done. */
export async function checkControl(
  { signal, store }: FsckRequest,
  tenant: Tenant,
  instance: Instance,
  guarded: readonly GuardedEntry[],
  found: Found,
): Promise<void> {
  const log: ReadableLog = { instance, log: tenant, store, tenant }
  const standing = await readControl(log)
  const { versions } = await readRosterStory(log)
  const used = new Map<string, number>()
  let before: readonly string[] | undefined
  for (const entry of guarded) {
    await breathe(signal)
    const { control, index, providers } = entry
    const free = freeWaiver(entry, before)
    const hasRoster = versions.some(({ from }) => from < index)
    const what =
      free === null
        ? (controlProblem(storyAt(standing, index), hasRoster, control) ??
          (await actionProblem(log, entry, used)))
        : free
    if (what !== undefined) found({ index, part: 'entry', what })
    before = providers ?? before
  }
}

// The story of an override: what is asked of a decision, before its request is opened and when it comes to pass, besides what takes two keys anyhow.
import { canonicalize } from '../base/canonical-json.ts'
import type { DecisionMatter } from '../dossier/matters.ts'
import type { OverrideEvent } from '../dossier/override-events.ts'
import {
  advanceRequest,
  twoKeyGuards,
  unless,
  type Guards,
  type TwoKeyRequest,
  type TwoKeyScene,
} from './two-key-story.ts'

/** What an event is judged by. */
export interface OverrideScene extends TwoKeyScene {
  /** The decision that is to be overruled, and the hex leaf hash of its entry; undefined when it was erased, or there is none. */
  readonly decision: { readonly matter: DecisionMatter; readonly leaf: string } | undefined
}

/** The gate that nobody may overrule. */
export const floorGate = 'complexity'

const failedGates = ({ gates }: DecisionMatter): readonly string[] =>
  gates.flatMap(({ name: gate, passed }) => (passed ? [] : [gate]))

const opening: Guards<OverrideScene>['opened'] = {
  'no other request is open': ({ scene: { rivals } }) =>
    unless(!rivals.open, 'Another request about this decision is open'),
  'decision was not overruled before': ({ scene: { rivals } }) =>
    unless(!rivals.executed, 'Decision was overruled already'),
  'decision said no': ({ scene: { decision } }) =>
    unless(
      decision !== undefined &&
        ['BLOCK', 'ESCALATE', 'REVIEW_REQUIRED'].includes(decision.matter.status) &&
        decision.matter.mode === 'enforce',
      'Only a decision that said no, in mode enforce, can be overruled',
    ),
  'decision is overridable': ({ scene: { decision } }) =>
    unless(
      decision?.matter.overridable !== false,
      'Policy does not let this decision be overruled',
    ),
  'complexity floor holds': ({ scene: { decision } }) =>
    unless(
      decision?.matter.gates.some(({ name: gate, passed }) => gate === floorGate && !passed) !==
        true,
      'Complexity floor cannot be overruled',
    ),
  'effect is an override': ({ challenge: { effect } }) =>
    unless(
      effect.action === 'override' &&
        effect['status'] === 'ALLOW' &&
        Object.keys(effect).length === 2,
      'Effect is not to allow what was decided otherwise',
    ),
  'challenge is of this decision': ({ challenge, scene: { decision } }) =>
    unless(
      decision === undefined ||
        (challenge.decision === decision.matter.id && challenge.decisionLeaf === decision.leaf),
      challenge.decision === decision?.matter.id
        ? 'Challenge is of another decision leaf'
        : 'Challenge is of another decision',
    ),
  'challenge names the gates that failed': ({ challenge, scene: { decision } }) =>
    unless(
      // A name may hold any separator.
      decision === undefined ||
        canonicalize(challenge.failedGates) === canonicalize(failedGates(decision.matter)),
      'Challenge names other gates than those that failed',
    ),
  'requesters are named': ({ challenge: { requesters }, scene: { decision, owner } }) =>
    unless(
      owner !== null &&
        requesters.includes(owner) &&
        (decision === undefined ||
          (requesters.includes(decision.matter.caller.owner) &&
            requesters.includes(decision.matter.intent.actor.id))),
      'Challenge does not name those who asked: for the decision, for this request, and the actor',
    ),
}

const executing: Guards<OverrideScene>['executed'] = {
  'decision is still there': ({ challenge, scene: { decision } }) =>
    unless(
      decision?.leaf === challenge.decisionLeaf,
      'Decision has changed or its content is gone: the signatures are void',
    ),
  'decision was not overruled before': ({ scene: { rivals } }) =>
    unless(!rivals.executed, 'Decision was overruled already'),
}

/** Every guard, by event and name. */
export const overrideGuards: Guards<OverrideScene> = Object.freeze({
  ...twoKeyGuards,
  executed: { ...twoKeyGuards.executed, ...executing },
  opened: { ...twoKeyGuards.opened, ...opening },
})

/**
 * What an event makes of a request, or why it may not happen.
 * @param guards all of them; a test takes one away
 */
export const advanceOverride = (
  before: TwoKeyRequest | undefined,
  event: OverrideEvent,
  scene: OverrideScene,
  guards: Guards<OverrideScene> = overrideGuards,
): TwoKeyRequest | string => advanceRequest(before, event, scene, guards)

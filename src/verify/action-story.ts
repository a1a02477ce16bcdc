// The story of an action: what is asked of its opening, besides what takes two keys anyhow. It has a stream of its own, which is named after its nonce:
// the same signatures open no second one.
import { actionIdOf, readEffect } from '../dossier/action-effects.ts'
import { actionStreamOf } from '../dossier/kinds.ts'
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
export interface ActionScene extends TwoKeyScene {
  readonly stream: string
}

const opening: Guards<ActionScene>['opened'] = {
  'stream holds one request': ({ scene: { rivals } }) =>
    unless(!rivals.open && !rivals.executed, 'Stream holds another request'),
  'stream is named after the nonce': ({ challenge: { nonce }, scene: { stream } }) =>
    unless(stream === actionStreamOf(actionIdOf(nonce)), 'Stream is not the one of the nonce'),
  'effect is one that takes two keys': ({ challenge: { effect } }) => {
    const read = readEffect(effect)
    return typeof read === 'string' ? read : undefined
  },
  'challenge names what is erased': ({ challenge: { decision, effect } }) =>
    unless(
      decision === (effect.action === 'erase' ? effect['decision'] : null),
      'Challenge names another decision than its effect',
    ),
  'challenge names no gates': ({ challenge: { failedGates } }) =>
    unless(failedGates.length === 0, 'Challenge names gates, and an action passes none'),
  'requester is named': ({ challenge: { requesters }, scene: { owner } }) =>
    unless(
      owner !== null && requesters.includes(owner),
      'Challenge does not name who asked for this',
    ),
}

/** Every guard, by event and name. */
export const actionGuards: Guards<ActionScene> = Object.freeze({
  ...twoKeyGuards,
  opened: { ...twoKeyGuards.opened, ...opening },
})

/**
 * What an event makes of an action, or why it may not happen.
 * @param guards all of them; a test takes one away
 */
export const advanceAction = (
  before: TwoKeyRequest | undefined,
  event: OverrideEvent,
  scene: ActionScene,
  guards: Guards<ActionScene> = actionGuards,
): TwoKeyRequest | string => advanceRequest(before, event, scene, guards)

// A request that was made before: whoever gives the same command again means the one that the leads have before them, not another beside it.
import { canonicalize } from '../base/canonical-json.ts'
import { effectOfWish } from '../decisions/guarded-orders.ts'
import type { Principal, Service } from '../decisions/service.ts'
import type { ActionEffect } from '../dossier/action-effects.ts'
import { parseChallenge } from '../dossier/challenge.ts'
import { signingPurposes } from '../keyring/purposes.ts'
import { actionPageSchema, actionViewSchema } from '../wire/actions.ts'
import type { ActionView, ActionWish } from '../wire/actions.ts'

type Actions = Pick<Service, 'keyStatus' | 'listActions' | 'readAction'>

const pageRows = 200
/** A request lives two weeks from its opening at most, which is before its approve-by; a day more for clocks that differ. */
const longestMs = 15 * 86_400_000

const openStates: readonly ActionView['status'][] = ['pending', 'partial', 'approved']

/** What a wish comes to now. @throws {@link Failure} INPUT_NOT_FOUND, INPUT_INVALID */
async function effectNow(
  service: Actions,
  tenant: string,
  wish: ActionWish,
): Promise<ActionEffect> {
  if (!wish.action.startsWith('keys.'))
    return effectOfWish({ keyring: { list: () => [], master: { version: 0 } } }, wish)
  const { keys, master } = await service.keyStatus(tenant)
  const known = keys.flatMap(({ keyId, purpose, version }) => {
    const one = signingPurposes.find((name) => name === purpose)
    return one === undefined ? [] : [{ keyId, purpose: one, version }]
  })
  return effectOfWish({ keyring: { list: () => known, master } }, wish)
}

interface Saying {
  readonly justification: string | undefined
  readonly requesters: readonly string[]
}

/** Why a request was made and by whom, as its text says it. */
export function sayingOf({ challenge }: Pick<ActionView, 'challenge'>): Saying {
  const said = parseChallenge(challenge)
  return typeof said === 'string' ? { justification: undefined, requesters: [] } : said
}

/** Ids of actions that may still come to pass with an effect, the newest first. */
async function* openFor(
  service: Actions,
  tenant: string,
  effect: ActionEffect,
  now: number,
): AsyncGenerator<string, void, undefined> {
  const wanted = canonicalize(effect)
  let cursor: string | null = null
  for (;;) {
    const request = { limit: pageRows, ...(cursor === null ? {} : { cursor }) }
    const told = actionPageSchema.parse(await service.listActions(tenant, request))
    for (const { action, effect: other, status } of told.actions)
      if (openStates.includes(status) && canonicalize(other) === wanted) yield action
    cursor = told.cursor
    const oldest = told.actions.at(-1)
    // Whoever asks for many others at once hides none: all are looked at that may be open.
    if (cursor === null || oldest === undefined || oldest.approveBy + longestMs < now) return
  }
}

/**
 * The request that a person has open for exactly what a wish comes to now; undefined where there is none.
 * @param now ms since 1970
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_INVALID
 */
export async function findOpenRequest(
  service: Actions,
  { caller, tenant }: Principal,
  wish: ActionWish,
  now = Date.now(),
): Promise<ActionView | undefined> {
  const effect = await effectNow(service, tenant, wish)
  for await (const id of openFor(service, tenant, effect, now)) {
    const view = actionViewSchema.parse(await service.readAction(tenant, id))
    if (!view.void && sayingOf(view).requesters.includes(caller.owner)) return view
  }
  return undefined
}

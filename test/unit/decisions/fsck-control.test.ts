import { expect, it } from 'vitest'
import { encodeBase64Url } from '../../../src/base/base64.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import {
  checkControl,
  guardedEntry,
  type GuardedEntry,
} from '../../../src/decisions/fsck-control.ts'
import { parseLeaf } from '../../../src/dossier/leaf.ts'
import { parseStatement } from '../../../src/dossier/statement.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { createEnvironmentKek } from '../../../src/kek/environment.ts'
import type { StoreReader } from '../../../src/store/store.ts'
import type { ActionView, ActionWish } from '../../../src/wire/actions.ts'
import { disguise } from '../../support/disguised-kek.ts'
import { digestOf, recordTextOf } from '../../support/forge-policy.ts'
import { fsckRequest, storeOf } from '../../support/fsck.ts'
import { blockedRequest, foundRoster, requester, signing } from '../../support/leads.ts'
import { foundTestService, founder, type TestService } from '../../support/service.ts'

const reason = 'Request 4711'

async function approved({ service }: TestService, wish: ActionWish): Promise<ActionView> {
  const view = await service.openAction(requester, { justification: 'Asked for', wish })
  for (const [lead, role] of [
    ['ann', 'risk_lead'],
    ['bob', 'security_lead'],
  ] as const)
    await service.actOnAction(requester, view.action, signing(lead, role, view.challenge))
  return view
}

async function executed(at: TestService, wish: ActionWish): Promise<ActionView> {
  const view = await approved(at, wish)
  return at.service.actOnAction(requester, view.action, { act: 'execute' })
}

type Matter = Record<string, unknown>
interface Told {
  readonly index: number
  readonly matter: Matter
}

/** Every guarded entry, each after somebody who holds the keys has changed what it says. */
async function guardedOf(
  store: StoreReader,
  change: (told: Told) => Matter = ({ matter }) => matter,
): Promise<readonly GuardedEntry[]> {
  const entries = await store.readEntries('default', 0, 1000)
  return entries.flatMap(({ index, leaf: bytes, payload }) => {
    const leaf = parseLeaf(bytes)
    const statement = payload === null ? 'erased' : parseStatement(payload)
    if (typeof leaf === 'string' || typeof statement === 'string') return []
    const matter = change({ index, matter: statement.predicate.matter })
    const changed = { ...statement, predicate: { ...statement.predicate, matter } }
    return guardedEntry(index, leaf, changed) ?? []
  })
}

async function findings(
  store: StoreReader,
  guarded: readonly GuardedEntry[],
): Promise<readonly string[]> {
  const found: string[] = []
  const tenant = await store.readTenant('default')
  const instance = await store.readInstance()
  if (tenant === undefined || instance === undefined) throw new Error('No log')
  await checkControl(fsckRequest(store), tenant, instance, guarded, ({ index, what }) => {
    found.push(`${index ?? '-'}: ${what}`)
  })
  return found
}

it('what took two keys is held against its action, and what needed none against the log', async () => {
  const at = await foundTestService({ dualControl: 'all' })
  const { service } = at
  const ids = []
  for (let n = 0; n < 4; n++) ids.push((await at.notarise(blockedRequest(n))).id)
  const [before = '', first = '', second = ''] = ids
  await service.erase(requester, before, reason)
  await service.orderKeys('default', { order: 'rewrap' }, founder)
  await foundRoster(at)
  await service.orderKeys('default', { order: 'rewrap' }, founder)
  await service.orderKeys('default', { order: 'rotate', purpose: 'fast' }, founder)
  const keys = await service.listKeys('default')
  const key = keys.find(({ purpose, state }) => purpose === 'fast' && state === 'retired')
  const { keyId = '' } = key ?? {}
  const one = await executed(at, { action: 'erase', decision: first, reason })
  const two = await executed(at, { action: 'erase', decision: second, reason })
  await executed(at, { action: 'keys.revoke', key: keyId, reason })
  await executed(at, { action: 'keys.destroy', key: keyId })
  await executed(at, { action: 'keys.rotate-master' })
  await executed(at, { action: 'control.none', reason })
  await service.closeTenant('default', reason, founder)
  await service.close()
  await storeOf(at, async (store) => {
    expect(await findings(store, await guardedOf(store))).toEqual([])

    const [erasure, other] = [one.done?.index ?? 0, two.done?.index ?? 0]
    const forged = async (index: number, change: (matter: Matter) => Matter): Promise<string> => {
      const guarded = await guardedOf(store, (told) =>
        told.index === index ? change(told.matter) : told.matter,
      )
      return (await findings(store, guarded)).join('\n')
    }
    const control = (value: unknown) => (matter: Matter) => ({ ...matter, control: value })
    const named = (change: Matter) => (matter: Matter) => ({
      ...matter,
      control: { ...(matter['control'] as Matter), ...change },
    })
    expect(await forged(erasure, control(undefined))).toContain('it names no approved action')
    expect(await forged(erasure, control({ waived: 'not controlled' }))).toContain(
      'Two leads must sign',
    )
    expect(await forged(erasure, control({ waived: 'no roster' }))).toContain('there was one')
    expect(await forged(erasure, control({ waived: 'break-glass' }))).toContain(
      'Two leads must sign',
    )
    expect(await forged(erasure, named({ sha256: 'ab'.repeat(32) }))).toContain('another text')
    const nowhere = 'action-01890a5d-ac96-774b-bcce-b302099a8001'
    expect(await forged(erasure, named({ action: nowhere }))).toContain('no such action')
    expect(await forged(erasure, (matter) => ({ ...matter, reason: 'Other' }))).toContain(
      'signed something else',
    )
    expect(await forged(other, named({ action: `action-${one.action}` }))).toContain('another text')
    const guarded = await guardedOf(store)
    const twice = guarded.find(({ index }) => index === erasure)
    if (twice === undefined) throw new Error('No erasure')
    expect((await findings(store, [...guarded, { ...twice, index: 500 }])).join()).toContain(
      'Action was used before',
    )
    expect((await findings(store, [{ ...twice, index: erasure + 1 }])).join()).toContain(
      'Action was used before',
    )
    expect((await findings(store, [{ ...twice, index: erasure - 1 }])).join()).toContain(
      'before its action',
    )
    const forked = new Proxy(store, {
      get(target, property) {
        if (property === 'readStreamStart')
          return async (tenant: string, stream: string) => {
            const start = await target.readStreamStart(tenant, stream)
            return start && stream === first ? { ...start, leafHash: new Uint8Array(32) } : start
          }
        const value: unknown = Reflect.get(target, property)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    expect(await findings(forked, guarded)).toEqual([
      expect.stringMatching(`^${erasure}: Two leads have signed for another decision of that id`),
    ])
    // Each other guarded thing, when somebody else was named in it.
    const changes: readonly (readonly [string, Matter])[] = [
      ['revoked', { keyId: nowhere.slice(7) }],
      ['revoked', { reason: 'Other' }],
      ['destroyed', { version: 2 }],
      ['activated', { version: 3 }],
    ]
    for (const [event, change] of changes) {
      const wrong = await guardedOf(store, ({ index, matter }) => {
        const isMeant = matter['event'] === event && matter['purpose'] !== 'log' && index > erasure
        return isMeant && matter['control'] !== undefined ? { ...matter, ...change } : matter
      })
      expect([event, (await findings(store, wrong)).join()]).toEqual([
        event,
        expect.stringContaining('signed something else'),
      ])
    }
    const rewrapped = guarded.findLast(({ providers }) => providers !== undefined)?.index
    const moved = await guardedOf(store, ({ index, matter }) => {
      const [slot] = (matter['slots'] ?? []) as readonly Matter[]
      return index === rewrapped ? { ...matter, slots: [{ ...slot, provider: 'kms' }] } : matter
    })
    expect((await findings(store, moved)).join()).toContain('they are others')
  })
})

function pretendHsm() {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => 120 + i)
  return disguise(createEnvironmentKek(new Secret(utf8(encodeBase64Url(bytes)))), 'hsm')
}

it('opening by hand waits for nobody, and is told and counted', async () => {
  const at = await foundTestService({ dualControl: 'all' })
  await foundRoster(at)
  expect(await at.service.readControl('default')).toMatchObject({ breakGlass: 0 })
  await at.service.putSlots('default', [pretendHsm()], () => false, founder)
  expect(await at.service.readControl('default')).toMatchObject({
    breakGlass: 1,
    dualControl: 'all',
  })
  expect(at.events.join()).toContain('keys.break-glass')
  await storeOf(at, async (store) => {
    expect(await findings(store, await guardedOf(store))).toEqual([])
    const spared = await guardedOf(store, ({ matter }) =>
      matter['event'] === 'slots' ? { ...matter, control: { waived: 'not controlled' } } : matter,
    )
    expect((await findings(store, spared)).join()).toContain('Two leads must sign')
  })
})

it('a migration that was cut off goes on under its action, and under none that is older', async () => {
  let fails = true
  const hsm = pretendHsm()
  const at = await foundTestService({
    dualControl: 'all',
    openInFreshProcess: () =>
      fails ? Promise.reject(new Failure('KEK_UNAVAILABLE', 'Token is away')) : Promise.resolve(),
    others: [hsm],
  })
  await foundRoster(at)
  const { service } = at
  // Whoever runs the installation, for a tenant's own key may not move its keys elsewhere.
  const operator = { ...requester, caller: founder }
  const execute = ({ action }: ActionView) =>
    service.actOnAction(operator, action, { act: 'execute' })
  const view = await approved(at, { action: 'keys.migrate', to: 'hsm' })
  await expect(execute(view)).rejects.toMatchObject({ code: 'KEK_UNAVAILABLE' })
  expect(await service.readAction('default', view.action)).toMatchObject({ status: 'executed' })
  fails = false
  const { done } = await execute(view)
  expect(done?.keys?.steps.map(({ event }) => event)).toEqual(['slots', 'slots'])
  expect((await execute(view)).done?.keys?.steps).toEqual([])
  await storeOf(at, async (store) => {
    expect(await findings(store, await guardedOf(store))).toEqual([])
  })
  // Once something else has become of the master key, what was signed for before is over.
  await service.orderKeys('default', { order: 'rewrap' }, founder)
  await expect(execute(view)).rejects.toMatchObject({
    code: 'ACTION_REFUSED',
    message: expect.stringContaining('is over') as string,
  })
})

it('going back to an older policy is held against what was signed of that', async () => {
  const at = await foundTestService({ dualControl: 'all' })
  const { service } = at
  await foundRoster(at)
  const activate = (version: string, rollback: boolean): Promise<ActionView> =>
    executed(at, { action: 'policy.activate', bundle: digestOf(version), rollback, scope: {} })
  for (const version of ['1', '2'])
    await service.registerPolicy('default', recordTextOf(version), founder)
  await activate('1', false)
  await activate('2', false)
  await activate('1', true)
  await service.close()
  await storeOf(at, async (store) => {
    expect(await findings(store, await guardedOf(store))).toEqual([])
    const turned = await guardedOf(store, ({ matter }) =>
      matter['event'] === 'activated'
        ? { ...matter, rollback: matter['rollback'] !== true }
        : matter,
    )
    const found = await findings(store, turned)
    expect(found.filter((what) => what.includes('signed something else'))).toHaveLength(3)
  })
})

import { describe, expect, it } from 'vitest'
import { asFailure } from '../../../src/base/failure.ts'
import { rosterDigest } from '../../../src/dossier/roster.ts'
import { verifyDossier } from '../../../src/verify/index.ts'
import { updateTrustRoot } from '../../../src/verify/update-trust-root.ts'
import type { OverrideView } from '../../../src/wire/overrides.ts'
import { firstRoster, leadKey, leadSign, secondRoster } from '../../support/forge-override.ts'
import {
  blockedRequest,
  changeRoster,
  digests,
  foundRoster,
  proposalOf,
  requester,
  signing,
} from '../../support/leads.ts'
import { foundTestService, founder, principalOf, type TestService } from '../../support/service.ts'
import { replacing } from '../../support/replacing.ts'

const start = 1_790_000_000_000

/** A service with a roster, whose clock stands still until it is moved. */
async function founded(): Promise<{ at: TestService; clock: { now: number } }> {
  const clock = { now: start }
  const at = await foundTestService({ clock: () => clock.now })
  await foundRoster(at)
  return { at, clock }
}

const opening = (decision: string, change = {}) => ({
  approveWithinSeconds: 60,
  decision,
  executeWithinSeconds: 120,
  justification: 'Customer waits',
  ...change,
})

/** A blocked decision and a request to overrule it. */
async function opened(at: TestService, change = {}): Promise<OverrideView> {
  const { id } = await at.notarise(blockedRequest(1))
  return at.service.openOverride(requester, opening(id, change))
}

async function signedByBoth(at: TestService, { challenge, decision }: OverrideView) {
  await at.service.actOnOverride(requester, decision, signing('ann', 'risk_lead', challenge))
  return at.service.actOnOverride(requester, decision, signing('bob', 'security_lead', challenge))
}

const refused = (why: string) => ({
  code: 'OVERRIDE_REFUSED',
  message: expect.stringContaining(why) as string,
})

async function reportOf({ service }: TestService, stream: string) {
  return verifyDossier(
    await service.exportDossier('default', stream),
    await service.readTrustRoot('default'),
  )
}

describe('a roster', () => {
  it('counts once its people have signed it, and the trust root names it, which whoever has the one before takes', async () => {
    const at = await foundTestService()
    const older = await at.service.readTrustRoot('default')
    expect(await at.service.readRoster('default')).toMatchObject({ asked: [], current: null })
    await foundRoster(at)
    await changeRoster(at)
    expect(await at.service.readRoster('default')).toMatchObject({
      current: { roster: { version: 2 }, sha256: digests[1] },
    })
    let held = older
    for (const version of [2, 3]) {
      const newer = await at.service.readTrustRoot('default', version)
      const proof = await at.service.exportTrustProof('default', version)
      expect(updateTrustRoot(held, newer, [proof])).toMatchObject({ ok: true })
      held = newer
    }
    expect(await reportOf(at, 'roster')).toMatchObject({ verdict: 'valid' })
  })

  it('is not taken over with one key, nor by strangers', async () => {
    const { at } = await founded()
    const view = await at.service.readRoster('default')
    const taking = (...leads: ('ann' | 'bob' | 'dan')[]) =>
      at.service.applyRoster('default', proposalOf(view, secondRoster, ...leads), founder)
    await expect(taking('ann', 'dan')).rejects.toMatchObject({
      code: 'ROSTER_REFUSED',
      message: 'No security_lead of version 1 has signed, nor have enough recovery keys',
    })
    await expect(taking('ann', 'bob')).rejects.toMatchObject({ code: 'ROSTER_REFUSED' })
    const elsewhere = proposalOf({ ...view, tenant: 'other' }, secondRoster, 'ann', 'bob', 'dan')
    await expect(at.service.applyRoster('default', elsewhere, founder)).rejects.toMatchObject({
      message: expect.stringContaining('not one of this text') as string,
    })
    expect((await at.service.readRoster('default')).current?.sha256).toBe(digests[0])
  })

  it('is published when it is given again, or at the next start, where that was cut off', async () => {
    for (const restart of [false, true]) {
      const clock = { now: start }
      const at = await foundTestService({
        clock: () => clock.now,
        wrapStore: (store) =>
          replacing(store, {
            async commit(commit) {
              await store.commit(commit)
              // Too far back for the log to make another entry: the trust root’s.
              if (commit.entries.some(({ kind }) => kind === 'roster')) clock.now -= 10_000
            },
          }),
      })
      await expect(foundRoster(at)).rejects.toMatchObject({ code: 'LOG_CLOCK' })
      clock.now = start
      expect(await reportOf(at, 'roster')).toMatchObject({ verdict: 'inconclusive' })
      const again = restart ? await at.reopen() : at
      if (!restart) await foundRoster(again)
      const report = await reportOf(again, 'roster')
      expect(report).toMatchObject({ verdict: 'valid' })
      expect(report.entries).toHaveLength(1)
    }
  })

  it('stays in the trust root when keys are rotated, and what it has overruled stays good', async () => {
    const { at } = await founded()
    const request = await opened(at)
    await signedByBoth(at, request)
    await at.service.actOnOverride(requester, request.decision, { act: 'execute' })
    const older = await at.service.readTrustRoot('default')
    await at.service.orderKeys('default', { order: 'rotate', purpose: 'evidence' }, founder)
    const newer = await at.service.readTrustRoot('default', 3)
    const proof = await at.service.exportTrustProof('default', 3)
    expect(updateTrustRoot(older, newer, [proof])).toMatchObject({ ok: true })
    expect(await reportOf(at, request.decision)).toMatchObject({
      status: 'ALLOW by override',
      verdict: 'valid',
    })
  })

  it('given again is the same one, entered once', async () => {
    const { at } = await founded()
    const view = await at.service.readRoster('default')
    const again = proposalOf(view, firstRoster, 'ann', 'bob')
    const before = await at.service.listTenants()
    expect(await at.service.applyRoster('default', again, founder)).toMatchObject({
      event: 'version',
      index: view.current?.from,
    })
    expect(await at.service.listTenants()).toEqual(before)
  })

  it('whose lead is lost comes back by the recovery keys, seven days after they asked', async () => {
    const clock = { now: start }
    const at = await foundTestService({ clock: () => clock.now })
    const recovery = { keys: [{ key: leadKey('dan'), kind: 'Ed25519' as const }], threshold: 1 }
    const first = { ...firstRoster, recovery }
    const place = await at.service.readRoster('default')
    await at.service.applyRoster('default', proposalOf(place, first, 'ann', 'bob', 'dan'), founder)
    const next = { ...first, previous: rosterDigest(first), version: 2 }
    let running = at
    const apply = () =>
      running.service.applyRoster('default', proposalOf(place, next, 'dan'), founder)
    expect(await apply()).toMatchObject({ countsFrom: start + 7 * 86_400_000, event: 'recovery' })
    await expect(apply()).rejects.toMatchObject({ code: 'ROSTER_REFUSED' })
    clock.now = start + 7 * 86_400_000 - 1
    running = await at.reopen()
    await expect(apply()).rejects.toMatchObject({
      message: expect.stringContaining('Recovery counts from') as string,
    })
    clock.now += 1
    expect(await apply()).toMatchObject({ event: 'version', version: 2 })
    expect(await reportOf(running, 'roster')).toMatchObject({ verdict: 'valid' })
  })
})

describe('a decision that two leads overrule', () => {
  it('is an ALLOW for one use, and its dossier says by whom', async () => {
    const { at } = await founded()
    const request = await opened(at)
    expect(request).toMatchObject({ signatures: [], status: 'pending', void: false })
    expect(await signedByBoth(at, request)).toMatchObject({ status: 'approved' })
    const { decision } = request
    await expect(at.service.claim(requester, decision, {})).rejects.toMatchObject({
      code: 'INPUT_NOT_CLAIMABLE',
    })
    expect(await at.service.actOnOverride(requester, decision, { act: 'execute' })).toMatchObject({
      status: 'executed',
    })
    expect(await at.service.claim(requester, decision, {})).toMatchObject({ maxUses: 1, use: 1 })
    await expect(at.service.claim(requester, decision, {})).rejects.toMatchObject({
      code: 'INPUT_CLAIMED',
    })
    expect(await reportOf(at, decision)).toMatchObject({
      override: { signatures: [{ person: 'ann' }, { person: 'bob' }], status: 'executed' },
      status: 'ALLOW by override',
      verdict: 'valid',
    })
  })

  it('is overruled once, of fifty that try at once', async () => {
    const { at } = await founded()
    const request = await opened(at)
    await signedByBoth(at, request)
    const tried = await Promise.allSettled(
      Array.from({ length: 50 }, () =>
        at.service.actOnOverride(requester, request.decision, { act: 'execute' }),
      ),
    )
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const { entries, verdict } = await reportOf(at, request.decision)
    expect(verdict).toBe('valid')
    expect(entries.filter(({ kind }) => kind === 'override')).toHaveLength(2)
  })

  it('goes on after a restart between the two signatures', async () => {
    const { at } = await founded()
    const { challenge, decision } = await opened(at)
    await at.service.actOnOverride(requester, decision, signing('ann', 'risk_lead', challenge))
    const again = await at.reopen()
    expect(await again.service.readOverride('default', decision)).toMatchObject({
      challenge,
      status: 'partial',
    })
    await again.service.actOnOverride(
      requester,
      decision,
      signing('bob', 'security_lead', challenge),
    )
    const done = await again.service.actOnOverride(requester, decision, { act: 'execute' })
    expect(done.status).toBe('executed')
  })

  it('is erased with everything that was said of it, and then overruled no more', async () => {
    const { at } = await founded()
    const request = await opened(at)
    await signedByBoth(at, request)
    await at.service.erase(requester, request.decision, 'asked for')
    await expect(
      at.service.actOnOverride(requester, request.decision, { act: 'execute' }),
    ).rejects.toMatchObject({ code: 'INPUT_ERASED' })
    expect(await reportOf(at, request.decision)).toMatchObject({ verdict: 'erased' })
  })
})

describe('an override is refused', () => {
  it('before anybody is asked, where policy or the floor forbid it, or nothing was said no to', async () => {
    const { at } = await founded()
    const open = async (change: Readonly<Record<string, unknown>>) => {
      const { id } = await at.notarise(blockedRequest(2, change))
      return at.service.openOverride(requester, opening(id))
    }
    await expect(open({ overridable: false })).rejects.toMatchObject(refused('Policy does not let'))
    await expect(open({ status: 'ALLOW' })).rejects.toMatchObject(refused('said no'))
    await expect(open({ mode: 'shadow' })).rejects.toMatchObject(refused('said no'))
    await expect(open({ gates: [{ name: 'complexity', passed: false }] })).rejects.toMatchObject(
      refused('Complexity floor'),
    )
    await expect(
      at.service.openOverride(requester, opening('01890a5d-ac96-774b-bcce-b302099a8001')),
    ).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' })
  })

  it('where there is no roster', async () => {
    const at = await foundTestService()
    await expect(opened(at)).rejects.toMatchObject(refused('There is no roster'))
  })

  it('to swapped roles, to one lead twice, and to whoever asked', async () => {
    const { at } = await founded()
    const { challenge, decision } = await opened(at)
    const sign = (...given: Parameters<typeof signing>) =>
      at.service.actOnOverride(requester, decision, signing(...given))
    await expect(sign('ann', 'security_lead', challenge)).rejects.toMatchObject(
      refused('holds the role security_lead'),
    )
    await sign('ann', 'risk_lead', challenge)
    await expect(sign('ann', 'risk_lead', challenge)).rejects.toMatchObject(
      refused('Role has signed already'),
    )
    await expect(sign('dan', 'security_lead', challenge)).rejects.toMatchObject(
      refused('Key is not in the roster'),
    )
    const { id } = await at.notarise(blockedRequest(3))
    const own = await at.service.openOverride(principalOf('checkpoint', 'ann'), opening(id))
    await expect(
      at.service.actOnOverride(requester, id, signing('ann', 'risk_lead', own.challenge)),
    ).rejects.toMatchObject(refused('Whoever asked may not sign'))
  })

  it('to a signature that was given for something else, by the name of what differs', async () => {
    const { at } = await founded()
    const other = await opened(at, { justification: 'Something else' })
    const { challenge, decision } = await opened(at)
    const replayed = (text: string) =>
      at.service.actOnOverride(requester, decision, signing('ann', 'risk_lead', text))
    const changed = (line: string, value: string): string =>
      challenge.replace(new RegExp(`^${line}: .*$`, 'm'), `${line}: ${value}`)
    await expect(replayed(other.challenge)).rejects.toMatchObject(refused('by its Decision'))
    for (const [line, value] of [
      ['Instance', '01890a5d-ac96-774b-bcce-b302099a8001'],
      ['Tenant', 'other'],
      ['Origin', 'log.example/other'],
      ['Effect', '{"action":"erase"}'],
      ['Decision leaf', 'ab'.repeat(32)],
      ['Failed gates', '[]'],
      ['Justification', '"Pay me"'],
      ['Requested by', '["eve"]'],
      ['Roles', 'security_lead, risk_lead'],
      ['Roster', `2 ${digests[1]}`],
      ['Nonce', 'ab'.repeat(32)],
      ['Approve by', new Date(0).toISOString()],
      ['Execute by', new Date(0).toISOString()],
    ] as const)
      await expect(replayed(changed(line, value))).rejects.toMatchObject(refused(`by its ${line}`))
    // Without the text nobody can know for what it was given.
    const bare = { challenge, signature: leadSign('ann', other.challenge) }
    await expect(
      at.service.actOnOverride(requester, decision, signing('ann', 'risk_lead', challenge, bare)),
    ).rejects.toMatchObject(refused('Signature of ann'))
    await replayed(challenge)
  })

  it('under a roster that has changed, until it is revoked and asked for again', async () => {
    const { at } = await founded()
    const request = await opened(at)
    await signedByBoth(at, request)
    await changeRoster(at)
    const { decision } = request
    expect(await at.service.readOverride('default', decision)).toMatchObject({ void: true })
    await expect(
      at.service.actOnOverride(requester, decision, { act: 'execute' }),
    ).rejects.toMatchObject(refused('Roster has changed'))
    await expect(at.service.openOverride(requester, opening(decision))).rejects.toMatchObject(
      refused('Another request about this decision is open'),
    )
    await at.service.actOnOverride(requester, decision, { act: 'revoke', reason: 'New roster' })
    const again = await at.service.openOverride(requester, opening(decision))
    await signedByBoth(at, again)
    await at.service.actOnOverride(requester, decision, { act: 'execute' })
    expect(await reportOf(at, decision)).toMatchObject({
      status: 'ALLOW by override',
      verdict: 'valid',
    })
  })

  it('after a lead has rejected it, whose name is the owner of the key that called', async () => {
    const { at } = await founded()
    const { challenge, decision } = await opened(at)
    const reject = (owner: string) =>
      at.service.actOnOverride(principalOf('checkpoint', owner), decision, {
        act: 'reject',
        reason: 'Too much',
      })
    await expect(reject('carl')).rejects.toMatchObject(refused('Only a lead may reject'))
    expect(await reject('bob')).toMatchObject({ status: 'rejected' })
    await expect(
      at.service.actOnOverride(requester, decision, signing('ann', 'risk_lead', challenge)),
    ).rejects.toMatchObject(refused('not open for signatures'))
    expect(await reportOf(at, decision)).toMatchObject({
      override: { status: 'rejected' },
      status: 'BLOCK',
      verdict: 'valid',
    })
  })

  it('after it was revoked, by who asked and not by strangers', async () => {
    const { at } = await founded()
    const { decision } = await opened(at)
    const revoke = (owner: string) =>
      at.service.actOnOverride(principalOf('checkpoint', owner), decision, {
        act: 'revoke',
        reason: 'No need',
      })
    await expect(revoke('zoe')).rejects.toMatchObject(refused('Only who asked, or a lead'))
    expect(await revoke('carl')).toMatchObject({ status: 'revoked' })
  })
})

describe('requests to overrule one decision', () => {
  it('are thirty-two at most, and its dossier verifies with all of them', async () => {
    const { at } = await founded()
    const { decision } = await opened(at)
    const act = { act: 'revoke', reason: 'Asked by mistake' } as const
    for (let n = 2; n <= 32; n++) {
      await at.service.actOnOverride(requester, decision, act)
      await at.service.openOverride(requester, opening(decision))
    }
    await at.service.actOnOverride(requester, decision, act)
    await expect(at.service.openOverride(requester, opening(decision))).rejects.toMatchObject(
      refused('As many asked to overrule this decision as may ask about any'),
    )
    expect(await reportOf(at, decision)).toMatchObject({ verdict: 'valid' })
  })
})

describe('the list of overrides', () => {
  it('names each decision once, by its last step, newest first, page by page', async () => {
    const { at } = await founded()
    const [first, second, third] = [await opened(at), await opened(at), await opened(at)]
    await at.notarise(blockedRequest(4))
    await at.service.actOnOverride(requester, first.decision, { act: 'revoke', reason: 'No' })
    await at.service.erase(requester, third.decision, 'asked for')
    const { overrides, cursor } = await at.service.listOverrides('default', { limit: 2 })
    expect(overrides).toMatchObject([
      { decision: first.decision, status: 'revoked' },
      { approveBy: null, decision: third.decision, status: null },
    ])
    const rest = await at.service.listOverrides('default', { cursor: cursor ?? '', limit: 2 })
    expect(rest).toMatchObject({
      cursor: null,
      overrides: [{ decision: second.decision, status: 'pending' }],
    })
    await expect(
      at.service.listOverrides('default', { cursor: 'x', limit: 2 }),
    ).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})

describe('a deadline', () => {
  it('lets the second signature in at its millisecond, and not behind it', async () => {
    const { at, clock } = await founded()
    const request = await opened(at)
    const { challenge, decision } = request
    await at.service.actOnOverride(requester, decision, signing('ann', 'risk_lead', challenge))
    clock.now = request.approveBy + 1
    await expect(
      at.service.actOnOverride(requester, decision, signing('bob', 'security_lead', challenge)),
    ).rejects.toMatchObject(refused('not open for signatures'))
    expect(await reportOf(at, decision)).toMatchObject({
      override: { status: 'expired' },
      verdict: 'valid',
    })
    const again = await at.service.openOverride(requester, opening(decision))
    clock.now = again.approveBy
    expect(await signedByBoth(at, again)).toMatchObject({ status: 'approved' })
  })

  it('lets it come to pass at its millisecond, and not behind it', async () => {
    const { at, clock } = await founded()
    for (const late of [0, 1]) {
      const request = await opened(at)
      await signedByBoth(at, request)
      clock.now = request.executeBy + late
      const done = at.service.actOnOverride(requester, request.decision, { act: 'execute' })
      if (late === 0) expect(await done).toMatchObject({ status: 'executed' })
      else await expect(done).rejects.toMatchObject(refused('Request is over: expired'))
      expect((await reportOf(at, request.decision)).verdict).toBe('valid')
    }
  })

  it('holds by the time that the log gives, whenever the clock moves on while it is being signed', async () => {
    const clock = { now: start, reads: Infinity }
    const at = await foundTestService({
      clock: () => (clock.reads-- > 0 ? clock.now : clock.now + 1),
    })
    await foundRoster(at)
    const ends: string[] = []
    for (let reads = 0; reads < 5; reads++) {
      const request = await opened(at)
      await signedByBoth(at, request)
      clock.now = request.executeBy
      clock.reads = reads
      const { decision } = request
      const end = at.service
        .actOnOverride(requester, decision, { act: 'execute' })
        .then(({ status }) => status)
      ends.push(await end.catch((error: unknown) => asFailure(error).code))
      clock.now += 1
      clock.reads = Infinity
      const { status, verdict } = await reportOf(at, decision)
      expect([reads, verdict, status]).toEqual([
        reads,
        'valid',
        ends.at(-1) === 'executed' ? 'ALLOW by override' : 'BLOCK',
      ])
    }
    expect(new Set(ends)).toEqual(new Set(['OVERRIDE_REFUSED', 'executed']))
  })

  it('cannot be put off by a clock that is set back', async () => {
    const { at, clock } = await founded()
    const request = await opened(at)
    clock.now = request.approveBy + 1
    await at.notarise(blockedRequest(9))
    clock.now = request.approveBy - 1000
    await expect(
      at.service.actOnOverride(
        requester,
        request.decision,
        signing('ann', 'risk_lead', request.challenge),
      ),
    ).rejects.toMatchObject(refused('not open for signatures'))
  })
})

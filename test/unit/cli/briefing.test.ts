import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import type { Service } from '../../../src/decisions/service.ts'
import type { ActionWish } from '../../../src/wire/actions.ts'
import { runOver } from '../../support/cli-over.ts'
import { leadKey, leadSign } from '../../support/forge-override.ts'
import { recordTextOf } from '../../support/forge-policy.ts'
import { blockedRequest, foundRoster, requester, signing } from '../../support/leads.ts'
import { heldRequest } from '../../support/reviewers.ts'
import { foundTestService, founder, type TestService } from '../../support/service.ts'

const start = 1_790_000_000_000

async function controlled() {
  const at = await foundTestService({ clock: () => start, dualControl: 'all' })
  await foundRoster(at)
  return at
}

const unsafe = {
  intent: {
    action: { amount: 250_000, type: 'transfer' },
    actor: { id: 'agent-1\x1b[2J\r\n  status         ALLOW', type: 'bot' },
    context: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, 'x'.repeat(5000)])),
    resource: { account: 'A-17\u202e', '\x1b]0;owned\x07': 1 },
  },
  reasons: [{ code: 'TOO_MUCH', text: 'Above the limit\n  status  ALLOW' }],
}

/** A decision that somebody wants to be overruled. */
async function openOverride(at: TestService, change: object = unsafe): Promise<string> {
  const { id } = await at.notarise(blockedRequest(1, { ...change }))
  await at.service.openOverride(requester, { decision: id, justification: 'Checked by phone' })
  return id
}

const openAction = async ({ service }: TestService, wish: ActionWish) =>
  (await service.openAction(requester, { justification: 'Asked for', wish })).action

/** What an unmoved terminal shows: nothing but printable characters and new lines. */
const isPlain = (text: string): boolean => !/[^\P{C}\n]/u.test(text)

describe('whoever signs an override', () => {
  it('is told what the decision is about, who asked, and until when', async () => {
    const at = await controlled()
    const id = await openOverride(at)
    const ran = await runOver(at.service, ['override', 'challenge', id])
    expect(ran.code).toBe(0)
    expect(ran.stdout).toBe((await at.service.readOverride('default', id)).challenge)
    expect(await runOver(at.service, ['override', 'challenge', id, '-o', '-'])).toEqual(ran)
    const says = ran.stderr.split('\n')
    for (const line of [
      'What the log says of what is signed:',
      `  decision       ${id}`,
      '  action         transfer',
      '  action         amount: 250000',
      String.raw`  resource       account: "A-17\u202e"`,
      '  status         BLOCK',
      '  gate failed    risk',
      '  asked by       alice (apiKey key-of-alice)',
      '  requested by   carl',
      `  requested at   ${new Date(start).toISOString()}`,
      '  why            Checked by phone',
      `  approve by     ${new Date(start + 3_600_000).toISOString()}`,
      `  execute by     ${new Date(start + 7_200_000).toISOString()}`,
    ])
      expect(says).toContain(line)
  })

  it('cannot be misled by what an intent says', async () => {
    const at = await controlled()
    const id = await openOverride(at)
    const { stderr } = await runOver(at.service, ['override', 'challenge', id])
    expect(isPlain(stderr)).toBe(true)
    expect(stderr.split('\n').filter((line) => /^ *status/.test(line))).toEqual([
      '  status         BLOCK',
    ])
    expect(stderr).toContain(String.raw`agent-1\u001b[2J\u000d\u000a `)
    expect(stderr).toContain('  context        … 28 more, not shown\n')
    expect(stderr.length).toBeLessThan(6000)
  })

  it('is told before the signature is taken, and standard output is JSON alone', async () => {
    const at = await controlled()
    const id = await openOverride(at)
    const { challenge } = await at.service.readOverride('default', id)
    const args = ['override', 'sign', id, '--role', 'risk_lead', '--json']
    const pasted = ['--signature', '-', '--public-key', leadKey('ann')]
    const ran = await runOver(at.service, [...args, ...pasted], {
      input: leadSign('ann', challenge),
    })
    expect(ran.code).toBe(0)
    expect(JSON.parse(ran.stdout)).toMatchObject({ decision: id, status: 'partial' })
    expect(ran.stderr).toContain('  action         amount: 250000\n')
    const unsigned = await runOver(at.service, [...args, ...pasted], { input: 'nothing' })
    expect(unsigned.code).not.toBe(0)
    expect(unsigned.stderr).toContain('  action         amount: 250000\n')
    expect(unsigned.stderr).toContain('  signed by      ann (risk_lead)\n')
  })

  it('is told what cannot be read, and goes on', async () => {
    const at = await controlled()
    const id = await openOverride(at, {})
    const instead: Partial<Service> = {
      exportDossier: () => Promise.reject(new Failure('STORE_FAILED', 'Disk is gone')),
      readDecision: () => Promise.reject(new Failure('STORE_FAILED', 'Disk is \x1bgone')),
    }
    const ran = await runOver(at.service, ['override', 'challenge', id], { instead })
    expect(ran).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Countersign ') as string,
    })
    expect(ran.stderr).toContain(String.raw`  decision       cannot be read: Disk is \u001bgone`)
    expect(ran.stderr).toContain('  requested at   cannot be read: Disk is gone\n')
    expect(ran.stderr).toContain('  requested by   carl\n')
    const odd = async () => ({
      ...(await at.service.readDecision('default', id)),
      decision: '{"status":"ALLOW"}',
    })
    const strange = await runOver(at.service, ['override', 'challenge', id], {
      instead: { readDecision: odd },
    })
    expect(strange.code).toBe(0)
    expect(strange.stderr).toMatch(/^ {2}decision {7}[-0-9a-f]{36}: cannot be read: /m)
    expect(strange.stderr).not.toContain('ALLOW')
  })
})

describe('whoever signs an action', () => {
  const told = async ({ service }: TestService, action: string) => {
    const ran = await runOver(service, ['action', 'challenge', action])
    expect(ran.code).toBe(0)
    return ran.stderr.split('\n')
  }

  it('is told which decision is erased, and that it is erased already', async () => {
    const at = await controlled()
    const { id } = await at.notarise(blockedRequest(1, unsafe))
    const wish: ActionWish = { action: 'erase', decision: id, reason: 'Request 4711' }
    const [first, second] = [await openAction(at, wish), await openAction(at, wish)]
    const before = await told(at, second)
    expect(before).toContain('  effect         erase')
    expect(before).toContain('  effect         reason: "Request 4711"')
    expect(before).toContain('  action         amount: 250000')
    const { challenge } = await at.service.readAction('default', first)
    for (const lead of ['ann', 'bob'] as const) {
      const role = lead === 'ann' ? 'risk_lead' : 'security_lead'
      await at.service.actOnAction(requester, first, signing(lead, role, challenge))
    }
    await at.service.actOnAction(requester, first, { act: 'execute' })
    const after = await told(at, second)
    expect(after.join('\n').replaceAll(/\n +\| /g, '')).toContain(
      `  decision       ${id}: erased, its content is gone\n`,
    )
    expect(after.join('\n')).not.toContain('250000')
  })

  it('is told of a policy by its name, and what it replaces', async () => {
    const at = await foundTestService({ clock: () => start, dualControl: 'all' })
    const push = (n: number) =>
      at.service.registerPolicy('default', recordTextOf(String(n)), founder)
    const [one, two] = [await push(1), await push(2)]
    await at.service.activatePolicy('default', one.sha256, {}, founder)
    await foundRoster(at)
    const scope = { actions: ['transfer'] }
    const activation = await openAction(at, {
      action: 'policy.activate',
      bundle: two.sha256,
      scope,
    })
    expect(await told(at, activation)).toEqual(
      expect.arrayContaining([
        `  policy         ${two.id}`,
        '  version        2',
        '  replaces       version 1',
        '  decided on     everything',
        '  will decide on {"actions":["transfer"]}',
        `  read it        countersign policy show ${two.sha256.slice(0, 16)}`,
      ]),
    )
    const ending = await openAction(at, {
      action: 'policy.retire',
      bundle: one.sha256,
      reason: 'Old',
    })
    expect(await told(at, ending)).toContain(
      `  decides now    yes, and no version of ${one.id} does afterwards`,
    )
    const unknown = await runOver(at.service, ['action', 'challenge', activation], {
      instead: { listPolicies: () => Promise.resolve([]) },
    })
    expect(unknown).toMatchObject({ code: 0 })
    expect(unknown.stderr).toContain(
      '  policy         cannot be read: the log knows no such bundle',
    )
  })

  it('is told which key, and which tenant', async () => {
    const at = await controlled()
    await at.service.orderKeys('default', { order: 'rotate', purpose: 'fast' }, founder)
    const key = (await at.service.listKeys('default')).find(({ state }) => state === 'retired')
    const keyId = key?.keyId ?? ''
    const destroying = await told(at, await openAction(at, { action: 'keys.destroy', key: keyId }))
    expect(destroying.some((line) => line.startsWith('  key            fast 1, retired'))).toBe(
      true,
    )
    const reason = 'Moved'
    const closing = await told(at, await openAction(at, { action: 'tenant.close', reason }))
    expect(closing.some((line) => /^ {2}tenant {9}default, \S+, \d+ entries$/.test(line))).toBe(
      true,
    )
    expect(closing).toContain('  two leads      must sign now')
  })
})

describe('whoever answers', () => {
  it('an escalation is told what is held, by whichever way', async () => {
    const at = await controlled()
    const { id } = await at.notarise(heldRequest(1, { ...unsafe, decideWithinSeconds: 600 }))
    for (const args of [
      ['challenge', id, '--answer', 'approve', '--reason', 'Checked', '-o', '-'],
      ['approve', id, '--reason', 'Checked'],
      ['reject', id, '--reason', 'Checked'],
    ]) {
      const { stderr, stdout } = await runOver(at.service, ['escalation', ...args])
      expect(stdout).toMatch(
        args[0] === 'challenge' ? /^Countersign escalation v1\n/ : /^$|^decision/,
      )
      for (const line of [
        '  action         amount: 250000',
        '  escalation     pending',
        `  held since     ${new Date(start).toISOString()}`,
        `  answer by      ${new Date(start + 600_000).toISOString()}`,
      ])
        expect(stderr.split('\n')).toContain(line)
      expect(isPlain(stderr)).toBe(true)
    }
    const ran = await runOver(
      at.service,
      ['escalation', 'challenge', id, '--answer', 'approve', '--reason', 'Checked'],
      { instead: { readEscalation: () => Promise.reject(new Failure('LOG_BUSY', 'Too many')) } },
    )
    expect(ran.code).toBe(0)
    expect(ran.stderr).toContain('  escalation     cannot be read: Too many\n')
  })

  it('a proposal is told what is voted on', async () => {
    const at = await controlled()
    const { intent } = unsafe
    const note = 'Release 7\n  status         approved'
    const { proposal } = await at.service.openProposal(requester, {
      intent: { action: { ...intent.action, type: 'pay' }, actor: intent.actor },
      note,
    })
    const { stderr } = await runOver(at.service, ['proposal', 'vote', proposal, 'approve'])
    const says = stderr.split('\n')
    for (const line of [
      '  action         pay',
      '  action         amount: 250000',
      '  proposed by    carl',
      `  proposed at    ${new Date(start).toISOString()}`,
    ])
      expect(says).toContain(line)
    expect(stderr).toContain(String.raw`  why            Release 7\u000a \u0020status`)
    expect(says.filter((line) => /^ *status/.test(line))).toEqual(['  status         open'])
    expect(isPlain(stderr)).toBe(true)
  })
})

import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { ListRequest } from '../../../src/decisions/service.ts'
import { checkTenant } from '../../support/fsck.ts'
import { blockedRequest, foundRoster, requester, signing } from '../../support/leads.ts'
import { foundTestService, requestOf, type TestService } from '../../support/service.ts'

async function founded(): Promise<{ at: TestService; clock: { now: number } }> {
  const clock = { now: 1_790_000_000_000 }
  const at = await foundTestService({ clock: () => clock.now })
  await foundRoster(at)
  return { at, clock }
}

async function opened(at: TestService) {
  const { id } = await at.notarise(blockedRequest(1))
  return at.service.openOverride(requester, {
    approveWithinSeconds: 60,
    decision: id,
    executeWithinSeconds: 120,
    justification: 'Customer waits',
  })
}

type Opened = Awaited<ReturnType<typeof opened>>

async function approved(at: TestService, { challenge, decision }: Opened): Promise<void> {
  for (const [lead, role] of [
    ['ann', 'risk_lead'],
    ['bob', 'security_lead'],
  ] as const)
    await at.service.actOnOverride(requester, decision, signing(lead, role, challenge))
}

const execute = (at: TestService, { decision }: Opened) =>
  at.service.actOnOverride(requester, decision, { act: 'execute' })

const seen = async ({ service }: TestService, { decision }: Opened) => {
  const { by, inForce, override, status } = await service.readDecision('default', decision)
  const { decisions } = await service.listDecisions('default', { limit: 99 })
  const row = decisions.find(({ id }) => id === decision)
  // The list has it from the database, the decision from the log.
  expect([row?.by, row?.inForce, row?.override, row?.status]).toEqual([
    by,
    inForce,
    override,
    status,
  ])
  return [status, inForce, by, override]
}

const idsOf = async ({ service }: TestService, request: Partial<ListRequest>) =>
  (await service.listDecisions('default', { limit: 99, ...request })).decisions.map(({ id }) => id)

/** What a check of the database finds. */
const findings = async (test: TestService): Promise<readonly string[]> =>
  (await checkTenant(test)).findings.map(({ what }) => what)

describe('what a decision is now', () => {
  it('is told beside what it was made as, step by step', async () => {
    const { at, clock } = await founded()
    const request = await opened(at)
    expect(await seen(at, request)).toEqual(['BLOCK', 'BLOCK', 'decision', 'pending'])
    await at.service.actOnOverride(
      requester,
      request.decision,
      signing('ann', 'risk_lead', request.challenge),
    )
    expect(await seen(at, request)).toEqual(['BLOCK', 'BLOCK', 'decision', 'partial'])
    await at.service.actOnOverride(
      requester,
      request.decision,
      signing('bob', 'security_lead', request.challenge),
    )
    clock.now = request.executeBy
    expect(await seen(at, request)).toEqual(['BLOCK', 'BLOCK', 'decision', 'approved'])
    await execute(at, request)
    expect(await seen(at, request)).toEqual(['BLOCK', 'ALLOW', 'override', 'executed'])
    clock.now += 1_000_000
    expect(await seen(at, request)).toEqual(['BLOCK', 'ALLOW', 'override', 'executed'])
    expect(await findings(at)).toEqual([])
  })

  it('is what it was once a deadline has passed, though nobody has told of that yet', async () => {
    const { at, clock } = await founded()
    const request = await opened(at)
    clock.now = request.approveBy
    expect(await seen(at, request)).toEqual(['BLOCK', 'BLOCK', 'decision', 'pending'])
    expect(await idsOf(at, { override: 'open' })).toEqual([request.decision])
    clock.now += 1
    expect(await seen(at, request)).toEqual(['BLOCK', 'BLOCK', 'decision', 'expired'])
    expect(await idsOf(at, { override: 'open' })).toEqual([])
    expect(await idsOf(at, { override: 'expired' })).toEqual([request.decision])
  })

  it('can be asked for, apart from what was made', async () => {
    const { at } = await founded()
    const [done, waiting] = [await opened(at), await opened(at)]
    await approved(at, done)
    await execute(at, done)
    const { id: allowed } = await at.notarise(requestOf(7))
    const { id: blocked } = await at.notarise(blockedRequest(8))
    expect(await idsOf(at, { inForce: 'ALLOW' })).toEqual([allowed, done.decision])
    expect(await idsOf(at, { inForce: 'ALLOW', by: 'override' })).toEqual([done.decision])
    expect(await idsOf(at, { inForce: 'BLOCK' })).toEqual([blocked, waiting.decision])
    expect(await idsOf(at, { status: 'BLOCK' })).toEqual([blocked, waiting.decision, done.decision])
    expect(await idsOf(at, { override: 'executed' })).toEqual([done.decision])
    await expect(
      at.service.listDecisions('default', { escalation: 'open', limit: 1, override: 'open' }),
    ).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })

  it('is erased with the decision', async () => {
    const { at } = await founded()
    const request = await opened(at)
    await approved(at, request)
    await execute(at, request)
    await at.service.erase(requester, request.decision, 'asked for')
    expect(await seen(at, request)).toEqual([null, null, null, null])
    expect(await idsOf(at, { inForce: 'ALLOW' })).toEqual([])
    expect(await findings(at)).toEqual([])
  })

  it('is found out by a check of the database that says something else', async () => {
    const { at } = await founded()
    const request = await opened(at)
    await approved(at, request)
    await execute(at, request)
    await at.service.close()
    const wrong = async (sql: string): Promise<readonly string[]> => {
      const db = new Database(join(at.directory, 'data', 'countersign.db'))
      db.exec('SAVEPOINT before')
      const rows = db.prepare('SELECT * FROM standings').all() as Record<string, unknown>[]
      db.exec(sql)
      db.exec('RELEASE before')
      const found = await findings(at)
      db.exec('DELETE FROM standings')
      for (const row of rows)
        db.prepare(
          'INSERT INTO standings VALUES (@tenant, @idx, @way, @stream, @state, @status, @until, @step, @decided_at)',
        ).run(row)
      db.close()
      return found
    }
    expect(await findings(at)).toEqual([])
    const other = ['Decision is not listed as what it has come to be']
    expect(await wrong("UPDATE standings SET state = 'pending'")).toEqual(other)
    expect(await wrong('UPDATE standings SET status = NULL')).toEqual(other)
    expect(await wrong('UPDATE standings SET until = 5')).toEqual(other)
    expect(await wrong('UPDATE standings SET step = step + 1')).toEqual(other)
    expect(await wrong('UPDATE standings SET decided_at = decided_at - 1')).toEqual(other)
    expect(await wrong('DELETE FROM standings')).toEqual([
      'Decision is not listed as one that somebody asked to overrule',
    ])
    expect(await findings(at)).toEqual([])
  })

  it('is found out where a decision that was held is not listed as held', async () => {
    const { at } = await founded()
    await at.notarise(requestOf(1, { status: 'ESCALATE' }))
    await at.notarise(requestOf(2, { status: 'REVIEW_REQUIRED' }))
    await at.service.close()
    expect(await findings(at)).toEqual([])
    const db = new Database(join(at.directory, 'data', 'countersign.db'))
    db.exec('DELETE FROM standings')
    db.close()
    const missing = 'Decision is not listed as one that was held for a reviewer'
    expect(await findings(at)).toEqual([missing, missing])
  })

  it('is made from the entries where a database is of version 3', async () => {
    const { at, clock } = await founded()
    const all = [await opened(at), await opened(at), await opened(at), await opened(at)]
    const [done, both, one, revoked] = all
    if (!done || !both || !one || !revoked) throw new Error('Not opened')
    await approved(at, done)
    await execute(at, done)
    clock.now += 7
    await approved(at, both)
    await at.service.actOnOverride(
      requester,
      one.decision,
      signing('ann', 'risk_lead', one.challenge),
    )
    await at.service.actOnOverride(requester, revoked.decision, { act: 'revoke', reason: 'No' })
    const again = await opened(at)
    await at.notarise(blockedRequest(5))
    await at.service.close()
    const db = new Database(join(at.directory, 'data', 'countersign.db'))
    const read = () => db.prepare('SELECT * FROM standings ORDER BY idx').all()
    const made = read()
    expect(made).toHaveLength(5)
    expect(made.at(-1)).toMatchObject({ state: 'pending', stream: again.decision })
    db.exec('DROP TABLE standings; DROP TABLE deliveries; DROP TABLE webhooks')
    db.pragma('user_version = 3')
    await (await openSqliteStore({ mode: 'write', path: join(at.directory, 'data') })).close()
    expect(read()).toEqual(made)
    db.close()
    expect(await findings(at)).toEqual([])
  })
})

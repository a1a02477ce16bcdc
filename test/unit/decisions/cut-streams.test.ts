import { cpSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { PinFile, type Pin, type PinStore } from '../../../src/log/pin.ts'
import { recordTextOf } from '../../support/forge-policy.ts'
import { foundRoster, requester, signing } from '../../support/leads.ts'
import { foundTestService, founder, requestOf, type TestService } from '../../support/service.ts'

const outcomeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: unknown) =>
      error instanceof Failure ? `${error.code} ${error.message}` : String(error),
  )

/** Changes the database of a service beside it. */
function edit({ directory }: TestService, sql: string, ...values: readonly unknown[]): void {
  const db = new Database(join(directory, 'data', 'countersign.db'))
  const { changes } = db.prepare(sql).run(...values)
  db.close()
  expect(changes, 'the attack changed something').toBeGreaterThan(0)
}

/** A service under dual control whose streams all hold something. */
async function controlled(): Promise<TestService> {
  const test = await foundTestService({ dualControl: 'all' })
  await test.service.registerPolicy('default', recordTextOf('allow'), founder)
  await foundRoster(test)
  await test.service.createApiKey('default', 'intern', ['log:read'], founder)
  return test
}

const gone = (stream: string): string =>
  `STORE_CORRUPT Rows are gone from the end of a stream, or were moved: bring the database back that has them. Stream ${stream}`

const streams = ['admin', 'control', 'policies', 'roster', 'trust'] as const
const last = '(SELECT max(e.seq) FROM entries e WHERE e.stream = entries.stream)'

/** As who closes the tenant alone, which takes two. */
const closing = ({ service }: TestService): Promise<unknown> =>
  service.closeTenant('default', 'Alone', founder)

const pinFile = ({ directory }: TestService): PinFile =>
  new PinFile(join(directory, 'keys', 'default.pin'))

describe('whoever takes rows away from the end of a stream', () => {
  it.each(streams)('is found out at the next start, stream %s', async (stream) => {
    const test = await controlled()
    await test.service.close()
    edit(test, `DELETE FROM entries WHERE stream = ? AND seq = ${last}`, stream)
    expect(await outcomeOf(test.reopen())).toBe(gone(stream))
  })

  it('is found out at the next start where he moves a whole stream to another name', async () => {
    const test = await controlled()
    await test.service.close()
    edit(test, `UPDATE entries SET stream = 'not-' || stream WHERE stream = 'control'`)
    expect(await outcomeOf(test.reopen())).toBe(gone('control'))
  })

  it('does not end dual control while the service runs, and nothing comes in their place', async () => {
    const test = await controlled()
    expect(await outcomeOf(closing(test))).toMatch(/^ACTION_REQUIRED /)
    edit(test, `UPDATE entries SET stream = 'not-' || stream WHERE stream IN ('control', 'roster')`)
    expect(await outcomeOf(closing(test))).toBe(gone('roster'))
    edit(test, `UPDATE entries SET stream = 'roster' WHERE stream = 'not-roster'`)
    expect(await outcomeOf(closing(test))).toBe(gone('control'))
    edit(test, `UPDATE entries SET stream = 'not-admin' WHERE stream = 'admin'`)
    const made = test.service.createApiKey('default', 'mallory', ['log:read'], founder)
    expect(await outcomeOf(made)).toBe(gone('admin'))
    edit(test, `UPDATE entries SET stream = substr(stream, 5) WHERE stream LIKE 'not-%'`)
    expect(await outcomeOf(closing(test))).toMatch(/^ACTION_REQUIRED /)
    expect((await test.notarise(requestOf(1), undefined, requester)).status).toBe('ALLOW')
  })

  it('does not have an approval used twice by taking away that it was', async () => {
    const test = await controlled()
    const wish = { action: 'control.none' as const, reason: 'Asked for' }
    const { action, challenge } = await test.service.openAction(requester, {
      justification: 'Asked for',
      wish,
    })
    for (const act of [
      signing('ann', 'risk_lead', challenge),
      signing('bob', 'security_lead', challenge),
      { act: 'execute' as const },
    ])
      await test.service.actOnAction(requester, action, act)
    expect((await test.service.readControl('default')).dualControl).toBe('none')
    await test.service.close()
    edit(
      test,
      `UPDATE entries SET stream = 'not-it' WHERE stream = ? AND seq = ${last}`,
      `action-${action}`,
    )
    // The installation demands two leads again as soon as it is opened.
    const after = await test.reopen({ dualControl: 'all' })
    expect((await after.service.readAction('default', action)).status).toBe('approved')
    const again = after.service.actOnAction(requester, action, { act: 'execute' })
    expect(await outcomeOf(again)).toBe(`ACTION_REFUSED Action was used already: ${action}`)
    expect((await after.service.readControl('default')).dualControl).toBe('all')
  })

  it('gains nothing from a crash between a commit and its pin', async () => {
    let failing = false
    const wrapPin = (pin: PinStore): PinStore => ({
      close: () => pin.close(),
      read: () => pin.read(),
      write: (next: Pin) =>
        failing ? Promise.reject(new Error('Power is gone')) : pin.write(next),
    })
    const test = await foundTestService({ dualControl: 'all', wrapPin })
    const { apiKey } = await test.service.createApiKey('default', 'intern', ['log:read'], founder)
    failing = true
    const revoking = test.service.revokeApiKey('default', apiKey.id, founder)
    expect(await outcomeOf(revoking)).toMatch(/^LOG_STATE_UNKNOWN /)
    await test.service.close()
    const honest = join(test.directory, 'honest')
    cpSync(join(test.directory, 'data'), honest, { recursive: true })
    edit(
      test,
      `UPDATE entries SET stream = 'not-admin' WHERE stream = ? AND seq = ${last}`,
      'admin',
    )
    failing = false
    expect(await outcomeOf(test.reopen())).toBe(gone('admin'))
    const after = await test.reopen({ dataDirectory: honest })
    const [known] = await after.service.listApiKeys('default')
    expect(known?.revokedAt).not.toBeNull()
  })

  it('is found out from the first start on where the pin is of before ends were kept', async () => {
    const test = await controlled()
    await test.service.close()
    const pin = pinFile(test)
    const { epoch, origin, root, size, streams: ends } = (await pin.read()) ?? {}
    if (epoch === undefined || origin === undefined || root === undefined || size === undefined)
      throw new Error('There is no pin')
    await pin.write({ epoch, origin, root, size })
    await pin.close()
    const after = await test.reopen()
    await after.service.close()
    expect((await pinFile(test).read())?.streams).toEqual(ends)
    expect(Object.keys(ends ?? {}).sort()).toEqual([...streams, 'keys'].sort())
    edit(test, `UPDATE entries SET stream = 'not-' || stream WHERE stream = 'control'`)
    expect(await outcomeOf(test.reopen())).toBe(gone('control'))
  })
})

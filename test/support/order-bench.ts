import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { expect } from 'vitest'
import { createApp } from '../../src/api/app.ts'
import { Failure, failureCodes, type FailureCode } from '../../src/base/failure.ts'
import { connectControl } from '../../src/control-client.ts'
import { listenControl } from '../../src/control-server.ts'
import type { Service } from '../../src/decisions/service.ts'
import type { KekProvider } from '../../src/kek/kek.ts'
import { problemSchema } from '../../src/wire/decision.ts'
import {
  keyOrderDoneSchema,
  keyStatusSchema,
  type KeyOrder,
  type KeyStatus,
} from '../../src/wire/keys.ts'
import { askApp } from './ask-app.ts'
import type { Ran } from './cli.ts'
import { runHere } from './cli-here.ts'
import { founder, foundTestService } from './service.ts'

const tenant = 'default'

/** The orders that are tried here, as they are typed and as they are sent. */
const orders = {
  rewrap: { argv: ['rewrap'], order: { order: 'rewrap' } },
  rotate: { argv: ['rotate', 'evidence'], order: { order: 'rotate', purpose: 'evidence' } },
} as const satisfies Record<string, { argv: readonly string[]; order: KeyOrder }>

/** The name of an order. */
export type OrderName = keyof typeof orders

/** A service whose keys hang on one provider, behind its two edges: HTTP, and the command line over the control socket. */
export interface OrderBench {
  /**
   * Gives an order while the provider is harmed, at the command line and over HTTP, and again when it is healed: it fails by this code and changes
   * nothing, and then it is done.
   */
  meet(name: OrderName, harm: () => void, heal: () => void, code: FailureCode): Promise<void>
  /** Has the provider probed while it is harmed, and again when it is healed: both edges tell the code, and then that it is healthy. */
  probe(harm: () => void, heal: () => void, code: FailureCode): Promise<void>
  close(): Promise<void>
}

/** Asks again while the provider rests from its faults. */
async function patiently(ask: () => Promise<Response>): Promise<Response> {
  for (let tries = 0; ; tries++) {
    const response = await ask()
    if (response.status !== 503 || tries === 100) return response
    await sleep(20)
  }
}

/** Founds the service; the provider is closed with it. */
export async function openOrderBench(provider: KekProvider): Promise<OrderBench> {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-orders-'))
  const { service } = await foundTestService({
    closeYourself: true,
    directory,
    providers: [provider],
  })
  const control = await listenControl(join(directory, 'data'), service)
  const { token } = await service.createApiKey(tenant, 'keeper', ['keys:manage'], founder)
  const app = createApp({
    clock: Date.now,
    logger: pino({ level: 'silent' }),
    requestTimeoutMs: 30_000,
    service,
    version: '0.0.0-test',
  })
  const reach = async (): Promise<Service> => {
    const remote = await connectControl(join(directory, 'data'))
    if (remote === undefined) throw new Failure('BUG', 'No server answers')
    return remote
  }
  const cli = (...argv: readonly string[]): Promise<Ran> =>
    runHere(['keys', ...argv], { cwd: directory }, { connectServer: reach, openService: reach })
  const api = async (order?: KeyOrder): Promise<Response> =>
    askApp(app, '/v1/keys', {
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(order === undefined ? {} : { body: JSON.stringify(order), method: 'POST' }),
    })
  const state = async () => {
    const { keys, slots } = await service.keyStatus(tenant)
    const [log] = await service.listTenants()
    return { keys, size: log?.size, slots }
  }
  /** How the provider is, as both edges tell it. */
  const told = async (): Promise<KeyStatus['providers']> => {
    await service.checkProviders()
    const { providers } = keyStatusSchema.parse(await (await api()).json())
    const typed = await cli('status', '--json')
    expect(keyStatusSchema.parse(JSON.parse(typed.stdout)).providers).toEqual(providers)
    return providers
  }
  return {
    async meet(name, harm, heal, code) {
      const { argv, order } = orders[name]
      const { exit, retryable, status } = failureCodes[code]
      const before = await state()
      harm()
      const typed = await cli(...argv)
      expect([typed.code, typed.stdout]).toEqual([exit, ''])
      expect(typed.stderr).toContain(`(${code})`)
      harm()
      const refused = await api(order)
      expect(refused.status).toBe(status)
      expect(problemSchema.parse(await refused.json())).toMatchObject({ code, retryable, status })
      expect(await state()).toEqual(before)
      heal()
      const done = await patiently(() => api(order))
      expect(done.status).toBe(200)
      const { steps } = keyOrderDoneSchema.parse(await done.json())
      expect((await state()).size).toBe((before.size ?? 0) + steps.length)
      // The orders had the provider asked again, which must not meet the next harm.
      await service.checkProviders()
    },
    async probe(harm, heal, code) {
      harm()
      expect(await told()).toMatchObject([{ code, state: 'failing' }])
      heal()
      await expect
        .poll(told, { interval: 20, timeout: 5000 })
        .toMatchObject([{ code: null, state: 'healthy' }])
    },
    async close() {
      await control.close()
      await service.close()
      await provider.close()
      rmSync(directory, { force: true, recursive: true })
    },
  }
}

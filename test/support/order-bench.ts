import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { expect } from 'vitest'
import { createApp } from '../../src/api/app.ts'
import { Failure, failureCodes, type FailureCode } from '../../src/base/failure.ts'
import type { KekProvider } from '../../src/kek/kek.ts'
import { problemSchema } from '../../src/wire/decision.ts'
import { keyOrderDoneSchema, type KeyOrder } from '../../src/wire/keys.ts'
import { founder, foundTestService } from './service.ts'

const tenant = 'default'

/** A service whose keys hang on one provider, behind its HTTP edge. */
export interface OrderBench {
  /**
   * Gives an order while the provider is harmed, to the service and over HTTP, and again when it is healed: it fails by this code and changes nothing,
   * and then it is done.
   */
  meet(order: KeyOrder, harm: () => void, heal: () => void, code: FailureCode): Promise<void>
  close(): Promise<void>
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof Failure ? error.code : String(error)),
  )

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
  const { token } = await service.createApiKey(tenant, 'keeper', ['keys:manage'], founder)
  const app = createApp({
    clock: Date.now,
    logger: pino({ level: 'silent' }),
    requestTimeoutMs: 30_000,
    service,
    version: '0.0.0-test',
  })
  const post = async (order: KeyOrder): Promise<Response> =>
    app.request('/v1/keys', {
      body: JSON.stringify(order),
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      method: 'POST',
    })
  const state = async () => {
    const { keys, slots } = await service.keyStatus(tenant)
    const [log] = await service.listTenants()
    return { keys, size: log?.size, slots }
  }
  return {
    async meet(order, harm, heal, code) {
      const before = await state()
      harm()
      expect(await codeOf(service.orderKeys(tenant, order, founder))).toBe(code)
      harm()
      const refused = await post(order)
      const { status, retryable } = failureCodes[code]
      expect(refused.status).toBe(status)
      expect(problemSchema.parse(await refused.json())).toMatchObject({ code, retryable, status })
      expect(await state()).toEqual(before)
      heal()
      const done = await patiently(() => post(order))
      expect(done.status).toBe(200)
      const { steps } = keyOrderDoneSchema.parse(await done.json())
      expect((await state()).size).toBe((before.size ?? 0) + steps.length)
    },
    async close() {
      await service.close()
      await provider.close()
      rmSync(directory, { force: true, recursive: true })
    },
  }
}

import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import type { PinStore } from '../../../src/log/pin.ts'
import { foundTestService, requestOf, type TestService } from '../../support/service.ts'

/** Pins whose writing can be held up, as one in another failure domain is by the way there. */
function slowPins() {
  const held: { waiting?: PromiseWithResolvers<undefined>; on: boolean } = { on: false }
  const wrapPin = (pin: PinStore): PinStore => ({
    read: () => pin.read(),
    close: () => pin.close(),
    async write(value) {
      if (held.on) {
        held.waiting = Promise.withResolvers()
        await held.waiting.promise
      }
      await pin.write(value)
    },
  })
  return { held, wrapPin }
}

const isDone = async (promise: Promise<unknown>): Promise<boolean> =>
  Promise.race([
    promise.then(
      () => true,
      () => true,
    ),
    new Promise<boolean>((resolve) => setTimeout(resolve, 20, false)),
  ])

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof Failure ? error.code : String(error)),
  )

describe('a checkpoint that is stored and not yet pinned', () => {
  /** A decision whose commit waits for its pin, and everything that would show the checkpoint meanwhile. */
  async function unpinned() {
    const { held, wrapPin } = slowPins()
    const test: TestService = await foundTestService({ wrapPin })
    const { service } = test
    const { id } = await test.notarise(requestOf(1), 'key')
    const [tenant] = await service.listTenants()
    held.on = true
    const pending = test.notarise(requestOf(2))
    while (held.waiting === undefined) await new Promise((resolve) => setTimeout(resolve, 1))
    const shown = [
      service.exportDossier('default', id),
      service.readCheckpoint('default'),
      service.exportTlogProof('default', 0),
      service.proveInclusion('default', { index: 0 }),
      test.notarise(requestOf(1), 'key'),
    ]
    return { held, pending, shown, size: tenant?.size ?? 0, test }
  }

  it('is shown to nobody until it is', async () => {
    const { held, pending, shown, size, test } = await unpinned()
    expect(await Promise.all([pending, ...shown].map(isDone))).toEqual(Array(6).fill(false))
    held.on = false
    held.waiting?.resolve(undefined)
    await Promise.all([pending, ...shown])
    expect((await test.service.readCheckpoint('default')).split('\n')[1]).toBe(String(size + 1))
  })

  it('is shown to nobody when it cannot be', async () => {
    const { held, pending, shown } = await unpinned()
    held.on = false
    held.waiting?.reject(new Failure('STORE_FAILED', 'Pin could not be written: far'))
    expect(await Promise.all([pending, ...shown].map(codeOf))).toEqual(
      Array(6).fill('LOG_STATE_UNKNOWN'),
    )
  })
})

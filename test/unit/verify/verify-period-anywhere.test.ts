import { describe, expect, it, vi } from 'vitest'
import { verifyPeriod } from '../../../src/verify/index.ts'
import { forgePeriod } from '../../support/forge-period.ts'
import { createWorld } from '../../support/forge-world.ts'

describe('a period where there is no node:crypto', () => {
  it('is judged as it is with it', async () => {
    const { fast, trustFile } = createWorld()
    const file = forgePeriod(fast.log, { statuses: ['BLOCK'] })
    const changed = Uint8Array.from(file)
    const at = changed.lastIndexOf(0x7b, changed.length - 100)
    changed.set([0x7c], at)
    vi.resetModules()
    vi.doMock('../../../src/crypto/native.ts', async (importOriginal) => ({
      ...(await importOriginal<object>()),
      native: undefined,
    }))
    const anywhere = await import('../../../src/verify/index.ts')
    expect(anywhere.verifyPeriod).not.toBe(verifyPeriod)
    for (const some of [file, changed])
      expect(await anywhere.verifyPeriod([some], trustFile)).toEqual(
        await verifyPeriod([some], trustFile),
      )
    expect((await verifyPeriod([file], trustFile)).whole).toBe(true)
    expect((await verifyPeriod([changed], trustFile)).whole).toBe(false)
  })
})

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PinFile, type Pin } from '../../../src/log/pin.ts'
import { temporaryDirectory } from '../../support/service.ts'

const pinOf = (size: number): Pin => ({
  epoch: 1,
  origin: 'log.example/default',
  root: new Uint8Array(32).fill(size),
  size,
})

describe('the pin', () => {
  it('is not there before it was written, and is what was written last', async () => {
    const path = join(temporaryDirectory(), 'a', 'default.pin')
    const file = new PinFile(path)
    expect(await file.read()).toBeUndefined()
    for (let size = 1; size <= 5; size++) {
      await file.write(pinOf(size))
      expect(await file.read()).toEqual(pinOf(size))
      expect(await new PinFile(path).read()).toEqual(pinOf(size))
    }
    await file.close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('goes on counting after it was opened anew', async () => {
    const path = join(temporaryDirectory(), 'default.pin')
    const first = new PinFile(path)
    for (const size of [1, 2, 3]) await first.write(pinOf(size))
    await first.close()
    const second = new PinFile(path)
    await second.write(pinOf(4))
    expect(await new PinFile(path).read()).toEqual(pinOf(4))
  })

  it('survives the tearing of either slot, at any byte, as the older or the newer pin', async () => {
    const path = join(temporaryDirectory(), 'default.pin')
    const file = new PinFile(path)
    await file.write(pinOf(1))
    await file.write(pinOf(2))
    const whole = readFileSync(path)
    for (const [slot, survivor] of [
      [0, 1],
      [1, 2],
    ] as const)
      for (const at of [0, 1, 60, 150, 200]) {
        const torn = Buffer.from(whole)
        torn.fill(0x5a, slot * 4096 + at, slot * 4096 + 300)
        writeFileSync(path, torn)
        expect(await new PinFile(path).read()).toEqual(pinOf(survivor))
      }
  })

  it.each([0, 1, 2, 3])(
    'is not written over what somebody else wrote after %i writes of our own',
    async (own) => {
      const path = join(temporaryDirectory(), 'default.pin')
      const [ours, theirs] = [new PinFile(path), new PinFile(path)]
      await ours.write(pinOf(1))
      for (let n = 0; n < own; n++) await ours.write(pinOf(2 + n))
      await theirs.read()
      await theirs.write(pinOf(100))
      for (let attempt = 0; attempt < 2; attempt++)
        await expect(ours.write(pinOf(50))).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
      expect(await new PinFile(path).read()).toEqual(pinOf(100))
      await ours.close()
      await theirs.close()
    },
  )

  it('refuses a file without a whole pin', async () => {
    const path = join(temporaryDirectory(), 'default.pin')
    writeFileSync(path, 'not a pin')
    await expect(new PinFile(path).read()).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
  })

  it('does not take one changed digit for a pin', async () => {
    const path = join(temporaryDirectory(), 'default.pin')
    await new PinFile(path).write(pinOf(7))
    const file = readFileSync(path, 'latin1').replace('"size":7', '"size":8')
    writeFileSync(path, file, 'latin1')
    await expect(new PinFile(path).read()).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
  })
})

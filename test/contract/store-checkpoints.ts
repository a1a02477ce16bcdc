import { beforeEach, describe, expect, it } from 'vitest'
import { append, sha256 } from '../support/store-fixtures.ts'
import type { StoreCase } from './store-case.ts'

/** What the port promises about checkpoints that witnesses have cosigned. */
export function checkpointContract(db: StoreCase): void {
  describe('a cosigned checkpoint', () => {
    beforeEach(() => db.create())

    it('takes the place of the kept one of its size, and of the last', async () => {
      const { checkpoint } = await append(db.store, 'acme', [{}], [], { keepCheckpoint: true })
      const cosigned = { ...checkpoint, note: `${checkpoint.note}— witness\n` }
      await db.store.keepCosigned('acme', cosigned, false)
      expect(await db.store.readKeptCheckpoint('acme', 1)).toEqual(cosigned)
      expect(await db.store.readLastCheckpoint('acme')).toEqual(cosigned)
      expect(await db.store.listKeptCheckpoints('acme', -1, 9)).toEqual([cosigned])
    })

    it('is kept where its commit did not keep it, and touches no later last one', async () => {
      const { checkpoint } = await append(db.store, 'acme', [{}])
      const later = await append(db.store, 'acme', [{}])
      expect(await db.store.readKeptCheckpoint('acme', 1)).toBeUndefined()
      await db.store.keepCosigned('acme', checkpoint, true)
      expect(await db.store.readKeptCheckpoint('acme', 1)).toEqual(checkpoint)
      expect(await db.store.readLastCheckpoint('acme')).toEqual(later.checkpoint)
    })

    it('is found as the newest only where the quorum has cosigned it', async () => {
      expect(await db.store.readWitnessedCheckpoint('acme')).toBeUndefined()
      const first = (await append(db.store, 'acme', [{}])).checkpoint
      const second = (await append(db.store, 'acme', [{}])).checkpoint
      await db.store.keepCosigned('acme', second, false)
      expect(await db.store.readWitnessedCheckpoint('acme')).toBeUndefined()
      await db.store.keepCosigned('acme', first, true)
      expect(await db.store.readWitnessedCheckpoint('acme')).toEqual(first)
      await db.store.keepCosigned('acme', second, true)
      await db.reopen()
      expect(await db.store.readWitnessedCheckpoint('acme')).toEqual(second)
      expect(await db.store.readWitnessedCheckpoint('other')).toBeUndefined()
    })

    it('is refused with another root than the one that is kept', async () => {
      const { checkpoint } = await append(db.store, 'acme', [{}], [], { keepCheckpoint: true })
      const other = { ...checkpoint, note: 'other', root: sha256('other') }
      await expect(db.store.keepCosigned('acme', other, true)).rejects.toMatchObject({
        code: 'LOG_CONFLICT',
      })
      expect(await db.store.readKeptCheckpoint('acme', 1)).toEqual(checkpoint)
      expect(await db.store.readLastCheckpoint('acme')).toEqual(checkpoint)
    })

    it('is refused of a tenant that is not there', async () => {
      const { checkpoint } = await append(db.store, 'acme', [{}])
      await expect(db.store.keepCosigned('nobody', checkpoint, true)).rejects.toMatchObject({
        code: 'INPUT_NOT_FOUND',
      })
    })
  })
}

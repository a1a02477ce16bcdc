import { afterEach, beforeEach, describe } from 'vitest'
import { StoreCase } from './store-case.ts'
import type { StoreUnderTest } from './store-case.ts'
import { checkpointContract } from './store-checkpoints.ts'
import { commitContract } from './store-commits.ts'
import { effectContract } from './store-effects.ts'
import { listContract } from './store-lists.ts'
import { standingContract } from './store-standings.ts'
import { tenantContract } from './store-tenants.ts'
import { webhookContract } from './store-webhooks.ts'

/** What every adapter of the port promises; `open` makes a database of its own for each test. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the store on ${name}`, () => {
    const db = new StoreCase(open)
    beforeEach(() => db.open())
    afterEach(() => db.dispose())

    tenantContract(db)
    commitContract(db)
    checkpointContract(db)
    effectContract(db)
    listContract(db)
    standingContract(db)
    webhookContract(db)
  })
}

// A service in a process of its own that notarises until something breaks, and tells what it learnt, one JSON line each. The parent breaks its disk,
// its fsync, or kills it.
//   burst-process.ts found DIR | burst DIR COUNT | heal DIR COUNT BALLAST | check DIR < ids
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { asFailure, invariant } from '../../src/base/failure.ts'
import type { LocalService } from '../../src/decisions/local-service.ts'
import type { Principal } from '../../src/decisions/service.ts'
import { foundService, openLocalService, type ServiceSettings } from '../../src/open-service.ts'
import { verifyDossier } from '../../src/verify/verify-dossier.ts'
import type { Notarised } from '../../src/wire/decision.ts'

const [task = '', directory = '', count = '0', ballast = ''] = process.argv.slice(2)
// Written whole before it goes on: whoever is killed next has said it.
const say = (what: object): void => {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

const settings: ServiceSettings = {
  data: join(directory, 'data'),
  dev: false,
  hsmModule: undefined,
  kek: 'environment',
  kekFile: join(directory, 'kek'),
  kekValue: undefined,
  keys: join(directory, 'keys'),
  kmsKeyId: undefined,
  masterPublic: undefined,
  version: '0.0.0-test',
}
const principal: Principal = {
  caller: { id: 'burst', owner: 'burst', type: 'apiKey' },
  profile: 'checkpoint',
  scopes: [],
  tenant: 'default',
}
const report = (event: string, detail: object): void => {
  say({ event, ...detail })
}
const request = (n: number): string =>
  JSON.stringify({
    intent: {
      action: { type: 'burst' },
      actor: { id: `agent-${n}` },
      context: { pad: 'x'.repeat(1000) },
    },
    status: 'ALLOW',
  })

/** Notarises from `lanes` sides at once until `total` are done or one is refused; gives the code of the refusal. */
async function burst(service: LocalService, total: number, lanes: number): Promise<string> {
  let next = 0
  let refusal = 'none'
  const lane = async (): Promise<void> => {
    while (next < total && refusal === 'none') {
      const n = next++
      try {
        const { checkpoint, id, index } = JSON.parse(
          await service.notarise(principal, request(n), null),
        ) as Notarised
        say({ checkpoint: checkpoint.split('\n').slice(1, 3).join(' '), id, index })
      } catch (error) {
        const { code } = asFailure(error)
        refusal = code
        say({ refused: code })
      }
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return refusal
}

const isReady = async (service: LocalService): Promise<boolean> => (await service.health()).ready

async function untilReady(service: LocalService): Promise<boolean> {
  for (let i = 0; i < 100; i++) {
    if (await isReady(service)) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}

async function check(service: LocalService, ids: readonly string[]): Promise<void> {
  const root = await service.readTrustRoot('default')
  const verdicts: Record<string, number> = {}
  for (const id of ids) {
    const { verdict } = verifyDossier(await service.exportDossier('default', id), root)
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
  }
  const [tenant] = await service.listTenants()
  const checkpoint = await service.readCheckpoint('default')
  say({ checkpoint: checkpoint.split('\n').slice(1, 3).join(' '), size: tenant?.size, verdicts })
}

async function main(): Promise<void> {
  if (task === 'found') {
    const founded = await foundService(
      settings,
      { origin: 'log.example', profile: 'checkpoint', public: false },
      report,
    )
    await founded.service.close()
    return
  }
  const service = await openLocalService(settings, report)
  if (task === 'check') await check(service, readFileSync(0, 'utf8').split('\n').filter(Boolean))
  else {
    const refusal = await burst(service, Number(count), 8)
    if (refusal !== 'none') say({ ready: await isReady(service) })
    if (task === 'heal') {
      rmSync(ballast)
      say({ healed: await untilReady(service) })
      invariant((await burst(service, 3, 1)) === 'none', 'Service did not heal')
    } else if (refusal !== 'none') say({ healed: await untilReady(service) })
  }
  await service.close()
}

await main()

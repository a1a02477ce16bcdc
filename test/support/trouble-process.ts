// A service in a process of its own whose store breaks and does not open again. It is closed while it waits to try once more, and says so when that is done.
//   trouble-process.ts DIR
import { once, EventEmitter } from 'node:events'
import { Failure } from '../../src/base/failure.ts'
import { LocalService } from '../../src/decisions/local-service.ts'
import { foundService, openLocalService } from '../../src/open-service.ts'
import { placeIn, settingsOf } from './restart.ts'
import { replacing } from './replacing.ts'

const settings = settingsOf(placeIn(process.argv[2] ?? ''))
const founding = { origin: 'log.example', profile: 'checkpoint', public: false } as const
const events = new EventEmitter()
const report = (event: string): void => {
  events.emit(event)
}
await (await foundService(settings, founding, report)).service.close()

let isBroken = false
const refuse = (): Promise<never> => {
  isBroken = true
  return Promise.reject(new Failure('STORE_FAILED', 'Injected'))
}
const open = LocalService.open.bind(LocalService)
LocalService.open = (parts) =>
  open({
    ...parts,
    openStore: async () =>
      isBroken ? refuse() : replacing(await parts.openStore(), { commit: refuse }),
  })

const service = await openLocalService(settings, report)
const waits = once(events, 'log.still-broken')
const by = { id: 'cli', owner: 'founder', type: 'local' } as const
await service.createApiKey('default', 'bot', ['log:read'], by).catch(() => undefined)
await waits
await service.close()
process.stdout.write('closed\n')

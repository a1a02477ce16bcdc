// The log as C2SP tlog-tiles serves it: a checkpoint that grows old within a second, and tiles that never change, so that a cache can carry reads.
import { Failure } from '../base/failure.ts'
import type { Service } from '../decisions/service.ts'
import { parseTilePath } from '../merkle/tiles.ts'
import type { Admission } from './admission.ts'
import { route, type Route } from './route.ts'

const checkpointRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.logReader,
    {
      method: 'GET',
      path: '/log/{tenant}/checkpoint',
      summary: 'Gives the newest published checkpoint',
      replies: { 200: { description: 'A signed note', type: 'text/plain' } },
    },
    async (_, tenant) => ({
      status: 200,
      body: await service.readCheckpoint(tenant),
      type: 'text/plain; charset=utf-8',
      cache: 'max-age=1',
    }),
  )

const tileRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.logReader,
    {
      method: 'GET',
      path: '/log/{tenant}/tile/{path}',
      summary: 'Gives a tile of hashes (`L/N[.p/W]`) or a bundle of entries (`entries/N[.p/W]`)',
      replies: { 200: { description: 'Its bytes', type: 'application/octet-stream' } },
    },
    async (call, tenant) => {
      const path = call.param('path')
      if (parseTilePath(path) === undefined) throw new Failure('INPUT_NOT_FOUND', 'Not a tile')
      // A shared cache must not answer for a log that asks for a key.
      const audience = call.principal === undefined ? 'public' : 'private'
      return {
        status: 200,
        body: await service.readTile(tenant, path),
        type: 'application/octet-stream',
        cache: `${audience}, max-age=31536000, immutable`,
      }
    },
  )

/** The routes of the log. */
export const logTileRoutes = (service: Service, admit: Admission): readonly Route[] => [
  checkpointRoute(service, admit),
  tileRoute(service, admit),
]

// The log as C2SP tlog-tiles serves it: a checkpoint that grows old within a second, and tiles that never change, so that a cache can carry reads.
import { Failure } from '../base/failure.ts'
import type { Service } from '../decisions/service.ts'
import { parseTilePath } from '../merkle/tiles.ts'
import {
  consistencyProofSchema,
  consistencyQuerySchema,
  inclusionProofSchema,
  inclusionQuerySchema,
  tlogProofQuerySchema,
} from '../wire/log.ts'
import type { Admission } from './admission.ts'
import { jsonReply, route, type Route } from './route.ts'

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

const json = 'application/json'

const inclusionRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.logReader,
    {
      method: 'GET',
      path: '/log/{tenant}/proof/inclusion',
      summary: 'Proves that a leaf, by its index or its hash, stands in the tree',
      query: inclusionQuerySchema,
      replies: { 200: { description: 'The proof', type: json, schema: inclusionProofSchema } },
      failures: ['INPUT_NOT_FOUND'],
    },
    async (call, tenant) =>
      jsonReply(200, await service.proveInclusion(tenant, call.query(inclusionQuerySchema))),
  )

const consistencyRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.logReader,
    {
      method: 'GET',
      path: '/log/{tenant}/proof/consistency',
      summary: 'Proves that the tree of one size is a prefix of a larger one',
      query: consistencyQuerySchema,
      replies: { 200: { description: 'The proof', type: json, schema: consistencyProofSchema } },
      failures: ['INPUT_NOT_FOUND'],
    },
    async (call, tenant) => {
      const { first, second } = call.query(consistencyQuerySchema)
      return jsonReply(200, await service.proveConsistency(tenant, first, second))
    },
  )

const tlogProofRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.logReader,
    {
      method: 'GET',
      path: '/log/{tenant}/proof/tlog',
      summary: 'Gives a leaf with its proof as a C2SP tlog-proof file, which verifies offline',
      query: tlogProofQuerySchema,
      replies: { 200: { description: 'A tlog-proof, the leaf as extra data', type: 'text/plain' } },
      failures: ['INPUT_NOT_FOUND'],
    },
    async (call, tenant) => ({
      status: 200,
      body: await service.exportTlogProof(tenant, call.query(tlogProofQuerySchema).index),
      type: 'text/plain; charset=utf-8',
    }),
  )

/** The routes of the log. */
export const logTileRoutes = (service: Service, admit: Admission): readonly Route[] => [
  checkpointRoute(service, admit),
  tileRoute(service, admit),
  inclusionRoute(service, admit),
  consistencyRoute(service, admit),
  tlogProofRoute(service, admit),
]

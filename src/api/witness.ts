// A witness over HTTP (C2SP tlog-witness): two routes that anybody may call. The answers are the standard's plain texts, not problem documents; what a
// stranger reads of a failure is the table's sentence.
import { Hono } from 'hono'
import { asFailure } from '../base/failure.ts'
import type { Witness } from '../log/witness.ts'
import { witnessLimits } from '../log/witness-protocol.ts'
import { readBoundedBody } from './request-body.ts'
import type { Log } from './request-log.ts'

/** What the HTTP edge of a witness is made of. */
export interface WitnessAppOptions {
  readonly witness: Witness
  readonly logger: Log
}

const plain = 'text/plain; charset=utf-8'

const answer = (body: string, status: number, type: string, cache = 'no-store'): Response =>
  new Response(body, {
    headers: {
      'Cache-Control': cache,
      'Content-Type': type,
      'X-Content-Type-Options': 'nosniff',
    },
    status,
  })

/** The HTTP edge of a witness; answers by `fetch`, and in tests by `request`. */
export function createWitnessApp({ logger, witness }: WitnessAppOptions): Hono {
  const app = new Hono()
  app.post('/add-checkpoint', async ({ req }) => {
    const body = await readBoundedBody(req, witnessLimits.requestBytes)
    const { body: text, status, type } = witness.addCheckpoint(body)
    return answer(text, status, type)
  })
  app.get('/:id/checkpoint', ({ req }) => {
    const note = witness.readCheckpoint(req.param('id'))
    return note === undefined
      ? answer('Nothing was cosigned of this log\n', 404, plain)
      : answer(note, 200, plain, 'max-age=1')
  })
  app.notFound(() => answer('No such resource\n', 404, plain))
  app.onError((error) => {
    const failure = asFailure(error)
    if (failure.status >= 500)
      logger.error({ code: failure.code, reason: failure.message }, 'witness failed')
    return answer(`${failure.title}\n`, failure.status, plain)
  })
  return app
}

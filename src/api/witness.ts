// A witness over HTTP (C2SP tlog-witness): two routes that anybody may call. The answers are the standard's plain texts, not problem documents; what a
// stranger reads of a failure is the table's sentence.
import type { IncomingMessage, RequestListener } from 'node:http'
import { asFailure, type Failure } from '../base/failure.ts'
import type { Witness } from '../log/witness.ts'
import { witnessLimits } from '../log/witness-protocol.ts'
import { readBoundedBody } from './request-body.ts'
import type { Log } from './request-log.ts'
import { targetOf, unescapePart } from './request-target.ts'
import type { Reply } from './route.ts'
import { sendWhenMade, type Made } from './send.ts'

/** What the HTTP edge of a witness is made of. */
export interface WitnessAppOptions {
  readonly witness: Witness
  readonly logger: Log
}

const plain = 'text/plain; charset=utf-8'
const checkpointPath = /^\/([^/]+)\/checkpoint$/

async function answer(witness: Witness, request: IncomingMessage): Promise<Reply> {
  const { path } = targetOf(request)
  if (request.method === 'POST' && path === '/add-checkpoint')
    return witness.addCheckpoint(await readBoundedBody(request, witnessLimits.requestBytes))
  const isReading = request.method === 'GET' || request.method === 'HEAD'
  const id = isReading ? checkpointPath.exec(path)?.[1] : undefined
  if (id === undefined) return { body: 'No such resource\n', status: 404, type: plain }
  const note = witness.readCheckpoint(unescapePart(id))
  return note === undefined
    ? { body: 'Nothing was cosigned of this log\n', status: 404, type: plain }
    : { body: note, cache: 'max-age=1', status: 200, type: plain }
}

function refusal(logger: Log, failure: Failure): Reply {
  if (failure.status >= 500)
    logger.error({ code: failure.code, reason: failure.message }, 'witness failed')
  const headers = { Connection: 'close' }
  return { body: `${failure.title}\n`, headers, status: failure.status, type: plain }
}

/** The HTTP edge of a witness, as a server of node:http calls it. */
export const createWitnessApp =
  ({ logger, witness }: WitnessAppOptions): RequestListener =>
  (request, response) => {
    const making = answer(witness, request)
      .catch((error: unknown) => refusal(logger, asFailure(error)))
      .then((reply): Made => [reply])
    void sendWhenMade(response, making, logger)
  }

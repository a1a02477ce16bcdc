// Answers to what the platform's parser refuses before there is a request: also these are problem documents, written by hand.
import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { Failure } from '../base/failure.ts'
import { problem } from './problems.ts'

const reasons: Readonly<Record<string, Failure>> = {
  HPE_HEADER_OVERFLOW: new Failure('INPUT_TOO_LARGE', 'Headers are too large'),
  ERR_HTTP_REQUEST_TIMEOUT: new Failure('INPUT_TIMEOUT', 'Request did not arrive in time'),
}

const malformed = new Failure('INPUT_MALFORMED', 'Request is not HTTP')

/** A whole HTTP/1.1 response; the connection ends with it. */
function format(failure: Failure): string {
  const { body, type } = problem(failure, undefined)
  return [
    `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status] ?? ''}`,
    `Content-Type: ${type}`,
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    'Connection: close',
    '',
    String(body),
  ].join('\r\n')
}

/** What the parser or a bound in time refuses; after everything else nobody can be answered any more, or, before the handshake's end, ever. */
const isRefusal = ({ code = '' }: NodeJS.ErrnoException): boolean => /^(?:HPE|ERR_HTTP)_/.test(code)

/** Whether an answer stands before what was refused: in the place of another's it would be taken for that one. */
const isOwed = (last: ServerResponse, socket: Duplex): boolean =>
  !last.writableFinished && (last.req.complete || last.headersSent || last.socket !== socket)

/**
 * A listener for `clientError`.
 * @param lastOn the answer to what came last on a connection
 */
export function refuseOnSocket(
  lastOn: (socket: Duplex) => ServerResponse | undefined,
): (error: NodeJS.ErrnoException, socket: Duplex) => void {
  const ending = new WeakSet<Duplex>()
  const endAfter = (last: ServerResponse, socket: Duplex): void => {
    socket.pause()
    last.once('finish', () => {
      socket.end(() => {
        socket.destroy()
      })
    })
  }
  return (error, socket) => {
    const last = lastOn(socket)
    // A broken body whose request was answered already is not answered twice.
    const isAnswered = last?.writableFinished === true && !last.req.complete
    if (!socket.writable || !isRefusal(error) || isAnswered) socket.destroy()
    else if (ending.has(socket)) return
    else if (last !== undefined && isOwed(last, socket)) {
      ending.add(socket)
      endAfter(last, socket)
    } else
      socket.end(format(reasons[error.code ?? ''] ?? malformed), () => {
        // Half an end would leave the other half to the peer, for as long as it likes.
        socket.destroy()
      })
  }
}

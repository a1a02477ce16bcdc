// Answers to what the platform's parser refuses before there is a request: also these are problem documents, written by hand.
import { STATUS_CODES, type Server, type ServerResponse } from 'node:http'
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

/** A listener for `clientError`. */
export function refuseOnSocket(
  server: Server,
): (error: NodeJS.ErrnoException, socket: Duplex) => void {
  const answering = new WeakMap<Duplex, ServerResponse>()
  server.on('request', (incoming, outgoing) => {
    answering.set(incoming.socket, outgoing)
  })
  return (error, socket) => {
    const outgoing = answering.get(socket)
    // Into the middle of another answer nothing can be written.
    const midway = outgoing?.headersSent === true && !outgoing.writableFinished
    if (!socket.writable || midway || !isRefusal(error)) socket.destroy()
    else
      socket.end(format(reasons[error.code ?? ''] ?? malformed), () => {
        // Half an end would leave the other half to the peer, for as long as it likes.
        socket.destroy()
      })
  }
}

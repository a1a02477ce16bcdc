import { Duplex } from 'node:stream'
import { expect, it } from 'vitest'
import { refuseOnSocket } from '../../../src/api/refuse-on-socket.ts'

const after = (code: string): { readonly socket: Duplex; readonly written: string[] } => {
  const written: string[] = []
  // As TLS before its handshake: what is written waits for ever.
  const socket = new Duplex({
    read: () => undefined,
    write: (bytes: Buffer) => void written.push(bytes.toString()),
  })
  refuseOnSocket(() => undefined)(Object.assign(new Error(code), { code }), socket)
  return { socket, written }
}

it.each(['ERR_TLS_HANDSHAKE_TIMEOUT', 'ERR_SSL_HTTP_REQUEST', 'ECONNRESET', 'EPIPE'])(
  'a socket that can take no answer is destroyed, and gets none: %s',
  (code) => {
    const { socket, written } = after(code)
    expect([socket.destroyed, written]).toEqual([true, []])
  },
)

it.each([
  ['HPE_INVALID_METHOD', '400'],
  ['HPE_HEADER_OVERFLOW', '413'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408'],
])('what the parser refuses is answered: %s', (code, status) => {
  const { socket, written } = after(code)
  expect(socket.destroyed).toBe(false)
  expect(written.join('')).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
})

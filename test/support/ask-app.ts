// Asking an edge as its callers do: over a socket, by fetch.
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

const urls = new WeakMap<RequestListener, Promise<string>>()

/** Listens for an app; neither the server nor its sockets keep the process alive. */
async function open(app: RequestListener): Promise<string> {
  const server = createServer({ requireHostHeader: false }, app).unref()
  server.on('connection', (socket) => socket.unref())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Where an app is to be asked. */
export function urlOf(app: RequestListener): Promise<string> {
  const known = urls.get(app)
  const opening = known ?? open(app)
  if (known === undefined) urls.set(app, opening)
  return opening
}

/** What an app answers. */
export const askApp = async (
  app: RequestListener,
  path: string,
  init: RequestInit = {},
): Promise<Response> => fetch(new URL(path, await urlOf(app)), init)

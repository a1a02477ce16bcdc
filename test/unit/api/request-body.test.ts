import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { readBoundedBody } from '../../../src/api/request-body.ts'
import { Failure } from '../../../src/base/failure.ts'

function chunked(): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  request.headers['transfer-encoding'] = 'chunked'
  return request
}

it.each([1, 2, 3, 7, 100])('a body in chunks of %i bytes is what was sent', async (bytes) => {
  const sent = Uint8Array.from({ length: 100 }, (_, i) => i)
  const request = chunked()
  const read = readBoundedBody(request, 100)
  for (let at = 0; at < sent.length; at += bytes) request.push(sent.slice(at, at + bytes))
  request.push(null)
  const body = await read
  expect(body).toEqual(sent)
  expect(body.buffer.byteLength, 'and no more is handed on').toBe(100)
})

it('a body of many chunks holds none of them', async () => {
  const request = chunked()
  const read = readBoundedBody(request, 100).catch((error: unknown) => error)
  const chunk = Buffer.from('a')
  request.on('data', (bytes: Uint8Array) => bytes.fill(0x62))
  request.push(chunk)
  request.push(null)
  expect(Buffer.from((await read) as Uint8Array).toString()).toBe('a')
})

it('a body beyond its bound is refused, whatever its chunks', async () => {
  const request = chunked()
  const read = readBoundedBody(request, 3)
  for (let i = 0; i < 4; i++) request.push(Buffer.from('a'))
  await expect(read).rejects.toThrow(new Failure('INPUT_TOO_LARGE', 'Body must not exceed 3 bytes'))
})

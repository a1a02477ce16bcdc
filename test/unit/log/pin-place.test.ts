import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { PinDirectory } from '../../../src/log/pin-directory.ts'
import type { PinPlace } from '../../../src/log/pin-place.ts'
import { PinsInS3 } from '../../../src/log/pin-s3.ts'
import { formatPinRecord, parsePinRecord, type Pin } from '../../../src/log/pin.ts'
import { S3Double } from '../../support/s3-double.ts'
import { temporaryDirectory } from '../../support/service.ts'

const bucket = 'pins'
let s3 = await S3Double.start(bucket)
afterAll(() => s3.stop())

beforeEach(async () => {
  await s3.stop()
  s3 = await S3Double.start(bucket)
  vi.stubEnv('AWS_ENDPOINT_URL', undefined)
  vi.stubEnv('AWS_PROFILE', undefined)
  for (const [name, value] of Object.entries(s3.environment)) vi.stubEnv(name, value)
})

const pinOf = (size: number): Pin => ({
  epoch: 1,
  origin: 'log.example/acme',
  root: new Uint8Array(32).fill(size),
  size,
})

const quick = { deadlineMs: 3000, maxAttempts: 2, requestTimeoutMs: 200 }
const inS3 = (): PinsInS3 => new PinsInS3(`s3://${bucket}/site/instance`, quick)
const key = 'site/instance/acme.pin'

let directory = ''
const places: readonly (readonly [string, () => PinPlace])[] = [
  ['a directory', () => new PinDirectory(join(directory, 'pins'))],
  ['S3', inS3],
]

describe.each(places)('pins in %s', (_, open) => {
  beforeEach(() => {
    directory = temporaryDirectory()
  })

  it('are not there before they were written, and looking makes none', async () => {
    const place = open()
    expect(await place.read('acme')).toBeUndefined()
    expect(await place.list()).toEqual([])
    await place.close()
  })

  it('are what was written last, each tenant its own, also for whoever opens them later', async () => {
    const place = open()
    const [acme, other] = [place.open('acme'), place.open('other')]
    for (const size of [0, 1, 2, 3]) {
      await acme.write(pinOf(size))
      expect(await acme.read()).toEqual(pinOf(size))
    }
    await other.write(pinOf(9))
    expect([...(await place.list())].sort()).toEqual(['acme', 'other'])
    await acme.close()
    await other.close()
    await place.close()
    const later = open()
    expect(await later.read('acme')).toEqual(pinOf(3))
    const again = later.open('acme')
    await again.write(pinOf(4))
    expect(await later.read('acme')).toEqual(pinOf(4))
    await again.close()
    await later.close()
  })

  it('are not overwritten by a second writer on a copy of the log', async () => {
    const place = open()
    const first = place.open('acme')
    await first.write(pinOf(1))
    const copy = open()
    const second = copy.open('acme')
    expect(await second.read()).toEqual(pinOf(1))
    await first.write(pinOf(2))
    await expect(second.write(pinOf(3))).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
    await expect(second.write(pinOf(3))).rejects.toThrow('somebody else')
    expect(await place.read('acme')).toEqual(pinOf(2))
    for (const one of [first, second, place, copy]) await one.close()
  })
})

describe('a pin in S3', () => {
  it('is not made twice by two who both found none', async () => {
    const [a, b] = [inS3(), inS3()]
    const [first, second] = [a.open('acme'), b.open('acme')]
    await first.read()
    await second.read()
    await first.write(pinOf(1))
    await expect(second.write(pinOf(1))).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
    await a.close()
    await b.close()
  })

  it.each([
    ['lost', { kind: 'deaf' }],
    ['late', { kind: 'slow', delayMs: 400 }],
    ['reset', { kind: 'reset' }],
  ] as const)('is taken for its own where the answer to its writing was %s', async (_, fault) => {
    const place = inS3()
    const pin = place.open('acme')
    await pin.write(pinOf(1))
    s3.fail(fault, 1, 'PUT')
    await pin.write(pinOf(2))
    await pin.write(pinOf(3))
    expect(await place.read('acme')).toEqual(pinOf(3))
    await place.close()
  })

  it('that arrives after it was given up is overtaken, and not taken for another writer’s', async () => {
    const place = inS3()
    const [givenUp, now] = [place.open('acme'), place.open('acme')]
    await now.write(pinOf(1))
    await givenUp.read()
    await givenUp.write(pinOf(2))
    await now.write(pinOf(3))
    expect(await place.read('acme')).toEqual(pinOf(3))
    await place.close()
  })

  it('fails without being taken for written where S3 is away, and goes on when it is back', async () => {
    const place = inS3()
    const pin = place.open('acme')
    await pin.write(pinOf(1))
    s3.fail({ error: 'SlowDown', status: 503 })
    await expect(pin.write(pinOf(2))).rejects.toMatchObject({ code: 'STORE_FAILED' })
    s3.heal()
    expect(await place.read('acme')).toEqual(pinOf(1))
    await pin.write(pinOf(2))
    s3.fail({ error: 'AccessDenied', status: 403 })
    await expect(pin.write(pinOf(3))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await place.close()
  })

  it.each([
    ['nothing', ''],
    ['half a pin', Buffer.from(formatPinRecord({ count: 1, pin: pinOf(7) })).subarray(0, -9)],
    [
      'one with a changed digit',
      Buffer.from(formatPinRecord({ count: 1, pin: pinOf(7) }))
        .toString()
        .replace('"size":7', '"size":8'),
    ],
  ] as const)('is refused where there is %s', async (_, content) => {
    s3.put(bucket, key, Buffer.from(content))
    const place = inS3()
    await expect(place.open('acme').read()).rejects.toThrow('s3://pins/site/instance/acme.pin')
    await expect(place.read('acme')).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
    await place.close()
  })

  it('is kept by no S3 that overwrites where it was told not to', async () => {
    s3.fail({ kind: 'blind' })
    const fresh = inS3()
    await expect(fresh.open('acme').write(pinOf(1))).rejects.toThrow('overwrites')
    const place = inS3()
    await expect(place.open('acme').read()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await fresh.close()
    await place.close()
  })
})

describe('a pin as text', () => {
  it('is read back with its writer and its number', () => {
    const record = { count: 3, pin: pinOf(5), writer: 'ab' }
    expect(parsePinRecord(formatPinRecord(record))).toEqual(record)
  })

  it('is none where the checksum is right and the content is not', async () => {
    const { createHash } = await import('node:crypto')
    for (const text of ['{}', '[]', 'x', '{"count":0,"epoch":1,"origin":"o","root":"","size":1}']) {
      const sum = createHash('sha256').update(text).digest('hex')
      expect(parsePinRecord(utf8(`${text}\n${sum}\n`))).toBeUndefined()
    }
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { asFailure, Failure } from '../../../src/base/failure.ts'
import { PublishS3 } from '../../../src/log/publish-s3.ts'
import { publishLog, type Published } from '../../../src/log/publish.ts'
import { parseS3Url, S3Folder } from '../../../src/log/s3-folder.ts'
import { parseEntryBundle, tilePath, tileSizes } from '../../../src/merkle/tiles.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { referenceRoot } from '../../support/merkle-reference.ts'
import { S3Double } from '../../support/s3-double.ts'
import { foundTestService, requestOf, type TestService } from '../../support/service.ts'

const bucket = 'evidence'
let s3 = await S3Double.start(bucket)
/** For tests that do not mind what others have notarised. */
let shared: TestService

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-s3-'))
  shared = await foundTestService({ closeYourself: true, directory })
})

afterAll(async () => {
  await shared.service.close()
  rmSync(shared.directory, { recursive: true })
  await s3.stop()
})

beforeEach(async () => {
  await s3.stop()
  s3 = await S3Double.start(bucket)
  vi.stubEnv('AWS_ENDPOINT_URL', undefined)
  vi.stubEnv('AWS_PROFILE', undefined)
  for (const [name, value] of Object.entries(s3.environment)) vi.stubEnv(name, value)
})

const quick = { deadlineMs: 4000, maxAttempts: 2, requestTimeoutMs: 200 }
const open = (url = `s3://${bucket}/logs/acme`): PublishS3 => new PublishS3(url, quick)

async function publish(test: TestService, target = open()): Promise<Published> {
  const store = await openSqliteStore({ mode: 'read', path: `${test.directory}/data` })
  try {
    return await publishLog({ progress: () => undefined, store, target, tenant: 'default' })
  } finally {
    await store.close()
    await target.close()
  }
}

const failureOf = async (promise: Promise<unknown>): Promise<Failure> =>
  promise.then(
    () => new Failure('BUG', 'Nothing failed'),
    (error: unknown) => asFailure(error),
  )

async function fill(test: TestService, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, n) => test.notarise(requestOf(n))))
}

const objectOf = (path: string): Buffer => {
  const bytes = s3.objects(bucket).get(`logs/acme/${path}`)
  if (bytes === undefined) throw new Error(`Not published: ${path}`)
  return bytes
}

/** That what is published is whole: every tile of its checkpoint, and its root from the bundles alone. */
function expectWhole(): number {
  const [, sizeLine = '', root = ''] = objectOf('checkpoint').toString().split('\n')
  const size = Number(sizeLine)
  const entries: Uint8Array[] = []
  for (const { level, n, width } of tileSizes(size)) {
    expect(objectOf(`tile/${tilePath(level, n, width)}`)).toHaveLength(32 * width)
    if (level === 0)
      entries.push(...(parseEntryBundle(objectOf(`tile/${tilePath('entries', n, width)}`)) ?? []))
  }
  expect(encodeBase64(referenceRoot(entries))).toBe(root)
  return size
}

describe('a place in S3', () => {
  it('is a bucket and a prefix without slashes at its ends', () => {
    expect(parseS3Url('s3://evidence')).toEqual({ bucket: 'evidence', prefix: '' })
    expect(parseS3Url('s3://evidence/')).toEqual({ bucket: 'evidence', prefix: '' })
    expect(parseS3Url('S3://my.bucket-1/a/b c/'.replace(' ', '_'))).toEqual({
      bucket: 'my.bucket-1',
      prefix: 'a/b_c',
    })
  })

  it.each([
    's3://',
    's3://a',
    's3:///key',
    's3://UP_PER/x',
    's3://b-ok/../x',
    's3://b-ok/a//b',
    's3://b-ok/a?x',
    'https://b/x',
  ])('is not %s', (url) => {
    expect(() => parseS3Url(url)).toThrow('Not a place in S3')
  })

  it('lists all that is there, page by page', async () => {
    const folder = new S3Folder(`s3://${bucket}/p`, quick)
    for (const name of ['a', 'b', 'c', 'd', 'e']) await folder.create(name, utf8(name))
    await new S3Folder(`s3://${bucket}/other`, quick).create('x', utf8('x'))
    s3.pageSize = 2
    expect(await folder.list()).toEqual(['a', 'b', 'c', 'd', 'e'])
    await folder.close()
  })

  it('replaces only the version that was read', async () => {
    const folder = new S3Folder(`s3://${bucket}/p`, quick)
    const first = await folder.create('x', utf8('1'))
    expect(await folder.create('x', utf8('2'))).toBeUndefined()
    const second = await folder.replace('x', utf8('2'), first ?? '')
    expect(second).toBeDefined()
    expect(await folder.replace('x', utf8('3'), first ?? '')).toBeUndefined()
    expect(await folder.replace('gone', utf8('3'), first ?? '')).toBeUndefined()
    expect(await folder.read('x')).toEqual({ bytes: new Uint8Array(utf8('2')), etag: second })
    await folder.close()
  })
})

describe('a folder in S3', () => {
  const quietly = (url = `s3://${bucket}/p`): S3Folder => new S3Folder(url, quick)

  it('is reached once there is a region, also where there was none at the first call', async () => {
    const folder = quietly()
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent')
    vi.stubEnv('AWS_REGION', undefined)
    for (let calls = 0; calls < 2; calls++)
      expect(await failureOf(folder.read('x'))).toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('RegionMissing') as string,
      })
    vi.stubEnv('AWS_REGION', 'eu-test-1')
    expect(await folder.read('x')).toBeUndefined()
    await folder.close()
  })

  it('asks nothing any more once it is closed', async () => {
    for (const wasUsed of [true, false]) {
      const folder = quietly()
      if (wasUsed) await folder.read('x')
      await folder.close()
      s3.asked.length = 0
      const { code, message } = await failureOf(folder.create('x', utf8('x')))
      expect([code, message]).toEqual(['STORE_FAILED', expect.stringContaining('ClosedError')])
      expect(s3.asked).toEqual([])
    }
  })

  it.each(['no', 'one', 'every'] as const)(
    'takes half a list for none: %s page tells where the next begins',
    async (which) => {
      const folder = quietly()
      for (const name of ['a', 'b', 'c', 'd', 'e']) await folder.create(name, utf8(name))
      s3.pageSize = 2
      s3.tellNext = (pages, next) =>
        which === 'no' || (which === 'one' && pages > 1) ? undefined : pages > 1 ? 'p/b' : next
      const { code, message } = await failureOf(folder.list())
      expect([code, message]).toEqual(['STORE_FAILED', expect.stringContaining('AnswerIncomplete')])
      await folder.close()
    },
  )
})

describe('publishing into S3', () => {
  it('gives a tree that is whole at every time, and grows by what is new', async () => {
    const test = await foundTestService()
    await fill(test, 40)
    const first = await publish(test)
    expect(first).toMatchObject({ from: 0, size: expectWhole() })
    await fill(test, 300)
    const second = await publish(test)
    expect(second).toMatchObject({ from: first.size, size: expectWhole() })
    s3.asked.length = 0
    expect(await publish(test)).toMatchObject({ files: 0, from: second.size })
    expect(s3.asked.map(({ method }) => method)).toEqual(['GET'])
  })

  it('lets caches keep tiles for ever and the checkpoint for seconds', async () => {
    const test = shared
    await publish(test)
    const tile = [...s3.objects(bucket).keys()].find((key) => key.includes('/tile/0/000')) ?? ''
    expect(s3.headersOf(bucket, tile)).toEqual({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'application/octet-stream',
    })
    expect(s3.headersOf(bucket, 'logs/acme/checkpoint')).toEqual({
      'cache-control': 'max-age=5',
      'content-type': 'text/plain; charset=utf-8',
    })
  })

  it('goes on where it was cut off, at whatever object that was', async () => {
    const test = await foundTestService()
    await fill(test, 300)
    let runs = 0
    for (let puts = 0; ; puts++, runs++) {
      s3.fail({ error: 'InternalError', status: 500 }, Infinity, 'PUT', puts)
      const { code } = await failureOf(
        publish(test, new PublishS3(`s3://${bucket}/logs/acme`, { ...quick, maxAttempts: 1 })),
      )
      s3.heal()
      if (code === 'BUG') break
      expect(code).toBe('STORE_FAILED')
      expect(s3.objects(bucket).has('logs/acme/checkpoint')).toBe(false)
    }
    expect(runs).toBeGreaterThan(3)
    expect(expectWhole()).toBe(306)
  })

  it.each([
    ['an answer that was lost', { kind: 'deaf' }],
    ['a connection that was reset', { kind: 'reset' }],
    ['a server that is too busy', { error: 'SlowDown', status: 503 }],
  ] as const)('bears %s, whichever call it is', async (_, fault) => {
    const test = await foundTestService()
    let size = 6
    for (const after of [0, 1, 3, 5]) {
      await test.notarise(requestOf(after))
      size++
      s3.fail(fault, 1, undefined, after)
      await publish(test)
      s3.heal()
      expect(expectWhole()).toBe(size)
    }
  })

  it.each([
    ['answers slowly', { kind: 'slow', delayMs: 600 }, 'STORE_FAILED', 'TimeoutError'],
    ['never answers', { kind: 'hang' }, 'STORE_FAILED', 'TimeoutError'],
    ['cuts its answers', { kind: 'cut' }, 'STORE_FAILED', 'ECONNRESET'],
    ['is hidden by a broken gateway', { kind: 'html' }, 'STORE_FAILED', ''],
    ['slows down for good', { error: 'SlowDown', status: 503 }, 'STORE_FAILED', 'SlowDown'],
    ['denies access', { error: 'AccessDenied', status: 403 }, 'CONFIG_INVALID', 's3:ListBucket'],
    [
      'does not know the signature',
      { error: 'SignatureDoesNotMatch', status: 403 },
      'CONFIG_INVALID',
      'credentials',
    ],
    [
      'says something new',
      { error: 'SomethingNew', status: 403 },
      'CONFIG_INVALID',
      'SomethingNew',
    ],
  ] as const)('fails with what to do where S3 %s', async (_, fault, code, said) => {
    const test = shared
    await publish(test)
    const before = objectOf('checkpoint')
    await test.notarise(requestOf(1))
    s3.fail(fault)
    const failure = await failureOf(publish(test))
    expect(failure.code).toBe(code)
    expect(failure.message).toContain(said)
    expect(failure.message).toContain('s3://evidence/logs/acme')
    expect(objectOf('checkpoint')).toEqual(before)
  })

  it('takes what it may not list for a missing right and not for a missing object', async () => {
    const test = shared
    s3.mayList = false
    expect((await failureOf(publish(test))).message).toContain('s3:ListBucket')
    expect(s3.objects(bucket).size).toBe(0)
  })

  it('fails where there is no such bucket', async () => {
    const test = shared
    const failure = await failureOf(publish(test, open('s3://nowhere/logs')))
    expect(failure.code).toBe('CONFIG_INVALID')
    expect(failure.message).toContain('NoSuchBucket')
  })

  it('never replaces a published object by other bytes', async () => {
    const test = await foundTestService()
    await fill(test, 300)
    await publish(test)
    const tile = `logs/acme/tile/${tilePath(0, 0, 256)}`
    const changed = Buffer.from(objectOf(`tile/${tilePath(0, 0, 256)}`))
    changed[7] = (changed[7] ?? 0) ^ 1
    s3.put(bucket, tile, changed)
    s3.put(bucket, 'logs/acme/checkpoint', undefined)
    expect((await failureOf(publish(test))).code).toBe('LOG_ROLLBACK')
    expect(s3.objects(bucket).get(tile)).toEqual(changed)
    expect(s3.objects(bucket).has('logs/acme/checkpoint')).toBe(false)
  })

  it('refuses an S3 that overwrites where it was told not to, and leaves what was there', async () => {
    const test = shared
    s3.fail({ kind: 'blind' })
    expect((await failureOf(publish(test))).message).toContain('overwrites')
    expect(s3.objects(bucket).has('logs/acme/checkpoint')).toBe(false)
  })

  it('is not taken back by a slower publisher', async () => {
    const test = shared
    const slow = open()
    const before = utf8('what the slow one has read')
    await publish(test)
    const checkpoint = objectOf('checkpoint')
    for (const seen of [undefined, before])
      expect((await failureOf(slow.replace('checkpoint', utf8('older'), seen))).code).toBe(
        'LOG_CONFLICT',
      )
    expect(objectOf('checkpoint')).toEqual(checkpoint)
    await slow.close()
  })

  it('refuses a place where another log is, or where this one is ahead', async () => {
    const test = await foundTestService()
    const other = await foundTestService()
    await publish(other)
    await fill(test, 5)
    expect((await failureOf(publish(test))).code).toBe('LOG_ROLLBACK')
    await fill(other, 20)
    await publish(other)
    expect((await failureOf(publish(test))).code).toBe('LOG_ROLLBACK')
  })
})

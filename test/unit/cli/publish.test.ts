import { EventEmitter } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, describe, it, onTestFinished } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import type { Composition, PublishRequest } from '../../../src/cli/composition.ts'
import { publishFrom } from '../../../src/publish-log.ts'
import { foundTestService } from '../../support/service.ts'
import { run } from './harness.ts'

const published = { files: 12, from: 6, origin: 'log.example/acme', size: 300 }

const publishing = (
  publishLog: Composition['publishLog'],
  asked: PublishRequest[] = [],
): Partial<Composition> => ({
  publishLog(flags, request) {
    asked.push(request)
    return publishLog(flags, request)
  },
})

describe('log publish', () => {
  it('publishes the tenant to the place and says from where to where', async () => {
    const asked: PublishRequest[] = []
    const composition = publishing(() => Promise.resolve(published), asked)
    const argv = ['log', 'publish', '--to', 's3://evidence/acme', '--tenant', 'acme']
    expect(await run(argv, { composition })).toEqual({
      code: 0,
      stderr: '',
      stdout: 'published  log.example/acme  size 6 -> 300  12 new files  s3://evidence/acme\n',
    })
    expect(asked).toMatchObject([{ tenant: 'acme', to: 's3://evidence/acme' }])
    const { stdout } = await run([...argv, '--json'], { composition })
    expect(JSON.parse(stdout)).toEqual({ ...published, tenant: 'acme', to: 's3://evidence/acme' })
  })

  it('wants to know where', async () => {
    const { code, stderr } = await run(['log', 'publish'])
    expect(code).toBe(2)
    expect(stderr).toContain('--to')
  })

  it('ends by a signal with what the shell expects, and says how to go on', async () => {
    const signals = new EventEmitter()
    const composition = publishing((_, { signal }) => {
      const aborted = new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error)
        })
      })
      signals.emit('SIGINT', 'SIGINT')
      return aborted
    })
    const ran = await run(['log', 'publish', '--to', 'x'], { composition, signals })
    expect(ran.code).toBe(130)
    expect(ran.stderr).toContain('run it again')
  })

  it('exits from the failure', async () => {
    const failure = new Failure('LOG_CONFLICT', 'Somebody else publishes')
    const composition = publishing(() => Promise.reject(failure))
    expect(await run(['log', 'publish', '--to', 'x'], { composition })).toMatchObject({ code: 75 })
  })
})

describe('the place to publish in', () => {
  it('is a directory where it is no URL, relative to where the command was called', async () => {
    const test = await foundTestService()
    const cwd = mkdtempSync(join(tmpdir(), 'countersign-publish-'))
    onTestFinished(() => {
      rmSync(cwd, { recursive: true })
    })
    const request = {
      progress: () => undefined,
      signal: new AbortController().signal,
      tenant: 'default',
    }
    const places = { data: join(test.directory, 'data'), keys: join(test.directory, 'none') }
    expect(await publishFrom(places, cwd, { ...request, to: 'www/log' })).toMatchObject({ size: 6 })
    expect(existsSync(join(cwd, 'www/log/checkpoint'))).toBe(true)
    await expect(publishFrom(places, cwd, { ...request, to: 's3://x' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    })
  })
})

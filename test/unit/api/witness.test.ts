import pino from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createWitnessApp } from '../../../src/api/witness.ts'
import { Failure } from '../../../src/base/failure.ts'
import { createWitness, openWitness, Witness } from '../../../src/log/witness.ts'
import { readWitnessKeyFile } from '../../../src/log/witness-keys.ts'
import { witnessedLogId, type WitnessState } from '../../../src/log/witness-state.ts'
import { witnessLimits } from '../../../src/log/witness-protocol.ts'
import { verifyCheckpoint } from '../../../src/merkle/checkpoint.ts'
import { askApp } from '../../support/ask-app.ts'
import { temporaryDirectory } from '../../support/service.ts'
import { WitnessedTestLog } from '../../support/witnessed-log.ts'

const log = new WitnessedTestLog(8)

function edge(witness: Witness) {
  const lines: string[] = []
  const logger = pino({}, { write: (line: string) => void lines.push(line) })
  const app = createWitnessApp({ logger, witness })
  const post = (body: Uint8Array | ReadableStream): Promise<Response> =>
    Promise.resolve(
      askApp(app, '/add-checkpoint', {
        body: body as never,
        method: 'POST',
        ...(body instanceof Uint8Array
          ? { headers: { 'content-length': String(body.length) } }
          : { duplex: 'half' }),
      }),
    )
  return { app, lines, post }
}

async function found() {
  const directory = temporaryDirectory()
  await createWitness(directory, 'w.example')
  const witness = await openWitness(directory, Date.now)
  onTestFinished(() => {
    witness.close()
  })
  witness.putLog(log.origin, log.vkeys)
  return { directory, witness, ...edge(witness) }
}

describe('a witness over HTTP', () => {
  it('answers with lines of signatures, and shows what it has cosigned', async () => {
    const { app, post, witness } = await found()
    const path = `/${witnessedLogId(log.origin)}/checkpoint`
    expect((await askApp(app, path)).status).toBe(404)
    const note = log.note(5)
    const answer = await post(log.ask(0, 5, note))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const lines = await answer.text()
    expect(verifyCheckpoint(note + lines, witness.vkeys)).toMatchObject({
      checkpoint: { size: 5 },
    })
    const shown = await askApp(app, path)
    expect(shown.status).toBe(200)
    expect(await shown.text()).toBe(note + lines)
  })

  it('tells its size with the media type of the standard', async () => {
    const { post } = await found()
    await post(log.ask(0, 5))
    const answer = await post(log.ask(3, 8))
    expect([answer.status, await answer.text()]).toEqual([409, '5\n'])
    expect(answer.headers.get('content-type')).toBe('text/x.tlog.size')
  })

  it.each([
    ['nothing', new Uint8Array(), 400],
    ['too much', new Uint8Array(witnessLimits.requestBytes + 1), 413],
    ['a log that is not known', new WitnessedTestLog(3, { origin: 'x.example' }).ask(0, 3), 404],
    ['another log’s key', new WitnessedTestLog(3, { key: 5 }).ask(0, 3), 403],
  ])('refuses %s', async (_, body, status) => {
    const { post } = await found()
    expect((await post(body)).status).toBe(status)
  })

  it('bounds a body whose length nobody told', async () => {
    const { post } = await found()
    const endless = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(65_536))
      },
    })
    expect((await post(endless)).status).toBe(413)
  })

  it('has no other resources', async () => {
    const { app } = await found()
    for (const path of ['/', '/add-checkpoint', '/x/checkpoint', '/../witness.key'])
      expect((await askApp(app, path)).status).toBe(404)
  })

  it('cosigns nothing while its state cannot be written, and tells a stranger no path', async () => {
    const { directory, witness } = await found()
    const keys = readWitnessKeyFile(`${directory}/witness.key`)
    const state: WitnessState = {
      list: () => [],
      read: () => witness.logs()[0],
      write: () => {
        throw new Failure('STORE_FAILED', `Cannot write ${directory}`)
      },
    }
    const { lines, post } = edge(new Witness({ clock: Date.now, keys, state }))
    const answer = await post(log.ask(0, 5))
    expect([answer.status, await answer.text()]).toEqual([503, 'The database failed\n'])
    expect(lines.join()).toContain(directory)
  })
})

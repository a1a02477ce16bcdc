import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import {
  addLines,
  endpointsOf,
  WitnessClient,
  type CosignRequest,
} from '../../../src/log/witness-client.ts'
import { parseAddCheckpoint, witnessLimits } from '../../../src/log/witness-protocol.ts'
import { createWitness, openWitness, type Witness } from '../../../src/log/witness.ts'
import { parseCheckpointVkey, verifyCheckpoint } from '../../../src/merkle/checkpoint.ts'
import { formatVkey, parseNote } from '../../../src/merkle/note.ts'
import { parseWitnessPolicy } from '../../../src/merkle/witness-policy.ts'
import { temporaryDirectory } from '../../support/service.ts'
import { WitnessedTestLog } from '../../support/witnessed-log.ts'

const log = new WitnessedTestLog(20)
const forked = new WitnessedTestLog(20, { forkAt: 4 })

async function found(name = 'w.example', known = log): Promise<Witness> {
  const directory = temporaryDirectory()
  await createWitness(directory, name)
  const witness = await openWitness(directory, Date.now)
  onTestFinished(() => {
    witness.close()
  })
  witness.putLog(known.origin, known.vkeys)
  return witness
}

/** How a witness is reached without a network; `bend` may change what it answers. */
function clientOf(
  witness: Witness,
  bend: (answer: Response) => Response | Promise<Response> = (answer) => answer,
) {
  const asked: string[] = []
  const client = new WitnessClient(
    { url: 'http://w.example', vkeys: witness.vkeys },
    {
      fetch: async (_, init) => {
        const body = init?.body as string
        asked.push(body.slice(0, body.indexOf('\n')))
        const { body: text, status, type } = witness.addCheckpoint(utf8(body))
        return bend(new Response(text, { headers: { 'content-type': type }, status }))
      },
      timeoutMs: 1000,
    },
  )
  return { asked, client }
}

const at = (size: number, of = log, logSize = size): CosignRequest => ({
  logSize,
  note: of.note(size),
  proofFrom: (from) => Promise.resolve(of.proof(from, size)),
})

describe('a client of witnesses', () => {
  it('gets lines that verify, finds out the witness’s size once, and needs one request from then on', async () => {
    const witness = await found()
    const { asked, client } = clientOf(witness)
    for (const size of [3, 8, 8, 20]) {
      const request = at(size)
      const result = await client.cosign(request)
      if (result.outcome !== 'cosigned') throw new Error(result.outcome)
      expect(verifyCheckpoint(addLines(request.note, result.lines), witness.vkeys)).toMatchObject({
        checkpoint: { size },
        lines: { length: 2 },
      })
    }
    expect(asked).toEqual(['old 3', 'old 0', 'old 3', 'old 8', 'old 8'])
  })

  it('synchronises with a witness that another process has led on', async () => {
    const witness = await found()
    const { client } = clientOf(witness)
    await client.cosign(at(3))
    witness.addCheckpoint(log.ask(3, 9))
    expect(await client.cosign(at(12))).toMatchObject({ outcome: 'cosigned' })
  })

  it('is alarmed by a witness that is ahead, and does not ask again', async () => {
    const witness = await found()
    witness.addCheckpoint(log.ask(0, 9))
    const { asked, client } = clientOf(witness)
    expect(await client.cosign(at(8))).toMatchObject({ outcome: 'contradicted', size: 9 })
    expect(asked).toEqual(['old 8'])
  })

  it.each([
    ['of the same size', 9, ['old 9']],
    ['that is smaller', 7, ['old 9', 'old 7']],
  ])('is alarmed by a witness of another history %s', async (_, size, expected) => {
    const witness = await found('w.example', forked)
    witness.addCheckpoint(forked.ask(0, size))
    const { asked, client } = clientOf(witness)
    expect(await client.cosign(at(9))).toMatchObject({ outcome: 'contradicted', size })
    expect(asked).toEqual(expected)
  })

  it('is told of a witness that has passed a size, which the log has too', async () => {
    const witness = await found()
    witness.addCheckpoint(log.ask(0, 9))
    const { asked, client } = clientOf(witness)
    for (let i = 0; i < 2; i++)
      expect(await client.cosign(at(8, log, 9))).toMatchObject({ outcome: 'passed', size: 9 })
    expect(asked).toEqual(['old 8'])
    expect(await client.cosign(at(9))).toMatchObject({ outcome: 'cosigned' })
    expect(asked).toEqual(['old 8', 'old 9'])
  })

  it('says what to do where a witness does not know the log or its keys', async () => {
    const { client } = clientOf(await found('w.example', new WitnessedTestLog(1, { origin: 'b' })))
    expect(await client.cosign(at(5))).toMatchObject({
      outcome: 'failed',
      reason: 'Witness does not know this log: add it there',
    })
    const other = clientOf(await found('w.example', new WitnessedTestLog(1, { key: 9 }))).client
    expect(await other.cosign(at(5))).toMatchObject({ outcome: 'failed' })
  })

  it('does not hide that a proof could not be made', async () => {
    const { client } = clientOf(await found())
    const request = { ...at(5), proofFrom: () => Promise.reject(new Error('No tile')) }
    await expect(client.cosign(request)).rejects.toThrow('No tile')
  })
})

describe('a hostile witness', () => {
  const text = (body: string, status = 200, type = 'text/plain') =>
    new Response(body, { headers: { 'content-type': type }, status })

  it.each<[string, (answer: Response, other: Witness) => Response | Promise<Response>]>([
    ['no line', () => text('')],
    ['no lines at all but text', () => text('thank you\n')],
    ['a line that is cut', async (answer) => text((await answer.text()).slice(0, -20))],
    ['a line of another key', (_, other) => text(other.addCheckpoint(log.ask(0, 5)).body)],
    ['its line twice', async (answer) => text((await answer.text()).repeat(2))],
    ['more than is allowed', () => text('x'.repeat(witnessLimits.answerBytes + 1))],
    ['bytes that are no text', () => new Response(Uint8Array.of(0xff, 0xfe))],
    ['a redirection', () => new Response(null, { headers: { location: '/x' }, status: 302 })],
    ['a breakdown', () => text('Oh no', 500)],
    ['a size of another media type', () => text('3\n', 409)],
    ['a size that is none', () => text('three\n', 409, 'text/x.tlog.size')],
    ['the size that was asked from', () => text('5\n', 409, 'text/x.tlog.size')],
  ])('that answers with %s is worth nothing, and no more', async (_, bend) => {
    const [witness, other] = [await found(), await found('other.example')]
    witness.addCheckpoint(log.ask(0, 5))
    const { client } = clientOf(witness, (answer) => bend(answer, other))
    const result = await client.cosign(at(5))
    expect(result).toMatchObject({ outcome: 'failed', url: 'http://w.example' })
  })

  it('that gives its lines for another checkpoint is not believed', async () => {
    const witness = await found()
    const { body } = witness.addCheckpoint(log.ask(0, 3))
    const { client } = clientOf(witness, () => text(body))
    expect(await client.cosign(at(5))).toMatchObject({
      outcome: 'failed',
      reason: 'Signature of a known key is wrong: w.example',
    })
  })

  it('that cosigns without a time is not believed', async () => {
    const witness = await found()
    // A log's own ML-DSA-44 line has the time 0: here it is taken for that of a witness.
    const parsed = parseNote(log.note(5))
    if (typeof parsed === 'string') throw new Error(parsed)
    const [, mlDsa] = log.note(5).split('\n\n')[1]?.split('\n') ?? []
    const vkey = parseCheckpointVkey(log.vkeys[1] ?? '')
    if (typeof vkey === 'string') throw new Error(vkey)
    const client = new WitnessClient(
      { url: 'http://w.example', vkeys: [...witness.vkeys, vkey] },
      { fetch: () => Promise.resolve(text(`${mlDsa ?? ''}\n`)), timeoutMs: 1000 },
    )
    expect(await client.cosign(at(5))).toMatchObject({ reason: 'Witness cosigns without a time' })
  })

  it('that names size after size is asked twice and no more', async () => {
    const witness = await found()
    let size = 0
    const { asked, client } = clientOf(witness, () => text(`${++size}\n`, 409, 'text/x.tlog.size'))
    expect(await client.cosign(at(9))).toMatchObject({ outcome: 'failed' })
    expect(asked).toHaveLength(2)
  })

  it.each([
    ['never answers', () => undefined],
    [
      'never ends',
      (write: (text: string) => void) => {
        write('x')
      },
    ],
  ])('that %s costs its timeout', async (_, act) => {
    const server = createServer((__, response) => {
      response.flushHeaders()
      act((part) => response.write(part))
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    const client = new WitnessClient({ url, vkeys: [] }, { timeoutMs: 100 })
    expect(await client.cosign(at(5))).toEqual({
      outcome: 'failed',
      reason: 'Witness does not answer in time',
      status: null,
      url,
    })
    const gone = new WitnessClient({ url: 'http://127.0.0.1:1', vkeys: [] }, { timeoutMs: 100 })
    expect(await gone.cosign(at(5))).toMatchObject({ outcome: 'failed' })
  })
})

describe('the endpoints of a policy', () => {
  const policyOf = (text: string) => {
    const policy = parseWitnessPolicy(text)
    if (typeof policy === 'string') throw new Error(policy)
    return policy
  }

  it('are one for each address', async () => {
    const [one, two] = [await found('w1.example'), await found('w2.example')]
    const lines = (witness: Witness, url: string): string =>
      witness.vkeys
        .map((vkey) => `witness ${vkey.name}/${vkey.type} ${formatVkey(vkey)} ${url}\n`)
        .join('')
    const text = `${lines(one, 'https://w1.example/x/')}${lines(two, '')}quorum none\n`
    expect(endpointsOf(policyOf(text))).toEqual([{ url: 'https://w1.example/x', vkeys: one.vkeys }])
    for (const url of ['ftp://w', 'w.example', 'http://u:p@w', 'http://w/?a', 'http://w/#a'])
      expect(() => endpointsOf(policyOf(`${lines(one, url)}quorum none\n`))).toThrow('no http')
  })
})

describe('adding lines to a note', () => {
  it('adds each key’s once', async () => {
    const witness = await found()
    const note = log.note(5)
    const body = witness.addCheckpoint(log.ask(0, 5, note)).body
    const parsed = parseNote(note + body)
    if (typeof parsed === 'string') throw new Error(parsed)
    const own = parsed.lines.slice(2)
    const merged = addLines(addLines(note, own), [...own, ...own])
    expect(merged).toBe(note + body)
    expect(typeof parseAddCheckpoint(utf8(`old 0\n\n${merged}`))).toBe('object')
    expect(fromUtf8(utf8(merged))).toContain('w.example')
  })
})

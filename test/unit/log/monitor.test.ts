import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { ed25519 } from '../../../src/crypto/ed25519.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { keyIdOf } from '../../../src/crypto/spki.ts'
import { formatLeaf, type Leaf } from '../../../src/dossier/leaf.ts'
import { formatTrustRoot, type OriginSection } from '../../../src/dossier/trust-root.ts'
import { LogSource } from '../../../src/log/log-source.ts'
import { Monitor, type Look } from '../../../src/log/monitor.ts'
import { MonitorState } from '../../../src/log/monitor-state.ts'
import { logVkeys, signCheckpoint } from '../../../src/merkle/checkpoint.ts'
import { leafHash } from '../../../src/merkle/hash.ts'
import { formatVkey } from '../../../src/merkle/note.ts'
import { entryBundle, parseTilePath, TileTree } from '../../../src/merkle/tiles.ts'
import {
  formatLogEvidence,
  parseLogEvidence,
  verifyLogEvidence,
  type LogEvidence,
} from '../../../src/verify/log-evidence.ts'
import { fixedLog } from '../../support/merkle-signers.ts'
import { temporaryDirectory } from '../../support/service.ts'

const origin = 'log.example/monitored'
const signers = fixedLog(40)
const start = 1_800_000_000_000
const hex = (text: string): string => encodeHex(sha256(utf8(text)))
const streamId = (n: number): string => `01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`

/** A served log that signs whatever it is told to. */
class Served {
  readonly leaves: Uint8Array[] = []
  #tree = new TileTree(0, () => new Uint8Array())
  readonly #tiles = new Map<string, Uint8Array>()
  note = ''
  asked = 0
  /** Changes what is answered to a path. */
  bend: (path: string, bytes: Uint8Array) => Uint8Array = (_, bytes) => bytes

  add(leaf: Uint8Array | string): this {
    const bytes = typeof leaf === 'string' ? utf8(leaf) : leaf
    this.leaves.push(bytes)
    for (const { hashes, level, n } of this.#tree.append([leafHash(bytes)]))
      this.#tiles.set(`${level}/${n}`, hashes)
    return this
  }

  /** Adds a leaf of a stream. */
  step(stream: string, seq: number, prev: Uint8Array | null, change: Partial<Leaf> = {}): this {
    return this.add(
      formatLeaf({
        keyid: hex('key'),
        kind: seq === 0 ? 'decision' : 'execution',
        pae: hex('pae').repeat(2),
        prev: prev === null ? null : encodeHex(leafHash(prev)),
        seq,
        sig: hex(`sig ${this.leaves.length}`),
        stream,
        time: start + this.leaves.length,
        v: 1,
        ...change,
      }),
    )
  }

  /** Adds decisions of their own streams, every third with a step more. */
  grow(count: number, from = this.leaves.length): this {
    for (let n = from; n < from + count; n++)
      if (n % 3 === 2) this.step(streamId(n - 1), 1, this.leaves.at(-1) ?? null)
      else this.step(streamId(n), 0, null)
    return this
  }

  sign(): this {
    this.note = signCheckpoint(
      { origin, root: this.#tree.root(), size: this.leaves.length },
      signers,
    )
    return this
  }

  get root(): Uint8Array {
    return this.#tree.root()
  }

  read(path: string): Uint8Array | undefined {
    if (path === '/checkpoint') return utf8(this.note)
    const tile = parseTilePath(path.replace(/^\/tile\//, ''))
    if (tile === undefined) return undefined
    const { level, n, width } = tile
    if (level === 'entries') {
      const leaves = this.leaves.slice(n * 256, n * 256 + width)
      return leaves.length === width ? entryBundle(leaves) : undefined
    }
    const hashes = this.#tiles.get(`${level}/${n}`)
    return hashes === undefined || hashes.length < 32 * width
      ? undefined
      : hashes.slice(0, 32 * width)
  }
}

/** The same leaves up to a size, and others behind it. */
function fork(served: Served, at: number, count: number): Served {
  const other = new Served()
  for (const leaf of served.leaves.slice(0, at)) other.add(leaf)
  for (let n = 0; n < count; n++) other.step(streamId(9000 + n), 0, null)
  return other.sign()
}

const sectionOf = (change: Partial<OriginSection> = {}): OriginSection => ({
  asOf: { root: encodeBase64(sha256()), size: 0 },
  instance: '01890a5d-ac96-774b-bcce-b302099a8057',
  keys: [
    {
      algorithm: 'Ed25519',
      from: 0,
      keyid: keyIdOf(ed25519, signers.ed25519.publicKey),
      kinds: ['decision'],
      profile: 'checkpoint',
      publicKey: encodeBase64(signers.ed25519.publicKey),
      revokedAt: null,
      to: null,
    },
  ],
  logKeys: logVkeys(origin, signers).map((vkey) => ({
    final: null,
    from: 0,
    revokedAt: null,
    to: null,
    vkey: formatVkey(vkey),
  })),
  origin,
  rosters: [],
  tenant: 'monitored',
  witnesses: 'quorum none\n',
  ...change,
})

const trustOf = (section: OriginSection): Uint8Array =>
  formatTrustRoot({ dev: false, origins: [section], previous: null, v: 1, version: 1 })
const trustFile = trustOf(sectionOf())

/** A monitor of a log that can be exchanged for another behind the same URL. */
async function watch(first: Served, section = sectionOf()) {
  const at = { served: first }
  const server = createServer(({ url = '' }, response) => {
    at.served.asked++
    const bytes = at.served.read(url)
    response.statusCode = bytes === undefined ? 404 : 200
    try {
      response.end(bytes === undefined ? '' : at.served.bend(url, bytes))
    } catch {
      response.destroy()
    }
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const file = join(temporaryDirectory(), 'seen.db')
  let state = await MonitorState.open(file)
  onTestFinished(() => {
    state.close()
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const controller = { signal: undefined as AbortSignal | undefined }
  const progress: number[] = []
  const look = (): Promise<Look> => {
    const source = new LogSource({ timeoutMs: 5000, url: `http://127.0.0.1:${port}/` })
    const { signal } = controller
    return new Monitor({
      progress: (done) => void progress.push(done),
      section,
      source,
      state,
      ...(signal === undefined ? {} : { signal }),
    }).look()
  }
  const reopen = async (): Promise<void> => {
    state.close()
    state = await MonitorState.open(file)
  }
  return { at, controller, file, look, progress, reopen, state: () => state }
}

/** Changes what is served as tiles, of one level or all; undefined where nothing is. */
const cutting =
  (change: (bytes: Uint8Array) => Uint8Array | undefined, level = '') =>
  (served: Served): void => {
    const read = served.read.bind(served)
    served.read = (path) => {
      const bytes = read(path)
      return bytes === undefined || !path.startsWith(`/tile/${level}`) ? bytes : change(bytes)
    }
  }

/** The evidence of a look, which must convince whoever has the trust root. */
function evidenceOf(look: Look): LogEvidence & { readonly file: Uint8Array } {
  if (look.outcome !== 'evidence') throw new Error(JSON.stringify(look))
  const parsed = parseLogEvidence(look.file)
  if (typeof parsed === 'string') throw new Error(parsed)
  return { ...parsed, file: look.file }
}

describe('a monitor', () => {
  it('verifies growth after growth, and goes on from what it has seen', async () => {
    const served = new Served().grow(3).sign()
    const { look, reopen } = await watch(served)
    expect(await look()).toEqual({
      from: 0,
      outcome: 'verified',
      quorum: true,
      size: 3,
      witnesses: 0,
    })
    for (const more of [1, 250, 2, 256, 300]) {
      const from = served.leaves.length
      served.grow(more).sign()
      await reopen()
      expect(await look()).toMatchObject({ from, outcome: 'verified', size: from + more })
    }
    served.asked = 0
    expect(await look()).toMatchObject({ from: served.leaves.length, outcome: 'verified' })
    expect(served.asked).toBe(1)
  })

  it('says whether the quorum of its trust root has cosigned', async () => {
    const [, vkey] = logVkeys('w.example', fixedLog(90))
    const witness = `witness w ${formatVkey(vkey)}\n`
    for (const [quorum, held] of [
      ['none', true],
      ['w', false],
    ] as const) {
      const section = sectionOf({ witnesses: `${witness}quorum ${quorum}\n` })
      const { look } = await watch(new Served().grow(3).sign(), section)
      expect(await look()).toMatchObject({ outcome: 'verified', quorum: held, witnesses: 0 })
    }
  })

  it('begins with an empty log', async () => {
    const served = new Served().sign()
    const { look } = await watch(served)
    expect(await look()).toMatchObject({ outcome: 'verified', size: 0 })
    served.grow(5).sign()
    expect(await look()).toMatchObject({ from: 0, outcome: 'verified', size: 5 })
  })

  it('goes on where it was cut off', async () => {
    const served = new Served().grow(6000).sign()
    const { controller, look, progress, reopen, state } = await watch(served)
    const abort = new AbortController()
    controller.signal = abort.signal
    const { bend } = served
    served.bend = (path, bytes) => {
      if (path === '/tile/entries/020') abort.abort(new Error('Enough'))
      return bend(path, bytes)
    }
    await expect(look()).rejects.toThrow('Enough')
    expect(state().head()).toBeUndefined()
    await reopen()
    controller.signal = undefined
    progress.length = 0
    expect(await look()).toMatchObject({ from: 0, outcome: 'verified', size: 6000 })
    expect(progress[0]).toBe(17 * 256)
    served.grow(1).sign()
    expect(await look()).toMatchObject({ from: 6000, outcome: 'verified' })
  })

  it('takes an older checkpoint for stale, seen before or not', async () => {
    const served = new Served().grow(5).sign()
    const { at, look } = await watch(served)
    const five = served.note
    await look()
    const seven = served.grow(2).sign().note
    served.grow(300).sign()
    expect(await look()).toMatchObject({ outcome: 'verified', size: 307 })
    for (const [note, size] of [
      [five, 5],
      [seven, 7],
    ] as const) {
      at.served.note = note
      expect(await look()).toEqual({ outcome: 'stale', seen: 307, size })
    }
  })

  it('belongs to one log and one process', async () => {
    const { file, look } = await watch(new Served().grow(1).sign())
    await look()
    await expect(MonitorState.open(file)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    const other = await MonitorState.open(join(temporaryDirectory(), 'other.db'))
    other.claim('another')
    expect(() => {
      other.claim(origin)
    }).toThrow('another')
    other.close()
    const text = join(temporaryDirectory(), 'text')
    writeFileSync(text, 'This is a text of more than a hundred bytes. '.repeat(9))
    await expect(MonitorState.open(text)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })
})

describe('two histories of one log', () => {
  it.each([
    ['of the same size', 10, 4, 10],
    ['that is larger, from the beginning', 10, 0, 20],
    ['that is larger, from the last entry on', 10, 9, 11],
    ['that is larger by tiles', 300, 299, 800],
    ['that is larger by tiles, from before', 700, 100, 1500],
  ])('are proved by one %s', async (_, seen, forkAt, size) => {
    const served = new Served().grow(seen).sign()
    const { at, look } = await watch(served)
    await look()
    at.served = fork(served, forkAt, size - forkAt)
    const found = evidenceOf(await look())
    expect(found).toMatchObject({ claim: 'fork', notes: [served.note, at.served.note] })
    expect(verifyLogEvidence(found.file, trustFile)).toMatchObject({ origin, verdict: 'proved' })
    // The honest one is still believed.
    at.served = served.grow(2).sign()
    expect(await look()).toMatchObject({ outcome: 'verified' })
  })

  it('are proved by a smaller one where it contradicts an older head', async () => {
    const served = new Served().grow(5).sign()
    const { at, look } = await watch(served)
    await look()
    served.grow(20).sign()
    await look()
    at.served = fork(served, 3, 7)
    expect(verifyLogEvidence(evidenceOf(await look()).file, trustFile).verdict).toBe('proved')
    // Behind the last head that both have, nothing is proved to others.
    at.served = fork(served, 6, 4)
    expect(await look()).toMatchObject({ outcome: 'unproved' })
  })

  it('are proved by a head of the trust root', async () => {
    const served = new Served().grow(5).sign()
    const asOf = { root: encodeBase64(served.root), size: 5 }
    const other = fork(served, 2, 3)
    const { look } = await watch(other, sectionOf({ asOf }))
    const found = evidenceOf(await look())
    expect(found.claim).toBe('head')
    expect(verifyLogEvidence(found.file, trustOf(sectionOf({ asOf }))).verdict).toBe('proved')
    expect(verifyLogEvidence(found.file, trustFile).verdict).toBe('refused')
  })
})

describe('a broken stream', () => {
  const wrong: [string, string, (served: Served) => void][] = [
    ['a step that stands twice', 'twice', (s) => s.step(streamId(0), 0, null)],
    [
      'an older step that stands twice',
      'twice',
      (s) => s.step(streamId(4), 0, null, { sig: hex('again') }),
    ],
    ['a fork of a stream', 'twice', (s) => s.step(streamId(4), 1, s.leaves[4] ?? null)],
    ['a step that follows another', 'chain', (s) => s.step(streamId(0), 1, s.leaves[3] ?? null)],
    ['time that falls', 'time', (s) => s.step(streamId(99), 0, null, { time: start })],
    ['a kind that may not stand there', 'leaf', (s) => s.step('keys', 0, null)],
    ['a first step with one before', 'leaf', (s) => s.step(streamId(99), 0, s.leaves[0] ?? null)],
    ['an entry that is no leaf', 'leaf', (s) => s.add('{}')],
  ]

  it.each(wrong)('by %s is proved', async (_, claim, act) => {
    const served = new Served().grow(7)
    act(served)
    served.grow(300, 600).sign()
    const { look, state } = await watch(served)
    const found = evidenceOf(await look())
    expect(found.claim).toBe(claim)
    expect(verifyLogEvidence(found.file, trustFile)).toMatchObject({ claim, verdict: 'proved' })
    expect(state().head()).toBeUndefined()
    // Seen before or not, it is the same.
    const early = new Served().grow(7).sign()
    const { at, look: again } = await watch(early)
    await again()
    at.served = served
    expect(evidenceOf(await again()).claim).toBe(claim)
  })

  it('by a step that is left out is told, and only shown to whoever reads the log', async () => {
    for (const stream of [streamId(0), streamId(99)]) {
      const served = new Served().grow(7)
      served.step(stream, 2, served.leaves[0] ?? null).sign()
      const { look } = await watch(served)
      const found = evidenceOf(await look())
      expect(found.claim).toBe('gap')
      expect(verifyLogEvidence(found.file, trustFile).verdict).toBe('inconclusive')
    }
  })
})

describe('a server that lies', () => {
  it.each<[string, (served: Served) => void]>([
    [
      'bends an entry',
      (served) => {
        served.bend = (path, bytes) =>
          path.startsWith('/tile/entries') ? bytes.map((b, i) => (i === 7000 ? b ^ 1 : b)) : bytes
      },
    ],
    [
      'bends its tiles',
      (served) => {
        served.bend = (path, bytes) =>
          path.startsWith('/tile/0') ? bytes.map((b, i) => (i === 70 ? b ^ 1 : b)) : bytes
      },
    ],
    [
      'serves the checkpoint of a stranger',
      (served) => {
        served.note = signCheckpoint({ origin, root: served.root, size: 20 }, fixedLog(60))
      },
    ],
    [
      'serves another log',
      (served) => {
        served.note = signCheckpoint({ origin: 'x', root: served.root, size: 20 }, signers)
      },
    ],
    [
      'serves no checkpoint',
      (served) => {
        served.note = 'hello\n'
      },
    ],
  ])('and %s convinces nobody and leaves nothing behind', async (_, lie) => {
    const served = new Served().grow(10).sign()
    const { look, state } = await watch(served)
    await look()
    served.grow(10).sign()
    const { bend, note } = served
    lie(served)
    expect(await look()).toMatchObject({ outcome: 'unproved' })
    expect(state().head()?.size).toBe(10)
    served.bend = bend
    served.note = note
    expect(await look()).toMatchObject({ from: 10, outcome: 'verified', size: 20 })
  })

  it.each<[string, (served: Served) => void]>([
    ['has lost its entries', cutting(() => undefined, 'entries')],
    ['has lost its tiles', cutting(() => undefined, '0')],
    ['answers nothing', cutting(() => new Uint8Array())],
    ['answers something else', cutting(() => new Uint8Array(8192).fill(7), 'entries')],
    ['cuts its entries short', cutting((bytes) => bytes.subarray(0, -3), 'entries')],
    ['cuts its tiles short', cutting((bytes) => bytes.subarray(0, -32), '0')],
    ['answers too much', cutting(() => new Uint8Array(20_000_000))],
  ])(
    'and %s behind a signed checkpoint is told of, and goes on when it is mended',
    async (_, act) => {
      const served = new Served().grow(10).sign()
      const { look, state } = await watch(served)
      await look()
      served.grow(10).sign()
      const read = served.read.bind(served)
      act(served)
      expect(await look()).toMatchObject({
        outcome: 'unproved',
        reason: expect.stringContaining('its data is withheld') as string,
      })
      expect(state().head()?.size).toBe(10)
      served.read = read
      expect(await look()).toMatchObject({ from: 10, outcome: 'verified', size: 20 })
    },
  )

  it('keeps what was read before it was away, and does not wait for what will never be there again', async () => {
    const served = new Served().grow(6000).sign()
    const { look, progress, state } = await watch(served)
    const read = served.read.bind(served)
    const { bend } = served
    served.bend = (path) => {
      if (path === '/tile/entries/020') throw new Error('Away')
      return bend(path, read(path) ?? new Uint8Array())
    }
    expect(await look()).toMatchObject({ outcome: 'unproved' })
    expect(state().reading()?.size).toBe(16 * 256)
    progress.length = 0
    expect(await look()).toMatchObject({ outcome: 'unproved' })
    expect(progress[0]).toBe(17 * 256)
    served.bend = bend
    // Its partial tiles are gone by the time that it has grown.
    served.read = (path) => (path.startsWith('/tile/entries/023.p/112') ? undefined : read(path))
    served.grow(20).sign()
    expect(await look()).toMatchObject({ from: 0, outcome: 'verified', size: 6020 })
  })

  it('or wants a key is given it, and told apart from one that is away', async () => {
    const server = createServer(({ headers }, response) => {
      response.statusCode = headers.authorization === 'Bearer good' ? 200 : 401
      response.end('note')
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const read = (token?: string) => new LogSource({ timeoutMs: 5000, token, url }).checkpoint()
    expect(await read('good')).toBe('note')
    for (const token of ['bad', undefined])
      await expect(read(token)).rejects.toMatchObject({ code: 'AUTH_INVALID' })
  })

  it('and answers without end, or never, is bounded', async () => {
    const server = createServer(({ url }, response) => {
      response.flushHeaders()
      if (url === '/slow/checkpoint') return
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536, 'x')));
      }
      response.on('drain', more)
      more()
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await expect(new LogSource({ timeoutMs: 5000, url }).checkpoint()).rejects.toMatchObject({
      code: 'INPUT_TOO_LARGE',
    })
    const slow = new LogSource({ timeoutMs: 100, url: `${url}/slow` })
    await expect(slow.checkpoint()).rejects.toMatchObject({
      code: 'LOG_BUSY',
      message: `Log cannot be reached (TimeoutError): ${url}/slow/checkpoint`,
    })
  })

  it('or is away is tried again', async () => {
    const served = new Served().grow(10).sign()
    const { at, look } = await watch(served)
    at.served = new Served()
    at.served.read = () => undefined
    await expect(look()).rejects.toMatchObject({ code: 'LOG_BUSY' })
    const gone = new LogSource({ timeoutMs: 500, url: 'http://127.0.0.1:1' })
    await expect(gone.checkpoint()).rejects.toMatchObject({ code: 'LOG_BUSY' })
    for (const url of ['ftp://x', 'x', 'http://x/?y'])
      expect(() => new LogSource({ timeoutMs: 500, url })).toThrow('Not the URL')
  })
})

describe('evidence', () => {
  async function genuine(): Promise<readonly LogEvidence[]> {
    const made: LogEvidence[] = []
    const served = new Served().grow(300).sign()
    const watched = await watch(served)
    await watched.look()
    watched.at.served = fork(served, 100, 500)
    made.push(evidenceOf(await watched.look()))
    watched.at.served = fork(served, 100, 200)
    made.push(evidenceOf(await watched.look()))
    const twice = new Served().grow(7)
    twice.step(streamId(0), 0, null).sign()
    made.push(evidenceOf(await (await watch(twice)).look()))
    const chain = new Served().grow(7)
    chain.step(streamId(0), 1, chain.leaves[3] ?? null).sign()
    made.push(evidenceOf(await (await watch(chain)).look()))
    return made.map(({ claim, leaves, node, notes }) => ({ claim, leaves, node, notes }))
  }

  it('that was forged is refused', async () => {
    const honest = new Served().grow(20).sign()
    const [byNode, bySize, twice, chain] = await genuine()
    if (!byNode?.node || !bySize || !twice || !chain) throw new Error('No evidence')
    const other = signCheckpoint({ origin, root: sha256(utf8('x')), size: 20 }, fixedLog(60))
    const [note = ''] = byNode.notes
    const [one, two] = twice.leaves
    if (one === undefined || two === undefined) throw new Error('No leaves')
    const { node } = byNode
    const forgeries: [string, LogEvidence][] = [
      ['the same checkpoint twice', { ...bySize, notes: [note, note] }],
      ['a checkpoint of a stranger', { ...bySize, notes: [honest.note, other] }],
      ['one checkpoint only', { ...bySize, notes: [note] }],
      ['no node', { ...byNode, node: null }],
      ['a node of another place', { ...byNode, node: { ...node, index: node.index + 1 } }],
      ['a node of another level', { ...byNode, node: { ...node, level: node.level + 1 } }],
      [
        'the same node twice',
        { ...byNode, node: { ...node, hashes: [node.hashes[0], node.hashes[0]] } },
      ],
      [
        'another hash',
        { ...byNode, node: { ...node, hashes: [node.hashes[0], sha256(utf8('x'))] } },
      ],
      ['swapped notes', { ...byNode, notes: byNode.notes.toReversed() }],
      ['a node beside notes of one size', { ...bySize, node }],
      ['leaves beside a fork', { ...bySize, leaves: twice.leaves }],
      ['the same leaf twice', { ...twice, leaves: [one, one] }],
      ['one leaf only', { ...twice, leaves: [one] }],
      ['a leaf that is not in the log', { ...twice, leaves: [one, { ...two, leaf: one.leaf }] }],
      ['a leaf of another index', { ...twice, leaves: [one, { ...two, index: two.index - 1 }] }],
      ['no proof', { ...twice, leaves: [one, { ...two, proof: [] }] }],
      ['a node beside leaves', { ...twice, node }],
      ['a fork under leaves', { ...twice, notes: [...twice.notes, note] }],
      ['a bent checkpoint', { ...twice, notes: [(twice.notes[0] ?? '').replace('8', '9')] }],
      ...(['fork', 'head', 'chain', 'gap', 'time', 'leaf'] as const).map(
        (claim): [string, LogEvidence] => [`twice as ${claim}`, { ...twice, claim }],
      ),
      ...(['twice', 'gap', 'time', 'leaf'] as const).map((claim): [string, LogEvidence] => [
        `chain as ${claim}`,
        { ...chain, claim },
      ]),
    ]
    // A trust root of later times knows all keys; an older one cannot say whose a later key is.
    const known = trustOf(sectionOf({ asOf: { root: encodeBase64(sha256()), size: 5000 } }))
    const strange = formatLogEvidence({ ...bySize, notes: [honest.note, other] })
    expect(verifyLogEvidence(strange, trustFile).verdict).toBe('inconclusive')
    for (const evidence of [byNode, bySize, twice, chain])
      expect(verifyLogEvidence(formatLogEvidence(evidence), trustFile).verdict).toBe('proved')
    for (const [name, evidence] of forgeries)
      expect([name, verifyLogEvidence(formatLogEvidence(evidence), known).verdict], name).toEqual([
        name,
        'refused',
      ])
  })

  it('by a log key that was revoked, or counts elsewhere, is refused', async () => {
    const [evidence] = await genuine()
    if (evidence === undefined) throw new Error('No evidence')
    const file = formatLogEvidence(evidence)
    const { logKeys } = sectionOf()
    for (const change of [{ revokedAt: 1 }, { from: 900 }, { to: 200 }]) {
      const changed = sectionOf({ logKeys: logKeys.map((key) => ({ ...key, ...change })) })
      expect(verifyLogEvidence(file, trustOf(changed)).verdict).toBe('refused')
    }
    const [half] = logKeys
    if (half === undefined) throw new Error('No key')
    expect(verifyLogEvidence(file, trustOf(sectionOf({ logKeys: [half] }))).verdict).toBe('refused')
    const stranger = sectionOf({ origin: 'x', logKeys: logVkeysOf('x') })
    expect(verifyLogEvidence(file, trustOf(stranger)).verdict).toBe('refused')
  })

  const logVkeysOf = (name: string) =>
    logVkeys(name, signers).map((vkey) => ({
      final: null,
      from: 0,
      revokedAt: null,
      to: null,
      vkey: formatVkey(vkey),
    }))

  it('that is no file of ours is refused, whatever it is', async () => {
    const [evidence] = await genuine()
    if (evidence === undefined) throw new Error('No evidence')
    const good = formatLogEvidence(evidence)
    const text = new TextDecoder().decode(good)
    for (const bad of ['', '{}', 'null', text.slice(1), ` ${text}`, text.replace('"v":1', '"v":2')])
      expect(verifyLogEvidence(utf8(bad), trustFile)).toMatchObject({
        claim: null,
        verdict: 'refused',
      })
    expect(verifyLogEvidence(Uint8Array.of(0xff), trustFile).verdict).toBe('refused')
    expect(verifyLogEvidence(good, utf8('{}')).verdict).toBe('refused')
    // No single byte can be changed.
    for (let i = 0; i < good.length; i += 211) {
      const bent = good.map((byte, at) => (at === i ? byte ^ 1 : byte))
      expect(verifyLogEvidence(bent, trustFile).verdict, `byte ${i}`).toBe('refused')
    }
  })
})

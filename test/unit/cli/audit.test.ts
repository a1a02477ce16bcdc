import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ReadingService } from '../../../src/cli/composition.ts'
import { formatIndex } from '../../../src/cli/period-index.ts'
import { formatSummary } from '../../../src/cli/period-summary.ts'
import { parsePosition } from '../../../src/cli/position.ts'
import { Failure } from '../../../src/base/failure.ts'
import type { PeriodRow, PeriodStep } from '../../../src/decisions/period-state.ts'
import { Reading } from '../../../src/decisions/reading.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { FakeService } from '../../support/fake-service.ts'
import {
  foundTestService,
  principalOf,
  requestOf,
  type TestService,
} from '../../support/service.ts'
import { run, type Around, type Ran } from './harness.ts'

const home = mkdtempSync(join(tmpdir(), 'countersign-audit-'))
let test: TestService
let cwd: string
let count = 0

beforeAll(async () => {
  test = await foundTestService({ closeYourself: true, directory: join(home, 'installation') })
  const actors = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', 'a,"b"', '<img src=x onerror=alert(1)>']
  for (const [n, id] of actors.entries()) {
    const intent = { action: { type: 'pay' }, actor: { id } }
    await test.notarise(requestOf(n, { intent, status: n === 1 ? 'BLOCK' : 'ALLOW' }))
  }
  await Promise.all(Array.from({ length: 200 }, (_, n) => test.notarise(requestOf(100 + n))))
  writeFileSync(join(home, 'trust.json'), await test.service.readTrustRoot('default'))
}, 60_000)

beforeEach(() => {
  cwd = join(home, `run-${count++}`)
  mkdirSync(cwd)
})

afterAll(async () => {
  await test.service.close()
  rmSync(home, { force: true, recursive: true })
})

const openReading = async (): Promise<Reading> => {
  const path = join(home, 'installation', 'data')
  const store = await openSqliteStore({ mode: 'read', path })
  return new Reading(() => store)
}

const audit = (args: readonly string[], around: Around = {}): Promise<Ran> =>
  run(['audit', 'export', ...args], {
    cwd,
    ...around,
    composition: { openReading, ...around.composition },
  })
const verify = (...args: string[]): Promise<Ran> =>
  run(['verify', ...args, '--trust', '../trust.json'], { cwd })
const read = (name: string): string => readFileSync(join(cwd, name), 'utf8')
const left = (name: string): boolean[] =>
  ['', '.csv', '.html', '.part', '.csv.part', '.journal'].map((end) =>
    existsSync(join(cwd, name + end)),
  )
const finished = [true, true, true, false, false, false]
const unfinished = [false, false, false, true, true, true]

describe('audit export', () => {
  it('writes a file that verifies, an index and a summary, and prints their digests', async () => {
    const { code, stderr, stdout } = await audit(['-o', 'all.jsonl'])
    expect(code).toBe(0)
    expect(left('all.jsonl')).toEqual(finished)
    const digests = ['all.jsonl', 'all.jsonl.csv'].map(
      (name) => `${createHash('sha256').update(read(name)).digest('hex')}  ${name}\n`,
    )
    expect(stdout).toBe(digests.join(''))
    expect(stderr).toContain(
      '213 entries from index 0 to size 213, 207 dossiers; not told in the log',
    )
    expect(statSync(join(cwd, 'all.jsonl')).mode & 0o777).toBe(0o600)
    const verified = await verify('all.jsonl')
    expect([verified.code, verified.stdout]).toEqual([
      0,
      'valid         all.jsonl  213 entries from index 0 to 212: none missing, none added; 207 dossiers, each complete as of size 213  assurance operator\n',
    ])
    expect(verified.stderr).toContain('note: No witness has cosigned')
  })

  it('prints JSON where that is asked for, and takes a part only', async () => {
    const { code, stderr, stdout } = await audit([
      ...['--from', '7', '--status', 'BLOCK', 'ERROR', '-o', 'b.jsonl', '--json'],
    ])
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toEqual({
      csv: 'b.jsonl.csv',
      dossiers: 1,
      file: 'b.jsonl',
      from: 7,
      html: 'b.jsonl.html',
      kinds: { decision: 206 },
      recorded: null,
      resumed: false,
      sha256: createHash('sha256').update(read('b.jsonl')).digest('hex'),
      statuses: { BLOCK: 1 },
      to: 213,
    })
    const report = JSON.parse((await verify('b.jsonl', '--json')).stdout) as object
    expect(report).toMatchObject({ entries: 206, file: 'b.jsonl', from: 7, verdict: 'valid' })
  })

  it('says where its witnesses have not seen all that was asked for', async () => {
    const directory = mkdtempSync(join(home, 'witnessed-'))
    const founded = await foundTestService({ directory })
    const { id } = await founded.notarise(requestOf(1))
    await founded.service.close()
    const path = join(directory, 'data')
    const store = await openSqliteStore({ mode: 'write', path })
    const last = await store.readLastCheckpoint('default')
    if (last === undefined) throw new Error('No checkpoint')
    const note = `${last.note}— witness.example/one ${'A'.repeat(12)}\n`
    await store.keepCosigned('default', { ...last, note }, true)
    await store.close()
    const again = await founded.reopen()
    await again.service.erase(principalOf('checkpoint'), id, 'asked for')
    await again.notarise(requestOf(2))
    const openHere = async (): Promise<Reading> => {
      const reading = await openSqliteStore({ mode: 'read', path })
      return new Reading(() => reading)
    }
    const around = { composition: { openReading: openHere } }
    const { stderr } = await audit(['-o', 'w.jsonl'], around)
    expect(stderr).toContain('the period ends at size 7 of 9: its quorum of witnesses')
    expect(stderr).toContain('fewer witnesses have cosigned the later checkpoint')
    // Whoever names the end gets what he named.
    const named = await audit(['--to', '9', '-o', 'n.jsonl'], around)
    expect(named.stderr).not.toMatch(/witnesses/)
  })

  it('has the running server tell the log, and says where', async () => {
    const service = new FakeService()
    const connectServer = () => Promise.resolve(service)
    const { stderr } = await audit(['-o', 'a.jsonl'], { composition: { connectServer } })
    expect(stderr).toContain('told in the log at index 9')
    const sha256 = createHash('sha256').update(read('a.jsonl')).digest('hex')
    expect(service.asked).toMatchObject([
      {
        args: ['default', { dossiers: 207, from: 0, sha256, statuses: null, to: 213 }, {}],
        method: 'recordExport',
      },
    ])
  })

  it('opens the data directory for that only when told to, and then insists on it', async () => {
    const broken = () => Promise.reject(new Failure('KEK_UNAVAILABLE', 'No provider'))
    const composition = { openService: broken }
    expect((await audit(['-o', 'a.jsonl'], { composition })).code).toBe(0)
    const refused = await audit(['-o', 'b.jsonl', '--record'], { composition })
    expect([refused.code, left('b.jsonl')]).toEqual([75, unfinished])
    const done = await audit(['-o', 'b.jsonl', '--record'])
    expect([done.code, done.stderr]).toEqual([0, expect.stringContaining('at index 9')])
    expect(read('b.jsonl')).toBe(read('a.jsonl'))
  })

  it('says so when the server cannot tell the log, and hands the file out all the same', async () => {
    const connectServer = () => Promise.reject(new Failure('INPUT_METHOD', 'Method is not offered'))
    const { code, stderr } = await audit(['-o', 'a.jsonl'], { composition: { connectServer } })
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('not told in the log: Method is not offered'),
    ])
  })

  it.each([
    ['no file is named', []],
    ['the file is a directory', ['-o', '.']],
    ['the file lies in no directory', ['-o', 'nowhere/a.jsonl']],
    ['a status is none', ['-o', 'a', '--status', 'MAYBE']],
    ['a position is none', ['-o', 'a', '--from', 'yesterday']],
    ['there is no such day', ['-o', 'a', '--to', '2026-02-30']],
    ['the period is beyond the log', ['-o', 'a', '--to', '100000']],
    ['the period ends before it begins', ['-o', 'a', '--from', '9', '--to', '8']],
  ])('exits 2 and leaves nothing when %s', async (_what, args) => {
    const { code, stdout } = await audit(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(left('a')).toEqual(Array(6).fill(false))
  })
})

/** A reading service that does something after so many steps of an export. */
const stepping =
  (steps: number, then: () => void): (() => Promise<ReadingService>) =>
  async () => {
    const reading = await openReading()
    const real = reading.exportPeriod.bind(reading)
    reading.exportPeriod = async function* (head, state): AsyncGenerator<PeriodStep> {
      let step = 0
      for await (const each of real(head, state)) {
        if (++step === steps) then()
        yield each
      }
    }
    return reading
  }

/** Files of the directory that this process holds open. */
const stillOpen = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(cwd) || path === '/dev/full' ? [path] : []
    } catch {
      // The one by which the directory was read.
      return []
    }
  })

describe('two exports to one file', () => {
  it('are one: the other is told so, and harms nothing', async () => {
    let other: Ran | undefined
    const slow = async (): Promise<ReadingService> => {
      const reading = await openReading()
      const real = reading.exportPeriod.bind(reading)
      reading.exportPeriod = async function* (head, state): AsyncGenerator<PeriodStep> {
        for await (const each of real(head, state)) {
          other ??= await audit(['-o', 'a.jsonl'])
          yield each
        }
      }
      return reading
    }
    expect(await audit(['-o', 'a.jsonl'], { composition: { openReading: slow } })).toMatchObject({
      code: 0,
    })
    expect([other?.code, other?.stderr]).toEqual([
      75,
      expect.stringContaining(`Another export writes this file: ${join(cwd, 'a.jsonl')}`),
    ])
    expect((await verify('a.jsonl')).code).toBe(0)
    expect(readdirSync(cwd).sort()).toEqual(['a.jsonl', 'a.jsonl.csv', 'a.jsonl.html'])
    expect((await audit(['-o', 'a.jsonl'])).code).toBe(0)
  })

  it('are not held up by one that died', async () => {
    mkdirSync(join(cwd, 'a.jsonl.lock'))
    writeFileSync(join(cwd, 'a.jsonl.lock', 'writer.lock'), '')
    expect((await audit(['-o', 'a.jsonl'])).code).toBe(0)
    expect(left('a.jsonl')).toEqual(finished)
    expect(existsSync(join(cwd, 'a.jsonl.lock'))).toBe(false)
  })
})

describe('an export that was interrupted', () => {
  const interruptedAfter = async (steps: number, name = 'a.jsonl'): Promise<Ran> => {
    const signals = new EventEmitter()
    const stop = stepping(steps, () => signals.emit('SIGINT', 'SIGINT'))
    return audit(['-o', name], { composition: { openReading: stop }, signals })
  }

  it('goes on when the same command is run again, and comes out the same', async () => {
    await audit(['-o', 'whole.jsonl'])
    for (const steps of [1, 2, 3, 4]) {
      const name = `cut-${steps}.jsonl`
      const { code, stderr, stdout } = await interruptedAfter(steps, name)
      expect([steps, code, stdout]).toEqual([steps, 130, ''])
      expect(stderr).toContain('run the same command again to go on')
      expect(left(name)).toEqual(unfinished)
      const again = await audit(['-o', name])
      expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('going on with')])
      expect(left(name)).toEqual(finished)
      for (const end of ['', '.csv']) expect(read(name + end)).toBe(read(`whole.jsonl${end}`))
      expect(read(`${name}.html`).replaceAll(name, 'whole.jsonl')).toBe(read('whole.jsonl.html'))
    }
  })

  it('throws away what a crash left behind the journal', async () => {
    await audit(['-o', 'whole.jsonl'])
    await interruptedAfter(2)
    appendFileSync(join(cwd, 'a.jsonl.part'), '{"checkpoint":"half a li')
    appendFileSync(join(cwd, 'a.jsonl.csv.part'), 'half a li')
    expect((await audit(['-o', 'a.jsonl'])).code).toBe(0)
    for (const end of ['', '.csv']) expect(read(`a.jsonl${end}`)).toBe(read(`whole.jsonl${end}`))
  })

  it('is not gone on with when it was changed, cut or is of something else', async () => {
    await interruptedAfter(2)
    const part = read('a.jsonl.part')
    const refused = async (args: readonly string[] = []): Promise<void> => {
      const { code, stderr } = await audit(['-o', 'a.jsonl', ...args])
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^countersign: .*remove it/)])
      expect(left('a.jsonl')).toEqual(unfinished)
      expect(stillOpen()).toEqual([])
    }
    await refused(['--from', '1'])
    await refused(['--status', 'BLOCK'])
    writeFileSync(join(cwd, 'a.jsonl.part'), part.replace('ALLOW', 'BLOCK').replace('A', 'B'))
    await refused()
    writeFileSync(join(cwd, 'a.jsonl.part'), part.slice(0, -1))
    await refused()
    writeFileSync(join(cwd, 'a.jsonl.part'), part)
    const index = read('a.jsonl.csv.part')
    writeFileSync(join(cwd, 'a.jsonl.csv.part'), index.slice(0, -1))
    await refused()
    writeFileSync(join(cwd, 'a.jsonl.csv.part'), index)
    const journal = read('a.jsonl.journal')
    writeFileSync(join(cwd, 'a.jsonl.journal'), journal.slice(0, -1))
    await refused()
    writeFileSync(join(cwd, 'a.jsonl.journal'), journal)
    expect((await audit(['-o', 'a.jsonl'])).code).toBe(0)
  })

  it('takes no name of an open file, beside which is no place for others', async () => {
    writeFileSync(join(cwd, 'open'), '')
    const fd = openSync(join(cwd, 'open'), 'r+')
    try {
      for (const name of ['-', `/dev/fd/${fd}`, `/proc/self/fd/${fd}`]) {
        const { code, stderr, stdout } = await audit(['-o', name])
        expect([name, code, stdout]).toEqual([name, 2, ''])
        expect(stderr).toContain('The name of a file is expected, ')
      }
    } finally {
      closeSync(fd)
    }
    expect((await audit(['-o', './-'])).code).toBe(0)
  })

  it('goes on after a disk was full, of which it says so', async () => {
    await audit(['-o', 'whole.jsonl'])
    symlinkSync('/dev/full', join(cwd, 'a.jsonl.part'))
    const { code, stderr } = await audit(['-o', 'a.jsonl'])
    expect([code, stderr]).toEqual([75, expect.stringContaining('(STORE_FULL)')])
    expect(stderr).toContain('Make room on the disk, then run the same command again')
    expect(stillOpen()).toEqual([])
    unlinkSync(join(cwd, 'a.jsonl.part'))
    expect((await audit(['-o', 'a.jsonl'])).code).toBe(0)
    expect(read('a.jsonl')).toBe(read('whole.jsonl'))
  })
})

describe('verify of a period', () => {
  it('exits 3 for a leaf that is dropped, added, changed or exchanged', async () => {
    await audit(['--from', '6', '--status', 'BLOCK', '-o', 'a.jsonl'])
    const lines = read('a.jsonl').split('\n')
    const [one = '', two = ''] = lines.slice(20, 22)
    const forged: Readonly<Record<string, readonly string[]>> = {
      added: lines.toSpliced(20, 0, one),
      changed: lines.with(20, one.replace('"seq":0', '"seq":1')),
      dropped: lines.toSpliced(20, 1),
      exchanged: lines.toSpliced(20, 2, two, one),
      truncated: lines.slice(0, -2),
    }
    for (const [name, some] of Object.entries(forged)) {
      writeFileSync(join(cwd, name), some.join('\n'))
      const { code, stdout } = await verify(name)
      expect([name, code, stdout]).toEqual([name, 3, expect.stringMatching(/^invalid .*period\./)])
    }
    const { code, stdout } = await verify('a.jsonl', 'dropped', '--json')
    expect(code).toBe(3)
    expect(stdout.split('\n').map((line) => line.slice(0, 10))).toHaveLength(3)
  })

  it('takes it from a pipe as from a file, and a dossier too', async () => {
    await audit(['--status', 'BLOCK', '-o', 'a.jsonl'])
    writeFileSync(join(cwd, 'one.json'), read('a.jsonl').split('\n')[1] ?? '')
    for (const name of ['a.jsonl', 'one.json']) {
      const pipe = `${name}.pipe`
      execFileSync('mkfifo', [join(cwd, pipe)])
      const writing = writeFile(join(cwd, pipe), read(name))
      const { code, stdout } = await verify(pipe)
      await writing
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^valid /)])
    }
  })

  it('takes dossiers out of it one by one', async () => {
    await audit(['--status', 'BLOCK', '-o', 'a.jsonl'])
    writeFileSync(join(cwd, 'one.json'), read('a.jsonl').split('\n')[1] ?? '')
    const { code, stdout } = await verify('one.json', 'a.jsonl')
    expect([code, stdout.match(/^valid /gm)]).toEqual([0, ['valid ', 'valid ']])
  })
})

describe('the index of an export', () => {
  it('has a line for each entry, and no cell that a spreadsheet would compute', async () => {
    await audit(['-o', 'a.jsonl'])
    const lines = read('a.jsonl.csv').split('\r\n')
    expect(lines[0]).toBe(
      'index,time,kind,stream,seq,leaf_hash,content,dossier_line,status,actor,action,event',
    )
    expect(lines).toHaveLength(215)
    const cells = (at: number): string => (lines[at] ?? '').split(',').slice(6).join(',')
    expect(cells(6)).toBe('left out,,,,,')
    expect([7, 8, 9, 10, 11, 12, 13].map(cells)).toEqual([
      `in the dossier,2,ALLOW,"'=1+1",pay,`,
      `in the dossier,3,BLOCK,"'+1",pay,`,
      `in the dossier,4,ALLOW,"'-1",pay,`,
      `in the dossier,5,ALLOW,"'@SUM(A1)",pay,`,
      `in the dossier,6,ALLOW,\\u0009=1,pay,`,
      `in the dossier,7,ALLOW,"a,""b""",pay,`,
      'in the dossier,8,ALLOW,<img src=x onerror=alert(1)>,pay,',
    ])
    expect(lines[7]).toMatch(/^6,\d{4}-\d\d-\d\dT[\d:.]+Z,decision,[0-9a-f-]{36},0,[0-9a-f]{64},/)
  })

  it.each([
    [' =1', `"' =1"`],
    ['＝1', `"'＝1"`],
    ['＋1', `"'＋1"`],
    ['a=1', 'a=1'],
    ['x;=1', `"x;'=1"`],
    [';@A1;+2', `";'@A1;'+2"`],
    ['x; "=1', `"x;' ""=1"`],
    ['"=1', `"'""=1"`],
    ['a;b', 'a;b'],
    ['line\r\nbreak', 'line\\u000d\\u000abreak'],
    ["it's", `"it's"`],
    ['\u202eevil', '\\u202eevil'],
  ])('writes %j as %s', (actor, cell) => {
    const row: PeriodRow = {
      decision: { action: 'pay', actor, status: 'ALLOW' },
      erased: false,
      event: null,
      index: 1,
      kind: 'decision',
      leafHash: '',
      line: 2,
      selected: true,
      seq: 0,
      stream: 's',
      time: 0,
    }
    expect(formatIndex([row])).toBe(
      `1,1970-01-01T00:00:00.000Z,decision,s,0,,in the dossier,2,ALLOW,${cell},pay,\r\n`,
    )
    const step = { ...row, decision: null, event: 'timed-out', kind: 'escalation' as const }
    expect(formatIndex([step])).toContain(',in the dossier,2,,,,timed-out\r\n')
  })
})

describe('the summary of an export', () => {
  it('needs nothing from anywhere and holds no script', async () => {
    await audit(['-o', 'a.jsonl'])
    const page = read('a.jsonl.html')
    expect(page).toContain(`default-src 'none'; style-src 'unsafe-inline'`)
    expect(page).not.toMatch(/<script|<img|<link|src=|href=|url\(|http:|https:/i)
    expect(page).toContain('countersign verify a.jsonl --trust trust-root.json')
    expect(page).toContain('<tr><td>decision</td><td>207</td></tr>')
    expect(page).toContain(createHash('sha256').update(read('a.jsonl')).digest('hex'))
  })

  it('lets nothing that a stranger wrote act as markup', () => {
    const evil = `</td><script>alert("1")</script>'&`
    const page = formatSummary({
      file: `/tmp/${evil.replaceAll('/', '')}`,
      head: {
        consistency: [],
        from: { checkpoint: null, frontier: [], size: 0 },
        instance: evil,
        origin: evil,
        statuses: null,
        tenant: evil,
        to: `${evil}\n1\n${evil}\n`,
      },
      sha256: evil,
      tally: {
        dossiers: 1,
        kinds: { [evil]: 1 },
        noted: [{ event: evil, index: 0, kind: 'admin', stream: evil, time: 0 }],
        notedCount: 2,
        statuses: { [evil]: 1 },
        times: null,
      },
      to: 1,
    })
    expect(page).not.toContain('<script')
    expect(page).not.toContain(`"1"`)
    expect(page.match(/&lt;\/td&gt;&lt;script&gt;alert\(&quot;1&quot;\)/g)?.length).toBeGreaterThan(
      6,
    )
    expect(page).toContain('And 1 more, which the index names.')
  })
})

describe('a position', () => {
  it('is an index, a day or an instant; a day counts to its end where a period ends', () => {
    expect(parsePosition('42', false)).toEqual({ size: 42 })
    const day = Date.UTC(2026, 2, 31)
    expect(parsePosition('2026-03-31', false)).toEqual({ time: day })
    expect(parsePosition('2026-03-31', true)).toEqual({ time: day + 86_400_000 })
    expect(parsePosition('2026-03-31T00:00:00Z', true)).toEqual({ time: day })
    expect(parsePosition('2026-03-31t02:00:00.5+02:00', true)).toEqual({ time: day + 500 })
    expect(parsePosition('2024-02-29', false)).toEqual({ time: Date.UTC(2024, 1, 29) })
  })

  it.each([
    '',
    '-1',
    '1.5',
    '1234567890123456',
    '2026-02-29',
    '2026-13-01',
    '2026-1-1',
    '2026-01-01T00:00:00',
    '2026-01-01T25:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-01-01 00:00:00Z',
    'today',
  ])('is not %j', (text) => {
    expect(() => parsePosition(text, true)).toThrow('Neither an index')
  })
})

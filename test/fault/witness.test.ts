import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createWitness, openWitness, peekWitness } from '../../src/log/witness.ts'
import { witnessedLogId } from '../../src/log/witness-state.ts'
import { verifyCheckpoint } from '../../src/merkle/checkpoint.ts'
import type { Vkey } from '../../src/merkle/note.ts'
import { firstLineOf } from '../support/cli.ts'
import { temporaryDirectory } from '../support/service.ts'
import { WitnessedTestLog } from '../support/witnessed-log.ts'

const sweep = process.env['FAULTS'] === 'all'
const main = resolve(import.meta.dirname, '../../src/main.ts')
const honest = new WitnessedTestLog(40)
/** The same log up to size 2, and another behind it. */
const forked = new WitnessedTestLog(40, { forkAt: 2 })

/** Everything that was ever cosigned: whoever has two of these that do not fit has been deceived. */
class Cosigned {
  readonly #vkeys: readonly Vkey[]
  readonly heads = new Map<string, WitnessedTestLog>()

  constructor(vkeys: readonly Vkey[]) {
    this.#vkeys = vkeys
  }

  take(log: WitnessedTestLog, size: number, note: string, lines: string): void {
    const verified = verifyCheckpoint(note + lines, this.#vkeys)
    if ('reason' in verified) throw new Error(verified.reason)
    this.heads.set(`${size} ${log.rootText(size)}`, log)
  }

  /** The histories that heads behind the fork belong to. */
  get histories(): ReadonlySet<WitnessedTestLog> {
    const beyond = [...this.heads].filter(([head]) => Number(head.split(' ')[0]) > 2)
    return new Set(beyond.map(([, log]) => log))
  }
}

async function found() {
  const directory = temporaryDirectory()
  const state = join(directory, 'w')
  await createWitness(state, 'w.example')
  const witness = await openWitness(state, Date.now)
  witness.putLog(honest.origin, honest.vkeys)
  witness.addCheckpoint(honest.ask(0, 2))
  witness.close()
  const file = join(state, 'logs', `${witnessedLogId(honest.origin)}.json`)
  return { cosigned: new Cosigned(witness.vkeys), directory, file, state }
}

/** Starts the witness as a process, under another program where one is given. */
async function start(state: string, around: readonly string[] = []) {
  const [command, ...args] = [...around, process.execPath, main, 'witness', 'serve']
  const { HOME = '/', NODE_COMPILE_CACHE = '', PATH = '' } = process.env
  const child = spawn(command, [...args, '--port', '0', '--state', state], {
    detached: true,
    env: { HOME, NODE_COMPILE_CACHE, PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stderr.resume()
  onTestFinished(() => {
    kill(child)
  })
  return { child, url: await firstLineOf(child) }
}

/** Kills the process and whatever runs around it. */
function kill({ exitCode, pid, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL')
}

const sizeNow = (state: string): number => peekWitness(state).logs[0]?.latest?.size ?? 0

/** Asks for a cosignature; undefined when there was no answer. */
async function ask(
  url: string,
  log: WitnessedTestLog,
  old: number,
  size: number,
  cosigned: Cosigned,
): Promise<number | undefined> {
  const note = log.note(size)
  try {
    const body = log.ask(old, size, note)
    const answer = await fetch(`${url}/add-checkpoint`, { body: body as never, method: 'POST' })
    const text = await answer.text()
    if (answer.status === 200) cosigned.take(log, size, note, text)
    return answer.status
  } catch {
    return undefined
  }
}

describe('a witness that is killed in the middle of a check', () => {
  // A usual run takes the moments on both sides of the change; a sweep (FAULTS=all) every one.
  it.each(
    (
      [
        ['at opening the new file', 'openat', 'new', 2],
        ['at writing it', 'write', 'new', 2],
        ['at syncing it', 'fsync', 'new', 2],
        ['at putting it in the place of the old one', 'rename', 'new', 2],
        ['behind that, at syncing the directory', 'fsync', 'directory', 9],
      ] as const
    ).slice(sweep ? 0 : -2),
  )('%s never cosigns another history afterwards', async (_, syscall, what, left) => {
    const { cosigned, directory, file, state } = await found()
    const log = join(directory, 'strace.log')
    const path = what === 'new' ? `${file}.new` : join(state, 'logs')
    const { child, url } = await start(state, [
      ...['strace', '-f', '-qq', '-o', log, '-P', path],
      ...['-e', `trace=${syscall}`, '-e', `inject=${syscall}:signal=KILL:when=2`],
    ])
    // The first is that of writing once more what was there, before it is believed.
    const closed = once(child, 'close')
    expect(await ask(url, honest, 2, 9, cosigned)).toBeUndefined()
    await closed
    expect(readFileSync(log, 'utf8')).toContain('SIGKILL')
    expect(sizeNow(state)).toBe(left)
    const again = await start(state)
    // Two histories ask for what may have been cosigned; one of them gets it.
    const statuses = [
      await ask(again.url, forked, sizeNow(state), 9, cosigned),
      await ask(again.url, honest, sizeNow(state), 9, cosigned),
    ]
    kill(again.child)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses).toContain(422)
    expect(cosigned.histories.size).toBe(1)
  })

  it('again and again, while two histories ask, keeps to one of them', async () => {
    const { cosigned, state } = await found()
    for (let round = 0; round < 4; round++) {
      const { child, url } = await start(state)
      const closed = once(child, 'close')
      let answers = 0
      const asking = [honest, forked].map(async (log) => {
        for (let size = sizeNow(state) + 1; size < 40; size++) {
          if ((await ask(url, log, sizeNow(state), size, cosigned)) === undefined) return
          // The other one is being answered now.
          if (++answers === 3 + round) kill(child)
        }
      })
      await Promise.all([closed, ...asking])
    }
    expect(cosigned.histories.size).toBe(1)
    // What it tells last is no smaller than anything it has cosigned.
    const sizes = [...cosigned.heads.keys()].map((head) => Number(head.split(' ')[0]))
    expect(Math.max(...sizes)).toBeLessThanOrEqual(sizeNow(state))
  })
})

describe('a witness whose disk fails', () => {
  it.each(
    (
      [
        ['writing the file', 'write', 'new', 'ENOSPC'],
        ['syncing the file', 'fsync', 'new', 'EIO'],
        ['syncing the directory', 'fsync', 'directory', 'EIO'],
      ] as const
    ).slice(sweep ? 0 : -1),
  )('at %s cosigns nothing, and goes on when it is well', async (_, syscall, what, error) => {
    const { cosigned, directory, file, state } = await found()
    const log = join(directory, 'strace.log')
    const path = what === 'new' ? `${file}.new` : join(state, 'logs')
    const { child, url } = await start(state, [
      ...['strace', '-f', '-qq', '-o', log, '-P', path],
      // Reading writes once more, so the second is that of the cosignature; the third what is tried next.
      ...['-e', `trace=${syscall}`, '-e', `inject=${syscall}:error=${error}:when=2..3`],
    ])
    expect(await ask(url, honest, 2, 9, cosigned)).toBe(503)
    expect(await ask(url, forked, 2, 9, cosigned)).toBe(503)
    expect(readFileSync(log, 'utf8')).toContain('INJECTED')
    expect(cosigned.heads.size).toBe(0)
    const known = sizeNow(state)
    expect(await ask(url, honest, known, 9, cosigned)).toBe(200)
    expect(await ask(url, forked, 9, 9, cosigned)).toBe(422)
    kill(child)
  })
})

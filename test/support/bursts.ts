import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createKekFile } from '../../src/kek/kek-file.ts'
import type { Notarised } from '../../src/wire/decision.ts'
import type { BurstLine } from './burst-process.ts'
import { placeIn } from './restart.ts'

const support = import.meta.dirname
const program = resolve(support, 'burst-process.ts')
// So small that the WAL is copied into the database in the middle of the burst.
const pragmas = new URL('pragmas-in-process.ts?wal_autocheckpoint=40', import.meta.url).href
const timeout = 60_000

/** What can be made to go wrong with a call: it fails undone, it fails though it was done, or the process dies at it. */
export type Mishap = 'EIO' | 'ENOSPC' | 'late' | 'KILL'

/** One call of a burst that goes wrong, counted from 1. */
export interface Fault {
  readonly file: string
  readonly syscall: string
  readonly nth: number
  readonly mishap: Mishap
}

/** What came of a burst. */
export interface Burst {
  readonly acknowledged: readonly Notarised[]
  readonly lines: readonly BurstLine[]
  /** Whether the call came to pass and went wrong. */
  readonly met: boolean
  readonly status: number | null
  readonly stderr: string
}

/** What a burst has said in lines that were printed whole. */
function read({ status, stderr, stdout }: SpawnSyncReturns<string>): Omit<Burst, 'met'> {
  const whole = stdout.split('\n').slice(0, -1)
  const lines = whole.map((line) => JSON.parse(line) as BurstLine)
  const acknowledged = lines.flatMap((line) => ('answer' in line ? [line.answer] : []))
  return { acknowledged, lines, status, stderr }
}

/** An installation and copies of it that burst, each with its fault. */
export class Bursts {
  readonly home = mkdtempSync(join(tmpdir(), 'countersign-burst-'))
  readonly #founded = join(this.home, 'founded')
  readonly #late = join(this.home, 'late.so')
  readonly #instance: string
  #copies = 0

  constructor() {
    mkdirSync(this.#founded)
    createKekFile(placeIn(this.#founded).kekFile)
    execFileSync(process.execPath, [program, 'found', this.#founded])
    this.#instance = readdirSync(placeIn(this.#founded).keys)[0] ?? ''
    const source = resolve(support, 'late-fault.c')
    execFileSync('cc', ['-shared', '-fPIC', '-O1', source, '-o', this.#late, '-ldl'])
  }

  /** Removes everything. */
  close(): void {
    rmSync(this.home, { force: true, recursive: true })
  }

  /** A copy of the installation as it was founded, or of another copy. */
  copy(from = this.#founded): string {
    const directory = join(this.home, `copy-${++this.#copies}`)
    cpSync(from, directory, { recursive: true })
    return directory
  }

  /** Removes a copy. */
  remove(directory: string): void {
    rmSync(directory, { force: true, recursive: true })
  }

  /** The files of an installation by the names that faults call them by. */
  files(directory: string): Readonly<Record<string, string>> {
    const { data, keys } = placeIn(directory)
    const database = join(data, 'countersign.db')
    const pins = join(keys, this.#instance)
    return {
      data,
      database,
      lock: join(data, 'writer.lock'),
      pin: join(pins, 'default.pin'),
      pins,
      'pins lock': join(pins, 'writer.lock'),
      'shared memory': `${database}-shm`,
      wal: `${database}-wal`,
    }
  }

  /** How often a burst without fault makes each call on each file, as `call file`. */
  count(directory: string, syscalls: readonly string[], total: number): Map<string, number> {
    const files = this.files(directory)
    const paths = Object.values(files).flatMap((path) => ['-P', path])
    const log = join(this.home, 'count.log')
    const options = ['-y', '-o', log, ...paths, '-e', `trace=${syscalls.join()}`]
    const { status, stderr } = this.#spawn(
      'strace',
      ['-f', '--seccomp-bpf', '-qq', ...options],
      directory,
      total,
    )
    if (status !== 0) throw new Error(`Burst failed: ${stderr}`)
    const names = new Map(Object.entries(files).map(([name, path]) => [path, name]))
    const counts = new Map<string, number>()
    for (const line of readFileSync(log, 'utf8').split('\n')) {
      const [, syscall = '', descriptor, path = descriptor] =
        /^\d+ +(\w+)\((?:\d+<([^>]*)>|[^"]*"([^"]*)")/.exec(line) ?? []
      const name = `${syscall} ${names.get(path ?? '') ?? ''}`
      if (syscall !== '') counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    return counts
  }

  /** Runs a burst on a copy with one fault. */
  run(directory: string, { file, mishap, nth, syscall }: Fault, total: number): Burst {
    const path = this.files(directory)[file] ?? ''
    const log = join(directory, 'fault.log')
    const [command, prefix] =
      mishap === 'late'
        ? ['env', lateEnvironment(this.#late, log, path, syscall, nth)]
        : ['strace', straceOptions(log, path, syscall, nth, mishap)]
    const ran = this.#spawn(command, prefix, directory, total)
    const trace = existsSync(log) ? readFileSync(log, 'utf8') : ''
    const met = mishap === 'late' ? existsSync(log) : /INJECTED|SIGKILL/.test(trace)
    return { ...read(ran), met }
  }

  /** Runs a burst on a disk of its own whose room is taken but for a little, until something was refused; what it leaves is the copy. */
  runOnDisk(
    directory: string,
    {
      ballastBytes,
      bytes,
      decisions,
      room,
    }: {
      readonly ballastBytes: number
      readonly bytes: number
      readonly decisions: number
      /** An empty directory over which the disk is mounted. */
      readonly room: string
    },
  ): Omit<Burst, 'met'> {
    const { data } = placeIn(directory)
    // The disk is gone with the namespace, so what is on it is copied back inside.
    const script = `set -e
      mount -t tmpfs -o size=${bytes},mode=700 tmpfs ${room}
      cp -a ${data}/. ${room}
      mount --bind ${room} ${data}
      head -c ${ballastBytes} /dev/zero > ${data}/ballast
      "$@" ${data}/ballast
      umount ${data}
      cp -a ${room}/. ${data}`
    return read(this.#spawn('unshare', ['-m', 'sh', '-c', script, 'sh'], directory, decisions))
  }

  #spawn(command: string, prefix: readonly string[], directory: string, total: number) {
    const args = ['--import', pragmas, program, 'burst', directory, String(total)]
    return spawnSync(command, [...prefix, process.execPath, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      timeout,
    })
  }
}

function straceOptions(
  log: string,
  path: string,
  syscall: string,
  nth: number,
  mishap: Mishap,
): string[] {
  // With a filter in the kernel only what is traced stops, but then no signal comes of it.
  const [filter, what] =
    mishap === 'KILL' ? [[], 'signal=KILL'] : [['--seccomp-bpf'], `error=${mishap}`]
  const inject = `inject=${syscall}:${what}:when=${nth}`
  const traced = ['-o', log, '-P', path, '-e', `trace=${syscall}`, '-e', inject]
  return ['-f', '-qq', ...filter, ...traced]
}

const lateEnvironment = (
  library: string,
  log: string,
  path: string,
  syscall: string,
  nth: number,
): string[] => [
  `LD_PRELOAD=${library}`,
  `LATE_CALL=${syscall}`,
  `LATE_FILE=${path}`,
  `LATE_LOG=${log}`,
  `LATE_NTH=${nth}`,
]

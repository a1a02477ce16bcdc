import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createKekFile } from '../../src/kek/kek-file.ts'

const program = resolve(import.meta.dirname, '../support/burst-process.ts')

interface Line {
  readonly id?: string
  readonly index?: number
  readonly checkpoint?: string
  readonly refused?: string
  readonly ready?: boolean
  readonly healed?: boolean
  readonly event?: string
  readonly size?: number
  readonly verdicts?: Readonly<Record<string, number>>
}

const linesOf = ({ stdout, stderr, status, signal }: SpawnSyncReturns<string>): readonly Line[] => {
  if (status !== 0 && signal === null && !stdout.includes('{'))
    throw new Error(`Process failed (${String(status)}): ${stderr}`)
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Line)
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'countersign-fault-'))
  onTestFinished(() => {
    rmSync(path, { recursive: true, force: true })
  })
  createKekFile(join(path, 'kek'))
  return path
}

const node = (prefix: readonly string[], ...args: readonly string[]): SpawnSyncReturns<string> => {
  const [command = '', ...rest] = [...prefix, process.execPath, program, ...args]
  return spawnSync(command, rest, {
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
  })
}

const idsOf = (lines: readonly Line[]): readonly string[] => lines.flatMap(({ id }) => id ?? [])

/** Opens the directory again without faults: everything acknowledged must verify, and no checkpoint may contradict another. */
function expectWhole(path: string, lines: readonly Line[]): void {
  const ids = idsOf(lines)
  const checked = spawnSync(process.execPath, [program, 'check', path], {
    encoding: 'utf8',
    input: ids.join('\n'),
    timeout: 60_000,
  })
  const [result] = linesOf(checked).filter(({ verdicts }) => verdicts !== undefined)
  if (result === undefined)
    throw new Error(`No result of the check: ${checked.stdout}${checked.stderr}`)
  expect(result.verdicts).toEqual(ids.length === 0 ? {} : { valid: ids.length })
  const roots = new Map<string, string>()
  for (const { checkpoint } of [...lines, result]) {
    const [size = '', root = ''] = checkpoint?.split(' ') ?? []
    if (size === '') continue
    expect(roots.get(size) ?? root, `root at size ${size}`).toBe(root)
    roots.set(size, root)
  }
}

describe('a full disk', () => {
  it('gets no acknowledgement, takes readiness down, and heals when there is room', () => {
    const path = directory()
    const ballast = join(path, 'data', 'ballast')
    mkdirSync(join(path, 'data'), { mode: 0o700 })
    const script = [
      `mount -t tmpfs -o size=5m,mode=700 tmpfs ${path}/data`,
      `"$1" "$2" found ${path}`,
      `dd if=/dev/zero of=${ballast} bs=1k count=2500 status=none`,
      `"$1" "$2" heal ${path} 100000 ${ballast}`,
      // The check runs inside as well: the disk is gone with the namespace.
      `cp -r ${path}/data ${path}/saved`,
    ].join(' && ')
    const run = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', process.execPath, program], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect(run.stderr).toBe('')
    const lines = linesOf(run)
    expect(idsOf(lines).length).toBeGreaterThan(20)
    const refusals = new Set(lines.flatMap(({ refused }) => refused ?? []))
    expect(
      [...refusals].filter((code) => !['STORE_FULL', 'LOG_STATE_UNKNOWN'].includes(code)),
    ).toEqual([])
    expect(refusals.size).toBeGreaterThan(0)
    expect(lines.find(({ ready }) => ready !== undefined)?.ready).toBe(false)
    expect(lines.find(({ healed }) => healed !== undefined)?.healed).toBe(true)
    rmSync(join(path, 'data'), { recursive: true })
    spawnSync('mv', [join(path, 'saved'), join(path, 'data')])
    expectWhole(path, lines)
  })
})

/** Runs a burst with one syscall on one file going wrong; asserts that it did go wrong. */
function injected(path: string, file: string, syscall: string, fault: string): readonly Line[] {
  const log = join(path, 'strace.log')
  const strace = [
    'strace',
    '-f',
    '-qq',
    '-o',
    log,
    '-P',
    file,
    '-e',
    `trace=${syscall}`,
    '-e',
    `inject=${syscall}:${fault}`,
  ]
  const lines = linesOf(node(strace, 'burst', path, '200'))
  const trace = existsSync(log) ? readFileSync(log, 'utf8') : ''
  expect(trace, 'the fault was injected').toMatch(/INJECTED|SIGKILL/)
  writeFileSync(log, '')
  return lines
}

describe('a disk that fails', () => {
  const wal = (path: string): string => join(path, 'data', 'countersign.db-wal')
  const found = (): { path: string; pin: string } => {
    const path = directory()
    const run = node([], 'found', path)
    expect(run.stderr).toBe('')
    const [instance = ''] = readInstance(path)
    return { path, pin: join(path, 'keys', instance, 'default.pin') }
  }
  const readInstance = (path: string): readonly string[] =>
    spawnSync('ls', [join(path, 'keys')], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter(Boolean)

  it.each([
    ['fsync of the WAL', 'wal', 'fsync', 'error=EIO:when=9'],
    ['a write to the WAL', 'wal', 'pwrite64', 'error=EIO:when=25'],
    ['a write to the WAL, no space', 'wal', 'pwrite64', 'error=ENOSPC:when=31'],
    ['fdatasync of the pin', 'pin', 'fdatasync', 'error=EIO:when=7'],
    ['a write to the pin', 'pin', 'pwrite64', 'error=EIO:when=5'],
  ] as const)('%s: not acknowledged, not ready, then whole again', (_, which, syscall, fault) => {
    const { path, pin } = found()
    const lines = injected(path, which === 'wal' ? wal(path) : pin, syscall, fault)
    expect(lines.some(({ refused }) => refused !== undefined)).toBe(true)
    expect(lines.find(({ ready }) => ready !== undefined)?.ready).toBe(false)
    expect(lines.find(({ healed }) => healed !== undefined)?.healed).toBe(true)
    expectWhole(path, lines)
  })

  it.each([
    ['fsync of the WAL', 'wal', 'fsync', 12],
    ['a write to the WAL', 'wal', 'pwrite64', 40],
    ['a write to the pin', 'pin', 'pwrite64', 9],
    ['fdatasync of the pin', 'pin', 'fdatasync', 10],
  ] as const)(
    'killed at %s: everything acknowledged is there and provable',
    (_, which, syscall, when) => {
      const { path, pin } = found()
      const file = which === 'wal' ? wal(path) : pin
      const lines = injected(path, file, syscall, `signal=KILL:when=${when}`)
      expect(lines.some(({ id }) => id !== undefined)).toBe(true)
      expectWhole(path, lines)
    },
  )
})

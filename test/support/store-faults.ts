import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { append, makeKeys, makeTenant } from './store-fixtures.ts'

const script = resolve(import.meta.dirname, 'store-process.ts')

/** A line that the writer in another process has printed. */
export interface Line {
  commit?: string
  read?: string
  probe?: string
  close?: string
}

/** A directory that is removed when the scope ends. */
export function temporaryDirectory(): { path: string; [Symbol.dispose]: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'countersign-fault-'))
  return {
    path,
    [Symbol.dispose]: () => {
      rmSync(path, { recursive: true })
    },
  }
}

/** Runs a command to its end and gives the lines it printed; what it dies of is part of the experiment. */
function linesOf(command: string, args: readonly string[]): Line[] {
  const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 30_000 })
  if (error) throw error
  if (stdout === '') throw new Error(`${command} failed: ${stderr}`)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

/** Sees that strace is there, installing it where that is possible. */
export function needStrace(): void {
  if (spawnSync('strace', ['-V']).status === 0) return
  const installed =
    process.getuid?.() === 0 && spawnSync('apt-get', ['install', '-y', 'strace']).status === 0
  if (!installed) throw new Error('This test needs strace: apt-get install -y strace')
}

/** Sees that file systems may be mounted. */
export function needMount(): void {
  const { status, stderr } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'])
  if (status !== 0)
    throw new Error(`This test needs to mount a file system, run it as root: ${String(stderr)}`)
}

/**
 * Runs the writer under strace, which tampers with its system calls on the WAL; gives its lines and what strace saw.
 * @param expression such as `inject=fsync:error=EIO:when=4`, or none to watch only
 */
export function runTampered(
  data: string,
  syscall: 'fsync' | 'pwrite64' | 'fsync,pwrite64',
  expression: string,
  task: 'close' | 'die',
): { lines: Line[]; trace: string } {
  const log = `${data}.strace`
  const wal = join(data, 'countersign.db-wal')
  const injection = expression === '' ? [] : ['-e', expression]
  const options = ['-f', '-qq', '-o', log, '-P', wal, '-e', `trace=${syscall}`, ...injection]
  const lines = linesOf('strace', [...options, process.execPath, script, task, data])
  return { lines, trace: readFileSync(log, 'utf8') }
}

/**
 * Runs the writer on a file system of `size` of its own, of which `ballastBytes` are taken until its first commit has failed; what it leaves is
 * copied to `data`.
 */
export function runOnSmallDisk(data: string, size: string, ballastBytes: number, task: string) {
  const program = `set -e
    mount -t tmpfs -o size=${size} none /mnt
    head -c ${ballastBytes} /dev/zero > /mnt/ballast
    "$0" "$1" ${task} /mnt/data /mnt/ballast || true
    cp -r /mnt/data "$2"`
  return linesOf('unshare', ['-m', 'sh', '-c', program, process.execPath, script, data])
}

/** A data directory with a tenant, closed. */
export async function prepare(data: string): Promise<void> {
  const store = await openSqliteStore({ path: data, mode: 'write', create: true })
  await store.createTenant(makeTenant('acme'), makeKeys())
  await store.close()
}

/** How many commits were acknowledged. */
export const acknowledged = (lines: readonly Line[]): number =>
  lines.filter(({ commit }) => commit === 'OK').length

/** Opens what is left, sees that it holds together and can go on, and gives how many entries it held. */
export async function inspect(data: string): Promise<number> {
  const store = await openSqliteStore({ path: data, mode: 'write' })
  try {
    const size = (await store.readTenant('acme'))?.head.size ?? -1
    const entries = await store.readEntries('acme', 0, size + 10)
    const last = await store.readLastCheckpoint('acme')
    if (entries.length !== size) throw new Error(`Size ${size} but ${entries.length} entries`)
    if (size > 0 && last?.size !== size) throw new Error(`Size ${size} but last ${last?.size}`)
    await append(store, 'acme', [{}])
    return size
  } finally {
    await store.close()
  }
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { foundServed, startServed, submitUntil } from '../support/served.ts'
import { judgeSyncOrder, syncOrderTrace } from '../support/sync-order.ts'

const unsynced = new URL('../support/pragmas-in-process.ts?synchronous=0', import.meta.url).href
const decisions = 100

/** What strace sees of a server that notarises, from the first request to its end. */
async function traceOf(nodeFlags: readonly string[]): Promise<string> {
  const place = await foundServed()
  onTestFinished(() => {
    place.remove()
  })
  const log = join(place.home, 'strace.log')
  // The tracer stands beside the server (-D), so that a signal reaches the server.
  const strace = ['strace', '-D', '-f', '-q', '--seccomp-bpf', '-y', '-s', '16384', '-o', log]
  const server = await startServed(place, {
    nodeFlags,
    prefix: [...strace, '-e', `trace=${syncOrderTrace}`],
  })
  let answers = 0
  const enough = (): boolean => answers >= decisions
  await submitUntil(server, place.token, 8, enough, () => answers++)
  await server.end('SIGTERM')
  const end = new RegExp(`^${server.child.pid ?? ''} +\\+\\+\\+ exited with 0`, 'm')
  for (;;) {
    const trace = readFileSync(log, 'utf8')
    if (end.test(trace)) return trace
    await new Promise((done) => setTimeout(done, 20))
  }
}

const without = (trace: string, syscall: string): string =>
  trace
    .split('\n')
    .filter((line) => !line.includes(`${syscall}(`))
    .join('\n')

describe('an answer on the wire', () => {
  it('comes after the fsync of its transaction’s last write, and after its pin', async () => {
    const trace = await traceOf([])
    const { answers, early } = judgeSyncOrder(trace)
    expect(early).toEqual([])
    expect(answers).toBeGreaterThanOrEqual(decisions)
    // Each of the syncs is needed, and looked at.
    for (const syscall of ['fsync', 'fdatasync'])
      expect(judgeSyncOrder(without(trace, syscall)).early).toHaveLength(answers)
  })

  it('is seen to come early where SQLite does not sync', async () => {
    const { answers, early } = judgeSyncOrder(await traceOf(['--import', unsynced]))
    expect(answers).toBeGreaterThanOrEqual(decisions)
    expect(early).toHaveLength(answers)
  })
})

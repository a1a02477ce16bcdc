import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { needSoftHsm } from './softhsm.ts'

/** PKCS#11 functions that can be made to fail. */
const proxiedCalls = [
  'C_GetSlotList',
  'C_OpenSession',
  'C_Login',
  'C_FindObjectsInit',
  'C_WrapKey',
  'C_UnwrapKey',
] as const
type ProxiedCall = (typeof proxiedCalls)[number]

/** A module between the provider and SoftHSM that does what a test says. */
export interface Proxy {
  readonly module: string
  /** Lets a call give a code (late, where that is said), wait for milliseconds, or end its process; `each` is once in each process. */
  rule(
    call: ProxiedCall,
    action: 'code' | 'sleep' | 'crash',
    value: number,
    times: 'once' | 'each' | 'always',
    delayMs?: number,
  ): void
  clear(): void
  /** Whether every rule for once was followed, and there is no other. */
  followed(): boolean
  /** How often a function was called since the log was begun. */
  calls(call: ProxiedCall): number
  beginLog(): void
}

/** Builds the module into a directory. */
export function buildProxy(directory: string): Proxy {
  const [module, log, rule] = ['proxy.so', 'calls.log', 'rule'].map((name) =>
    join(directory, name),
  ) as [string, string, string]
  const includes = resolve(import.meta.dirname, '../../node_modules/pkcs11js/includes/pkcs11')
  const defines = { LOG: log, REAL: needSoftHsm(), RULE: rule }
  const args = Object.entries(defines).map(([name, path]) => `-D${name}="${path}"`)
  const source = resolve(import.meta.dirname, 'pkcs11-proxy.c')
  execFileSync('cc', [
    '-shared',
    '-fPIC',
    '-O1',
    `-I${includes}`,
    ...args,
    source,
    '-o',
    module,
    '-ldl',
  ])
  return {
    module,
    rule(call, action, value, times, delayMs = 0) {
      // SoftHSM writes its token anew at each login: one that is killed while it does leaves none. So it logs in before it waits to be killed.
      const asleep = call === 'C_Login' ? 'done' : 'pass'
      const what =
        action === 'sleep'
          ? `${asleep} 0 ${times} ${value}`
          : `${action} ${value} ${times} ${delayMs}`
      // Renamed into place, for another process may read at any time.
      writeFileSync(`${rule}.new`, `${what}\n`)
      renameSync(`${rule}.new`, `${rule}.${call}`)
    },
    clear() {
      for (const call of proxiedCalls) rmSync(`${rule}.${call}`, { force: true })
    },
    followed: () => !proxiedCalls.some((call) => existsSync(`${rule}.${call}`)),
    calls(call) {
      if (!existsSync(log)) return 0
      return readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(`${call} `)).length
    },
    beginLog() {
      rmSync(log, { force: true })
    },
  }
}

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { needSoftHsm } from './softhsm.ts'

/** PKCS#11 functions that can be made to fail. */
type ProxiedCall =
  'C_GetSlotList' | 'C_OpenSession' | 'C_Login' | 'C_FindObjectsInit' | 'C_WrapKey' | 'C_UnwrapKey'

/** A module between the provider and SoftHSM that does what a test says. */
export interface Proxy {
  readonly module: string
  /** Lets a call give a code, wait for milliseconds, or end its process. */
  rule(
    call: ProxiedCall,
    action: 'code' | 'sleep' | 'crash',
    value: number,
    times: 'once' | 'always',
  ): void
  clear(): void
  /** Whether a rule for once was followed. */
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
    rule(call, action, value, times) {
      // Renamed into place, for another process may read at any time.
      writeFileSync(`${rule}.new`, `${call} ${action} ${value} ${times}\n`)
      renameSync(`${rule}.new`, rule)
    },
    clear() {
      rmSync(rule, { force: true })
    },
    followed: () => !existsSync(rule),
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

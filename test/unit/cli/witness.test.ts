import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { EventEmitter } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { formatTrustRoot } from '../../../src/dossier/trust-root.ts'
import { openWitness } from '../../../src/log/witness.ts'
import { logVkeys } from '../../../src/merkle/checkpoint.ts'
import { formatVkey } from '../../../src/merkle/note.ts'
import { parseWitnessPolicy } from '../../../src/merkle/witness-policy.ts'
import { createWorld } from '../../support/forge-world.ts'
import { fixedLog } from '../../support/merkle-signers.ts'
import { temporaryDirectory } from '../../support/service.ts'
import { WitnessedTestLog } from '../../support/witnessed-log.ts'
import { closedPipe, run } from './harness.ts'

const log = new WitnessedTestLog(6)

async function made() {
  const cwd = temporaryDirectory()
  const ran = await run(['witness', 'init', 'w.example', '--state', 'w'], { cwd })
  return { cwd, ran }
}

describe('witness init', () => {
  it('makes keys and prints lines that stand in a policy as one witness', async () => {
    const { cwd, ran } = await made()
    expect(ran.code).toBe(0)
    expect(statSync(join(cwd, 'w', 'witness.key')).mode & 0o777).toBe(0o600)
    const policy = parseWitnessPolicy(
      `${ran.stdout.replaceAll('URL', 'http://127.0.0.1:1/')}quorum w.example\n`,
    )
    expect(policy).toMatchObject({
      groups: [{ name: 'w.example', threshold: 2 }],
      quorum: 'w.example',
      witnesses: [{ url: 'http://127.0.0.1:1/', vkey: { type: 4 } }, { vkey: { type: 6 } }],
    })
    const again = await run(['witness', 'init', 'w.example', '--state', 'w'], { cwd })
    expect(again).toMatchObject({ code: 1, stdout: '' })
    expect(again.stderr).toContain('INPUT_EXISTS')
  })
})

describe('witness init', () => {
  it('leaves nothing behind where the name is none', async () => {
    const cwd = temporaryDirectory()
    for (const name of ['bad name', 'x'.repeat(151)]) {
      expect(await run(['witness', 'init', name, '--state', 'wc'], { cwd })).toMatchObject({
        code: 2,
      })
      expect(existsSync(join(cwd, 'wc'))).toBe(false)
    }
  })
})

describe('witness add-log', () => {
  it('takes an origin with its keys, and a trust root', async () => {
    const { cwd } = await made()
    const by = ['--state', 'w', '--json']
    const first = await run(['witness', 'add-log', log.origin, ...log.vkeys, ...by], { cwd })
    expect(first.code).toBe(0)
    expect(JSON.parse(first.stdout)).toMatchObject({ origin: log.origin, size: null })
    const { trustFile } = createWorld()
    writeFileSync(join(cwd, 'trust.json'), trustFile)
    const second = await run(['witness', 'add-log', '--trust', 'trust.json', ...by], { cwd })
    expect(second.code).toBe(0)
    const status = await run(['witness', 'status', ...by], { cwd })
    const { logs } = JSON.parse(status.stdout) as { logs: { origin: string; vkeys: string[] }[] }
    expect(logs.length).toBeGreaterThan(1)
    for (const { vkeys } of logs) expect(vkeys).toHaveLength(2)
  })

  it('takes older keys along as long as it has not cosigned all that they signed', async () => {
    const { cwd } = await made()
    const { trust } = createWorld()
    const [section] = trust.origins
    if (section === undefined) throw new Error('No log')
    const head = { root: section.asOf.root, size: 2 }
    const older = section.logKeys.map((key) => ({ ...key, final: head, to: 3 }))
    const newer = logVkeys(section.origin, fixedLog(90)).map((vkey) => ({
      final: null,
      from: 3,
      revokedAt: null,
      to: null,
      vkey: formatVkey(vkey),
    }))
    const rotated = { ...section, logKeys: [...older, ...newer] }
    const revoked = {
      ...section,
      logKeys: [...older.map((key) => ({ ...key, revokedAt: 3 })), ...newer],
    }
    for (const [one, count] of [
      [rotated, 4],
      [revoked, 2],
    ] as const) {
      writeFileSync(join(cwd, 'trust.json'), formatTrustRoot({ ...trust, origins: [one] }))
      const ran = await run(
        ['witness', 'add-log', '--trust', 'trust.json', '--state', 'w', '--json'],
        { cwd },
      )
      expect((JSON.parse(ran.stdout) as { vkeys: string[] }).vkeys).toHaveLength(count)
    }
  })

  it('takes no keys back from a trust root that is older than the one it has them from', async () => {
    const { cwd } = await made()
    const { trust } = createWorld()
    const [older] = trust.origins
    if (older === undefined) throw new Error('No log')
    const logKeys = logVkeys(older.origin, fixedLog(90)).map((vkey) => ({
      final: null,
      from: 0,
      revokedAt: null,
      to: null,
      vkey: formatVkey(vkey),
    }))
    const asOf = { ...older.asOf, size: older.asOf.size + 1 }
    const add = async (section: typeof older) => {
      writeFileSync(join(cwd, 'trust.json'), formatTrustRoot({ ...trust, origins: [section] }))
      return run(['witness', 'add-log', '--trust', 'trust.json', '--state', 'w'], { cwd })
    }
    const keysNow = async () =>
      (await run(['witness', 'status', '--state', 'w', '--json'], { cwd })).stdout
    expect(await add(older)).toMatchObject({ code: 0 })
    expect(await add({ ...older, asOf, logKeys: [...older.logKeys, ...logKeys] })).toMatchObject({
      code: 0,
    })
    const before = await keysNow()
    // One that knows less, and one of the same size that does not know a key.
    for (const section of [older, { ...older, asOf }]) {
      const refused = await add(section)
      expect(refused).toMatchObject({ code: 2, stdout: '' })
      expect(refused.stderr).toContain('older')
    }
    expect(await keysNow()).toBe(before)
    const {
      logKeys: [first],
    } = older
    const named = ['witness', 'add-log', older.origin, first?.vkey ?? '', '--state', 'w']
    expect(await run(named, { cwd })).toMatchObject({ code: 0 })
    expect(await add(older)).toMatchObject({ code: 0 })
  })

  it('wants one of both, and a trust root that is one', async () => {
    const { cwd } = await made()
    writeFileSync(join(cwd, 'trust.json'), '{}')
    for (const args of [[], [log.origin, ...log.vkeys, '--trust', 'trust.json'], ['--trust', 'no']])
      expect((await run(['witness', 'add-log', '--state', 'w', ...args], { cwd })).code).toBe(2)
    const bad = await run(['witness', 'add-log', '--state', 'w', '--trust', 'trust.json'], { cwd })
    expect(bad).toMatchObject({ code: 2, stdout: '' })
    const none = await run(['witness', 'add-log', '--state', 'w', log.origin], { cwd })
    expect(none).toMatchObject({ code: 2, stdout: '' })
    expect((await run(['witness', 'status', '--state', 'w'], { cwd })).stdout).toContain('no logs')
  })

  it('waits for a witness that runs to be stopped', async () => {
    const { cwd } = await made()
    const witness = await openWitness(join(cwd, 'w'), Date.now)
    try {
      const args = ['witness', 'add-log', log.origin, ...log.vkeys, '--state', 'w']
      expect(await run(args, { cwd })).toMatchObject({ code: 75 })
      expect(await run(['witness', 'status', '--state', 'w'], { cwd })).toMatchObject({ code: 0 })
    } finally {
      witness.close()
    }
  })
})

describe('witness status', () => {
  it('says that there is no witness', async () => {
    const cwd = temporaryDirectory()
    mkdirSync(join(cwd, 'w'))
    const ran = await run(['witness', 'status', '--state', 'w'], { cwd })
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(existsSync(join(cwd, 'w', 'logs'))).toBe(false)
  })
})

describe('witness serve', () => {
  it('prints its address and ends on a signal', async () => {
    const signals = new EventEmitter()
    let closed = false
    const ran = run(['witness', 'serve', '--port', '0'], {
      composition: {
        serveWitness: (flags) => {
          expect(flags).toEqual({ port: 0, state: 'countersign-witness' })
          setImmediate(() => signals.emit('SIGTERM', 'SIGTERM'))
          return Promise.resolve({
            url: 'http://127.0.0.1:1',
            vkeys: [],
            close: () => {
              closed = true
              return Promise.resolve()
            },
          })
        },
      },
      signals,
    })
    expect(await ran).toMatchObject({ code: 0, stdout: 'http://127.0.0.1:1\n' })
    expect(closed).toBe(true)
  })

  it('does not go on where nobody can be told its URL', async () => {
    let closed = false
    const close = (): Promise<void> => {
      closed = true
      return Promise.resolve()
    }
    const ran = await run(['witness', 'serve'], {
      composition: {
        serveWitness: () => Promise.resolve({ close, url: 'http://127.0.0.1:1', vkeys: [] }),
      },
      stdout: closedPipe(),
    })
    expect([ran.code, closed]).toEqual([141, true])
  })
})

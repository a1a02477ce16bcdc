import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { localCaller } from '../../src/cli/principal.ts'
import { connectControl } from '../../src/control-client.ts'
import type { Service } from '../../src/decisions/service.ts'
import { verifyDossier } from '../../src/verify/index.ts'
import type { KeyOrder } from '../../src/wire/keys.ts'
import { DecisionLoad, type Acknowledged, type LoadReport } from '../support/key-load.ts'
import { Installation } from '../support/key-load-installation.ts'

let installation: Installation

beforeEach(async () => {
  installation = await Installation.prepare()
})

afterEach(async () => {
  await installation.remove()
})

/** Far below what a client waits for, far above what an exchange takes on a busy machine. */
const noticeableMs = 20_000

function expectNoneFailed(report: LoadReport): void {
  expect(report.failed).toEqual([])
  expect(report.acknowledged).toHaveLength(report.sent)
  const indexes = report.acknowledged.map(({ index, tenant }) => `${tenant} ${index}`)
  expect(new Set(indexes).size).toBe(report.sent)
  expect(report.sent / report.seconds).toBeGreaterThan(90)
  expect(report.slowestMs).toBeLessThan(noticeableMs)
  const { acknowledged, seconds, sent, slowestMs } = report
  const sorted = acknowledged.map(({ ms }) => ms).sort((a, b) => a - b)
  const p99Ms = sorted[Math.floor(0.99 * sorted.length)] ?? 0
  console.info(
    `${sent} decisions at ${Math.round(sent / seconds)}/s, 0 failed, p99 ${Math.round(p99Ms)} ms, slowest ${Math.round(slowestMs)} ms`,
  )
}

const dossierOf = ({ id, tenant }: Acknowledged): Promise<Uint8Array> =>
  installation.reading((reading) => reading.exportDossier(tenant, id))

describe('a server under load', () => {
  it('has its master key moved from provider to provider, and no decision fails', async () => {
    const init = ['init', '--kek', 'environment', '--origin', 'log.example']
    await installation.succeed(...init, '--profile', 'checkpoint')
    const server = await installation.serve('environment')
    const tokens = { default: await installation.token('default') }
    const load = new DecisionLoad({ connections: 8, perSecond: 100, tokens, url: server.url })
    const handedOut: Uint8Array[] = []
    for (const to of ['hsm', 'kms', 'hsm']) {
      handedOut.push(await dossierOf(await load.next()))
      const [done] = await installation.order('migrate', '--to', to)
      expect(done?.notes).toEqual([
        expect.stringMatching(/^Backups made before open by \w+ as ever/),
        `Start this installation from now on with --kek ${to}`,
      ])
      expect(await installation.slots('default')).toEqual([to])
    }
    handedOut.push(await dossierOf(await load.next()))
    const report = await load.stop()
    expectNoneFailed(report)
    expect((await server.stop()).code).toBe(0)

    // Nothing of KMS is left: it is not asked any more.
    installation.kms.asked.length = 0
    const [refused, again] = await Promise.all([
      installation.run('serve', '--kek', 'environment', '--port', '0'),
      (async () => {
        const { newest, wrong } = await installation.followTrustRoots('default')
        expect(wrong).toEqual([])
        expect(await installation.verifyAll(report.acknowledged, newest)).toEqual([])
        for (const dossier of handedOut)
          expect(verifyDossier(dossier, newest).verdict).toBe('valid')
      })(),
    ])
    expect([refused.code, refused.stdout, again]).toEqual([2, '', undefined])
    expect(refused.stderr).toContain(
      'Master key has slots for hsm, and the provider given is environment',
    )
    const restarted = await installation.serve('hsm')
    expect((await fetch(`${restarted.url}/readyz`)).status).toBe(200)
    expect((await restarted.stop()).code).toBe(0)
    expect(installation.kms.asked).toEqual([])
  })

  it('has all its keys rotated in both profiles, and no decision fails', async () => {
    const init = ['init', '--kek', 'hsm,kms', '--origin', 'log.example', '--profile', 'checkpoint']
    await installation.succeed(...init)
    const server = await installation.serve('hsm,kms')
    await installation.succeed('tenant', 'create', 'strict', '--profile', 'each')
    const tenants = ['default', 'strict']
    const [first, second] = await Promise.all(tenants.map((name) => installation.token(name)))
    const tokens = { default: first ?? '', strict: second ?? '' }
    const load = new DecisionLoad({ connections: 12, perSecond: 100, tokens, url: server.url })
    const handedOut: [string, Uint8Array][] = []
    const keep = async (): Promise<void> => {
      for (const one of [await load.next(), await load.next()])
        handedOut.push([one.tenant, await dossierOf(one)])
    }

    const remote = await connectControl(installation.data)
    if (remote === undefined) throw new Error('No server answers')
    const orders: readonly KeyOrder[] = [
      { order: 'rotate', purpose: 'evidence' },
      { order: 'rotate', purpose: 'fast' },
      { order: 'rotate', purpose: 'log' },
      { order: 'rotate', purpose: 'log' },
      { order: 'rotate-master' },
      { order: 'rewrap' },
      { order: 'rotate', purpose: 'evidence' },
    ]
    for (const order of orders) {
      await keep()
      await orderAll(remote, tenants, order)
    }
    await keep()
    await remote.close()
    const report = await load.stop()
    expectNoneFailed(report)
    expect((await server.stop()).code).toBe(0)

    for (const tenant of tenants) {
      const { newest, version, wrong } = await installation.followTrustRoots(tenant)
      expect(wrong).toEqual([])
      expect(version).toBeGreaterThan(5)
      const mine = report.acknowledged.filter((one) => one.tenant === tenant)
      expect(mine.length).toBeGreaterThan(30)
      expect(await installation.verifyAll(mine, newest)).toEqual([])
      for (const [of, dossier] of handedOut)
        if (of === tenant) expect(verifyDossier(dossier, newest).verdict).toBe('valid')
      expect(await installation.slots(tenant)).toEqual(['hsm', 'kms'])
    }
    const restarted = await installation.serve('kms')
    expect((await fetch(`${restarted.url}/readyz`)).status).toBe(200)
    expect((await restarted.stop()).code).toBe(0)
  })
})

/** The same order for every tenant at once. */
const orderAll = (
  remote: Service,
  tenants: readonly string[],
  order: KeyOrder,
): Promise<unknown[]> =>
  Promise.all(tenants.map((tenant) => remote.orderKeys(tenant, order, localCaller())))

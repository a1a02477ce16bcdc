import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import type { Composition } from '../../../src/cli/composition.ts'
import { localCaller } from '../../../src/cli/principal.ts'
import type { KekHealth, KeyOrder, KeyStatus, KeyView } from '../../../src/wire/keys.ts'
import { fakeKey, fakeMaster, FakeService } from '../../support/fake-service.ts'
import { closedPipe, run, type Around, type Ran } from './harness.ts'

const { keyId } = fakeKey
const slot = { id: 's1', kekId: 'env-12', mechanism: 'AES-256-GCM', provider: 'environment' }
const healthy: KekHealth = {
  provider: 'environment',
  kekId: 'env-12',
  state: 'healthy',
  code: null,
  message: 'It works',
  checkedAt: 86_400_000,
  since: null,
}

/** A service without a server in front, whose keys are read from the data directory. */
class StoredKeys extends FakeService {
  keys: KeyView[] = [
    { ...fakeKey, version: 2, from: 17, createdAt: Date.now() - 3.5 * 86_400_000 },
    { ...fakeKey, state: 'retired', from: 2, to: 17 },
  ]
  override listKeys = (() => Promise.resolve(this.keys)) as never
  override listSlots = (() => Promise.resolve([slot])) as never
}

const asked = (service: FakeService): unknown[] =>
  service.asked.filter(({ method }) => method === 'orderKeys').map(({ args }) => args)

const order = (
  argv: readonly string[],
  service = new StoredKeys(),
  around: Around = {},
): Promise<Ran> => run(['keys', ...argv], { ...around, service })

describe('keys status', () => {
  const status = (health: readonly KekHealth[], service = new StoredKeys()): Promise<Ran> =>
    run(['keys', 'status'], {
      composition: { keyHealth: () => Promise.resolve(health) },
      service,
    })

  it('says what signs now and since when, who opens it, how that is, and what is next', async () => {
    const { code, stdout } = await status([healthy])
    const [, active, retired, master, any, opened, condition, ...next] = stdout.split('\n')
    expect(code).toBe(0)
    expect(active).toMatch(
      /^evidence {2}v2 .* active .*signs entries of every kind .* 1970-01-01T\S+ +3 days .* 17 /,
    )
    expect(retired).toMatch(/^evidence {2}v1 .* retired .*signs nothing .* 2 +17 /)
    expect(master).toMatch(/^master .* v1 .*seals the others +1970-01-01T/)
    expect(any).toBe('The master key opens by one slot alone:')
    expect(opened).toBe('opened by environment: env-12 (AES-256-GCM, slot s1)')
    expect(condition).toBe('  healthy: It works, checked 1970-01-02T00:00:00.000Z')
    expect(next).toEqual([
      expect.stringMatching(
        /^next: Nothing is due before 20\d\d-\d\d-\d\d: then evidence v2 is a year old, countersign keys rotate evidence$/,
      ),
      expect.stringMatching(/^next: No break-glass slot: .*countersign keys break-glass$/),
      '',
    ])
  })

  it('says what is due where no server runs either', async () => {
    const service = new StoredKeys()
    service.keys = [{ ...fakeKey, createdAt: Date.now() - 366 * 86_400_000 }]
    expect((await status([healthy], service)).stdout).toMatch(
      /^next: evidence v1 was made on \S+, more than 365 days ago: countersign keys rotate evidence$/m,
    )
  })

  it('shows what signs before what does not, and a passphrase as what it is', async () => {
    const service = new StoredKeys()
    service.keys = service.keys.toReversed()
    service.listSlots = (() =>
      Promise.resolve([slot, { ...slot, id: 's2', provider: 'passphrase' }])) as never
    const { stdout } = await status([healthy], service)
    expect(stdout).toMatch(/^key .*\nevidence {2}v2 .*\nevidence {2}v1 /)
    expect(stdout).toContain('any one of these 2 slots:\n')
    expect(stdout).toContain('slot s2)\n  the break-glass slot: opens only by hand')
    expect(stdout).not.toContain('No break-glass slot')
  })

  it('tells a changed slot, and that rewrapping is no way out where no server runs', async () => {
    const { stdout } = await status([
      { ...healthy, code: 'OPEN_FAILED', message: 'No', state: 'tampered' },
    ])
    expect(stdout).toContain('next: No key provider that works here opens a slot')
    expect(stdout).toMatch(
      /^next: The slot of environment was changed\. .*database of before back/m,
    )
  })

  it('says why a provider fails, and exits 0 all the same', async () => {
    const failing: KekHealth = {
      ...healthy,
      state: 'failing',
      code: 'KEK_DENIED',
      message: 'No\u001b access',
      since: 0,
    }
    const { code, stdout } = await status([failing])
    expect(code).toBe(0)
    expect(stdout).toContain(
      'failing KEK_DENIED: No\\u001b access, since 1970-01-01T00:00:00.000Z, checked',
    )
    expect(stdout).toContain('next: No key provider that works here opens a slot')
  })

  it('says which slot has no provider here, and which provider no slot', async () => {
    const { stdout } = await status([{ ...healthy, provider: 'kms', kekId: '' }])
    expect(stdout).toContain('slot s1)\n  not configured here, so')
    expect(stdout).toContain('configured, but opens nothing: kms\n  healthy')
  })

  it('names a key that was prepared and does not sign', async () => {
    const service = new StoredKeys()
    service.keys = [{ ...fakeKey, state: 'pending', version: 3, from: null }]
    const { stdout } = await status([healthy], service)
    expect(stdout).toContain('next: evidence v3 is prepared and signs nothing yet: ')
  })

  it('asks the server where one runs, and nobody else', async () => {
    const told: KeyStatus = {
      tenant: 'acme',
      master: fakeMaster,
      keys: [fakeKey],
      slots: [slot],
      providers: [healthy],
      next: ['Rotate soon'],
    }
    let closed = 0
    const server = new FakeService()
    server.keyStatus = () => Promise.resolve(told)
    server.close = () => {
      closed++
      return Promise.resolve()
    }
    const never = (): never => {
      throw new Error('Not to be asked')
    }
    const composition: Partial<Composition> = {
      connectServer: () => Promise.resolve(server),
      keyHealth: never,
      openReading: never,
    }
    expect((await run(['keys', 'status'], { composition })).stdout).toContain('next: Rotate soon')
    const { stdout } = await run(['keys', 'status', '--json'], { composition })
    expect(JSON.parse(stdout)).toEqual(told)
    expect(closed).toBe(2)
    server.keyStatus = () => Promise.resolve({ tenant: 'acme' } as KeyStatus)
    const { code, stderr } = await run(['keys', 'status'], { composition })
    expect([code, stderr]).toEqual([2, expect.stringContaining('of another version')])
  })
})

describe('an order about keys', () => {
  it.each<[string, readonly string[], KeyOrder]>([
    ['rotate', ['rotate', 'fast'], { order: 'rotate', purpose: 'fast' }],
    ['rotate-master', ['rotate-master'], { order: 'rotate-master' }],
    ['revoke', ['revoke', keyId], { order: 'revoke', keyId }],
    ['revoke by name', ['revoke', 'evidence:1'], { order: 'revoke', keyId }],
    [
      'revoke from a position',
      ['revoke', keyId, '--from', '0', '--reason', 'lost'],
      { order: 'revoke', keyId, from: 0, reason: 'lost' },
    ],
    ['destroy', ['destroy', keyId], { order: 'destroy', keyId }],
    ['admit', ['admit', '0F'.repeat(32)], { order: 'admit', fingerprint: '0f'.repeat(32) }],
  ])('is given as asked: %s', async (_, argv, expected) => {
    const service = new StoredKeys()
    expect((await order(argv, service)).code).toBe(0)
    expect(asked(service)).toEqual([['default', expected, localCaller()]])
  })

  it('prints a line a step, and what to know beside it', async () => {
    const { stderr, stdout } = await order(['rotate', 'evidence'])
    expect(stdout).toBe('prepared  evidence v2  index 41\nactivated  evidence v2  index 42\n')
    expect(stderr).toBe('Publish it\n')
  })

  it('prints one object as JSON', async () => {
    const { stderr, stdout } = await order(['rotate', 'evidence', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ tenant: 'default', order: 'rotate' })
    expect([stdout.split('\n').length, stderr]).toEqual([2, ''])
  })

  it.each([
    [['rewrap'], { order: 'rewrap' }],
    [['migrate', '--to', 'hsm'], { order: 'migrate', to: 'hsm' }],
    [['migrate', '--to', 'kms', '--keep'], { order: 'migrate', to: 'kms', keep: true }],
  ])('about slots is for every tenant, or for the one named: %j', async (argv, expected) => {
    const service = new StoredKeys()
    const all = await order(argv, service)
    expect(all.stdout).toMatch(/^acme {2}prepared .*\n.*\nopen {2}prepared /)
    await order([...argv, '--tenant', 'open'], service)
    expect(asked(service)).toEqual(
      ['acme', 'open', 'open'].map((tenant) => [tenant, expected, localCaller()]),
    )
  })

  it.each([
    [['rotate', 'master']],
    [['rotate']],
    [['migrate']],
    [['migrate', '--to', 'memory']],
    [['revoke', keyId.slice(0, 8)]],
    [['revoke', 'evidence']],
    [['revoke', 'evidence:01']],
    [['revoke', 'master:1']],
    [['revoke', keyId, '--from', '-1']],
    [['revoke', keyId, '--from', '1.5']],
    [['revoke', keyId, '--reason', '']],
    [['revoke', keyId, '--reason', 'x'.repeat(2049)]],
    [['destroy', keyId.toUpperCase()]],
    [['admit', '0f'.repeat(31)]],
  ])('that nobody can mean ends with exit 2 before anything is opened: %j', async (argv) => {
    const service = new StoredKeys()
    expect((await order(argv, service)).code).toBe(2)
    expect(service.asked).toEqual([])
  })

  it('that ends a key says first what will happen, and leaves counting to the service', async () => {
    const service = new StoredKeys()
    service.keys = [fakeKey]
    const said = async (...argv: string[]): Promise<string> => (await order(argv, service)).stderr
    const name = `evidence v1 (active, ${keyId})`
    expect(await said('revoke', keyId)).toBe(
      `${name}: another takes its place, then it counts no more from the entry that says so; what it signed before stays as it is\nPublish it\n`,
    )
    expect(await said('revoke', keyId, '--from', '20')).toBe(
      `${name}: another takes its place, then it counts no more from entry 20 on\nPublish it\n`,
    )
    service.keys = [{ ...fakeKey, purpose: 'log', state: 'destroyed' }]
    expect(await said('revoke', keyId, '--from', '20')).toBe(
      `log v1 (destroyed, ${keyId}): counts no more from tree size 20 on\nPublish it\n`,
    )
    expect(await said('destroy', keyId)).toContain('its private half is deleted for ever')
  })

  it('that admits a key says that its file may go', async () => {
    const argv = ['admit', '0f'.repeat(32)]
    expect((await order(argv)).stderr).toContain('Publish it\nThe file of the offer may stay or go')
    const { stderr, stdout } = await order([...argv, '--json'])
    expect([stderr, (JSON.parse(stdout) as { notes: string[] }).notes]).toEqual([
      '',
      ['Publish it', expect.stringContaining('may stay or go')],
    ])
  })

  it('about a key that is none goes nowhere', async () => {
    const service = new StoredKeys()
    service.keys = []
    const { code, stderr } = await order(['destroy', keyId], service)
    expect([code, stderr]).toEqual([1, expect.stringContaining('No such key')])
    expect(asked(service)).toEqual([])
  })

  it('that fails between two steps says that it goes on, and at which tenant it stopped', async () => {
    const service = new StoredKeys()
    const give = service.orderKeys.bind(service)
    service.orderKeys = (tenant, ...args) =>
      tenant === 'acme'
        ? give(tenant, ...args)
        : Promise.reject(new Failure('KEK_UNAVAILABLE', 'No answer'))
    const { code, stderr } = await order(['rewrap'], service)
    expect(code).toBe(75)
    expect(stderr).toContain('Stopped at tenant open: 1 of 2 tenants done')
    expect(stderr).toContain('Run the same command again: it goes on where it stopped')
  })

  it('that is refused does not say so', async () => {
    const service = new StoredKeys()
    service.orderKeys = () => Promise.reject(new Failure('INPUT_KEY_STATE', 'Key is active'))
    const { code, stderr } = await order(['destroy', keyId], service)
    expect(code).toBe(1)
    expect(stderr).not.toContain('again')
  })

  it('finishes the tenant under way when interrupted, and says how to go on', async () => {
    const service = new StoredKeys()
    const signals = new EventEmitter()
    const give = service.orderKeys.bind(service)
    service.orderKeys = (...args) => {
      signals.emit('SIGTERM', 'SIGTERM')
      return give(...args)
    }
    const { code, stderr, stdout } = await order(['rewrap'], service, { signals })
    expect([code, stdout.match(/^\w+ {2}activated/gm)]).toEqual([143, ['acme  activated']])
    expect(stderr).toContain('Interrupted. Run the same command again')
  })

  it('that was done when the signal came is done', async () => {
    const service = new StoredKeys()
    const signals = new EventEmitter()
    const give = service.orderKeys.bind(service)
    service.orderKeys = (...args) => {
      signals.emit('SIGINT', 'SIGINT')
      return give(...args)
    }
    const { code, stderr } = await order(['rotate', 'log'], service, { signals })
    expect([code, stderr]).toEqual([0, 'Publish it\n'])
  })

  it('closes what it opened, also when its reader went away', async () => {
    const service = new StoredKeys()
    let closed = 0
    service.close = () => {
      closed++
      return Promise.resolve()
    }
    const { code, stderr } = await order(['rotate', 'log'], service, { stdout: closedPipe() })
    expect([code, stderr, closed]).toEqual([141, '', 1])
  })
})

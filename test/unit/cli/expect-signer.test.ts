import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Service } from '../../../src/decisions/service.ts'
import type { PersonKey } from '../../../src/dossier/roster.ts'
import { runOver } from '../../support/cli-over.ts'
import { firstRoster, leadKey, leadSign, type Lead } from '../../support/forge-override.ts'
import {
  blockedRequest,
  changeRoster,
  foundRoster,
  requester,
  signing,
} from '../../support/leads.ts'
import { heldRequest } from '../../support/reviewers.ts'
import {
  foundTestService,
  principalOf,
  temporaryDirectory,
  type TestService,
} from '../../support/service.ts'
import { run } from './harness.ts'

const start = 1_790_000_000_000
const hourMs = 3_600_000

async function controlled() {
  const clock = { now: start }
  const at = await foundTestService({ clock: () => clock.now, dualControl: 'all' })
  await foundRoster(at)
  return { at, clock, service: at.service }
}

type World = Awaited<ReturnType<typeof controlled>>

/** Standard input that tells whether anybody has asked for it. */
function watched(text = ''): { readonly input: Readable; readonly wasAsked: () => boolean } {
  let asked = false
  const input = new Readable({
    read() {
      asked = true
      this.push(text === '' ? null : text)
      this.push(null)
    },
  })
  return { input, wasAsked: () => asked }
}

/** Signs by a signature on standard input, and tells why it was not even asked for. */
async function refusal(
  service: Service,
  argv: readonly string[],
  instead: Partial<Service> = {},
): Promise<string> {
  const { input, wasAsked } = watched()
  const ran = await runOver(service, [...argv, '--signature', '-'], { input, instead })
  expect([ran.code, ran.stdout, wasAsked()]).toEqual([1, '', false])
  // Nor was the text shown that is to be signed.
  expect(ran.stderr).not.toContain('Countersign ')
  return /^countersign: (.*)$/m.exec(ran.stderr)?.[1] ?? ''
}

const roleOf = (lead: Lead): 'risk_lead' | 'security_lead' =>
  lead === 'bob' ? 'security_lead' : 'risk_lead'

const by = (lead: Lead, role = roleOf(lead)) => ['--role', role, '--public-key', leadKey(lead)]

/** The two kinds of request that take two keys, each opened by somebody. */
const requests = {
  action: {
    code: 'ACTION_REFUSED',
    open: async ({ at }: World, asker = requester) => {
      const wish = { action: 'erase' as const, decision: await decided(at), reason: 'Asked' }
      return (await at.service.openAction(asker, { justification: 'x', wish })).action
    },
    act: ({ service }: World, id: string, ...rest: Parameters<typeof signing>) =>
      service.actOnAction(requester, id, signing(...rest)),
    read: ({ service }: World, id: string) => service.readAction('default', id),
  },
  override: {
    code: 'OVERRIDE_REFUSED',
    open: async ({ at }: World, asker = requester) => {
      const decision = await decided(at)
      await at.service.openOverride(asker, { decision, justification: 'x' })
      return decision
    },
    act: ({ service }: World, id: string, ...rest: Parameters<typeof signing>) =>
      service.actOnOverride(requester, id, signing(...rest)),
    read: ({ service }: World, id: string) => service.readOverride('default', id),
  },
}

const decided = async (at: TestService): Promise<string> =>
  (await at.notarise(blockedRequest(1))).id

/** What is read of a roster in which Ann's key is another, or has another beside it. */
const withKey = (service: Service, change: Partial<PersonKey>, beside = false) => ({
  readRoster: async (tenant: string) => {
    const view = await service.readRoster(tenant)
    const people = firstRoster.people.map((person) => {
      const changed = person.keys.map((key) => ({ ...key, ...change }))
      const other = changed.map((key) => ({ ...key, key: leadKey('eve') }))
      const keys = beside ? [...other, ...person.keys] : changed
      return person.id === 'ann' ? { ...person, keys } : person
    })
    const current = view.current && { ...view.current, roster: { ...firstRoster, people } }
    return { ...view, current }
  },
})

describe.each(['action', 'override'] as const)('whoever signs an %s', (kind) => {
  const { act, code, open, read } = requests[kind]
  const sign = (id: string, ...args: readonly string[]) => [kind, 'sign', id, ...args]

  it('hears before that the request is over', async () => {
    const world = await controlled()
    const [one, two] = [await open(world), kind === 'action' ? await open(world) : undefined]
    const { challenge } = await read(world, one)
    await act(world, one, 'ann', 'risk_lead', challenge)
    await act(world, one, 'bob', 'security_lead', challenge)
    expect(await refusal(world.service, sign(one, ...by('ann')))).toBe(
      `Request is not open for signatures: approved (${code})`,
    )
    world.clock.now += hourMs + 1
    if (two !== undefined)
      expect(await refusal(world.service, sign(two, ...by('ann')))).toBe(
        `Request is not open for signatures: expired (${code})`,
      )
  })

  it('hears before that the time is over, and not a moment sooner', async () => {
    const world = await controlled()
    const id = await open(world)
    const { challenge } = await read(world, id)
    world.clock.now += hourMs
    const ran = await runOver(world.service, [...sign(id, ...by('ann')), '--signature', '-'], {
      input: leadSign('ann', challenge),
    })
    expect(ran.code).toBe(0)
    world.clock.now++
    expect(await refusal(world.service, sign(id, ...by('bob')))).toBe(
      `Request is not open for signatures: expired (${code})`,
    )
  })

  it('hears before what is wrong with who it is', async () => {
    const world = await controlled()
    const { service } = world
    const id = await open(world)
    expect(await refusal(service, sign(id, ...by('eve')))).toBe(
      `Key is not in the roster, or not one of this person (${code})`,
    )
    expect(await refusal(service, sign(id, '--role', 'risk_lead', '--person', 'eve'))).toBe(
      `Key is not in the roster, or not one of this person (${code})`,
    )
    expect(await refusal(service, sign(id, ...by('ann'), '--person', 'bob'))).toBe(
      `Key is not in the roster, or not one of this person (${code})`,
    )
    expect(await refusal(service, sign(id, ...by('ann', 'security_lead')))).toBe(
      `Nobody of this id in the roster holds the role security_lead (${code})`,
    )
    const { challenge } = await read(world, id)
    await act(world, id, 'ann', 'risk_lead', challenge)
    expect(await refusal(service, sign(id, ...by('ann')))).toBe(
      `Role has signed already: risk_lead (${code})`,
    )
  })

  it.each([
    ['revoked', { revoked: true }, 'Key is revoked'],
    ['too young', { notBefore: 8_640_000_000_000_000 }, 'Key does not count yet'],
    ['too old', { notAfter: 1 }, 'Key does not count any more'],
  ])('hears before that the key is %s', async (_, change, why) => {
    const world = await controlled()
    const id = await open(world)
    const instead = withKey(world.service, change)
    expect(await refusal(world.service, sign(id, ...by('ann')), instead)).toBe(`${why} (${code})`)
    // Another key of the same person may be the one.
    const { input, wasAsked } = watched('none')
    const argv = [...sign(id, '--role', 'risk_lead', '--person', 'ann'), '--signature', '-']
    await runOver(world.service, argv, { input, instead: withKey(world.service, change, true) })
    expect(wasAsked()).toBe(true)
  })

  it('hears before that the roster has changed', async () => {
    const world = await controlled()
    const id = await open(world)
    await changeRoster(world.at)
    expect(await refusal(world.service, sign(id, ...by('ann')))).toBe(
      `Roster has changed since: a new request is needed (${code})`,
    )
  })

  it('hears before that he has asked for it himself, in whatever spelling', async () => {
    const world = await controlled()
    const ask = (owner: string) => open(world, principalOf('checkpoint', owner))
    expect(await refusal(world.service, sign(await ask('ann'), ...by('ann')))).toBe(
      `Whoever asked may not sign (${code})`,
    )
    const again = await controlled()
    const id = await open(again, principalOf('checkpoint', 'idp/ANN'))
    expect(await refusal(again.service, sign(id, ...by('ann')))).toBe(
      `Whoever asked may not answer, in whatever spelling: ann reads as idp/ANN (${code})`,
    )
  })
})

describe('whoever signs', () => {
  it('types no passphrase of a key that is in no roster', async () => {
    const cwd = temporaryDirectory()
    const keygen = ['roster', 'keygen', '-o', 'new.key', '--passphrase-file', '-']
    await run(keygen, { cwd, input: 'correct horse battery' })
    const world = await controlled()
    const id = await requests.override.open(world)
    const { input, wasAsked } = watched('correct horse battery')
    const argv = ['override', 'sign', id, '--role', 'risk_lead', '--key', 'new.key']
    const around = { cwd, input }
    const ran = await runOver(world.service, [...argv, '--passphrase-file', '-'], around)
    expect(ran).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not in the roster') as string,
    })
    expect(wasAsked()).toBe(false)
  })

  it.each([
    ['override', 'sign', 'ID', '--role', 'risk_lead'],
    ['action', 'sign', 'ID', '--role', 'risk_lead'],
    ['escalation', 'sign', 'ID', '--answer', 'approve', '--reason', 'r'],
    ['roster', 'sign', 'roster.json'],
  ])('names one way to do it, before anything is opened: %s', async (...words) => {
    const argv = words.map((word) => (word === 'ID' ? crypto.randomUUID() : word))
    const openService = (): never => {
      throw new Error('asked')
    }
    const around = { composition: { openService } }
    for (const ways of [[], ['--key', 'a', '--ssh', 'b'], ['--key', 'a', '--signature', '-']])
      expect(await run([...argv, ...ways], around)).toMatchObject({
        code: 2,
        stderr: 'countersign: One way to sign is wanted: --key, --ssh or --signature\n',
      })
    expect(await run([...argv, '--signature', '-'], around)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('A pasted signature needs its ') as string,
    })
  })

  it('overrules nothing in a tenant that is closed', async () => {
    const world = await controlled()
    const id = await requests.override.open(world)
    const view = await world.service.readControl('default')
    const readControl = () => Promise.resolve({ ...view, closedAt: 9 })
    expect(
      await refusal(world.service, ['override', 'sign', id, ...by('ann')], { readControl }),
    ).toBe('Tenant is closed, its log can only be read: default (TENANT_CLOSED)')
  })
})

describe('whoever answers an escalation', () => {
  const held = async ({ at }: World, change: object = {}): Promise<string> =>
    (await at.notarise(heldRequest(1, { decideWithinSeconds: 600, ...change }))).id
  const sign = (id: string, lead: Lead, answer = 'approve') => [
    ...['escalation', 'sign', id, '--answer', answer, '--reason', 'Checked'],
    ...['--public-key', leadKey(lead)],
  ]

  it('hears before that the time is over, and not a moment sooner', async () => {
    const world = await controlled()
    const [one, two] = [await held(world), await held(world)]
    world.clock.now += 600_000
    const said = { answer: 'reject' as const, reason: 'Checked' }
    const { challenge } = await world.service.challengeEscalation('default', one, said)
    const ran = await runOver(world.service, [...sign(one, 'ann', 'reject'), '--signature', '-'], {
      input: leadSign('ann', challenge),
    })
    expect(ran.code).toBe(0)
    world.clock.now++
    expect(await refusal(world.service, sign(two, 'ann'))).toBe(
      'Escalation is not open: timed-out (ESCALATION_REFUSED)',
    )
    expect(await refusal(world.service, sign(one, 'ann'))).toBe(
      'Escalation is not open (ESCALATION_REFUSED)',
    )
  })

  it('hears before what is wrong with who it is', async () => {
    const world = await controlled()
    const { service } = world
    const id = await held(world)
    expect(await refusal(service, sign(id, 'eve'))).toBe(
      'Key is not in the roster, or not one of this person (ESCALATION_REFUSED)',
    )
    const ownRequest = { actor: { id: 'ann' }, action: { type: 'transfer' } }
    expect(await refusal(service, sign(await held(world, { intent: ownRequest }), 'ann'))).toBe(
      'Whoever asked for the decision, and the actor, may not review it (ESCALATION_REFUSED)',
    )
    const spelt = { ...ownRequest, actor: { id: 'user:Ann' } }
    expect(await refusal(service, sign(await held(world, { intent: spelt }), 'ann'))).toBe(
      'Whoever asked may not answer, in whatever spelling: ann reads as user:Ann (ESCALATION_REFUSED)',
    )
    expect(await refusal(service, sign(id, 'ann'), withKey(service, { revoked: true }))).toBe(
      'Key is revoked (ESCALATION_REFUSED)',
    )
  })

  it('hears before that it takes both leads, or that nothing is decided any more', async () => {
    const world = await controlled()
    const floor = [{ name: 'complexity', passed: false }]
    expect(
      await refusal(world.service, sign(await held(world, { gates: floor }), 'ann')),
    ).toContain('Gates have failed, and no reviewer alone may allow it')
    const view = await world.service.readControl('default')
    const readControl = () => Promise.resolve({ ...view, closedAt: 9 })
    expect(await refusal(world.service, sign(await held(world), 'ann'), { readControl })).toContain(
      '(TENANT_CLOSED)',
    )
  })
})

describe('whoever signs a roster', () => {
  const place = { instance: 'i', origin: 'o', tenant: 'default' }

  it('hears before that the key is not in it, or has signed', async () => {
    const cwd = temporaryDirectory()
    const write = (endorsements: readonly object[]): void => {
      writeFileSync(
        join(cwd, 'roster.json'),
        JSON.stringify({ ...place, endorsements, roster: firstRoster }),
      )
    }
    const sign = async (lead: Lead) => {
      const { input, wasAsked } = watched('none')
      const argv = ['roster', 'sign', 'roster.json', '--signature', '-']
      const ran = await run([...argv, '--public-key', leadKey(lead)], { cwd, input })
      return { ...ran, asked: wasAsked() }
    }
    write([])
    expect(await sign('eve')).toEqual({
      asked: false,
      code: 2,
      stderr: `countersign: Key is not in the proposal, enrol it first: Ed25519 ${leadKey('eve')}\n`,
      stdout: '',
    })
    const text = (await run(['roster', 'show', 'roster.json'], { cwd })).stdout
    const endorsement = (signature: string) => ({ key: leadKey('ann'), kind: 'Ed25519', signature })
    write([endorsement(leadSign('ann', text))])
    expect(await sign('ann')).toMatchObject({
      asked: false,
      code: 0,
      stderr: 'This key has signed already\n',
    })
    expect(await sign('bob')).toMatchObject({ asked: true, code: 2 })
    // What somebody else has put there in its place does not stand in the way.
    write([endorsement(leadSign('eve', text))])
    expect(await sign('ann')).toMatchObject({ asked: true, code: 2 })
  })
})

import { describe, expect, it } from 'vitest'
import { FakeService } from '../../support/fake-service.ts'
import { listCommands, run } from './harness.ts'

/** Every command that lists, whatever is added to them. */
const lists = listCommands().filter((command) => command.name() === 'list')

/** Under which name each group's list has its things: the one that the HTTP API has for them. */
const names: Readonly<Record<string, string>> = {
  action: 'actions',
  apikey: 'apiKeys',
  decision: 'decisions',
  escalation: 'escalations',
  override: 'overrides',
  policy: 'policies',
  proposal: 'proposals',
  tenant: 'tenants',
  webhook: 'webhooks',
}
const groups = lists.map(({ parent }) => parent?.name() ?? '')
const pagedGroups = lists
  .filter(({ options }) => options.some(({ long }) => long === '--cursor'))
  .map(({ parent }) => parent?.name() ?? '')

/** A service whose pages go on. */
function withMore(service: FakeService): FakeService {
  return new Proxy(service, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return async (...given: readonly unknown[]): Promise<unknown> => {
        const page: unknown = await Reflect.apply(value, target, given)
        return typeof page === 'object' && page !== null && 'cursor' in page
          ? { ...page, cursor: '41' }
          : page
      }
    },
  })
}

describe('the lists', () => {
  it('are those whose things have a name', () => {
    expect(groups.toSorted()).toEqual(Object.keys(names))
    expect(pagedGroups.toSorted()).toEqual([
      'action',
      'decision',
      'escalation',
      'override',
      'proposal',
    ])
  })

  it.each(groups)(
    'of %s prints one line of JSON: an object of the things and a cursor',
    async (group) => {
      const { code, stdout } = await run([group, 'list', '--json'])
      expect([code, stdout.split('\n').length]).toEqual([0, 2])
      const told = JSON.parse(stdout) as Record<string, unknown>
      expect(Array.isArray(told[names[group] ?? ''])).toBe(true)
      expect(told).toMatchObject({ cursor: null })
    },
  )

  it.each(pagedGroups)('of %s goes on where --cursor says, and tells how to', async (group) => {
    const service = new FakeService()
    const around = { service: withMore(service) }
    const argv = [group, 'list', '--limit', '3', '--cursor', '57']
    const first = await run([...argv, '--json'], around)
    expect(first).toMatchObject({ code: 0, stderr: 'There are more: --cursor 41\n' })
    expect(JSON.parse(first.stdout)).toMatchObject({ cursor: '41' })
    expect((await run(argv, around)).stderr).toBe('There are more: --cursor 41\n')
    expect(service.asked.at(-1)?.args.at(-1)).toMatchObject({ cursor: '57', limit: 3 })
    await run([group, 'list'], around)
    expect(service.asked.at(-1)?.args.at(-1)).toEqual({ limit: 50 })
  })
})

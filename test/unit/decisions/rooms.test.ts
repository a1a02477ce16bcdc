import { expect, test } from 'vitest'
import type { Room } from '../../../src/decisions/room.ts'
import { Rooms, type RoomsParts } from '../../../src/decisions/rooms.ts'

const minute = 60_000

/** Rooms of nothing but a name, on a clock that is set by hand. */
function makeRooms(change: Partial<RoomsParts> = {}) {
  const opened: string[] = []
  const closed: string[] = []
  const time = { now: 1_000_000 }
  const rooms = new Rooms({
    clock: () => time.now,
    close: ({ tenant }) => {
      closed.push(tenant.name)
      return Promise.resolve()
    },
    keep: 0,
    mayClose: () => true,
    open: (name) => {
      opened.push(name)
      return Promise.resolve({ tenant: { name } } as unknown as Room)
    },
    ...change,
  })
  const visit = (...names: readonly string[]): Promise<readonly string[]> =>
    Promise.all(names.map((name) => rooms.use(name, ({ tenant }) => Promise.resolve(tenant.name))))
  return { closed, opened, rooms, time, visit }
}

test('a room is opened once for all who come', async () => {
  const { opened, visit } = makeRooms()
  expect(await visit('a', 'b', 'a')).toEqual(['a', 'b', 'a'])
  expect(await visit('a')).toEqual(['a'])
  expect(opened).toEqual(['a', 'b'])
})

test('a room is closed when its last use is more than five minutes ago, and opened again', async () => {
  const { closed, opened, rooms, time, visit } = makeRooms()
  await visit('a')
  time.now += 5 * minute
  await rooms.sweep()
  expect(closed).toEqual([])
  time.now += 1
  await rooms.sweep()
  expect(closed).toEqual(['a'])
  expect(rooms.tenants).toEqual([])
  expect(await visit('a')).toEqual(['a'])
  expect(opened).toEqual(['a', 'a'])
})

test('a room stays open while work goes on in it, and idles from its end', async () => {
  const { closed, rooms, time } = makeRooms()
  const work = Promise.withResolvers<undefined>()
  const used = rooms.use('a', () => work.promise)
  time.now += 6 * minute
  await rooms.sweep()
  expect(closed).toEqual([])
  work.resolve(undefined)
  await used
  await rooms.sweep()
  expect(closed).toEqual([])
  time.now += 6 * minute
  await rooms.sweep()
  expect(closed).toEqual(['a'])
})

test('work that fails leaves its room as idle as any', async () => {
  const { closed, rooms, time } = makeRooms()
  await expect(rooms.use('a', () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  time.now += 6 * minute
  await rooms.sweep()
  expect(closed).toEqual(['a'])
})

test('the rooms that were used last stay open however long ago that was', async () => {
  const { closed, rooms, time, visit } = makeRooms({ keep: 2 })
  await visit('a', 'b', 'c')
  await visit('a')
  time.now += 60 * minute
  await rooms.sweep()
  expect(closed).toEqual(['b'])
  expect(rooms.tenants).toEqual(['c', 'a'])
})

test('nothing is closed while it could not be opened again', async () => {
  const well = { is: false }
  const { closed, rooms, time, visit } = makeRooms({ mayClose: (name) => well.is || name === 'b' })
  await visit('a', 'b')
  time.now += 6 * minute
  await rooms.sweep()
  expect(closed).toEqual(['b'])
  well.is = true
  await rooms.sweep()
  expect(closed).toEqual(['b', 'a'])
})

test('of more than 256 rooms the one that idled longest is closed at once, unless it is in use', async () => {
  const { closed, rooms, visit } = makeRooms({ keep: 1000 })
  const work = Promise.withResolvers<undefined>()
  const used = rooms.use('busy', () => work.promise)
  await visit('idle')
  await visit(...Array.from({ length: 254 }, (_, i) => `t${i}`))
  expect(closed).toEqual([])
  await visit('one more')
  expect(closed).toEqual([])
  work.resolve(undefined)
  await used
  await visit('idle', 'another')
  expect(closed).toEqual(['busy'])
})

test('a room that did not open is tried again by the next who comes', async () => {
  const refusals = ['not yet']
  const { rooms } = makeRooms({
    open: (name) => {
      const refusal = refusals.pop()
      return refusal === undefined
        ? Promise.resolve({ tenant: { name } } as unknown as Room)
        : Promise.reject(new Error(refusal))
    },
  })
  const name = (): Promise<string> => rooms.use('a', ({ tenant }) => Promise.resolve(tenant.name))
  await expect(Promise.all([name(), name()])).rejects.toThrow('not yet')
  expect(rooms.tenants).toEqual([])
  expect(await name()).toBe('a')
})

test('whoever leaves all rooms gets them, also those in use, and waits for nobody', async () => {
  const { opened, rooms, visit } = makeRooms()
  await visit('a')
  const work = Promise.withResolvers<undefined>()
  const used = rooms.use('b', () => work.promise)
  const left = await Promise.all(rooms.leave())
  expect(left.map(({ tenant }) => tenant.name)).toEqual(['a', 'b'])
  expect(rooms.tenants).toEqual([])
  await visit('b')
  expect(opened).toEqual(['a', 'b', 'b'])
  work.resolve(undefined)
  await used
})

test('idle is waited for until the last work has ended', async () => {
  const { rooms } = makeRooms()
  const work = Promise.withResolvers<undefined>()
  const ended: string[] = []
  const used = rooms.use('a', () => work.promise).then(() => ended.push('work'))
  const idle = rooms.idle().then(() => ended.push('idle'))
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(ended).toEqual([])
  work.resolve(undefined)
  await Promise.all([used, idle])
  expect(ended).toEqual(['work', 'idle'])
})

import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Lines } from '../../../src/base/lines.ts'

/** Work that ends when it is told to, and says that it began. */
function pieces() {
  const began: string[] = []
  const open = new Map<string, PromiseWithResolvers<string>>()
  const work = (name: string) => (): Promise<string> => {
    began.push(name)
    const ending = Promise.withResolvers<string>()
    open.set(name, ending)
    return ending.promise
  }
  return { began, end: (name: string) => open.get(name), work }
}

it('does one piece of a line after the other, and those of another line meanwhile', async () => {
  const { began, end, work } = pieces()
  const lines = new Lines()
  const first = lines.run('a', work('a1'))
  const second = lines.run('a', work('a2'))
  void lines.run('b', work('b1'))
  await setImmediate()
  expect(began).toEqual(['a1', 'b1'])
  end('a1')?.resolve('done')
  expect(await first).toBe('done')
  await setImmediate()
  expect(began).toEqual(['a1', 'b1', 'a2'])
  end('a2')?.resolve('too')
  expect(await second).toBe('too')
})

it('goes on behind a piece that failed, also by throwing at once', async () => {
  const lines = new Lines()
  const failed = lines.run('a', () => Promise.reject(new Error('first')))
  const thrown = lines.run('a', () => {
    throw new Error('second')
  })
  const third = lines.run('a', () => Promise.resolve('third'))
  await expect(failed).rejects.toThrow('first')
  await expect(thrown).rejects.toThrow('second')
  expect(await third).toBe('third')
})

it('is settled when all lines are done, whatever became of them', async () => {
  const { end, work } = pieces()
  const lines = new Lines()
  const bad = lines.run('a', work('a'))
  const good = lines.run('b', work('b'))
  let settled = false
  const all = lines.settled().then(() => (settled = true))
  await setImmediate()
  end('b')?.resolve('')
  await good
  await setImmediate()
  expect(settled).toBe(false)
  end('a')?.reject(new Error('bad'))
  await expect(bad).rejects.toThrow('bad')
  await all
  expect(settled).toBe(true)
})

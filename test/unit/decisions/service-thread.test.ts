import { setImmediate } from 'node:timers/promises'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { connectService, type RemoteService } from '../../../src/decisions/service-client.ts'
import { hostService, type Call } from '../../../src/decisions/service-host.ts'
import type { Service } from '../../../src/decisions/service.ts'
import { foundTestService, principalOf, requestOf } from '../../support/service.ts'

const connect = (
  service: Service,
): { remote: RemoteService; near: MessagePort; far: MessagePort } => {
  const { port1: near, port2: far } = new MessageChannel()
  hostService(service, far)
  const remote = connectService(near)
  onTestFinished(() => {
    near.close()
  })
  return { remote, near, far }
}

/** A service of which only some methods are ever called. */
const partly = (methods: Partial<Service>): Service => methods as Service

describe('the service across a message port', () => {
  it('answers as the real one does, bytes and failures included', async () => {
    const test = await foundTestService()
    const { remote } = connect(test.service)
    const reply = JSON.parse(await remote.notarise(test.principal, requestOf(1), 'k')) as {
      id: string
    }
    expect(await remote.exportDossier('default', reply.id)).toEqual(
      await test.service.exportDossier('default', reply.id),
    )
    expect(await remote.listTenants()).toEqual(await test.service.listTenants())
    expect(await remote.health()).toEqual(await test.service.health())
    await expect(remote.readDecision('default', 'nonsense')).rejects.toMatchObject({
      code: 'INPUT_NOT_FOUND',
      message: 'No such decision: nonsense',
    })
    await expect(remote.notarise(test.principal, requestOf(2), 'k')).rejects.toMatchObject({
      code: 'INPUT_CONFLICT',
      field: 'idempotencyKey',
    })
  })

  it('forwards every method of the port', async () => {
    const test = await foundTestService()
    const faces = [test.service, Object.getPrototypeOf(test.service) as object]
    const names = faces.flatMap(Object.getOwnPropertyNames).filter(
      // Those that only a command in the same process may use are not of the port.
      (name) =>
        !['constructor', 'instance', 'putSlots', 'checkProviders', 'recordAct'].includes(name),
    )
    expect(names).toEqual(expect.arrayContaining(['notarise', 'readTile', 'close']))
    const { remote } = connect(test.service)
    expect(names.filter((name) => !(name in remote))).toEqual([])
  })

  it('sends one decision at once and gathers the others by sixteen', async () => {
    const batches: number[] = []
    const { port1, port2 } = new MessageChannel()
    const remote = connectService(port1)
    port2.on('message', (calls: readonly Call[]) => {
      batches.push(calls.length)
      port2.postMessage(calls.map(({ id }) => ({ id, value: 'text' })))
    })
    onTestFinished(() => {
      port1.close()
    })
    const principal = principalOf('checkpoint')
    await Promise.all(Array.from({ length: 70 }, () => remote.notarise(principal, '{}', null)))
    // Everything comes in one turn: what is left over is sent with the first answers.
    expect(batches).toEqual([1, 16, 16, 16, 16, 5])
  })

  it('sends sixteen behind others that are under way, up to 64, and fewer only when nothing is', () => {
    const sent: Call[][] = []
    let answer: ((answers: readonly never[]) => void) | undefined
    const remote = connectService({
      postMessage: (calls) => sent.push(calls as Call[]),
      on: (event, listener) => {
        if (event === 'message') answer = listener
      },
      close: () => undefined,
    })
    const principal = principalOf('checkpoint')
    const ask = (count: number): void => {
      for (let i = 0; i < count; i++) remote.notarise(principal, '{}', null).catch(() => undefined)
    }
    const finish = (...batches: readonly number[]): void => {
      const calls = batches.flatMap((batch) => sent[batch] ?? [])
      answer?.(calls.map(({ id }) => ({ id, value: 'text' })) as unknown as readonly never[])
    }
    const lengths = (): readonly number[] => sent.map(({ length }) => length)
    ask(16)
    expect(lengths()).toEqual([1])
    ask(1)
    expect(lengths()).toEqual([1, 16])
    ask(47)
    expect(lengths()).toEqual([1, 16, 16, 16])
    ask(1)
    expect(lengths()).toEqual([1, 16, 16, 16, 16])
    // Now 65 are under way.
    ask(40)
    finish(0)
    expect(lengths()).toEqual([1, 16, 16, 16, 16])
    finish(1)
    expect(lengths()).toEqual([1, 16, 16, 16, 16, 32])
    // What is left is not enough to go before everything is answered.
    finish(2, 3, 4)
    expect(lengths()).toEqual([1, 16, 16, 16, 16, 32])
    finish(5)
    expect(lengths()).toEqual([1, 16, 16, 16, 16, 32, 8])
  })

  it('gives an answer to the call that it answers, in whatever order they come', async () => {
    const { port1, port2 } = new MessageChannel()
    const remote = connectService(port1)
    port2.on('message', (calls: readonly Call[]) => {
      for (const { args, id } of calls.toReversed()) port2.postMessage([{ id, value: args[1] }])
    })
    onTestFinished(() => {
      port1.close()
    })
    const principal = principalOf('checkpoint')
    const ask = async (turn: number): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const text = `${turn} ${i}`
        expect(await remote.notarise(principal, text, null)).toBe(text)
      }
    }
    await Promise.all(Array.from({ length: 50 }, (_, turn) => ask(turn)))
    expect.assertions(1000)
  })

  it('tells the other side when who waits has left, before or after the call', async () => {
    const signals: (AbortSignal | undefined)[] = []
    const { remote } = connect(
      partly({
        claim: async (_principal, _id, _request, left) => {
          // Both messages have come by then.
          await setImmediate()
          signals.push(left)
          throw new Failure('INPUT_CLAIMED', 'Used')
        },
        executeGateway: (_principal, _request, left) => {
          signals.push(left)
          return Promise.reject(new Failure('LOG_BUSY', 'Not now'))
        },
        readEscalation: (_tenant, _id, _waitMs, left) => {
          signals.push(left)
          return new Promise((_, reject) => {
            const leave = (): void => {
              reject(new Failure('LOG_CLOSED', 'Gone'))
            }
            if (left?.aborted === true) leave()
            else left?.addEventListener('abort', leave)
          })
        },
      }),
    )
    const leavers = [new AbortController(), new AbortController()]
    const [first, second] = leavers.map(({ signal }) =>
      remote.readEscalation('acme', 'a', 60_000, signal),
    )
    leavers[1]?.abort()
    await expect(second).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    expect(signals.map((signal) => signal?.aborted)).toEqual([false, true])
    leavers[0]?.abort()
    await expect(first).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    const early = remote.readEscalation('acme', 'a', 60_000, AbortSignal.abort())
    await expect(early).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    const leaver = new AbortController()
    const asked = principalOf('checkpoint')
    const request = { action: 'a', agent_id: 'b', session_id: 'c' }
    const answered = remote.executeGateway(asked, request, leaver.signal)
    await expect(answered).rejects.toMatchObject({ code: 'LOG_BUSY' })
    // Nobody hears of who has left after the answer.
    leaver.abort()
    await expect(remote.executeGateway(asked, request)).rejects.toMatchObject({ code: 'LOG_BUSY' })
    expect(signals.slice(3).map((signal) => signal?.aborted)).toEqual([false, undefined])
    await expect(remote.claim(asked, 'a', {}, AbortSignal.abort())).rejects.toMatchObject({
      code: 'INPUT_CLAIMED',
    })
    expect(signals.slice(5).map((signal) => signal?.aborted)).toEqual([true])
  })

  it('turns a foreign error into a bug without its message', async () => {
    const { remote } = connect(
      partly({ listTenants: () => Promise.reject(new Error('secret in a message')) }),
    )
    const failure = await remote.listTenants().catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'BUG', message: 'Unexpected error' })
  })

  it('tells whoever waits when the other side is gone, and everybody later', async () => {
    const { remote, far } = connect(partly({ listTenants: () => new Promise(() => undefined) }))
    const waiting = remote.listTenants()
    far.close()
    await expect(waiting).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    await expect(remote.health()).rejects.toBeInstanceOf(Failure)
  })

  it('ends the port once the service has closed', async () => {
    const { remote, near } = connect(partly({ close: () => Promise.resolve() }))
    const ended = new Promise((resolve) => near.once('close', resolve))
    await remote.close()
    await ended
  })
})

import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { formatReply } from '../../../src/decisions/reply.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Formats a reply with a hash of its own in its proof; gives the text, and the hash as long as anybody holds it. */
function reply(replayed: boolean): [string, WeakRef<Uint8Array>] {
  const hash = new Uint8Array(32).fill(7)
  const text = formatReply(
    {
      decision: {
        id: '0197a9d0-0000-7000-8000-000000000003',
        mode: 'enforce',
        obligations: '[]',
        reasons: '[]',
        source: 'submitted',
        status: 'ALLOW',
      },
      keyid: '00',
      payload: null,
      replayed,
      signature: new Uint8Array(1),
    },
    { checkpoint: 'note', index: 1, leaf: new Uint8Array(1), proof: [hash], time: 2 },
  )
  return [text, new WeakRef(hash)]
}

it('a replay is answered as the decision was, and nothing of its proof is kept', async () => {
  const [first] = reply(false)
  const [again, hash] = reply(true)
  expect(JSON.parse(again)).toEqual({ ...(JSON.parse(first) as object), replayed: true })
  await setImmediate()
  collectGarbage()
  expect(hash.deref()).toBeUndefined()
})

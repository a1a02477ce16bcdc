import { expect, it } from 'vitest'
import { Failure } from '../../src/base/failure.ts'
import { verifyDossier } from '../../src/verify/index.ts'
import { heldRequest } from '../support/reviewers.ts'
import { foundTestService, principalOf, type TestService } from '../support/service.ts'

// Every interleaving of what can be done to a decision that is held, driven through the real use cases, a real log and a real database. Beside them stands
// what ought to be allowed, told from what has happened. Each path gets a decision of its own, before a clock that only goes forward.

/** What has happened to a decision. */
interface Facts {
  readonly over: 'no' | 'approved' | 'rejected' | 'timed-out'
  readonly passed: boolean
  readonly used: boolean
  readonly erased: boolean
}

interface Path {
  readonly at: TestService
  readonly clock: { now: number }
  readonly id: string
  readonly deadline: number
}

interface Move {
  readonly name: string
  /** Whether it is allowed, and what is so behind it either way. */
  readonly ought: (facts: Facts) => readonly [allowed: boolean, after: Facts]
  readonly make: (path: Path) => Promise<unknown>
}

/** Whoever looks behind the deadline finds that time has run out. */
const looked = (facts: Facts): Facts =>
  facts.passed && facts.over === 'no' && !facts.erased ? { ...facts, over: 'timed-out' } : facts

const answers = (owner: string, answer: 'approve' | 'reject', may: boolean): Move => ({
  make: ({ at, id }) =>
    at.service.decideEscalation(principalOf('checkpoint', owner), id, { answer, reason: 'Seen' }),
  name: `${owner}: ${answer}`,
  ought: (facts) => {
    const allowed = may && facts.over === 'no' && !facts.passed && !facts.erased
    const over = answer === 'approve' ? 'approved' : 'rejected'
    return [allowed, allowed ? { ...facts, over } : looked(facts)]
  },
})

const moves: readonly Move[] = [
  answers('cyd', 'approve', true),
  answers('cyd', 'reject', true),
  answers('alice', 'approve', false),
  answers('agent-1', 'reject', false),
  {
    make: ({ at, id }) => at.service.readEscalation('default', id, 0),
    name: 'anybody looks',
    ought: (facts) => [!facts.erased, looked(facts)],
  },
  {
    make: ({ clock, deadline }) => {
      clock.now = Math.max(clock.now, deadline + 1)
      return Promise.resolve()
    },
    name: 'the deadline passes',
    ought: (facts) => [true, { ...facts, passed: true }],
  },
  {
    make: ({ at, id }) => at.service.claim(at.principal, id, {}),
    name: 'it is claimed',
    ought: (facts) => {
      const allowed = facts.over === 'approved' && !facts.used && !facts.erased
      return [allowed, allowed ? { ...facts, used: true } : facts]
    },
  },
  {
    make: ({ at, id }) => at.service.erase(at.principal, id, 'asked for'),
    name: 'it is erased',
    ought: (facts) => [!facts.erased, { ...facts, erased: true }],
  },
]

/** Whether a move was let through. */
const tried = (move: Move, path: Path): Promise<boolean> =>
  move.make(path).then(
    () => true,
    (error: unknown) => {
      const codes = /^(ESCALATION_REFUSED|INPUT_(ERASED|NOT_CLAIMABLE|CLAIMED))$/
      if (error instanceof Failure && codes.test(error.code)) return false
      throw error
    },
  )

async function begin(at: TestService, clock: { now: number }): Promise<Path> {
  const { id } = await at.notarise(heldRequest(1, { decideWithinSeconds: 1 }))
  const { deadline } = await at.service.readEscalation('default', id, 0)
  return { at, clock, deadline, id }
}

const statusOf = ({ over }: Facts): string =>
  over === 'no' ? 'ESCALATE' : over === 'approved' ? 'ALLOW by escalation' : 'BLOCK by escalation'

it('the use cases let through exactly what ought to be, in every interleaving, and every dossier of it verifies', async () => {
  const clock = { now: 1_790_000_000_000 }
  const at = await foundTestService({ clock: () => clock.now })
  const trustRoot = await at.service.readTrustRoot('default')
  const start: Facts = { erased: false, over: 'no', passed: false, used: false }
  const waiting: { readonly facts: Facts; readonly way: readonly Move[] }[] = [
    { facts: start, way: [] },
  ]
  const seen = new Set<string>()
  let [transitions, refusals] = [0, 0]
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const name = JSON.stringify(next.facts)
    if (seen.has(name)) continue
    seen.add(name)
    for (const move of moves) {
      const path = await begin(at, clock)
      for (const step of next.way) await tried(step, path)
      const [allowed, facts] = move.ought(next.facts)
      expect([move.name, name, await tried(move, path)]).toEqual([move.name, name, allowed])
      const dossier = await at.service.exportDossier('default', path.id)
      const { status, verdict } = verifyDossier(dossier, trustRoot)
      expect([move.name, name, verdict, status]).toEqual(
        facts.erased
          ? [move.name, name, 'erased', null]
          : [move.name, name, 'valid', statusOf(facts)],
      )
      if (allowed) transitions++
      else refusals++
      waiting.push({ facts, way: [...next.way, move] })
    }
  }
  console.log(
    `escalation use cases: ${seen.size} states, ${transitions} transitions, ${refusals} refused attempts`,
  )
  expect(seen.size).toBeGreaterThan(10)
}, 60_000)

import { expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { verifyDossier } from '../../../src/verify/index.ts'
import type { OverrideAct } from '../../../src/wire/overrides.ts'
import { blockedRequest, foundRoster, requester, signing } from '../../support/leads.ts'
import { foundTestService, principalOf, type TestService } from '../../support/service.ts'

// Every interleaving of what can be done to a request, driven through the real use cases, a real log and a real database. Beside them stands what ought to
// be allowed, told from what has happened. Each path gets a decision of its own, and deadlines of its own before a clock that only goes forward.

/** What has happened to a request. */
interface Facts {
  readonly signed: readonly ('ann' | 'bob')[]
  /** Deadlines that have passed: none, approve-by, both. */
  readonly passed: 0 | 1 | 2
  readonly erased: boolean
  readonly over: 'no' | 'rejected' | 'revoked' | 'executed'
}

interface Path {
  readonly at: TestService
  readonly clock: { now: number }
  readonly decision: string
  readonly challenge: string
  readonly deadlines: readonly [approveBy: number, executeBy: number]
}

interface Move {
  readonly name: string
  /** What comes of it where it is allowed; undefined where it is not. */
  readonly ought: (facts: Facts) => Facts | undefined
  readonly make: (path: Path) => Promise<unknown>
}

const both = ({ signed }: Facts): boolean => signed.length === 2

/** What may still happen depends on no more than this. */
const nameOf = (facts: Facts): string =>
  JSON.stringify(
    facts.over === 'no' && !facts.erased ? facts : { erased: facts.erased, over: facts.over },
  )

const isOpen = (facts: Facts): boolean =>
  facts.over === 'no' && !facts.erased && facts.passed < (both(facts) ? 2 : 1)

const acts = (
  name: string,
  owner: string,
  ought: Move['ought'],
  actOf: (path: Path) => OverrideAct,
): Move => ({
  make: (path) =>
    path.at.service.actOnOverride(principalOf('checkpoint', owner), path.decision, actOf(path)),
  name,
  ought: (facts) => (isOpen(facts) ? ought(facts) : undefined),
})

const signs = (lead: 'ann' | 'bob', role: 'risk_lead' | 'security_lead'): Move =>
  acts(
    `${lead} signs`,
    'carl',
    (facts) =>
      facts.signed.includes(lead)
        ? undefined
        : { ...facts, signed: [...facts.signed, lead].sort() },
    ({ challenge }) => signing(lead, role, challenge),
  )

const reason = 'No'
const moves: readonly Move[] = [
  signs('ann', 'risk_lead'),
  signs('bob', 'security_lead'),
  acts(
    'bob rejects',
    'bob',
    (facts) => ({ ...facts, over: 'rejected' }),
    () => ({
      act: 'reject',
      reason,
    }),
  ),
  acts(
    'a stranger rejects',
    'zoe',
    () => undefined,
    () => ({ act: 'reject', reason }),
  ),
  acts(
    'carl revokes',
    'carl',
    (facts) => ({ ...facts, over: 'revoked' }),
    () => ({
      act: 'revoke',
      reason,
    }),
  ),
  acts(
    'a stranger revokes',
    'zoe',
    () => undefined,
    () => ({ act: 'revoke', reason }),
  ),
  acts(
    'anybody executes',
    'zoe',
    (facts) => (both(facts) ? { ...facts, over: 'executed' } : undefined),
    () => ({ act: 'execute' }),
  ),
  {
    make: ({ clock, deadlines: [approveBy, executeBy] }) => {
      clock.now = (clock.now > approveBy ? executeBy : approveBy) + 1
      return Promise.resolve()
    },
    name: 'a deadline passes',
    ought: (facts) =>
      facts.passed === 2 ? facts : { ...facts, passed: facts.passed === 0 ? 1 : 2 },
  },
  {
    make: ({ at, decision }) => at.service.erase(requester, decision, reason),
    name: 'the decision is erased',
    ought: (facts) => (facts.erased ? undefined : { ...facts, erased: true }),
  },
]

async function begin(at: TestService, clock: { now: number }): Promise<Path> {
  const { id: decision } = await at.notarise(blockedRequest(1))
  const { approveBy, challenge, executeBy } = await at.service.openOverride(requester, {
    approveWithinSeconds: 1,
    decision,
    executeWithinSeconds: 2,
    justification: 'Customer waits',
  })
  return { at, challenge, clock, deadlines: [approveBy, executeBy], decision }
}

/** Whether a move was let through. */
const tried = (move: Move, path: Path): Promise<boolean> =>
  move.make(path).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Failure && /^(OVERRIDE_REFUSED|INPUT_ERASED)$/.test(error.code))
        return false
      throw error
    },
  )

it('the use cases let through exactly what ought to be, in every interleaving, and every dossier of it verifies', async () => {
  const clock = { now: 1_790_000_000_000 }
  const at = await foundTestService({ clock: () => clock.now })
  await foundRoster(at)
  const start: Facts = { erased: false, over: 'no', passed: 0, signed: [] }
  const waiting: { readonly facts: Facts; readonly way: readonly Move[] }[] = [
    { facts: start, way: [] },
  ]
  const seen = new Set<string>()
  let [transitions, refusals] = [0, 0]
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const name = nameOf(next.facts)
    if (seen.has(name)) continue
    seen.add(name)
    const trustRoot = await at.service.readTrustRoot('default')
    for (const move of moves) {
      const path = await begin(at, clock)
      for (const step of next.way) expect(await tried(step, path)).toBe(true)
      const ought = move.ought(next.facts)
      expect([move.name, name, await tried(move, path)]).toEqual([
        move.name,
        name,
        ought !== undefined,
      ])
      const facts = ought ?? next.facts
      const dossier = await at.service.exportDossier('default', path.decision)
      const { status, verdict } = verifyDossier(dossier, trustRoot)
      expect([move.name, name, verdict]).toEqual([
        move.name,
        name,
        facts.erased ? 'erased' : 'valid',
      ])
      expect(status === 'ALLOW by override').toBe(facts.over === 'executed' && !facts.erased)
      if (ought === undefined) refusals++
      else {
        transitions++
        waiting.push({ facts: ought, way: [...next.way, move] })
      }
    }
  }
  console.log(
    `override use cases: ${seen.size} states, ${transitions} transitions, ${refusals} refused attempts`,
  )
  expect(seen.size).toBeGreaterThan(15)
}, 60_000)

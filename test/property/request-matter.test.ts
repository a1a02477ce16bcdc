import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromUtf8 } from '../../src/base/bytes.ts'
import { matters, statuses } from '../../src/dossier/matters.ts'
import { limits } from '../../src/base/limits.ts'
import { parseStatement } from '../../src/dossier/statement.ts'
import {
  decisionRequestSchema,
  evaluationRequestSchema,
  parseBody,
  parseDecisionRequest,
} from '../../src/wire/decision.ts'
import { foundTestService } from '../support/service.ts'

// Strings at their bounds, and of every kind of character.
const text = (minLength: number, maxLength: number) =>
  fc.oneof(
    fc.string({ minLength, maxLength: Math.min(maxLength, 20), unit: 'grapheme' }),
    fc.constantFrom('x'.repeat(maxLength), '"'.repeat(maxLength), 'é'.repeat(maxLength)),
  )
const name = text(1, 256).filter((value) => value.length <= 256)
const loose = fc
  .jsonValue({ maxDepth: 3, noUnicodeString: false })
  .map((value) => ({ any: JSON.parse(JSON.stringify(value)) as unknown }))
const hex32 = fc.constant('a3'.repeat(32))
const uuid = fc.uuid({ version: 4 })
const few = <T>(arbitrary: fc.Arbitrary<T>, most: number) =>
  fc.oneof(
    fc.array(arbitrary, { maxLength: 2 }),
    arbitrary.map((one) => Array<T>(most).fill(one)),
  )
const optional = <T>(model: T): T & { requiredKeys: [] } => ({ ...model, requiredKeys: [] })

const request = fc.record(
  {
    intent: fc.record(
      {
        actor: fc.record({ id: name, type: name }, { requiredKeys: ['id'] }),
        action: fc.record({ type: name, detail: loose }, { requiredKeys: ['type'] }),
        resource: loose,
        context: loose,
        policyRefs: few(name, 64),
      },
      { requiredKeys: ['actor', 'action'] },
    ),
    status: fc.constantFrom(...statuses),
    reasons: few(
      fc.record(
        { code: fc.constantFrom('A', `A${'_9'.repeat(31)}Z`), text: text(0, 2048) },
        { requiredKeys: ['code'] },
      ),
      64,
    ),
    obligations: few(
      fc.record({ type: fc.constantFrom('redact', 'route', 'log_only'), more: loose }),
      64,
    ),
    confidence: fc.constantFrom(0, 1, 0.1),
    policies: few(
      fc.record({ id: name, version: name, sha256: hex32, effect: name }, { requiredKeys: ['id'] }),
      256,
    ),
    gates: few(
      fc.record(
        { name, passed: fc.boolean(), score: fc.double({ noNaN: true, noDefaultInfinity: true }) },
        { requiredKeys: ['name', 'passed'] },
      ),
      64,
    ),
    trace: fc.oneof(loose, fc.constant(null), fc.constant(7)),
    overridable: fc.boolean(),
    maxUses: fc.constantFrom(1, limits.executions),
    mode: fc.constantFrom('enforce', 'shadow'),
    links: fc.record({ correlationId: name, parents: few(uuid, 64) }, optional({})),
  },
  { requiredKeys: ['intent', 'status'] },
)

function isLetIn(one: string): boolean {
  if (one.length > 100_000) return false
  try {
    parseDecisionRequest(one)
    return true
  } catch {
    return false
  }
}

// A decision's matter is not held against its schema again before it is signed: what the edge lets in must make a matter that every verifier takes.
test('every request that is let in becomes a matter that verifiers take', async () => {
  const { service, principal } = await foundTestService()
  let checked = 0
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 24, maxLength: 24 }), async (requests) => {
      const texts = requests.map((one) => JSON.stringify(one)).filter(isLetIn)
      const made = await Promise.all(texts.map((one) => service.notarise(principal, one, null)))
      for (const answer of made) {
        const { envelope } = JSON.parse(answer) as { envelope: { payload: string } }
        const payload = Buffer.from(envelope.payload, 'base64')
        const statement = parseStatement(payload)
        if (typeof statement === 'string') throw new Error(`${statement}: ${fromUtf8(payload)}`)
        expect(matters.decision.safeParse(statement.predicate.matter).error).toBeUndefined()
        checked++
      }
    }),
    { endOnFailure: true, numRuns: process.env['FAULTS'] === 'all' ? 400 : 24 },
  )
  expect(checked).toBeGreaterThan(150)
}, 180_000)

/** Members and items of a value, at all depths, with what holds them. */
function* placesIn(value: unknown): Generator<[holder: Record<string, unknown>, name: string]> {
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    yield [value as Record<string, unknown>, name]
    yield* placesIn(member)
  }
}

const spoilt = fc
  .tuple(request, fc.nat(), fc.constantFrom('set', 'add', 'remove', 'leave'), fc.jsonValue())
  .map(([one, at, way, other]) => {
    const copy = JSON.parse(JSON.stringify(one)) as unknown
    const places = [...placesIn(copy)]
    const [holder, name] = places[at % places.length] ?? [{}, '']
    if (way === 'set') holder[name] = other
    if (way === 'add') holder[`${name}2`] = other
    if (way === 'remove') Reflect.deleteProperty(holder, name)
    return JSON.stringify(copy)
  })

const outcomeOf = (parse: () => unknown): unknown => {
  try {
    return { taken: parse() }
  } catch (error) {
    return { refused: String(error) }
  }
}

// What is compiled is the schema of zod in other code: it may take no more, nor make anything else of it.
test('a request is taken or refused as its schema says, compiled or not', () => {
  const seen = { refused: 0, taken: 0 }
  fc.assert(
    fc.property(spoilt, (one) => {
      const isIntent = !('status' in (JSON.parse(one) as object))
      const schema = isIntent ? evaluationRequestSchema : decisionRequestSchema
      const outcome = outcomeOf(() => parseDecisionRequest(one))
      expect(outcome).toStrictEqual(outcomeOf(() => parseBody<unknown>(schema, one)))
      seen[JSON.stringify(outcome).startsWith('{"taken"') ? 'taken' : 'refused']++
    }),
    { numRuns: process.env['FAULTS'] === 'all' ? 20_000 : 400 },
  )
  expect(Math.min(seen.refused, seen.taken)).toBeGreaterThan(50)
}, 180_000)

// Where the two schemas name the same thing they must go on meaning the same: a field that is added to one is to be thought of in the other.
test('a request has the fields of a matter that its submitter may say, and no others', () => {
  const own = ['id', 'time', 'producer', 'caller', 'source']
  const ofMatter = Object.keys(matters.decision.shape).filter((field) => !own.includes(field))
  // How long a reviewer may take stands in the escalation, not in the decision.
  const ofOthers = ['decideWithinSeconds']
  expect(Object.keys(decisionRequestSchema.shape).sort()).toEqual([...ofMatter, ...ofOthers].sort())
})

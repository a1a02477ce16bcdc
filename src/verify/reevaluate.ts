// Makes an evaluated decision again from its dossier alone: from the intent, from what the service says it went by, and from the policies that are cited.
// Whether any of that is signed and logged is for verifyDossier to say; here it is asked whether the answer follows. Never throws on what it is given.
import { z } from 'zod'
import { canonicalize } from '../base/canonical-json.ts'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { asFailure } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'
import { matters, type DecisionMatter, type PolicyMatter } from '../dossier/matters.ts'
import { parseStatement } from '../dossier/statement.ts'
import { parseDossier, type Dossier, type DossierEntry } from '../dossier/v1.ts'
import { decide, type Decided } from '../policy/decide.ts'
import { engineNames } from '../policy/engine.ts'
import { obligationTypes } from '../policy/obligations.ts'
import { compileRecord } from '../policy/open-record.ts'
import type { ActivePolicy } from '../policy/select.ts'
import { compileScope, scopeSchema } from '../policy/terms.ts'
import { readProposalTrace } from './judge-proposal.ts'

/** What making a decision again came to. */
export interface Reevaluation {
  /** `unknown`: it cannot be made again from this. */
  readonly outcome: 'same' | 'different' | 'unknown'
  /** The id of the decision, where it could be read. */
  readonly decision: string | null
  /** What was decided, and what follows from the policies. */
  readonly recorded: string | null
  readonly computed: string | null
  /** Members of the decision that do not follow. */
  readonly differs: readonly string[]
  /** In one sentence. */
  readonly reason: string
}

const traceSchema = z.looseObject({
  engine: z.string(),
  time: z.int().min(0),
  facts: z.record(z.string(), z.unknown()),
  boundRefs: z.array(z.string()),
  supports: z.array(z.enum(obligationTypes)).nullable(),
  scopes: z.record(z.string(), scopeSchema),
  gates: z.unknown(),
  predicates: z.array(z.unknown()).default([]),
})

/** Why a decision cannot be made again, or does not follow; thrown within this file alone. */
class Ended extends Error {
  readonly outcome: 'different' | 'unknown'

  constructor(outcome: 'different' | 'unknown', reason: string) {
    super(reason)
    this.outcome = outcome
  }
}

const unknown = (reason: string): Ended => new Ended('unknown', reason)

function matterOf(entry: DossierEntry | undefined): unknown {
  if (entry === undefined) throw unknown('Dossier has no such entry')
  if (entry.payload === null) throw unknown('Decision was erased')
  const statement = parseStatement(entry.payload)
  // Nobody signed that by our rules, so nothing follows from it either.
  if (typeof statement === 'string')
    throw new Ended('different', `Entry at index ${entry.index}: ${statement}`)
  return statement.predicate.matter
}

function readDecision({ entries }: Dossier): DecisionMatter {
  const parsed = matters.decision.safeParse(matterOf(entries[0]))
  if (!parsed.success) throw unknown('Dossier is not of a decision')
  return parsed.data
}

function readRegistration({ cited }: Dossier, index: number): PolicyMatter | undefined {
  const entry = cited.find((one) => one.index === index)
  return entry && matters.policy.safeParse(matterOf(entry)).data
}

/** A policy that the decision names, from the entry that registered it. */
function openPolicy(
  dossier: Dossier,
  { id, index, sha256: named }: DecisionMatter['policies'][number],
  scopes: Readonly<Record<string, z.infer<typeof scopeSchema>>>,
): ActivePolicy {
  if (index === undefined || named === undefined)
    throw unknown(`Decision does not say which version of the policy it went by: ${id}`)
  const matter = readRegistration(dossier, index)
  if (matter?.event !== 'registered') throw unknown(`Policy is not in the dossier: ${id}`)
  const digest = encodeHex(sha256(utf8(canonicalize(matter.record))))
  if (digest !== named || matter.sha256 !== named)
    throw new Ended('different', `Policy in the dossier is not the one that decided: ${id}`)
  const scope = Object.hasOwn(scopes, named) ? scopes[named] : undefined
  try {
    const compiled = compileRecord(matter.record)
    return { compiled, index, ...(scope === undefined ? {} : { scope: compileScope(scope) }) }
  } catch (error) {
    throw unknown(`Policy cannot be evaluated here: ${id}: ${asFailure(error).message}`)
  }
}

const compared = [
  'status',
  'reasons',
  'obligations',
  'confidence',
  'overridable',
  'policies',
  'gates',
  'trace',
] as const satisfies readonly (keyof DecisionMatter & keyof Decided)[]

/** A decision as it follows from what its dossier holds. */
function decideAgain(dossier: Dossier, decision: DecisionMatter): Decided {
  if (decision.source !== 'evaluated')
    throw unknown(`Status was submitted by ${decision.caller.owner}, not evaluated`)
  const proposed = readProposalTrace(decision)
  if (proposed !== undefined)
    throw unknown(`Decision follows from the votes that stand in ${proposed.proposal.stream}`)
  const parsed = traceSchema.safeParse(decision.trace)
  if (!parsed.success) throw unknown('Decision does not say how it was made')
  const { boundRefs, engine, facts, gates, predicates, scopes, supports, time } = parsed.data
  const known = engineNames.find((name) => name === engine)
  if (known === undefined) throw unknown(`Decision was made by another engine: ${engine}`)
  if (predicates.length > 0) throw unknown('Decision rests on predicates in code')
  if (gates !== null)
    throw unknown('Decision rests on gates, whose settings are not in the dossier')
  if (time !== decision.time)
    throw new Ended('different', 'Policies were asked at another time than the decision’s')
  return decide({
    active: decision.policies.map((policy) => openPolicy(dossier, policy, scopes)),
    boundRefs,
    engine: known,
    facts,
    request: decision.intent,
    time,
    ...(supports === null ? {} : { supports }),
  })
}

function compare(decision: DecisionMatter, decided: Decided): Reevaluation {
  const differs = compared.filter(
    (name) => canonicalize(decision[name]) !== canonicalize(decided[name]),
  )
  const same = differs.length === 0
  const { id, status } = decision
  return {
    computed: decided.status,
    decision: id,
    differs,
    outcome: same ? 'same' : 'different',
    reason: same
      ? `${status} follows from the policies that it cites`
      : status === decided.status
        ? `${status} follows, but not as the decision says: ${differs.join(', ')}`
        : `${status} does not follow from the policies that it cites, but ${decided.status} does`,
    recorded: status,
  }
}

/**
 * Makes the decision of a dossier again.
 * @param file the dossier's bytes
 */
export function reevaluateDossier(file: Uint8Array): Reevaluation {
  const dossier = parseDossier(file)
  const empty = { computed: null, decision: null, differs: [], recorded: null }
  if (typeof dossier === 'string') return { ...empty, outcome: 'unknown', reason: dossier }
  let decision: DecisionMatter | undefined
  try {
    decision = readDecision(dossier)
    return compare(decision, decideAgain(dossier, decision))
  } catch (error) {
    const known = { ...empty, decision: decision?.id ?? null, recorded: decision?.status ?? null }
    if (error instanceof Ended) return { ...known, outcome: error.outcome, reason: error.message }
    return { ...known, outcome: 'unknown', reason: asFailure(error).message }
  }
}

// Which policies decided when, from the entries of the stream `policies` alone. Their story is lived through once, and what counts behind each step is
// kept: a decision goes by the last step below its own index, for the log refuses one that was made before it (decisions/evaluate.ts).
import { asFailure } from '../base/failure.ts'
import type { CompiledBundle } from '../policy/compile.ts'
import { compileRecord, outlineRecord } from '../policy/open-record.ts'
import type { ActivePolicy } from '../policy/select.ts'
import { compileScope, scopeSchema } from '../policy/terms.ts'
import { PolicyTelling, type PolicyStep, type StoriedPolicy } from './policy-story.ts'

/** What counts behind one step of the stream. */
export interface PolicyTime {
  /** Index of the step; -1 before the first. */
  readonly after: number
  /** The policies that decide, by digest. */
  readonly active: ReadonlyMap<string, StoriedPolicy>
}

/** A bundle that is read when it is chosen from, and compiled when it is asked: most are never asked, and patterns take their time. */
class LateBundle implements CompiledBundle {
  readonly bundle: CompiledBundle['bundle']
  readonly dialect: CompiledBundle['dialect']
  readonly digest: string
  readonly #record: unknown
  #compiled: CompiledBundle | undefined

  constructor(record: unknown, digest: string) {
    const { bundle, dialect } = outlineRecord(record)
    this.bundle = bundle
    this.dialect = dialect
    this.digest = digest
    this.#record = record
  }

  get policies(): CompiledBundle['policies'] {
    return this.#whole.policies
  }

  get predicates(): CompiledBundle['predicates'] {
    return this.#whole.predicates
  }

  get record(): CompiledBundle['record'] {
    return this.#whole.record
  }

  get #whole(): CompiledBundle {
    return (this.#compiled ??= compileRecord(this.#record))
  }
}

/** The times of a log's policies. Bundles are read when they are first asked for, each once. */
export class PolicyTimes {
  readonly #telling = new PolicyTelling()
  readonly #times: PolicyTime[] = [{ active: new Map(), after: -1 }]
  readonly #records = new Map<string, unknown>()
  readonly #read = new Map<string, LateBundle>()
  /** By their state, which is another object after each activation. */
  readonly #ready = new Map<StoriedPolicy, ActivePolicy>()
  readonly #open = new Map<PolicyTime, readonly ActivePolicy[] | string>()

  /** Takes the next step; gives the reason where it may not follow. */
  add(step: PolicyStep): string | undefined {
    const { index, matter } = step
    const why = this.#telling.add(step)
    if (why !== undefined) return why
    if (matter.event === 'registered') this.#records.set(matter.sha256, matter.record)
    else {
      const active = [...this.#telling.active()].map((policy) => [policy.sha256, policy] as const)
      this.#times.push({ active: new Map(active), after: index })
    }
    return undefined
  }

  /** What counts at an index. */
  at(index: number): PolicyTime {
    let [low, high] = [0, this.#times.length]
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((this.#times[middle]?.after ?? Infinity) < index) low = middle
      else high = middle
    }
    return this.#times[low] ?? { active: new Map(), after: -1 }
  }

  /** The policies of a time, ready to be chosen from, or why one of them cannot be read here. */
  open(time: PolicyTime): readonly ActivePolicy[] | string {
    const known = this.#open.get(time)
    if (known !== undefined) return known
    let open: readonly ActivePolicy[] | string
    try {
      open = [...time.active.values()].map((policy) => this.#prepare(policy))
    } catch (error) {
      open = `A policy cannot be evaluated here: ${asFailure(error).message}`
    }
    this.#open.set(time, open)
    return open
  }

  #prepare(policy: StoriedPolicy): ActivePolicy {
    const known = this.#ready.get(policy)
    if (known !== undefined) return known
    const { index, scope, sha256 } = policy
    const compiled = this.#read.get(sha256) ?? new LateBundle(this.#records.get(sha256), sha256)
    this.#read.set(sha256, compiled)
    const isOpen = scope === null || Object.keys(scope).length === 0
    const ready: ActivePolicy = {
      compiled,
      index,
      ...(isOpen ? {} : { scope: compileScope(scopeSchema.parse(scope)) }),
    }
    this.#ready.set(policy, ready)
    return ready
  }
}

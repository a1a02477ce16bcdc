// What a bundle would have decided: stored decisions are decided on again, each at its own time, with the bundle in the place of the version of it that is
// active. Nothing is written, and nothing is asked of the log but what it has.
import { z } from 'zod'
import { canonicalize } from '../base/canonical-json.ts'
import { Failure } from '../base/failure.ts'
import type { Service } from '../decisions/service.ts'
import { matters, type DecisionMatter } from '../dossier/matters.ts'
import type { CompiledBundle } from '../policy/compile.ts'
import { decide, type Decided } from '../policy/decide.ts'
import { compileRecord } from '../policy/open-record.ts'
import type { ActivePolicy } from '../policy/select.ts'
import { compileScope, scopeSchema } from '../policy/terms.ts'
import { decisionPageSchema } from '../wire/decision.ts'
import { policyViewSchema } from '../wire/policies.ts'
import { whileWriting } from './administer.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes } from './complain.ts'
import { listenForInterrupt, signalExit } from './interrupt.ts'
import { loadBundle, type SourceFlags } from './policy-offline.ts'
import { counted, Meter } from './progress.ts'
import { formatTable, jsonLine, printable } from './terminal.ts'

/** Flags of `policy diff`. */
export interface DiffFlags extends TenantFlags, SourceFlags {
  readonly alone?: boolean
  readonly limit: number
  readonly status?: string
}

/** A decision that would be another. */
interface Changed {
  readonly id: string
  readonly action: string
  readonly actor: string
  readonly was: string
  readonly would: string
  readonly why: string
}

interface Tally {
  replayed: number
  erased: number
  readonly changes: Map<string, number>
}

/** The policies that decide now, but for the version of the bundle that is to be replaced. */
async function readOthers(
  service: Service,
  tenant: string,
  id: string,
): Promise<readonly ActivePolicy[]> {
  const all = z.array(policyViewSchema).parse(await service.listPolicies(tenant))
  const others: ActivePolicy[] = []
  for (const { id: other, index, scope, sha256, state } of all) {
    if (state !== 'active' || other === id) continue
    const { record } = await service.readPolicy(tenant, sha256)
    others.push({
      compiled: compileRecord(JSON.parse(record)),
      index,
      ...(scope === null ? {} : { scope: compileScope(scopeSchema.parse(scope)) }),
    })
  }
  return others
}

const factsSchema = z.looseObject({ facts: z.record(z.string(), z.unknown()) })

function decideAgain(matter: DecisionMatter, active: readonly ActivePolicy[]): Decided {
  const trace = factsSchema.safeParse(matter.trace)
  return decide({
    active,
    request: matter.intent,
    time: matter.time,
    ...(trace.success ? { facts: trace.data.facts } : {}),
  })
}

const whyOf = ({ reasons: [first] }: Decided): string =>
  first === undefined ? '' : `${first.code}${first.text === '' ? '' : `: ${first.text}`}`

function compare(matter: DecisionMatter, active: readonly ActivePolicy[]): Changed | undefined {
  const decided = decideAgain(matter, active)
  const { id, intent, obligations, status } = matter
  const same = canonicalize(obligations) === canonicalize(decided.obligations)
  if (status === decided.status && (same || matter.source === 'submitted')) return undefined
  const note = status === decided.status ? ', other obligations' : ''
  return {
    action: intent.action.type,
    actor: intent.actor.id,
    id,
    was: status,
    why: whyOf(decided),
    would: `${decided.status}${note}`,
  }
}

/** Stored decisions, newest first; what is erased is null. */
async function* readDecisions(
  service: Service,
  { limit, status, tenant }: DiffFlags,
): AsyncGenerator<DecisionMatter | null, void, undefined> {
  let left = limit
  let cursor: string | null = null
  do {
    const page: z.infer<typeof decisionPageSchema> = decisionPageSchema.parse(
      await service.listDecisions(tenant, {
        limit: Math.min(left, 100),
        ...(cursor === null ? {} : { cursor }),
        ...(status === undefined ? {} : { status }),
      }),
    )
    for (const { erased, id } of page.decisions) {
      left--
      if (erased) {
        yield null
        continue
      }
      const { decision } = await service.readDecision(tenant, id)
      const parsed = matters.decision.safeParse(JSON.parse(decision ?? 'null'))
      if (!parsed.success)
        throw new Failure('STORE_CORRUPT', `Decision is not one that can be read: ${id}`)
      yield parsed.data
    }
    ;({ cursor } = page)
  } while (cursor !== null && left > 0)
}

class Replay {
  readonly tally: Tally = { changes: new Map(), erased: 0, replayed: 0 }
  readonly #context: Context
  readonly #flags: DiffFlags
  readonly #meter: Meter

  constructor(context: Context, flags: DiffFlags) {
    this.#context = context
    this.#flags = flags
    this.#meter = new Meter(context.err, 'decisions at most')
  }

  async run(service: Service, active: readonly ActivePolicy[], signal: AbortSignal): Promise<void> {
    const { tally } = this
    for await (const matter of readDecisions(service, this.#flags)) {
      if (signal.aborted) break
      if (matter === null) tally.erased++
      else {
        tally.replayed++
        const changed = compare(matter, active)
        if (changed !== undefined) await this.#tell(changed)
      }
      this.#meter.show(tally.replayed + tally.erased, this.#flags.limit)
    }
    this.#meter.clear()
  }

  async #tell(changed: Changed): Promise<void> {
    const { was, would } = changed
    const way = `${was} to ${would}`
    this.tally.changes.set(way, (this.tally.changes.get(way) ?? 0) + 1)
    this.#meter.clear()
    const { action, actor, id, why } = changed
    await this.#context.out.write(
      this.#flags.json === true
        ? jsonLine(changed)
        : formatTable([
            [id, `${was} to ${would}`, printable(action), printable(actor), printable(why)],
          ]),
    )
  }
}

function summary({ changes, erased, replayed }: Tally, interrupted: boolean): string {
  const changed = [...changes.values()].reduce((sum, count) => sum + count, 0)
  const ways = [...changes].map(([way, count]) => `${counted(count)} from ${way}`)
  const parts = [
    `${counted(replayed)} decisions replayed, ${changed === 0 ? 'none' : counted(changed)} would change`,
    ...ways,
    ...(erased === 0 ? [] : [`${counted(erased)} erased`]),
    ...(interrupted ? ['interrupted'] : []),
  ]
  return `${parts.join('; ')}\n`
}

/** `policy diff BUNDLE` */
export async function diffPolicy(
  context: Context,
  file: string,
  flags: DiffFlags,
): Promise<number> {
  const compiled: CompiledBundle = await loadBundle(context, file, flags)
  const interrupt = listenForInterrupt(context.io.signals)
  const replay = new Replay(context, flags)
  try {
    await whileWriting(context, flags, async (service) => {
      const others =
        flags.alone === true ? [] : await readOthers(service, flags.tenant, compiled.bundle.id)
      await replay.run(service, [{ compiled, index: null }, ...others], interrupt.signal)
    })
  } finally {
    interrupt.stop()
  }
  const { received } = interrupt
  context.err.note(summary(replay.tally, received !== undefined))
  if (received !== undefined) return signalExit[received]
  return replay.tally.changes.size > 0 ? 1 : exitCodes.done
}

// What decisions rest on: that the policies of a log follow one another by the rules, and that each decision that was made here went by those that had to
// decide where it stands: none left out, none too many.
import { asFailure } from '../base/failure.ts'
import type { DecisionMatter } from '../dossier/matters.ts'
import type { StoreReader } from '../store/store.ts'
import { judgeSelection } from '../verify/judge-selection.ts'
import { KeyBonds } from '../verify/key-bonds.ts'
import { PolicyTimes } from '../verify/policy-times.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { row, type Found } from './fsck-findings.ts'

/** A decision as it stands in the log. */
export interface PlacedDecision {
  readonly matter: DecisionMatter
  readonly index: number
  readonly stream: string
}

/** Holds decisions against the policies of their log. */
export class PolicyCheck {
  readonly #times: PolicyTimes | undefined
  readonly #bonds: KeyBonds | undefined
  readonly #found: Found
  readonly #unknown = new Map<string, { count: number; last: number }>()

  /** @param times undefined where they cannot be told, which was found already; so with the bonds of API keys */
  constructor(times: PolicyTimes | undefined, bonds: KeyBonds | undefined, found: Found) {
    this.#times = times
    this.#bonds = bonds
    this.#found = found
  }

  /** Tells what is wrong with the policies that a decision went by. */
  check({ index, matter, stream }: PlacedDecision): void {
    if (this.#times === undefined) return
    const bonds = this.#bonds?.at(matter.caller, index)
    const { faults, unknown } = judgeSelection(matter, this.#times, index, bonds)
    for (const fault of faults)
      this.#found({ index, part: 'entry', what: `Decision ${stream} ${fault}` })
    if (unknown === undefined) return
    const known = this.#unknown.get(unknown)
    this.#unknown.set(unknown, { count: (known?.count ?? 0) + 1, last: known?.last ?? index })
  }

  /** What could not be judged, a sentence for each reason. */
  get unsure(): readonly string[] {
    return [...this.#unknown].map(
      ([why, { count, last }]) =>
        `Which policies had to decide, of ${count} decisions up to index ${last}: ${why}`,
    )
  }
}

async function readTimes(store: StoreReader, tenant: string): Promise<PolicyTimes> {
  const times = new PolicyTimes()
  const head = (await store.readTenant(tenant))?.head
  if (head === undefined) return times
  for (const entry of await readCheckedStream(store, tenant, 'policies', head)) {
    const { index, time } = entry
    const matter = matterOf(entry, 'policy')
    const wrong = matter === undefined ? 'erased' : times.add({ index, matter, time })
    if (wrong !== undefined) throw new Error(`${wrong} at index ${index}`)
  }
  return times
}

async function readBonds(store: StoreReader, tenant: string): Promise<KeyBonds | undefined> {
  const head = (await store.readTenant(tenant))?.head
  if (head === undefined) return undefined
  const bonds = new KeyBonds()
  try {
    for (const entry of await readCheckedStream(store, tenant, 'admin', head)) {
      const matter = matterOf(entry, 'admin')
      if (matter !== undefined) bonds.add(entry.index, matter)
    }
    return bonds
  } catch {
    // Told where API keys are looked at.
    return undefined
  }
}

/** Checks the stream of policies, and gives what checks decisions against it. */
export async function checkPolicies(
  store: StoreReader,
  tenant: string,
  found: Found,
): Promise<PolicyCheck> {
  const bonds = await readBonds(store, tenant)
  try {
    return new PolicyCheck(await readTimes(store, tenant), bonds, found)
  } catch (error) {
    const cause = asFailure(error)
    const what = cause.cause instanceof Error ? cause.cause.message : cause.message
    const [, index] = / at index (\d+)$/.exec(what) ?? []
    row(found, index === undefined ? null : Number(index), `Policies: ${what}`)
    return new PolicyCheck(undefined, bonds, found)
  }
}

// The rules of the stream `policies`, pure: which step may follow which. The service asks them before it appends, `fsck` and verifiers when they read.
// A version, once registered, is what it is; at most one version of a bundle decides; going back to an older one is said; what is retired stays so.
import { canonicalBytes } from '../base/canonical-json.ts'
import { encodeHex } from '../base/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import type { PolicyMatter } from '../dossier/matters.ts'
import type { PolicyScope } from '../dossier/policy-events.ts'

/** A registered bundle and what has become of it. */
export interface StoriedPolicy {
  readonly id: string
  readonly version: string
  /** Hex SHA-256 of its record. */
  readonly sha256: string
  /** Of the entry that registered it. */
  readonly index: number
  readonly registeredAt: number
  readonly state: 'registered' | 'active' | 'replaced' | 'retired'
  /** Since when it is in this state, by the clock of the log. */
  readonly since: number
  /** Of the last activation; null where there was none. */
  readonly scope: PolicyScope | null
}

/** All that the stream tells, by digest in the order of registration. */
export interface PolicyStory {
  readonly policies: ReadonlyMap<string, StoriedPolicy>
  /** The newest bundle of an id that was ever active, by id. */
  readonly highest: ReadonlyMap<string, string>
}

/** The story of a stream without entries. */
export const noPolicies: PolicyStory = Object.freeze({ highest: new Map(), policies: new Map() })

/** A step as it stands in the log. */
export interface PolicyStep {
  readonly index: number
  readonly time: number
  readonly matter: PolicyMatter
}

/** Dialects whose bundles have an id and a version of their own. */
const namesItself: ReadonlySet<string> = new Set(['0.1', '0.2', 'native'])

const dotted = /^\d{1,9}(?:\.\d{1,9})*$/

/** How versions compare where both are dotted numbers; 0 where they are not, or are the same. */
function compareVersions(a: string, b: string): number {
  if (!dotted.test(a) || !dotted.test(b)) return 0
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Whether a bundle is older than another of its id: by version where both are dotted numbers, else by which was registered first. */
const isOlder = (one: StoriedPolicy, other: StoriedPolicy): boolean => {
  const order = compareVersions(one.version, other.version)
  return order === 0 ? one.index < other.index : order < 0
}

/** The bundle of an id that decides. */
export const activeOf = (story: PolicyStory, id: string): StoriedPolicy | undefined =>
  [...story.policies.values()].find((policy) => policy.id === id && policy.state === 'active')

/** Whether activating a bundle goes back to an older one. */
export function isRollback(story: PolicyStory, policy: StoriedPolicy): boolean {
  const highest = story.policies.get(story.highest.get(policy.id) ?? '')
  return highest !== undefined && isOlder(policy, highest)
}

type Event<Name extends PolicyMatter['event']> = Extract<PolicyMatter, { event: Name }>

const versionOf = ({ id, version }: Pick<StoriedPolicy, 'id' | 'version'>): string =>
  JSON.stringify([id, version])

/** The story told step by step, in place: a step costs the same however many stand before it. */
export class PolicyTelling {
  readonly #policies: Map<string, StoriedPolicy>
  readonly #highest: Map<string, string>
  readonly #versions: Set<string>
  /** By id, the digest of the bundle that decides. */
  readonly #active = new Map<string, string>()

  constructor({ highest, policies }: PolicyStory = noPolicies) {
    this.#policies = new Map(policies)
    this.#highest = new Map(highest)
    this.#versions = new Set([...policies.values()].map(versionOf))
    for (const { id, sha256: digest, state } of policies.values())
      if (state === 'active') this.#active.set(id, digest)
  }

  /** The story so far; it grows with the telling. */
  get story(): PolicyStory {
    return { highest: this.#highest, policies: this.#policies }
  }

  /** The policies that decide. */
  *active(): Generator<StoriedPolicy> {
    for (const digest of this.#active.values()) {
      const policy = this.#policies.get(digest)
      if (policy !== undefined) yield policy
    }
  }

  /** Takes the next step; gives the reason where it may not follow, and then nothing has changed. */
  add(step: PolicyStep): string | undefined {
    const { matter, time } = step
    if (matter.event === 'registered') return this.#register(matter, step)
    const policy = this.#policies.get(matter.sha256)
    if (policy?.index !== matter.index) return `No such bundle was registered: ${matter.sha256}`
    if (matter.event === 'activated') return this.#activate(matter, policy, time)
    if (policy.state === 'retired') return `Bundle is retired already: ${matter.sha256}`
    this.#put({ ...policy, since: time, state: 'retired' })
    return undefined
  }

  #register(
    { id, record, sha256: digest, version }: Event<'registered'>,
    { index, time }: PolicyStep,
  ): string | undefined {
    if (encodeHex(sha256(canonicalBytes(record))) !== digest)
      return `Digest is not the one of the bundle: ${digest}`
    const { bundle_id: saidId, version: saidVersion = '0.1.0' } = record.bundle
    // Other rule forms say it elsewhere, or not at all; then it is the service that names them.
    if (namesItself.has(record.dialect) && (saidId !== id || saidVersion !== version))
      return `Bundle has another id or version: ${id} ${version}`
    if (this.#policies.has(digest)) return `Bundle is registered already: ${digest}`
    if (this.#versions.has(versionOf({ id, version })))
      return `Version stands for another bundle: ${id} ${version}`
    this.#versions.add(versionOf({ id, version }))
    this.#put({
      id,
      index,
      registeredAt: time,
      scope: null,
      sha256: digest,
      since: time,
      state: 'registered',
      version,
    })
    return undefined
  }

  #activate(
    { replaces, rollback, scope, sha256: digest }: Event<'activated'>,
    policy: StoriedPolicy,
    time: number,
  ): string | undefined {
    if (policy.state === 'retired') return `A retired bundle is not activated: ${digest}`
    const before = this.#policies.get(this.#active.get(policy.id) ?? '')
    if (replaces !== (before?.sha256 ?? null)) return `Another bundle is active: ${policy.id}`
    const older = isRollback(this.story, policy)
    if (older && !rollback)
      return `Bundle is older than one that was active: ${policy.id} ${policy.version}`
    if (!older && rollback) return `Bundle is not older: ${policy.id} ${policy.version}`
    if (before !== undefined) this.#put({ ...before, since: time, state: 'replaced' })
    this.#put({ ...policy, scope, since: time, state: 'active' })
    if (!older) this.#highest.set(policy.id, digest)
    return undefined
  }

  #put(policy: StoriedPolicy): void {
    const { id, sha256: digest, state } = policy
    this.#policies.set(digest, policy)
    if (state === 'active') this.#active.set(id, digest)
    else if (this.#active.get(id) === digest) this.#active.delete(id)
  }
}

/** The story with one more step, or why that step may not follow; the story given stays what it is. */
export function advancePolicies(story: PolicyStory, step: PolicyStep): PolicyStory | string {
  const telling = new PolicyTelling(story)
  return telling.add(step) ?? telling.story
}

// What the tables of forgeries are made of.
import {
  formatTrustRoot,
  type OriginSection,
  type TrustRoot,
} from '../../../src/dossier/trust-root.ts'
import type { Kind } from '../../../src/dossier/kinds.ts'
import type { Verdict, VerifyOptions } from '../../../src/verify/index.ts'
import type { Draft, Step } from '../../support/forge.ts'
import { forgeDossier, type Attack } from '../../support/forge-dossier.ts'
import type { World } from '../../support/forge-world.ts'

/** What is laid before the verifier. */
export interface Evidence {
  readonly file: Uint8Array
  /** The genuine one unless given. */
  readonly trustFile?: Uint8Array
  readonly options?: VerifyOptions
}

/** A forgery with how it must come out. */
export interface Forgery {
  readonly name: string
  /** The first check with the worst outcome. */
  readonly check: string
  readonly verdict: Exclude<Verdict, 'valid'>
  readonly evidence: () => Evidence
}

/** The logs of a world by tenant. */
export type Tenant = 'each' | 'fast' | 'seen'

/** A forgery that is refused as invalid. */
export const refused = (name: string, check: string, evidence: Forgery['evidence']): Forgery => ({
  check,
  evidence,
  name,
  verdict: 'invalid',
})

/** A forgery that ends otherwise than invalid. */
export const ends = (
  verdict: Forgery['verdict'],
  name: string,
  check: string,
  evidence: Forgery['evidence'],
): Forgery => ({ check, evidence, name, verdict })

/** The evidence of an attack on a stream of a log. */
export const attack = (
  world: World,
  tenant: Tenant,
  stream: string,
  does: Attack,
  more: Omit<Evidence, 'file'> = {},
): Evidence => ({ file: forgeDossier(world[tenant], stream, does), ...more })

/** The trust root with the section of one log changed. */
export function trusting(
  { trust }: World,
  tenant: Tenant,
  change: (section: OriginSection, root: TrustRoot) => void,
): Uint8Array {
  const copy = structuredClone(trust)
  const section = copy.origins.find((candidate) => candidate.tenant === tenant)
  if (section === undefined) throw new Error(`No section of ${tenant}`)
  change(section, copy)
  return formatTrustRoot(copy)
}

/** A trust root of a later time, which knows every key that a log of a thousand entries may have. */
export const trustingLater = (world: World, tenant: Tenant): Uint8Array =>
  trusting(world, tenant, (section) => {
    section.asOf = { ...section.asOf, size: 1000 }
  })

/** One step of a stream. */
export function stepAt(steps: readonly Step[], stream: string, seq = 0): Step {
  const step = steps.find((candidate) => candidate.stream === stream && candidate.seq === seq)
  if (step === undefined) throw new Error(`No step ${seq} of ${stream}`)
  return step
}

/** Appends a step to its stream. */
export function append(
  steps: Step[],
  kind: Kind,
  stream: string,
  matter: Draft,
  change: Partial<Step> = {},
): void {
  const seq = steps.filter((step) => step.stream === stream).length
  const time = (steps.at(-1)?.time ?? 0) + 1
  const salt = String(steps.length).padStart(32, '0')
  steps.push({ kind, matter, salt, seq, stream, time, ...change })
}

/** Where a value stands in JSON. */
export type Path = readonly (string | number)[]

/** The paths of everything in a JSON value that holds nothing itself. */
export function* innermost(value: unknown, path: Path = []): Generator<Path> {
  const inner = typeof value === 'object' && value !== null ? Object.entries(value) : []
  if (inner.length === 0) yield path
  for (const [name, member] of inner)
    yield* innermost(member, [...path, Array.isArray(value) ? Number(name) : name])
}

/** Another value of the same sort. */
function another(value: unknown): unknown {
  if (typeof value === 'number') return value + 1
  if (typeof value === 'boolean') return !value
  if (value === null) return 1
  if (Array.isArray(value)) return ['more']
  if (typeof value === 'string') return value.slice(0, -1) + (value.endsWith('0') ? '1' : '0')
  return { more: 1 }
}

/** Changes what stands at a path. */
export function changeAt(target: unknown, path: Path): void {
  const [last, ...before] = path.toReversed()
  const holder = before
    .reverse()
    .reduce<unknown>((at, name) => (at as Draft)[name], target) as Draft
  if (last !== undefined) holder[last] = another(holder[last])
}

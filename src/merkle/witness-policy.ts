// C2SP tlog-policy as a trust root uses it: witnesses, groups of them, and the quorum that must have cosigned. `log` lines are refused, for they
// would accept any one of a log's keys; which keys a log has, and that all must sign, is said by the trust root.
import { encodeHex } from '../base/bytes.ts'
import { parseCheckpointVkey } from './checkpoint.ts'
import { ed25519Cosignature, mlDsa44Cosignature } from './note-signature.ts'
import { formatVkey, type Vkey } from './note.ts'

/** A witness by the name that groups and quorum use. */
interface PolicyWitness {
  readonly name: string
  readonly vkey: Vkey
  /** Where it is asked to cosign; means nothing to a verifier. */
  readonly url?: string
}

/** A group, which holds when at least `threshold` of its members do. */
interface PolicyGroup {
  readonly name: string
  readonly threshold: number
  readonly members: readonly string[]
}

/** A parsed policy. Groups name only witnesses and groups in front of them. */
export interface WitnessPolicy {
  readonly witnesses: readonly PolicyWitness[]
  readonly groups: readonly PolicyGroup[]
  /** Name of the witness or group that must hold; undefined for `quorum none`. */
  readonly quorum: string | undefined
}

/** Bounds of a policy: its witnesses must find room among the lines of a note. */
export const policyLimits = Object.freeze({ chars: 262_144, witnesses: 62, groups: 62 })

// Tab and newline are the only control characters; what lies beyond ASCII is opaque.
const allowed = /^[\t\n\x20-\x7e\u0080-\u{10ffff}]*$/u

interface Draft {
  readonly witnesses: PolicyWitness[]
  readonly groups: PolicyGroup[]
  /** Public keys in hex, under whatever name and type. */
  readonly keys: Set<string>
  readonly names: Set<string>
  readonly members: Set<string>
  quorum: { readonly name: string } | undefined
}

/** Reads one kind of line into the draft; gives what is wrong, if anything. */
type LineReader = (draft: Draft, args: readonly string[]) => string | undefined

const cosignatureTypes = [ed25519Cosignature.type, mlDsa44Cosignature.type]

function nameProblem(draft: Draft, name: string): string | undefined {
  if (name === 'none') return 'Name is reserved: none'
  return draft.names.has(name) ? `Name is defined twice: ${name}` : undefined
}

const readWitness: LineReader = (draft, [name, text, url, ...rest]) => {
  if (name === undefined || text === undefined || rest.length > 0)
    return 'A witness line has a name, a verifier key and at most one URL'
  const problem = nameProblem(draft, name)
  if (problem !== undefined) return problem
  const vkey = parseCheckpointVkey(text)
  if (typeof vkey === 'string') return vkey
  if (!cosignatureTypes.includes(vkey.type)) return `Key of ${name} is not one of a cosigner`
  const key = encodeHex(vkey.publicKey)
  if (draft.keys.has(key)) return `Key of ${name} stands in the policy twice`
  if (draft.witnesses.length === policyLimits.witnesses)
    return `More than ${policyLimits.witnesses} witnesses`
  draft.keys.add(key)
  draft.names.add(name)
  draft.witnesses.push(url === undefined ? { name, vkey } : { name, vkey, url })
  return undefined
}

function parseThreshold(text: string, count: number): number | undefined {
  if (text === 'all') return count
  if (text === 'any') return 1
  const k = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : 0
  return k >= 1 && k <= count ? k : undefined
}

const readGroup: LineReader = (draft, [name, thresholdText, ...members]) => {
  if (name === undefined || thresholdText === undefined || members.length === 0)
    return 'A group line has a name, all, any or a number, and members'
  const problem = nameProblem(draft, name)
  if (problem !== undefined) return problem
  const threshold = parseThreshold(thresholdText, members.length)
  if (threshold === undefined) return `Threshold of ${name} is not one of 1 to ${members.length}`
  if (draft.groups.length === policyLimits.groups) return `More than ${policyLimits.groups} groups`
  for (const member of members) {
    if (!draft.names.has(member)) return `Member is not defined before: ${member}`
    // A witness that counted in two places could fill a quorum alone.
    if (draft.members.has(member)) return `Member stands in groups twice: ${member}`
    draft.members.add(member)
  }
  draft.names.add(name)
  draft.groups.push({ name, threshold, members })
  return undefined
}

const readQuorum: LineReader = (draft, [name, ...rest]) => {
  if (name === undefined || rest.length > 0) return 'A quorum line has one name'
  if (draft.quorum !== undefined) return 'More than one quorum line'
  if (name !== 'none' && !draft.names.has(name)) return `Quorum is not defined before: ${name}`
  draft.quorum = { name }
  return undefined
}

const lineReaders: ReadonlyMap<string, LineReader> = new Map([
  ['witness', readWitness],
  ['group', readGroup],
  ['quorum', readQuorum],
])

/** The policy of a text, or what is wrong with it. Every line ends with a newline; blank lines and comments are skipped. */
export function parseWitnessPolicy(text: string): WitnessPolicy | string {
  if (text.length > policyLimits.chars)
    return `Policy is longer than ${policyLimits.chars} characters`
  if (!text.isWellFormed() || !allowed.test(text)) return 'Policy holds a control character'
  const lines = text.split('\n')
  if (lines.pop() !== '') return 'Policy does not end with a newline'
  const draft: Draft = {
    witnesses: [],
    groups: [],
    keys: new Set(),
    names: new Set(),
    members: new Set(),
    quorum: undefined,
  }
  for (const [at, line] of lines.entries()) {
    const [keyword, ...args] = line.split(/[ \t]+/).filter((item) => item !== '')
    if (keyword === undefined || keyword.startsWith('#')) continue
    const read = lineReaders.get(keyword)
    const problem = read === undefined ? `Not a policy line: ${keyword}` : read(draft, args)
    if (problem !== undefined) return `Line ${at + 1}: ${problem}`
  }
  const { witnesses, groups, quorum } = draft
  if (quorum === undefined) return 'Policy has no quorum line'
  return { witnesses, groups, quorum: quorum.name === 'none' ? undefined : quorum.name }
}

/** Whether the keys whose lines verified make up the quorum. Keys that are no witness of the policy count for nothing. */
export function quorumHolds(policy: WitnessPolicy, verified: readonly Vkey[]): boolean {
  if (policy.quorum === undefined) return true
  const cosigned = new Set(verified.map(formatVkey))
  const holding = new Set(
    policy.witnesses.filter(({ vkey }) => cosigned.has(formatVkey(vkey))).map(({ name }) => name),
  )
  for (const { name, threshold, members } of policy.groups)
    if (members.filter((member) => holding.has(member)).length >= threshold) holding.add(name)
  return holding.has(policy.quorum)
}

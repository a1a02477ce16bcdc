// The text that approvers sign: ASCII, one `Name: value` a line in one order, so that a person can read it in a wallet or a terminal and every bound
// value has one place. Whatever people wrote stands in it as JSON with all but plain ASCII escaped: no newline, no right-to-left mark and no look-alike
// of a letter can make it say something else. The same text with another effect guards whatever else takes two keys.
import { z } from 'zod'
import { canonicalize } from '../base/canonical-json.ts'
import { Failure } from '../base/failure.ts'
import { parseStrictJson } from '../base/strict-json.ts'
import { isUuid } from '../base/uuid.ts'

/** The roles whose holders must both sign. */
export const leadRoles = Object.freeze(['risk_lead', 'security_lead'] as const)

/** What takes two keys. The first is an override; the others name an order and what it is about. */
const effects = Object.freeze([
  'override',
  'policy.activate',
  'policy.retire',
  'keys.revoke',
  'keys.destroy',
  'keys.migrate',
  'keys.rotate-master',
  'roster.apply',
  'tenant.close',
  'erase',
  'control.none',
] as const)

/** Bounds of a challenge. */
export const challengeLimits = Object.freeze({
  /** The whole text. */
  bytes: 4096,
  /** Code points. */
  justification: 1024,
})

const hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const uuid = z.string().refine(isUuid, 'UUID in lower case expected')
const name = z.string().min(1).max(256)
const instant = z.int().min(0).max(8_640_000_000_000_000)

const fields = z.strictObject({
  instance: uuid,
  tenant: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  origin: z.string().regex(/^[\x21-\x7e]{1,255}$/),
  /** What comes to pass when both have signed: its name, and what it is about. */
  effect: z.looseObject({ action: z.enum(effects) }),
  /** The decision that is overruled, or erased. */
  decision: uuid.nullable(),
  /** Hex leaf hash of the decision's entry. */
  decisionLeaf: hex32.nullable(),
  failedGates: z.array(name).max(64),
  justification: z.string().min(1).max(challengeLimits.justification),
  /** Owners of the API keys that asked for the decision and opened this request; none of them may sign. */
  requesters: z.array(name).min(1).max(8),
  roles: z.tuple([z.literal('risk_lead'), z.literal('security_lead')]),
  roster: z.strictObject({ version: z.int().min(1), sha256: hex32 }),
  /** Hex of 32 random bytes. */
  nonce: hex32,
  /** The last moment of log time at which a signature counts, ms since 1970. */
  approveBy: instant,
  /** The last moment of log time at which it may come to pass. */
  executeBy: instant,
})

const schema = fields
  .refine(
    ({ decision, decisionLeaf }) => (decision === null) === (decisionLeaf === null),
    'A decision comes with its leaf',
  )
  .refine(({ approveBy, executeBy }) => approveBy <= executeBy, 'Approve-by is after execute-by')

/** What a challenge binds. */
export type Challenge = Readonly<z.infer<typeof schema>>

const firstLine = 'Countersign override v1'

/** JSON in canonical form, with everything but printable ASCII escaped. */
export const asciiJson = (value: unknown): string =>
  canonicalize(value).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

const orNone = (text: string | null): string => text ?? 'none'
const noneAsNull = (text: string): string | null => (text === 'none' ? null : text)

/** The lines of a challenge in their order, each with its way into text and back; going back may give anything, which the schema then judges. */
const lines: readonly (readonly [
  label: string,
  write: (challenge: Challenge) => string,
  read: (text: string) => Readonly<Record<string, unknown>>,
])[] = [
  ['Instance', ({ instance }) => instance, (instance) => ({ instance })],
  ['Tenant', ({ tenant }) => tenant, (tenant) => ({ tenant })],
  ['Origin', ({ origin }) => origin, (origin) => ({ origin })],
  ['Effect', ({ effect }) => asciiJson(effect), (text) => ({ effect: parseStrictJson(text) })],
  [
    'Decision',
    ({ decision }) => orNone(decision),
    (decision) => ({ decision: noneAsNull(decision) }),
  ],
  [
    'Decision leaf',
    ({ decisionLeaf }) => orNone(decisionLeaf),
    (leaf) => ({ decisionLeaf: noneAsNull(leaf) }),
  ],
  [
    'Failed gates',
    ({ failedGates }) => asciiJson(failedGates),
    (text) => ({ failedGates: parseStrictJson(text) }),
  ],
  [
    'Justification',
    ({ justification }) => asciiJson(justification),
    (text) => ({ justification: parseStrictJson(text) }),
  ],
  [
    'Requested by',
    ({ requesters }) => asciiJson(requesters),
    (text) => ({ requesters: parseStrictJson(text) }),
  ],
  ['Roles', ({ roles }) => roles.join(', '), (text) => ({ roles: text.split(', ') })],
  [
    'Roster',
    ({ roster }) => `${roster.version} ${roster.sha256}`,
    (text) => ({ roster: readRoster(text) }),
  ],
  ['Nonce', ({ nonce }) => nonce, (nonce) => ({ nonce })],
  [
    'Approve by',
    ({ approveBy }) => new Date(approveBy).toISOString(),
    (text) => ({ approveBy: Date.parse(text) }),
  ],
  [
    'Execute by',
    ({ executeBy }) => new Date(executeBy).toISOString(),
    (text) => ({ executeBy: Date.parse(text) }),
  ],
]

function readRoster(text: string): Readonly<Record<string, unknown>> {
  const [version, sha256] = text.split(' ')
  return { sha256, version: Number(version) }
}

/**
 * The text of a challenge: at most 4,096 bytes of ASCII, each line ended by a newline.
 * @throws {@link Failure} INPUT_INVALID when it cannot be one, INPUT_TOO_LARGE
 */
export function formatChallenge(challenge: Challenge): string {
  const parsed = schema.safeParse(challenge)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new Failure('INPUT_INVALID', `Not a challenge: ${issue?.message ?? ''}`, {
      field: `/${issue?.path.join('/') ?? ''}`,
    })
  }
  const text = [
    firstLine,
    ...lines.map(([label, write]) => `${label}: ${write(parsed.data)}`),
    '',
  ].join('\n')
  if (text.length > challengeLimits.bytes)
    throw new Failure(
      'INPUT_TOO_LARGE',
      `Challenge has more than ${challengeLimits.bytes} bytes: ${text.length}`,
    )
  return text
}

/** What a challenge says, or what is wrong with it; each has one text only. */
export function parseChallenge(text: string): Challenge | string {
  if (text.length > challengeLimits.bytes) return 'Challenge is too long'
  const [first, ...given] = text.split('\n')
  if (first !== firstLine) return `Challenge does not begin with ${firstLine}`
  if (given.length !== lines.length + 1 || given.at(-1) !== '')
    return `Challenge has not exactly ${lines.length + 1} lines`
  try {
    const entries = lines.map(([label, , read], i) => {
      const line = given[i] ?? ''
      const prefix = `${label}: `
      if (!line.startsWith(prefix)) throw new Failure('INPUT_INVALID', `Line is not ${label}`)
      return read(line.slice(prefix.length))
    })
    const parsed = schema.safeParse(Object.fromEntries(entries.flatMap(Object.entries)))
    if (!parsed.success) return `Challenge: ${parsed.error.issues[0]?.message ?? 'invalid'}`
    return formatChallenge(parsed.data) === text ? parsed.data : 'Challenge is not in its one form'
  } catch (error) {
    return `Challenge: ${error instanceof Error ? error.message : 'unreadable'}`
  }
}

/** The label of the first line in which a text is another than a challenge; undefined when they are the same, byte for byte. */
export function challengeDifference(challenge: string, text: string): string | undefined {
  if (challenge === text) return undefined
  const [ours, theirs] = [challenge.split('\n'), text.split('\n')]
  const at = ours.findIndex((line, i) => line !== theirs[i])
  const label = lines[at - 1]?.[0]
  return label !== undefined && theirs[at]?.startsWith(`${label}: `) === true ? label : 'form'
}

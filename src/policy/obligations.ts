// What must be done with an action that is allowed, or will be once somebody has approved it. Each type has a schema; whoever cannot carry an
// obligation out must not run the action. Paths are those of a bundle: dotted, `\.` for a dot within a name.
import { z } from 'zod'
import { cutEscaped } from './path.ts'

const name = z.string().min(1).max(256)
const path = z.string().min(1).max(256)
const paths = z.array(path).min(1).max(64)

/** One change of a value: `set` puts a value in its place and makes the objects above it; `remove` of what is not there is nothing. */
const changeSchema = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('set'), path, value: z.unknown() }),
  z.strictObject({ op: z.literal('remove'), path }),
])

/** One change of a value. */
export type Change = z.infer<typeof changeSchema>

const changes = z.array(changeSchema).min(1).max(32)

/** Fields are removed, masked (`"[redacted]"`) or hashed (hex SHA-256 of the canonical value) before the output goes on. */
const redact = z.strictObject({
  type: z.literal('redact'),
  paths,
  mode: z.enum(['remove', 'mask', 'hash']).default('remove'),
})

/** Whether a path leads into what may be changed; which action it is, a route says. */
function isInput(text: string): boolean {
  const [root, ...rest] = cutEscaped(text)
  if (root === 'action') return rest.length > 0 && rest[0] !== 'type'
  return root === 'resource' || root === 'context'
}

/** The input is changed before the action runs, and the changed input is what was decided on. Paths begin with `action`, `resource` or `context`. */
const transformInput = z.strictObject({
  type: z.literal('transform_input'),
  changes: changes.refine((all) => all.every((change) => isInput(change.path)), {
    message: 'A path below action (not action.type), resource or context expected',
  }),
})

/** The output is changed after the action ran. */
const transformOutput = z.strictObject({ type: z.literal('transform_output'), changes })

/** Another action, or another resource, is to be taken instead; it is decided on too. */
const route = z.strictObject({
  type: z.literal('route'),
  target: z
    .strictObject({ action: name.optional(), resource: name.optional() })
    .refine((target) => target.action !== undefined || target.resource !== undefined, {
      message: 'An action or a resource expected',
    }),
})

/** The action runs within bounds. */
const sandbox = z.strictObject({
  type: z.literal('sandbox'),
  profile: name,
  network: z.enum(['none', 'restricted', 'full']).optional(),
  filesystem: z.enum(['none', 'read', 'write']).optional(),
  timeoutMs: z.int().min(1).optional(),
  maxBytes: z.int().min(1).optional(),
})

/** The action is to be marked for somebody to look at later. */
const logOnly = z.strictObject({
  type: z.literal('log_only'),
  channel: name.optional(),
  note: z.string().max(512).optional(),
})

/** An obligation as a rule states it. */
export const obligationSchema = z.discriminatedUnion('type', [
  redact,
  transformInput,
  transformOutput,
  route,
  sandbox,
  logOnly,
])

/** An obligation as a rule states it. */
export type Obligation = z.infer<typeof obligationSchema>

/** A kind of obligation. */
export type ObligationType = Obligation['type']

/** Every kind of obligation. */
export const obligationTypes = [
  'redact',
  'transform_input',
  'transform_output',
  'route',
  'sandbox',
  'log_only',
] as const satisfies readonly ObligationType[]

/** The JSON Schema (2020-12) of an obligation; that changes of the input keep to action, resource and context is beyond it. */
export const obligationJsonSchema = (): unknown => z.toJSONSchema(obligationSchema, { io: 'input' })

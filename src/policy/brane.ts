// Brane's decision types as effects: `approval_required` holds, and the types that change or bound an action are allowances with an obligation of that
// type. Its three rules of composition are in evaluate.ts: no match allows, the first denial by priority ends it, and the last allowance is the answer.
import { effectOf } from './lattice.ts'
import type { Obligation } from './obligations.ts'

/** The types of a Brane decision. */
export const braneEffects = [
  'allow',
  'deny',
  'approval_required',
  'redact',
  'transform_input',
  'transform_output',
  'route',
  'sandbox',
  'log_only',
] as const

/** The effect of a rule, or undefined when its type demands an obligation that it does not state. */
export function effectOfBrane(
  type: (typeof braneEffects)[number],
  obligations: readonly Obligation[],
): 'allow' | 'deny' | 'escalate' | undefined {
  const effect = effectOf('brane', type)
  if (effect === 'allow' || effect === 'deny' || effect === 'escalate') return effect
  return obligations.some((one) => one.type === type) ? 'allow' : undefined
}

// The gates of a native bundle: its member `gates` has the version of the formulas and the settings, so that they are registered, activated, cited and made
// again like its rules. Measures are what the request's context reports as `gates`; a drift snapshot counts only as a fact of the service.
import { z } from 'zod'
import type { PolicyBundle } from './bundle.ts'
import { fit } from './bundle-schema.ts'
import { compileGates, gatesVersion, readAegisConfig, type CompiledGates } from './gate-config.ts'
import { evaluateGates, type GateDecision } from './gates.ts'
import type { PolicyRequest } from './request.ts'

const schema = z.strictObject({
  version: z.literal(gatesVersion),
  settings: z.unknown().optional(),
})

/**
 * The gates that the member of a bundle means; settings it leaves out are those of the version.
 * @throws {@link Failure} POLICY_INVALID naming the place
 */
export function readBundleGates(value: unknown): CompiledGates {
  const { settings } = fit(schema, value, '/gates')
  return compileGates(readAegisConfig(settings ?? {}, '/gates/settings'))
}

/** What the gates of a bundle say about a request, or undefined where it has none. Without measures they fail. */
export function evaluateBundleGates(
  { gates }: PolicyBundle,
  { context }: PolicyRequest,
  facts: Readonly<Record<string, unknown>>,
): GateDecision | undefined {
  if (gates === undefined) return undefined
  const own = (members: object | undefined, name: string): unknown =>
    members !== undefined && Object.hasOwn(members, name)
      ? (members as Readonly<Record<string, unknown>>)[name]
      : undefined
  return evaluateGates(gates, own(context, 'gates'), { drift: own(facts, 'drift') })
}

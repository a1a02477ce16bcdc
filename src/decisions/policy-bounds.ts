// How much of policies a tenant may have. Who may register bundles could else fill the memory of the thread that signs, or let each decision take minutes.
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import type { PolicyStory, StoriedPolicy } from '../verify/policy-story.ts'

const refused = (why: string): Failure => new Failure('POLICY_REFUSED', why)

/** The policies that decide once one of them does: it takes the place of the one of its id. */
export const activeWith = (story: PolicyStory, policy: StoriedPolicy): readonly StoriedPolicy[] => [
  ...[...story.policies.values()].filter(({ id, state }) => state === 'active' && id !== policy.id),
  policy,
]

/**
 * Refuses one more bundle where a tenant has as many as it may, or as many bytes of them; what is retired does not count.
 * @param sizes bytes of the records, by digest
 * @param bytes of the record of the new one
 * @throws {@link Failure} POLICY_REFUSED
 */
export function requireRoomToRegister(
  story: PolicyStory,
  sizes: ReadonlyMap<string, number>,
  bytes: number,
): void {
  const kept = [...story.policies.values()].filter(({ state }) => state !== 'retired')
  if (kept.length >= limits.policies)
    throw refused(
      `Tenant has as many policies as it may, retire some that are not needed: ${limits.policies}`,
    )
  const whole = kept.reduce((sum, { sha256 }) => sum + (sizes.get(sha256) ?? 0), bytes)
  if (whole > limits.policyBytes)
    throw refused(
      `Policies of a tenant that are not retired must not have more than ${limits.policyBytes} bytes, retire some that are not needed: ${whole}`,
    )
}

/**
 * Refuses to let one more bundle decide where as many do as may, or their patterns would weigh too much together.
 * @param active the ones that would decide, as {@link activeWith} gives them
 * @param weights of their patterns
 * @throws {@link Failure} POLICY_REFUSED
 */
export function requireRoomToActivate(
  active: readonly StoriedPolicy[],
  weights: readonly number[],
): void {
  if (active.length > limits.activePolicies)
    throw refused(
      `As many policies decide as may, retire some that are not needed: ${limits.activePolicies}`,
    )
  const whole = weights.reduce((sum, weight) => sum + weight, 0)
  if (whole > limits.activePatternWeight)
    throw refused(
      `Patterns of the policies that decide must not weigh more than ${limits.activePatternWeight} steps together: ${whole}`,
    )
}

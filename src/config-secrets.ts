// The variables that hold secrets. Apart from the rest of the configuration, because they leave the environment of every process, also of one that
// reads no configuration.

/** Variables by name; secrets are deleted from it. */
export type Environment = Record<string, string | undefined>

/** Names of the variables that hold secrets. */
export const secretVariables: readonly string[] = Object.freeze([
  'COUNTERSIGN_KEK',
  'COUNTERSIGN_HSM_PIN',
  'AEGIS_HSM_PIN',
])

/** Deletes every variable that holds a secret. */
export function withdrawSecrets(env: Environment): void {
  for (const name of secretVariables) Reflect.deleteProperty(env, name)
}

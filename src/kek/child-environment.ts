// A child process is given what it needs by name, never the parent's environment: a KEK, a PIN or a token in a variable would else be copied
// into every child, where a crash dump or /proc shows it.
import { invariant } from '../base/failure.ts'

const allowed = [
  'HOME',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'PATH',
  'SystemRoot',
  'TEMP',
  'TMP',
  'TMPDIR',
  'TZ',
  'USER',
]

const secretNames = /^(COUNTERSIGN|AEGIS)_|^AWS_|(PIN|SECRET|TOKEN|PASSWORD)$/i

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The environment of a child: a fixed list, and `also` what this child needs (for a PKCS#11 module, say, `SOFTHSM2_CONF`).
 * @throws {@link Failure} BUG when `also` names what may hold a secret
 */
export function childEnvironment(
  environment: Environment,
  also: readonly string[] = [],
): Record<string, string> {
  const secret = also.find((name) => secretNames.test(name))
  invariant(secret === undefined, `Variable must not reach a child: ${secret ?? ''}`)
  const child: Record<string, string> = {}
  for (const name of [...allowed, ...also]) {
    const value = environment[name]
    if (value !== undefined) child[name] = value
  }
  return child
}

// Commands on a service that a test holds open, with which the test may do in between what other people do.
import type { Service } from '../../src/decisions/service.ts'
import { run, type Around, type Ran } from '../unit/cli/harness.ts'

/** A service whose closing does nothing, with some of its calls replaced. */
function lent(service: Service, instead: Partial<Service>): Service {
  const replaced: Partial<Service> = { close: () => Promise.resolve(), ...instead }
  return new Proxy(service, {
    get(target, name) {
      const own: unknown = Reflect.get(replaced, name)
      if (own !== undefined) return own
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** Runs a command on a service that stays open. */
export const runOver = (
  service: Service,
  argv: readonly string[],
  { instead = {}, ...around }: Around & { readonly instead?: Partial<Service> } = {},
): Promise<Ran> =>
  run(argv, {
    ...around,
    composition: { openService: () => Promise.resolve(lent(service, instead)) },
  })

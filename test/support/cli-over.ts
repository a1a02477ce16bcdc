// Commands on a service that a test holds open, with which the test may do in between what other people do.
import type { Service } from '../../src/decisions/service.ts'
import { run, type Around, type Ran } from '../unit/cli/harness.ts'
import { replacing } from './replacing.ts'

/** A service whose closing does nothing, with some of its calls replaced. */
const lent = (service: Service, instead: Partial<Service>): Service =>
  replacing(service, { close: () => Promise.resolve(), ...instead })

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

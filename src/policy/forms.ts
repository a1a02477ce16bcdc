// Rule forms: how each dialect writes down what is a bundle here.
import { readBundle, type PolicyBundle } from './bundle.ts'
import { readDecionisBundle, readDecionisRules } from './decionis.ts'
import type { Dialect, DialectName } from './dialect.ts'
import { readProvenance } from './provenance.ts'

type Form = (value: unknown, dialect: Dialect) => PolicyBundle

const forms: Partial<Readonly<Record<DialectName, Form>>> = {
  provenance: readProvenance,
  decionis: readDecionisBundle,
  'decionis-block': readDecionisRules,
}

/**
 * The bundle that a JSON value is in the rule form of a dialect.
 * @throws {@link Failure} POLICY_INVALID naming the place
 */
export const readForm: Form = (value, dialect) =>
  (forms[dialect.name] ?? readBundle)(value, dialect)

import { canonicalize } from '../../src/base/canonical-json.ts'
import { compileBundle } from '../../src/policy/compile.ts'
import { fromUtf8 } from '../../src/base/bytes.ts'
import type { Draft } from './forge.ts'

const by = { id: 'cli', owner: 'author', type: 'local' }

/** A bundle of one rule, with a value by which two of them differ. */
export const bundleOf = (version: string, limit = 100): Draft => ({
  bundle_id: 'payments',
  policies: [
    {
      id: 'limits',
      rules: [
        { effect: 'allow', id: 'small', when: { field: 'amount', kind: 'lt', value: limit } },
      ],
    },
  ],
  version,
})

/** The matter by which a version of a bundle is registered. */
export function registrationOf(version: string, change: Draft = {}): Draft {
  const { digest, record } = compileBundle(bundleOf(version), 'native')
  return {
    by,
    event: 'registered',
    id: 'payments',
    record: JSON.parse(fromUtf8(record)) as Draft,
    sha256: digest,
    time: 0,
    version,
    ...change,
  }
}

/** The digest of a version of the bundle. */
export const digestOf = (version: string): string =>
  compileBundle(bundleOf(version), 'native').digest

/** The canonical text of a version's record. */
export const recordTextOf = (version: string, limit?: number): string =>
  canonicalize({ bundle: bundleOf(version, limit), dialect: 'native' })

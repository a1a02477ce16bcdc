// What is asked of a bundle before it can be registered, beyond that it is one: asked by whoever registers it, and by authors before that.
import { Failure } from '../base/failure.ts'
import type { CompiledBundle } from './compile.ts'

/** Largest record of a bundle in bytes: it stands in a statement with all that is said of it. */
const mostRecordBytes = 245_760

/** @throws {@link Failure} INPUT_TOO_LARGE */
export function expectRecordFits(bytes: number): void {
  if (bytes > mostRecordBytes)
    throw new Failure(
      'INPUT_TOO_LARGE',
      `Policy must not have more than ${mostRecordBytes} bytes: ${bytes}`,
    )
}

/** @throws {@link Failure} INPUT_TOO_LARGE, POLICY_INVALID */
export function expectRegistrable({
  bundle,
  record,
}: Pick<CompiledBundle, 'bundle' | 'record'>): void {
  expectRecordFits(record.length)
  for (const [field, name] of [
    ['bundle_id', bundle.id],
    ['version', bundle.version],
  ] as const)
    if (name.length < 1 || name.length > 256)
      throw new Failure('POLICY_INVALID', `Must have 1 to 256 characters: /${field}`, {
        field: `/${field}`,
      })
}

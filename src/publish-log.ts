// Publishing a data directory's log: the place is chosen here, by what it is called.
import { resolve } from 'node:path'
import { publishLog, type Published, type PublishTarget } from './log/publish.ts'
import { PublishDirectory } from './log/publish-directory.ts'
import { PublishS3 } from './log/publish-s3.ts'
import type { Pin } from './log/pin.ts'
import { isS3Url } from './log/s3-folder.ts'
import { openPins, type ServiceSettings } from './open-service.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { PublishRequest } from './cli/composition.ts'

/** The place of a name: `s3://bucket/prefix`, or a directory. @throws {@link Failure} CONFIG_INVALID */
const openTarget = (name: string, cwd: string): PublishTarget =>
  isS3Url(name) ? new PublishS3(name) : new PublishDirectory(resolve(cwd, name))

/**
 * Publishes the log of a tenant from a data directory, which may have a writer.
 * @throws {@link Failure} as {@link publishLog}, CONFIG_INVALID
 */
export async function publishFrom(
  { data, ...places }: Pick<ServiceSettings, 'data' | 'keys' | 'pin'>,
  cwd: string,
  { to, ...request }: PublishRequest,
): Promise<Published> {
  const target = openTarget(to, cwd)
  try {
    const store = await openSqliteStore({ mode: 'read', path: data })
    try {
      const instance = (await store.readInstance())?.id ?? ''
      const pins = openPins(places, instance)
      try {
        const readPin = (): Promise<Pin | undefined> => pins.read(request.tenant)
        return await publishLog({ ...request, readPin, store, target })
      } finally {
        await pins.close()
      }
    } finally {
      await store.close()
    }
  } finally {
    await target.close()
  }
}

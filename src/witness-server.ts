// A witness as a server: its directory, its HTTP edge, and an end that lets finish what was accepted.
import { resolve } from 'node:path'
import { createWitnessApp } from './api/witness.ts'
import { listen, type ListenOptions } from './api/server.ts'
import type { Log } from './api/request-log.ts'
import type { RunningWitness } from './cli/composition.ts'
import { openWitness } from './log/witness.ts'

const requestTimeoutMs = 10_000

/**
 * Serves the witness of a directory.
 * @throws {@link Failure} CONFIG_INVALID, STORE_LOCKED
 */
export async function serveWitnessOf(
  directory: string,
  logger: Log,
  options: Pick<ListenOptions, 'host' | 'maxConnections' | 'port' | 'tls'>,
): Promise<RunningWitness> {
  const witness = await openWitness(resolve(directory), Date.now)
  try {
    const app = createWitnessApp({ logger, witness })
    const { close, url } = await listen(app, { ...options, logger, requestTimeoutMs })
    return {
      url,
      vkeys: witness.vkeys,
      async close() {
        await close()
        witness.close()
      },
    }
  } catch (error) {
    witness.close()
    throw error
  }
}

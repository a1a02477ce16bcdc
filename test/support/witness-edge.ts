import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createWitnessApp } from '../../src/api/witness.ts'
import { listen } from '../../src/api/server.ts'
import { parseTrustRoot } from '../../src/dossier/trust-root.ts'
import { createWitness, openWitness, type Witness } from '../../src/log/witness.ts'
import { formatVkey } from '../../src/merkle/note.ts'
import { temporaryDirectory } from './service.ts'

/** A witness on a socket of its own, which can go away and come back. */
export interface TestWitness {
  readonly witness: Witness
  readonly url: string
  /** Its line in a policy: the ML-DSA-44 key. */
  readonly line: string
  /** Makes a log of a trust root known to it. */
  readonly learn: (trustRoot: Uint8Array) => void
  /** Whether it answers; while it does not, connections are cut. */
  up: boolean
}

/** Starts a witness. */
export async function startWitness(name: string): Promise<TestWitness> {
  const directory = join(temporaryDirectory(), 'w')
  await createWitness(directory, name)
  const witness = await openWitness(directory, Date.now)
  const silent = { error: () => undefined, info: () => undefined }
  const app = createWitnessApp({ logger: silent, witness })
  const state = { up: true }
  const edge: RequestListener = (request, response) => {
    if (state.up) app(request, response)
    else response.writeHead(502).end()
  }
  const { close, url } = await listen(edge, { port: 0, requestTimeoutMs: 5000 })
  onTestFinished(async () => {
    await close()
    witness.close()
  })
  const [, mlDsa] = witness.vkeys
  return {
    witness,
    url,
    line: mlDsa === undefined ? '' : `witness ${name} ${formatVkey(mlDsa)} ${url}\n`,
    learn(trustRoot) {
      const parsed = parseTrustRoot(trustRoot)
      if (typeof parsed === 'string') throw new Error(parsed)
      for (const { logKeys, origin } of parsed.origins)
        witness.putLog(
          origin,
          logKeys.filter(({ to }) => to === null).map(({ vkey }) => vkey),
        )
    },
    get up() {
      return state.up
    },
    set up(up) {
      state.up = up
    },
  }
}

// How the configured key providers are, asked by a process that opens nothing with them: for `keys status` where no server runs.
import { asFailure, Failure } from './base/failure.ts'
import { getKekProvider } from './kek/choose.ts'
import { within } from './kek/deadline.ts'
import type { KekProvider } from './kek/kek.ts'
import { KekShelf } from './kek/kek-shelf.ts'
import type { KekSettings } from './kek/kek-settings.ts'
import type { KekHealth } from './wire/keys.ts'

const probeMs = 7500
/** For providers that do not even end. */
const closeMs = 500

type Finding = Pick<KekHealth, 'state' | 'code' | 'message'>

const works: Finding = { state: 'healthy', code: null, message: 'It answers; no slot was opened' }

const fails = (error: unknown): Finding => {
  const { code, message } = asFailure(error)
  return { state: 'failing', code, message }
}

async function probe(provider: KekProvider, ms: number): Promise<Finding> {
  try {
    await within(ms, new AbortController().signal, () => provider.probe())
    return works
  } catch (error) {
    if (!(error instanceof Error && error.name === 'DeadlineError')) return fails(error)
    return fails(new Failure('KEK_UNAVAILABLE', `Key provider did not answer within ${ms} ms`))
  }
}

async function ask(selection: string, shelf: KekShelf, ms: number): Promise<readonly KekHealth[]> {
  const told = (provider: string, kekId: string, finding: Finding): KekHealth => ({
    provider,
    kekId,
    ...finding,
    checkedAt: Date.now(),
    since: null,
  })
  let providers: readonly KekProvider[]
  try {
    providers = getKekProvider(selection, shelf)
  } catch (error) {
    return [told(selection, '', fails(error))]
  }
  return Promise.all(
    providers.map(async (provider) => {
      const { kekId, kind } = provider.metadata
      return told(kind, kekId, await probe(provider, ms))
    }),
  )
}

/**
 * How each provider of a selection such as `auto` or `kms,hsm` is; one that cannot be configured fails with CONFIG_INVALID. The secrets of the
 * settings are wiped.
 */
export async function askProviders(
  selection: string,
  settings: KekSettings,
  dev: boolean,
  ms = probeMs,
): Promise<readonly KekHealth[]> {
  // Not new: a key that is made here and dies here would open nothing.
  const shelf = new KekShelf(settings, { dataIsNew: false, dev })
  try {
    const names = selection.split(',').map((name) => name.trim())
    return (await Promise.all(names.map((name) => ask(name, shelf, ms)))).flat()
  } finally {
    await within(closeMs, new AbortController().signal, () => shelf.close()).catch(() => undefined)
  }
}

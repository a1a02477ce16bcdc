// From what the process was given to what its parts are opened with.
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { pino, type Logger } from 'pino'
import { Failure } from './base/failure.ts'
import type { GlobalFlags, ServeFlags } from './cli/composition.ts'
import { loadConfig, type Config } from './config.ts'
import type { Secret } from './crypto/secret.ts'
import { hsmFields, wipeSecrets } from './kek/kek-settings.ts'
import type { ServiceSettings } from './open-service.ts'
import { lineOptions } from './server-log.ts'

/** What the composition root takes from the process. */
export interface ProcessParts {
  /** Secrets are taken out of it. */
  readonly env: Record<string, string | undefined>
  readonly cwd: string
  readonly version: string
}

/** The bytes of a secret, which can be posted to a thread; the secret is wiped. */
function takeBytes(secret: Secret | undefined): Uint8Array | undefined {
  const bytes = secret?.use((lent) => lent.slice())
  secret?.wipe()
  return bytes
}

/** The text of a witness policy that can be used. @throws {@link Failure} CONFIG_INVALID */
async function readPolicy(path: string): Promise<string> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Failure('CONFIG_INVALID', `Witness policy cannot be read: ${path}`, { cause })
  }
  const { readWitnessPolicy } = await import('./decisions/witnessing.ts')
  readWitnessPolicy(text)
  return text
}

/** What the service is opened with. @throws {@link Failure} CONFIG_INVALID */
export async function settingsOf(config: Config, version: string): Promise<ServiceSettings> {
  const { data, dev, kek, kekSettings, keys, masterPublic, maxOutageHours, pin } = config
  const { hsmPin, kek: secret, kekFile, kmsKeyId } = kekSettings
  return {
    ...hsmFields(kekSettings),
    data,
    dev,
    hsmPinValue: takeBytes(hsmPin),
    kek,
    kekFile,
    kekValue: takeBytes(secret),
    keys,
    kmsKeyId,
    dualControl: config.dualControl,
    masterPublic,
    maxOutageHours,
    overridesPerDay: config.overridesPerDay,
    pin,
    version,
    witnessPolicy:
      config.witnessPolicy === undefined ? undefined : await readPolicy(config.witnessPolicy),
  }
}

/** Writes lines of a level and above to standard error. */
export const createLogger = (level: Config['logLevel']): Logger =>
  pino(lineOptions(level), pino.destination(2))

/** Events that tell of trouble which is over. */
const mended = ['log.reopened', 'kek.healthy', 'witness.recovered']

/** Tells a log of events of the service. */
export const reporter =
  (logger: Logger) =>
  (event: string, detail: Readonly<Record<string, string | number>>): void => {
    logger[mended.includes(event) ? 'warn' : 'error'](detail, event)
  }

/** The configuration without secrets, which stay where they are for whoever asks next. */
export function loadPublicConfig(parts: ProcessParts, flags: ServeFlags): Config {
  const config = loadConfig({ ...parts, env: { ...parts.env }, flags })
  wipeSecrets(config.kekSettings)
  return config
}

/** What a service is opened with, and where it reports to. */
export async function settingsAndReport(
  parts: ProcessParts,
  flags: GlobalFlags,
): Promise<[ServiceSettings, ReturnType<typeof reporter>]> {
  const config = loadConfig({ ...parts, flags })
  return [await settingsOf(config, parts.version), reporter(createLogger(config.logLevel))]
}

/** Reads what the configuration names and only a server would read. @throws {@link Failure} CONFIG_INVALID when it cannot be used */
export async function expectFiles({ serve, witnessPolicy }: Config): Promise<void> {
  const tls = readTls(serve.tls)
  try {
    if (tls !== undefined) createSecureContext(tls)
  } catch (cause) {
    throw new Failure('CONFIG_INVALID', 'TLS certificate and key do not fit', { cause })
  }
  if (witnessPolicy !== undefined) await readPolicy(witnessPolicy)
}

/** Certificate and key that are configured. @throws {@link Failure} CONFIG_INVALID */
export const readTls = (tls: Config['serve']['tls']): { cert: string; key: string } | undefined => {
  if (tls === undefined) return undefined
  try {
    return { cert: readFileSync(tls.cert, 'utf8'), key: readFileSync(tls.key, 'utf8') }
  } catch (cause) {
    throw new Failure('CONFIG_INVALID', `TLS files cannot be read: ${tls.cert}, ${tls.key}`, {
      cause,
    })
  }
}

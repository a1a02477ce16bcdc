// One frozen configuration out of defaults, the file, the environment and flags, each stronger than the one before. What is not understood is
// refused by name: a misspelt setting must not become a default. Messages name the setting and where it stands, never its value.
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { decodeBase64 } from './base/base64.ts'
import { Failure } from './base/failure.ts'
import { limits } from './base/limits.ts'
import type { ServeFlags } from './cli/composition.ts'
import {
  configVariable,
  findVariable,
  refuseUnknownVariables,
  takeKekSettings,
} from './config-environment.ts'
import type { Environment } from './config-secrets.ts'
import { configFileSchema, settings, type ConfigFile, type logLevels } from './config-settings.ts'
import type { KekSettings } from './kek/kek-settings.ts'
import { isS3Url, parseS3Url } from './log/s3-folder.ts'

/** The configuration of a process. */
export interface Config {
  /** Data directory, absolute. */
  readonly data: string
  /** Keys directory, absolute. */
  readonly keys: string
  /** Where pins are kept when not in the keys directory: a directory, absolute, or `s3://bucket/prefix`. */
  readonly pin: string | undefined
  /** `auto` or a list such as `environment`. */
  readonly kek: string
  readonly kekSettings: KekSettings
  /** How long a running node signs while no key provider is healthy. */
  readonly maxOutageHours: number
  readonly dev: boolean
  /** Whether logs come under dual control with their first roster; undefined means all but those of development. */
  readonly dualControl: 'all' | 'none' | undefined
  /** The only master public key (X-Wing, 1216 bytes) that is accepted. */
  readonly masterPublic: Uint8Array | undefined
  readonly serve: {
    readonly host: string
    readonly port: number
    /** Absolute paths of PEM files. */
    readonly tls: { readonly cert: string; readonly key: string } | undefined
    readonly maxBodyBytes: number
    readonly requestTimeoutMs: number
    readonly maxConnections: number
  }
  /** Absolute path of a witness policy. */
  readonly witnessPolicy: string | undefined
  /** How many decisions of a tenant may be overruled within 24 hours. */
  readonly overridesPerDay: number
  /** Whether webhooks may lead to private addresses, and over http. */
  readonly webhooksAllowPrivate: boolean
  readonly logLevel: (typeof logLevels)[number]
  /** Where each setting comes from, by its path in the file. */
  readonly from: Readonly<Record<string, string>>
}

/** What a configuration is made of. */
export interface ConfigSources {
  readonly flags: ServeFlags
  readonly env: Environment
  /** Where relative paths of flags and variables start. */
  readonly cwd: string
}

interface Layer {
  readonly values: ConfigFile
  /** Directory at which relative paths start. */
  readonly base: string
  /** What to call a setting of this layer. */
  where(path: string): string
}

const maxFileBytes = 65_536
const masterPublicBytes = 1216

const invalid = (message: string, cause?: unknown): Failure =>
  new Failure('CONFIG_INVALID', message, { cause })

function parseLayer(values: unknown, base: string, where: (path: string) => string): Layer {
  const parsed = configFileSchema.safeParse(values)
  if (parsed.success) return { values: parsed.data, base, where }
  const issue = parsed.error.issues[0]
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
  const path = [...(issue?.path ?? []), ...unknown].join('.')
  throw invalid(
    unknown.length > 0
      ? `Setting is not known: ${where(path)}`
      : `${where(path)}: ${issue?.message ?? 'does not fit'}`,
  )
}

function readConfigText(file: string): string {
  try {
    const fd = openSync(file, 'r')
    try {
      if (fstatSync(fd).size > maxFileBytes)
        throw invalid(`Configuration file is larger than ${maxFileBytes} bytes: ${file}`)
      return readFileSync(fd, 'utf8')
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (error instanceof Failure) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw invalid(`Configuration file cannot be read (${code}): ${file}`, error)
  }
}

function fileLayer(file: string): Layer {
  const lines = new LineCounter()
  // Without prettyErrors a message quotes nothing of the file.
  const document = parseDocument(readConfigText(file), {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'silent',
  })
  const error = document.errors[0] ?? document.warnings[0]
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0])
    throw invalid(`Configuration file is not YAML (${error.code}): ${file}:${line}:${col}`)
  }
  let values: unknown
  try {
    values = document.toJS({ maxAliasCount: 0 }) ?? {}
  } catch (cause) {
    throw invalid(`Configuration file uses aliases: ${file}`, cause)
  }
  return parseLayer(values, dirname(file), (path) => (path === '' ? file : `${path} in ${file}`))
}

/** Sets a value at a path such as `serve.tls.cert`. */
function put(values: Record<string, unknown>, path: string, value: unknown): void {
  const names = path.split('.')
  const last = names.pop() ?? ''
  let at = values
  for (const name of names) at = (at[name] ??= {}) as Record<string, unknown>
  at[last] = value
}

const numeric = new Set([
  'kek.maxOutageHours',
  'overrides.perDay',
  'serve.port',
  'serve.maxBodyBytes',
  'serve.requestTimeoutMs',
  'serve.maxConnections',
])

const truths: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
])

/** A number or a truth value where the text is one; else the text, which the schema then refuses by type. */
function coerce(path: string, text: string): unknown {
  if (path === 'dev' || path === 'webhooks.allowPrivate') return truths.get(text) ?? text
  return numeric.has(path) && /^\d{1,9}$/.test(text) ? Number(text) : text
}

function environmentLayer(env: Environment, cwd: string): Layer {
  const values: Record<string, unknown> = {}
  const names = new Map<string, string>()
  for (const { path, variable, alias } of settings) {
    const found = findVariable(env, variable, alias)
    if (found === undefined) continue
    names.set(path, found.name)
    put(values, path, coerce(path, found.value))
  }
  return parseLayer(values, cwd, (path) => names.get(path) ?? path)
}

const flagName = (flag: string): string =>
  `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

function flagLayer(flags: ServeFlags, cwd: string): Layer {
  const values: Record<string, unknown> = {}
  const names = new Map<string, string>()
  for (const { path, flag } of settings) {
    const value = flag === undefined ? undefined : flags[flag]
    if (flag === undefined || value === undefined) continue
    names.set(path, flagName(flag))
    put(values, path, value)
  }
  return parseLayer(values, cwd, (path) => names.get(path) ?? path)
}

/** Chooses setting by setting from layers, the strongest first, and remembers from where. */
class Selection {
  readonly from: Record<string, string> = {}
  readonly #layers: readonly Layer[]

  constructor(layers: readonly Layer[]) {
    this.#layers = layers
  }

  #find<T>(path: string, get: (values: ConfigFile) => T | undefined): [T, Layer] | undefined {
    for (const layer of this.#layers) {
      const value = get(layer.values)
      if (value === undefined) continue
      this.from[path] = layer.where(path)
      return [value, layer]
    }
    return undefined
  }

  value<T>(path: string, get: (values: ConfigFile) => T | undefined): T | undefined {
    return this.#find(path, get)?.[0]
  }

  or<T>(path: string, get: (values: ConfigFile) => T | undefined, fallback: T): T {
    const found = this.#find(path, get)
    if (found !== undefined) return found[0]
    this.from[path] = 'default'
    return fallback
  }

  path(path: string, get: (values: ConfigFile) => string | undefined): string | undefined {
    const found = this.#find(path, get)
    return found === undefined ? undefined : resolve(found[1].base, found[0])
  }
}

function chooseTls(chosen: Selection): Config['serve']['tls'] {
  const cert = chosen.path('serve.tls.cert', (c) => c.serve?.tls?.cert)
  const key = chosen.path('serve.tls.key', (c) => c.serve?.tls?.key)
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined)
    throw invalid(`TLS needs a certificate and a key, one is missing: serve.tls`)
  return Object.freeze({ cert, key })
}

function chooseServe(chosen: Selection): Config['serve'] {
  return Object.freeze({
    host: chosen.or('serve.host', (c) => c.serve?.host, '127.0.0.1'),
    port: chosen.or('serve.port', (c) => c.serve?.port, 8787),
    tls: chooseTls(chosen),
    maxBodyBytes: chosen.or('serve.maxBodyBytes', (c) => c.serve?.maxBodyBytes, limits.bodyBytes),
    requestTimeoutMs: chosen.or('serve.requestTimeoutMs', (c) => c.serve?.requestTimeoutMs, 30_000),
    maxConnections: chosen.or(
      'serve.maxConnections',
      (c) => c.serve?.maxConnections,
      limits.connections,
    ),
  })
}

function choosePin(chosen: Selection): string | undefined {
  const name = chosen.value('pin', (c) => c.pin)
  if (name === undefined || !isS3Url(name)) return chosen.path('pin', (c) => c.pin)
  parseS3Url(name)
  return name
}

function chooseMasterPublic(chosen: Selection): Uint8Array | undefined {
  const text = chosen.value('masterPublic', (c) => c.masterPublic)
  if (text === undefined) return undefined
  const bytes = decodeBase64(text)
  if (bytes?.length === masterPublicBytes) return bytes
  throw invalid(
    `${chosen.from['masterPublic'] ?? ''}: ${masterPublicBytes} bytes in base64 expected`,
  )
}

/**
 * The configuration out of flags, environment and file; secrets are taken out of `env`, so that it is good for one call.
 * @throws {@link Failure} CONFIG_INVALID naming the setting and where it stands
 */
export function loadConfig({ flags, env, cwd }: ConfigSources): Config {
  refuseUnknownVariables(env)
  const file = flags.config ?? env[configVariable]
  const layers = [flagLayer(flags, cwd), environmentLayer(env, cwd)]
  if (file !== undefined) layers.push(fileLayer(resolve(cwd, file)))
  const chosen = new Selection(layers)
  const path = (name: string, get: (c: ConfigFile) => string | undefined, usual: string): string =>
    chosen.path(name, get) ?? resolve(cwd, chosen.or(name, get, usual))
  const keys = path('keys', (c) => c.keys, 'keys')
  const kekFile = chosen.path('kek.file', (c) => c.kek?.file)
  return Object.freeze({
    data: path('data', (c) => c.data, 'countersign-data'),
    keys,
    pin: choosePin(chosen),
    kek: chosen.or('kek.use', (c) => c.kek?.use, 'auto'),
    kekSettings: takeKekSettings(env, keys, kekFile),
    maxOutageHours: chosen.or('kek.maxOutageHours', (c) => c.kek?.maxOutageHours, 72),
    dev: chosen.or('dev', (c) => c.dev, false),
    dualControl: chosen.or<Config['dualControl']>('dualControl', (c) => c.dualControl, undefined),
    masterPublic: chooseMasterPublic(chosen),
    serve: chooseServe(chosen),
    witnessPolicy: chosen.path('witness.policy', (c) => c.witness?.policy),
    overridesPerDay: chosen.or('overrides.perDay', (c) => c.overrides?.perDay, 20),
    webhooksAllowPrivate: chosen.or(
      'webhooks.allowPrivate',
      (c) => c.webhooks?.allowPrivate,
      false,
    ),
    logLevel: chosen.or('log.level', (c) => c.log?.level, 'info'),
    from: Object.freeze(chosen.from),
  })
}

/** What a configuration says, by setting: the value and where it comes from; of secrets only that they are set. */
export function describeConfig(
  config: Config,
): Readonly<Record<string, { readonly value: unknown; readonly from: string }>> {
  const { serve, kekSettings: kek } = config
  const values: Readonly<Record<string, unknown>> = {
    data: config.data,
    keys: config.keys,
    pin: config.pin ?? null,
    dev: config.dev,
    dualControl: config.dualControl ?? (config.dev ? 'none' : 'all'),
    masterPublic: config.masterPublic === undefined ? null : 'pinned',
    'kek.use': config.kek,
    'kek.file': kek.kekFile ?? null,
    'kek.value': kek.kek === undefined ? null : 'set',
    'kek.kms': kek.kmsKeyId ?? null,
    'kek.hsm': kek.hsmModule ?? null,
    'kek.maxOutageHours': config.maxOutageHours,
    'serve.host': serve.host,
    'serve.port': serve.port,
    'serve.tls.cert': serve.tls?.cert ?? null,
    'serve.tls.key': serve.tls?.key ?? null,
    'serve.maxBodyBytes': serve.maxBodyBytes,
    'serve.requestTimeoutMs': serve.requestTimeoutMs,
    'serve.maxConnections': serve.maxConnections,
    'witness.policy': config.witnessPolicy ?? null,
    'overrides.perDay': config.overridesPerDay,
    'webhooks.allowPrivate': config.webhooksAllowPrivate,
    'log.level': config.logLevel,
  }
  return Object.fromEntries(
    Object.entries(values).map(([path, value]) => {
      // A key file that nobody named is the usual one; of the other providers' settings only the environment knows.
      const unnamed = path === 'kek.file' ? 'default' : 'environment'
      return [path, { value, from: config.from[path] ?? (value === null ? 'not set' : unnamed) }]
    }),
  )
}

/** JSON Schema of the configuration file. */
export const configSchema = (): Readonly<Record<string, unknown>> =>
  z.toJSONSchema(configFileSchema, { io: 'input' })

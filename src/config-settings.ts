// The settings of an installation by name: what the configuration file may say, and the variable and flag that say the same. Key material is no
// setting: it comes from a file of its own or from the environment, and never from here.
import { z } from 'zod'
import { limits } from './base/limits.ts'
import type { ServeFlags } from './cli/composition.ts'

const text = z.string().min(1, 'must not be empty').max(4096)
const path = text.refine((value) => !value.includes('\0'), 'must not hold a NUL character')

/** Levels of the log, quietest first. */
export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const

const kek = z.strictObject({
  use: text
    .optional()
    .describe(
      'Key providers that open the master key: auto, kms, hsm, environment, memory, or some in order such as kms,hsm (auto)',
    ),
  file: path.optional().describe('File of the environment key, mode 0600'),
  maxOutageHours: z
    .int()
    .min(1)
    .max(8760)
    .optional()
    .describe('How long a running node signs while no key provider is healthy, in hours (72)'),
})

const tls = z.strictObject({
  cert: path.optional().describe('PEM file of the certificate chain'),
  key: path.optional().describe('PEM file of the private key'),
})

const serve = z.strictObject({
  host: text.optional().describe('Address to listen on (127.0.0.1)'),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe('Port to listen on, 0 for a free one (8787)'),
  tls: tls.optional(),
  maxBodyBytes: z
    .int()
    .min(1024)
    .max(limits.bodyBytes)
    .optional()
    .describe(`Largest request body in bytes (${limits.bodyBytes})`),
  requestTimeoutMs: z
    .int()
    .min(100)
    .max(600_000)
    .optional()
    .describe('Longest time for a request in milliseconds (30000)'),
  maxConnections: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe(
      `Connections at a time, at most 128 fewer than the process may have open files; what comes beyond is closed at once (${limits.connections})`,
    ),
})

const witness = z.strictObject({
  policy: path
    .optional()
    .describe(
      'File of witness, group and quorum lines (C2SP tlog-policy) that trust roots are to name (what they name already)',
    ),
})

const overrides = z.strictObject({
  perDay: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe('How many decisions of a tenant may be overruled within 24 hours (20)'),
})

const webhooks = z.strictObject({
  allowPrivate: z
    .boolean()
    .optional()
    .describe('Whether webhooks may lead to private addresses, and over http (false)'),
})

/** What the configuration file may say; relative paths in it start at its own directory. */
export const configFileSchema = z
  .strictObject({
    data: path.optional().describe('Data directory (./countersign-data)'),
    keys: path
      .optional()
      .describe('Directory of what lies outside the database: pins, local key file (./keys)'),
    pin: path
      .optional()
      .describe('Where pins are kept, a directory or s3://bucket/prefix (the keys directory)'),
    dev: z.boolean().optional().describe('Development installation: its evidence proves nothing'),
    dualControl: z
      .enum(['all', 'none'])
      .optional()
      .describe(
        'Whether two leads must sign what could undo evidence once there is a roster; what has begun only they end (all, in a development installation none)',
      ),
    masterPublic: text
      .optional()
      .describe('Public half of the master key in base64; any other is refused'),
    kek: kek.optional(),
    serve: serve.optional(),
    witness: witness.optional(),
    overrides: overrides.optional(),
    webhooks: webhooks.optional(),
    log: z.strictObject({ level: z.enum(logLevels).optional() }).optional(),
  })
  .meta({ title: 'Countersign configuration' })

/** The content of a configuration file. */
export type ConfigFile = z.infer<typeof configFileSchema>

/** Where a setting stands besides the file. */
export interface Setting {
  /** Path in the file, such as `serve.port`. */
  readonly path: string
  readonly variable: string
  /** Another product's name for the same setting. */
  readonly alias?: string | undefined
  /** Name among the flags. */
  readonly flag?: Exclude<keyof ServeFlags, 'config'>
}

/** Every setting that has a variable. */
export const settings: readonly Setting[] = Object.freeze([
  { path: 'data', variable: 'COUNTERSIGN_DATA', flag: 'data' },
  { path: 'keys', variable: 'COUNTERSIGN_KEYS', flag: 'keys' },
  { path: 'pin', variable: 'COUNTERSIGN_PIN', flag: 'pin' },
  { path: 'dev', variable: 'COUNTERSIGN_DEV', flag: 'dev' },
  {
    path: 'masterPublic',
    variable: 'COUNTERSIGN_MASTER_PUBLIC',
    alias: 'AEGIS_MASTER_KEK_PUBLIC',
  },
  { path: 'dualControl', variable: 'COUNTERSIGN_DUAL_CONTROL' },
  { path: 'kek.use', variable: 'COUNTERSIGN_KEK_PROVIDER', flag: 'kek' },
  { path: 'kek.file', variable: 'COUNTERSIGN_KEK_FILE' },
  { path: 'kek.maxOutageHours', variable: 'COUNTERSIGN_KEK_MAX_OUTAGE_HOURS' },
  { path: 'serve.host', variable: 'COUNTERSIGN_HOST', flag: 'host' },
  { path: 'serve.port', variable: 'COUNTERSIGN_PORT', flag: 'port' },
  { path: 'serve.tls.cert', variable: 'COUNTERSIGN_TLS_CERT', flag: 'tlsCert' },
  { path: 'serve.tls.key', variable: 'COUNTERSIGN_TLS_KEY', flag: 'tlsKey' },
  { path: 'serve.maxBodyBytes', variable: 'COUNTERSIGN_MAX_BODY_BYTES' },
  { path: 'serve.maxConnections', variable: 'COUNTERSIGN_MAX_CONNECTIONS' },
  { path: 'serve.requestTimeoutMs', variable: 'COUNTERSIGN_REQUEST_TIMEOUT_MS' },
  { path: 'witness.policy', variable: 'COUNTERSIGN_WITNESS_POLICY', flag: 'witnessPolicy' },
  { path: 'overrides.perDay', variable: 'COUNTERSIGN_OVERRIDES_PER_DAY' },
  {
    path: 'webhooks.allowPrivate',
    variable: 'COUNTERSIGN_WEBHOOKS_ALLOW_PRIVATE',
    flag: 'webhooksAllowPrivate',
  },
  { path: 'log.level', variable: 'COUNTERSIGN_LOG_LEVEL' },
])

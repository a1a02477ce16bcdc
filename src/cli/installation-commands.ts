import { Option, type Command } from 'commander'
import {
  act,
  asJson,
  define,
  group,
  wholeNumber,
  writing,
  type Context,
  type Outcome,
} from './command.ts'
import type { InitFlags, ServeFlags } from './composition.ts'

const listening = (command: Command): Command =>
  command
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option(
      '--port <number>',
      'port to listen on, 0 for a free one (default: 8787)',
      wholeNumber(0, 65_535),
    )
    .option('--tls-cert <file>', 'PEM file of the certificate chain')
    .option('--tls-key <file>', 'PEM file of the private key')
    .option('--webhooks-allow-private', 'let webhooks lead to private addresses, and over http')

const witnessed = (command: Command): Command =>
  command.option(
    '--witness-policy <file>',
    'witness, group and quorum lines that trust roots are to name (default: those they name)',
  )

/** `init`, `serve`, `config` and `demo`. */
export function defineInstallation(program: Command, context: Context, outcome: Outcome): void {
  const init = define(
    program,
    'init',
    'Makes a data directory with its keys and its first tenant, default, and writes its first trust root. Where no key provider is configured it makes a KEK file in the keys directory.',
    ['init', 'init --data /var/lib/countersign --keys /etc/countersign --origin log.example.com'],
  )
  asJson(witnessed(writing(init)))
    .option('--origin <url>', 'prefix of every log’s name, a URL without scheme')
    .addOption(
      new Option(
        '--profile <profile>',
        'each: every decision signed by itself; checkpoint: a batch shares the post-quantum signature',
      ).choices(['each', 'checkpoint']),
    )
    .option('--public', 'let anybody read the log (its leaves, not what was decided)')
  act(program, init, outcome, async (options: InitFlags & { json?: boolean }) =>
    (await import('./install.ts')).init(context, options),
  )

  const serve = define(
    program,
    'serve',
    'Serves the HTTP API and prints its URL when it is ready. SIGTERM or SIGINT lets it finish what it accepted; a second one ends it at once.',
    ['serve', 'serve --port 0 --json', 'serve --dev --data /tmp/playground'],
  )
  asJson(witnessed(listening(writing(serve))))
  act(program, serve, outcome, async (options: ServeFlags & { json?: boolean }) =>
    (await import('./install.ts')).serve(context, options),
  )

  const config = group(program, 'config', 'Says what is configured, and what can be.')
  const check = define(
    config,
    'check',
    'Prints every setting, its value and where it comes from: default, file, environment or flag. Secrets are not shown. Exit 2 when something is wrong.',
    ['config check --config countersign.yaml'],
  )
  asJson(witnessed(listening(writing(check))))
  act(program, check, outcome, async (options: ServeFlags & { json?: boolean }) =>
    (await import('./install.ts')).checkConfig(context, options),
  )
  const schema = define(config, 'schema', 'Prints the JSON Schema of the configuration file.', [
    'config schema > countersign.schema.json',
  ])
  act(program, schema, outcome, async () =>
    (await import('./install.ts')).printConfigSchema(context),
  )

  const demo = define(
    program,
    'demo',
    'Shows in a few seconds what Countersign is for: starts the service in a temporary directory, has decisions notarised over HTTP, verifies them offline, and changes one byte.',
    ['demo', 'demo --keep ./evidence'],
  ).option('--keep <dir>', 'leave the dossiers and the trust root here')
  act(program, demo, outcome, async (options: { keep?: string }) =>
    (await import('./demo.ts')).demo(context, options),
  )
}

import type { Command } from 'commander'
import { act, asJson, define, group, wholeNumber, type Context, type Outcome } from './command.ts'
import type { WitnessFlags } from './composition.ts'
import type { WitnessCommandFlags } from './witness.ts'

const ofWitness = (command: Command): Command =>
  asJson(command).option('--state <dir>', 'directory of the witness', 'countersign-witness')

/** `witness`. */
export function defineWitness(program: Command, context: Context, outcome: Outcome): void {
  const witness = group(
    program,
    'witness',
    'Runs a witness (C2SP tlog-witness): it cosigns a log’s checkpoint only when that adds to the one before.',
  )
  const init = define(
    witness,
    'init',
    'Makes the keys of a new witness and prints the lines by which others name it in a policy, with URL in place of its address. Its two keys stand in one group there, for they are not two witnesses.',
    ['witness init witness.example.com/w1 --state /var/lib/witness'],
  ).argument('<name>', 'name that no other witness has, a URL without scheme')
  ofWitness(init)
  act(program, init, outcome, async (options: WitnessCommandFlags, [name]) =>
    (await import('./witness.ts')).initWitness(context, String(name), options),
  )

  const serve = define(
    witness,
    'serve',
    'Serves the witness and prints its URL when it is ready. Nothing is cosigned before it is durable in the directory, which belongs to one process at a time.',
    ['witness serve --state /var/lib/witness --port 8788'],
  )
  ofWitness(serve)
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option(
      '--port <number>',
      'port to listen on, 0 for a free one (default: 8788)',
      wholeNumber(0, 65_535),
    )
    .option('--tls-cert <file>', 'PEM file of the certificate chain')
    .option('--tls-key <file>', 'PEM file of the private key')
  act(program, serve, outcome, async (options: WitnessFlags & { json?: boolean }) =>
    (await import('./witness.ts')).serveWitness(context, options),
  )

  const add = define(
    witness,
    'add-log',
    'Makes a log known to the witness, by a trust root or by its origin and verifier keys. A known log gets the keys anew, as after a rotation of log keys; what was cosigned of it stays. Stop the witness meanwhile.',
    [
      'witness add-log --trust trust-root.json',
      'witness add-log log.example.com/a log.example.com/a+1f2e3d4c+AS…',
    ],
  )
    .argument('[origin]', 'origin of the log')
    .argument('[vkeys...]', 'its verifier keys; a good line of every type among them is wanted')
    .option('--trust <file>', 'trust root that names the log and its keys')
  ofWitness(add)
  act(
    program,
    add,
    outcome,
    async (options: WitnessCommandFlags & { trust?: string }, [origin, vkeys]) =>
      (await import('./witness.ts')).addLog(
        context,
        typeof origin === 'string' ? [origin, ...(vkeys as readonly string[])] : [],
        options,
      ),
  )

  const status = define(
    witness,
    'status',
    'Prints the witness’s keys and of each log the last size it cosigned; also while it runs.',
    ['witness status --state /var/lib/witness --json'],
  )
  ofWitness(status)
  act(program, status, outcome, async (options: WitnessCommandFlags) =>
    (await import('./witness.ts')).witnessStatus(context, options),
  )
}

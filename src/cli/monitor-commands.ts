import type { Command } from 'commander'
import { act, asJson, define, wholeNumber, type Context, type Outcome } from './command.ts'
import type { MonitorFlags } from './monitor.ts'

/** `monitor` and `monitor check`. */
export function defineMonitor(program: Command, context: Context, outcome: Outcome): void {
  const monitor = define(
    program,
    'monitor',
    'Follows a log that you do not trust: verifies its signatures, that it only ever grows, and that every step of every stream stands once and follows the one before. What it has seen lies in a SQLite file, some 100 bytes a stream; interrupted, it goes on from there. Where the log has signed what contradicts itself, it writes a file that convinces anybody who has the trust root, and ends with exit 3. Nothing else that it answers ends it. With --once, exit 4 when something does not fit that nobody else could be convinced by, when what lies behind a signed checkpoint is withheld, or when the quorum of witnesses is missing; 75 when nothing could be read.',
    [
      'monitor https://log.example.com/log/default --trust root.json --state seen.db',
      'monitor $URL --trust root.json --state seen.db --once --token-env LOG_TOKEN',
    ],
  )
    .argument('<url>', 'what stands in front of /checkpoint and /tile/')
    .option('--trust <file>', 'trust root, from a source that you trust; needed')
    .option('--state <file>', 'what was seen, made when it is not there; needed')
    .option('--evidence <file>', 'file for evidence (default: the state’s name and .evidence.json)')
    .option('--once', 'look once and end')
    .option('--interval <seconds>', 'time between looks', wholeNumber(1, 86_400), 10)
    .option('--token-env <name>', 'environment variable that holds an API key for a private log')
  asJson(monitor)
  act(program, monitor, outcome, async (options: MonitorFlags, [url]) =>
    (await import('./monitor.ts')).monitor(context, String(url), options),
  )

  const check = define(
    monitor,
    'check',
    'Judges an evidence file offline, by a trust root and nothing else. Exit 0 when it proves what it claims, 3 when it does not, 4 when the file alone cannot show it.',
    ['monitor check seen.db.evidence.json --trust root.json'],
  )
    .argument('<evidence>', 'file that a monitor wrote')
    .requiredOption('--trust <file>', 'trust root, from a source that you trust')
  asJson(check)
  act(program, check, outcome, async (options: { trust: string; json?: boolean }, [evidence]) =>
    (await import('./monitor.ts')).checkEvidence(context, String(evidence), options),
  )
}

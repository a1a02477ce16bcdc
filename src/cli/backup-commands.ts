import { Option, type Command } from 'commander'
import type { BackupFlags, RestoreFlags } from './backup.ts'
import { act, asJson, define, reading, writing, type Context, type Outcome } from './command.ts'

/** `backup` and `restore`. */
export function defineBackup(program: Command, context: Context, outcome: Outcome): void {
  const backup = define(
    program,
    'backup',
    'Copies the database as it is at one moment into a new directory, with a manifest by which damage is noticed. Works beside a running server. It holds sealed keys, and neither KEK nor pin: back up the KEK elsewhere, and pins nowhere, for an old pin would let an old database pass for the newest.',
    ['backup -o /mnt/backup/2026-11-21'],
  ).requiredOption('-o, --output <dir>', 'directory to make')
  asJson(reading(backup))
  act(program, backup, outcome, async (options: BackupFlags) =>
    (await import('./backup.ts')).backUp(context, options),
  )

  const restore = define(
    program,
    'restore',
    'Checks a backup from its entries up and makes it the database of a data directory that has none. Pins stay as they are: where they, or what was published or cosigned, know more of a log than the backup holds, it is refused, for a log never goes back. Then --archive restores it for reading only; --new-origin does that too and founds an installation with new keys, API keys and trust roots beside it, whose logs name the ones they succeed.',
    [
      'restore /mnt/backup/2026-11-21 --published s3://evidence/logs/default',
      'restore /mnt/backup/2026-11-21 --check',
      'restore /mnt/backup/2026-11-21 --data new-data --new-origin log2.example.com',
    ],
  ).argument('<backup>', 'directory that countersign backup made')
  asJson(writing(restore))
    .option(
      '--published <place...>',
      'where a log is published: directory, s3://bucket/prefix, or URL of its checkpoint’s place',
    )
    .option('--witness <url...>', 'witnesses that are asked what they have cosigned')
    .addOption(
      new Option('--archive', 'restore it for reading only').conflicts(['newOrigin', 'check']),
    )
    .addOption(
      new Option(
        '--new-origin <url>',
        'go on under another name, a URL without scheme, and keep the old logs for reading',
      ).conflicts('check'),
    )
    .option('--check', 'only check it and say what is known of its logs')
    .option('--no-signatures', 'leave out the signatures of entries: most of the work')
  act(program, restore, outcome, async (options: RestoreFlags, [directory]) =>
    (await import('./backup.ts')).restore(context, String(directory), options),
  )
}

import type { Command } from 'commander'

/** The options of a command that may take two keys. */
export const twoKeyed = (command: Command): Command =>
  command
    .option('--action <id>', 'action that two leads have signed for exactly this')
    .option('--justification <text>', 'why, for the leads who must sign (default: the reason)')
    .option('--wait', 'wait until both have signed, then do it')

import type { Command } from 'commander'
import { Usage } from './complain.ts'

/** A reason of a command. */
export function wholeReason(reason: string): string {
  if (reason !== '' && reason.length <= 2048) return reason
  throw new Usage('A reason has 1 to 2048 characters: --reason')
}

/** The options of a command that may take two keys, and has a reason or none. */
export const twoKeyed = (command: Command, has: 'a reason' | 'no reason'): Command =>
  command
    .option('--action <id>', 'action that two leads have signed for exactly this')
    .option(
      '--justification <text>',
      has === 'a reason'
        ? 'why, for the leads who must sign (default: the reason)'
        : 'why, for the leads; required where two must sign',
    )
    .option('--wait', 'wait until both have signed, then do it')

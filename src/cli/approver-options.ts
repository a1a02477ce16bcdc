import type { Command } from 'commander'
import type { ApproverFlags } from './approver.ts'
import { Usage } from './complain.ts'

/** The options that say whose key signs. */
export const signedBy = (command: Command): Command =>
  command
    .option('--key <file>', 'key file of roster keygen')
    .option('--passphrase-file <file>', 'file of its passphrase (0600), - for standard input')
    .option('--ssh <file>', 'key of ssh-keygen (Ed25519), or the .pub of one in the agent')
    .option('--signature <file>', 'signature that was made elsewhere, - for standard input')
    .option('--public-key <text>', 'the key that made it')

/**
 * Refuses flags by which nobody can sign, before anything is opened.
 * @param who what a pasted signature is taken with
 * @throws {@link Usage}
 */
export function expectWay(flags: ApproverFlags, who: 'key' | 'person or key'): void {
  const { key, person, publicKey, signature, ssh } = flags
  if ([key, ssh, signature].filter((way) => way !== undefined).length !== 1)
    throw new Usage('One way to sign is wanted: --key, --ssh or --signature')
  if (signature === undefined || (person ?? publicKey) !== undefined) return
  const options = who === 'key' ? '--public-key' : '--person or --public-key'
  throw new Usage(`A pasted signature needs its ${who}: ${options}`)
}

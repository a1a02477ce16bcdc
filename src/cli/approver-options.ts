import type { Command } from 'commander'

/** The options that say whose key signs. */
export const signedBy = (command: Command): Command =>
  command
    .option('--key <file>', 'key file of roster keygen')
    .option('--passphrase-file <file>', 'file of its passphrase (0600), - for standard input')
    .option('--ssh <file>', 'key of ssh-keygen (Ed25519), or the .pub of one in the agent')
    .option('--signature <file>', 'signature that was made elsewhere, - for standard input')
    .option('--public-key <text>', 'the key that made it')

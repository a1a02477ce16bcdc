// What is done on the token itself, before there is an installation.
import { Option, type Command } from 'commander'
import { act, asJson, define, group, type Context, type Outcome } from './command.ts'
import { exitCodes } from './complain.ts'
import type { GlobalFlags } from './composition.ts'
import { formatTable, jsonLine, printable } from './terminal.ts'

interface InitKeyFlags extends GlobalFlags {
  readonly by: 'wrap' | 'encrypt' | 'any'
  readonly json?: boolean
}

async function initKey({ compose, out }: Context, { by, json, ...flags }: InitKeyFlags) {
  const made = await (await compose()).makeHsmKey(flags, by)
  const rows = [
    ['token', printable(made.tokenLabel)],
    ['key', printable(made.keyLabel)],
    ['id', printable(made.kekId)],
    ['mechanism', made.mechanism],
    ['hardware', made.hardware ? 'yes' : 'no, as the token says'],
  ]
  await out.write(json === true ? jsonLine(made) : formatTable(rows))
  return exitCodes.done
}

/** `hsm` */
export function defineHsm(program: Command, context: Context, outcome: Outcome): void {
  const hsm = group(program, 'hsm', 'Prepares a token for use as key provider.')
  const command = define(
    hsm,
    'init-key',
    'Makes the key-encryption key on the token: AES-256, which cannot leave it. Module, token and PIN are those of the environment (COUNTERSIGN_HSM_MODULE, _TOKEN_LABEL, _KEY_LABEL, _PIN_FILE). A key of the same label is left alone.',
    ['hsm init-key', 'hsm init-key --by encrypt --json'],
  )
  asJson(command)
    .option('--config <file>', 'configuration file')
    .addOption(
      new Option('--by <use>', 'what the key may do')
        .choices(['any', 'wrap', 'encrypt'])
        .default('any'),
    )
  act(program, command, outcome, (options: InitKeyFlags) => initKey(context, options))
}

// What all commands share: the options about the installation, examples in the help, and actions that are loaded when they are called, so that
// verifying links neither a database nor a key provider.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Composition, GlobalFlags } from './composition.ts'
import { Usage } from './complain.ts'
import type { Io, Output } from './terminal.ts'

/** What an action works with. */
export interface Context {
  readonly io: Io
  readonly out: Output
  readonly err: Output
  /** Loads the composition root; not called by commands that need no installation. */
  readonly compose: () => Promise<Composition>
}

/** Flags of a command that works on one tenant. */
export interface TenantFlags extends GlobalFlags {
  readonly tenant: string
  readonly json?: boolean
}

const globals = {
  data: new Option('--data <dir>', 'data directory (default: ./countersign-data)'),
  keys: new Option('--keys <dir>', 'keys directory (default: ./keys)'),
  pin: new Option(
    '--pin <place>',
    'where pins are kept: directory or s3://bucket/prefix (default: the keys directory)',
  ),
  config: new Option('--config <file>', 'configuration file'),
  kek: new Option(
    '--kek <providers>',
    'key provider: auto, kms, hsm, environment, memory, or some in order such as kms,hsm (default: auto)',
  ),
  dev: new Option('--dev', 'development installation: its evidence proves nothing to others'),
} as const

/** Puts the options about the installation in front of all commands, out of sight. */
export function acceptGlobals(program: Command): void {
  for (const { flags } of Object.values(globals)) program.addOption(new Option(flags).hideHelp())
}

/** Options of a command that reads a data directory; those about keys it takes too, so that one set of them serves every command. */
export const reading = (command: Command): Command =>
  command
    .addOption(globals.data)
    .addOption(globals.config)
    .addOption(new Option(globals.keys.flags).hideHelp())
    .addOption(new Option(globals.pin.flags).hideHelp())
    .addOption(new Option(globals.kek.flags).hideHelp())
    .addOption(new Option(globals.dev.flags).hideHelp())

/** Options of a command that writes to a data directory, so that it needs the keys. */
export const writing = (command: Command): Command =>
  command
    .addOption(globals.data)
    .addOption(globals.keys)
    .addOption(globals.pin)
    .addOption(globals.config)
    .addOption(globals.kek)
    .addOption(globals.dev)

/** The option that names a tenant. */
export const ofTenant = (command: Command): Command =>
  command.option('--tenant <name>', 'tenant', 'default')

/** The option for output by machine. */
export const asJson = (command: Command): Command => command.option('--json', 'print JSON')

/** Parses a whole number of an option. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
    if (value >= least && value <= most) return value
    throw new InvalidArgumentError(`A whole number from ${least} to ${most} is expected.`)
  }

/** A new command below `parent`; the first sentence of its description stands in the list of commands. */
export function define(
  parent: Command,
  name: string,
  description: string,
  examples: readonly string[],
): Command {
  const lines = examples.map((example) => `  $ countersign ${example}\n`).join('')
  return parent
    .command(name)
    .summary(description.slice(0, description.indexOf('. ') + 1) || description)
    .description(description)
    .helpCommand(false)
    .addHelpText('after', `\nExample${examples.length > 1 ? 's' : ''}:\n${lines.trimEnd()}`)
}

/** A command that only holds others. */
export const group = (program: Command, name: string, description: string): Command =>
  program.command(name).description(description).helpCommand(false)

/** What the commands of a group are defined with; the group stands under its own name. */
export type Defining<Group extends string> = Readonly<Record<Group, Command>> & {
  readonly program: Command
  readonly context: Context
  readonly outcome: Outcome
}

/** Exit codes are collected here, because commander drops what an action returns. */
export interface Outcome {
  exit: number
  debug: boolean
}

/** Sets what a command does. Options in front of the command count as if they stood behind it. */
export function act(
  program: Command,
  command: Command,
  outcome: Outcome,
  action: (options: never, args: readonly unknown[]) => Promise<number>,
): void {
  command.option('--debug', 'show where an internal error came from').action(async () => {
    const before = program.opts<Record<string, unknown>>()
    const stray = Object.keys(before).find(
      (name) => !command.options.some((option) => option.attributeName() === name),
    )
    if (stray !== undefined)
      throw new Usage(`Option does not apply to ${command.name()}: --${stray}`)
    const options = { ...before, ...command.opts<Record<string, unknown>>() }
    outcome.debug = options['debug'] === true
    outcome.exit = await action(options as never, command.processedArgs as readonly unknown[])
  })
}

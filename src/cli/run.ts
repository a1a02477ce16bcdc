// The command line: arguments in, exit code out. It translates and decides nothing; data goes to standard output, everything else to standard
// error, and what went wrong is said in one line with what to do about it.
import { CommanderError } from 'commander'
import type { Composition } from './composition.ts'
import type { Outcome } from './command.ts'
import { complain, exitCodes } from './complain.ts'
import { createProgram } from './program.ts'
import { Output, type Io } from './terminal.ts'

/**
 * Runs one command and gives its exit code; never rejects.
 * @param argv arguments without the program's own name
 * @param compose loads the composition root, for commands that need one
 */
export async function runCli(
  argv: readonly string[],
  io: Io,
  version: string,
  compose: () => Promise<Composition>,
): Promise<number> {
  const err = new Output(io.stderr)
  const outcome: Outcome = { debug: argv.includes('--debug'), exit: exitCodes.done }
  try {
    const context = { compose, err, io, out: new Output(io.stdout) }
    await createProgram(context, version, outcome).parseAsync(argv, { from: 'user' })
    return outcome.exit
  } catch (error) {
    // Commander has said itself what it has to say.
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    return complain(error, err, outcome.debug)
  }
}

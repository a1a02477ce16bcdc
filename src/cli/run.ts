// The command line: arguments in, exit code out. It translates and decides nothing; data goes to standard output, everything else to standard
// error, and what went wrong is said in one line with what to do about it.
import { CommanderError } from 'commander'
import type { Composition } from './composition.ts'
import type { Outcome } from './command.ts'
import { complain, exitCodes, Usage } from './complain.ts'
import { createProgram } from './program.ts'
import { Output, type Io } from './terminal.ts'

/** Refuses bytes that were no text: by what stands in their place another file would be named, and another reason signed. */
function refuseMended(argv: readonly string[]): void {
  const mended = argv.find((argument) => argument.includes('\ufffd'))
  if (mended !== undefined) throw new Usage(`An argument is not UTF-8: ${mended}`)
}

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
  const [err, out] = [new Output(io.stderr), new Output(io.stdout)]
  const outcome: Outcome = { debug: argv.includes('--debug'), exit: exitCodes.done }
  try {
    refuseMended(argv)
    const context = { compose, err, io, out }
    await createProgram(context, version, outcome).parseAsync(argv, { from: 'user' })
    return outcome.exit
  } catch (error) {
    // Commander has said itself what it has to say.
    if (!(error instanceof CommanderError)) return complain(error, err, outcome.debug)
    if (error.exitCode !== 0) return exitCodes.usage
  }
  try {
    // Help was written by commander, which does not look whether it could be.
    await out.write('')
    return exitCodes.done
  } catch (error) {
    return complain(error, err, outcome.debug)
  }
}

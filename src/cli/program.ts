// The tree of commands, put together from its parts.
import { Command, Help } from 'commander'
import { defineAction } from './action-commands.ts'
import { defineAdministration } from './administration-commands.ts'
import { defineAudit } from './audit-commands.ts'
import { acceptGlobals, type Context, type Outcome } from './command.ts'
import { defineBackup } from './backup-commands.ts'
import { defineDecisions } from './decision-commands.ts'
import { defineEscalation } from './escalation-commands.ts'
import { defineEvidence } from './evidence-commands.ts'
import { defineHsm } from './hsm-commands.ts'
import { defineInstallation } from './installation-commands.ts'
import { defineKeys } from './keys-commands.ts'
import { defineLog } from './log-commands.ts'
import { defineMonitor } from './monitor-commands.ts'
import { defineOverride } from './override-commands.ts'
import { definePolicy } from './policy-commands.ts'
import { defineProposal } from './proposal-commands.ts'
import { defineRoster } from './roster-commands.ts'
import { defineWebhooks } from './webhook-commands.ts'
import { printable } from './terminal.ts'
import { defineWitness } from './witness-commands.ts'

const maxColumns = 100

const epilogue = `
Exit codes:
    0  done, or every dossier is valid
    1  refused, or the answer is no: a policy denies, a case fails, something would change
    2  usage, configuration or input
    3  some evidence is bad
    4  none is bad, some inconclusive, unprovable or erased
   70  a defect of Countersign
   75  not now: try again, or two leads must sign first
  130  interrupted (SIGINT)
  141  nobody reads the output any more
  143  interrupted (SIGTERM); serve that ends in order exits 0`

/** The program, which puts what becomes of a command into `outcome`. */
export function createProgram(context: Context, version: string, outcome: Outcome): Command {
  const { stdout, stderr } = context.io
  const columns = (stream: object): number =>
    Math.min(
      'columns' in stream && typeof stream.columns === 'number' ? stream.columns : maxColumns,
      maxColumns,
    )
  const program = new Command('countersign')
    .description('A notary for automated decisions: signed, logged, verifiable offline.')
    .version(version)
    .helpOption('-h, --help', 'say what a command does')
    .helpCommand(false)
    .enablePositionalOptions()
    .showHelpAfterError('Add --help to see what is expected.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => columns(stdout),
      getErrHelpWidth: () => columns(stderr),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text, write) => {
        write(
          text
            .replace(/^error: /, 'countersign: ')
            .split('\n')
            .map(printable)
            .join('\n'),
        )
      },
    })
    .configureHelp({
      optionDescription: (option) =>
        `${new Help().optionDescription(option)}${option.mandatory ? ' (required)' : ''}`,
    })
    .addHelpText('after', epilogue)
  acceptGlobals(program)
  defineInstallation(program, context, outcome)
  defineDecisions(program, context, outcome)
  defineEvidence(program, context, outcome)
  defineAudit(program, context, outcome)
  defineKeys(program, context, outcome)
  definePolicy(program, context, outcome)
  defineOverride(program, context, outcome)
  defineAction(program, context, outcome)
  defineProposal(program, context, outcome)
  defineEscalation(program, context, outcome)
  defineRoster(program, context, outcome)
  defineLog(program, context, outcome)
  defineAdministration(program, context, outcome)
  defineBackup(program, context, outcome)
  defineHsm(program, context, outcome)
  defineWebhooks(program, context, outcome)
  defineWitness(program, context, outcome)
  defineMonitor(program, context, outcome)
  return program
}

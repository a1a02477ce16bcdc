import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { failureCodes } from '../../../src/base/failure.ts'
import { exitCodes } from '../../../src/cli/complain.ts'
import type { Composition } from '../../../src/cli/composition.ts'
import { signalExit } from '../../../src/cli/interrupt.ts'
import { closedPipe, listCommands, run, type Ran } from './harness.ts'

const pathOf = (command: Command): readonly string[] =>
  command.parent === null ? [] : [...pathOf(command.parent), command.name()]

const commands = listCommands().slice(1)
const named = commands.map((command) => [pathOf(command).join(' '), command] as const)
/** Every command that does something, whatever is added to them; and every one that does not go on without being told what to do. */
const leaves = named.filter(([, { commands: below }]) => below.length === 0)
const groups = named.filter(([, { commands: below }]) => below.length > 0)

/** What nobody may ask: a mistake is told before anything is opened. */
const untouched = (): never => {
  throw new Error('asked')
}
const composition: Partial<Composition> = { openReading: untouched, openService: untouched }

/** What is said of a mistake. */
async function mistake(argv: readonly string[]): Promise<string> {
  const { code, stderr, stdout } = await run(argv, { composition })
  expect([argv, code, stdout]).toEqual([argv, 2, ''])
  return stderr
}

const help = (name: string, stdout?: Parameters<typeof run>[1]): Promise<Ran> =>
  run([...name.split(' '), '--help'], stdout)

describe.each(named)('countersign %s', (name, { options, registeredArguments }) => {
  const words = name.split(' ')

  it('says what it does where it is asked, and minds no reader that has gone', async () => {
    const { code, stderr, stdout } = await help(name)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(new RegExp(`^Usage: countersign ${name}[ \n]`))
    const ended = await help(name, { stdout: closedPipe() })
    expect([ended.code, ended.stderr]).toEqual([141, ''])
  })

  it('refuses options that it has not, and those without their value', async () => {
    // What must be given is missed before.
    expect(await mistake([...words, '--frobnicate'])).toMatch(
      /unknown option '--frobnicate'|required option/,
    )
    for (const { flags, long, required } of options)
      if (required)
        expect(await mistake([...words, String(long)])).toContain(
          `option '${flags}' argument missing`,
        )
  })

  it('refuses to go on without what it wants', async () => {
    const mandatory = options.some((option) => option.mandatory)
    const wanted = registeredArguments.some(({ required }) => required)
    if (mandatory || wanted)
      expect(await mistake(words)).toMatch(/required option|missing required argument/)
  })

  it('refuses more than it takes', async () => {
    if (registeredArguments.some(({ variadic }) => variadic)) return
    const given = [...registeredArguments, 'more'].map((_, n) => `argument${n}`)
    expect(await mistake([...words, ...given])).toMatch(
      /too many arguments|unknown command|required option/,
    )
  })
})

it('the help names every exit code there is, and no other', async () => {
  const { stdout } = await run(['--help'])
  const told = stdout.slice(stdout.indexOf('Exit codes:')).matchAll(/^ +(\d+) {2}\S/gm)
  const codes = [
    ...Object.values(failureCodes).map(({ exit }) => exit),
    ...Object.values(exitCodes),
    ...Object.values(signalExit),
  ]
  expect([...told].map(([, code]) => Number(code))).toEqual(
    [...new Set(codes)].toSorted((one, other) => one - other),
  )
})

it('there are commands, and groups of them', () => {
  expect([leaves.length > 80, groups.length > 15]).toEqual([true, true])
})

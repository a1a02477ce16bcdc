import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import type { Context } from '../../src/cli/command.ts'
import { createProgram } from '../../src/cli/program.ts'
import { Output } from '../../src/cli/terminal.ts'

const text: string[] = []
const stdout = new PassThrough().on('data', (chunk: Buffer) => text.push(chunk.toString()))
const stderr = new PassThrough()
const context: Context = {
  compose: () => Promise.reject(new Error('Help needs no installation')),
  err: new Output(stderr),
  io: { cwd: '/', env: {}, signals: new EventEmitter(), stderr, stdin: new PassThrough(), stdout },
  out: new Output(stdout),
}
const program = createProgram(context, '0.0.0', { debug: false, exit: 0 })

const all = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(all)]

const nameOf = (command: Command): string =>
  command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`

async function helpOf(command: Command): Promise<string> {
  text.length = 0
  command.outputHelp()
  await new Promise(setImmediate)
  return text.join('')
}

describe('the help', () => {
  it('is what is pinned: change it on purpose with vitest -u', async () => {
    let pages = ''
    for (const command of all(program))
      pages += `===== ${nameOf(command)}\n${await helpOf(command)}\n`
    await expect(pages).toMatchFileSnapshot('cli-help.txt')
  })

  it.each(
    all(program)
      .filter(({ commands, parent }) => parent !== null && commands.length === 0)
      .map((command) => [nameOf(command), command] as const),
  )('says of %s what it does, with an example', async (name, command) => {
    const help = await helpOf(command)
    expect(help).toContain(`  $ ${name}`)
    expect(command.description()).toMatch(/^[A-Z].*\.$/s)
    for (const { description, flags, hidden } of command.options)
      expect(hidden || description !== '', flags).toBe(true)
  })

  it('never is wider than 100 columns', async () => {
    for (const command of all(program))
      for (const line of (await helpOf(command)).split('\n'))
        expect(line.length, line).toBeLessThanOrEqual(100)
  })
})

import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { outcomeOf } from '../support/cli.ts'

const file = JSON.stringify(resolve(import.meta.dirname, '../../src/server-log.ts'))

/** Runs a program that has opened the log of a server. */
const start = (program: string) =>
  spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import { openServerLog } from ${file}; const { close, logger } = openServerLog('info'); ${program}`,
  ])

const lines = (text: string): readonly unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { n?: unknown; msg: unknown }).n)

test('what was logged is written when the process ends by itself, by exit and by a throw', async () => {
  for (const end of ['', 'process.exit(3)', 'throw new Error("end")']) {
    const { stderr } = await outcomeOf(
      start(`for (let n = 0; n < 1000; n++) logger.info({ n }, 'line'); ${end}`),
    )
    expect(lines(stderr.split('\n').slice(0, 1000).join('\n')), end).toEqual(
      Array.from({ length: 1000 }, (_, n) => n),
    )
  }
})

test('what was logged is written after a moment, though nothing more is', async () => {
  const child = start(`logger.info({ n: 7 }, 'line'); setInterval(() => undefined, 1000)`)
  const written = await new Promise<string>((done) => {
    child.stderr.setEncoding('utf8').once('data', done)
  })
  child.kill('SIGKILL')
  expect(lines(written)).toEqual([7])
})

test('closing writes what waits and leaves nothing behind', async () => {
  const { code, stderr } = await outcomeOf(
    start(
      `logger.info({ n: 1 }, 'line'); close(); if (process.listenerCount('exit') > 0) process.exit(1)`,
    ),
  )
  expect([code, lines(stderr)]).toEqual([0, [1]])
})

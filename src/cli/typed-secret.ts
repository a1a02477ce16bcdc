// Secrets that people hand over: from a file that is theirs alone, from standard input, or typed without being shown. Never from an argument, which
// every process of the machine can read.
import { createInterface } from 'node:readline'
import { resolve } from 'node:path'
import { Writable } from 'node:stream'
import { Secret } from '../crypto/secret.ts'
import { readSecretFile } from '../kek/kek-file.ts'
import type { Context } from './command.ts'
import { Usage } from './complain.ts'
import { Interrupted } from './interrupt.ts'
import type { Io } from './terminal.ts'

const maxBytes = 256

/** Where a secret comes from, in words for its messages. */
interface Wanted {
  readonly option: string
  readonly prompt: string
}

/** All of standard input, which must be short, without a newline at its end: as a file is read, or the same passphrase would be two. */
async function readStdin({ stdin }: Io, option: string): Promise<Secret> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      if (length > maxBytes)
        throw new Usage(`Standard input is longer than a passphrase: ${option}`)
    }
    const text = Buffer.concat(chunks)
    const end = text.at(-1) !== 0x0a ? length : text.at(-2) === 0x0d ? length - 2 : length - 1
    const secret = new Secret(text.subarray(0, end))
    text.fill(0)
    return secret
  } finally {
    for (const chunk of chunks) chunk.fill(0)
  }
}

/** A line typed at the terminal, which does not show it. */
function askHidden({ err, io }: Context, { option, prompt }: Wanted): Promise<Secret> {
  const silent = new Writable({
    write(_chunk, _encoding, done) {
      done()
    },
  })
  const terminal = createInterface({
    historySize: 0,
    input: io.stdin,
    output: silent,
    terminal: true,
  })
  err.note(prompt)
  return new Promise((resolve, reject) => {
    terminal.once('line', (line) => {
      resolve(new Secret(Buffer.from(line)))
      terminal.close()
    })
    // Ctrl-C would else only stop the reading, and Ctrl-D leave nobody to answer.
    terminal.once('SIGINT', () => {
      reject(new Interrupted('SIGINT'))
      terminal.close()
    })
    terminal.once('close', () => {
      err.note('\n')
      reject(new Usage(`Nothing was typed: ${option}`))
    })
  })
}

/**
 * The secret of an option that names a file, `-` for standard input; without it a person at a terminal is asked.
 * @throws {@link Usage}, or {@link Failure} CONFIG_INVALID when others could read the file
 */
export async function readTypedSecret(
  context: Context,
  file: string | undefined,
  wanted: Wanted,
): Promise<Secret> {
  const { io } = context
  if (file === '-') return readStdin(io, wanted.option)
  if (file !== undefined) return readSecretFile(resolve(io.cwd, file), wanted.option)
  if ('isTTY' in io.stdin && io.stdin.isTTY === true) return askHidden(context, wanted)
  throw new Usage(`A file is wanted, or - for standard input: ${wanted.option}`)
}

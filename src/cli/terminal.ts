// What the command line is connected to, handed in so that it runs in a test as it runs in a process. Standard output carries data and nothing
// else; a reader that goes away ends the work quietly.
import type { EventEmitter } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { Failure } from '../base/failure.ts'

/** The surroundings of one run. */
export interface Io {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where relative FILE and DIR arguments start. */
  readonly cwd: string
  /** Emits SIGINT and SIGTERM; `process` in a process. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>
}

/** The reader of standard output has gone. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}

/** Whether a stream is a terminal. */
const isTerminal = (stream: object): boolean => 'isTTY' in stream && stream.isTTY === true

/** Writes to a stream and waits until it was taken. */
export class Output {
  readonly #stream: Writable
  #error: Error | undefined

  constructor(stream: Writable) {
    this.#stream = stream
    // Without a listener an EPIPE would take the process down.
    stream.on('error', (error: Error) => {
      this.#error ??= error
    })
  }

  get isTerminal(): boolean {
    return isTerminal(this.#stream)
  }

  /** @throws {@link OutputClosed} when nobody reads any more; {@link Failure} STORE_FAILED when it cannot be written otherwise */
  async write(data: string | Uint8Array): Promise<void> {
    const error =
      this.#error ??
      (await new Promise<Error | null | undefined>((resolve) => this.#stream.write(data, resolve)))
    if (error === null || error === undefined) return
    if ('code' in error && error.code === 'EPIPE') throw new OutputClosed('Output was closed')
    throw new Failure('STORE_FAILED', 'Output cannot be written', { cause: error })
  }

  /** Writes what may be lost. */
  note(text: string): void {
    if (this.#error === undefined) this.#stream.write(text)
  }
}

// Control characters, and characters that hide or reorder what stands beside them.
const hidden =
  /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g

/** Text of a stranger as a terminal may show it: what could move the cursor or hide a word is spelt out. */
export const printable = (text: string): string =>
  text.replaceAll(hidden, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** A time as people read it, of ms since 1970. */
export const date = (ms: number): string => new Date(ms).toISOString()

/** One line of JSON. */
export const jsonLine = (value: unknown): string => `${JSON.stringify(value)}\n`

/** Rows as aligned columns, one line each; what is last in a row is not padded. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows)
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

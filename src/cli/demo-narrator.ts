import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { printable } from './terminal.ts'

type Style = Parameters<typeof styleText>[0]

const columns = 78

const statusStyles: Readonly<Record<string, Style>> = {
  ALLOW: 'green',
  BLOCK: 'red',
  ERROR: 'red',
  ESCALATE: 'yellow',
  REVIEW_REQUIRED: 'yellow',
}

/** Breaks text at spaces. */
function wrap(text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** Tells a story on a stream; colours only where the stream is a terminal that wants them. */
export class Narrator {
  readonly #stream: Writable
  #chapter = 0

  constructor(stream: Writable) {
    this.#stream = stream
  }

  #style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stream })
  }

  #line(text: string): void {
    this.#stream.write(`${text}\n`)
  }

  title(text: string): void {
    this.#line(this.#style('bold', text))
  }

  chapter(text: string): void {
    this.#line(`\n${this.#style('bold', `${++this.#chapter}  ${text}`)}\n`)
  }

  say(text: string): void {
    for (const line of wrap(text)) this.#line(line)
  }

  command(text: string): void {
    this.#line(`\n  ${this.#style('cyan', `$ countersign ${text}`)}`)
  }

  /** Something that can be seen. */
  show(text: string): void {
    this.#line(`  ${printable(text)}`)
  }

  fact(name: string, value: string): void {
    this.#line(`  ${this.#style('dim', name.padEnd(15))} ${printable(value)}`)
  }

  decision(status: string, action: string, actor: string, rest: string): void {
    const label = this.#style(statusStyles[status] ?? 'dim', status.padEnd(15))
    this.#line(`  ${label} ${action.padEnd(22)} ${actor.padEnd(19)} ${this.#style('dim', rest)}`)
  }

  good(text: string): void {
    this.#line(`  ${this.#style('green', '✓')} ${text}`)
  }

  gap(): void {
    this.#line('')
  }
}

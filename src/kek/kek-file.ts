// The file of an environment KEK: readable by its owner alone, made so from its first moment.
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { createPrivateFile } from './private-file.ts'
import { privateBytes, privateCopy } from '../crypto/private-bytes.ts'
import { Secret } from '../crypto/secret.ts'
import { generateEnvironmentKek } from './environment-key.ts'

const maxBytes = 256
const newline = 0x0a
const carriageReturn = 0x0d

const shellQuoted = (path: string): string => `'${path.replaceAll("'", String.raw`'\''`)}'`

const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'

/** Why a file must not hold a key, or undefined. */
function objection(stat: Stats, path: string): string | undefined {
  if (!stat.isFile()) return `is not a regular file: ${path}`
  const mode = stat.mode & 0o7777
  if (mode !== 0o600 && mode !== 0o400)
    return `has mode ${mode.toString(8).padStart(4, '0')}, run: chmod 600 ${shellQuoted(path)}`
  const uid = process.geteuid?.()
  if (uid !== undefined && stat.uid !== uid && stat.uid !== 0)
    return `belongs to user ${stat.uid}, run: chown ${uid} ${shellQuoted(path)}`
  return undefined
}

/** All bytes up to `maxBytes + 1`, which the caller wipes. */
function readAll(fd: number): Uint8Array {
  const buffer = privateBytes(maxBytes + 1)
  let length = 0
  for (;;) {
    const read = readSync(fd, buffer, length, buffer.length - length, null)
    length += read
    if (read === 0 || length === buffer.length) break
  }
  const text = privateCopy(buffer.subarray(0, length))
  buffer.fill(0)
  return text
}

function withoutNewline(text: Uint8Array): Uint8Array {
  if (text.at(-1) !== newline) return text
  return text.subarray(0, text.at(-2) === carriageReturn ? -2 : -1)
}

function openForReading(path: string, setting: string): number {
  try {
    // O_NONBLOCK, or opening a FIFO would wait for its writer.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw new Failure(
      'CONFIG_INVALID',
      `${setting} cannot be read (${errorCode(cause)}): ${path}`,
      {
        cause,
      },
    )
  }
}

/**
 * The text of a secret's file without its trailing newline; `setting` names it in messages.
 * @throws {@link Failure} CONFIG_INVALID when it cannot be read, is too long, or its kind, mode or owner let others at it
 */
export function readSecretFile(path: string, setting: string): Secret {
  const fd = openForReading(path, setting)
  try {
    // The open file is judged, not the name: what is checked is what is read.
    const why = objection(fstatSync(fd), path)
    if (why !== undefined) throw new Failure('CONFIG_INVALID', `${setting} ${why}`)
    const text = readAll(fd)
    try {
      if (text.length > maxBytes)
        throw new Failure('CONFIG_INVALID', `${setting} is longer than a key: ${path}`)
      return new Secret(withoutNewline(text))
    } finally {
      text.fill(0)
    }
  } finally {
    closeSync(fd)
  }
}

/**
 * The text of COUNTERSIGN_KEK_FILE, as {@link readSecretFile} reads it.
 * @throws {@link Failure} CONFIG_INVALID
 */
export const readKekFile = (path: string): Secret => readSecretFile(path, 'COUNTERSIGN_KEK_FILE')

/**
 * Makes a new environment KEK in a new file, mode 0600; durable when it returns.
 * @throws {@link Failure} INPUT_EXISTS when there is something at that path, which is left alone; STORE_FAILED when it could not be written
 */
export function createKekFile(path: string): void {
  const text = utf8(`${generateEnvironmentKek()}\n`)
  try {
    createPrivateFile(path, text, 'Key file')
  } finally {
    text.fill(0)
  }
}

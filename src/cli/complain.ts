// How the command line says no: one line what is wrong, one what to do, and the exit code of the failure table. A stack is for who asks for it.
import { encodeHex, utf8 } from '../base/bytes.ts'
import { asFailure, Failure, type FailureCode } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'
import { Interrupted } from './interrupt.ts'
import { OutputClosed, printable, type Output } from './terminal.ts'

/** The command was given what it cannot use; exit code 2. */
export class Usage extends Error {
  override readonly name = 'Usage'
}

/** Exit codes that no failure gives. */
export const exitCodes = Object.freeze({
  done: 0,
  usage: 2,
  /** Not done, and may be later. */
  notNow: 75,
  badEvidence: 3,
  inconclusive: 4,
  /** What a shell reports of a program whose reader went away. */
  outputClosed: 141,
})

/** What to do about a failure, where the message alone does not say it. */
const advice: Partial<Readonly<Record<FailureCode, string>>> = {
  INPUT_CONFLICT: 'Use another idempotency key for another request',
  INPUT_NOT_CLAIMABLE: 'Only an ALLOW outside shadow mode can be claimed',
  INPUT_ERASED: 'What remains is its dossier: leaves, signatures and the entry that erased it',
  KEK_UNAVAILABLE: 'Try again when the key provider answers; nothing weaker takes its place',
  KEK_DENIED: 'Give this process the right to use the key, then try again',
  KEK_KEY_MISSING: 'Configure the key that this installation was made with',
  KEK_KEY_DISABLED: 'Enable the key at its provider, then try again',
  OPEN_FAILED: 'Use the key that this installation was made with',
  KEY_STORE_REFUSED: 'Somebody changed the stored keys, or another data directory was meant',
  LOG_BUSY: 'Try again in a moment',
  LOG_STATE_UNKNOWN: 'Run the same command again: idempotency keys make that safe',
  LOG_CLOCK: 'Set the clock of this machine, then try again',
  LOG_ROLLBACK: 'Nothing was changed. Never bring an older pin back along with an older database',
  ACTION_REQUIRED: 'Name one tenant, so that the command asks its leads: --tenant',
  TENANT_CLOSED: 'Its log can be read, verified and exported as before',
  STORE_LOCKED: 'Stop the other process, then run the same command again',
  STORE_FAILED:
    'Look whether the place is reachable and its disk full, then run the same command again',
  STORE_FULL: 'Make room on the disk, then run the same command again',
  STORE_CORRUPT:
    'countersign log fsck names what is wrong, log rebuild makes tiles again; for all else keep it for inspection and bring a sound copy back: countersign restore --help',
}

/** The same bug has the same id, whoever meets it. */
const bugId = (failure: Failure): string => {
  const cause = failure.cause instanceof Error ? failure.cause : failure
  const places = (cause.stack ?? cause.message).replaceAll(/\(?(file:\/\/)?\/.*\//g, '')
  return encodeHex(sha256(utf8(places))).slice(0, 12)
}

function describe(failure: Failure): string {
  const { code, message } = failure
  if (code === 'BUG')
    return `countersign: Internal error ${bugId(failure)}: ${printable(message)} (BUG)\n  This is a defect of Countersign. Add --debug to see where\n`
  const hint = advice[code]
  return `countersign: ${printable(message)} (${code})\n${hint === undefined ? '' : `  ${hint}\n`}`
}

function trace(error: unknown): string {
  if (!(error instanceof Error)) return ''
  return `${error.stack ?? error.message}\n${error.cause === undefined ? '' : `caused by ${trace(error.cause)}`}`
}

/** Where the system refused a path: what was named is wrong, the machine has no room, or it may do later. */
const refusals: Readonly<Record<string, FailureCode>> = {
  EACCES: 'CONFIG_INVALID',
  EEXIST: 'CONFIG_INVALID',
  EISDIR: 'CONFIG_INVALID',
  ELOOP: 'CONFIG_INVALID',
  ENAMETOOLONG: 'CONFIG_INVALID',
  ENOENT: 'CONFIG_INVALID',
  ENOTDIR: 'CONFIG_INVALID',
  EPERM: 'CONFIG_INVALID',
  EROFS: 'CONFIG_INVALID',
  EDQUOT: 'STORE_FULL',
  ENOSPC: 'STORE_FULL',
  EIO: 'STORE_FAILED',
  EMFILE: 'STORE_FAILED',
  ENFILE: 'STORE_FAILED',
}

/** What a failure means by what the system said of a path; nothing where the system said nothing. */
function refusalOf(error: unknown): Failure | undefined {
  if (error instanceof Failure) {
    if (error.code === 'BUG') return refusalOf(error.cause)
    if (error.code !== 'STORE_FAILED' || !(error.cause instanceof Error)) return undefined
    const { code = '', path } = error.cause as NodeJS.ErrnoException
    const known = refusals[code]
    // What is written to an open file is refused without its path, and for want of room all the same.
    if (known === undefined || (path === undefined && known === 'CONFIG_INVALID')) return undefined
    const said = error.message.includes(code) ? error.message : `${error.message} (${code})`
    // Trying again would not make a directory of a file, nor room.
    return new Failure(known, said, { cause: error.cause })
  }
  if (!(error instanceof Error)) return undefined
  const { code = '', path, syscall } = error as NodeJS.ErrnoException
  const known = refusals[code]
  return path === undefined || syscall === undefined || known === undefined
    ? undefined
    : new Failure(known, `The system refuses ${syscall} (${code}): ${path}`, { cause: error })
}

/** Tells what ended a command and gives the exit code. */
export function complain(error: unknown, err: Output, debug: boolean): number {
  if (error instanceof OutputClosed) return exitCodes.outputClosed
  if (error instanceof Interrupted) {
    err.note('countersign: Interrupted, and nothing is left of it: run it again\n')
    return error.exit
  }
  if (error instanceof Usage) {
    err.note(`countersign: ${printable(error.message)}\n`)
    return exitCodes.usage
  }
  const failure = refusalOf(error) ?? asFailure(error)
  err.note(describe(failure))
  if (debug) err.note(trace(failure))
  return failure.exit
}

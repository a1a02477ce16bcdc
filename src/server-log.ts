// The log of a server: its lines go to stderr together, some times a second, because a system call for each took a tenth of the thread that answers.
// What is waiting goes out when the server closes and when its process ends by itself; SIGKILL costs the lines of a tenth of a second.
import { pino, type Logger } from 'pino'

const gatherBytes = 8192
const gatherMs = 100
const stderr = 2

/** A logger of one line an event, in JSON. */
export interface ServerLog {
  readonly logger: Logger
  /** Writes what waits, and is done. */
  readonly close: () => void
}

/** How lines look wherever we log. */
export const lineOptions = (level: string) => ({
  level,
  base: null,
  timestamp: pino.stdTimeFunctions.isoTime,
})

/** Opens the log of a server. */
export function openServerLog(level: string): ServerLog {
  const lines = pino.destination({
    dest: stderr,
    minLength: gatherBytes,
    periodicFlush: gatherMs,
    sync: true,
  })
  const flush = (): void => {
    lines.flushSync()
  }
  process.once('exit', flush)
  return {
    logger: pino(lineOptions(level), lines),
    close() {
      process.off('exit', flush)
      flush()
    },
  }
}

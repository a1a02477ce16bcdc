// A log's head held against its pin: the same, or grown from it. Needs no keys, so that all logs are looked at before any of them is opened.
import { equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import type { LogHead, StoreReader } from '../store/store.ts'
import type { Pin } from './pin.ts'
import { readRootAt } from './tree-reading.ts'

/** A log as its store has it. */
export interface PinnedLog {
  readonly store: StoreReader
  readonly tenant: string
  readonly origin: string
  readonly head: LogHead
}

/** A refusal that says what was rolled back, and the way out. */
export const rollback = (message: string): Failure => new Failure('LOG_ROLLBACK', message)

/**
 * Sees that the pinned head is a prefix of the log. Only where the log has grown are tiles read.
 * @throws {@link Failure} LOG_ROLLBACK when it is not, or the pin of a log with entries is missing
 */
export async function checkPinnedHead(log: PinnedLog, pinned: Pin | undefined): Promise<void> {
  const { head, origin, store, tenant } = log
  const { root, size } = head
  if (pinned === undefined) {
    if (size === 0) return
    throw rollback(
      `Pin of ${origin} is missing but its log has ${size} entries: bring the pin back, or give the newest checkpoint known elsewhere to countersign log repin`,
    )
  }
  if (pinned.origin !== origin)
    throw rollback(`Pin of ${origin} is of another log, bring its own back: ${pinned.origin}`)
  if (pinned.size > size)
    throw rollback(
      `Database of ${origin} is behind its pin, bring the newer one back (if it is lost: countersign restore --help): ${size} < ${pinned.size}`,
    )
  const rootThen = pinned.size === size ? root : await readRootAt(store, tenant, size, pinned.size)
  if (!equalBytes(rootThen, pinned.root))
    throw rollback(
      pinned.size === size
        ? `Database of ${origin} is a fork of the one that was pinned, bring that one back and keep this one as evidence; size ${size}`
        : `Database of ${origin} has grown from a copy and is not the one that was pinned, bring that one back and keep this one as evidence; sizes ${size} and ${pinned.size}`,
    )
}

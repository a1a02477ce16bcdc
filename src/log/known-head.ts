// Tree heads that others know of a log: what was pinned, published or cosigned. A log may not go on from before them, and may not contradict them.
import { equalBytes } from '../base/bytes.ts'
import type { LogHead, StoreReader } from '../store/store.ts'
import { readRootAt } from './tree-reading.ts'

/** A tree head, and by whom it is known. */
export interface KnownHead {
  readonly origin: string
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** Such as `the pin` or a place where it is published. */
  readonly who: string
}

/** How a stored log stands to a head that is known of it. */
export type Standing = 'grown' | 'behind' | 'forked'

/** Whether a log has grown from a known head, is behind it, or contradicts it. @throws {@link Failure} STORE_CORRUPT */
export async function standingTo(
  store: StoreReader,
  tenant: string,
  head: Pick<LogHead, 'root' | 'size'>,
  known: Pick<KnownHead, 'root' | 'size'>,
): Promise<Standing> {
  if (known.size > head.size) return 'behind'
  const root =
    known.size === head.size ? head.root : await readRootAt(store, tenant, head.size, known.size)
  return equalBytes(root, known.root) ? 'grown' : 'forked'
}

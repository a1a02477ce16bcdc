// Reads what strace saw of a server and holds every answer against the order of the log: the last write of its transaction to the WAL, the WAL's fsync, the
// write of the pin, the pin's fdatasync, and only then the answer. An answer names the size of its checkpoint, and so does the pin.

/** How the answers stand to the syncs before them. */
export interface SyncOrder {
  readonly answers: number
  /** Sizes of checkpoints that were given away before everything under them was on the disk. */
  readonly early: readonly number[]
}

/** What to trace. */
export const syncOrderTrace = 'pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg'

interface Call {
  readonly syscall: string
  /** What strace wrote of its arguments. */
  readonly args: string
}

/** The beginning or the successful end of a call; strace writes them apart only when something came in between. */
interface Event extends Call {
  readonly at: 'start' | 'end'
}

function* eventsIn(trace: string): Generator<Event> {
  const open = new Map<string, Call>()
  for (const line of trace.split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const started = /^(\w+)\((.*?)(?:\) += (-?\d+).*| <unfinished \.\.\.>)$/.exec(rest)
    const resumed = /^<\.\.\. \w+ resumed>.*\) += (-?\d+)/.exec(rest)
    if (started !== null) {
      const [, syscall = '', args = '', result] = started
      yield { args, at: 'start', syscall }
      if (result === undefined) open.set(pid, { args, syscall })
      else if (Number(result) >= 0) yield { args, at: 'end', syscall }
    } else if (resumed !== null) {
      const call = open.get(pid)
      open.delete(pid)
      if (call !== undefined && Number(resumed[1]) >= 0) yield { ...call, at: 'end' }
    }
  }
}

const isWal = ({ args }: Call): boolean => /^\d+<[^>]*countersign\.db-wal>/.test(args)
const isPin = ({ args }: Call): boolean => /^\d+<[^>]*\.pin>/.test(args)
const isSocket = ({ args }: Call): boolean => /^\d+<(socket|TCP)/.test(args)

/** The size of the tree that a pin or an answer speaks of. */
const pinnedSize = ({ args }: Call): number => Number(/\\"size\\":(\d+)/.exec(args)?.[1] ?? NaN)
const answeredSize = ({ args }: Call): number =>
  Number(/\\"checkpoint\\":\\"[^"\\]*\\\\n(\d+)\\\\n/.exec(args)?.[1] ?? NaN)

/** Judges a trace. */
export function judgeSyncOrder(trace: string): SyncOrder {
  let wal: 'clean' | 'written' | 'synced' = 'clean'
  let pinning = { size: NaN, sound: false }
  const durable = new Set<number>()
  let answers = 0
  const early: number[] = []
  for (const event of eventsIn(trace)) {
    const { at, syscall } = event
    if (syscall === 'pwrite64' && at === 'start' && isWal(event)) wal = 'written'
    else if (syscall === 'fsync' && at === 'end' && isWal(event)) wal = 'synced'
    else if (syscall === 'pwrite64' && at === 'start' && isPin(event)) {
      pinning = { size: pinnedSize(event), sound: wal === 'synced' }
      wal = wal === 'synced' ? 'clean' : wal
    } else if (syscall === 'fdatasync' && at === 'end' && isPin(event)) {
      if (pinning.sound) durable.add(pinning.size)
    } else if (at === 'start' && isSocket(event)) {
      const size = answeredSize(event)
      if (Number.isNaN(size)) continue
      answers++
      if (!durable.has(size)) early.push(size)
    }
  }
  return { answers, early }
}

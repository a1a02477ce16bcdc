// What is measured on: figures mean little without it. A file system in memory makes fsync free, and then the figures mean nothing.
import { closeSync, fdatasyncSync, openSync, statfsSync, writeSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { median } from './figures.ts'

// Magic numbers of statfs(2).
const fileSystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0x794c7630, 'overlayfs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
])

/** The machine, and the disk that the data is on. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly node: string
  readonly platform: string
  readonly fileSystem: string
  /** Whether what is written is on a disk; in memory every durable figure is worthless. */
  readonly onDisk: boolean
  /** Median time of writing 4 kB durably. */
  readonly fsyncMs: number
}

function measureFsync(directory: string): number {
  const fd = openSync(join(directory, 'fsync'), 'w')
  const block = Buffer.alloc(4096, 1)
  const times = Array.from({ length: 200 }, () => {
    const began = performance.now()
    writeSync(fd, block, 0, block.length, 0)
    fdatasyncSync(fd)
    return performance.now() - began
  })
  closeSync(fd)
  return median(times)
}

/** Describes the machine and the disk of a directory. */
export function describeMachine(directory: string): Machine {
  const { type } = statfsSync(directory)
  const fileSystem = fileSystems.get(type) ?? `0x${type.toString(16)}`
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    fileSystem,
    onDisk: !['tmpfs', 'ramfs'].includes(fileSystem),
    fsyncMs: Number(measureFsync(directory).toFixed(3)),
  }
}

/** CPU time (ms) that the machine has spent since it started. */
const spentByAll = (): number =>
  cpus().reduce((sum, { times: { irq, nice, sys, user } }) => sum + irq + nice + sys + user, 0)

const spentHere = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

/** Cores that other processes kept busy while this one did some work; of ours none may work beside it. */
export function watchOthers<T>(work: () => T): { readonly result: T; readonly othersBusy: number } {
  const [began, all, here] = [performance.now(), spentByAll(), spentHere()]
  const result = work()
  const others = spentByAll() - all - (spentHere() - here)
  return { result, othersBusy: Math.max(0, others) / (performance.now() - began) }
}

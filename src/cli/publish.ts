// Publishing the log as static files.
import type { Context, TenantFlags } from './command.ts'
import { exitCodes } from './complain.ts'
import { listenForInterrupt, signalExit } from './interrupt.ts'
import { Meter } from './progress.ts'
import { jsonLine, printable } from './terminal.ts'

/** Flags of `log publish`. */
export interface PublishFlags extends TenantFlags {
  readonly to: string
}

/** `log publish` */
export async function publish(context: Context, flags: PublishFlags): Promise<number> {
  const { compose, err, io, out } = context
  const { json, tenant, to, ...globals } = flags
  const meter = new Meter(err, 'entries')
  const interrupt = listenForInterrupt(io.signals)
  try {
    const published = await (
      await compose()
    ).publishLog(globals, {
      progress: (done, total) => {
        meter.show(done, total)
      },
      signal: interrupt.signal,
      tenant,
      to,
    })
    meter.clear()
    const { files, from, origin, size } = published
    await out.write(
      json === true
        ? jsonLine({ tenant, to, ...published })
        : `published  ${printable(origin)}  size ${from} -> ${size}  ${files} new files  ${printable(to)}\n`,
    )
    return exitCodes.done
  } catch (error) {
    meter.clear()
    if (interrupt.received === undefined) throw error
    err.note('countersign: interrupted, nothing half is visible: run it again to go on\n')
    return signalExit[interrupt.received]
  } finally {
    interrupt.stop()
  }
}

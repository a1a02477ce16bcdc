// Making an installation, serving it, and saying what it is configured to be.
import type { Context } from './command.ts'
import type { InitFlags, ServeFlags } from './composition.ts'
import { exitCodes } from './complain.ts'
import { listenForInterrupt } from './interrupt.ts'
import { formatTable, jsonLine } from './terminal.ts'

interface Printed {
  readonly json?: boolean
}

/** `init` */
export async function init(
  { compose, err, out }: Context,
  flags: InitFlags & Printed,
): Promise<number> {
  const made = await (await compose()).init(flags)
  if (flags.json === true) {
    await out.write(jsonLine(made))
    return exitCodes.done
  }
  const rows: [string, string][] = [
    ['instance', made.instance],
    ['data', made.data],
    ['keys', made.keys],
    ['key provider', made.provider],
    ['tenant', made.tenant],
    ['origin', made.origin],
    ['trust root', made.trustRootFile],
    ['its SHA-256', made.trustRootSha256],
  ]
  if (made.kekFile !== null) rows.push(['KEK file', made.kekFile])
  await out.write(formatTable(rows))
  err.note(
    '\nWhoever verifies needs the trust root, and its SHA-256 by another way than the file.\n',
  )
  if (made.kekFile !== null)
    err.note(
      'Keep a copy of the KEK file where the data is not: without it no key here ever opens again.\n',
    )
  return exitCodes.done
}

/** `serve` */
export async function serve(
  { compose, err, io, out }: Context,
  flags: ServeFlags & Printed,
): Promise<number> {
  const server = await (await compose()).serve(flags)
  const interrupt = listenForInterrupt(io.signals)
  try {
    const { devToken, url } = server
    await out
      .write(flags.json === true ? jsonLine({ url, devToken }) : `${url}\n`)
      .catch(async (error: unknown) => {
        // Nobody would know where it listens, nor that it still does.
        await server.close()
        throw error
      })
    if (devToken !== null && flags.json !== true)
      err.note(`Playground: its evidence proves nothing. API key with every scope: ${devToken}\n`)
    const asked = await Promise.race([interrupt.asked, server.ended])
    if (asked === undefined) return 1
    const closed = server.close().then(() => exitCodes.done)
    return await Promise.race([closed, interrupt.insisted])
  } finally {
    interrupt.stop()
  }
}

const text = (value: unknown): string =>
  value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value)

/** `config check` */
export async function checkConfig(
  { compose, out }: Context,
  flags: ServeFlags & Printed,
): Promise<number> {
  const settings = await (await compose()).describeConfig(flags)
  if (flags.json === true) await out.write(jsonLine(settings))
  else
    await out.write(
      formatTable(
        Object.entries(settings).map(([path, { from, value }]) => [path, text(value), from]),
      ),
    )
  return exitCodes.done
}

/** `config schema` */
export async function printConfigSchema({ compose, out }: Context): Promise<number> {
  await out.write(`${JSON.stringify((await compose()).configSchema(), null, 2)}\n`)
  return exitCodes.done
}

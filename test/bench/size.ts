// What does not depend on how much is in the log: the cost of an append, the memory of a server, the time it takes to start.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createComposition } from '../../src/compose.ts'
import { median } from './figures.ts'
import { prefill } from './prefill.ts'
import { connections, Generator } from './results.ts'
import { requestText } from './sample.ts'
import { copyInstallation, startServer, type Installation } from './server.ts'

/** How large, and how often. */
export interface SizeScale {
  readonly small: number
  readonly middle: number
  readonly large: number
  readonly rounds: number
  /** Decisions of a round. */
  readonly appends: number
  /** How long a server is loaded before its memory is read. */
  readonly seconds: number
}

/** What was measured at the sizes; medians of rounds, ratios of what stood in one round. */
export interface SizeReport {
  readonly entries: Readonly<Record<'small' | 'middle' | 'large', number>>
  /** Time of a decision in process, 64 at once, in µs. */
  readonly appendUs: Readonly<Record<'small' | 'large', number>>
  /** Memory of a server after the same load, in MB. */
  readonly residentMb: Readonly<Record<'middle' | 'large', number>>
  /** From the command to the line that tells the address, in ms. */
  readonly startMs: Readonly<Record<'small' | 'large', number>>
  readonly ratios: Readonly<Record<'append' | 'resident' | 'start', number>>
}

const tenant = 'checkpoint'
const round = (value: number, digits: number): number => Number(value.toFixed(digits))

/** µs that a decision takes in process at the end of a log; some are made before the clock runs. */
async function timeAppends({ data, keys, tokens }: Installation, count: number): Promise<number> {
  const composition = createComposition({ cwd: keys, env: {}, version: '0.0.0' })
  const service = await composition.openService({ data, keys })
  try {
    const principal = await service.authenticate(tokens[tenant])
    const append = async (many: number): Promise<void> => {
      for (let left = many; left > 0; left -= connections)
        await Promise.all(
          Array.from({ length: connections }, () => service.notarise(principal, requestText, null)),
        )
    }
    await append(2 * connections)
    const began = performance.now()
    await append(count)
    return ((performance.now() - began) * 1000) / (Math.ceil(count / connections) * connections)
  } finally {
    await service.close()
  }
}

async function timeStart(installation: Installation, log: string): Promise<number> {
  const began = performance.now()
  const server = await startServer(installation, log, [])
  const took = performance.now() - began
  await server.close()
  return took
}

async function weigh(installation: Installation, log: string, seconds: number): Promise<number> {
  const server = await startServer(installation, log, [])
  const generator = new Generator()
  try {
    await generator.load({
      body: requestText,
      connections,
      path: '/v1/decisions',
      port: server.port,
      seconds,
      token: installation.tokens[tenant],
      warmupSeconds: 0,
    })
    return server.residentMb()
  } finally {
    generator.close()
    await server.close()
  }
}

/** Measures at three sizes below a directory, which afterwards holds the large log no more; `step` is called before each part. */
export async function measureSizes(
  directory: string,
  installed: Installation,
  scale: SizeScale,
  step: () => void,
): Promise<SizeReport> {
  const { appends, large, middle, rounds, seconds, small } = scale
  const log = join(directory, 'sizes.log')
  const grown = async (name: string, size: number): Promise<Installation> => {
    step()
    const installation = copyInstallation(installed, join(directory, name))
    await prefill(installation, tenant, size)
    return installation
  }
  const asSmall = await grown('small', small)
  const atMiddle = await grown('middle', middle)
  const atLarge = await grown('large', large)
  const appended: { small: number; large: number; ratio: number }[] = []
  const started: { small: number; large: number; ratio: number }[] = []
  for (let i = 0; i < rounds; i++) {
    step()
    // The small log would not stay small.
    const atSmall = copyInstallation(asSmall, join(directory, 'small-once'))
    const pair = async (time: (at: Installation) => Promise<number>) => {
      const [first, second] = [await time(atSmall), await time(atLarge)]
      return { large: second, ratio: second / first, small: first }
    }
    started.push(await pair((at) => timeStart(at, log)))
    appended.push(await pair((at) => timeAppends(at, appends)))
  }
  step()
  const resident = {
    middle: await weigh(atMiddle, log, seconds),
    large: await weigh(atLarge, log, seconds),
  }
  rmSync(join(directory, 'large'), { recursive: true, force: true })
  const of = (taken: typeof appended, name: 'small' | 'large' | 'ratio', digits: number): number =>
    round(median(taken.map((one) => one[name])), digits)
  return {
    entries: { large, middle, small },
    appendUs: { large: of(appended, 'large', 1), small: of(appended, 'small', 1) },
    residentMb: { large: round(resident.large, 1), middle: round(resident.middle, 1) },
    startMs: { large: of(started, 'large', 0), small: of(started, 'small', 0) },
    ratios: {
      append: of(appended, 'ratio', 3),
      resident: round(resident.large / resident.middle, 3),
      start: of(started, 'ratio', 3),
    },
  }
}

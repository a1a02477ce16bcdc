// What a run gives: medians of its rounds, as an object and as tables for people.
import { median, type Load } from './figures.ts'
import type { Machine } from './machine.ts'
import { policyCells, type PolicyReport } from './policy.ts'
import type { Sizes } from './results.ts'
import { profiles, type Profile } from './server.ts'
import type { SizeReport } from './size.ts'

type Both<T> = Readonly<Record<Profile, T>>

/** Operations a second of one thread; of `http` requests at 64 connections. */
export interface Floors {
  readonly ed25519: number
  readonly composite: number
  readonly sqliteRows: number
  readonly pipeline: number
  readonly http: Load
  /** The pipeline behind HTTP in the threads of the service, with nothing else in them. */
  readonly skeleton: Load
}

/** One turn of everything. */
export interface Round {
  /** Cores that processes of others kept busy meanwhile: from 0.1 upwards the figures are theirs too, and ratios to a floor of one thread suffer. */
  readonly othersBusy: number
  readonly floors: Floors
  readonly http: Both<Load>
  /** The same intents, decided on by a policy of ten rules instead of submitted. */
  readonly evaluated: Both<Load>
  readonly inProcess: Both<Load>
}

/** Decisions in ratio to their floor: `checkpoint` to the pipeline of one thread, `each` to the composite signatures of all cores. */
export interface Ratios {
  readonly http: Both<number>
  /** To what is submitted over HTTP. */
  readonly evaluated: Both<number>
  readonly inProcess: Both<number>
  /** The skeleton to the pipeline of one thread: what the machine lets such threads reach. */
  readonly skeleton: number
}

/** The whole run. */
export interface Report extends Round {
  readonly v: 1
  readonly mode: string
  readonly rounds: number
  readonly connections: number
  readonly machine: Machine
  /** Bytes. */
  readonly sizes: Both<Sizes>
  readonly verifyMs: Both<number>
  readonly ratios: Ratios
  readonly size: SizeReport
  readonly policy: PolicyReport
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits))

const both = <T>(make: (profile: Profile) => T): Both<T> => ({
  checkpoint: make('checkpoint'),
  each: make('each'),
})

const medianLoad = (loads: readonly Load[]): Load => ({
  perSecond: round(median(loads.map(({ perSecond }) => perSecond)), 0),
  p50Ms: round(median(loads.map(({ p50Ms }) => p50Ms)), 2),
  p99Ms: round(median(loads.map(({ p99Ms }) => p99Ms)), 2),
})

const floorOf = ({ floors }: Round, profile: Profile, cores: number): number =>
  profile === 'checkpoint' ? floors.pipeline : floors.composite * cores

/** Medians of the rounds, and of their ratios: each round is compared with itself, because the machine changes from one to the next. */
export function summarize(rounds: readonly Round[], cores: number): Round & Pick<Report, 'ratios'> {
  const rate = (of: (floors: Floors) => number): number =>
    round(median(rounds.map(({ floors }) => of(floors))), 0)
  const ratios = (of: 'http' | 'inProcess'): Both<number> =>
    both((profile) =>
      round(
        median(rounds.map((one) => one[of][profile].perSecond / floorOf(one, profile, cores))),
        3,
      ),
    )
  return {
    othersBusy: round(median(rounds.map(({ othersBusy }) => othersBusy)), 2),
    floors: {
      ed25519: rate(({ ed25519 }) => ed25519),
      composite: rate(({ composite }) => composite),
      sqliteRows: rate(({ sqliteRows }) => sqliteRows),
      pipeline: rate(({ pipeline }) => pipeline),
      http: medianLoad(rounds.map(({ floors }) => floors.http)),
      skeleton: medianLoad(rounds.map(({ floors }) => floors.skeleton)),
    },
    http: both((profile) => medianLoad(rounds.map(({ http }) => http[profile]))),
    evaluated: both((profile) => medianLoad(rounds.map(({ evaluated }) => evaluated[profile]))),
    inProcess: both((profile) => medianLoad(rounds.map(({ inProcess }) => inProcess[profile]))),
    ratios: {
      http: ratios('http'),
      evaluated: both((profile) =>
        round(
          median(
            rounds.map((one) => one.evaluated[profile].perSecond / one.http[profile].perSecond),
          ),
          3,
        ),
      ),
      inProcess: ratios('inProcess'),
      skeleton: round(
        median(rounds.map(({ floors }) => floors.skeleton.perSecond / floors.pipeline)),
        3,
      ),
    },
  }
}

const line = (name: string, ...cells: readonly (number | string)[]): string =>
  name.padEnd(44) + cells.map((cell) => String(cell).padStart(12)).join('')

const loadCells = ({ p50Ms, p99Ms, perSecond }: Load): readonly number[] => [
  perSecond,
  p50Ms,
  p99Ms,
]

const sizeLines = ({ appendUs, entries, ratios, residentMb, startMs }: SizeReport): string[] => [
  line('with so many entries', entries.small, entries.middle, entries.large, 'ratio'),
  line('appending one, in process, us', appendUs.small, '', appendUs.large, ratios.append),
  line('starting, ms', startMs.small, '', startMs.large, ratios.start),
  line('resident memory, MB', '', residentMb.middle, residentMb.large, ratios.resident),
]

/** The report as tables. */
export function formatReport(report: Report): string {
  const { connections, evaluated, floors, http, inProcess, machine, ratios, sizes, verifyMs } =
    report
  const { cores, cpu, fileSystem, fsyncMs, node, onDisk, platform } = machine
  return [
    `${cores} cores (${cpu}), ${platform}, Node ${node}; others kept ${report.othersBusy} cores busy`,
    `${fileSystem}, ${fsyncMs} ms a durable write${onDisk ? '' : ': IN MEMORY, durable figures are worthless'}`,
    `${report.rounds} rounds (${report.mode}), ${connections} requests at once`,
    '',
    line('bytes', 'request', 'statement', 'answer', 'dossier'),
    ...profiles.map((profile) => {
      const { answer, dossier, request, statement } = sizes[profile]
      return line(profile, request, statement, answer, dossier)
    }),
    '',
    line('floors', 'a second', 'p50 ms', 'p99 ms'),
    line('Ed25519 signatures, one thread', floors.ed25519),
    line('composite signatures, verified, one thread', floors.composite),
    line('SQLite rows, batches of 256', floors.sqliteRows),
    line('pipeline without HTTP, one thread', floors.pipeline),
    line('bare HTTP', ...loadCells(floors.http)),
    line('pipeline behind HTTP (of pipeline)', ...loadCells(floors.skeleton), ratios.skeleton),
    '',
    line('decisions', 'a second', 'p50 ms', 'p99 ms', 'of floor'),
    ...profiles.map((profile) =>
      line(`HTTP, ${profile}`, ...loadCells(http[profile]), ratios.http[profile]),
    ),
    ...profiles.map((profile) =>
      line(
        `HTTP, evaluated, ${profile} (of submitted)`,
        ...loadCells(evaluated[profile]),
        ratios.evaluated[profile],
      ),
    ),
    ...profiles.map((profile) =>
      line(`in process, ${profile}`, ...loadCells(inProcess[profile]), ratios.inProcess[profile]),
    ),
    '',
    line('verifying a dossier', 'ms'),
    ...profiles.map((profile) => line(profile, verifyMs[profile])),
    '',
    line('deciding, one core', 'a second', 'p50 us', 'p99 us'),
    ...policyCells(report.policy).map(([name, ...cells]) => line(name, ...cells)),
    '',
    ...sizeLines(report.size),
    '',
  ].join('\n')
}

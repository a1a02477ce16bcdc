// npm run bench [-- --json] [--quick | --smoke] [--dir DIR] [--cpu-prof DIR]
//
// Measures, on this machine and in one run: floors (what the machine can do in the same formats with nothing around them), results (decisions by
// `serve` over HTTP at 64 connections and in process, in both profiles; verifying a dossier) and the ratios between them. Floors and results take
// turns, and every figure is the median of the rounds, ratios too: other work on the machine then moves both sides. Compare ratios, not figures.
// Then the decision engine alone, by number of rules, and what must not depend on how much is in the log: appending at 10^3 and 10^6 entries, memory
// at 10^4 and 10^6, starting at 10^6.
//
//   --json      one JSON object on stdout instead of tables; progress is on stderr in any case
//   --quick     fewer and shorter rounds and at most 10^5 entries, a minute instead of 6; --smoke only shows that everything runs
//   --dir       where to work; it must be on a disk with 4 GB to spare (default: a temporary directory)
//   --cpu-prof  leave V8 CPU profiles of the server's threads here
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { createFloors } from './floor.ts'
import { describeMachine } from './machine.ts'
import { measurePolicy } from './policy.ts'
import { formatReport, summarize, type Report, type Round } from './report.ts'
import { connections, Subjects } from './results.ts'
import { measureRound, type Scale } from './round.ts'
import { install } from './server.ts'
import { measureSizes, type SizeScale } from './size.ts'

const scales: Readonly<Record<'full' | 'quick' | 'smoke', Scale>> = {
  full: { rounds: 5, floorSeconds: 1, warmupSeconds: 0.5, seconds: 4, verifications: 200 },
  quick: { rounds: 3, floorSeconds: 0.4, warmupSeconds: 0.3, seconds: 1.2, verifications: 100 },
  smoke: { rounds: 1, floorSeconds: 0.05, warmupSeconds: 0.1, seconds: 0.2, verifications: 5 },
}

/** Sizes, and how often and how long is measured at them. */
const sizes: Readonly<Record<keyof typeof scales, SizeScale>> = {
  full: { small: 1000, middle: 10_000, large: 1_000_000, rounds: 7, appends: 1024, seconds: 4 },
  quick: { small: 1000, middle: 10_000, large: 100_000, rounds: 3, appends: 512, seconds: 1.5 },
  smoke: { small: 20, middle: 40, large: 300, rounds: 1, appends: 64, seconds: 0.2 },
}

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    dir: { type: 'string' },
    'cpu-prof': { type: 'string' },
  },
})
const mode = flags.smoke ? 'smoke' : flags.quick ? 'quick' : 'full'
const scale = scales[mode]
const progress = (text: string): void => {
  process.stderr.write(text)
}

// Composite signatures are made on libuv's pool; it is as large as in the program itself.
process.env['UV_THREADPOOL_SIZE'] ??= String(availableParallelism())

async function measure(directory: string): Promise<Report> {
  const machine = describeMachine(directory)
  if (!machine.onDisk) progress(`${directory} is in memory: choose a disk by --dir\n`)
  const profileTo = flags['cpu-prof']
  const nodeFlags =
    profileTo === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profileTo)}`]
  progress('starting')
  const floors = createFloors(directory)
  const installed = await install(join(directory, 'installed'))
  const subjects = await Subjects.start(directory, installed, nodeFlags)
  try {
    const take = (scale: Scale): Promise<Round> =>
      measureRound(floors, subjects, scale, () => {
        progress('.')
      })
    // Code is still being compiled in the first round, so that it is slower than all others.
    if (mode !== 'smoke') await take({ ...scales.quick, seconds: 0.6 })
    const rounds: Round[] = []
    while (rounds.length < scale.rounds) {
      progress(` ${rounds.length + 1}/${scale.rounds} `)
      rounds.push(await take(scale))
    }
    const checkpoint = await subjects.verify('checkpoint', scale.verifications)
    const each = await subjects.verify('each', scale.verifications)
    progress(' policy ')
    const policy = measurePolicy(scale.floorSeconds)
    progress(' sizes ')
    const size = await measureSizes(directory, installed, sizes[mode], () => {
      progress('.')
    })
    return {
      v: 1,
      mode,
      rounds: rounds.length,
      connections,
      machine,
      sizes: { checkpoint: checkpoint.sizes, each: each.sizes },
      ...summarize(rounds, machine.cores),
      size,
      policy,
      verifyMs: { checkpoint: Number(checkpoint.ms.toFixed(3)), each: Number(each.ms.toFixed(3)) },
    }
  } finally {
    await subjects.close()
    progress('\n')
  }
}

const parent = resolve(flags.dir ?? tmpdir())
mkdirSync(parent, { recursive: true })
const directory = mkdtempSync(join(parent, 'countersign-bench-'))
process.once('SIGINT', () => process.exit(130))
process.once('exit', () => {
  rmSync(directory, { recursive: true, force: true })
})
const report = await measure(directory)
process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report))

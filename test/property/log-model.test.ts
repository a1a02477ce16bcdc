import { rmSync } from 'node:fs'
import fc, { type AsyncCommand } from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LogWorld, type Ending, type Mishap } from '../support/log-world.ts'

// Commands in any order on a real installation, held against a model of a few numbers: how long the log must be, and how long old copies of it are.
// FAULTS=all (npm run test:fault) runs many more of them.
const all = process.env['FAULTS'] === 'all'
const runs = all ? 60 : 6
const longest = all ? 60 : 30

interface Model {
  /** Entries that the log has. */
  size: number
  /** Sizes of copies of the data directory, and of backups. */
  readonly copies: number[]
  readonly backups: number[]
}

const ran = new Map<string, number>()

/** A command that is always possible, unless it says otherwise. */
abstract class Step implements AsyncCommand<Model, LogWorld> {
  check(model: Model): boolean {
    return model.size > 0
  }

  async run(model: Model, world: LogWorld): Promise<void> {
    const name = this.toString().split(' ')[0] ?? ''
    ran.set(name, (ran.get(name) ?? 0) + 1)
    await this.act(model, world)
    expect(await world.broken()).toEqual([])
    expect(await world.size()).toBe(model.size)
  }

  abstract act(model: Model, world: LogWorld): Promise<void>
  abstract toString(): string
}

class Append extends Step {
  readonly #count: number
  constructor(count: number) {
    super()
    this.#count = count
  }
  async act(model: Model, world: LogWorld): Promise<void> {
    expect(new Set(await world.append(this.#count))).toEqual(new Set(['fine']))
    model.size += this.#count
  }
  toString = (): string => `append ${this.#count}`
}

class AppendBadly extends Step {
  readonly #what: 'commit' | 'pin'
  readonly #mishap: Mishap
  constructor(what: 'commit' | 'pin', mishap: Mishap) {
    super()
    this.#what = what
    this.#mishap = mishap
  }
  async act(model: Model, world: LogWorld): Promise<void> {
    expect(await world.appendBadly(this.#what, this.#mishap)).toBe('LOG_STATE_UNKNOWN')
    // Behind the commit the entry is there, whether it was pinned or not: nobody was told, and it stays.
    if (this.#what === 'pin' || this.#mishap === 'done') model.size++
  }
  toString = (): string => `${this.#what}-fails ${this.#mishap}`
}

class Prove extends Step {
  readonly #which: number
  constructor(which: number) {
    super()
    this.#which = which
  }
  async act(_: Model, world: LogWorld): Promise<void> {
    const indexes = [...world.promised.keys()]
    const index = indexes[this.#which % Math.max(1, indexes.length)]
    if (index !== undefined) expect(await world.prove(index)).toBe('valid')
  }
  toString = (): string => `prove ${this.#which}`
}

class Crash extends Step {
  readonly #underWay: number
  constructor(underWay: number) {
    super()
    this.#underWay = underWay
  }
  async act(model: Model, world: LogWorld): Promise<void> {
    await world.crash(this.#underWay)
    const size = await world.size()
    expect(size).toBeGreaterThanOrEqual(model.size)
    expect(size).toBeLessThanOrEqual(model.size + this.#underWay)
    model.size = size
  }
  toString = (): string => `crash ${this.#underWay}`
}

class Reload extends Step {
  async act(_: Model, world: LogWorld): Promise<void> {
    await world.close()
    await world.open()
  }
  toString = (): string => 'reload'
}

class Copy extends Step {
  async act(model: Model, world: LogWorld): Promise<void> {
    await world.copy(`copy-${model.copies.length}`)
    model.copies.push(model.size)
  }
  toString = (): string => 'copy'
}

class BackUp extends Step {
  async act(model: Model, world: LogWorld): Promise<void> {
    await world.backUp(`backup-${model.backups.length}`)
    model.backups.push(model.size)
  }
  toString = (): string => 'backup'
}

/** What must become of an old state of the log: only the newest may go on. */
const expected = (model: Model, size: number): Ending =>
  size < model.size ? 'LOG_ROLLBACK' : 'fine'

class CopyBack extends Step {
  readonly #which: number
  constructor(which: number) {
    super()
    this.#which = which
  }
  override check({ copies }: Model): boolean {
    return copies.length > 0
  }
  async act(model: Model, world: LogWorld): Promise<void> {
    const which = this.#which % model.copies.length
    const ending = await world.copyBack(`copy-${which}`)
    expect(ending).toBe(expected(model, model.copies[which] ?? 0))
  }
  toString = (): string => `copy-back ${this.#which}`
}

class Restore extends Step {
  readonly #which: number
  constructor(which: number) {
    super()
    this.#which = which
  }
  override check({ backups }: Model): boolean {
    return backups.length > 0
  }
  async act(model: Model, world: LogWorld): Promise<void> {
    const which = this.#which % model.backups.length
    const ending = await world.restore(`backup-${which}`)
    expect(ending).toBe(expected(model, model.backups[which] ?? 0))
  }
  toString = (): string => `restore ${this.#which}`
}

class SecondWriter extends Step {
  readonly #onCopy: boolean
  constructor(onCopy: boolean) {
    super()
    this.#onCopy = onCopy
  }
  async act(_: Model, world: LogWorld): Promise<void> {
    expect(await world.openSecond(this.#onCopy)).toBe('STORE_LOCKED')
  }
  toString = (): string => `second-writer ${String(this.#onCopy)}`
}

class LosePin extends Step {
  async act(model: Model, world: LogWorld): Promise<void> {
    expect(await world.losePin()).toEqual(['LOG_ROLLBACK', 'fine'])
    // The log tells that it was pinned again.
    model.size++
  }
  toString = (): string => 'lose-pin'
}

const which = fc.nat(1000)
const commands = fc.commands(
  [
    fc.integer({ max: 40, min: 1 }).map((count) => new Append(count)),
    fc
      .tuple(fc.constantFrom('commit', 'pin'), fc.constantFrom('undone', 'done'))
      .map(([what, mishap]) => new AppendBadly(what, mishap)),
    which.map((n) => new Prove(n)),
    fc.integer({ max: 40, min: 0 }).map((underWay) => new Crash(underWay)),
    fc.constant(new Reload()),
    fc.constant(new Copy()),
    fc.constant(new BackUp()),
    which.map((n) => new CopyBack(n)),
    which.map((n) => new Restore(n)),
    fc.boolean().map((onCopy) => new SecondWriter(onCopy)),
    fc.constant(new LosePin()),
  ],
  { maxCommands: longest, size: 'max' },
)

let template = ''
beforeAll(async () => {
  template = await LogWorld.template()
})
afterAll(() => {
  rmSync(template, { force: true, recursive: true })
})

it(
  'whatever is done to it, a log keeps what it promised, signs one history, and goes on only from its newest state',
  { timeout: all ? 1_200_000 : 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(commands, async (steps) => {
        const real = await LogWorld.found(template)
        try {
          const model: Model = { backups: [], copies: [], size: await real.size() }
          await fc.asyncModelRun(() => ({ model, real }), steps)
        } finally {
          await real.remove()
        }
      }),
      { numRuns: runs },
    )
    const counts = [...ran].map(([name, count]) => `${name} ${count}`).sort()
    const total = [...ran.values()].reduce((sum, count) => sum + count, 0)
    process.stdout.write(`commands on a log: ${total} in ${runs} runs (${counts.join(', ')})\n`)
    expect(total).toBeGreaterThan(runs)
    if (all) expect(ran.size).toBe(12)
  },
)

// One turn of everything that is measured. Each result stands beside its own floor, so that both see the same machine.
import { repeat, type Load, type Span } from './figures.ts'
import type { createFloors } from './floor.ts'
import { watchOthers } from './machine.ts'
import type { Round } from './report.ts'
import type { Subjects } from './results.ts'
import type { Profile } from './server.ts'

/** How long to measure. */
export interface Scale extends Span {
  readonly rounds: number
  readonly floorSeconds: number
  readonly verifications: number
}

type Floors = ReturnType<typeof createFloors>

/** Measures everything once; `step` is called before each part. */
export async function measureRound(
  floors: Floors,
  subjects: Subjects,
  { floorSeconds, seconds, warmupSeconds }: Scale,
  step: () => void,
): Promise<Round> {
  const rate = (name: 'ed25519' | 'composite' | 'sqliteRows' | 'pipeline'): number => {
    step()
    const { operations, run } = floors[name]
    return repeat(run, operations, floorSeconds)
  }
  const decide = (where: 'http' | 'evaluated' | 'inProcess', profile: Profile): Promise<Load> => {
    step()
    return subjects[where](profile, { seconds, warmupSeconds })
  }
  const ed25519 = rate('ed25519')
  const sqliteRows = rate('sqliteRows')
  step()
  const http = await subjects.bareHttp(floors.http, { seconds: floorSeconds, warmupSeconds })
  const { othersBusy, result: pipeline } = watchOthers(() => rate('pipeline'))
  step()
  const skeleton = await subjects.skeleton({ seconds, warmupSeconds })
  const checkpoint = {
    http: await decide('http', 'checkpoint'),
    evaluated: await decide('evaluated', 'checkpoint'),
    inProcess: await decide('inProcess', 'checkpoint'),
  }
  const composite = rate('composite')
  const each = {
    http: await decide('http', 'each'),
    evaluated: await decide('evaluated', 'each'),
    inProcess: await decide('inProcess', 'each'),
  }
  return {
    othersBusy,
    floors: { composite, ed25519, http, pipeline, skeleton, sqliteRows },
    http: { checkpoint: checkpoint.http, each: each.http },
    evaluated: { checkpoint: checkpoint.evaluated, each: each.evaluated },
    inProcess: { checkpoint: checkpoint.inProcess, each: each.inProcess },
  }
}

// Every member of what is signed and of what is logged, changed one by one, everything resealed that needs no key.
import { fromUtf8 } from '../../../src/base/bytes.ts'
import { logHolds, operatorHolds, type Draft } from '../../support/forge.ts'
import { streams, type World } from '../../support/forge-world.ts'
import {
  attack,
  changeAt,
  ends,
  innermost,
  refused,
  stepAt,
  type Forgery,
  type Path,
  type Tenant,
} from './forgery.ts'

interface Target {
  readonly tenant: Tenant
  readonly stream: string
  readonly seq: number
  readonly name: string
}

const targets: readonly Target[] = [
  { name: 'decision', seq: 0, stream: streams.rich, tenant: 'each' },
  { name: 'fast decision', seq: 0, stream: streams.rich, tenant: 'fast' },
  { name: 'execution', seq: 1, stream: streams.allow, tenant: 'each' },
  { name: 'fast execution', seq: 1, stream: streams.allow, tenant: 'fast' },
  { name: 'erasure', seq: 2, stream: streams.erased, tenant: 'fast' },
  { name: 'key', seq: 3, stream: 'keys', tenant: 'each' },
  { name: 'trust', seq: 0, stream: 'trust', tenant: 'each' },
  { name: 'admin', seq: 0, stream: 'admin', tenant: 'each' },
]

const sealedAt = (world: World, { seq, stream, tenant }: Target) => {
  const sealed = world[tenant].log.sealed.find(
    ({ step }) => step.stream === stream && step.seq === seq,
  )
  if (sealed === undefined) throw new Error(`No step ${seq} of ${stream}`)
  return sealed
}

/** The parts of a statement that `formatStatement` makes itself, and so do not follow a change. */
const fixed = (path: Path): boolean => path[0] !== 'predicate' || path[1] !== 'matter'

function ofStatement(world: World, target: Target): Forgery[] {
  const { name, seq, stream, tenant } = target
  const statement = JSON.parse(fromUtf8(sealedAt(world, target).payload)) as Draft
  return [...innermost(statement)].flatMap((path) => {
    const steps = (all: Parameters<typeof stepAt>[0]): void => {
      const step = stepAt(all, stream, seq)
      if (fixed(path))
        step.statement = (draft) => {
          changeAt(draft, path)
        }
      else changeAt(step.matter, path.slice(2))
    }
    const what = `${name}: ${path.join('.')} is another`
    const keyless = refused(`${what}, without any key`, 'checkpoint.signatures', () =>
      attack(world, tenant, stream, { steps }),
    )
    const byLog = refused(
      `${what}, by the holder of the log keys`,
      `entries[${seq}].signature`,
      () => attack(world, tenant, stream, { holds: logHolds, steps }),
    )
    return stream === streams.rich ? [keyless, byLog] : [byLog]
  })
}

/** What the holder of every key would still have to get right, by member of the statement. */
const selfMade: Readonly<Record<string, string>> = {
  _type: 'statement',
  'predicate.instance': 'statement',
  'predicate.kind': 'statement',
  'predicate.origin': 'statement',
  'predicate.prev': 'statement',
  'predicate.salt': 'statement',
  'predicate.seq': 'statement',
  'predicate.stream': 'statement',
  'predicate.tenant': 'statement',
  predicateType: 'statement',
  'subject.0.digest.sha256': 'statement',
  'subject.0.name': 'statement',
}

const ofPlace = (world: World): Forgery[] =>
  Object.entries(selfMade).map(([path, check]) =>
    refused(`${path} is another in what the operator signs`, `entries[0].${check}`, () =>
      attack(world, 'each', streams.rich, {
        holds: operatorHolds,
        steps(steps) {
          stepAt(steps, streams.rich).statement = (draft) => {
            changeAt(
              draft,
              path.split('.').map((name) => (name === '0' ? 0 : name)),
            )
          }
        },
      }),
    ),
  )

/** Another log, stream or step in the statement than in the leaf, consistent in itself. */
const ofAnotherPlace = (world: World): Forgery[] =>
  (
    [
      ['kind', { kind: 'execution' }],
      ['stream', { stream: streams.block }],
      ['step', { seq: 1 }],
      ['predecessor', { prev: 'ab'.repeat(32) }],
      ['instance', { instance: '01890a5d-ac96-774b-bcce-b302099a8058' }],
      ['origin', { origin: 'log.example/fast' }],
      ['tenant', { tenant: 'fast' }],
    ] as const
  ).map(([what, place]) =>
    refused(`a whole statement of another ${what}`, 'entries[0].statement', () =>
      attack(world, 'each', streams.rich, {
        holds: operatorHolds,
        steps(steps) {
          stepAt(steps, streams.rich).place = place
        },
      }),
    ),
  )

type LeafChange = readonly [name: string, check: string, leaf: (leaf: Draft) => void]

const leafChanges: readonly LeafChange[] = [
  ['kind', 'signature', (leaf) => (leaf['kind'] = 'execution')],
  ['pae', 'payload', (leaf) => (leaf['pae'] = 'ab'.repeat(64))],
  ['prev', 'statement', (leaf) => (leaf['prev'] = 'ab'.repeat(32))],
  ['seq', 'statement', (leaf) => (leaf['seq'] = 1)],
  ['sig', 'signature-digest', (leaf) => (leaf['sig'] = 'ab'.repeat(32))],
  ['stream', 'statement', (leaf) => (leaf['stream'] = streams.block)],
  ['time, not a whole number,', 'leaf', (leaf) => (leaf['time'] = 0.5)],
  ['time, negative,', 'leaf', (leaf) => (leaf['time'] = -1)],
  ['v', 'leaf', (leaf) => (leaf['v'] = 2)],
  ['kind, unknown,', 'leaf', (leaf) => (leaf['kind'] = 'consensus')],
  ['stream with a capital', 'leaf', (leaf) => (leaf['stream'] = 'Keys')],
  ['stream of 65 characters', 'leaf', (leaf) => (leaf['stream'] = 'a'.repeat(65))],
  ['keyid in capitals', 'leaf', (leaf) => (leaf['keyid'] = String(leaf['keyid']).toUpperCase())],
  ['member too many', 'leaf', (leaf) => (leaf['more'] = 1)],
]

function ofLeaf(world: World): Forgery[] {
  const forgeries = leafChanges.flatMap(([name, check, leaf]) => {
    const steps = (all: Parameters<typeof stepAt>[0]): void => {
      stepAt(all, streams.rich).leaf = leaf
    }
    const what = `leaf: another ${name}`
    return [
      refused(`${what}, without any key`, 'checkpoint.signatures', () =>
        attack(world, 'each', streams.rich, { steps }),
      ),
      refused(`${what}, by the holder of the log keys`, `entries[0].${check}`, () =>
        attack(world, 'each', streams.rich, { holds: logHolds, steps }),
      ),
    ]
  })
  const missing = ['keyid', 'kind', 'pae', 'prev', 'seq', 'sig', 'stream', 'time', 'v'].map(
    (name) =>
      refused(`leaf: without its ${name}`, 'entries[0].leaf', () =>
        attack(world, 'each', streams.rich, {
          holds: operatorHolds,
          steps(steps) {
            stepAt(steps, streams.rich).leaf = (leaf) => {
              Reflect.deleteProperty(leaf, name)
            }
          },
        }),
      ),
  )
  const time = refused('leaf: another time, without any key', 'checkpoint.signatures', () =>
    attack(world, 'each', streams.rich, {
      steps(steps) {
        stepAt(steps, streams.rich).time -= 1
      },
    }),
  )
  const keyid = ends('inconclusive', 'leaf: a key nobody knows', 'entries[0].key', () =>
    attack(world, 'each', streams.rich, {
      holds: logHolds,
      steps(steps) {
        stepAt(steps, streams.rich).leaf = (leaf) => (leaf['keyid'] = 'ab'.repeat(32))
      },
    }),
  )
  return [...forgeries, ...missing, time, keyid]
}

type MatterChange = readonly [name: string, change: (matter: Draft) => void]

const intentOf = (matter: Draft): Draft => matter['intent'] as Draft

const notMatters: readonly MatterChange[] = [
  ['with a member too many', (matter) => (matter['more'] = 1)],
  ['of an id that is none', (matter) => (matter['id'] = 'not-a-uuid')],
  ['of a status that is none', (matter) => (matter['status'] = 'MAYBE')],
  ['of a source that is none', (matter) => (matter['source'] = 'guessed')],
  ['of a mode that is none', (matter) => (matter['mode'] = 'off')],
  ['for no use', (matter) => (matter['maxUses'] = 0)],
  ['for half a use', (matter) => (matter['maxUses'] = 0.5)],
  ['for too many uses', (matter) => (matter['maxUses'] = 1_000_001)],
  ['with confidence above 1', (matter) => (matter['confidence'] = 1.01)],
  ['with confidence below 0', (matter) => (matter['confidence'] = -0.01)],
  ['before 1970', (matter) => (matter['time'] = -1)],
  ['overridable by a string', (matter) => (matter['overridable'] = 'yes')],
  [
    'with 65 reasons',
    (matter) => (matter['reasons'] = Array.from({ length: 65 }, () => ({ code: 'A' }))),
  ],
  ['with a reason in lower case', (matter) => (matter['reasons'] = [{ code: 'a' }])],
  ['with an obligation unknown', (matter) => (matter['obligations'] = [{ type: 'pray' }])],
  ['by an actor without id', (matter) => (intentOf(matter)['actor'] = {})],
  ['of an action without a name', (matter) => (intentOf(matter)['action'] = { type: '' })],
  ['with a member too many in the intent', (matter) => (intentOf(matter)['more'] = 1)],
  ['of a caller of no type', (matter) => (matter['caller'] = { id: 'a', owner: 'b', type: 'x' })],
]

/** Matters that the operator signs though they are none. */
function ofMatter(world: World): Forgery[] {
  const rich = sealedAt(world, { name: '', seq: 0, stream: streams.rich, tenant: 'each' })
  const missing = Object.keys(rich.step.matter)
    // Its digest is the subject's, which is looked at before.
    .filter((name) => name !== 'intent')
    .map((name): MatterChange => [
      `without ${name}`,
      (matter) => {
        Reflect.deleteProperty(matter, name)
      },
    ])
  return [...missing, ...notMatters].map(([name, change]) =>
    refused(`a decision ${name}, as the operator signs it`, 'entries[0].matter', () =>
      attack(world, 'each', streams.rich, {
        holds: operatorHolds,
        steps(steps) {
          change(stepAt(steps, streams.rich).matter)
        },
      }),
    ),
  )
}

/** Forgeries of single members. */
export const forgedFields = (world: World): Forgery[] => [
  ...targets.flatMap((target) => ofStatement(world, target)),
  ...ofPlace(world),
  ...ofAnotherPlace(world),
  ...ofLeaf(world),
  ...ofMatter(world),
]

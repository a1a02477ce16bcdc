// Checkpoints: lines stripped, foreign, stale or malformed; texts that say another tree; witnesses who did not sign; logs that were forked.
import { encodeBase64 } from '../../../src/base/base64.ts'
import { concat, u64, utf8 } from '../../../src/base/bytes.ts'
import { formatCheckpoint, logVkeys, signCheckpoint } from '../../../src/merkle/checkpoint.ts'
import { createVkey, formatVkey, type NoteLine } from '../../../src/merkle/note.ts'
import { mlDsa44Cosignature } from '../../../src/merkle/note-signature.ts'
import { createKeys, logHolds, operatorHolds, type Hold } from '../../support/forge.ts'
import { signTorsioned, withLargerS, withTorsionedR } from '../../support/forge-ed25519.ts'
import {
  checkpointOf,
  headOf,
  linesOf,
  noteOf,
  type Attack,
  type Witness,
} from '../../support/forge-dossier.ts'
import { genesisSize, streams, witnesses, type World } from '../../support/forge-world.ts'
import {
  attack,
  ends,
  refused,
  stepAt,
  trusting,
  trustingLater,
  type Forgery,
  type Tenant,
} from './forgery.ts'

type Lines = (lines: NoteLine[]) => readonly NoteLine[]

const byBytes =
  (change: (signature: Uint8Array) => Uint8Array) =>
  (line: NoteLine): NoteLine => ({ ...line, signature: change(line.signature) })

/** Changes the line at a place. */
const at =
  (place: number, change: (line: NoteLine) => NoteLine): Lines =>
  (lines) =>
    lines.map((line, i) => (i === place ? change(line) : line))

const without =
  (...places: number[]): Lines =>
  (lines) =>
    lines.filter((_, i) => !places.includes(i))

const zeroed = byBytes((signature) => new Uint8Array(signature.length))
const cut = byBytes((signature) => signature.subarray(0, -1))
const longer = byBytes((signature) => concat(signature, new Uint8Array(1)))
const flipped = byBytes((signature) =>
  signature.map((byte, i) => (i === signature.length - 1 ? byte ^ 1 : byte)),
)

/** Lines of the log itself that do not stand, in any log. */
const brokenLines: Readonly<Record<string, Lines>> = {
  'the ML-DSA-44 line stripped': without(1),
  'the Ed25519 line stripped': without(0),
  'the Ed25519 line zeroed': at(0, zeroed),
  'the ML-DSA-44 line zeroed': at(1, zeroed),
  'the Ed25519 line cut': at(0, cut),
  'the ML-DSA-44 line cut': at(1, cut),
  'a byte too many in the Ed25519 line': at(0, longer),
  'a byte too many in the ML-DSA-44 line': at(1, longer),
  'one bit of the Ed25519 line changed': at(0, flipped),
  'one bit of the ML-DSA-44 line changed': at(1, flipped),
  'another time in the ML-DSA-44 line': at(
    1,
    byBytes((signature) => concat(u64(1), signature.subarray(8))),
  ),
  'the Ed25519 line twice': (lines) => [...lines, ...lines.slice(0, 1)],
  'the ML-DSA-44 line twice': (lines) => [...lines, ...lines.slice(1, 2)],
  'the lines’ signatures exchanged': ([first, second, ...rest]) =>
    first === undefined || second === undefined
      ? []
      : [
          { ...first, signature: second.signature },
          { ...second, signature: first.signature },
          ...rest,
        ],
  'the Ed25519 line under another name': at(0, (line) => ({ ...line, name: 'log.example/other' })),
  'the ML-DSA-44 line under another id': at(1, (line) => ({ ...line, keyId: line.keyId ^ 1 })),
  'S + L in the Ed25519 line': at(0, byBytes(withLargerS)),
  'a point of small order added to R of the Ed25519 line': at(0, byBytes(withTorsionedR)),
}

const ofLines = (world: World): Forgery[] =>
  (['each', 'seen'] as const).flatMap((tenant) =>
    Object.entries(brokenLines).map(([what, lines]) =>
      refused(`${tenant}: ${what}`, 'checkpoint.signatures', () =>
        attack(world, tenant, streams.allow, { lines }),
      ),
    ),
  )

/** A note by somebody else's log keys over this very tree. */
function foreign(world: World, tenant: Tenant, byte: number): readonly NoteLine[] {
  return linesOf(signCheckpoint(checkpointOf(world[tenant].log), createKeys(byte)))
}

function byOtherKeys(world: World): Forgery[] {
  const both: Attack = { lines: () => foreign(world, 'each', 200) }
  const neighbours: Lines = () => linesOf(world.fast.note)
  const [ed, mlDsa] = logVkeys('log.example/each', world.each.log.identity.keys)
  const disguised: Lines = () =>
    neighbours([]).map((line, i) => ({ ...line, ...(i === 0 ? name(ed) : name(mlDsa)) }))
  const trustFile = trustingLater(world, 'each')
  const mixed =
    (place: number): Lines =>
    (lines) =>
      lines.map((line, i) => (i === place ? (foreign(world, 'each', 200)[i] ?? line) : line))
  const check = 'checkpoint.signatures'
  const on = (tenant: Tenant, does: Attack, more = {}) =>
    attack(world, tenant, streams.allow, does, more)
  return [
    ends('inconclusive', 'both lines by keys that may be later', check, () => on('each', both)),
    ends('inconclusive', 'both lines by keys that may be later, witnessed as well', check, () =>
      on('seen', { lines: (lines) => [...foreign(world, 'seen', 200), ...lines.slice(2)] }),
    ),
    refused('both lines by other keys, at a size the trust root knows', check, () =>
      on('each', both, { trustFile }),
    ),
    refused(
      'both lines by keys that may be later, beside a witness’s line that is wrong',
      check,
      () =>
        on('seen', {
          lines: (lines) => [...foreign(world, 'seen', 200), ...lines.slice(2, 3).map(zeroed)],
        }),
    ),
    refused('only the Ed25519 line by the log', check, () => on('each', { lines: mixed(1) })),
    refused('only the ML-DSA-44 line by the log', check, () => on('each', { lines: mixed(0) })),
    refused('the lines of another tenant', check, () => on('each', { lines: neighbours })),
    refused('the lines of another tenant in this log’s name', check, () =>
      on('each', { lines: disguised }),
    ),
    refused('only lines of witnesses', check, () => on('seen', { lines: without(0, 1) })),
    refused('no line at all', 'checkpoint.format', () =>
      on('each', { note: (note) => note.slice(0, note.indexOf('\n\n') + 2) }),
    ),
    refused('65 lines', 'checkpoint.format', () =>
      on('each', {
        lines: (lines) => [
          ...lines,
          ...Array.from({ length: 63 }, (_, i) => ({ ...stray, keyId: i })),
        ],
      }),
    ),
  ]
}

const name = ({ keyId, name }: Pick<NoteLine, 'keyId' | 'name'>) => ({ keyId, name })
const stray: NoteLine = { keyId: 1, name: 'stray.example', signature: new Uint8Array(64) }

/** Texts that say something else than what was signed; what is signed by keys held is signed anew. */
function ofTexts(world: World): Forgery[] {
  const { log } = world.each
  const on = (does: Attack) => attack(world, 'each', streams.allow, does)
  const edit = (from: string, to: string): Attack => ({ note: (note) => note.replace(from, to) })
  const size = `\n${log.size}\n`
  const root = encodeBase64(log.root())
  const signatures = 'checkpoint.signatures'
  const format = 'checkpoint.format'
  return [
    refused('a larger tree', signatures, () => on(edit(size, `\n${log.size + 1}\n`))),
    refused('a smaller tree', signatures, () => on(edit(size, `\n${log.size - 1}\n`))),
    refused('another root', signatures, () => on(edit(root, encodeBase64(log.root(7))))),
    refused('the origin of another tenant', signatures, () => on(edit('/each\n', '/fast\n'))),
    refused('an origin nobody knows', 'checkpoint.origin', () => on(edit('/each\n', '/none\n'))),
    refused('a size with a leading zero', format, () => on(edit(size, `\n0${log.size}\n`))),
    refused('an extension line', format, () => on(edit('\n\n', '\nextension\n\n'))),
    refused('an extension line signed by the holder of the Ed25519 key', format, () =>
      on({
        note(note) {
          const [text = '', lines = ''] = note.split('\n\n')
          const extended = `${text}\nextension\n`
          const signed = log.identity.keys.ed25519.sign(utf8(extended))
          const line = encodeBase64(concat(keyIdBytes(note), signed))
          const [, ...others] = lines.split('\n')
          return `${extended}\n— log.example/each ${line}\n${others.join('\n')}`
        },
      }),
    ),
    refused('no final newline', format, () => on({ note: (note) => note.slice(0, -1) })),
    refused('a carriage return', format, () => on(edit('\n', '\r\n'))),
    refused('nothing', format, () => on({ note: () => '' })),
    refused('the checkpoint before this one', 'entries[0].inclusion', () =>
      on({ note: () => noteOf(log, [], log.size - 1) }),
    ),
    refused('the checkpoint of another tenant', 'entries[0].inclusion', () =>
      on({ note: () => world.fast.note }),
    ),
    ends('inconclusive', 'lines of unknown keys that are no signatures at all', signatures, () =>
      on({ note: (note) => note.replaceAll(/ [\w+/=]{90,}\n/g, ' AAAAAAAA\n') }),
    ),
  ]
}

const keyIdBytes = (note: string): Uint8Array => {
  const id = new Uint8Array(4)
  new DataView(id.buffer).setUint32(0, linesOf(note)[0]?.keyId ?? 0)
  return id
}

/** One of the log keys is in an attacker's hands, who rewrites the tree. */
const byOneLogKey = (world: World): Forgery[] =>
  (['each', 'fast', 'seen'] as const).flatMap((tenant) =>
    (
      [
        ['the Ed25519 log key alone', ['ed25519']],
        ['the ML-DSA-44 log key alone', ['mlDsa44']],
      ] as const
    ).map(([who, holds]: readonly [string, readonly Hold[]]) =>
      refused(`${tenant}: a time rewritten by the holder of ${who}`, 'checkpoint.signatures', () =>
        attack(world, tenant, streams.allow, {
          holds,
          steps(steps) {
            stepAt(steps, streams.allow).time -= 1
          },
        }),
      ),
    ),
  )

/** The Ed25519 log key's holder signs for a torsioned R. */
const torsioned = (world: World): Forgery[] => [
  refused('an Ed25519 line made for its torsioned R', 'checkpoint.signatures', () =>
    attack(world, 'each', streams.allow, {
      lines: at(0, (line) => ({
        ...line,
        signature: signTorsioned(
          world.each.log.identity.keys.seeds.ed25519,
          utf8(formatCheckpoint(checkpointOf(world.each.log))),
        ),
      })),
    }),
  ),
  refused('a witness’s line made for its torsioned R', 'checkpoint.signatures', () =>
    attack(world, 'seen', streams.allow, {
      lines: at(2, (line) => {
        const { timestamp } = witnesses[0] ?? { timestamp: 0 }
        const text = formatCheckpoint(checkpointOf(world.seen.log))
        const message = utf8(`cosignature/v1\ntime ${timestamp}\n${text}`)
        const signature = signTorsioned(new Uint8Array(32).fill(71), message)
        return { ...line, signature: concat(u64(timestamp), signature) }
      }),
    }),
  ),
]

const afterTime = (change: (signature: Uint8Array) => Uint8Array) =>
  byBytes((signature) => concat(signature.subarray(0, 8), change(signature.subarray(8))))

const wrongWitness: Readonly<Record<string, Lines>> = {
  'the Ed25519 witness zeroed': at(2, zeroed),
  'the ML-DSA-44 witness zeroed': at(3, zeroed),
  'the Ed25519 witness at another time': at(
    2,
    byBytes((signature) => concat(u64(1), signature.subarray(8))),
  ),
  'the ML-DSA-44 witness at another time': at(
    3,
    byBytes((signature) => concat(u64(1), signature.subarray(8))),
  ),
  'the Ed25519 witness at no time': at(
    2,
    byBytes((signature) => concat(u64(0), signature.subarray(8))),
  ),
  'S + L in the Ed25519 witness': at(2, afterTime(withLargerS)),
  'a point of small order added to R of the Ed25519 witness': at(2, afterTime(withTorsionedR)),
  'the Ed25519 witness twice': (lines) => [...lines, ...lines.slice(2, 3)],
  'the ML-DSA-44 witness twice, once stale': (lines) => [
    ...lines,
    ...lines.slice(3, 4).map(zeroed),
  ],
}

const ofWitnesses = (world: World): Forgery[] => {
  const missing: Readonly<Record<string, Lines>> = {
    'the Ed25519 witness missing': without(2),
    'the ML-DSA-44 witness missing': without(3),
    'both witnesses missing': without(2, 3),
    'the ML-DSA-44 witness states consistency only': at(3, (line) => {
      const checkpoint = checkpointOf(world.seen.log)
      const note = { checkpoint, text: formatCheckpoint(checkpoint) }
      return { ...line, signature: mlDsa44Cosignature.sign(second().signer, line.name, note, 0) }
    }),
    'a witness under another name': at(2, (line) => ({ ...line, name: 'witness.example/x' })),
    'a witness under another id': at(3, (line) => ({ ...line, keyId: line.keyId ^ 1 })),
  }
  return [
    ...Object.entries(wrongWitness).map(([what, lines]) =>
      refused(what, 'checkpoint.signatures', () => attack(world, 'seen', streams.allow, { lines })),
    ),
    ...Object.entries(missing).map(([what, lines]) =>
      ends('unprovable', what, 'checkpoint.witnesses', () =>
        attack(world, 'seen', streams.allow, { lines }),
      ),
    ),
    refused('a tree that the operator rewrote after it was cosigned', 'checkpoint.signatures', () =>
      attack(world, 'seen', streams.allow, {
        holds: operatorHolds,
        steps(steps) {
          stepAt(steps, streams.allow).time -= 1
        },
      }),
    ),
    ends('unprovable', 'the same, shown without the witnesses', 'checkpoint.witnesses', () =>
      attack(world, 'seen', streams.allow, {
        holds: operatorHolds,
        lines: without(2, 3),
        steps(steps) {
          stepAt(steps, streams.allow).time -= 1
        },
      }),
    ),
    ...logKeyAsWitness(world),
  ]
}

const second = (): Witness => {
  const [, witness] = witnesses
  if (witness === undefined) throw new Error('No second witness')
  return witness
}

/** The operator names a log key among the witnesses, in a trust root of its own. */
const logKeyAsWitness = (world: World): Forgery[] =>
  (['ed25519', 'mlDsa44'] as const).map((key) =>
    refused(`the log’s own ${key} key as a witness`, 'trust-root.witnesses', () => {
      const signer = world.each.log.identity.keys[key]
      const type = key === 'ed25519' ? 4 : 6
      const vkey = createVkey('witness.example/own', type, signer.publicKey)
      return attack(
        world,
        'each',
        streams.allow,
        { lines: (lines) => [...lines, ...ownCosignature(world, key)] },
        {
          trustFile: trusting(world, 'each', (section) => {
            section.witnesses = `witness own ${formatVkey(vkey)}\nquorum own\n`
          }),
        },
      )
    }),
  )

const ownCosignature = (world: World, key: 'ed25519' | 'mlDsa44'): NoteLine[] =>
  linesOf(
    noteOf(world.each.log, [
      { name: 'witness.example/own', signer: world.each.log.identity.keys[key], timestamp: 1 },
    ]),
  ).slice(2)

/** Another tree at a size that the trust root knows. */
const forks = (world: World): Forgery[] => [
  refused('a fork at the size of the trust root', 'checkpoint.known-heads', () =>
    attack(world, 'each', 'admin', {
      holds: operatorHolds,
      size: genesisSize,
      steps(steps) {
        stepAt(steps, 'admin').matter['subject'] = 'other'
      },
    }),
  ),
  refused('a fork at the final size of a log key', 'checkpoint.known-heads', () =>
    attack(
      world,
      'each',
      streams.allow,
      {
        holds: logHolds,
        size: 10,
        steps(steps) {
          stepAt(steps, streams.allow).time -= 1
        },
      },
      {
        trustFile: trusting(world, 'each', ({ logKeys }) => {
          for (const key of logKeys) key.final = headOf(world.each.log, 10)
        }),
      },
    ),
  ),
]

/** Forgeries of checkpoints. */
export const forgedCheckpoints = (world: World): Forgery[] => [
  ...ofLines(world),
  ...byOtherKeys(world),
  ...ofTexts(world),
  ...byOneLogKey(world),
  ...torsioned(world),
  ...ofWitnesses(world),
  ...forks(world),
]

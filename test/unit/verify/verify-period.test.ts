import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { limits } from '../../../src/base/limits.ts'
import {
  parseLaterCheckpoint,
  parsePeriodEnd,
  parsePeriodHead,
} from '../../../src/dossier/period.ts'
import { parseDossier } from '../../../src/dossier/v1.ts'
import { consistencyProof } from '../../../src/merkle/proof.ts'
import { verifyDossier, verifyPeriod, type PeriodReport } from '../../../src/verify/index.ts'
import { summarise } from '../../../src/verify/period-report.ts'
import { operatorHolds, reseal, type ForgedLog } from '../../support/forge.ts'
import { dossierOf, noteOf } from '../../support/forge-dossier.ts'
import {
  forgePeriod,
  linesOf,
  periodOf,
  sealPeriod,
  type PeriodDraft,
  type PeriodWish,
} from '../../support/forge-period.ts'
import { answered, heldLog, signedBy, textOf } from '../../support/forge-escalation.ts'
import {
  decidedLog,
  grown,
  overrideMatter,
  overruled,
  trusting as trustingAll,
} from '../../support/forge-override.ts'
import {
  createWorld,
  decisionOf,
  erasureOf,
  executionOf,
  streams,
  witnesses,
} from '../../support/forge-world.ts'
import { append, trusting, trustingLater } from './forgery.ts'

const world = createWorld()
const { log } = world.each
/** Without the decision that was erased: every dossier of it is valid. */
const sound = reseal(log, operatorHolds, (steps) => {
  steps.splice(14, 1)
  for (const step of steps) delete step.erased
})
const none = { erased: 0, inconclusive: 0, invalid: 0, unprovable: 0, valid: 0 }

const judge = (file: Uint8Array, trustFile = world.trustFile): Promise<PeriodReport> =>
  verifyPeriod([file], trustFile)
const forged = (
  wish: PeriodWish,
  change?: (draft: PeriodDraft) => void,
  of = sound,
): Promise<PeriodReport> => judge(forgePeriod(of, wish, change))

const failed = ({ checks }: PeriodReport): string[] =>
  checks.filter(({ outcome }) => outcome === 'fail').map(({ name }) => name)

const dossierAt = (draft: PeriodDraft, i: number) => {
  const item = draft.items[i]
  if (item === undefined || 'later' in item) throw new Error(`No dossier ${i}`)
  return item
}

describe('a period', () => {
  it('is valid from the beginning of the log to its end, and says so in one sentence', async () => {
    const report = await forged({})
    expect(report).toMatchObject({
      anchor: 'empty',
      assurance: 'operator',
      complete: `as of size ${sound.size}`,
      dossiers: { ...none, valid: 6 },
      entries: 16,
      from: 0,
      inForce: { ALLOW: 5, BLOCK: 1 },
      kinds: { admin: 1, decision: 6, execution: 4, key: 4, trust: 1 },
      origin: 'log.example/each',
      problems: [],
      selected: null,
      statuses: { ALLOW: 5, BLOCK: 1 },
      steps: { execution: { started: 4 } },
      to: 16,
      verdict: 'valid',
      whole: true,
    })
    expect(report.summary).toBe(
      '16 entries from index 0 to 15: none missing, none added; 6 dossiers, each complete as of size 16',
    )
    expect(report.times?.last).toBeGreaterThan(report.times?.first ?? Infinity)
  })

  it('is valid between any two sizes, however it is cut into pieces', async () => {
    for (const [from, to] of [
      [1, 16],
      [5, 9],
      [8, 16],
      [9, 10],
      [15, 16],
      [16, 16],
      [0, 0],
      [6, 6],
    ] as const) {
      const file = forgePeriod(sound, { from, to })
      const trustFile = trustingLater(world, 'each')
      const report = await judge(file, trustFile)
      expect([from, to, report.verdict, failed(report)]).toEqual([from, to, 'valid', []])
      expect(report).toMatchObject({ anchor: from === 0 ? 'empty' : 'to', entries: to - from })
      const pieces = Array.from({ length: Math.ceil(file.length / 7) }, (_, i) =>
        file.subarray(7 * i, 7 * i + 7),
      )
      expect(await verifyPeriod(pieces, trustFile)).toEqual(report)
    }
  })

  it('is known by its own first checkpoint where that is there', async () => {
    const report = await forged({ from: 9, kept: true })
    expect(report).toMatchObject({ anchor: 'checkpoint', verdict: 'valid' })
    expect(report.notes.join()).not.toContain('rests on the checkpoint')
    const without = await forged({ from: 9 })
    expect(without.notes.join()).toContain('rests on the checkpoint of size 16 alone')
  })

  it('tells of witnesses at both ends', async () => {
    const { seen } = world
    const file = forgePeriod(seen.log, { from: 7, kept: true, statuses: ['BLOCK'], witnesses })
    expect(await judge(file)).toMatchObject({ anchor: 'witnessed(2)', assurance: 'witnessed(2)' })
    const unseen = await judge(forgePeriod(seen.log, { from: 7, kept: true }))
    expect(unseen).toMatchObject({ anchor: 'to', verdict: 'unprovable' })
  })

  it('takes dossiers of the profile checkpoint', async () => {
    const report = await judge(forgePeriod(world.fast.log))
    expect(report).toMatchObject({ dossiers: { erased: 1, valid: 5 }, verdict: 'erased' })
  })

  it('with an erased decision is erased and not valid, and names it', async () => {
    const report = await forged({}, undefined, log)
    expect(report).toMatchObject({
      complete: 'as of size 17',
      dossiers: { erased: 1, invalid: 0, valid: 5 },
      ok: false,
      problems: [{ stream: streams.erased, verdict: 'erased' }],
      statuses: { ALLOW: 4, BLOCK: 1 },
      verdict: 'erased',
      whole: true,
    })
    expect(report.summary).toContain('; 1 erasure; ')
  })

  it('with an entry that a later roster must judge is inconclusive', async () => {
    const more = reseal(sound, operatorHolds, (steps) => {
      append(steps, 'escalation', streams.block, {
        by: { id: 'key-1', owner: 'ann', type: 'apiKey' },
        event: 'approved',
        person: 'ann',
        reason: 'Checked',
        roster: { sha256: '0'.repeat(64), version: 1 },
        signature: null,
        time: 1,
      })
    })
    const report = await forged({}, undefined, more)
    expect(report).toMatchObject({ dossiers: { inconclusive: 1 }, verdict: 'inconclusive' })
    expect(report.summary).toContain('none missing, none added; 1 escalation approved; 6 dossiers')
  })

  it('shows selection by status to be the exporter’s word, and holds the dossiers to it', async () => {
    const report = await forged({ statuses: ['BLOCK'] })
    expect(report).toMatchObject({ dossiers: { valid: 1 }, selected: ['BLOCK'], verdict: 'valid' })
    expect(report.notes.join()).toContain('Selection by status is the exporter’s word')
    const other = await forged({ statuses: ['BLOCK'] }, (draft) => {
      draft.items = Object.values(streams)
        .filter((stream) => stream !== streams.erased)
        .map((stream) => dossierOf({ log: sound, note: draft.head.to }, stream))
    })
    expect(failed(other)).toEqual(['period.dossiers'])
    expect(other.problems[0]?.reason).toMatch(/^dossier\.selection: .*ALLOW$/)
    // That one is left out cannot be seen.
    const fewer = await forged({ statuses: ['BLOCK'] }, (draft) => (draft.items = []))
    expect(fewer.verdict).toBe('valid')
  })

  it('is inconclusive where the keys are of a later time', async () => {
    const later = createWorld(60)
    const report = await judge(forgePeriod(later.each.log))
    expect(report).toMatchObject({ verdict: 'inconclusive', whole: false })
  })

  it('demands the fingerprint of the trust root where one is given', async () => {
    const file = forgePeriod(sound)
    const { trustRoot } = await judge(file)
    const with_ = (trustSha256: string) => verifyPeriod([file], world.trustFile, { trustSha256 })
    expect((await with_(trustRoot.toUpperCase())).verdict).toBe('valid')
    expect(failed(await with_('0'.repeat(64)))).toEqual(['trust-root.fingerprint'])
  })
})

const another = (bytes: Uint8Array): Uint8Array =>
  utf8(fromUtf8(bytes).replace(/\d(?=,"v":1)/, (digit) => (digit === '0' ? '1' : '0')))

describe('the sentence on a period', () => {
  it('tells what has happened to overrides and escalations, as far as it is known', () => {
    const told = {
      complete: 'as of size 18204' as const,
      dossiers: { ...none, valid: 3 },
      entries: 18_204,
      from: 0,
      ofActions: 0,
      ofDecisions: { approval: 6, decision: 18_191, escalation: 2, override: 5 },
      open: { escalation: 0, override: 0 },
      steps: {
        escalation: { opened: 1, 'timed-out': 1 },
        override: { executed: 3, expired: 1, opened: 1 },
      },
      to: 18_204,
      whole: true,
    }
    expect(summarise(told)).toBe(
      '18,204 entries from index 0 to 18,203: none missing, none added; 3 overrides, 1 override expired, 1 escalation timed out; 3 dossiers, each complete as of size 18204',
    )
    const sum = (
      ofDecisions: Record<string, number>,
      steps: Record<string, Record<string, number>>,
      open = 0,
      ofActions = 0,
    ) => {
      const left = { escalation: open, override: 0 }
      return summarise({ ...told, ofActions, ofDecisions, open: left, steps }).split('; ')[1]
    }
    expect(sum({ escalation: 2 }, { escalation: { opened: 2 } }, 2)).toBe('2 escalations open')
    expect(sum({ escalation: 3 }, { escalation: { approved: 1, opened: 2 } }, 1)).toBe(
      '1 escalation approved, 1 escalation open',
    )
    // One that ended here was opened before.
    expect(sum({ escalation: 2 }, { escalation: { approved: 1, opened: 1 } }, 1)).toBe(
      '1 escalation approved, 1 escalation open',
    )
    expect(sum({ override: 1 }, { override: { executed: 1 } }, 0, 4)).toBe(
      '1 override, 4 steps of actions',
    )
    // Whose dossiers are not here: nobody can say how they have ended.
    expect(sum({ escalation: 2, override: 1 }, { escalation: { rejected: 1 } })).toBe(
      '1 override step, 2 escalation steps (1 rejected)',
    )
    const [one, cut] = [
      { ...told, dossiers: { ...none, erased: 1 }, entries: 1, ofDecisions: {}, to: 1 },
      { ...told, complete: 'no' as const, whole: false },
    ]
    expect(summarise(one)).toBe(
      '1 entry from index 0 to 0: none missing, none added; 1 dossier, complete as of size 18204',
    )
    expect(summarise(cut)).toContain('18,203: not those of the log; 3 override')
    expect(summarise({ ...told, from: 7, to: 7 })).toContain(' at all: ')
    expect(summarise({ ...told, from: null })).toBe('')
  })
})

describe('what is said of a period besides', () => {
  const decided = decidedLog({ status: 'ESCALATE' })
  const held = heldLog(decided)
  const done = grown(held, [
    'escalation',
    overruled,
    { ...answered('rejected', 'ann'), ...signedBy('ann', textOf(decided, { answer: 'reject' })) },
  ])
  const judgeAll = (log: ForgedLog, wish: PeriodWish = {}): Promise<PeriodReport> =>
    judge(forgePeriod(log, wish), trustingAll(log))

  it('tells an escalation as open that was opened in it and has not ended there', async () => {
    const pending = await judgeAll(held)
    expect(pending).toMatchObject({ open: { escalation: 1, override: 0 }, whole: true })
    expect(pending.summary).toContain('; 1 escalation open, 1 erasure; ')
    const ended = await judgeAll(done)
    expect(ended).toMatchObject({ open: { escalation: 0 }, whole: true })
    expect(ended.summary).toContain('; 1 escalation rejected, 1 erasure; ')
    const behind = await judgeAll(done, { from: held.size })
    expect(behind.summary).toContain('; 1 escalation rejected; ')
    // The decision comes again, of which the opening stands before.
    const erased = grown(held, ['erasure', overruled, erasureOf(overruled, [])])
    expect((await judgeAll(erased, { from: held.size })).open).toEqual({
      escalation: 0,
      override: 0,
    })
  })

  it('counts no step of an action as one of overruling a decision', async () => {
    const { ofDecisions, ofActions, kinds, summary } = await judgeAll(
      grown(done, ['override', `action-${overruled}`, overrideMatter('opened')]),
    )
    expect(kinds).toMatchObject({ override: 1 })
    expect([ofDecisions['override'], ofActions]).toEqual([undefined, 1])
    expect(summary).toContain('; 1 escalation rejected, 1 erasure, 1 step of actions; ')
  })

  it('says what of entries without a dossier was not looked at', async () => {
    const unread = 'Of entries that stand in no dossier here only place, kind, stream and time'
    expect((await forged({})).notes.join()).toContain(unread)
    const alone = await judgeAll(done, { from: decided.size - 1 })
    expect(alone).toMatchObject({ entries: 3, verdict: 'valid' })
    expect(alone.notes.join()).not.toContain(unread)
    expect(alone.notes.join()).not.toContain('is for reevaluate to say')
    const evaluated = decidedLog({ source: 'evaluated' })
    expect((await judgeAll(evaluated)).notes.join()).toContain('is for reevaluate to say')
  })
})

describe('the leaves of a period', () => {
  const changes: Readonly<Record<string, (leaves: Uint8Array[]) => Uint8Array[]>> = {
    'the first dropped': (leaves) => leaves.slice(1),
    'the last dropped': (leaves) => leaves.slice(0, -1),
    'one in the middle dropped': (leaves) => leaves.toSpliced(7, 1),
    'all dropped': () => [],
    'one changed': (leaves) => leaves.with(7, another(leaves[7] ?? utf8(''))),
    'one doubled in place of the next': (leaves) => leaves.with(8, leaves[7] ?? utf8('')),
    'two exchanged': (leaves) =>
      leaves.toSpliced(7, 2, leaves[8] ?? utf8(''), leaves[7] ?? utf8('')),
    'one replaced by no leaf': (leaves) => leaves.with(7, utf8('{"keyid":"nonsense"}')),
    'one replaced by bytes that are not UTF-8': (leaves) =>
      leaves.with(7, Buffer.concat([utf8('{"keyid":"'), Uint8Array.of(0xff, 0xfe)])),
  }
  it.each(Object.entries(changes))('are refused with %s', async (_what, change) => {
    for (const from of [0, 3]) {
      const draft = periodOf(sound, { from })
      draft.leaves = change(draft.leaves)
      const lines = linesOf({ ...draft, leaves: [] }).map(utf8)
      const before = Buffer.concat(
        [...lines, ...draft.leaves].flatMap((line) => [line, utf8('\n')]),
      )
      const sha256 = createHash('sha256').update(before).digest('hex')
      const end = { dossiers: draft.items.length, leaves: draft.leaves.length, sha256 }
      const report = await judge(Buffer.concat([before, utf8(`${JSON.stringify({ end })}\n`)]))
      expect(report).toMatchObject({ complete: 'no', verdict: 'invalid', whole: false })
      expect(failed(report)).toContain('period.leaves')
      expect(report.summary).not.toContain('none missing')
    }
  })

  it('are refused with one added, behind the last as in front', async () => {
    for (const at of [0, 7, 16]) {
      const report = await forged({}, ({ leaves }) => leaves.splice(at, 0, leaves[7] ?? utf8('')))
      expect(report).toMatchObject({ verdict: 'invalid', whole: false })
      expect(failed(report)).toEqual(['period.format'])
    }
  })

  it('are refused when the log forgets what the trust root knows of it', async () => {
    const other = reseal(sound, operatorHolds, (steps) => {
      const step = steps[4]
      if (step !== undefined) step.time++
    })
    for (const from of [0, 5]) {
      const report = await forged({ from }, undefined, other)
      expect(failed(report)).toContain('period.known-heads')
    }
  })

  it('are refused when time goes back, or a kind stands in another stream', async () => {
    const late = reseal(sound, operatorHolds, (steps) => {
      const step = steps[8]
      if (step !== undefined) step.time += 100
    })
    expect(failed(await forged({}, undefined, late))).toEqual(['period.times'])
    const strange = reseal(sound, operatorHolds, (steps) => {
      append(steps, 'policy', 'admin', { any: 'thing' })
    })
    expect(failed(await forged({}, undefined, strange))).toEqual(['period.kinds'])
    // In streams that have no dossier in the file, so that nothing else is read of them.
    const errors = { statuses: ['ERROR'] } as const
    const nameless = reseal(sound, operatorHolds, (steps) => {
      append(steps, 'decision', 'nowhere', decisionOf('nowhere'))
    })
    expect(failed(await forged(errors, undefined, nameless))).toEqual(['period.kinds'])
    const again = reseal(sound, operatorHolds, (steps) => {
      append(steps, 'decision', streams.block, decisionOf(streams.block))
    })
    expect(failed(await forged(errors, undefined, again))).toEqual(['period.kinds'])
  })
})

describe('the dossiers of a period', () => {
  it('are refused when one lacks a step, which alone it would not tell', async () => {
    let cut: Uint8Array | undefined
    const report = await forged({}, (draft) => {
      const dossier = dossierAt(draft, 2)
      expect(dossier.stream).toBe(streams.open)
      dossier.entries.pop()
      cut = utf8(linesOf(draft)[3] ?? '')
    })
    const alone = verifyDossier(cut ?? utf8(''), world.trustFile)
    expect(alone).toMatchObject({ complete: 'no', verdict: 'valid' })
    const beside = verifyDossier(cut ?? utf8(''), world.trustFile, { leaves: sound.leaves() })
    expect(beside.verdict).toBe('invalid')
    expect(report).toMatchObject({ complete: 'no', verdict: 'invalid', whole: true })
    expect(failed(report)).toEqual(['period.complete'])
    expect(report.checks.find(({ ok }) => !ok)?.reason).toMatch(/index 13$/)
  })

  it('are not told to be complete where one could not be read', async () => {
    const report = await forged({}, (draft) => {
      const [entry] = dossierAt(draft, 2).entries
      if (entry !== undefined) entry.proof = []
    })
    expect(report).toMatchObject({ complete: 'no', dossiers: { invalid: 1 }, whole: true })
    expect(report.checks.map(({ name }) => name)).not.toContain('period.complete')
    expect(report.summary).not.toContain('each complete')
  })

  it('are refused when a second chain of the stream stands in the period', async () => {
    const twins = reseal(sound, operatorHolds, (steps) => {
      append(steps, 'execution', streams.open, executionOf(streams.open, 2), { seq: 2 })
    })
    const report = await forged(
      {},
      (draft) => {
        const dossier = dossierAt(draft, 2)
        dossier.entries = dossier.entries.filter(({ index }) => index !== twins.size - 1)
      },
      twins,
    )
    expect(failed(report)).toEqual(['period.complete'])
    // Also where it stands in front of the one that the dossier has.
    const first = reseal(sound, operatorHolds, (steps) => {
      append(steps, 'decision', streams.block, decisionOf(streams.block), { prev: null, seq: 0 })
    })
    const other = await forged(
      {},
      (draft) => {
        const dossier = dossierAt(draft, 1)
        dossier.entries = dossier.entries.filter(({ index }) => index === first.size - 1)
        draft.items = [...draft.items.toSpliced(1, 1), dossier]
      },
      first,
    )
    expect(failed(other)).toEqual(['period.complete'])
    const both = await forged(
      {},
      (draft) => {
        const { checkpoint, cited, entries, stream } = dossierAt(draft, 1)
        const [one, two] = [0, 1].map((i) => entries.slice(i, i + 1))
        draft.items = [
          ...draft.items.with(1, { checkpoint, cited, entries: one ?? [], stream }),
          { checkpoint, cited, entries: two ?? [], stream },
        ]
      },
      first,
    )
    expect(both.problems[0]?.reason).toMatch(/^dossier\.place: .*stands twice/)
  })

  it('are refused when one is missing, doubled, in another place or of no decision', async () => {
    const missing = await forged({}, ({ items }) => items.splice(1, 1))
    expect(failed(missing)).toEqual(['period.selection'])
    const doubled = await forged({}, (draft) => {
      draft.items.splice(1, 0, dossierAt(draft, 1))
    })
    expect(doubled.problems[0]?.reason).toMatch(/^dossier\.place: .*stands twice/)
    const moved = await forged({}, (draft) => draft.items.reverse())
    expect(moved.problems[0]?.reason).toMatch(/^dossier\.place: .*not in its place/)
    const outside = await forged({ from: 8 }, (draft) => {
      draft.items.unshift(dossierOf({ log: sound, note: draft.head.to }, streams.block))
    })
    expect(outside.problems[0]?.reason).toMatch(/no entry in the period$/)
    const system = await forged({}, (draft) => {
      draft.items.unshift(dossierOf({ log: sound, note: draft.head.to }, 'trust'))
    })
    expect(system.problems[0]?.reason).toMatch(/not of a decision: trust$/)
    for (const report of [missing, doubled, moved, outside, system])
      expect(report.verdict).toBe('invalid')
  })

  it('carry what came before the period with them', async () => {
    const report = await forged({ from: 12, statuses: ['ALLOW'] })
    expect(report).toMatchObject({ complete: 'as of size 16', dossiers: { valid: 4 } })
    expect(report.notes.join()).toContain('Of entries before index 12')
    const cut = await forged({ from: 12, statuses: ['ALLOW'] }, (draft) => {
      dossierAt(draft, 0).entries.shift()
    })
    expect(failed(cut)).toEqual(['period.dossiers'])
  })

  it('are refused when one is not a good dossier, by the line that it stands in', async () => {
    const bad = await forged({}, (draft) => {
      const [entry] = dossierAt(draft, 3).entries
      if (entry !== undefined) entry.signature = entry.signature.with(40, 1)
    })
    expect(bad).toMatchObject({
      dossiers: { invalid: 1, valid: 5 },
      problems: [{ line: 5, verdict: 'invalid' }],
      verdict: 'invalid',
    })
    const other = await forged({}, (draft) => {
      dossierAt(draft, 3).checkpoint = noteOf(sound, witnesses)
    })
    expect(other.problems[0]?.reason).toMatch(/^dossier\.checkpoint: /)
  })

  it('stop being read when a hundred are bad', async () => {
    const [head = '', ...rest] = linesOf(periodOf(sound))
    const bad = Array.from({ length: 100 }, () => '{"checkpoint":""}')
    const report = await judge(sealPeriod([head, ...bad, ...rest]))
    expect(report.problems).toHaveLength(100)
    expect(report.checks.at(-1)?.reason).toContain('dossiers are bad')
    const fewer = await judge(sealPeriod([head, ...bad.slice(1), ...rest]))
    expect(fewer).toMatchObject({ dossiers: { invalid: 99, valid: 6 }, whole: true })
  })
})

describe('a decision that was erased after the period', () => {
  const wish = { to: 10 }
  const grown = reseal(sound, operatorHolds, (steps) => {
    append(steps, 'erasure', streams.block, erasureOf(streams.block, [0]))
    const step = steps[7]
    if (step !== undefined) step.erased = true
  })
  const note = noteOf(grown)
  const tree = grown.tree()
  const later = { later: note, proof: consistencyProof(10, grown.size, tree.node) }
  const draftOf = (): PeriodDraft => {
    const draft = periodOf(grown, wish)
    draft.items = [
      ...draft.items.slice(0, 1),
      later,
      dossierOf({ log: grown, note }, streams.block),
      ...draft.items.slice(2),
    ]
    return draft
  }
  const read = (draft: PeriodDraft) =>
    judge(sealPeriod(linesOf(draft)), trustingLater(world, 'each'))

  it('is shown erased under a later checkpoint', async () => {
    const draft = draftOf()
    expect(draft.leaves[7]).toEqual(grown.leaves()[7])
    const report = await read(draft)
    expect(report).toMatchObject({
      complete: 'as of size 10',
      dossiers: { erased: 1, invalid: 0, valid: 2 },
      to: 10,
      verdict: 'erased',
    })
  })

  it('may bring its checkpoint again and again, which is told once', async () => {
    const draft = draftOf()
    draft.items.splice(1, 0, later, later)
    const { checks, verdict } = await read(draft)
    expect(verdict).toBe('erased')
    expect(checks.filter(({ name }) => name === 'period.later')).toHaveLength(1)
  })

  it('is assured by no more witnesses than have cosigned the later checkpoint', async () => {
    const { log: seen } = world.seen
    for (const [by, assurance] of [
      [witnesses, 'witnessed(2)'],
      [witnesses.slice(0, 1), 'witnessed(1)'],
      [[], 'operator'],
    ] as const) {
      const draft = periodOf(seen, { to: 10, witnesses })
      const proof = consistencyProof(10, seen.size, seen.tree().node)
      draft.items.unshift({ later: noteOf(seen, by), proof })
      const report = await judge(sealPeriod(linesOf(draft)), trustingLater(world, 'seen'))
      expect(report).toMatchObject({ assurance, to: 10 })
    }
  })

  it('is bad without the proof of its erasure', async () => {
    const report = await judge(forgePeriod(grown, wish), trustingLater(world, 'each'))
    expect(report.problems[0]?.reason).toContain('missing without a proved erasure')
  })

  it('is refused under a checkpoint that is not shown to add to the period’s', async () => {
    const wrong: readonly (readonly [string, string, Partial<typeof later>])[] = [
      ['no proof', 'period.later', { proof: [] }],
      ['another proof', 'period.later', { proof: later.proof.toReversed() }],
      ['a smaller size', 'period.later', { later: noteOf(grown, [], 9) }],
      ['the same size', 'period.later', { later: noteOf(grown, [], 10), proof: [] }],
      ['another log', 'period.later', { later: noteOf(world.fast.log) }],
      ['no note', 'checkpoint.signatures', { later: 'nonsense' }],
      ['no signature', 'checkpoint.signatures', { later: note.replace(/\n— [^\n]*/, '') }],
    ]
    for (const [name, check, change] of wrong) {
      const draft = draftOf()
      draft.items[1] = { ...later, ...change }
      const report = await read(draft)
      expect([name, report.verdict, failed(report)[0]]).toEqual([name, 'invalid', check])
    }
  })
})

/** What an operator shows to others. */
const forked = reseal(sound, operatorHolds, (steps) => {
  const step = steps[8]
  if (step !== undefined) step.time++
})

describe('the head of a period', () => {
  const changes: Readonly<Record<string, readonly [string, (draft: PeriodDraft) => void]>> = {
    'another instance': ['period.place', ({ head }) => (head.instance = 'x')],
    'another tenant': ['period.place', ({ head }) => (head.tenant = 'fast')],
    'another origin': ['period.place', ({ head }) => (head.origin = 'log.example/fast')],
    'the checkpoint of another log': [
      'period.place',
      ({ head }) => (head.to = noteOf(world.fast.log)),
    ],
    'a checkpoint without a signature': [
      'checkpoint.signatures',
      ({ head }) => (head.to = head.to.replace(/\n— [^\n]*/, '')),
    ],
    'no consistency proof': ['period.consistency', ({ head }) => (head.consistency = [])],
    'another consistency proof': [
      'period.consistency',
      ({ head }) => (head.consistency = head.consistency.toReversed()),
    ],
    'another edge': [
      'period.consistency',
      ({ head }) => (head.from.frontier = head.from.frontier.toReversed()),
    ],
    'an edge with one hash more': [
      'period.from',
      ({ head }) => (head.from.frontier = [...head.from.frontier, new Uint8Array(32)]),
    ],
    'another size': ['period.from', ({ head }) => (head.from.size = 7)],
    'another size with as many hashes': ['period.consistency', ({ head }) => (head.from.size = 10)],
    'a size beyond the last': ['period.from', ({ head }) => (head.from.size = 17)],
    'a first checkpoint of another size': [
      'period.from',
      ({ head }) => (head.from.checkpoint = noteOf(sound, [], 8)),
    ],
    'a first checkpoint of another log': [
      'period.from',
      ({ head }) => (head.from.checkpoint = noteOf(world.fast.log, [], 9)),
    ],
    'a first checkpoint of another tree of this log': [
      'period.from',
      ({ head }) => (head.from.checkpoint = noteOf(forked, [], 9)),
    ],
    'a first checkpoint that nobody signed': [
      'period.from',
      ({ head }) => (head.from.checkpoint = (head.from.checkpoint ?? '').replace(/\n— [^\n]*/, '')),
    ],
    'a first checkpoint that is no note': [
      'period.from',
      ({ head }) => (head.from.checkpoint = 'nonsense'),
    ],
    'statuses in another order': [
      'period.format',
      ({ head }) => (head.statuses = ['BLOCK', 'ALLOW']),
    ],
    'a status twice': ['period.format', ({ head }) => (head.statuses = ['BLOCK', 'BLOCK'])],
    'no status': ['period.format', ({ head }) => (head.statuses = [])],
  }
  it.each(Object.entries(changes))('is refused with %s', async (_what, [check, change]) => {
    const good = await judge(
      forgePeriod(sound, { from: 9, kept: true }),
      trustingLater(world, 'each'),
    )
    expect(good.verdict).toBe('valid')
    const report = await judge(
      forgePeriod(sound, { from: 9, kept: true }, change),
      trustingLater(world, 'each'),
    )
    expect([report.verdict, failed(report)[0]]).toEqual(['invalid', check])
  })

  it('is refused with a consistency proof from the beginning of the log', async () => {
    const report = await forged({}, ({ head }) => (head.consistency = [new Uint8Array(32)]))
    expect(failed(report)).toEqual(['period.consistency'])
  })

  it('is refused with a checkpoint before the log begins', async () => {
    const report = await forged({}, ({ head }) => (head.from.checkpoint = head.to))
    expect(failed(report)).toEqual(['period.from'])
  })

  it('may name a first checkpoint that has lost its worth: the last vouches for it', async () => {
    const trustFile = trusting(world, 'each', (section) => {
      section.asOf.size = 1000
      for (const key of section.logKeys) {
        key.to = 17
        key.revokedAt = 17
        key.final = { root: encodeBase64(sound.root()), size: 16 }
      }
    })
    const report = await judge(forgePeriod(sound, { from: 9, kept: true }), trustFile)
    expect(report).toMatchObject({ anchor: 'to', verdict: 'valid' })
    const unseen = await judge(
      forgePeriod(world.seen.log, { from: 7, statuses: ['BLOCK'], witnesses }, ({ head }) => {
        head.from.checkpoint = noteOf(world.seen.log, [], 7)
      }),
    )
    expect(unseen).toMatchObject({ anchor: 'to', assurance: 'witnessed(2)' })
    expect(failed(unseen)).toEqual([])
  })
})

describe('a period file', () => {
  const file = forgePeriod(sound, { from: 6 })
  const whole = utf8(fromUtf8(file))

  it('is refused when it is cut off anywhere', async () => {
    const ends = new Set([0, 1, 20, file.length - 1, file.length - 2, file.length - 40])
    for (let at = 0, end = file.indexOf(10); end >= 0; at++, end = file.indexOf(10, end + 1))
      if (at < 40 && end + 1 < file.length)
        ends
          .add(end)
          .add(end + 1)
          .add(end + 30)
    for (const end of ends) {
      const report = await judge(whole.subarray(0, end))
      expect([end, report.verdict, report.whole]).toEqual([end, 'invalid', false])
    }
    expect((await judge(whole)).verdict).toBe('valid')
  })

  it('is refused with anything behind its end', async () => {
    for (const more of ['\n', 'x', ' ', '{"end":{}}\n', fromUtf8(file)])
      expect((await judge(Buffer.concat([file, utf8(more)]))).verdict).toBe('invalid')
  })

  it('is refused with a line that is none of its own, or not in its order', async () => {
    const lines = linesOf(periodOf(sound))
    const [head = '', first = ''] = lines
    const refused: readonly (readonly string[])[] = [
      lines.toSpliced(1, 0, ''),
      lines.toSpliced(1, 0, 'nonsense'),
      lines.toSpliced(1, 0, head),
      lines.toSpliced(1, 0, '{"later":""}'),
      lines.slice(1),
      lines.toSpliced(1, 1).toSpliced(10, 0, first),
      lines.toSpliced(8, 0, ''),
      lines.with(1, ` ${first}`),
      lines.with(1, first.replace('"v":1', '"v":2')),
      lines.with(0, head.replace('"v":1', '"v":2')),
      lines.with(0, head.replace(',', ', ')),
      lines.with(0, '{}'),
      [],
    ]
    for (const [i, some] of refused.entries())
      expect([i, (await judge(sealPeriod(some))).verdict]).toEqual([i, 'invalid'])
  })

  it('is refused with a dossier behind a leaf, even where nothing was passed over', async () => {
    const lines = linesOf(periodOf(sound))
    const rich = lines[6] ?? ''
    expect(rich).toContain(streams.rich)
    const report = await judge(sealPeriod(lines.toSpliced(6, 1).toSpliced(9, 0, rich)))
    expect(failed(report)).toEqual(['period.format'])
  })

  it('is refused when its end says something else of it', async () => {
    const lines = linesOf(periodOf(sound))
    expect((await judge(sealPeriod(lines))).verdict).toBe('valid')
    for (const end of [{ dossiers: 5 }, { leaves: 15 }, { sha256: '0'.repeat(64) }]) {
      const report = await judge(sealPeriod(lines, end))
      expect(failed(report)).toEqual(['period.end'])
    }
    expect((await judge(sealPeriod(lines, { sha256: 'x' }))).verdict).toBe('invalid')
  })

  it('has heads, later checkpoints and ends of 4,194,304 bytes and no longer', () => {
    const most = 4 * 1024 * 1024
    expect(limits.periodHeadBytes).toBe(most)
    const padded = (length: number): Uint8Array => {
      const [start, end] = ['{"later":"', '","proof":[]}']
      return utf8(`${start}${'x'.repeat(length - start.length - end.length)}${end}`)
    }
    for (const parse of [parsePeriodHead, parseLaterCheckpoint, parsePeriodEnd]) {
      expect(parse(padded(most))).toMatch(/ is not v1: /)
      expect(parse(padded(most + 1))).toMatch(/ is longer than 4194304 bytes$/)
    }
  })

  it('is refused for a line that is longer than a dossier may be, before it is at its end', async () => {
    const chunk = new Uint8Array(8 * 1024 * 1024).fill(0x61)
    let given = 0
    function* endless(): Generator<Uint8Array> {
      for (;;) {
        given += chunk.length
        yield chunk
      }
    }
    const report = await verifyPeriod(endless(), world.trustFile)
    expect(report.checks[0]?.reason).toContain('Line is longer than')
    expect(given).toBeLessThan(limits.dossierBytes + 2 * chunk.length)
  })

  it('holds dossiers that can be taken out and verified alone', () => {
    for (const line of linesOf(periodOf(sound)).slice(1, 7)) {
      expect(parseDossier(utf8(line))).toMatchObject({ cited: [] })
      expect(verifyDossier(utf8(line), world.trustFile).verdict).toBe('valid')
    }
  })

  it('lets an error of whoever reads it pass, for that says nothing about the evidence', async () => {
    function* broken(): Generator<Uint8Array> {
      yield file.subarray(0, 100)
      throw new Error('EIO')
    }
    await expect(verifyPeriod(broken(), world.trustFile)).rejects.toThrow('EIO')
  })

  it('is never valid with one byte changed', async () => {
    const small = Buffer.from(forgePeriod(sound, { from: 14, statuses: ['BLOCK'] }))
    expect((await judge(small)).verdict).toBe('valid')
    for (let at = 0; at < small.length; at += 13) {
      small.writeUInt8(small.readUInt8(at) ^ 1, at)
      const { ok } = await judge(small)
      expect([at, ok]).toEqual([at, false])
      small.writeUInt8(small.readUInt8(at) ^ 1, at)
    }
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { fingerprint, formatTrustRoot } from '../../../src/dossier/trust-root.ts'
import { verifyDossier } from '../../../src/verify/index.ts'
import { operatorHolds } from '../../support/forge.ts'
import { entryOf } from '../../support/forge-dossier.ts'
import { registrationOf } from '../../support/forge-policy.ts'
import { createWorld, streams } from '../../support/forge-world.ts'
import { append, attack, stepAt, trusting } from './forgery.ts'

const world = createWorld()
const { file } = attack(world, 'each', streams.allow, {})

describe('a report', () => {
  it('tells what was verified', () => {
    const report = verifyDossier(file, world.trustFile)
    expect(report).toMatchObject({
      assurance: 'operator',
      complete: 'no',
      dev: false,
      ok: true,
      origin: 'log.example/each',
      status: 'ALLOW',
      stream: streams.allow,
      tenant: 'each',
      treeSize: 17,
      trustRoot: fingerprint(world.trustFile),
      verdict: 'valid',
    })
    expect(report.entries).toMatchObject([
      { erased: false, index: 6, kind: 'decision', seq: 0 },
      { erased: false, index: 8, kind: 'execution', seq: 1 },
    ])
    expect(report.checks.every(({ ok }) => ok)).toBe(true)
    expect(report.checks.map(({ name }) => name)).toEqual([
      'dossier.format',
      'checkpoint.origin',
      'checkpoint.signatures',
      'checkpoint.known-heads',
      'checkpoint.witnesses',
      ...[0, 1].flatMap((i) =>
        ['inclusion', 'key', 'payload', 'signature-digest', 'signature', 'statement', 'matter'].map(
          (what) => `entries[${i}].${what}`,
        ),
      ),
      'stream.chain',
      'stream.decision',
      'stream.executions',
    ])
  })

  it('tells what it does not say', () => {
    expect(verifyDossier(file, world.trustFile).notes).toEqual([
      'No witness has cosigned: the operator could show others another log',
      'Times are the operator’s word',
      'Later entries of this stream are not excluded: compare with the log’s own leaves to know',
      'Status was submitted by alice, not evaluated by Countersign',
      'Trust root knows of revocations and rosters up to size 5 only',
    ])
  })

  it('says less where there is less to say', () => {
    const asOfNow = trusting(world, 'each', (section) => {
      section.asOf = { ...section.asOf, size: 9 }
    })
    const notes = verifyDossier(file, asOfNow, { leaves: world.each.log.leaves() }).notes
    expect(notes).toHaveLength(3)
    const evaluated = attack(world, 'each', streams.allow, {
      holds: operatorHolds,
      steps(steps) {
        stepAt(steps, streams.allow).matter['source'] = 'evaluated'
      },
    })
    expect(verifyDossier(evaluated.file, world.trustFile).notes.join()).not.toContain('submitted')
  })

  it('repeats of a development installation that it is one', () => {
    const dev = formatTrustRoot({ ...world.trust, dev: true })
    const report = verifyDossier(file, dev)
    expect(report).toMatchObject({ dev: true, verdict: 'valid' })
    expect(report.notes[0]).toMatch(/^Development installation/)
  })
})

describe('a trust root', () => {
  const verdictUnder = (trustFile: Uint8Array): string => verifyDossier(file, trustFile).verdict

  it('is judged as a whole, also where the dossier does not touch it', () => {
    const foreign = trusting(world, 'seen', ({ keys: [key] }) => {
      Object.assign(key ?? {}, { keyid: 'ab'.repeat(32) })
    })
    expect(verdictUnder(foreign)).toBe('invalid')
    expect(verifyDossier(file, foreign).checks.filter(({ ok }) => !ok)).toMatchObject([
      { name: 'trust-root.keys', outcome: 'fail' },
    ])
  })

  it('is said to know no later revocations from its own size on', () => {
    const notesAsOf = (size: number): string =>
      verifyDossier(
        file,
        trusting(world, 'each', (section) => {
          section.asOf = { ...section.asOf, size }
        }),
      ).notes.join()
    expect(notesAsOf(7)).toContain('revocations and rosters up to size 7 only')
    expect(notesAsOf(8)).toContain('revocations and rosters up to size 8 only')
    expect(notesAsOf(9)).not.toContain('revocations')
  })
})

describe('what has failed already', () => {
  it('costs no signature when an entry is named twice', () => {
    const twice = attack(world, 'each', streams.allow, {
      dossier({ entries }) {
        entries.push(...entries)
      },
    })
    const { checks } = verifyDossier(twice.file, world.trustFile)
    expect(checks.at(-1)).toMatchObject({ name: 'stream.chain', outcome: 'fail' })
    expect(checks.filter(({ name }) => name.startsWith('entries'))).toEqual([])
  })

  it('is not read when a payload is not the leaf’s', () => {
    const other = attack(world, 'each', streams.allow, {
      dossier({ entries: [first] }) {
        if (first !== undefined) first.payload = utf8('{"anything":1}')
      },
    })
    const names = verifyDossier(other.file, world.trustFile).checks.map(({ name }) => name)
    expect(names).toContain('entries[0].payload')
    expect(names).not.toContain('entries[0].statement')
    expect(names).toContain('entries[1].statement')
  })
})

describe('the policies that a decision names', () => {
  const first = world.each.log.size
  const missing = (...cited: readonly number[]): string | undefined =>
    verifyDossier(
      attack(world, 'each', streams.allow, {
        dossier(draft, log) {
          draft.cited.push(...cited.map((index) => entryOf(log, index)))
        },
        holds: operatorHolds,
        steps(steps) {
          const policies = [first, first + 1].map((index) => ({ id: 'p', index }))
          stepAt(steps, streams.allow).matter['policies'] = policies
          append(steps, 'policy', 'policies', registrationOf('1'))
          append(steps, 'policy', 'policies', registrationOf('2'))
        },
      }).file,
      world.trustFile,
    ).checks.find(({ name }) => name === 'cited.present')?.reason

  it('are missed one by one where they are not cited', () => {
    expect(missing()).toMatch(/index 17$/)
    expect(missing(first)).toMatch(/index 18$/)
    expect(missing(first + 1)).toMatch(/index 17$/)
    expect(missing(first, first + 1)).toBeUndefined()
  })
})

describe('a fingerprint that is demanded', () => {
  const trustSha256 = fingerprint(world.trustFile)

  it('may be written in capitals', () => {
    expect(verifyDossier(file, world.trustFile, { trustSha256 }).verdict).toBe('valid')
    expect(
      verifyDossier(file, world.trustFile, { trustSha256: trustSha256.toUpperCase() }).verdict,
    ).toBe('valid')
  })

  it('is that of the whole file and no other', () => {
    const other = `${trustSha256.slice(0, -1)}${trustSha256.endsWith('0') ? '1' : '0'}`
    for (const wrong of [other, trustSha256.slice(1), ` ${trustSha256}`, ''])
      expect(verifyDossier(file, world.trustFile, { trustSha256: wrong })).toMatchObject({
        checks: expect.arrayContaining([
          expect.objectContaining({ name: 'trust-root.fingerprint', ok: false }),
        ]) as unknown,
        verdict: 'invalid',
      })
  })
})

describe('what is not evidence at all', () => {
  it('is a report, never an exception', () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.json({ maxDepth: 4 }).map(utf8),
      fc.string({ unit: 'binary', maxLength: 100 }).map(utf8),
    )
    fc.assert(
      fc.property(any, (bytes) => {
        for (const report of [
          verifyDossier(bytes, world.trustFile),
          verifyDossier(file, bytes),
          verifyDossier(bytes, bytes),
        ])
          expect(report).toMatchObject({ entries: [], ok: false, verdict: 'invalid' })
      }),
      { numRuns: 100 },
    )
  })

  it('names the trust root that was used even when it is none', () => {
    const report = verifyDossier(file, utf8('{}'))
    expect(report.trustRoot).toBe(fingerprint(utf8('{}')))
    expect(report.checks).toMatchObject([{ name: 'trust-root.format', outcome: 'fail' }])
  })

  it('of a mistake of ours is invalid too', () => {
    const leaves = {
      *[Symbol.iterator](): Generator<Uint8Array> {
        yield new Uint8Array(0)
        throw new Error('disk on fire')
      },
    }
    const report = verifyDossier(file, world.trustFile, { leaves })
    expect(report).toMatchObject({ ok: false, verdict: 'invalid' })
    expect(report.checks.at(-1)).toMatchObject({
      name: 'verifier',
      reason: 'Internal error: disk on fire',
    })
  })
})

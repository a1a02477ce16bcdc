import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import type { OriginSection, TrustedLogKey } from '../../../src/dossier/trust-root.ts'
import { createVkey, formatVkey } from '../../../src/merkle/note.ts'
import { verifyDossier, type Report, type VerifyOptions } from '../../../src/verify/index.ts'
import { operatorHolds, reseal } from '../../support/forge.ts'
import {
  forgeDossier,
  headOf,
  linesOf,
  noteOf,
  sectionOf,
  type Attack,
  type Witness,
} from '../../support/forge-dossier.ts'
import { createWorld, genesisSize, streams, witnesses } from '../../support/forge-world.ts'
import { fixedSigner } from '../../support/merkle-signers.ts'
import { append, attack, trusting, type Tenant } from './forgery.ts'

const world = createWorld()
const { log } = world.each
const { size } = log

const under = (
  tenant: Tenant,
  change: (section: OriginSection) => void,
  options: VerifyOptions = {},
  does: Attack = {},
): Report => {
  const { file } = attack(world, tenant, streams.allow, does)
  return verifyDossier(file, trusting(world, tenant, change), options)
}

const all =
  (change: Partial<TrustedLogKey>) =>
  ({ logKeys }: OriginSection): void => {
    for (const key of logKeys) Object.assign(key, change)
  }

const checkOf = ({ checks }: Report, name: string): string | undefined =>
  checks.find((check) => check.name === name)?.reason

describe('log keys', () => {
  it('count from their first size on, and up to where they stop', () => {
    expect(under('each', all({ from: size })).verdict).toBe('valid')
    expect(under('each', all({ from: size + 1 })).verdict).toBe('invalid')
    expect(under('each', all({ to: size + 1 })).verdict).toBe('valid')
    expect(under('each', all({ to: size })).verdict).toBe('invalid')
  })

  it('may have followed others, which need not sign any more', () => {
    const old = (origin: string): TrustedLogKey[] =>
      [1, 6].map((type) => {
        const { publicKey } = fixedSigner(type === 1 ? 'Ed25519' : 'ML-DSA-44', 210)
        const vkey = formatVkey(createVkey(origin, type, publicKey))
        return { final: headOf(log, 7), from: 0, revokedAt: null, to: 8, vkey }
      })
    const report = under('each', (section) => {
      section.logKeys.unshift(...old(section.origin))
    })
    expect(report.verdict).toBe('valid')
    expect(checkOf(report, 'checkpoint.signatures')).toBe('2 log keys valid at size 17 have signed')
  })

  it('may stand beside others in time, and then all must sign', () => {
    const report = under('each', ({ logKeys, origin }) => {
      const { publicKey } = fixedSigner('Ed25519', 211)
      const vkey = formatVkey(createVkey(origin, 1, publicKey))
      logKeys.push({ final: null, from: 0, revokedAt: null, to: null, vkey })
    })
    expect(checkOf(report, 'checkpoint.signatures')).toBe(
      'A log key valid at size 17 has not signed: Ed25519',
    )
  })
})

describe('revoked log keys', () => {
  const later = reseal(log, operatorHolds, (steps) => {
    append(steps, 'admin', 'admin', { action: 'any', by: {}, detail: {}, subject: 'x', time: 0 })
    append(steps, 'admin', 'admin', { action: 'any', by: {}, detail: {}, subject: 'y', time: 0 })
  })
  const final = headOf(later)
  const revoked = { final, revokedAt: final.size + 1 }
  const proof = later.consistencyProof(size, final.size)

  it('are proved by consistency with the last tree they signed', () => {
    const report = under('each', all(revoked), { finalProof: proof })
    expect(report.verdict).toBe('valid')
    expect(checkOf(report, 'checkpoint.revoked-key')).toBe(
      'Revoked log key, but consistent with its final tree head',
    )
  })

  it('are proved where the tree is that last one', () => {
    expect(under('each', all({ final: headOf(log), revokedAt: size + 1 })).verdict).toBe('valid')
  })

  it('prove nothing without that, or by another proof', () => {
    for (const options of [
      {},
      { finalProof: [] },
      { finalProof: proof.slice(1) },
      { finalProof: proof.toReversed() },
      { finalProof: [...proof, new Uint8Array(32)] },
      { finalProof: [new Uint8Array(31)] },
      { finalProof: later.consistencyProof(size - 1, final.size) },
    ])
      expect(under('each', all(revoked), options).verdict).toBe('unprovable')
    const otherRoot = { ...final, root: encodeBase64(log.root()) }
    expect(
      under('each', all({ ...revoked, final: otherRoot }), { finalProof: proof }).verdict,
    ).toBe('unprovable')
  })

  it('are void from the size of the revocation on, whatever is proved', () => {
    expect(
      under('each', all({ ...revoked, revokedAt: size + 1 }), { finalProof: proof }).verdict,
    ).toBe('valid')
    expect(under('each', all({ ...revoked, revokedAt: size }), { finalProof: proof }).verdict).toBe(
      'invalid',
    )
    expect(under('seen', all({ revokedAt: size })).verdict).toBe('invalid')
  })

  it('are proved by witnesses where a quorum is asked for', () => {
    const report = under('seen', all({ revokedAt: size + 1 }))
    expect(report.verdict).toBe('valid')
    expect(checkOf(report, 'checkpoint.revoked-key')).toBe(
      'Revoked log key, but a witness quorum has cosigned',
    )
    const nobodyAsked = under('seen', (section) => {
      all({ revokedAt: size + 1 })(section)
      section.witnesses = section.witnesses.replace(/quorum .*\n/, 'quorum none\n')
    })
    expect(nobodyAsked.verdict).toBe('unprovable')
  })
})

describe('the heads that a trust root knows', () => {
  it('are agreed with at their own size only', () => {
    const wrong = (at: number): OriginSection['asOf'] => ({
      root: encodeBase64(log.root(3)),
      size: at,
    })
    const known = (at: number) =>
      under('each', (section) => {
        section.asOf = wrong(at)
      })
    expect(known(size).verdict).toBe('invalid')
    expect(checkOf(known(size), 'checkpoint.known-heads')).toMatch(/forked$/)
    expect(known(size - 1).verdict).toBe('valid')
    expect(known(size + 1).verdict).toBe('valid')
    expect(
      under('each', (section) => {
        section.asOf = headOf(log)
      }).verdict,
    ).toBe('valid')
  })

  it('are those of retired log keys too', () => {
    const retired = (root: Uint8Array) =>
      under('each', all({ final: { root: encodeBase64(root), size }, to: size + 1 }))
    expect(retired(log.root()).verdict).toBe('valid')
    expect(retired(log.root(3)).verdict).toBe('invalid')
  })
})

describe('witnesses', () => {
  const cosigners = (...given: readonly Witness[]) => {
    const published = { ...world.each, note: noteOf(log, given), witnesses: given }
    return forgeDossier(published, streams.allow)
  }
  const [one, two] = witnesses
  if (one === undefined || two === undefined) throw new Error('No witnesses')
  const third: Witness = {
    name: 'witness.example/three',
    signer: fixedSigner('Ed25519', 73),
    timestamp: 9,
  }
  const policy = (quorum: string): Uint8Array =>
    trusting(world, 'each', (section) => {
      const lines = sectionOf(log, [one, two, third]).witnesses.split('\n').slice(0, 3)
      section.witnesses = `${lines.join('\n')}\n${quorum}`
    })
  const verdictOf = (quorum: string, ...given: readonly Witness[]) =>
    verifyDossier(cosigners(...given), policy(quorum)).verdict

  it('are counted, and named in the report with their earliest time', () => {
    const report = verifyDossier(cosigners(one, two), policy('quorum none\n'))
    expect(report).toMatchObject({ assurance: 'witnessed(2)', verdict: 'valid' })
    expect(report.notes.join()).toContain(new Date(one.timestamp * 1000).toISOString())
    expect(verifyDossier(cosigners(), policy('quorum none\n')).assurance).toBe('operator')
  })

  it('are counted once, however many keys they have', () => {
    const both = { ...third, name: one.name }
    const lines = sectionOf(log, [one, both]).witnesses.split('\n').slice(0, 2).join('\n')
    const trust = trusting(world, 'each', (section) => {
      section.witnesses = `${lines}\nquorum none\n`
    })
    const report = verifyDossier(cosigners(one, both), trust)
    expect(report).toMatchObject({ assurance: 'witnessed(1)', verdict: 'valid' })
    expect(report.checks.find(({ name }) => name === 'checkpoint.witnesses')?.reason).toBe(
      '1 of 1 witnesses have cosigned',
    )
  })

  it('make up the quorum or do not', () => {
    expect(verdictOf('quorum w0\n', one)).toBe('valid')
    expect(verdictOf('quorum w0\n', two, third)).toBe('unprovable')
    expect(verdictOf('group g 2 w0 w1 w2\nquorum g\n', one, third)).toBe('valid')
    expect(verdictOf('group g 2 w0 w1 w2\nquorum g\n', third)).toBe('unprovable')
    expect(verdictOf('group g all w0 w1 w2\nquorum g\n', one, two, third)).toBe('valid')
    expect(verdictOf('group g all w0 w1 w2\nquorum g\n', one, two)).toBe('unprovable')
    expect(verdictOf('group g any w0 w1 w2\nquorum g\n', two)).toBe('valid')
    expect(verdictOf('group g any w0 w1 w2\nquorum g\n')).toBe('unprovable')
  })

  it('that nobody knows are neither counted nor in the way', () => {
    const stranger = { ...third, name: 'stranger.example', signer: fixedSigner('Ed25519', 74) }
    const report = verifyDossier(cosigners(one, stranger), policy('quorum w0\n'))
    expect(report).toMatchObject({ assurance: 'witnessed(1)', verdict: 'valid' })
  })

  it('may write any time without taking the verifier down', () => {
    for (const [timestamp, told] of [
      [8_640_000_000_000, '+275760-09-13T00:00:00.000Z'],
      [8_640_000_000_001, 'second 8640000000001 since 1970'],
      [Number.MAX_SAFE_INTEGER, 'second 9007199254740991 since 1970'],
      [1, '1970-01-01T00:00:01.000Z'],
    ] as const)
      for (const witness of [one, two]) {
        const report = verifyDossier(cosigners({ ...witness, timestamp }), policy('quorum none\n'))
        expect(report.verdict).toBe('valid')
        expect(report.notes.join()).toContain(told)
      }
  })
})

describe('a checkpoint by later log keys', () => {
  it('is inconclusive, with witnesses and without, until the trust root knows its size', () => {
    const impostor = createWorld(120)
    for (const tenant of ['each', 'seen'] as const) {
      const foreign = linesOf(impostor[tenant].note).slice(0, 2)
      const { file } = attack(world, tenant, streams.allow, {
        lines: (lines) => [...foreign, ...lines.slice(2)],
      })
      const judged = (asOf: number): string =>
        verifyDossier(
          file,
          trusting(world, tenant, (section) => {
            section.asOf = { ...section.asOf, size: asOf }
          }),
        ).verdict
      expect(judged(genesisSize)).toBe('inconclusive')
      expect(judged(size - 1)).toBe('inconclusive')
      expect(judged(size)).toBe('invalid')
    }
  })
})

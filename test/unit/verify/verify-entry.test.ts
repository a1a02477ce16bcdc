import { describe, expect, it } from 'vitest'
import type { TrustedSigningKey } from '../../../src/dossier/trust-root.ts'
import { verifyDossier, type Report } from '../../../src/verify/index.ts'
import { logHolds, operatorHolds } from '../../support/forge.ts'
import { createWorld, streams } from '../../support/forge-world.ts'
import { attack, stepAt, trusting, type Tenant } from './forgery.ts'

const world = createWorld()
/** Where decision and execution of {@link streams}.allow stand. */
const [decisionAt, executionAt] = [6, 8]

const under = (tenant: Tenant, change: Partial<TrustedSigningKey>, file?: Uint8Array): Report =>
  verifyDossier(
    file ?? attack(world, tenant, streams.allow, {}).file,
    trusting(world, tenant, ({ keys }) => {
      Object.assign(keys.at(-1) ?? {}, change)
    }),
  )

const outcomeOf = ({ checks }: Report, name: string): string => {
  const check = checks.find((candidate) => candidate.name === name)
  return check === undefined ? 'none' : `${check.outcome}: ${check.reason}`
}

describe.each(['each', 'fast'] as const)('a signing key in profile %s', (tenant) => {
  it('counts from its first index on', () => {
    expect(under(tenant, { from: decisionAt }).verdict).toBe('valid')
    const report = under(tenant, { from: decisionAt + 1 })
    expect(report.verdict).toBe('invalid')
    expect(outcomeOf(report, 'entries[0].key')).toBe('fail: Key does not count before index 7')
    expect(outcomeOf(report, 'entries[1].key')).toBe('pass: Key counts at index 8')
  })

  it('counts up to the index where it retires', () => {
    expect(under(tenant, { to: executionAt + 1 }).verdict).toBe('valid')
    const report = under(tenant, { to: executionAt })
    expect(report.verdict).toBe('invalid')
    expect(outcomeOf(report, 'entries[0].key')).toBe('pass: Key counts at index 6')
    expect(outcomeOf(report, 'entries[1].key')).toBe('fail: Key does not count from index 8')
  })

  it('that was revoked counts before, and both verdicts are told from there on', () => {
    expect(under(tenant, { revokedAt: executionAt + 1 }).verdict).toBe('valid')
    const report = under(tenant, { revokedAt: executionAt })
    expect(report.verdict).toBe('invalid')
    expect(outcomeOf(report, 'entries[0].key')).toBe('pass: Key counts at index 6')
    expect(outcomeOf(report, 'entries[1].key')).toBe(
      'fail: Valid when made; key revoked from index 8',
    )
    expect(outcomeOf(report, 'entries[1].signature')).toMatch(/^pass: /)
  })

  it('that was revoked is said to have signed only what it did sign', () => {
    const { file } = attack(world, tenant, streams.allow, {
      holds: logHolds,
      steps(steps) {
        stepAt(steps, streams.allow, 1).signature = (signature) => signature.map(() => 7)
      },
    })
    const report = under(tenant, { revokedAt: executionAt }, file)
    expect(outcomeOf(report, 'entries[1].key')).toMatch(/^fail: Valid when made/)
    expect(outcomeOf(report, 'entries[1].signature')).toMatch(/^fail: .* does not verify$/)
  })

  it('that retired before it was revoked was not valid when made', () => {
    const report = under(tenant, { revokedAt: 0, to: executionAt })
    expect(outcomeOf(report, 'entries[0].key')).toMatch(/^fail: Valid when made/)
    expect(outcomeOf(report, 'entries[1].key')).toBe('fail: Key does not count from index 8')
    expect(outcomeOf(report, 'entries[1].signature')).toBe('none')
  })

  it('signs only the kinds it is for', () => {
    expect(under(tenant, { kinds: ['decision', 'execution'] }).verdict).toBe('valid')
    const report = under(tenant, { kinds: ['decision'] })
    expect(report.verdict).toBe('invalid')
    expect(outcomeOf(report, 'entries[1].key')).toBe('fail: Key may not sign this kind: execution')
  })
})

describe('an entry', () => {
  it('by the fast key rests on the checkpoint, and says so', () => {
    const { file } = attack(world, 'fast', streams.allow, {})
    expect(outcomeOf(verifyDossier(file, world.trustFile), 'entries[0].signature')).toBe(
      'pass: Ed25519 signature verifies; the post-quantum one is the checkpoint’s',
    )
  })

  it('by the evidence key verifies after its payload is gone, one by the fast key does not', () => {
    const told = (tenant: Tenant): string =>
      outcomeOf(
        verifyDossier(attack(world, tenant, streams.erased, {}).file, world.trustFile),
        'entries[0].signature',
      )
    expect(told('each')).toBe('pass: ML-DSA-65 and Ed25519 signatures verify')
    expect(told('fast')).toMatch(/^erased: Payload is erased/)
  })

  it('may have a payload of 256 kB and no longer', () => {
    const padded = (length: number): Report => {
      const { file } = attack(world, 'each', streams.block, {
        holds: operatorHolds,
        steps(steps) {
          const step = stepAt(steps, streams.block)
          const bare = (step.was?.payload.length ?? 0) - 'null'.length + '""'.length
          step.matter['trace'] = 'x'.repeat(length - bare)
          step.payload = (payload) => {
            expect(payload).toHaveLength(length)
            return payload
          }
        },
      })
      return verifyDossier(file, world.trustFile)
    }
    expect(padded(262_144).verdict).toBe('valid')
    const report = padded(262_145)
    expect(report.verdict).toBe('invalid')
    expect(outcomeOf(report, 'entries[0].payload')).toBe(
      'fail: Payload is longer than 262144 bytes',
    )
  })

  it('by an unknown key may be of a later time only behind the trust root', () => {
    const judged = (size: number): string =>
      verifyDossier(
        attack(world, 'fast', streams.allow, {}).file,
        trusting(world, 'fast', (section) => {
          section.keys.pop()
          section.asOf = { ...section.asOf, size }
        }),
      ).verdict
    expect(judged(decisionAt)).toBe('inconclusive')
    expect(judged(decisionAt + 1)).toBe('invalid')
  })

  it('that nothing follows has its time by the word of the log alone', () => {
    const retimed = (holds: typeof logHolds, seq: number) =>
      verifyDossier(
        attack(world, 'each', streams.allow, {
          holds,
          steps(steps) {
            stepAt(steps, streams.allow, seq).time += 1
          },
        }).file,
        world.trustFile,
      ).verdict
    expect(retimed(logHolds, 1)).toBe('valid')
    expect(retimed(logHolds, 0)).toBe('invalid')
    expect(retimed([], 1)).toBe('invalid')
    expect(retimed(operatorHolds, 0)).toBe('valid')
  })
})

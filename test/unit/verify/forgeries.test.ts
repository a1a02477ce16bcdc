import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { verifyDossier, type Report } from '../../../src/verify/index.ts'
import { operatorHolds } from '../../support/forge.ts'
import { passesCofactored, signTorsioned } from '../../support/forge-ed25519.ts'
import { createWorld, streams } from '../../support/forge-world.ts'
import { forgedCheckpoints } from './forgeries-checkpoints.ts'
import { forgedKeys } from './forgeries-keys.ts'
import { forgedStories } from './forgeries-story.ts'
import { forgedFields } from './forgeries-fields.ts'
import { forgedSignatures } from './forgeries-signatures.ts'
import { attack, stepAt, type Evidence, type Forgery } from './forgery.ts'

const world = createWorld()
const forgeries: readonly Forgery[] = [
  forgedFields,
  forgedSignatures,
  forgedCheckpoints,
  forgedKeys,
  forgedStories,
].flatMap((table) => table(world))

const verify = ({ file, options, trustFile }: Evidence): Report =>
  verifyDossier(file, trustFile ?? world.trustFile, options)

const outcomes = {
  erased: 'erased',
  inconclusive: 'inconclusive',
  invalid: 'fail',
  unprovable: 'unprovable',
} as const

describe('what nobody forged', () => {
  const tenants = ['each', 'fast', 'seen'] as const
  const named = [
    ...Object.entries(streams),
    ...['keys', 'admin', 'trust'].map((name) => [name, name]),
  ]

  it('is valid, or erased where it was erased', () => {
    for (const tenant of tenants)
      for (const [name, stream = ''] of named)
        expect([tenant, name, verify(attack(world, tenant, stream, {})).verdict]).toEqual([
          tenant,
          name,
          name === 'erased' ? 'erased' : 'valid',
        ])
  })

  it('is valid at every size that the log had since', () => {
    for (let size = 5; size <= world.each.log.size; size++) {
      const { file } = attack(world, 'each', 'admin', { holds: operatorHolds, size })
      expect([size, verify({ file }).verdict]).toEqual([size, 'valid'])
    }
  })

  it('is valid when the holders of all keys say something else, so that only keys keep others from it', () => {
    for (const tenant of tenants) {
      const evidence = attack(world, tenant, streams.block, {
        holds: [...operatorHolds, 'witnesses'],
        steps(steps) {
          const step = stepAt(steps, streams.block)
          step.matter['status'] = 'ALLOW'
          step.time += 1
        },
      })
      expect(verify(evidence)).toMatchObject({ status: 'ALLOW', verdict: 'valid' })
    }
  })
})

describe('a signature made for its torsioned R', () => {
  const { ed25519, seeds } = world.each.log.identity.keys
  const message = utf8('anything')
  const signature = signTorsioned(seeds.ed25519, message)

  it('is one that other verifiers take, and not ours', () => {
    expect(passesCofactored(ed25519.publicKey, message, signature)).toBe(true)
    expect(ed25519.algorithm.verify(ed25519.publicKey, message, signature)).toBe(false)
    expect(ed25519.algorithm.verify(ed25519.publicKey, message, ed25519.sign(message))).toBe(true)
  })
})

describe(`${forgeries.length} resealed forgeries`, () => {
  it('are at least 200, each with a name of its own', () => {
    expect(forgeries.length).toBeGreaterThanOrEqual(200)
    const names = forgeries.map(({ name }) => name)
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  })

  it.each(forgeries)('$name', ({ check, evidence, verdict }) => {
    const report = verify(evidence())
    expect(report.ok).toBe(false)
    expect(report.verdict).toBe(verdict)
    const worst = report.checks.find(({ outcome }) => outcome === outcomes[verdict])
    expect(`${worst?.name ?? ''}: ${worst?.reason ?? ''}`).toContain(`${check}: `)
  })
})

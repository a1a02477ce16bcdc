import { describe, expect, it } from 'vitest'
import { verifyDossier, type Report } from '../../../src/verify/index.ts'
import { createWorld } from '../../support/forge-world.ts'
import { forgedFields } from './forgeries-fields.ts'
import { forgedSignatures } from './forgeries-signatures.ts'
import type { Evidence, Forgery } from './forgery.ts'

const world = createWorld()
const forgeries: readonly Forgery[] = [...forgedFields(world), ...forgedSignatures(world)]

const verify = ({ file, options, trustFile }: Evidence): Report =>
  verifyDossier(file, trustFile ?? world.trustFile, options)

const outcomes = {
  erased: 'erased',
  inconclusive: 'inconclusive',
  invalid: 'fail',
  unprovable: 'unprovable',
} as const

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

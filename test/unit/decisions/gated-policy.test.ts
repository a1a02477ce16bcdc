import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { formatDossier, parseDossier, type DossierEntry } from '../../../src/dossier/v1.ts'
import { reevaluateDossier } from '../../../src/verify/reevaluate.ts'
import { verifyDossier } from '../../../src/verify/verify-dossier.ts'
import { foundTestService, founder, type TestService } from '../../support/service.ts'

const bundle = {
  bundle_id: 'changes',
  version: '1',
  gates: { version: 'countersign/gates/v1', settings: { novelty_threshold: 0.62 } },
  policies: [
    {
      id: 'deploys',
      rules: [
        { id: 'deploy', effect: 'allow', when: { kind: 'eq', field: 'action', value: 'deploy' } },
      ],
    },
  ],
}
const measures = {
  estimated_impact: 'low',
  risk_baseline: 0.1,
  risk_proposed: 0.12,
  profit_baseline: 100,
  profit_proposed: 120,
  novelty_score: 0.75,
  complexity_score: 0.6,
  quality_score: 0.8,
  quality_subscores: [0.8, 0.7],
}

describe('a policy with gates', () => {
  async function founded(): Promise<TestService> {
    const test = await foundTestService()
    const record = fromUtf8(canonicalBytes({ bundle, dialect: 'native' }))
    const { sha256 } = await test.service.registerPolicy('default', record, founder)
    await test.service.activatePolicy('default', sha256, {}, founder)
    return test
  }

  const decide = (test: TestService, more: object = {}) => {
    const context = { gates: { ...measures, ...more } }
    return test.notarise(
      JSON.stringify({ intent: { action: { type: 'deploy' }, actor: { id: 'bot' }, context } }),
    )
  }

  it('decides with its gates, and its dossiers prove it and follow from them', async () => {
    const test = await founded()
    const cases = [
      [{}, 'ALLOW', true],
      [{ quality_score: 0.6 }, 'BLOCK', true],
      [{ complexity_score: 0.4 }, 'BLOCK', false],
      [{ novelty_score: 0.5, estimated_impact: 'critical' }, 'ESCALATE', true],
      [{ requires_human_approval: true }, 'REVIEW_REQUIRED', true],
      [{ risk_proposed: null }, 'BLOCK', true],
    ] as const
    for (const [more, status, overridable] of cases) {
      const { id } = await decide(test, more)
      const { decision } = await test.service.readDecision('default', id)
      const matter = JSON.parse(decision ?? '{}') as { readonly gates: unknown[] }
      expect(matter).toMatchObject({ overridable, source: 'evaluated', status })
      expect(matter.gates).toHaveLength(6)
      const file = await test.service.exportDossier('default', id)
      const root = await test.service.readTrustRoot('default')
      expect(verifyDossier(file, root)).toMatchObject({ status, verdict: 'valid' })
      expect(reevaluateDossier(file)).toMatchObject({
        outcome: 'same',
        differs: [],
        recorded: status,
      })
    }
  })

  it.each([
    ['a measure', '"novelty_score":0.75', '"novelty_score":0.7500001'],
    ['a setting', '"novelty_threshold":0.62', '"novelty_threshold":0.6200001'],
    ['a gate', '"threshold":0.62', '"threshold":0.6200001'],
    ['the confidence', '"confidence":0.99', '"confidence":0.98'],
  ])('follows no more where %s is another', async (_, from, to) => {
    const test = await founded()
    const { id } = await decide(test)
    const dossier = parseDossier(await test.service.exportDossier('default', id))
    if (typeof dossier === 'string') throw new Error(dossier)
    let found = 0
    const change = (entry: DossierEntry): DossierEntry => {
      if (entry.payload === null) return entry
      const text = fromUtf8(entry.payload)
      found += text.split(from).length - 1
      return { ...entry, payload: utf8(text.replace(from, to)) }
    }
    const file = formatDossier({
      ...dossier,
      cited: dossier.cited.map(change),
      entries: dossier.entries.map(change),
    })
    expect(found).toBeGreaterThan(0)
    expect(reevaluateDossier(file).outcome).toBe('different')
  })
})

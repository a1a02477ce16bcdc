import { describe, expect, it } from 'vitest'
import { labels, signatureContext } from '../../src/crypto/labels.ts'

const kinds =
  'decision execution escalation approval override policy roster key trust admin anchor erasure'

describe('the domain-separation labels', () => {
  it('are never changed', () => {
    expect(labels).toEqual({
      slot: 'countersign/slot/v1',
      signingKey: 'countersign/sign-key/v1',
      manifest: 'countersign/manifest/v1',
      environmentKek: 'countersign/kek/environment/v1',
      environmentKekId: 'countersign/kek/environment/id/v1',
      hsmKek: 'countersign/kek/hsm/v1',
      apiKey: 'countersign/api-key/v1',
      idempotency: 'countersign/idempotency/v1',
      override: 'countersign/override/v1',
      webhook: 'countersign/webhook/v1',
    })
    expect(signatureContext('decision')).toBe('countersign/decision/v1')
  })

  it('cannot be changed', () => {
    expect(Object.isFrozen(labels)).toBe(true)
  })

  it('are unique, and none is the beginning of another', () => {
    const all = Object.values(labels)
    const wrong = all.flatMap((a, i) => all.filter((b, j) => i !== j && b.startsWith(a)))
    expect(wrong).toEqual([])
  })

  it('are no context of a signature over a log entry, but for the override', () => {
    const all = new Set<string>(Object.values(labels))
    const contexts = kinds.split(' ').map(signatureContext)
    // An approver's key signs the challenge, an evidence key the entry: two keys, and texts that begin differently.
    expect(contexts.filter((context) => all.has(context))).toEqual([labels.override])
  })

  it('fit into a signature context', () => {
    for (const text of [...Object.values(labels), ...kinds.split(' ').map(signatureContext)])
      expect(text).toMatch(/^[a-z0-9/-]{1,255}$/)
  })
})

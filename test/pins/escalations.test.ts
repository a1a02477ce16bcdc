import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { formatEscalationChallenge } from '../../src/dossier/escalation-challenge.ts'
import { verifyDossier } from '../../src/verify/index.ts'

interface Golden {
  readonly dossiers: readonly {
    readonly name: string
    readonly file: string
    readonly trustRoot: string
    readonly status: string
  }[]
}

// Made once and never again.
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'escalations.json'), 'utf8'),
) as Golden

describe('an escalation', () => {
  it.each(golden.dossiers)(
    'verifies for ever as it did at first: $name',
    ({ file, status, trustRoot }) => {
      expect(verifyDossier(utf8(file), utf8(trustRoot))).toMatchObject({
        status,
        verdict: 'valid',
      })
    },
  )

  it('has one text of a reviewer, byte for byte', () => {
    const text = formatEscalationChallenge({
      action: 'payments.refund',
      actor: 'bot-7',
      answer: 'approve',
      deadline: 1_790_000_060_000,
      decision: '0197a9d0-0000-7000-8000-000000000002',
      intent: 'cd'.repeat(32),
      leaf: 'ab'.repeat(32),
      place: {
        instance: '0197a9d0-0000-7000-8000-000000000001',
        origin: 'log.example/default',
        tenant: 'default',
      },
      reason: 'Checked\nby “phone”',
      roster: { sha256: 'ef'.repeat(32), version: 2 },
    })
    expect(text).toBe(
      `Countersign escalation v1
Instance: 0197a9d0-0000-7000-8000-000000000001
Tenant: default
Origin: log.example/default
Decision: 0197a9d0-0000-7000-8000-000000000002
Decision leaf: ${'ab'.repeat(32)}
Intent: ${'cd'.repeat(32)}
Actor: "bot-7"
Action: "payments.refund"
Answer: approve
Reason: "Checked\\nby \\u201cphone\\u201d"
Roster: 2 ${'ef'.repeat(32)}
Decide by: 2026-09-21T14:14:20.000Z
`,
    )
  })
})

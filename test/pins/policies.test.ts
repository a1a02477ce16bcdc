import { expect, it } from 'vitest'
import { canonicalize } from '../../src/base/canonical-json.ts'
import { encodeHex, utf8 } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { matters } from '../../src/dossier/matters.ts'
import { policyScopeSchema } from '../../src/dossier/policy-events.ts'
import { scopeSchema } from '../../src/policy/terms.ts'
import { digestOf, registrationOf } from '../support/forge-policy.ts'

const by = { id: 'cli', owner: 'author', type: 'local' }

// Entries that are signed stand for ever: what is valid today must read the same.
it('the matters of policies keep their form', () => {
  const index = 7
  const digest = digestOf('1')
  const steps = [
    registrationOf('1'),
    {
      by,
      control: { waived: 'no roster' },
      event: 'activated',
      index,
      replaces: null,
      rollback: false,
      scope: { actions: ['pay.*'], environments: ['production'], select: 'referenced' },
      sha256: digest,
      time: 1,
    },
    { by, event: 'retired', index, reason: 'r', sha256: digest, time: 2 },
  ]
  for (const step of steps) expect(matters.policy.parse(step)).toEqual(step)
  expect(steps.map((step) => encodeHex(sha256(utf8(canonicalize(step)))))).toMatchInlineSnapshot(`
    [
      "79c2ccab056c2f4df863d8234b703b8b2983b8b0fb56f7e5b4671895243d4887",
      "3643058ef5c358077ab28148383388c1bb9dca4a1cf17a94c996dc46364ec893",
      "3a1d98ed444b1930995c9ed10aac151eac4490839bb7c8c08f3a0882ef48a6e6",
    ]
  `)
})

it('the digest of a bundle’s record keeps its value', () => {
  expect(digestOf('1')).toMatchInlineSnapshot(
    `"6fecd2c756acbf396479353ada427435ac877ade448399b9c7e67cd71a70db59"`,
  )
})

it('an entry holds every scope that the engine reads, and no other', () => {
  for (const scope of [
    {},
    { actions: ['a'] },
    { resources: ['r'.repeat(256)] },
    { environments: Array.from({ length: 64 }, () => 'e'), select: 'always' },
  ]) {
    expect(policyScopeSchema.safeParse(scope).success).toBe(true)
    expect(scopeSchema.safeParse(scope).success).toBe(true)
  }
  for (const scope of [
    { actions: [] },
    { actions: [''] },
    { actions: ['a'.repeat(257)] },
    { actions: Array.from({ length: 65 }, () => 'e') },
    { select: 'never' },
    { anything: 1 },
  ]) {
    expect(policyScopeSchema.safeParse(scope).success).toBe(false)
    expect(scopeSchema.safeParse(scope).success).toBe(false)
  }
})

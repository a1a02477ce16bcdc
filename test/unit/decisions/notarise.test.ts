import { serialize } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { decodeBase64 } from '../../../src/base/base64.ts'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import { verifyDossier } from '../../../src/verify/verify-dossier.ts'
import { notarisedSchema, type Notarised } from '../../../src/wire/decision.ts'
import {
  foundTestService,
  founder,
  principalOf,
  requestOf,
  type TestService,
} from '../../support/service.ts'

const failing = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error as { code: string }).code,
  )

const matterOf = ({ envelope }: Notarised): Record<string, unknown> => {
  const payload = decodeBase64(envelope?.payload ?? '') ?? new Uint8Array(0)
  const statement = JSON.parse(fromUtf8(payload)) as {
    predicate: { matter: Record<string, unknown> }
  }
  return statement.predicate.matter
}

const verdict = async ({ service }: TestService, id: string): Promise<string> =>
  verifyDossier(await service.exportDossier('default', id), await service.readTrustRoot('default'))
    .verdict

describe.each(['each', 'checkpoint'] as const)('notarising in profile %s', (profile) => {
  it('answers with everything that proves it, and the dossier verifies', async () => {
    const test = await foundTestService({ profile })
    const reply = await test.notarise(requestOf(1), 'k1')
    expect(notarisedSchema.parse(reply)).toEqual(reply)
    expect(reply).toMatchObject({ index: 6, replayed: false, status: 'ALLOW' })
    expect(matterOf(reply)).toMatchObject({
      caller: { id: 'key-of-alice', owner: 'alice', type: 'apiKey' },
      id: reply.id,
      idempotencyKey: 'k1',
      maxUses: null,
      mode: 'enforce',
      overridable: true,
      source: 'submitted',
      trace: null,
    })
    expect(await verdict(test, reply.id)).toBe('valid')
  })

  it('answers with ASCII in a string of one byte a character, though the note has an em dash', async () => {
    const test = await foundTestService({ profile })
    const text = await test.service.notarise(test.principal, requestOf(1), null)
    expect((JSON.parse(text) as Notarised).checkpoint).toContain('\n— ')
    expect(text).toMatch(/^[\x20-\x7e]+$/)
    // What follows the version says how the string is represented, not what it could be: `"` for one byte a character, `c` for two.
    const tagOf = (value: string): string =>
      serialize(value).subarray(2).toString('latin1').replace(/^\0/, '').slice(0, 1)
    expect([tagOf('a'), tagOf('—')]).toEqual(['"', 'c'])
    expect(tagOf(text)).toBe('"')
  })

  it('gives 100 parallel decisions 100 places without a gap', async () => {
    const test = await foundTestService({ profile })
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, n) => test.notarise(requestOf(n))),
    )
    expect(replies.map(({ index }) => index).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, n) => n + 6),
    )
    for (const { id } of replies.slice(0, 5)) expect(await verdict(test, id)).toBe('valid')
  })

  it('replays a key with the same request, also after a restart', async () => {
    const test = await foundTestService({ profile })
    const first = await test.notarise(requestOf(1), 'k1')
    const again = await test.notarise(requestOf(1), 'k1')
    expect(again).toMatchObject({ id: first.id, index: first.index, replayed: true })
    expect(again.envelope).toEqual(first.envelope)
    const reopened = await test.reopen()
    expect(await reopened.notarise(requestOf(1), 'k1')).toMatchObject({
      id: first.id,
      replayed: true,
    })
  })

  it('lets 50 parallel twins wait for the first and gives all of them its answer', async () => {
    const test = await foundTestService({ profile })
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => test.notarise(requestOf(7), 'twin')),
    )
    expect(new Set(replies.map(({ id }) => id)).size).toBe(1)
    expect(replies.filter(({ replayed }) => !replayed)).toHaveLength(1)
    expect((await test.service.listTenants())[0]?.size).toBe(7)
  })

  it('refuses a key for another request, one after the other and in parallel', async () => {
    const test = await foundTestService({ profile })
    await test.notarise(requestOf(1), 'k1')
    expect(await failing(test.notarise(requestOf(2), 'k1'))).toBe('INPUT_CONFLICT')
    const outcomes = await Promise.all([
      failing(test.notarise(requestOf(3), 'k2')),
      failing(test.notarise(requestOf(4), 'k2')),
    ])
    expect(outcomes).toEqual(['none', 'INPUT_CONFLICT'])
  })

  it('never replays the key of another owner', async () => {
    const test = await foundTestService({ profile })
    const first = await test.notarise(requestOf(1), 'k1')
    const other = await test.notarise(requestOf(1), 'k1', principalOf(profile, 'bob'))
    expect(other.replayed).toBe(false)
    expect(other.id).not.toBe(first.id)
  })

  it('takes the key of the body where the header has none, and signs the same request without it', async () => {
    const test = await foundTestService({ profile })
    const body = await test.notarise(requestOf(1, { idempotencyKey: 'k1' }))
    expect(await test.notarise(requestOf(1), 'k1')).toMatchObject({ id: body.id, replayed: true })
  })
})

describe('using a decision', () => {
  it('lets exactly one of 50 parallel claims have the only use', async () => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1, { maxUses: 1 }))
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () => failing(test.service.claim(test.principal, id, {}))),
    )
    expect(outcomes.filter((outcome) => outcome === 'none')).toHaveLength(1)
    // Whoever lost the race eight times is told to try again; nobody else got through.
    expect(new Set(outcomes)).toEqual(new Set(['none', 'INPUT_CLAIMED']))
    expect(await verdict(test, id)).toBe('valid')
  })

  it('claims nothing for those who have left before their turn', async () => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1))
    const leaver = new AbortController()
    const first = test.service.claim(test.principal, id, {})
    const waiting = failing(test.service.claim(test.principal, id, {}, leaver.signal))
    leaver.abort()
    expect((await first).use).toBe(1)
    expect(await waiting).toBe('LOG_BUSY')
    expect((await test.service.claim(test.principal, id, {})).use).toBe(2)
  })

  it('claims for who leaves once it has begun', async () => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1))
    const { signal } = new AbortController()
    let asked = 0
    // There when its turn comes, and never again.
    Object.defineProperty(signal, 'aborted', { get: () => asked++ > 0 })
    expect((await test.service.claim(test.principal, id, {}, signal)).use).toBe(1)
    expect(asked).toBe(1)
  })

  it('counts uses up to the limit and without one', async () => {
    const test = await foundTestService()
    const thrice = await test.notarise(requestOf(1, { maxUses: 3 }))
    const free = await test.notarise(requestOf(2))
    for (const use of [1, 2, 3]) {
      expect((await test.service.claim(test.principal, thrice.id, {})).use).toBe(use)
      expect((await test.service.claim(test.principal, free.id, {})).use).toBe(use)
    }
    expect(await failing(test.service.claim(test.principal, thrice.id, {}))).toBe('INPUT_CLAIMED')
    expect((await test.service.claim(test.principal, free.id, { note: 'fourth' })).use).toBe(4)
    expect(await verdict(test, free.id)).toBe('valid')
  })

  it.each(['BLOCK', 'ESCALATE', 'REVIEW_REQUIRED', 'ERROR'])(
    'refuses to claim a %s',
    async (status) => {
      const test = await foundTestService()
      const { id } = await test.notarise(requestOf(1, { status }))
      expect(await failing(test.service.claim(test.principal, id, {}))).toBe('INPUT_NOT_CLAIMABLE')
    },
  )

  it('refuses to claim a shadow decision, an unknown one, and an entry that is no decision', async () => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1, { mode: 'shadow' }))
    expect(await failing(test.service.claim(test.principal, id, {}))).toBe('INPUT_NOT_CLAIMABLE')
    expect(
      await failing(test.service.claim(test.principal, '01890a5d-ac96-774b-bcce-b302099a8057', {})),
    ).toBe('INPUT_NOT_FOUND')
    expect(await failing(test.service.claim(test.principal, 'keys', {}))).toBe('INPUT_NOT_FOUND')
  })
})

describe('the bounds of a stream', () => {
  it('are met at 256 uses: no more claims, and still a dossier that verifies and can be erased', async () => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1))
    for (let use = 1; use <= 256; use++) await test.service.claim(test.principal, id, {})
    expect(await failing(test.service.claim(test.principal, id, {}))).toBe('INPUT_NOT_CLAIMABLE')
    expect(await verdict(test, id)).toBe('valid')
    await test.service.erase(test.principal, id, 'all of it')
    expect(await verdict(test, id)).toBe('erased')
  })

  it('take a reason of 1 to 2048 characters for an erasure', async () => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1))
    for (const reason of ['', 'x'.repeat(2049)])
      expect(await failing(test.service.erase(test.principal, id, reason))).toBe('INPUT_INVALID')
    expect((await test.service.erase(test.principal, id, 'x'.repeat(2048))).index).toBe(7)
  })
})

describe.each(['each', 'checkpoint'] as const)('erasing in profile %s', (profile) => {
  it('leaves a dossier that says erased, and nothing to find', async () => {
    const test = await foundTestService({ profile })
    const { id } = await test.notarise(requestOf(1, { maxUses: 2 }), 'k1')
    await test.service.claim(test.principal, id, {})
    const { index } = await test.service.erase(test.principal, id, 'Article 17')
    expect(index).toBe(8)
    expect(await verdict(test, id)).toBe('erased')
    expect(await test.service.readDecision('default', id)).toMatchObject({
      decision: null,
      erased: true,
      status: null,
    })
    const page = await test.service.listDecisions('default', { limit: 10 })
    expect(page.decisions[0]).toMatchObject({
      action: null,
      actor: null,
      erased: true,
      status: null,
    })
    expect(
      (await test.service.listDecisions('default', { actor: 'agent-1', limit: 10 })).decisions,
    ).toEqual([])
    expect(await failing(test.notarise(requestOf(1, { maxUses: 2 }), 'k1'))).toBe('INPUT_ERASED')
    expect(await failing(test.service.claim(test.principal, id, {}))).toBe('INPUT_ERASED')
    expect(await failing(test.service.erase(test.principal, id, 'again'))).toBe('INPUT_ERASED')
  })
})

describe('listing', () => {
  it('filters, orders newest first, and pages by cursor', async () => {
    const test = await foundTestService()
    for (let n = 0; n < 9; n++)
      await test.notarise(requestOf(n, { status: n % 2 === 0 ? 'ALLOW' : 'BLOCK' }))
    const all = await test.service.listDecisions('default', { limit: 100 })
    expect(all.decisions.map(({ index }) => index)).toEqual([14, 13, 12, 11, 10, 9, 8, 7, 6])
    expect(all.cursor).toBeNull()
    const first = await test.service.listDecisions('default', { limit: 2, status: 'ALLOW' })
    expect(first.decisions.map(({ index }) => index)).toEqual([14, 12])
    const next = await test.service.listDecisions('default', {
      limit: 100,
      status: 'ALLOW',
      ...(first.cursor === null ? {} : { cursor: first.cursor }),
    })
    expect(next.decisions.map(({ index }) => index)).toEqual([10, 8, 6])
    expect(
      (await test.service.listDecisions('default', { actor: 'agent-2', limit: 9 })).decisions,
    ).toHaveLength(3)
    expect(
      await failing(test.service.listDecisions('default', { cursor: 'nonsense', limit: 1 })),
    ).toBe('INPUT_INVALID')
  })
})

describe('tenants and API keys', () => {
  it('keeps tenants apart: own origin, own keys, own trust root', async () => {
    const test = await foundTestService()
    await test.service.createTenant('second', { profile: 'each', public: true }, founder)
    const mine = await test.notarise(requestOf(1))
    const theirs = await test.notarise(
      requestOf(1),
      undefined,
      principalOf('each', 'alice', 'second'),
    )
    const root = await test.service.readTrustRoot('default')
    expect(verifyDossier(await test.service.exportDossier('second', theirs.id), root).verdict).toBe(
      'invalid',
    )
    expect(await failing(test.service.exportDossier('second', mine.id))).toBe('INPUT_NOT_FOUND')
    expect(
      await failing(
        test.service.createTenant('second', { profile: 'each', public: true }, founder),
      ),
    ).toBe('INPUT_EXISTS')
  })

  it.each(['', 'A', '-a', 'a b', 'a/b', 'a'.repeat(64)])(
    'refuses the tenant name %j',
    async (name) => {
      const { service } = await foundTestService()
      expect(
        await failing(service.createTenant(name, { profile: 'each', public: false }, founder)),
      ).toBe('INPUT_INVALID')
    },
  )

  it('accepts a token until it is revoked, and none that differs', async () => {
    const { service } = await foundTestService()
    const { apiKey, token } = await service.createApiKey(
      'default',
      'alice',
      ['decisions:submit'],
      founder,
    )
    expect(await service.authenticate(token)).toMatchObject({
      caller: { id: apiKey.id, owner: 'alice', type: 'apiKey' },
      scopes: ['decisions:submit'],
      tenant: 'default',
    })
    const flipped = token.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A'))
    for (const wrong of [flipped, token.slice(0, -1), `${token}A`, token.toUpperCase(), '', 'csk_'])
      expect(await failing(service.authenticate(wrong))).toBe('AUTH_INVALID')
    await service.revokeApiKey('default', apiKey.id, founder)
    expect(await failing(service.authenticate(token))).toBe('AUTH_INVALID')
    expect(await failing(service.revokeApiKey('default', 'unknown', founder))).toBe(
      'INPUT_NOT_FOUND',
    )
  })

  it('never keeps the token, and logs who made and revoked the key', async () => {
    const test = await foundTestService()
    const { apiKey, token } = await test.service.createApiKey(
      'default',
      'alice',
      ['log:read'],
      founder,
    )
    await test.service.revokeApiKey('default', apiKey.id, founder)
    const root = await test.service.readTrustRoot('default')
    const dossier = await test.service.exportDossier('default', 'admin')
    expect(verifyDossier(dossier, root)).toMatchObject({ verdict: 'valid' })
    expect(verifyDossier(dossier, root).entries).toHaveLength(3)
    const secret = token.split('_')[2] ?? ''
    expect(Buffer.from(dossier).toString('latin1')).not.toContain(
      Buffer.from(secret).toString('base64').slice(0, 20),
    )
  })
})

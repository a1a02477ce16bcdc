import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { labels } from '../../../src/crypto/labels.ts'
import { PinFile } from '../../../src/log/pin.ts'
import { verifyDossier } from '../../../src/verify/verify-dossier.ts'
import {
  foundTestService,
  founder,
  openTestService,
  principalOf,
  requestOf,
  type TestService,
} from '../../support/service.ts'

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof Failure ? error.code : String(error)),
  )

/** Edits the database of a service that is closed, by hand. */
function edit(test: TestService, sql: string, ...values: readonly unknown[]): void {
  const db = new Database(join(test.directory, 'data', 'countersign.db'))
  const { changes } = db.prepare(sql).run(...values)
  db.close()
  expect(changes, 'the attack changed something').toBeGreaterThan(0)
}

/** Closes, edits, and opens again. */
async function attack(
  test: TestService,
  sql: string,
  ...values: readonly unknown[]
): Promise<TestService> {
  await test.service.close()
  edit(test, sql, ...values)
  return test.reopen()
}

describe('whoever writes the database', () => {
  it.each(['each', 'checkpoint'] as const)(
    'cannot make a BLOCK claimable, profile %s',
    async (profile) => {
      const test = await foundTestService({ profile })
      const { id } = await test.notarise(requestOf(1, { status: 'BLOCK' }))
      const after = await attack(
        test,
        `UPDATE entries SET payload = CAST(replace(CAST(payload AS TEXT), '"status":"BLOCK"', '"status":"ALLOW"') AS BLOB) WHERE stream = ?`,
        id,
      )
      expect(await codeOf(after.service.claim(after.principal, id, {}))).toBe('STORE_CORRUPT')
      expect(await codeOf(after.service.readDecision('default', id))).toBe('STORE_CORRUPT')
    },
  )

  it.each([
    ['its kind', "UPDATE entries SET kind = 'approval' WHERE stream = ? AND seq = 1"],
    ['its step', 'UPDATE entries SET seq = 7 WHERE stream = ? AND seq = 1'],
    ['its signature', "UPDATE entries SET signature = x'00' WHERE stream = ? AND seq = 1"],
    ['its key', "UPDATE entries SET keyid = 'ab' WHERE stream = ? AND seq = 1"],
    ['its leaf', "UPDATE entries SET leaf = x'7b7d' WHERE stream = ? AND seq = 1"],
    ['its leaf hash', 'UPDATE entries SET leaf_hash = zeroblob(32) WHERE stream = ? AND seq = 1'],
  ])('cannot hide that an ALLOW was used by changing %s', async (_, sql) => {
    const test = await foundTestService()
    const { id } = await test.notarise(requestOf(1, { maxUses: 1 }))
    await test.service.claim(test.principal, id, {})
    const after = await attack(test, sql, id)
    expect(await codeOf(after.service.claim(after.principal, id, {}))).toBe('STORE_CORRUPT')
  })

  it('cannot have a whole forged leaf believed: its place in the tree is not its own', async () => {
    const test = await foundTestService()
    const good = await test.notarise(requestOf(1))
    const other = await test.notarise(requestOf(2, { status: 'BLOCK' }))
    await test.service.close()
    // Everything of the allowed row is put into the blocked one's place, hashes and all.
    edit(
      test,
      `UPDATE entries SET (leaf, leaf_hash, signature, payload, keyid, time) =
        (SELECT leaf, leaf_hash, signature, payload, keyid, time FROM entries WHERE stream = ?) WHERE stream = ?`,
      good.id,
      other.id,
    )
    const after = await test.reopen()
    expect(await codeOf(after.service.claim(after.principal, other.id, {}))).toBe('STORE_CORRUPT')
  })

  it('cannot let an idempotency key answer with another decision', async () => {
    const test = await foundTestService()
    await test.notarise(requestOf(1), 'k1')
    const other = await test.notarise(requestOf(2, { status: 'BLOCK' }))
    const after = await attack(test, 'UPDATE idempotency SET stream = ?', other.id)
    expect(await codeOf(after.notarise(requestOf(1), 'k1'))).toBe('STORE_CORRUPT')
  })

  it('cannot mint an API key, nor widen, rename or revive one', async () => {
    const test = await foundTestService()
    const { apiKey, token } = await test.service.createApiKey(
      'default',
      'intern',
      ['log:read'],
      founder,
    )
    expect(await test.service.authenticate(token)).toMatchObject({ caller: { owner: 'intern' } })
    const forged = `csk_${'ab'.repeat(8)}_${'A'.repeat(43)}`
    await test.service.close()
    edit(
      test,
      'INSERT INTO api_keys SELECT ?, tenant, ?, ?, scopes, created_at, NULL FROM api_keys',
      'ab'.repeat(8),
      Buffer.from(sha256(Buffer.from(`${labels.apiKey}\n${forged}`))),
      'cfo',
    )
    const minted = await test.reopen()
    expect(await codeOf(minted.service.authenticate(forged))).toBe('AUTH_INVALID')
    expect(await codeOf(minted.service.authenticate(token))).toBe('none')
    const renamed = await attack(
      minted,
      "UPDATE api_keys SET owner = 'cfo' WHERE id = ?",
      apiKey.id,
    )
    expect(await codeOf(renamed.service.authenticate(token))).toBe('AUTH_INVALID')
    const widened = await attack(
      renamed,
      `UPDATE api_keys SET owner = 'intern', scopes = '["decisions:erase","log:read"]' WHERE id = ?`,
      apiKey.id,
    )
    expect(await codeOf(widened.service.authenticate(token))).toBe('AUTH_INVALID')
  })

  it('cannot revive a revoked API key', async () => {
    const test = await foundTestService()
    const { apiKey, token } = await test.service.createApiKey(
      'default',
      'intern',
      ['log:read'],
      founder,
    )
    await test.service.revokeApiKey('default', apiKey.id, founder)
    const after = await attack(test, 'UPDATE api_keys SET revoked_at = NULL')
    expect(await codeOf(after.service.authenticate(token))).toBe('AUTH_INVALID')
  })

  it.each([
    ['the profile', "UPDATE tenants SET profile = 'checkpoint'", 'STORE_CORRUPT'],
    ['its openness', 'UPDATE tenants SET public = 1', 'STORE_CORRUPT'],
    ['the installation’s kind', 'UPDATE instance SET dev = 1', 'STORE_CORRUPT'],
    [
      'the installation’s origin',
      "UPDATE instance SET origin = 'log.example/default'",
      'STORE_CORRUPT',
    ],
    ['the origin', "UPDATE tenants SET origin = 'log.example/other'", 'LOG_ROLLBACK'],
    ['the name', "UPDATE tenants SET name = 'other'", 'LOG_ROLLBACK'],
  ])('cannot change %s of a tenant', async (_, sql, code) => {
    const test = await foundTestService({ profile: 'each' })
    await test.service.close()
    edit(test, sql)
    expect(await codeOf(test.reopen())).toBe(code)
  })

  it('cannot have its own trust root handed out, used or followed', async () => {
    const test = await foundTestService()
    const foreign = await foundTestService()
    const file = await foreign.service.readTrustRoot('default')
    // The notary is running, and finds it when it is used; it would not start again either.
    edit(
      test,
      'UPDATE trust_roots SET file = ?, sha256 = ?',
      Buffer.from(file),
      Buffer.from(sha256(file)).toString('hex'),
    )
    for (const use of [
      () => test.service.readTrustRoot('default'),
      () => test.service.publishTrustRoot('default'),
      () => test.service.verify('default', new Uint8Array(0)),
      () => test.reopen(),
    ])
      expect(await codeOf(use())).toBe('STORE_CORRUPT')
  })

  it('cannot have another digest named as the version before', async () => {
    const test = await foundTestService()
    edit(test, 'UPDATE trust_roots SET sha256 = ?', 'ab'.repeat(32))
    expect(await codeOf(test.service.publishTrustRoot('default'))).toBe('STORE_CORRUPT')
  })

  it('cannot grow the log: a head counts only under both own signatures', async () => {
    const test = await foundTestService()
    const pin = join(test.directory, 'keys', 'default.pin')
    cpSync(pin, `${pin}.old`)
    await test.notarise(requestOf(1))
    await test.service.close()
    // The pin is one commit behind, as after a crash; the checkpoint of that commit is not ours.
    cpSync(`${pin}.old`, pin)
    edit(test, "UPDATE last_checkpoints SET note = replace(note, '=', 'A')")
    expect(await codeOf(test.reopen())).toBe('LOG_ROLLBACK')
  })

  it('cannot bring back a database from before a tenant was founded', async () => {
    const test = await foundTestService()
    await test.service.close()
    const copy = join(test.directory, 'copy')
    cpSync(join(test.directory, 'data'), copy, { recursive: true })
    const later = await test.reopen()
    await later.service.createTenant('second', { profile: 'each', public: false }, founder)
    await later.service.close()
    rmSync(join(test.directory, 'data'), { recursive: true })
    cpSync(copy, join(test.directory, 'data'), { recursive: true })
    await expect(test.reopen()).rejects.toThrow('tenant that is pinned')
  })
})

describe('a copy of the data directory', () => {
  it('is not served beside the original: the pins have one holder', async () => {
    const test = await foundTestService()
    const copy = join(test.directory, 'copy')
    cpSync(join(test.directory, 'data'), join(copy, 'data'), { recursive: true })
    cpSync(join(test.directory, 'keys'), join(copy, 'keys'), { recursive: true })
    rmSync(join(copy, 'keys'), { recursive: true })
    const kek = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')
    const same = openTestService({
      directory: test.directory,
      dataDirectory: join(copy, 'data'),
      kek,
    })
    expect(await codeOf(same)).toBe('STORE_LOCKED')
  })

  it('stops at the first commit after somebody else has set the pin', async () => {
    const test = await foundTestService()
    const pin = join(test.directory, 'keys', 'default.pin')
    const other = new PinFile(pin)
    const pinned = await other.read()
    if (pinned === undefined) throw new Error('No pin')
    await other.write(pinned)
    expect(await codeOf(test.notarise(requestOf(1)))).toBe('LOG_STATE_UNKNOWN')
  })
})

describe('whatever is accepted', () => {
  it.each(['each', 'checkpoint'] as const)(
    'verifies, also at the greatest depth, profile %s',
    async (profile) => {
      const test = await foundTestService({ profile })
      // The request is one level; 63 more make the 64 that intake allows.
      const deep = `${'['.repeat(63)}${']'.repeat(63)}`
      const text = requestOf(1).replace('"status"', `"trace":${deep},"status"`)
      const { id } = await test.notarise(text)
      const report = verifyDossier(
        await test.service.exportDossier('default', id),
        await test.service.readTrustRoot('default'),
      )
      expect(report.verdict).toBe('valid')
      expect((await test.service.claim(principalOf(profile), id, {})).use).toBe(1)
    },
  )

  it('is not signed when its matter would be refused', async () => {
    const test = await foundTestService()
    expect(
      await codeOf(test.notarise(requestOf(1), undefined, principalOf('checkpoint', ''))),
    ).toBe('BUG')
    for (const owner of ['', 'x'.repeat(257)])
      expect(await codeOf(test.service.createApiKey('default', owner, ['log:read'], founder))).toBe(
        'INPUT_INVALID',
      )
    expect(
      (await test.service.createApiKey('default', 'x'.repeat(256), ['log:read'], founder)).apiKey
        .owner,
    ).toHaveLength(256)
  })
})

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../src/base/bytes.ts'
import { asFailure } from '../../src/base/failure.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { createHeader, publicKeyOf } from '../../src/keyring/header.ts'
import { purposes } from '../../src/keyring/purposes.ts'
import { formatSealedKey, parseSealedKey, sealSigningKey } from '../../src/keyring/sealed-key.ts'
import { parseSlot } from '../../src/keyring/slot.ts'
import { firstTenant } from '../../src/data-directory.ts'
import { foundService, openLocalService, type ServiceSettings } from '../../src/open-service.ts'
import { verifyDossier } from '../../src/verify/index.ts'
import { principalOf, requestOf } from '../support/service.ts'

// Somebody has the data directory and may write to it; what lies beside it (KEK, pin, trust root) he cannot touch.
const quiet = (): void => undefined
let home: string
let genuine: string
let decision: string

const settingsIn = (directory: string): ServiceSettings => ({
  data: join(directory, 'data'),
  dev: false,
  hsmModule: undefined,
  kek: 'environment',
  kekFile: join(home, 'kek'),
  kekValue: undefined,
  keys: join(directory, 'keys'),
  kmsKeyId: undefined,
  masterPublic: undefined,
  version: '0.0.0-test',
})

async function found(directory: string): Promise<string> {
  const founding = { origin: 'log.example', profile: 'checkpoint', public: false } as const
  const { service } = await foundService(settingsIn(directory), founding, quiet)
  const reply = await service.notarise(principalOf('checkpoint'), requestOf(1), null)
  await service.close()
  return (JSON.parse(reply) as { id: string }).id
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'countersign-forged-'))
  createKekFile(join(home, 'kek'))
  genuine = join(home, 'genuine')
  decision = await found(genuine)
  await found(join(home, 'other'))
})

afterAll(() => {
  rmSync(home, { force: true, recursive: true })
})

/** A copy of the genuine installation. */
function copyOf(name: string): string {
  const copy = join(home, name)
  cpSync(genuine, copy, { recursive: true })
  return copy
}

const databaseOf = (directory: string): string => join(directory, 'data', 'countersign.db')

/** Runs SQL on a copy's database, nobody having it open. */
function tamper(directory: string, sql: string, ...values: unknown[]): void {
  const db = new Database(databaseOf(directory))
  expect(db.prepare(sql).run(...values).changes).toBeGreaterThan(0)
  db.close()
}

function blobOf(directory: string, sql: string, ...values: unknown[]): Uint8Array {
  const db = new Database(databaseOf(directory), { readonly: true })
  const blob = db
    .prepare(sql)
    .pluck()
    .get(...values)
  db.close()
  if (!(blob instanceof Uint8Array)) throw new Error(`No blob: ${sql}`)
  return new Uint8Array(blob)
}

const bodyOf = (directory: string, purpose: string): Uint8Array =>
  blobOf(directory, 'SELECT body FROM keys WHERE purpose = ?', purpose)

const slotOf = (directory: string): Uint8Array => blobOf(directory, 'SELECT body FROM slots')

/** Overwrites bytes of the database file where they stand. */
function overwrite(directory: string, from: Uint8Array, to: Uint8Array): void {
  const file = readFileSync(databaseOf(directory))
  const at = file.indexOf(from)
  expect(at).toBeGreaterThan(0)
  expect(to.length).toBe(from.length)
  file.set(to, at)
  writeFileSync(databaseOf(directory), file)
}

/** How opening the service ends: OPENED, or the code of its refusal. */
async function openingOf(directory: string): Promise<string> {
  try {
    const service = await openLocalService(settingsIn(directory), quiet)
    await service.close()
    return 'OPENED'
  } catch (error) {
    return asFailure(error).code
  }
}

describe('a data directory that somebody wrote to', () => {
  it('opens as long as it is whole', async () => {
    const copy = copyOf('whole')
    expect(await openingOf(copy)).toBe('OPENED')
    const service = await openLocalService(settingsIn(copy), quiet)
    const dossier = await service.exportDossier(firstTenant, decision)
    const trustRoot = await service.readTrustRoot(firstTenant)
    await service.close()
    expect(verifyDossier(dossier, trustRoot).verdict).toBe('valid')
  })

  it.each(['fast', 'evidence', 'log'])(
    'is refused with the sealed %s key of another installation',
    async (purpose) => {
      const copy = copyOf(`foreign-${purpose}`)
      const body = bodyOf(join(home, 'other'), purpose)
      tamper(copy, 'UPDATE keys SET body = ? WHERE purpose = ?', body, purpose)
      expect(await openingOf(copy)).toBe('KEY_STORE_REFUSED')
    },
  )

  it('is refused with the bytes of a sealed key overwritten in the file', async () => {
    const copy = copyOf('hex-foreign')
    overwrite(copy, bodyOf(copy, 'fast'), bodyOf(join(home, 'other'), 'fast'))
    expect(await openingOf(copy)).toBe('KEY_STORE_REFUSED')
  })

  it('is refused with one bit of a sealed key changed in the file', async () => {
    const copy = copyOf('hex-bit')
    const body = bodyOf(copy, 'fast')
    const sealed = parseSealedKey(body)
    const ciphertext = sealed.ciphertext?.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
    overwrite(copy, body, formatSealedKey({ ...sealed, ciphertext: ciphertext ?? null }))
    expect(await openingOf(copy)).toBe('KEY_STORE_REFUSED')
  })

  it('is refused with a key that the attacker made and sealed as it should be', async () => {
    const copy = copyOf('sealed')
    const { header } = parseSealedKey(bodyOf(copy, 'evidence'))
    const masterPublicKey = publicKeyOf(parseSlot(slotOf(copy)).header)
    using seed = Secret.random(64)
    const publicKey = seed.use(purposes.evidence.publicKey)
    const { createdAt, instance, keyId, tenant, version } = header
    const made = createHeader({
      createdAt,
      instance,
      keyId,
      publicKey,
      purpose: 'evidence',
      sealedTo: masterPublicKey,
      tenant,
      version,
    })
    const forged = { ...made, purpose: 'evidence' as const }
    const sealed = formatSealedKey(sealSigningKey(forged, seed, masterPublicKey))
    tamper(copy, 'UPDATE keys SET body = ? WHERE purpose = ?', sealed, 'evidence')
    expect(await openingOf(copy)).toBe('KEY_STORE_REFUSED')
  })

  it('is refused with keys that changed places', async () => {
    const copy = copyOf('swapped')
    const [evidence, log] = [bodyOf(copy, 'evidence'), bodyOf(copy, 'log')]
    tamper(copy, 'UPDATE keys SET body = ? WHERE purpose = ?', log, 'evidence')
    tamper(copy, 'UPDATE keys SET body = ? WHERE purpose = ?', evidence, 'log')
    expect(await openingOf(copy)).toBe('KEY_STORE_REFUSED')
  })

  it('never hands out a decision that was rewritten as a good one', async () => {
    const copy = copyOf('rewritten')
    const payload = blobOf(copy, "SELECT payload FROM entries WHERE kind = 'decision'")
    const text = fromUtf8(payload)
    expect(text).toContain('"ALLOW"')
    const blocked = utf8(text.replace('"ALLOW"', '"BLOCK"'))
    tamper(copy, "UPDATE entries SET payload = ? WHERE kind = 'decision'", blocked)
    let verdict = 'refused'
    try {
      const service = await openLocalService(settingsIn(copy), quiet)
      try {
        const dossier = await service.exportDossier(firstTenant, decision)
        verdict = verifyDossier(dossier, await service.readTrustRoot(firstTenant)).verdict
      } finally {
        await service.close()
      }
    } catch (error) {
      expect(asFailure(error).code).toBe('STORE_CORRUPT')
    }
    expect(['refused', 'invalid']).toContain(verdict)
  })

  it('is refused when the log goes back behind its pin', async () => {
    const copy = copyOf('grown')
    const service = await openLocalService(settingsIn(copy), quiet)
    await service.notarise(principalOf('checkpoint'), requestOf(2), null)
    await service.close()
    cpSync(join(genuine, 'data'), join(copy, 'data'), { force: true, recursive: true })
    expect(await openingOf(copy)).toBe('LOG_ROLLBACK')
  })
})

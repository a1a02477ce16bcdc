import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { fingerprint, formatTrustRoot, type TrustRoot } from '../../../src/dossier/trust-root.ts'
import { updateTrustRoot, type TrustUpdate } from '../../../src/verify/index.ts'
import { logHolds, operatorHolds, type Hold } from '../../support/forge.ts'
import { forgeDossier, headOf } from '../../support/forge-dossier.ts'
import { createWorld } from '../../support/forge-world.ts'
import { append, type Tenant } from './forgery.ts'

const world = createWorld()
const tenants = ['each', 'fast', 'seen'] as const

const newer: TrustRoot = {
  ...world.trust,
  origins: world.trust.origins.map((section) => ({
    ...section,
    asOf: headOf(world[section.tenant as Tenant].log),
  })),
  previous: fingerprint(world.trustFile),
  version: 2,
}
const newerFile = formatTrustRoot(newer)

interface Announcer {
  readonly by?: typeof world
  readonly holds?: readonly Hold[]
  readonly version?: number
}

/** The dossier of a log's trust stream after it announced a file. */
function announcing(
  tenant: Tenant,
  file: Uint8Array,
  { by = world, holds = [...operatorHolds, 'witnesses'], version = 2 }: Announcer = {},
): Uint8Array {
  return forgeDossier(by[tenant], 'trust', {
    holds,
    steps(steps) {
      const previous = fingerprint(world.trustFile)
      append(steps, 'trust', 'trust', { previous, sha256: fingerprint(file), time: 0, version })
    },
  })
}

const proofsOf = (file: Uint8Array): Uint8Array[] =>
  tenants.map((tenant) => announcing(tenant, file))

const failed = ({ checks }: TrustUpdate): string[] =>
  checks.filter(({ ok }) => !ok).map(({ name }) => name)

/** The update to a changed file that the logs do announce. */
function updateTo(change: (root: TrustRoot) => void): string[] {
  const copy = structuredClone(newer)
  change(copy)
  const file = formatTrustRoot(copy)
  const update = updateTrustRoot(world.trustFile, file, proofsOf(file))
  expect(update.ok).toBe(failed(update).length === 0)
  return failed(update)
}

const first = ({ origins: [section] }: TrustRoot): TrustRoot['origins'][number] => {
  if (section === undefined) throw new Error('No section')
  return section
}

describe('the step to the next trust root', () => {
  const proofs = proofsOf(newerFile)

  it('is taken with the announcement of every log', () => {
    const update = updateTrustRoot(world.trustFile, newerFile, proofs)
    expect(failed(update)).toEqual([])
    expect(update).toMatchObject({ fingerprint: fingerprint(newerFile), ok: true })
  })

  it('may come with other dossiers beside, also older ones of the same log', () => {
    const older = tenants.map((tenant) => forgeDossier(world[tenant], 'trust'))
    const more = [new Uint8Array(3), forgeDossier(world.each, 'keys'), ...older, ...proofs]
    expect(updateTrustRoot(world.trustFile, newerFile, more).ok).toBe(true)
    expect(failed(updateTrustRoot(world.trustFile, newerFile, older))).toHaveLength(3)
  })

  it('may bring other keys', () => {
    expect(
      updateTo((root) => {
        for (const key of first(root).logKeys) key.to = 20
      }),
    ).toEqual([])
  })

  it('names the version before by its fingerprint', () => {
    expect(updateTo((root) => (root.previous = 'ab'.repeat(32)))).toEqual(['update.previous'])
  })

  it('tells what it misses', () => {
    const reasons = updateTrustRoot(newerFile, newerFile, []).checks.map(({ reason }) => reason)
    expect(reasons).toContain('Version must be 3: 2')
    expect(reasons).toContain(
      'No dossier of the trust stream that verifies under the older trust root',
    )
  })

  it('is one version, no more and no less', () => {
    for (const version of [3, 20])
      expect(updateTo((root) => (root.version = version))).toContain('update.version')
    expect(failed(updateTrustRoot(newerFile, newerFile, proofs))).toContain('update.version')
    expect(failed(updateTrustRoot(newerFile, world.trustFile, proofs))).toContain('update.version')
  })

  it('neither loses a log nor gains one', () => {
    expect(updateTo((root) => root.origins.pop())).toEqual(['update.origins'])
    expect(
      updateTo((root) => root.origins.push({ ...first(root), origin: 'log.example/more' })),
    ).toEqual(['update.origins'])
    expect(updateTo((root) => (first(root).origin = 'log.example/other'))).toEqual([
      'update.origins',
    ])
    expect(updateTo((root) => (first(root).tenant = 'other'))).toEqual(['update.origins'])
    const instance = '01890a5d-ac96-774b-bcce-b302099a8058'
    expect(updateTo((root) => (first(root).instance = instance))).toEqual(['update.origins'])
  })

  it('shrinks no log and changes none at its size', () => {
    const { log } = world.each
    expect(updateTo((root) => (first(root).asOf = headOf(log, 4)))).toEqual(['update.origins'])
    expect(updateTo((root) => (first(root).asOf = headOf(log, 5)))).toEqual([])
    const forked = { root: encodeBase64(log.root(4)), size: 5 }
    expect(updateTo((root) => (first(root).asOf = forked))).toEqual(['update.origins'])
  })

  it('is refused without an announcement by every log', () => {
    expect(failed(updateTrustRoot(world.trustFile, newerFile, []))).toEqual(
      tenants.map((tenant) => `update.announced[log.example/${tenant}]`),
    )
    for (const [i, tenant] of tenants.entries())
      expect(failed(updateTrustRoot(world.trustFile, newerFile, proofs.toSpliced(i, 1)))).toEqual([
        `update.announced[log.example/${tenant}]`,
      ])
  })

  it('is refused when another file, or another version of it, was announced', () => {
    const name = 'update.announced[log.example/each]'
    const instead = (each: Uint8Array): string[] =>
      failed(updateTrustRoot(world.trustFile, newerFile, proofs.with(0, each)))
    expect(instead(announcing('each', world.trustFile))).toEqual([name])
    expect(instead(announcing('each', newerFile, { version: 3 }))).toEqual([name])
    expect(instead(announcing('fast', newerFile))).toEqual([name])
  })

  it('is refused when the announcement was made by other keys', () => {
    const name = 'update.announced[log.example/each]'
    const by = (options: Announcer): string[] =>
      failed(
        updateTrustRoot(
          world.trustFile,
          newerFile,
          proofs.with(0, announcing('each', newerFile, options)),
        ),
      )
    expect(by({ by: createWorld(130) })).toEqual([name])
    expect(by({ holds: [] })).toEqual([name])
    expect(by({ holds: logHolds })).toEqual([name])
    expect(by({ holds: ['evidence', 'fast'] })).toEqual([name])
    expect(by({ holds: ['evidence', 'ed25519'] })).toEqual([name])
    expect(by({ holds: ['evidence', 'mlDsa44'] })).toEqual([name])
  })

  it('is refused when its announcement is not cosigned as the older one demands', () => {
    const seen = announcing('seen', newerFile, { holds: operatorHolds })
    expect(failed(updateTrustRoot(world.trustFile, newerFile, proofs.with(2, seen)))).toEqual([
      'update.announced[log.example/seen]',
    ])
  })

  it('is a value where a file is none', () => {
    for (const [older, next] of [
      [new Uint8Array(0), newerFile],
      [world.trustFile, new Uint8Array(0)],
    ] as const)
      expect(updateTrustRoot(older, next, proofs)).toMatchObject({
        checks: [{ name: 'update.format', outcome: 'fail' }],
        ok: false,
      })
  })
})

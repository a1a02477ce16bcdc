// A log in which a decision was overruled as it should be, and whoever holds its keys and rewrites it.
import { encodeBase64 } from '../../src/base/base64.ts'
import { encodeHex, utf8 } from '../../src/base/bytes.ts'
import { formatChallenge, type Challenge } from '../../src/dossier/challenge.ts'
import { formatRosterText, rosterDigest, type Roster } from '../../src/dossier/roster.ts'
import { formatTrustRoot, type TrustedRoster } from '../../src/dossier/trust-root.ts'
import { operatorHolds, reseal, type Draft, type ForgedLog, type Step } from './forge.ts'
import { publish, sectionOf, type Published } from './forge-dossier.ts'
import { createWorld, decisionOf, executionOf } from './forge-world.ts'
import { fixedSigner } from './merkle-signers.ts'

/** The decision that is overruled. */
export const overruled = '01890a5d-ac96-774b-bcce-b302099a8091'
/** Name of the request. */
export const nonce = '5e'.repeat(32)

const leads = { alice: 204, ann: 201, bob: 202, dan: 203, eve: 205 } as const
/** Somebody with a key. */
export type Lead = keyof typeof leads
const signerOf = (lead: Lead) => fixedSigner('Ed25519', leads[lead])
/** The key of a lead in base64. */
export const leadKey = (lead: Lead): string => encodeBase64(signerOf(lead).publicKey)
/** A lead's signature of a text. */
export const leadSign = (lead: Lead, text: string): string =>
  encodeBase64(signerOf(lead).sign(utf8(text)))

const person = (id: Lead, role: 'risk_lead' | 'security_lead') => ({
  id,
  keys: [
    { key: leadKey(id), kind: 'Ed25519' as const, notAfter: null, notBefore: 0, revoked: false },
  ],
  roles: [role],
})

/** The first roster. */
export const firstRoster: Roster = {
  people: [person('ann', 'risk_lead'), person('bob', 'security_lead')],
  previous: null,
  recovery: null,
  v: 1,
  version: 1,
}
/** The one after it, with another risk lead beside. */
export const secondRoster: Roster = {
  ...firstRoster,
  people: [...firstRoster.people, person('dan', 'risk_lead')],
  previous: rosterDigest(firstRoster),
  version: 2,
}

const by = { id: 'key-2', owner: 'carl', type: 'apiKey' }
const told = (time: number): Draft => ({ by, time })

/** A matter of the stream `roster`. */
export const rosterMatter = (
  log: ForgedLog,
  roster: Roster,
  by: readonly Lead[],
  event = 'version',
): Draft => ({
  ...told(1),
  endorsements: by.map((lead) => ({
    key: leadKey(lead),
    kind: 'Ed25519',
    signature: leadSign(lead, formatRosterText(log.identity, roster)),
  })),
  event,
  roster,
})

/** Steps appended to a log by its operator, a millisecond apart. */
export function grown(
  log: ForgedLog,
  ...added: readonly (readonly [kind: Step['kind'], stream: string, matter: Draft])[]
): ForgedLog {
  return reseal(log, operatorHolds, (steps) => {
    for (const [kind, stream, matter] of added) {
      const seq = steps.filter((step) => step.stream === stream).length
      const time = (steps.at(-1)?.time ?? 0) + 1
      steps.push({ kind, matter, salt: String(steps.length).padStart(32, '0'), seq, stream, time })
    }
  })
}

/** What the roster entries of a log say to its trust root. */
export const rostersOf = (log: ForgedLog): TrustedRoster[] =>
  log.sealed.flatMap(({ step }, from) => {
    if (step.kind !== 'roster' || step.matter['event'] !== 'version') return []
    const { endorsements, roster } = step.matter as unknown as TrustedRoster
    return [{ askedAt: null, endorsements, from, roster, time: step.time }]
  })

/** A trust root that knows everything of a log. */
export const trusting = (log: ForgedLog, rosters = rostersOf(log)): Uint8Array =>
  formatTrustRoot({
    dev: false,
    origins: [{ ...sectionOf(log), rosters }],
    previous: null,
    v: 1,
    version: 1,
  })

/** An event of a lead's signature. */
export const signedBy = (
  lead: Lead,
  role: string,
  challenge: string,
  change: Draft = {},
): Draft => ({
  ...told(1),
  challenge,
  event: 'signed',
  key: leadKey(lead),
  kind: 'Ed25519',
  person: lead,
  request: nonce,
  role,
  signature: leadSign(lead, challenge),
  ...change,
})

/** An event without a signature. */
export const overrideMatter = (event: string, change: Draft = {}): Draft => ({
  ...told(1),
  event,
  request: nonce,
  ...change,
})

/** The challenge of a log's decision, which is the last entry of the log. */
export function challengeOf(log: ForgedLog, change: Partial<Challenge> = {}): Challenge {
  const decided = log.sealed.findLast(({ step }) => step.kind === 'decision')
  const { instance, origin, tenant } = log.identity
  const opened = (log.sealed.at(-1)?.step.time ?? 0) + 1
  return {
    approveBy: opened + 1000,
    decision: overruled,
    decisionLeaf: encodeHex(decided?.hash ?? new Uint8Array(32)),
    effect: { action: 'override', status: 'ALLOW' },
    executeBy: opened + 2000,
    failedGates: ['risk'],
    instance,
    justification: 'Customer waits',
    nonce,
    origin,
    requesters: ['agent-7', 'alice', 'carl'],
    roles: ['risk_lead', 'security_lead'],
    roster: { sha256: rosterDigest(firstRoster), version: 1 },
    tenant,
    ...change,
  }
}

/** A decision that said no. */
const blocked = (change: Draft = {}): Draft =>
  decisionOf(overruled, { gates: [{ name: 'risk', passed: false }], status: 'BLOCK', ...change })

/** A log with a roster and a decision that said no. */
export function decidedLog(change: Draft = {}): ForgedLog {
  const { log } = createWorld(150).each
  return grown(
    log,
    ['roster', 'roster', rosterMatter(log, firstRoster, ['ann', 'bob'])],
    ['decision', overruled, blocked(change)],
  )
}

/** The log with its decision overruled and used. */
export function overruledLog(base: ForgedLog, challenge = challengeOf(base)): ForgedLog {
  const text = formatChallenge(challenge)
  return grown(
    base,
    ['override', overruled, overrideMatter('opened', { challenge: text })],
    ['approval', overruled, signedBy('ann', 'risk_lead', text)],
    ['approval', overruled, signedBy('bob', 'security_lead', text)],
    ['override', overruled, overrideMatter('executed', { maxUses: 1, status: 'ALLOW' })],
    ['execution', overruled, executionOf(overruled, 1)],
  )
}

/** A log as it would be published. */
export const published = (log: ForgedLog): Published => publish(log)

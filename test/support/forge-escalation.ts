// A log whose decision is held for a reviewer, and what may be answered, by whoever holds its keys.
import { encodeHex } from '../../src/base/bytes.ts'
import {
  formatEscalationChallenge,
  type EscalationChallenge,
} from '../../src/dossier/escalation-challenge.ts'
import { rosterDigest } from '../../src/dossier/roster.ts'
import { parseStatement } from '../../src/dossier/statement.ts'
import { operatorHolds, reseal, type Draft, type ForgedLog } from './forge.ts'
import { firstRoster, leadKey, leadSign, overruled as stream, type Lead } from './forge-override.ts'

const minute = 60_000
/** The roster that counts in such a log, as answers name it. */
export const named = { sha256: rosterDigest(firstRoster), version: 1 }
/** What the service does by itself. */
export const byService = { by: null, time: 1 }
/** What comes by an API key. */
export const by = (owner: string): Draft => ({
  by: { id: 'key-2', owner, type: 'apiKey' },
  time: 1,
})

/** The entry of the decision, which is the last of a log, and what an escalation of it is bound to. */
export function heldIn(log: ForgedLog) {
  const decided = log.sealed.findLast(({ step }) => step.stream === stream && step.seq === 0)
  if (decided === undefined) throw new Error('No decision')
  const statement = parseStatement(decided.payload)
  if (typeof statement === 'string') throw new Error(statement)
  const { time } = decided.step
  return {
    deadline: time + minute,
    intent: statement.subject[0].digest.sha256,
    leaf: encodeHex(decided.hash),
    time,
  }
}

/** The log with its decision held, from the very moment on. */
export function heldLog(base: ForgedLog, change: Draft = {}): ForgedLog {
  const { deadline, intent, leaf, time } = heldIn(base)
  return reseal(base, operatorHolds, (steps) => {
    const matter = { ...byService, deadline, event: 'opened', intent, leaf, ...change }
    const salt = String(steps.length).padStart(32, '0')
    steps.push({ kind: 'escalation', matter, salt, seq: 1, stream, time })
  })
}

/** An answer by an API key of the person. */
export const answered = (
  event: 'approved' | 'rejected',
  person: string,
  change: Draft = {},
): Draft => ({
  ...by(person),
  event,
  person,
  reason: 'Checked',
  roster: named,
  signature: null,
  ...change,
})

/** The text of an answer. */
export const textOf = (log: ForgedLog, change: Partial<EscalationChallenge> = {}): string => {
  const { deadline, intent, leaf } = heldIn(log)
  const { instance, origin, tenant } = log.identity
  return formatEscalationChallenge({
    action: 'pay',
    actor: 'agent-7',
    answer: 'approve',
    deadline,
    decision: stream,
    intent,
    leaf,
    place: { instance, origin, tenant },
    reason: 'Checked',
    roster: named,
    ...change,
  })
}

/** What an answer that is signed has besides. */
export const signedBy = (lead: Lead, challenge: string): Draft => ({
  signature: {
    challenge,
    key: leadKey(lead),
    kind: 'Ed25519',
    signature: leadSign(lead, challenge),
  },
})

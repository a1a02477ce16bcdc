// The registry of reasons that the engine gives. Codes are never renamed, only added; a bundle may give codes of its own beside them.

/** Every code of the engine and what it means. */
export const reasonCodes = Object.freeze({
  POLICY_ALLOWED: 'A rule allows it',
  POLICY_DEFAULT_ALLOWED: 'No rule matched, and the policy allows by default',
  POLICY_DENIED: 'A rule denies it',
  POLICY_ESCALATED: 'A rule wants somebody to approve it',
  POLICY_REVIEW: 'A rule wants somebody to look at it',
  POLICY_DEFAULT_HELD: 'No rule matched, and the policy holds by default',
  NO_POLICY_MATCHED: 'Nothing that was asked allows it',
  POLICY_NOT_EFFECTIVE: 'A bundle is not effective yet',
  POLICY_EXPIRED: 'A bundle is effective no more',
  POLICY_CARD_SCOPE: 'The request is outside what a Decision Card is for',
  POLICY_RAISED: 'A rule has no answer to this request',
  POLICY_REF_UNKNOWN: 'A policy that was named is not active',
  POLICY_REF_OUT_OF_SCOPE: 'A policy that was named is not for such requests',
  POLICY_SCOPE_UNKNOWN: 'The request does not say what the choice of policies depends on',
  POLICY_TOO_MANY: 'More policies or obligations than one decision can cite',
  GATES_ESCALATED: 'Gates want a higher authority to decide',
  GATES_HALTED: 'A gate has failed',
  GATES_PAUSED: 'Gates want somebody to look at it',
  GATES_UNKNOWN: 'Gates gave an answer that is none',
  PROPOSAL_APPROVED: 'People of the roster have approved it by vote',
  PROPOSAL_REJECTED: 'People of the roster have rejected it by vote',
  PROPOSAL_NO_QUORUM: 'Too few people of the roster have voted on it in time',
  TRANSFORM_FAILED: 'The input cannot be transformed as a rule wants',
  TRANSFORM_UNSTABLE: 'Transforming the input does not come to an end',
  ROUTE_CONFLICT: 'Rules route the request to different targets',
  ROUTE_LOOP: 'The route comes back to where it was, or is too long',
  OBLIGATION_UNSUPPORTED: 'Whoever asks cannot do what a rule demands',
  REQUEST_UNREADABLE: 'The request is too large, too deep, or not plain JSON',
  EVALUATION_FAILED: 'The evaluation itself failed',
} as const)

/** A code of the registry. */
export type ReasonCode = keyof typeof reasonCodes

/** Why it was decided so. */
export interface Reason {
  /** Of the registry, or of a bundle: `[A-Z][A-Z0-9_]{0,63}`. */
  readonly code: string
  readonly text: string
}

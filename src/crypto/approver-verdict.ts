/** What a signature by an approver's key is worth. Only `valid` is a yes; `unsupported` says that it may be good by rules that are not followed here. */
export interface ApproverVerdict {
  readonly verdict: 'valid' | 'invalid' | 'unsupported'
  /** Why, for a person. */
  readonly reason: string
}

/** The signature is good. */
export const valid: ApproverVerdict = Object.freeze({ reason: 'Good', verdict: 'valid' })

/** The signature is not good. */
export const invalid = (reason: string): ApproverVerdict => ({ reason, verdict: 'invalid' })

/** The signature is of a form that is not judged. */
export const unsupported = (reason: string): ApproverVerdict => ({ reason, verdict: 'unsupported' })

import { decodeBase64 } from '../base/base64.ts'
import { Failure } from '../base/failure.ts'
import {
  DualSignatureValidator,
  floorGate,
  overrideRoles,
  type ApproverRecord,
  type OverrideRole,
  type OverrideSignatureInput,
} from './dual-signature-validator.ts'
import { createMessageHash, type OverrideMessage } from './message-hash.ts'
import type { SignatureProvider } from './signature-provider.ts'

/** The states of a request; the last two are final. */
export type OverrideState = 'PENDING' | 'PARTIAL' | 'APPROVED' | 'REJECTED'

/** What a request is made of. */
export interface WorkflowOptions {
  readonly proposalId: string
  readonly failedGates: readonly string[]
  readonly justification: string
  readonly requestedBy: string
  /** Who may sign; a key that is not here counts for nobody. */
  readonly approvers: readonly ApproverRecord[]
  readonly provider: SignatureProvider
  /** ms since 1970. */
  readonly clock: () => number
  /** Hours until it expires; 24 unless given. */
  readonly expiresInHours?: number
}

/** How it stands with a request. */
export interface OverrideResult {
  readonly approved: boolean
  readonly state: OverrideState
  /** ms since 1970. */
  readonly expiresAt: number
  readonly signatures: readonly { readonly actorId: string; readonly role: OverrideRole }[]
  /** Why it was rejected, or that it has expired; null otherwise. */
  readonly reason: string | null
}

const hourMs = 3_600_000

/** One request to overrule a proposal, by two people in two roles with two keys. */
export class OverrideWorkflow {
  readonly message: OverrideMessage & Required<Pick<OverrideMessage, 'expiresAt' | 'requestedBy'>>
  /** Hex hash that both sign, by `createSigningText`. */
  readonly messageHash: string
  readonly #clock: () => number
  readonly #validator: DualSignatureValidator
  #signatures: readonly OverrideSignatureInput[] = []
  #rejected: string | undefined

  /** @throws {@link Failure} OVERRIDE_REFUSED where the complexity floor failed, or no gate did; INPUT_INVALID */
  constructor(options: WorkflowOptions) {
    const { approvers, clock, expiresInHours = 24, failedGates, provider } = options
    const { justification, proposalId, requestedBy } = options
    if (failedGates.includes(floorGate))
      throw new Failure('OVERRIDE_REFUSED', 'Complexity floor cannot be overruled')
    if (failedGates.length === 0 || justification === '')
      throw new Failure('OVERRIDE_REFUSED', 'A failed gate and a justification are wanted')
    const expiresAt = clock() + expiresInHours * hourMs
    this.message = { expiresAt, failedGates, justification, proposalId, requestedBy }
    this.messageHash = createMessageHash(this.message)
    this.#clock = clock
    this.#validator = new DualSignatureValidator(provider, approvers)
  }

  get state(): OverrideState {
    if (this.#signatures.length === overrideRoles.length) return 'APPROVED'
    if (this.#endedBy() !== undefined) return 'REJECTED'
    return this.#signatures.length === 0 ? 'PENDING' : 'PARTIAL'
  }

  #endedBy(): string | undefined {
    return (
      this.#rejected ?? (this.#clock() > this.message.expiresAt ? 'Request has expired' : undefined)
    )
  }

  /**
   * Takes a signature; why it does not count, or undefined when it does.
   * @param signatureBase64 of `createSigningText(messageHash)`
   */
  addSignature(
    actorId: string,
    role: OverrideRole,
    signatureBase64: string,
    publicKeyBase64: string,
  ): string | undefined {
    const { state } = this
    if (state === 'APPROVED' || state === 'REJECTED') return `Request is ${state}`
    const [signature, publicKey] = [decodeBase64(signatureBase64), decodeBase64(publicKeyBase64)]
    if (signature === undefined || publicKey === undefined) return 'Not in base64'
    const given = { actorId, messageHash: this.messageHash, publicKey, role, signature }
    const before = this.#signatures
    const problem = this.#validator.problem(this.message, given, before, this.#clock())
    if (problem === undefined) this.#signatures = [...before, given]
    return problem
  }

  /** Rejects a request that is not over; why it may not be, or undefined when it is. */
  reject(reason: string): string | undefined {
    const { state } = this
    if (state === 'APPROVED' || state === 'REJECTED') return `Request is ${state}`
    this.#rejected = reason
    return undefined
  }

  getResult(): OverrideResult {
    const { state } = this
    return {
      approved: state === 'APPROVED',
      expiresAt: this.message.expiresAt,
      reason: state === 'REJECTED' ? (this.#endedBy() ?? null) : null,
      signatures: this.#signatures.map(({ actorId, role }) => ({ actorId, role })),
      state,
    }
  }
}

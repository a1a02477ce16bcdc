import { encodeHex } from '../base/bytes.ts'
import { leadRoles } from '../dossier/challenge.ts'
import { createSigningText, readMessageHash, type OverrideMessage } from './message-hash.ts'
import type { SignatureProvider } from './signature-provider.ts'

/** A role of those that overrule together. */
export type OverrideRole = (typeof leadRoles)[number]

/** The roles whose holders must both sign. */
export const overrideRoles: readonly OverrideRole[] = leadRoles

/** The gate that nobody may overrule. */
export const floorGate = 'complexity'

/** Who may sign, in which roles, by which key. */
export interface ApproverRecord {
  readonly actorId: string
  readonly roles: readonly OverrideRole[]
  readonly publicKey: Uint8Array
}

/** A signature of somebody. */
export interface OverrideSignatureInput {
  readonly actorId: string
  readonly role: OverrideRole
  readonly signature: Uint8Array
  /** Must be the one registered for the actor. */
  readonly publicKey: Uint8Array
  /** Hex hash that the actor signed. */
  readonly messageHash: string
}

/** What a validator judges. */
export interface DualSignatures {
  readonly message: OverrideMessage
  readonly signatures: readonly OverrideSignatureInput[]
}

/** Judges signatures of a request: expiration, roles, people, keys, hashes. It keeps nothing and throws on nothing that a stranger sent. */
export class DualSignatureValidator {
  readonly #provider: SignatureProvider
  readonly #approvers: ReadonlyMap<string, ApproverRecord>

  constructor(provider: SignatureProvider, approvers: readonly ApproverRecord[]) {
    this.#provider = provider
    this.#approvers = new Map(approvers.map((approver) => [approver.actorId, approver]))
  }

  /**
   * Why a signature does not count beside those before it; undefined when it does.
   * @param at ms since 1970
   */
  problem(
    message: OverrideMessage,
    { actorId, messageHash, publicKey, role, signature }: OverrideSignatureInput,
    before: readonly OverrideSignatureInput[],
    at: number,
  ): string | undefined {
    if (message.failedGates.includes(floorGate)) return 'Complexity floor cannot be overruled'
    if (message.expiresAt !== undefined && at > message.expiresAt) return 'Request has expired'
    const approver = this.#approvers.get(actorId)
    if (approver?.roles.includes(role) !== true) return `Nobody of this id holds the role ${role}`
    if (actorId === message.requestedBy) return 'Whoever asked may not sign'
    if (before.some((one) => one.role === role)) return `Role has signed already: ${role}`
    if (before.some((one) => one.actorId === actorId)) return 'One person signs once'
    const key = encodeHex(approver.publicKey)
    if (encodeHex(publicKey) !== key) return 'Key is not the one of this person'
    if (before.some((one) => encodeHex(one.publicKey) === key)) return 'One key signs once'
    const due = readMessageHash(message)
    if ('problem' in due) return due.problem
    if (messageHash !== due.hash) return 'What was signed is another request'
    const text = createSigningText(messageHash)
    return this.#provider.verify(text, signature, publicKey) ? undefined : 'Signature is not good'
  }

  /** Why two signatures do not overrule; undefined when they do. */
  validate({ message, signatures }: DualSignatures, at: number): string | undefined {
    for (const [i, signature] of signatures.entries()) {
      const problem = this.problem(message, signature, signatures.slice(0, i), at)
      if (problem !== undefined) return `${signature.actorId}: ${problem}`
    }
    return signatures.length === overrideRoles.length
      ? undefined
      : `Signatures of ${overrideRoles.join(' and ')} are wanted: ${signatures.length}`
  }
}

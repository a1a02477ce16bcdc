// A tenant that is open for writing: its identity, its unsealed keys, its log. Use cases sign with it and append to it.
import { randomNonce, sha512 } from '../crypto/hash.ts'
import { signatureContext } from '../crypto/labels.ts'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { Failure, invariant } from '../base/failure.ts'
import { isKnownKind, matters } from '../dossier/matters.ts'
import { limits } from '../base/limits.ts'
import { preAuthEncoding } from '../dossier/dsse.ts'
import { fastKinds, type Kind } from '../dossier/kinds.ts'
import { formatStatement, parseStatement } from '../dossier/statement.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { Gate } from './gate.ts'
import type { Appended, Log, SignedEntry } from '../log/log.ts'
import type { DecisionFilter, Effect, Instance, Store, Tenant } from '../store/store.ts'

/** The keyring of a log, which may be exchanged for another while nobody signs. */
export interface KeyHolder {
  keyring: Keyring
}

/** Everything needed to write to one tenant's log. */
export interface Room {
  readonly instance: Instance
  readonly tenant: Omit<Tenant, 'head'>
  /** Asked anew for every entry: it may be exchanged. */
  readonly keyring: Keyring
  readonly holder: KeyHolder
  readonly gate: Gate
  readonly log: Log
  readonly store: Store
  /** Witness policy that the log's trust roots name from now on. */
  readonly witnesses: string
  /** ms since 1970. */
  readonly clock: () => number
}

/** The kinds of which a tenant that is closed takes none. */
export const deciding: readonly Kind[] = ['decision', 'execution']

/** @throws {@link Failure} TENANT_CLOSED */
export function expectNotClosed({ gate, tenant }: Pick<Room, 'gate' | 'tenant'>): void {
  if (gate.isClosed)
    throw new Failure('TENANT_CLOSED', `Tenant is closed, its log can only be read: ${tenant.name}`)
}

/** An entry before it is signed. */
export interface Draft {
  readonly kind: Kind
  readonly stream: string
  readonly seq: number
  /** Hex leaf hash of the stream's previous leaf; null at seq 0. */
  readonly prev: string | null
  readonly matter: Readonly<Record<string, unknown>>
  readonly filter?: DecisionFilter
  readonly effects?: readonly Effect[]
  /** Given where the matter is made of what the same schemas have let in already. */
  readonly isValid?: true
  /** Why it may not stand at a leaf time; asked by the log with the very time that it would get. */
  readonly refuseAt?: (time: number) => Failure | undefined
  /** What is committed together with it, right behind it: of a kind that the evidence key signs. */
  readonly follow?: (placed: PlacedDraft) => Draft
}

/** What a draft got: its hex leaf hash and its time. */
export interface PlacedDraft {
  readonly leaf: string
  readonly time: number
  /** Hex digest of the statement's subject. */
  readonly subject: string
}

/** A draft as its exact bytes, ready to be signed. */
interface Written {
  readonly entry: Omit<SignedEntry, 'signature' | 'keyid'>
  /** DSSE pre-authentication encoding. */
  readonly encoded: Uint8Array
}

function write(room: Room, draft: Draft): Written {
  const { kind, stream, seq, prev, matter, filter, effects, isValid = false, refuseAt } = draft
  const { follow } = draft
  // What verifiers would refuse must not be signed.
  invariant(
    isValid || (isKnownKind(kind) && matters[kind].safeParse(matter).success),
    `Matter is not a v1 ${kind}`,
  )
  const payload = formatStatement(
    {
      instance: room.instance.id,
      kind,
      origin: room.tenant.origin,
      prev,
      seq,
      stream,
      tenant: room.tenant.name,
    },
    randomNonce(16),
    matter,
  )
  if (payload.length > limits.payloadBytes)
    throw new Failure(
      'INPUT_TOO_LARGE',
      `Statement has more than ${limits.payloadBytes} bytes: ${payload.length}`,
    )
  const encoded = preAuthEncoding(payload)
  const digest = sha512(encoded)
  const entry = {
    kind,
    stream,
    seq,
    prev,
    payload,
    digest,
    filter: filter ?? null,
    effects: effects ?? [],
    ...(refuseAt === undefined ? {} : { refuseAt }),
    ...(follow === undefined ? {} : { follow: followUp(room, payload, follow) }),
  }
  return { entry, encoded }
}

/** What the log asks for behind an entry. */
const followUp =
  (room: Room, payload: Uint8Array, follow: NonNullable<Draft['follow']>) =>
  ({ leafHash, time }: Pick<Appended, 'leafHash' | 'time'>): Promise<SignedEntry> => {
    const statement = parseStatement(payload)
    invariant(typeof statement !== 'string', 'Statement is not one')
    const [subject] = statement.subject
    const draft = follow({ leaf: encodeHex(leafHash), subject: subject.digest.sha256, time })
    return signEvidence(room, write(room, draft))
  }

/** The kinds' contexts as bytes, encoded once. */
const contexts = new Map<Kind, Uint8Array>()
function contextOf(kind: Kind): Uint8Array {
  const known = contexts.get(kind)
  if (known !== undefined) return known
  const context = utf8(signatureContext(kind))
  contexts.set(kind, context)
  return context
}

const usesFastKey = (room: Room, kind: Kind): boolean =>
  room.tenant.profile === 'checkpoint' && fastKinds.includes(kind)

/** Signs by the fast key, at once; only where the profile and the kind allow it. */
function signFast(room: Room, { encoded, entry }: Written): SignedEntry {
  const { keyid, signer } = room.keyring.fast
  return { ...entry, keyid, signature: signer.sign(encoded) }
}

/** Signs by the evidence key, the post-quantum half off the event loop. */
async function signEvidence(room: Room, { entry }: Written): Promise<SignedEntry> {
  const { keyid, signer } = room.keyring.evidence
  return {
    ...entry,
    keyid,
    signature: await signer.signDigestAsync(entry.digest, contextOf(entry.kind)),
  }
}

/** A draft that was signed and has its place. */
export interface Entered {
  readonly signed: SignedEntry
  readonly appended: Appended
}

/**
 * Signs a draft and appends it. Where the fast key signs, that happens in this turn of the event loop: entries that come together are committed
 * together.
 * @throws {@link Failure} INPUT_TOO_LARGE, and as the log's append
 */
export async function enter(room: Room, draft: Draft): Promise<Entered> {
  while (room.gate.shut !== undefined) await room.gate.shut
  // Asked behind the gate: a tenant may have been closed while somebody waited before it.
  if (deciding.includes(draft.kind)) expectNotClosed(room)
  return enterNow(room, draft)
}

/**
 * As {@link enter}, without asking the gate: for whoever has shut it.
 * @throws {@link Failure} as {@link enter}
 */
export async function enterNow(room: Room, draft: Draft): Promise<Entered> {
  room.log.admit()
  const written = write(room, draft)
  if (usesFastKey(room, draft.kind)) {
    const signed = signFast(room, written)
    return { signed, appended: await room.log.append(signed) }
  }
  const signing = signEvidence(room, written)
  // Whoever waits for the place hears of a failed signature; here it must only not go unheard.
  signing.catch(() => undefined)
  const appended = await room.log.append(signing)
  return { signed: await signing, appended }
}

/**
 * Signs drafts of different streams, of kinds that the evidence key signs, and appends them in one commit, or none of them. For whoever has shut the
 * gate and found the log idle.
 * @throws {@link Failure} as {@link enter}
 */
export async function enterTogether(
  room: Room,
  drafts: readonly Draft[],
): Promise<readonly Entered[]> {
  room.log.admit()
  const signed = await Promise.all(drafts.map((draft) => signEvidence(room, write(room, draft))))
  const appended = await room.log.appendTogether(signed)
  return signed.flatMap((one, i) => {
    const place = appended[i]
    return place === undefined ? [] : [{ appended: place, signed: one }]
  })
}

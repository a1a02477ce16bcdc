// Published logs: their checkpoints with witnesses, dossiers, sections of a trust root, and what an attacker makes of each.
import { encodeBase64 } from '../../src/base/base64.ts'
import type { Signer } from '../../src/crypto/signatures.ts'
import { keyIdOf } from '../../src/crypto/spki.ts'
import { fastKinds, kinds } from '../../src/dossier/kinds.ts'
import type { OriginSection, TreeHead } from '../../src/dossier/trust-root.ts'
import { formatDossier, type Dossier, type DossierEntry } from '../../src/dossier/v1.ts'
import {
  cosign,
  formatCheckpoint,
  logVkeys,
  signCheckpoint,
  type Checkpoint,
} from '../../src/merkle/checkpoint.ts'
import {
  createVkey,
  formatNote,
  formatVkey,
  parseNote,
  type NoteLine,
} from '../../src/merkle/note.ts'
import { ed25519Cosignature, mlDsa44Cosignature } from '../../src/merkle/note-signature.ts'
import { inclusionProof } from '../../src/merkle/proof.ts'
import { reseal, type ForgedLog, type Hold, type Step } from './forge.ts'

/** Somebody who cosigns checkpoints. */
export interface Witness {
  readonly name: string
  readonly signer: Signer
  /** Seconds since 1970. */
  readonly timestamp: number
}

/** A log and its newest checkpoint. */
export interface Published {
  readonly log: ForgedLog
  readonly note: string
  readonly witnesses: readonly Witness[]
}

/** The signature lines of a note. */
export function linesOf(note: string): NoteLine[] {
  const parsed = parseNote(note)
  if (typeof parsed === 'string') throw new Error(parsed)
  return [...parsed.lines]
}

/** The checkpoint of a log at a size. */
export const checkpointOf = (log: ForgedLog, size = log.size): Checkpoint => ({
  origin: log.identity.origin,
  root: log.root(size),
  size,
})

/** A checkpoint as log and witnesses sign it. */
export function noteOf(
  log: ForgedLog,
  witnesses: readonly Witness[] = [],
  size = log.size,
): string {
  const checkpoint = checkpointOf(log, size)
  const cosignatures = witnesses.map(({ name, signer, timestamp }) =>
    cosign(checkpoint, name, signer, timestamp),
  )
  return formatNote(formatCheckpoint(checkpoint), [
    ...linesOf(signCheckpoint(checkpoint, log.identity.keys)),
    ...cosignatures,
  ])
}

/** A log as it stands, cosigned by these. */
export const publish = (log: ForgedLog, witnesses: readonly Witness[] = []): Published => ({
  log,
  note: noteOf(log, witnesses),
  witnesses,
})

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
/** An entry of a dossier that is being edited. */
export type EntryDraft = Mutable<DossierEntry>
/** A dossier that is being edited. */
export interface DossierDraft {
  stream: string
  entries: EntryDraft[]
  cited: EntryDraft[]
  checkpoint: string
}

/** One entry of a log with its proof. */
export function entryOf(log: ForgedLog, index: number, size = log.size): EntryDraft {
  const sealed = log.sealed[index]
  if (sealed === undefined) throw new Error(`No entry at index ${index}`)
  const { leaf, payload, signature, step } = sealed
  const proof = inclusionProof(index, size, log.tree(size).node)
  return { index, leaf, payload: step.erased === true ? null : payload, proof, signature }
}

/** The dossier of a stream as the log would hand it out. */
export function dossierOf(
  { log, note }: Pick<Published, 'log' | 'note'>,
  stream: string,
  size = log.size,
): DossierDraft {
  const indexes = [...log.sealed.keys()].filter(
    (index) => index < size && log.sealed[index]?.step.stream === stream,
  )
  const entries = indexes.map((index) => entryOf(log, index, size))
  return { checkpoint: note, cited: [], entries, stream }
}

/** What an attacker does; all in one place. */
export interface Attack {
  readonly holds?: readonly Hold[]
  readonly steps?: (steps: Step[]) => void
  /** Tree size of the forged checkpoint. */
  readonly size?: number
  readonly lines?: (lines: NoteLine[]) => readonly NoteLine[]
  /** Changes the whole note at the end. */
  readonly note?: (note: string) => string
  readonly dossier?: (draft: DossierDraft, log: ForgedLog) => void
}

/** The note of a forged log: its text is right, its lines are new only by keys held. */
function forgeNote(genuine: Published, log: ForgedLog, attack: Attack): string {
  const { holds = [], size = log.size } = attack
  const held = (i: number): boolean =>
    holds.includes((['ed25519', 'mlDsa44'] as const)[i] ?? 'witnesses')
  const stale = linesOf(genuine.note)
  const fresh = stale.some((_, i) => held(i)) ? linesOf(noteOf(log, genuine.witnesses, size)) : []
  const mixed = stale.map((line, i) => (held(i) ? (fresh[i] ?? line) : line))
  const lines = attack.lines === undefined ? mixed : attack.lines(mixed)
  const note = formatNote(formatCheckpoint(checkpointOf(log, size)), lines)
  return attack.note === undefined ? note : attack.note(note)
}

/** The bytes of a forged dossier of a stream. */
export function forgeDossier(genuine: Published, stream: string, attack: Attack = {}): Uint8Array {
  const { dossier, holds = [], size, steps } = attack
  const log = steps === undefined ? genuine.log : reseal(genuine.log, holds, steps)
  const unchanged = log.size === genuine.log.size && (size ?? log.size) === log.size
  const touched = steps !== undefined || attack.lines !== undefined || attack.note !== undefined
  const checkpoint = unchanged && !touched ? genuine.note : forgeNote(genuine, log, attack)
  const draft = dossierOf({ log, note: checkpoint }, stream, size)
  dossier?.(draft, log)
  return formatDossier(draft satisfies Dossier)
}

const always = { from: 0, revokedAt: null, to: null }

/** Verifier keys of witnesses as the lines of a policy; the quorum is all of them, or none. */
export function witnessPolicyOf(witnesses: readonly Witness[]): string {
  if (witnesses.length === 0) return 'quorum none\n'
  const lines = witnesses.map(({ name, signer }, i) => {
    const { type } = signer.algorithm.name === 'Ed25519' ? ed25519Cosignature : mlDsa44Cosignature
    return `witness w${i} ${formatVkey(createVkey(name, type, signer.publicKey))}\n`
  })
  const names = witnesses.map((_, i) => `w${i}`).join(' ')
  return `${lines.join('')}group all-of-them all ${names}\nquorum all-of-them\n`
}

/** Size and root of a log at a size. */
export const headOf = (log: ForgedLog, size = log.size): TreeHead => ({
  root: encodeBase64(log.root(size)),
  size,
})

/** What a trust root says of a log at a size. */
export function sectionOf(
  log: ForgedLog,
  witnesses: readonly Witness[] = [],
  size = log.size,
): OriginSection {
  const { instance, keys, origin, profile, tenant } = log.identity
  const signingKey = ({ algorithm, publicKey }: Signer) => ({
    ...always,
    keyid: keyIdOf(algorithm, publicKey),
    publicKey: encodeBase64(publicKey),
  })
  const evidence = {
    ...signingKey(keys.evidence),
    algorithm: 'id-MLDSA65-Ed25519-SHA512' as const,
    kinds: [...kinds],
    profile: 'each' as const,
  }
  const fast = {
    ...signingKey(keys.fast),
    algorithm: 'Ed25519' as const,
    from: size,
    kinds: [...fastKinds],
    profile: 'checkpoint' as const,
  }
  return {
    asOf: headOf(log, size),
    instance,
    keys: profile === 'checkpoint' ? [evidence, fast] : [evidence],
    logKeys: logVkeys(origin, keys).map((vkey) => ({
      ...always,
      final: null,
      vkey: formatVkey(vkey),
    })),
    origin,
    rosters: [],
    tenant,
    witnesses: witnessPolicyOf(witnesses),
  }
}

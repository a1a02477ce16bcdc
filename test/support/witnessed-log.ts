import { encodeBase64 } from '../../src/base/base64.ts'
import { utf8 } from '../../src/base/bytes.ts'
import { formatAddCheckpoint } from '../../src/log/witness-protocol.ts'
import { logVkeys, signCheckpoint } from '../../src/merkle/checkpoint.ts'
import { formatVkey } from '../../src/merkle/note.ts'
import { fixedLog } from './merkle-signers.ts'
import { referenceProof, referenceRoot } from './merkle-reference.ts'

/** A log in memory whose leaves are texts, and which can be forked: it signs whatever it is told to. */
export class WitnessedTestLog {
  readonly origin: string
  readonly #leaves: readonly Uint8Array[]
  readonly #signers: ReturnType<typeof fixedLog>

  /** @param forkAt from which leaf it differs from a log without one */
  constructor(leaves: number, { forkAt = leaves, origin = 'log.example/a', key = 1 } = {}) {
    this.origin = origin
    this.#signers = fixedLog(key)
    this.#leaves = Array.from({ length: leaves }, (_, i) =>
      utf8(i < forkAt ? `leaf ${i}` : `other ${i}`),
    )
  }

  get vkeys(): readonly string[] {
    return logVkeys(this.origin, this.#signers).map(formatVkey)
  }

  root(size: number): Uint8Array {
    return referenceRoot(this.#leaves.slice(0, size))
  }

  rootText(size: number): string {
    return encodeBase64(this.root(size))
  }

  note(size: number): string {
    return signCheckpoint({ origin: this.origin, root: this.root(size), size }, this.#signers)
  }

  proof(from: number, to: number): readonly Uint8Array[] {
    return from === 0 || from === to ? [] : referenceProof(from, this.#leaves.slice(0, to))
  }

  /** The body of add-checkpoint from a size to another. */
  ask(old: number, size: number, note = this.note(size)): Uint8Array {
    return utf8(formatAddCheckpoint({ note, old, proof: this.proof(old, size) }))
  }
}

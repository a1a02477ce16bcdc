import { expect, it } from 'vitest'
import { encodeHex } from '../../src/base/bytes.ts'
import { decodeBase64, encodeBase64 } from '../../src/base/base64.ts'
import { parseCheckpointVkey, verifyCheckpoint } from '../../src/merkle/checkpoint.ts'
import { formatNote, formatVkey, parseNote } from '../../src/merkle/note.ts'
import { verifyConsistency, verifyInclusion } from '../../src/merkle/proof.ts'
import { describeVectors, readVectors, readVectorText } from '../support/vectors.ts'

interface Probe {
  name: string
  proof: string[] | null
  wantErr: boolean
}
interface InclusionProbe extends Probe {
  leafIdx: number
  treeSize: number
  root: string
  leafHash: string
}
interface ConsistencyProbe extends Probe {
  size1: number
  size2: number
  root1: string
  root2: string
}

/** Bytes of a vector's base64, which the vectors always give in the strict form. */
function bytes(text: string): Uint8Array {
  const decoded = decodeBase64(text)
  if (decoded === undefined) throw new Error(`Not base64: ${text}`)
  return decoded
}

const hashes = ({ proof }: Probe): Uint8Array[] => (proof ?? []).map(bytes)

describeVectors('the Merkle proof probes', () => {
  it('of inclusion: 98, of which those that are wrong are refused', () => {
    const probes = readVectors('merkle-inclusion.json') as InclusionProbe[]
    expect(probes.length).toBe(98)
    for (const probe of probes) {
      const { leafIdx, treeSize, leafHash, root } = probe
      const good = verifyInclusion(leafIdx, treeSize, bytes(leafHash), hashes(probe), bytes(root))
      expect([probe.name, good]).toEqual([probe.name, !probe.wantErr])
    }
  })

  it('of consistency: 98, of which those that are wrong are refused', () => {
    const probes = readVectors('merkle-consistency.json') as ConsistencyProbe[]
    expect(probes.length).toBe(98)
    for (const probe of probes) {
      const [root1, root2] = [bytes(probe.root1), bytes(probe.root2)]
      const good = verifyConsistency(probe.size1, probe.size2, root1, root2, hashes(probe))
      expect([probe.name, good]).toEqual([probe.name, !probe.wantErr])
    }
  })
})

describeVectors('the checkpoint that another implementation signed with ML-DSA-44', () => {
  const read = (): { vkeyText: string; note: string } => ({
    vkeyText: readVectorText('note-mldsa44.vkey').trim(),
    note: readVectorText('note-mldsa44.checkpoint'),
  })

  it('verifies', () => {
    const { vkeyText, note } = read()
    const vkey = parseCheckpointVkey(vkeyText)
    if (typeof vkey === 'string') throw new Error(vkey)
    expect(formatVkey(vkey)).toBe(vkeyText)
    const result = verifyCheckpoint(note, [vkey])
    if ('reason' in result) throw new Error(result.reason)
    expect(result.checkpoint.origin).toBe('example.com/mldsa-log')
    expect(result.checkpoint.size).toBe(1)
    expect(encodeHex(result.checkpoint.root).slice(0, 8)).toBe('fb3a04ae')
    expect(result.lines).toEqual([{ vkey, timestamp: 0 }])
  })

  it('reads and writes as it stands, and with another size is refused', () => {
    const { vkeyText, note } = read()
    const vkey = parseCheckpointVkey(vkeyText)
    const parsed = parseNote(note)
    if (typeof parsed === 'string' || typeof vkey === 'string') throw new Error('Not a note')
    expect(formatNote(parsed.text, parsed.lines)).toBe(note)
    const [, size, root] = parsed.text.split('\n')
    expect(size).toBe('1')
    for (const text of [
      parsed.text.replace('\n1\n', '\n2\n'),
      parsed.text.replace(root ?? '', encodeBase64(new Uint8Array(32))),
    ])
      expect(verifyCheckpoint(formatNote(text, parsed.lines), [vkey])).toHaveProperty('reason')
  })
})

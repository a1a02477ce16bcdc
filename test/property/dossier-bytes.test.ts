import { describe, expect, it } from 'vitest'
import { concat } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { fingerprint, formatTrustRoot } from '../../src/dossier/trust-root.ts'
import { verifyDossier, type Report } from '../../src/verify/index.ts'
import { forgeDossier, noteOf, witnessPolicyOf, type Witness } from '../support/forge-dossier.ts'
import { createWorld, streams, witnesses } from '../support/forge-world.ts'
import { fixedSigner } from '../support/merkle-signers.ts'

// A changed byte costs a verification of one to two milliseconds, and a dossier has up to 17,000 bytes: every byte is changed in two ways (of the
// first sample every third in one of them, unless FAULTS=all), every ninth in two more.
const stride = 9
const thorough = process.env['FAULTS'] === 'all'
const timeoutMs = 240_000

const world = createWorld()

interface Sample {
  readonly name: string
  readonly file: Uint8Array
  readonly trustFile: Uint8Array
  /** How far apart the bytes are whose lowest bit is changed. */
  readonly step: number
}

/** Two entries of a log under a trust root of that log alone, which is read faster. */
function sampleOf(
  name: string,
  tenant: 'each' | 'fast',
  step: number,
  cosigners: readonly Witness[],
): Sample {
  const { log } = world[tenant]
  const note = noteOf(log, cosigners)
  const origins = world.trust.origins.flatMap((section) =>
    section.tenant === tenant ? [{ ...section, witnesses: witnessPolicyOf(cosigners) }] : [],
  )
  return {
    file: forgeDossier({ log, note, witnesses: cosigners }, streams.allow),
    name,
    step,
    trustFile: formatTrustRoot({ ...world.trust, origins }),
  }
}

const samples: readonly Sample[] = [
  sampleOf('profile each, witnessed', 'each', thorough ? 1 : 3, witnesses.slice(0, 1)),
  sampleOf('profile checkpoint', 'fast', 1, []),
]

/** A byte that depends on the position and nothing else, but looks random. */
const randomAt = (at: number): number => sha256(Uint8Array.of(at >> 8, at & 0xff))[0] ?? 0

const withByte = (file: Uint8Array, at: number, byte: number): Uint8Array => {
  const copy = file.slice()
  copy[at] = byte
  return copy
}

const verify = ({ trustFile }: Sample, file: Uint8Array): Report => verifyDossier(file, trustFile)

/** The positions at which a change was not refused. */
function accepted(
  sample: Sample,
  positions: Iterable<number>,
  change: (file: Uint8Array, at: number) => Uint8Array,
): number[] {
  const found: number[] = []
  for (const at of positions) {
    const changed = change(sample.file, at)
    const same = changed.length === sample.file.length && changed[at] === sample.file[at]
    if (!same && verify(sample, changed).verdict === 'valid') found.push(at)
  }
  return found
}

function* every(step: number, length: number, first = 0): Generator<number> {
  for (let at = first; at < length; at += step) yield at
}

describe.each(samples)('a dossier of $name', (sample) => {
  const { file } = sample
  const byteOf = (at: number): number => file[at] ?? 0
  const all = (step = 1, first = 0): Generator<number> => every(step, file.length, first)

  it('is valid as it is, with two entries', () => {
    expect(verify(sample, file)).toMatchObject({ entries: [{}, {}], verdict: 'valid' })
  })

  it(
    'is refused with any bit of the lowest changed',
    () => {
      expect(
        accepted(sample, all(sample.step), (f, at) => withByte(f, at, byteOf(at) ^ 1)),
      ).toEqual([])
    },
    timeoutMs,
  )

  it(
    'is refused with any bit of the highest changed',
    () => {
      expect(accepted(sample, all(), (f, at) => withByte(f, at, byteOf(at) ^ 0x80))).toEqual([])
    },
    timeoutMs,
  )

  it(
    'is refused with a byte raised by one, or replaced by any other',
    () => {
      const raised = accepted(sample, all(stride), (f, at) => withByte(f, at, byteOf(at) + 1))
      const replaced = accepted(sample, all(stride, 2), (f, at) => withByte(f, at, randomAt(at)))
      expect([raised, replaced]).toEqual([[], []])
    },
    timeoutMs,
  )

  it('is refused with a byte left out, put in, or exchanged with the next', () => {
    const without = (f: Uint8Array, at: number) => concat(f.subarray(0, at), f.subarray(at + 1))
    const put = (byte: (at: number) => number) => (f: Uint8Array, at: number) =>
      concat(f.subarray(0, at), Uint8Array.of(byte(at)), f.subarray(at))
    const exchanged = (f: Uint8Array, at: number) =>
      withByte(withByte(f, at, byteOf(at + 1)), at + 1, byteOf(at))
    expect(accepted(sample, all(61), without)).toEqual([])
    expect(accepted(sample, all(61, 1), put(byteOf))).toEqual([])
    expect(accepted(sample, all(61, 2), put(randomAt))).toEqual([])
    expect(
      accepted(
        sample,
        all(61, 3),
        put(() => 0x20),
      ),
    ).toEqual([])
    expect(accepted(sample, every(61, file.length - 1, 4), exchanged)).toEqual([])
  })

  it('is refused when it is cut anywhere, or goes on', () => {
    const cut = (f: Uint8Array, at: number) => f.subarray(0, at)
    expect(accepted(sample, all(41), cut)).toEqual([])
    expect(accepted(sample, every(1, file.length, file.length - 64), cut)).toEqual([])
    for (const more of [' ', '\n', '\0', '{}', ','])
      expect(verify(sample, concat(file, new TextEncoder().encode(more))).verdict).toBe('invalid')
  })
})

describe('lines that a trust root does not ask for', () => {
  const extra: Witness = {
    name: 'witness.example/extra',
    signer: fixedSigner('Ed25519', 75),
    timestamp: 1_760_000_000,
  }
  const { log } = world.each
  const file = forgeDossier({ log, note: noteOf(log, [extra]), witnesses: [extra] }, streams.allow)
  const text = new TextDecoder('latin1').decode(file)
  const start = text.indexOf('witness.example/extra')
  const end = text.indexOf('"', start)
  const trusting = (witnessLines: string): Sample => {
    const origins = world.trust.origins.map((section) => ({ ...section, witnesses: witnessLines }))
    return { file, name: '', step: 1, trustFile: formatTrustRoot({ ...world.trust, origins }) }
  }

  it('mean nothing when their key is unknown, whatever becomes of them', () => {
    const unknown = trusting('quorum none\n')
    expect(verify(unknown, file)).toMatchObject({ assurance: 'operator', verdict: 'valid' })
    for (const at of every(1, end, start)) {
      const report = verify(unknown, withByte(file, at, (file[at] ?? 0) ^ 1))
      // What is still a line is still ignored; what is none refuses the note.
      expect(['valid', 'invalid']).toContain(report.verdict)
      expect(report.assurance).toBe('operator')
    }
  })

  it('count no more once a byte is changed, when their key is known and not asked for', () => {
    const known = trusting(witnessPolicyOf([extra]).replace(/quorum .*\n/, 'quorum none\n'))
    expect(verify(known, file)).toMatchObject({ assurance: 'witnessed(1)', verdict: 'valid' })
    for (const at of every(1, end, start)) {
      const { assurance, verdict } = verify(known, withByte(file, at, (file[at] ?? 0) ^ 1))
      // The line of a changed name or id is one of a key that nobody knows.
      expect([at, verdict === 'invalid' || assurance === 'operator']).toEqual([at, true])
    }
  })
})

describe('a trust root', () => {
  const [sample] = samples
  const trustFile = sample?.trustFile ?? new Uint8Array(0)
  const trustSha256 = fingerprint(trustFile)

  it('has another name, and is refused by name, with any byte changed', () => {
    const kept: number[] = []
    for (const at of trustFile.keys()) {
      const byte = trustFile[at] ?? 0
      const others = [byte ^ 1, byte ^ 0x80, (byte + 1) & 0xff, randomAt(at)]
      for (const other of others.filter((candidate) => candidate !== byte))
        if (fingerprint(withByte(trustFile, at, other)) === trustSha256) kept.push(at)
      const changed = withByte(trustFile, at, byte ^ 1)
      // The dossier is looked at only where the trust root can be read; its name is looked at always.
      const { checks, verdict } = verifyDossier(new Uint8Array(0), changed, { trustSha256 })
      const named = checks.find(({ name }) => name === 'trust-root.fingerprint')
      if (named?.outcome !== 'fail' || verdict !== 'invalid') kept.push(at)
    }
    expect(kept).toEqual([])
  })

  it('is refused when it is cut, or goes on', () => {
    for (const at of every(29, trustFile.length))
      expect(
        verifyDossier(sample?.file ?? trustFile, trustFile.subarray(0, at), { trustSha256 })
          .verdict,
      ).toBe('invalid')
    expect(
      verifyDossier(sample?.file ?? trustFile, concat(trustFile, Uint8Array.of(0x20))).verdict,
    ).toBe('invalid')
  })
})

// What is claimed: once keys were sealed or closed and garbage was collected, their seeds are in no memory that the process can write, in no form.
// It is claimed of Linux, of the algorithms by node:crypto, and of a Node that imports seeds without DER; OpenSSL's decoder leaves copies otherwise.
// The same holds of what a KEK file and a PIN file hold. It is not claimed of a PIN that was sent to the process of an HSM, of which Node leaves a
// copy, nor of the time until garbage is collected.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { encodeBase64Url } from '../../src/base/base64.ts'
import { randomBytes } from '../../src/crypto/hash.ts'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { mask, patternsOf } from '../support/memory-patterns.ts'
import type { Needles, Report, Step } from '../support/memory-process.ts'
import type { Pattern, Sighting } from '../support/memory-scan.ts'

let patterns: readonly Pattern[] = []
const sightings = new Map<Step, Sighting>()

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-'))
  const kekFile = join(directory, 'kek')
  createKekFile(kekFile)
  const pinFile = join(directory, 'pin')
  writeFileSync(pinFile, `${encodeBase64Url(randomBytes(24))}\n`, { mode: 0o600 })
  const child = fork(resolve('test/support/memory-process.ts'), [kekFile, pinFile], {
    execArgv: ['--expose-gc'],
    serialization: 'advanced',
    timeout: 45_000,
  })
  try {
    child.on('message', (report: Report) => {
      if ('step' in report) sightings.set(report.step, report.seen)
      else
        void patternsOf(report.stored, kekFile, pinFile).then((found) => {
          patterns = found
          child.send({ patterns, mask } satisfies Needles)
        })
    })
    expect(await once(child, 'exit')).toEqual([0, null])
  } finally {
    child.kill()
    rmSync(directory, { recursive: true })
  }
})

function at(step: Step): Sighting {
  const seen = sightings.get(step)
  if (seen === undefined) throw new Error(`Memory was not looked at: ${step}`)
  return seen
}

/** The names of what was found, but for keys that are in use then. */
const foundAt = (step: Step, ...inUse: string[]): string[] =>
  at(step).places.filter((place) => !inUse.some((name) => place.startsWith(name)))

const seeds = [
  'evidence ML-DSA-65 seed',
  'evidence Ed25519 seed',
  'fast seed',
  'log Ed25519 seed',
  'log ML-DSA-44 seed',
]
// By an open keyring; its signers hold the seed and what OpenSSL makes of it.
const signing = [...seeds, 'evidence ML-DSA-65', 'log ML-DSA-44', 'manifest key', 'wrapping key']

describe('the search', () => {
  test('reads all writable memory', () => {
    for (const { scannedBytes, unreadBytes } of sightings.values()) {
      expect(unreadBytes).toBe(0)
      expect(scannedBytes).toBeGreaterThan(20e6)
    }
  })

  test('finds every form of every secret where it lies', () => {
    const wanted = Map.groupBy(patterns, ({ name }) => name)
    expect(wanted.size).toBeGreaterThan(80)
    const { found } = at('planted')
    const missed = [...wanted].filter(([name, { length }]) => (found[name] ?? 0) < length)
    expect(missed).toEqual([])
  })
})

describe('while they are used', () => {
  test('the data key and the master seed are in memory', () => {
    expect(at('data key held').found).toHaveProperty('data key, raw')
    expect(at('seeds held').found).toHaveProperty('master seed, raw')
  })

  test.each<Step>(['created', 'seeds held', 'unsealed'])(
    'the seeds of all signing keys are in memory: %s',
    (step) => {
      for (const name of seeds) expect(at(step).found).toHaveProperty(`${name}, raw`)
    },
  )

  test('what OpenSSL expands an ML-DSA seed to is in memory', () => {
    for (const part of ['K, raw', 's1, raw', 's1, words', 's2, raw', 's2, words'])
      for (const name of ['evidence ML-DSA-65', 'log ML-DSA-44'])
        expect(at('unsealed').found).toHaveProperty(`${name} ${part}`)
  })
})

describe('once it was used', () => {
  test.each<Step>(['created', 'unsealed'])(
    'nothing that opens the key store is left beside open signers: %s',
    (step) => {
      expect(foundAt(step, ...signing)).toEqual([])
    },
  )

  test.each<Step>(['creator closed', 'seeds wiped'])(
    'nothing is left but the key of the provider, which is still open: %s',
    (step) => {
      expect(foundAt(step, 'wrapping key')).toEqual([])
    },
  )

  test('nothing is left of destroyed keys in a keyring that stays open', () => {
    expect(foundAt('destroyed', 'manifest key', 'wrapping key')).toEqual([])
  })

  test('nothing is left of a PIN file but what the open provider keeps, once', () => {
    const ofPin = Object.entries(at('PIN held').found).filter(([name]) => name.startsWith('PIN'))
    expect(ofPin).toEqual([['PIN, raw', 2]])
  })

  test('nothing at all is left when keyring and provider are closed', () => {
    expect(foundAt('closed')).toEqual([])
  })
})

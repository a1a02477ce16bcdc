import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const script = resolve(import.meta.dirname, '../support/period-memory-process.ts')

describe('a verifier of periods with little memory', () => {
  it('reads a hundred thousand entries and keeps none of them', () => {
    const size = 100_000
    const printed = execFileSync(
      process.execPath,
      ['--max-old-space-size=32', '--max-semi-space-size=4', script, String(size)],
      { encoding: 'utf8' },
    )
    const { bufferBytes, ...report } = JSON.parse(printed) as Record<string, unknown>
    expect(report).toEqual({ entries: size, verdict: 'valid' })
    // The leaves alone have 45 MB.
    expect(bufferBytes).toBeLessThan(20_000_000)
  })
})

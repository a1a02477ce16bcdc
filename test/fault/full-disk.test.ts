import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bursts } from '../support/bursts.ts'
import { placeIn, restart } from '../support/restart.ts'

let bursts: Bursts

beforeAll(() => {
  bursts = new Bursts()
})

afterAll(() => {
  bursts.close()
})

describe('a full disk', () => {
  it('gets no acknowledgement, takes readiness down, and heals when there is room', async () => {
    const directory = bursts.copy()
    const room = join(bursts.home, 'disk')
    mkdirSync(room)
    const { acknowledged, lines, stderr } = bursts.runOnDisk(directory, {
      ballastBytes: 2_500_000,
      bytes: 5_000_000,
      decisions: 100_000,
      room,
    })
    expect(stderr).toBe('')
    expect(acknowledged.length).toBeGreaterThan(20)
    const refusals = new Set(lines.flatMap((line) => ('refused' in line ? [line.refused] : [])))
    expect(refusals.size).toBeGreaterThan(0)
    expect(
      [...refusals].filter((code) => !['STORE_FULL', 'LOG_STATE_UNKNOWN'].includes(code)),
    ).toEqual([])
    expect(lines).toContainEqual({ ready: false })
    expect(lines).toContainEqual({ healed: true })
    expect(await restart(placeIn(directory), { acknowledged })).toEqual([])
  })
})
